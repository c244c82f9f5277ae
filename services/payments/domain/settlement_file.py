"""A provider's settlement file: CSV, read portion by portion. One wrong line refuses the whole file.

The format is in the service's README. Amounts are written in major units, so that no file depends on what a
provider takes for a minor unit; they are read exactly, never rounded.
"""

import codecs
import csv
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from kit.values.money import exponent, is_currency

REQUIRED = ("transaction_id", "kind", "payment_reference", "amount", "fee", "currency", "occurred_at")
OPTIONAL = ("reference", "operation_id")
_LONGEST_LINE = 10_000
_LONGEST_TEXT = 200
_LARGEST_MINOR = 10**15
_AMOUNT = re.compile(r"(-?)([0-9]{1,15})(?:\.([0-9]{1,6}))?")
_TEXT = re.compile(r"[^\x00-\x1f\x7f]*")


class LineKind(StrEnum):
    """What a line says. An adjustment is whatever else moved money, a fee nothing but that: neither is ours."""

    CAPTURE = "capture"
    REFUND = "refund"
    REFUND_REVERSAL = "refund_reversal"
    CHARGEBACK = "chargeback"
    CHARGEBACK_REVERSAL = "chargeback_reversal"
    ADJUSTMENT = "adjustment"
    FEE = "fee"


class FileRefused(Exception):
    """The file cannot be taken; nothing of it is. `reason` is UPPER_SNAKE, `detail` names the line and column."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail


@dataclass(frozen=True, slots=True)
class Line:
    """One transaction of the provider. `number` is its line, the row of names being 1."""

    number: int
    transaction_id: str
    kind: LineKind
    # Of the payment at the provider, and of what was done to it (a refund's own id); both may be empty.
    payment_reference: str
    reference: str
    # Ours, as the provider gives it back; may be empty.
    operation_id: str
    amount_minor: int
    fee_minor: int
    currency: str
    occurred_at: datetime


class SettlementReader:
    """Turns the portions of a file into lines; `close` after the last one."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8-sig")()
        self._rest = ""
        self._number = 0
        self._columns: Sequence[str] = ()
        self._seen: set[str] = set()

    def feed(self, portion: bytes, *, last: bool = False) -> list[Line]:
        """The lines that this portion completes. Raises FileRefused."""
        try:
            text = self._rest + self._decoder.decode(portion, last)
        except UnicodeDecodeError:
            raise FileRefused("NOT_UTF8", f"after line {self._number}: not UTF-8") from None
        *whole, self._rest = text.split("\n")
        if len(self._rest) > _LONGEST_LINE:
            raise FileRefused(
                "LINE_TOO_LONG", f"line {self._number + len(whole) + 1}: over {_LONGEST_LINE} characters"
            )
        return [line for one in whole if (line := self._take(one.removesuffix("\r"))) is not None]

    def close(self) -> list[Line]:
        """The last line, when no line break ends it. Raises FileRefused, also when there was no row of names."""
        lines = self.feed(b"\n", last=True)
        if not self._columns:
            raise FileRefused("EMPTY_FILE", "there is no row of column names")
        return lines

    def _take(self, text: str) -> Line | None:
        self._number += 1
        if not text.strip():
            return None
        try:
            (fields,) = csv.reader([text], strict=True)
        except (csv.Error, ValueError):
            raise self._wrong("MALFORMED_LINE", "not a line of CSV") from None
        if not self._columns:
            self._columns = self._names(fields)
            return None
        if len(fields) != len(self._columns):
            raise self._wrong("WRONG_FIELD_COUNT", f"{len(fields)} fields under {len(self._columns)} names")
        line = self._line(dict(zip(self._columns, fields, strict=True)))
        if line.transaction_id in self._seen:
            raise self._wrong("DUPLICATE_TRANSACTION", f"transaction_id: {line.transaction_id} stands twice")
        self._seen.add(line.transaction_id)
        return line

    def _names(self, fields: Sequence[str]) -> Sequence[str]:
        names = [field.strip().lower() for field in fields]
        for name in REQUIRED:
            if name not in names:
                raise self._wrong("MISSING_COLUMN", f"the column {name} is missing")
        for name in (*REQUIRED, *OPTIONAL):
            if names.count(name) > 1:
                raise self._wrong("DUPLICATE_COLUMN", f"the column {name} stands twice")
        return names

    def _line(self, fields: dict[str, str]) -> Line:
        def text(name: str, *, needed: bool = False) -> str:
            value = fields.get(name, "").strip()
            if len(value) > _LONGEST_TEXT or not _TEXT.fullmatch(value) or (needed and not value):
                raise self._wrong("INVALID_TEXT", f"{name}: 1 to {_LONGEST_TEXT} characters, no control character")
            return value

        if (kind := text("kind")) not in list(LineKind):
            raise self._wrong("INVALID_KIND", f"kind: one of {', '.join(LineKind)}")
        currency = text("currency").upper()
        if not is_currency(currency):
            raise self._wrong("INVALID_CURRENCY", "currency: an ISO 4217 code")
        amount_minor = self._minor("amount", fields, currency)
        if (amount_minor == 0) is not (kind == LineKind.FEE):
            raise self._wrong("INVALID_AMOUNT", "amount: 0 on a line that is only a fee, and on no other")
        if amount_minor < 0 and kind != LineKind.ADJUSTMENT:
            raise self._wrong("INVALID_AMOUNT", "amount: below 0 only for an adjustment")
        return Line(
            number=self._number,
            transaction_id=text("transaction_id", needed=True),
            kind=LineKind(kind),
            payment_reference=text("payment_reference"),
            reference=text("reference"),
            operation_id=text("operation_id"),
            amount_minor=amount_minor,
            fee_minor=self._minor("fee", fields, currency),
            currency=currency,
            occurred_at=self._instant(text("occurred_at")),
        )

    def _minor(self, name: str, fields: dict[str, str], currency: str) -> int:
        found = _AMOUNT.fullmatch(fields[name].strip())
        places = exponent(currency)
        if found is None:
            raise self._wrong("INVALID_AMOUNT", f"{name}: decimals with a point, such as 12.50")
        sign, whole, part = found[1], found[2], found[3] or ""
        if part[places:].strip("0"):
            raise self._wrong("INVALID_AMOUNT", f"{name}: {currency} has {places} decimal places")
        minor = int(whole + part[:places].ljust(places, "0"))
        if minor > _LARGEST_MINOR:
            raise self._wrong("INVALID_AMOUNT", f"{name}: at most {_LARGEST_MINOR} minor units")
        return -minor if sign else minor

    def _instant(self, text: str) -> datetime:
        try:
            instant = datetime.fromisoformat(text)
        except ValueError:
            instant = None
        if instant is None or instant.tzinfo is None:
            raise self._wrong("INVALID_INSTANT", "occurred_at: ISO 8601 with an offset")
        return instant

    def _wrong(self, reason: str, detail: str) -> FileRefused:
        return FileRefused(reason, f"line {self._number}: {detail}")
