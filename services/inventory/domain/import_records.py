"""Reads the records of a file of stock, block by block, in memory that does not grow with the file (SPEC STK-8).

A line is a record: what is wrong with one is said of that one, and the others go on. Only a file that cannot be
understood at all (its columns, its encoding) is refused. Gives rows of text, ready to be copied into a table.
"""

import csv
import json
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from operator import lt, methodcaller
from typing import Any

from services.inventory.domain import imports
from services.inventory.domain.imports import FileRefused, Rejection
from services.inventory.domain.validation import MAX_QUANTITY, is_name, is_sku

MAX_LINE_BYTES = 10_000
KEPT_CHARACTERS = 200
NULL = "\\N"

_SNAPSHOT_COLUMNS = ("sku", "point_id", "quantity")
_DELTA_COLUMNS = ("sku", "point_id", "delta")
_DELTA_MAY_HAVE = ("sequence", "effective_at", "cause")
_WHOLE = re.compile(r"[0-9]{1,10}")
_SIGNED = re.compile(r"[+-]?[0-9]{1,10}")
_SEQUENCE = re.compile(r"[0-9]{1,18}")
_DATED = re.compile(r"\d{4}-\d\d-\d\d[Tt ]")
_NOT_PRINTED = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")
_BOM = b"\xef\xbb\xbf"
_EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)

# The texts of one record, in the order of `columns_of`.
Row = tuple[str, ...]


class _Refusal(Exception):
    """What is wrong with one record."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(reason)
        self.reason = reason
        self.detail = detail


@dataclass(slots=True)
class Block:
    """Some records of a file: rows that are right in themselves, and those that are not.

    `rows` is their text as COPY takes it: no value needs an escape. A rejected record of a snapshot that names its
    position is a row too, without a quantity: what the file speaks of is not absent from it.
    """

    rows: str = ""
    rejections: list[Rejection] = field(default_factory=list)


def columns_of(kind: str) -> tuple[str, ...]:
    """What the texts of a row are."""
    shared = ("line", "sku", "point_id", "quantity")
    return shared if kind == imports.SNAPSHOT else (*shared, "sequence", "effective_at", "cause")


class RecordReader:
    """Takes a file's bytes in any portions; gives its records.

    `scope` are the points that it may speak of, None for any of `known`; `until` is the latest instant that it may
    name. Raises FileRefused.
    """

    def __init__(
        self, kind: str, format: str, known: frozenset[str], scope: frozenset[str] | None, until: datetime
    ) -> None:
        self._kind = kind
        self._known = known
        self._scope = known if scope is None else scope
        self._until = until
        self._rest = b""
        self._line = 0
        self._names: tuple[str, ...] = ()
        self._fields: Callable[[str], dict[str, Any]] = self._of_csv if format == "csv" else self._of_json
        self._awaits_names = format == "csv"
        self._may_take_whole = format == "csv" and kind == imports.SNAPSHOT
        self._checked: tuple[set[str], set[str]] = set(), set()
        self._last: dict[bool, tuple[str, str]] = {True: ("", ""), False: ("", "")}
        self.read = 0
        # Records whose position cannot be known.
        self.unreadable = 0

    @property
    def ordered(self) -> bool:
        """Whether the positions ascend, by SKU or by point, as in most exports: then none stands twice."""
        return bool(self._last)

    def feed(self, data: bytes) -> Block:
        """The records that are complete with these bytes."""
        lines = (self._rest + data).split(b"\n")
        self._rest = lines.pop()
        if len(self._rest) > MAX_LINE_BYTES:
            # Its end is still to come; that it is too long is known, and its beginning is enough to say so.
            self._rest = self._rest[: MAX_LINE_BYTES + 1]
        return self._take(lines)

    def end(self) -> Block:
        """The last record, when no line break follows it. A file without any is refused: it would empty points."""
        block = self._take([self._rest] if self._rest else [])
        if not self.read:
            raise FileRefused("EMPTY_FILE", "the file has no record")
        return block

    def _take(self, lines: list[bytes]) -> Block:
        if self._line == 0 and lines:
            lines[0] = lines[0].removeprefix(_BOM)
        while self._awaits_names and lines:
            self._line += 1
            if name_row := lines.pop(0).strip(b"\r"):
                self._names = self._read_names(name_row)
                self._awaits_names = False
        block = Block()
        if not lines:
            return block
        if self._may_take_whole and (whole := self._whole(lines)) is not None:
            block.rows = whole
            self._line += len(lines)
            self.read += len(lines)
            return block
        rows: list[Row] = []
        self._last.clear()
        for line in lines:
            self._line += 1
            if line.strip(b"\r"):
                self.read += 1
                self._take_one(line.removesuffix(b"\r"), rows, block.rejections)
        block.rows = _as_copy_text(rows)
        return block

    def _take_one(self, line: bytes, rows: list[Row], rejections: list[Rejection]) -> None:
        position: list[str] = []
        try:
            rows.append(self._row(line, position))
        except _Refusal as wrong:
            self.unreadable += not position
            if self._kind == imports.SNAPSHOT and position and position[1] in self._scope:
                rows.append((str(self._line), *position, NULL))
            kept = line[: 4 * KEPT_CHARACTERS].decode("utf-8", "replace")
            record = _NOT_PRINTED.sub(" ", kept)[:KEPT_CHARACTERS]
            rejections.append(Rejection(self._line, wrong.reason, wrong.detail, record))

    # -- a block at once ----------------------------------------------------------------------------------

    def _whole(self, lines: Sequence[bytes]) -> str | None:
        """The rows of every line when all are plainly right, column by column; None: look at each.

        Files have a million records, and nearly always all of them are right.
        """
        commas = len(self._names) - 1
        if set(map(methodcaller("count", b","), lines)) != {commas}:
            return None
        joined = b",".join(lines)
        if b'"' in joined:
            return None
        if b"\r" in joined:
            if not all(line.endswith(b"\r") for line in lines):
                return None
            joined = b",".join([line[:-1] for line in lines])
        try:
            fields = joined.decode().split(",")
        except UnicodeDecodeError:
            return None
        columns = [fields[i :: commas + 1] for i in range(commas + 1)]
        skus, points, quantities = (columns[self._names.index(name)] for name in _SNAPSHOT_COLUMNS)
        if not (set(points) <= self._scope and self._are_right(skus, quantities)):
            return None
        self._follow_order(skus, points)
        numbers = map(str, range(self._line + 1, self._line + 1 + len(lines)))
        return _as_copy_text(zip(numbers, skus, points, quantities, strict=True))

    def _follow_order(self, skus: Sequence[str], points: Sequence[str]) -> None:
        for by_sku, last in list(self._last.items()):
            pairs = list(zip(skus, points, strict=True) if by_sku else zip(points, skus, strict=True))
            if last < pairs[0] and all(map(lt, pairs, pairs[1:])):
                self._last[by_sku] = pairs[-1]
            else:
                del self._last[by_sku]

    def _are_right(self, skus: Sequence[str], quantities: Sequence[str]) -> bool:
        """Remembers what the block before had: neighbours are alike."""
        known_skus, known_quantities = self._checked
        skus_here, quantities_here = set(skus), set(quantities)
        right = all(map(is_sku, skus_here - known_skus)) and all(
            _WHOLE.fullmatch(one) and int(one) <= MAX_QUANTITY for one in quantities_here - known_quantities
        )
        if right:
            self._checked = skus_here, quantities_here
        return right

    # -- a record -----------------------------------------------------------------------------------------

    def _row(self, line: bytes, position: list[str]) -> Row:
        """`position` gets the SKU and the point as soon as they are known."""
        if len(line) > MAX_LINE_BYTES:
            raise _Refusal("LINE_TOO_LONG", f"longer than {MAX_LINE_BYTES} bytes")
        try:
            found = self._fields(line.decode())
        except UnicodeDecodeError:
            raise _Refusal("NOT_UTF8", "not text in UTF-8") from None
        sku, point_id = _text(found, "sku"), _text(found, "point_id")
        if not is_sku(sku):
            raise _Refusal("INVALID_SKU", "sku: 1 to 64 letters, digits, dots, dashes, underscores or slashes")
        if not is_name(point_id):
            raise _Refusal("INVALID_POINT_ID", "point_id: 1 to 64 letters, digits, dots, dashes or underscores")
        position += sku, point_id
        if point_id not in self._known:
            raise _Refusal("UNKNOWN_POINT", f"point_id: there is no point {point_id}")
        if point_id not in self._scope:
            raise _Refusal("OUT_OF_SCOPE", f"point_id: {point_id} is not in the scope of the file")
        if self._kind == imports.SNAPSHOT:
            quantity = _number(found, "quantity", _WHOLE, 0, MAX_QUANTITY, "INVALID_QUANTITY")
            return str(self._line), sku, point_id, str(quantity)
        delta = _number(found, "delta", _SIGNED, -MAX_QUANTITY, MAX_QUANTITY, "INVALID_DELTA")
        return str(self._line), sku, point_id, str(delta), *self._order(found), _cause(found)

    def _order(self, found: dict[str, Any]) -> tuple[str, str]:
        sequence, effective_at = found.get("sequence", ""), found.get("effective_at", "")
        if sequence in ("", None) and effective_at in ("", None):
            raise _Refusal("MISSING_ORDER", "sequence or effective_at is needed")
        return (
            NULL
            if sequence in ("", None)
            else str(_number(found, "sequence", _SEQUENCE, 0, 10**18, "INVALID_SEQUENCE")),
            NULL if effective_at in ("", None) else self._instant(effective_at),
        )

    def _instant(self, value: Any) -> str:
        try:
            found = datetime.fromisoformat(value) if isinstance(value, str) and _DATED.match(value) else None
        except ValueError:
            found = None
        if found is None or found.tzinfo is None:
            raise _Refusal("INVALID_EFFECTIVE_AT", "effective_at: not an instant of ISO 8601 with an offset")
        if not _EARLIEST <= found <= self._until:
            raise _Refusal("INVALID_EFFECTIVE_AT", "effective_at: before 1970, or in the future")
        return found.astimezone(UTC).isoformat()

    # -- formats ------------------------------------------------------------------------------------------

    def _read_names(self, line: bytes) -> tuple[str, ...]:
        try:
            names = tuple(next(csv.reader([line.decode()], strict=True)))
        except UnicodeDecodeError:
            raise FileRefused("NOT_UTF8", "the row of column names is not text in UTF-8") from None
        except csv.Error:
            raise FileRefused("MISSING_COLUMN", "the first line is no row of column names") from None
        needed, allowed = self._columns()
        for name in needed:
            if name not in names:
                raise FileRefused("MISSING_COLUMN", f"the column {name} is missing")
        for name in names:
            if name not in allowed:
                raise FileRefused(
                    "UNKNOWN_COLUMN", f"the column {_NOT_PRINTED.sub(' ', name)[:64]!r} is not known"
                )
            if names.count(name) > 1:
                raise FileRefused("DUPLICATE_COLUMN", f"the column {name} stands twice")
        if self._kind != imports.SNAPSHOT and not {"sequence", "effective_at"} & set(names):
            raise FileRefused("MISSING_COLUMN", "the column sequence is missing, and so is effective_at")
        return names

    def _columns(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Those that are needed, and those that there may be."""
        if self._kind == imports.SNAPSHOT:
            return _SNAPSHOT_COLUMNS, _SNAPSHOT_COLUMNS
        return _DELTA_COLUMNS, (*_DELTA_COLUMNS, *_DELTA_MAY_HAVE)

    def _of_csv(self, line: str) -> dict[str, Any]:
        try:
            fields = next(csv.reader([line], strict=True))
        except (csv.Error, StopIteration):
            raise _Refusal("MALFORMED_RECORD", "a quote or a line break where CSV has none") from None
        if len(fields) != len(self._names):
            raise _Refusal("WRONG_FIELD_COUNT", f"{len(fields)} fields where there are {len(self._names)} columns")
        return dict(zip(self._names, fields, strict=True))

    def _of_json(self, line: str) -> dict[str, Any]:
        try:
            found = json.loads(line)
        except (ValueError, RecursionError):
            raise _Refusal("MALFORMED_RECORD", "not a JSON object") from None
        if not isinstance(found, dict):
            raise _Refusal("MALFORMED_RECORD", "not a JSON object")
        needed, allowed = self._columns()
        for name in needed:
            if name not in found:
                raise _Refusal("MISSING_FIELD", f"{name} is missing")
        for name in found:
            if name not in allowed:
                raise _Refusal("UNKNOWN_FIELD", f"{_NOT_PRINTED.sub(' ', name)[:64]!r} is not known")
        return found


def _text(found: dict[str, Any], name: str) -> str:
    value = found[name]
    return value if isinstance(value, str) else ""


def _number(found: dict[str, Any], name: str, shape: re.Pattern[str], least: int, most: int, reason: str) -> int:
    """A whole number: digits, or a number where JSON has one (true is none)."""
    value = found[name]
    if isinstance(value, str) and shape.fullmatch(value):
        value = int(value)
    if type(value) is not int or not least <= value <= most:
        raise _Refusal(reason, f"{name}: not a whole number from {least} to {most}")
    return value


def _cause(found: dict[str, Any]) -> str:
    cause = found.get("cause") or ""
    if cause and not (isinstance(cause, str) and imports.is_cause(cause)):
        raise _Refusal("INVALID_CAUSE", "cause: lower case words with underscores are needed, and not snapshot")
    return str(cause)


def _as_copy_text(rows: Iterable[Row]) -> str:
    text = "\n".join(map("\t".join, rows))
    return f"{text}\n" if text else ""
