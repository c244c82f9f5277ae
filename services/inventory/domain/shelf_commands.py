"""What a shop asks to be recorded of its shelf, as values, and what they may say whatever the state of stock.

An instant of None means "now": `at` gives the one that counts.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from services.inventory.domain import validation
from services.inventory.domain.receiving import ReceiptLine
from services.inventory.domain.validation import MAX_LINES, MAX_QUANTITY, Problem


@dataclass(frozen=True, slots=True)
class RecordTillSale:
    """Units of a receipt's line that were sold."""

    request_id: str
    sku: str
    point_id: str
    quantity: int
    sold_at: datetime | None
    actor: str
    receipt: str
    as_of: datetime


@dataclass(frozen=True, slots=True)
class RecordTillReturn:
    """Units of a receipt's line that were brought back."""

    request_id: str
    sku: str
    point_id: str
    quantity: int
    returned_at: datetime | None
    actor: str
    receipt: str
    as_of: datetime


@dataclass(frozen=True, slots=True)
class CloseBusinessDay:
    """A point's date to close; None for the date that it is there."""

    request_id: str
    point_id: str
    business_date: date | None
    actor: str
    as_of: datetime


@dataclass(frozen=True, slots=True)
class RecordReceipt:
    """Goods that arrived."""

    request_id: str
    point_id: str
    reference: str
    lines: tuple[ReceiptLine, ...]
    actor: str
    received_at: datetime | None
    as_of: datetime


@dataclass(frozen=True, slots=True)
class OpenCount:
    """What to count."""

    request_id: str
    point_id: str
    skus: tuple[str, ...]
    categories: tuple[str, ...]
    actor: str
    as_of: datetime


@dataclass(frozen=True, slots=True)
class CountedLine:
    """What was counted of one article."""

    sku: str
    counted: int
    damaged: int
    counted_at: datetime | None


@dataclass(frozen=True, slots=True)
class RecordCount:
    """What was counted."""

    request_id: str
    count_id: str
    lines: tuple[CountedLine, ...]
    actor: str
    as_of: datetime


@dataclass(frozen=True, slots=True)
class CloseCount:
    """Which count is done."""

    request_id: str
    count_id: str
    actor: str
    as_of: datetime


@dataclass(frozen=True, slots=True)
class CancelCount:
    """Which count is given up."""

    request_id: str
    count_id: str
    actor: str
    as_of: datetime


ShelfCommand = (
    RecordTillSale
    | RecordTillReturn
    | CloseBusinessDay
    | RecordReceipt
    | OpenCount
    | RecordCount
    | CloseCount
    | CancelCount
)


def at(told: datetime | None, as_of: datetime) -> datetime:
    """When it happened. A till whose clock is ahead tells the truth all the same, but nothing is in the future."""
    return min(told or as_of, as_of)


# -- checks -----------------------------------------------------------------------------------------------


def check_till(command: RecordTillSale | RecordTillReturn) -> Iterator[Problem]:
    """A line of a till's receipt."""
    yield from validation.sku("sku", command.sku)
    yield from validation.name("point_id", command.point_id)
    yield from validation.quantity("quantity", command.quantity)
    yield from validation.text("actor", command.actor, required=True)
    yield from validation.text("receipt", command.receipt)


def check_receipt(command: RecordReceipt) -> Iterator[Problem]:
    """Goods that arrived."""
    yield from validation.name("point_id", command.point_id)
    yield from validation.text("reference", command.reference, required=True)
    yield from validation.text("actor", command.actor, required=True)
    yield from _some("lines", command.lines)
    for i, line in enumerate(command.lines):
        yield from validation.sku(f"lines[{i}].sku", line.sku)
        yield from _figure(f"lines[{i}].expected", line.expected or 0)
        yield from _figure(f"lines[{i}].received", line.received)
        yield from _part(f"lines[{i}].damaged", line.damaged, line.received, "arrived")
        if line.received == 0 and not line.expected:
            yield Problem(f"lines[{i}].received", "nothing arrived, and nothing was expected")


def check_opening(command: OpenCount) -> Iterator[Problem]:
    """What to count."""
    yield from validation.name("point_id", command.point_id)
    if not command.skus and not command.categories:
        yield Problem("skus", "name articles or categories to count")
    yield from _at_most("skus", command.skus)
    yield from validation.skus(command.skus)
    yield from _at_most("categories", command.categories)
    for i, category in enumerate(command.categories):
        yield from validation.text(f"categories[{i}]", category, required=True)
    yield from validation.text("actor", command.actor, required=True)


def check_counted(command: RecordCount) -> Iterator[Problem]:
    """What was counted, but for whether it belongs to the count."""
    yield from validation.identifier("count_id", command.count_id)
    yield from validation.text("actor", command.actor, required=True)
    yield from _some("lines", command.lines)
    seen: set[str] = set()
    for i, line in enumerate(command.lines):
        yield from validation.sku(f"lines[{i}].sku", line.sku)
        if line.sku in seen:
            yield Problem(f"lines[{i}].sku", f"{line.sku} stands here twice")
        seen.add(line.sku)
        yield from _figure(f"lines[{i}].counted", line.counted)
        yield from _part(f"lines[{i}].damaged", line.damaged, line.counted, "were counted")


def check_counted_in(command: RecordCount, skus: Iterable[str], opened_at: datetime) -> Iterator[Problem]:
    """Only what the count is about, since it was opened."""
    known = frozenset(skus)
    for i, line in enumerate(command.lines):
        if line.sku not in known:
            yield Problem(f"lines[{i}].sku", f"{line.sku} is not in this count", "NOT_IN_COUNT")
        if line.counted_at is not None and not opened_at <= line.counted_at <= command.as_of:
            yield Problem(f"lines[{i}].counted_at", "not between the opening of the count and now")


def _some(field: str, values: Sequence[object]) -> Iterator[Problem]:
    if not 1 <= len(values) <= MAX_LINES:
        yield Problem(field, f"1 to {MAX_LINES} are needed")


def _at_most(field: str, values: Sequence[object]) -> Iterator[Problem]:
    if len(values) > MAX_LINES:
        yield Problem(field, f"at most {MAX_LINES}")


def _figure(field: str, value: int) -> Iterator[Problem]:
    if not 0 <= value <= MAX_QUANTITY:
        yield Problem(field, f"not between 0 and {MAX_QUANTITY}")


def _part(field: str, value: int, whole: int, what: str) -> Iterator[Problem]:
    if not 0 <= value <= max(0, whole):
        yield Problem(field, f"not between 0 and the {whole} that {what}")
