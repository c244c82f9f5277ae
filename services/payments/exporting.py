"""Operations as files: portions of rows become the bytes of a CSV or a Parquet file, in little memory.

pyarrow is loaded with the first Parquet file and not before: it is half as large as the rest of the process.
"""

import csv
import io
from collections.abc import Sequence
from decimal import Decimal
from typing import Any, Protocol

from kit.values.money import exponent

# Read from the operation, in this order.
COLUMNS = (
    "operation_id",
    "order_id",
    "channel_id",
    "point_id",
    "kind",
    "state",
    "amount_minor",
    "currency",
    "tender_kind",
    "provider",
    "provider_reference",
    "failure_code",
    "cause",
    "actor",
    "intended_at",
    "settled_at",
)
_AMOUNT, _CURRENCY = COLUMNS.index("amount_minor"), COLUMNS.index("currency")
# Beside them: the amount in major units, to be read by people.
NAMES = (*COLUMNS[: _AMOUNT + 1], "amount", *COLUMNS[_AMOUNT + 1 :])
_INSTANTS = ("intended_at", "settled_at")
# A spreadsheet takes text that begins so for a formula, and may run it (OWASP, CSV injection).
_FORMULA = frozenset("=+-@\t\r\n")
Rows = Sequence[Sequence[Any]]


class Writer(Protocol):
    """What makes a file; nothing of it is kept once it was given out."""

    media_type: str

    def begin(self) -> bytes: ...
    def write(self, rows: Rows) -> bytes: ...
    def end(self) -> bytes: ...


class CsvWriter:
    """RFC 4180 with a row of names; instants in ISO 8601."""

    media_type = "text/csv"

    def begin(self) -> bytes:
        """The row of names."""
        return _as_csv([NAMES])

    def write(self, rows: Rows) -> bytes:
        """A line for each."""
        return _as_csv([[_guarded(value) for value in _with_amount(row)] for row in rows])

    def end(self) -> bytes:
        """Nothing more."""
        return b""


class ParquetWriter:
    """A row group for each portion, compressed with zstd; instants in UTC to the microsecond."""

    media_type = "application/vnd.apache.parquet"

    def __init__(self) -> None:
        import pyarrow
        from pyarrow import parquet

        types = {"amount_minor": pyarrow.int64(), "amount": pyarrow.decimal128(20, 3)}
        types |= dict.fromkeys(_INSTANTS, pyarrow.timestamp("us", tz="UTC"))
        self._arrow = pyarrow
        self._schema = pyarrow.schema([(name, types.get(name, pyarrow.string())) for name in NAMES])
        self._sink = _Sink()
        self._file = parquet.ParquetWriter(self._sink, self._schema, compression="zstd")

    def begin(self) -> bytes:
        """The format's magic."""
        return self._sink.take()

    def write(self, rows: Rows) -> bytes:
        """A row group."""
        columns = zip(*map(_with_amount, rows), strict=True)
        arrays = [
            self._arrow.array(values, field.type) for values, field in zip(columns, self._schema, strict=True)
        ]
        self._file.write_batch(self._arrow.record_batch(arrays, schema=self._schema))
        return self._sink.take()

    def end(self) -> bytes:
        """The footer, which says where all the row groups are."""
        self._file.close()
        return self._sink.take()


class _Sink(io.RawIOBase):
    """What was written since it was last taken; tells places as if all were still there."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._size = 0

    def writable(self) -> bool:
        return True

    def write(self, part: Any) -> int:
        self._parts.append(bytes(part))
        self._size += len(part)
        return len(part)

    def tell(self) -> int:
        return self._size

    def take(self) -> bytes:
        taken, self._parts = b"".join(self._parts), []
        return taken


def _with_amount(row: Sequence[Any]) -> Sequence[Any]:
    amount = Decimal(row[_AMOUNT]).scaleb(-exponent(row[_CURRENCY]))
    return (*row[: _AMOUNT + 1], amount, *row[_AMOUNT + 1 :])


def _guarded(value: Any) -> Any:
    if isinstance(value, str):
        return f"'{value}" if value and value[0] in _FORMULA else value
    return value.isoformat() if hasattr(value, "isoformat") else value


def _as_csv(rows: Rows) -> bytes:
    file = io.StringIO()
    csv.writer(file).writerows(rows)
    return file.getvalue().encode()
