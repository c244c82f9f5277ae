"""Rows of CSV files as lines of past orders and as given stock, one after the other.

Owns what the columns mean and why a row is no part of an order. Nothing is repaired and nothing guessed.
"""

import csv
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TextIO
from zoneinfo import ZoneInfo

from services.promise.domain.geography import normalise_postcode
from services.promise.domain.network import Destination
from services.promise.domain.simulations import OrdersFile, is_country

STOCK_COLUMNS = ("sku", "point_id", "units")
MAX_UNITS = 1_000_000_000
# Of characters: a row is held whole.
MAX_ROW = 1024 * 1024

_WHOLE = re.compile(r"[+-]?[0-9]{1,12}(\.0+)?")
_SKU = re.compile(r"[A-Za-z0-9._/-]{1,64}")
_TEXT = re.compile(r"[^\x00-\x1f\x7f\ud800-\udfff]{1,200}")
_POSTCODE = re.compile(r"[A-Za-z0-9 -]{1,16}")


class FileRefused(Exception):
    """The file cannot be read at all; `reason` for programs, `detail` for people."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail


@dataclass(frozen=True, slots=True)
class OrderLine:
    """A row understood. `placed_at` is None when the file has no dates."""

    order_id: str
    placed_at: datetime | None
    destination: Destination
    sku: str
    quantity: int


@dataclass(frozen=True, slots=True)
class GivenStock:
    """Free units at a position."""

    sku: str
    point_id: str
    units: int


def rows(text: TextIO, delimiter: str = ",") -> Iterator[list[str]]:
    """The rows of a file, the names of its columns first; blank lines are no rows. Raises FileRefused.

    A row that is no CSV is one empty cell.
    """
    reader = csv.reader(_lines(text), delimiter=delimiter)
    while True:
        try:
            cells = next(reader, None)
        except csv.Error:
            cells = [""]
        if cells is None:
            return
        if cells:
            yield cells


def _lines(text: TextIO) -> Iterator[str]:
    number = 0
    while line := text.readline(MAX_ROW):
        number += 1
        if len(line) == MAX_ROW and not line.endswith("\n"):
            raise FileRefused("LINE_TOO_LONG", f"line {number} is longer than {MAX_ROW} characters")
        yield line


class LineReader:
    """Understands the rows of a file of orders."""

    def __init__(
        self, terms: OrdersFile, header: Sequence[str], from_at: datetime | None, until_at: datetime | None
    ) -> None:
        """Raises FileRefused for a column that the file lacks or has twice."""
        named = {key: getattr(terms.columns, key) for key in terms.columns.__slots__}
        self._places = places(header, {key: name for key, name in named.items() if name})
        self._width = len(header)
        self._terms = terms
        self._zone = ZoneInfo(terms.time_zone)
        self._destinations = {one.name: one.destination for one in terms.destinations}
        self._not_articles = {code.strip().upper() for code in terms.not_articles}
        self._from_at, self._until_at = from_at, until_at

    def read(self, cells: Sequence[str]) -> OrderLine | str:
        """The line, or the reason that the row is none."""
        if len(cells) != self._width:
            return "BAD_ROW"
        order_id = self._cell(cells, "order")
        if not order_id:
            return "NO_ORDER_NUMBER"
        if not _TEXT.fullmatch(order_id):
            return "BAD_ORDER_NUMBER"
        sku = self._cell(cells, "sku")
        if sku.upper() in self._not_articles:
            return "NOT_AN_ARTICLE"
        quantity = self._cell(cells, "quantity")
        if not _WHOLE.fullmatch(quantity):
            return "BAD_QUANTITY"
        units = int(quantity.partition(".")[0])
        if units <= 0:
            return "NOT_POSITIVE"
        if units > MAX_UNITS:
            return "BAD_QUANTITY"
        if not _SKU.fullmatch(sku):
            return "BAD_SKU"
        placed_at = self._instant(self._cell(cells, "placed_at")) if "placed_at" in self._places else None
        if isinstance(placed_at, str):
            return placed_at
        destination = self._destination(self._cell(cells, "country"), self._cell(cells, "postcode"))
        return OrderLine(order_id, placed_at, destination, sku, units) if destination else "NO_DESTINATION"

    def _cell(self, cells: Sequence[str], key: str) -> str:
        place = self._places.get(key)
        return "" if place is None else cells[place].strip()

    def _instant(self, text: str) -> datetime | str:
        try:
            pattern = self._terms.date_format
            found = datetime.strptime(text, pattern) if pattern else datetime.fromisoformat(text)
            found = (found if found.tzinfo else found.replace(tzinfo=self._zone)).astimezone(UTC)
        except (ValueError, OverflowError, re.error):
            return "BAD_DATE"
        if not 1900 <= found.year <= 2200:
            return "BAD_DATE"
        if (self._from_at and found < self._from_at) or (self._until_at and found >= self._until_at):
            return "OUT_OF_TIME"
        return found

    def _destination(self, country: str, postcode: str) -> Destination | None:
        if is_country(country) and _POSTCODE.fullmatch(postcode) and normalise_postcode(postcode):
            return Destination(country, postcode)
        return self._destinations.get(country) or self._destinations.get("")


class StockReader:
    """Understands the rows of a file of stock."""

    def __init__(self, header: Sequence[str], point_ids: frozenset[str]) -> None:
        """Raises FileRefused for a column that the file lacks or has twice."""
        self._places = places(header, {name: name for name in STOCK_COLUMNS})
        self._width = len(header)
        self._point_ids = point_ids

    def read(self, cells: Sequence[str]) -> GivenStock | str:
        """The position, or the reason that the row is none."""
        if len(cells) != self._width:
            return "STOCK_BAD_ROW"
        sku, point_id, units = (cells[self._places[name]].strip() for name in STOCK_COLUMNS)
        if not _SKU.fullmatch(sku):
            return "STOCK_BAD_SKU"
        if point_id not in self._point_ids:
            return "STOCK_UNKNOWN_POINT"
        if not _WHOLE.fullmatch(units) or int(units.partition(".")[0]) > MAX_UNITS:
            return "STOCK_BAD_UNITS"
        # A system may tell what it owes; of that nothing can be shipped.
        return GivenStock(sku, point_id, max(0, int(units.partition(".")[0])))


def places(header: Sequence[str], columns: dict[str, str]) -> dict[str, int]:
    """Where each column stands. Raises FileRefused: MISSING_COLUMN, DUPLICATE_COLUMN."""
    names = [name.strip() for name in header]
    found: dict[str, int] = {}
    for key, name in columns.items():
        if names.count(name) != 1:
            # The file is somebody's: only names of a likely length are told.
            has = ", ".join(one[:40] for one in names[:40])
            reason, wrong = ("DUPLICATE_COLUMN", "more than one") if name in names else ("MISSING_COLUMN", "no")
            raise FileRefused(reason, f"the file has {wrong} column {name!r} for {key}; it has: {has}")
        found[key] = names.index(name)
    return found
