"""Orders out of the rows of a CSV file, one after the other, so that memory does not grow with the file.

Owns what the columns mean and what makes a row, and with it its order, unfit to be sent. Nothing is repaired and
nothing guessed: amounts are exact or the order is rejected. Sends nothing.
"""

import csv
import gzip
import re
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from hashlib import blake2b
from io import TextIOWrapper
from pathlib import Path
from typing import IO
from zoneinfo import ZoneInfo

from kit.values.money import exponent

# Keys of --map with the column each has in the UCI data set "Online Retail", once its names are in lower case.
DEFAULT_COLUMNS = {
    "order": "invoice_no",
    "sku": "stock_code",
    "quantity": "quantity",
    "price": "unit_price",
    "date": "invoice_date",
    "title": "description",
    "customer": "customer_id",
    "country": "country",
}
REQUIRED = ("order", "sku", "quantity", "price")
# Codes of the same data set that stand for no article: postage and carriage, then fees, samples and corrections.
DELIVERY_CODES = ("POST", "DOT", "C2")
CHARGE_CODES = ("M", "S", "D", "B", "AMAZONFEE", "BANK CHARGES", "CRUK")
# An order of more rows is rejected, so that a wrongly mapped column cannot make one order of a whole file.
MAX_ROWS = 5_000

_SKU = re.compile(r"[A-Za-z0-9._/-]{1,64}")
_TEXT = re.compile(r"[^\x00-\x1f\x7f]{0,200}")
_WHOLE = re.compile(r"[+-]?[0-9]{1,12}(\.0+)?")
# With the digits of a quantity it fits the 28 digits that Decimal multiplies exactly.
_PRICE = re.compile(r"[0-9]{1,9}(\.[0-9]{1,6})?")
_UNDECODED = re.compile(r"[\ud800-\udfff]")


class BadFile(Exception):
    """The file cannot be replayed at all; says why."""


@dataclass(frozen=True, slots=True)
class Terms:
    """How cells are to be understood."""

    currency: str
    zone: ZoneInfo = field(default_factory=lambda: ZoneInfo("UTC"))
    # For strptime; empty means ISO 8601.
    date_format: str = ""
    delivery_codes: frozenset[str] = frozenset(DELIVERY_CODES)
    charge_codes: frozenset[str] = frozenset(CHARGE_CODES)
    # Countries as the file names them that have a destination; None when one destination serves all.
    countries: frozenset[str] | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """A row as it stands in the file. `number` is the line of the file that it ends on; the header is line 1."""

    number: int
    cells: Sequence[str]


@dataclass(frozen=True, slots=True)
class Group:
    """Rows that follow each other and have one order number; `is_rest` when it was too long to be kept whole."""

    number: str
    rows: Sequence[Row]
    is_rest: bool = False


@dataclass(frozen=True, slots=True)
class Fault:
    """Why a row cannot be sent: `reason` for programs, `detail` for people."""

    reason: str
    detail: str


@dataclass(frozen=True, slots=True)
class SourceLine:
    """One row understood: units of an article, or a delivery fee. The amount is for the whole quantity."""

    row: int
    sku: str
    title: str
    quantity: int
    amount_minor: int
    is_delivery: bool
    taken_at: datetime | None
    customer: str
    country: str


@dataclass(frozen=True, slots=True)
class SourceOrder:
    """An order of the file: either fit to be sent, or with the fault of each of its rows."""

    number: str
    rows: Sequence[Row]
    lines: Sequence[SourceLine] = ()
    faults: Mapping[int, Fault] = field(default_factory=dict)

    @property
    def articles(self) -> list[SourceLine]:
        """The rows that become order lines, in the order of the file; an article twice is two lines."""
        return [line for line in self.lines if not line.is_delivery]

    @property
    def delivery_minor(self) -> int:
        """The delivery fee."""
        return sum(line.amount_minor for line in self.lines if line.is_delivery)

    @property
    def taken_at(self) -> datetime | None:
        """When the channel took it: the earliest of its rows, some of which may be minutes later."""
        return min((line.taken_at for line in self.lines if line.taken_at), default=None)


@dataclass(frozen=True, slots=True)
class Columns:
    """Where each key of --map stands in a row; keys mapped to no column are absent."""

    header: tuple[str, ...]
    places: Mapping[str, int]

    def cell(self, row: Row, key: str) -> str:
        """Its text without surrounding blanks; empty when the row or the file has no such cell."""
        place = self.places.get(key)
        return row.cells[place].strip() if place is not None and place < len(row.cells) else ""


def columns(header: Sequence[str], mapped: Mapping[str, str]) -> Columns:
    """Raises BadFile, naming the key and the column, for a column that the file lacks."""
    names = [name.strip() for name in header]
    places: dict[str, int] = {}
    for key, name in {**DEFAULT_COLUMNS, **mapped}.items():
        if not name and key not in REQUIRED:
            continue
        if names.count(name) != 1:
            wrong = "no column" if name not in names else "more than one column"
            leave_out = "" if key in REQUIRED else f", or leave it out with --map {key}="
            raise BadFile(
                f"the file has {wrong} {name!r} for {key}; it has {', '.join(names)}. "
                f"Name another with --map {key}=COLUMN{leave_out}"
            )
        places[key] = names.index(name)
    return Columns(tuple(names), places)


# -- the file ---------------------------------------------------------------------------------------------


class OrderFile:
    """An open file of order rows, and how far it was read."""

    def __init__(self, raw: IO[bytes], text: TextIOWrapper, delimiter: str) -> None:
        self._raw = raw
        self._reader = csv.reader(text, delimiter=delimiter)

    @property
    def bytes_read(self) -> int:
        """Of the file as it lies on the disk, compressed or not."""
        return self._raw.tell()

    def header(self) -> list[str]:
        """The first row. Raises BadFile for a file without one."""
        header = self._next()
        if not header:
            raise BadFile("the file does not begin with the names of its columns")
        return header

    def rows(self) -> Iterator[Row]:
        """The rows after the header; blank lines are no rows. Raises BadFile when the file breaks off."""
        while (cells := self._next()) is not None:
            if cells:
                yield Row(self._reader.line_num, cells)

    def _next(self) -> list[str] | None:
        try:
            return next(self._reader, None)
        except csv.Error:
            return [""]  # a row that cannot be read is one all the same
        except (EOFError, OSError, UnicodeError, zlib.error) as error:
            raise BadFile(f"the file cannot be read beyond line {self._reader.line_num}: {error}") from None


@contextmanager
def opened(path: Path, encoding: str, delimiter: str) -> Iterator[OrderFile]:
    """The file, unpacked when its name ends in .gz. Bytes that are no text in this encoding stay what they are."""
    if encoding.lower().replace("_", "-") in ("utf-8", "utf8"):
        encoding = "utf-8-sig"  # the same, and a mark at the beginning is no part of the first name
    with path.open("rb") as raw:
        unpacked = gzip.GzipFile(fileobj=raw) if path.suffix == ".gz" else raw
        with TextIOWrapper(unpacked, encoding, errors="surrogateescape", newline="") as text:
            yield OrderFile(raw, text, delimiter)


def grouped(rows: Iterable[Row], where: Columns) -> Iterator[Group]:
    """Rows with one number that follow each other. A row without a number goes with the order it follows."""
    number, held, is_rest = "", list[Row](), False
    for row in rows:
        own = where.cell(row, "order")
        if held and own and own != number:
            yield Group(number, held, is_rest)
            held, is_rest = [], False
        elif len(held) > MAX_ROWS:
            yield Group(number, held, is_rest)
            held, is_rest = [], True
        number = own or number
        held.append(row)
    if held:
        yield Group(number, held, is_rest)


class Returning:
    """Finds order numbers that come back after other orders; keeps 64 bits of each number's hash, and no order."""

    def __init__(self) -> None:
        self._met: set[int] = set()
        self.numbers: set[str] = set()

    def meet(self, group: Group) -> None:
        """The next order of the file."""
        if group.is_rest:
            return
        digest = int.from_bytes(blake2b(group.number.encode("utf-8", "replace"), digest_size=8).digest())
        if digest in self._met:
            self.numbers.add(group.number)
        self._met.add(digest)


# -- an order ---------------------------------------------------------------------------------------------


def read(group: Group, where: Columns, terms: Terms, returning: frozenset[str] | set[str]) -> SourceOrder:
    """The order, or what is wrong with it: with a row that cannot be sent it is not the order that was placed."""
    if whole := _fault_of_whole(group, returning):
        return SourceOrder(group.number, group.rows, faults={row.number: whole for row in group.rows})
    lines, faults = list[SourceLine](), dict[int, Fault]()
    for row in group.rows:
        found = _read_row(row, where, terms)
        if isinstance(found, Fault):
            faults[row.number] = found
        else:
            lines.append(found)
    if faults:
        first, fault = next(iter(faults.items()))
        same = Fault("ORDER_REJECTED", f"line {first} of the order: {fault.reason}")
        faults |= {line.row: same for line in lines}
    elif against_all := _fault_of_lines(lines, terms):
        faults = {line.row: against_all for line in lines}
    return SourceOrder(group.number, group.rows, lines, faults)


def _fault_of_whole(group: Group, returning: frozenset[str] | set[str]) -> Fault | None:
    if group.number in returning:
        return Fault("ORDER_NOT_CONTIGUOUS", "the order number comes back after other orders")
    if len(group.rows) > MAX_ROWS or group.is_rest:
        return Fault("ORDER_TOO_LONG", f"the order has more than {MAX_ROWS} rows")
    return None


def _fault_of_lines(lines: Sequence[SourceLine], terms: Terms) -> Fault | None:
    for name in ("customer", "country"):
        if len({getattr(line, name) for line in lines}) > 1:
            return Fault("ROWS_DISAGREE", f"rows of the order have different values for {name}")
    if all(line.is_delivery for line in lines):
        return Fault("NOT_AN_ARTICLE", "the order has delivery fees and no article")
    if terms.countries is not None and lines[0].country not in terms.countries:
        return Fault("NO_DESTINATION", "no --ship-to is given for the country of the order")
    return None


def _read_row(row: Row, where: Columns, terms: Terms) -> SourceLine | Fault:
    if unfit := _unfit_cells(row, where):
        return unfit
    code = where.cell(row, "sku")
    is_delivery = code.upper() in terms.delivery_codes
    quantity = _quantity(where.cell(row, "quantity"))
    if isinstance(quantity, Fault):
        return quantity
    if code.upper() in terms.charge_codes:
        return Fault("NOT_AN_ARTICLE", f"{code} is a charge, and an order has no place for it")
    if not _SKU.fullmatch(code):
        return Fault("BAD_SKU", "an SKU is 1 to 64 letters, digits and . _ / -")
    amount = _amount(quantity, where.cell(row, "price"), terms.currency)
    if isinstance(amount, Fault):
        return amount
    taken_at = _instant(where.cell(row, "date"), terms) if "date" in where.places else None
    if isinstance(taken_at, Fault):
        return taken_at
    title, customer, country = (where.cell(row, key) for key in ("title", "customer", "country"))
    return SourceLine(row.number, code, title, quantity, amount, is_delivery, taken_at, customer, country)


def _unfit_cells(row: Row, where: Columns) -> Fault | None:
    if any(_UNDECODED.search(cell) for cell in row.cells):
        return Fault("UNREADABLE_ROW", "not text in the encoding of the file, or a cell without an end")
    if len(row.cells) != len(where.header):
        return Fault("UNREADABLE_ROW", f"{len(row.cells)} cells where the header has {len(where.header)}")
    if not where.cell(row, "order"):
        return Fault("ORDER_NUMBER_MISSING", "the row does not say which order it belongs to")
    for key in ("order", "title", "customer", "country"):
        if not _TEXT.fullmatch(where.cell(row, key)):
            return Fault("BAD_TEXT", f"{key} is one line of at most 200 characters")
    return None


def _quantity(text: str) -> int | Fault:
    if not _WHOLE.fullmatch(text):
        return Fault("BAD_QUANTITY", "a quantity is a whole number")
    quantity = int(Decimal(text))
    if quantity < 0:
        return Fault("RETURN_NOT_SUPPORTED", "a negative quantity is a return, not an order")
    return quantity or Fault("BAD_QUANTITY", "a quantity of 0 orders nothing")


def _amount(quantity: int, text: str, currency: str) -> int | Fault:
    """Minor units of the whole quantity; 0 is a free line."""
    if not _PRICE.fullmatch(text):
        return Fault("BAD_PRICE", "a price is a number of at least 0 with a decimal point")
    amount = quantity * Decimal(text).scaleb(exponent(currency))
    if amount != amount.to_integral_value():
        return Fault("BAD_PRICE", f"quantity x price is no whole number of minor units of {currency}")
    return int(amount)


def _instant(text: str, terms: Terms) -> datetime | Fault:
    try:
        found = datetime.strptime(text, terms.date_format) if terms.date_format else datetime.fromisoformat(text)
        found = found if found.tzinfo else found.replace(tzinfo=terms.zone)
        return found.astimezone(UTC)
    except (ValueError, OverflowError):
        return Fault("BAD_DATE", f"not a date like {terms.date_format or '2010-12-01T08:26:00'}")
