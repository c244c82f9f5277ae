"""What other systems say of an article at a point (SPEC STK-15, STO-5): assortment, plan, markdown date, sales
rate, location.

Each fact is kept by itself: a record that speaks of one leaves the others as they are, so that a system of prices
and a system of orders can both speak of a position without knowing of each other. Where nobody said a thing it is
not known, which is not "no".
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date, datetime
from enum import StrEnum
from typing import Any, NamedTuple

from services.inventory.domain import validation
from services.inventory.domain.ledger import Position
from services.inventory.domain.validation import MAX_QUANTITY, Problem

MAX_ROWS = 1_000
MAX_BASIS_POINTS = 10_000
MAX_DAILY_THOUSANDTHS = MAX_QUANTITY * 1_000
# As far as the gateway takes instants, too.
FIRST_DAY, LAST_DAY = date(1970, 1, 1), date(2200, 1, 1)
MAX_LOCATION_LENGTH = 64
MAX_WALK_ORDER = 1_000_000_000


class FactKind(StrEnum):
    """What is said of a position."""

    ASSORTMENT = "assortment"
    PLAN = "plan"
    MARKDOWN = "markdown"
    SALES_RATE = "sales_rate"
    LOCATION = "location"


# A measured rate is another one each day, for every position: its last value counts, not its history.
VERSIONED = frozenset(FactKind) - {FactKind.SALES_RATE}


@dataclass(frozen=True, slots=True)
class Assortment:
    """Whether the point is to carry the article."""

    in_assortment: bool


@dataclass(frozen=True, slots=True)
class Plan:
    """What the point is to be refilled to once fewer than `min_quantity` units are there."""

    is_replenished: bool
    min_quantity: int = 0
    target_quantity: int = 0
    next_date: date | None = None


@dataclass(frozen=True, slots=True)
class Markdown:
    """The first day of a lower price, in the zone of the point; by how much, if that is known."""

    from_date: date
    basis_points: int | None = None


@dataclass(frozen=True, slots=True)
class SalesRate:
    """Mean daily sales as their source worked them out. 0 is a rate."""

    daily_thousandths: int


@dataclass(frozen=True, slots=True)
class Location:
    """Where the article lies in the point, in the words of its people, and its turn on a walk through it."""

    location: str
    walk_order: int = 0


Content = Assortment | Plan | Markdown | SalesRate | Location


def plain(content: Content) -> dict[str, Any]:
    """By field, days in ISO 8601; what is not known is left out."""
    return {
        field: value.isoformat() if isinstance(value, date) else value
        for field, value in asdict(content).items()
        if value is not None
    }


class FactKey(NamedTuple):
    """Which fact. Sorted as it is, it is the order in which facts are locked."""

    sku: str
    point_id: str
    kind: FactKind

    @property
    def position(self) -> Position:
        return Position(self.sku, self.point_id)


@dataclass(frozen=True, slots=True)
class Stated:
    """Who said it last, and when. `actor` is a subject or a service name, never a person's name."""

    source: str
    source_sequence: int
    source_updated_at: datetime | None
    actor: str
    recorded_at: datetime

    @property
    def at(self) -> datetime:
        """When it was so: as the source dates it, and never later than it was heard: its clock may be ahead."""
        return min(self.source_updated_at or self.recorded_at, self.recorded_at)


@dataclass(frozen=True, slots=True)
class Fact:
    """One thing that is known of a position; no content when it was taken back."""

    key: FactKey
    content: Content | None
    stated: Stated
    version: int = 1


@dataclass(frozen=True, slots=True)
class Record:
    """What a source says of one position: only the facts that it speaks of, None for one that it takes back."""

    position: Position
    said: Mapping[FactKind, Content | None]
    source: str = ""
    source_sequence: int = 0
    source_updated_at: datetime | None = None

    def facts(self, actor: str, now: datetime) -> tuple[Fact, ...]:
        """Each fact that it speaks of, as somebody hands it in."""
        stated = Stated(self.source, self.source_sequence, self.source_updated_at, actor, now)
        return tuple(Fact(FactKey(*self.position, kind), content, stated) for kind, content in self.said.items())


class Outcome(StrEnum):
    """What became of a fact, or of a record."""

    CHANGED = "changed"
    UNCHANGED = "unchanged"
    STALE = "stale"


@dataclass(frozen=True, slots=True)
class Result:
    """What became of a record, and which of its facts came too late."""

    position: Position
    outcome: Outcome
    dropped: tuple[FactKind, ...] = ()


def first(fact: Fact) -> Outcome:
    """What becomes of a fact that nobody spoke of before."""
    return Outcome.UNCHANGED if fact.content is None else Outcome.CHANGED


def revised(known: Fact, sent: Fact) -> tuple[Fact, Outcome]:
    """The fact after somebody spoke of it again.

    The same again is no new version, but it is said anew: a rate is as fresh as it was last heard.
    """
    if _is_earlier(sent.stated, known.stated):
        return known, Outcome.STALE
    if sent.content == known.content:
        return replace(known, stated=sent.stated), Outcome.UNCHANGED
    return replace(sent, version=known.version + 1), Outcome.CHANGED


def _is_earlier(sent: Stated, known: Stated) -> bool:
    # Two sources number what they say each in its own way: only their instants compare.
    if sent.source == known.source and sent.source_sequence != known.source_sequence:
        return sent.source_sequence < known.source_sequence
    return bool(
        sent.source_updated_at and known.source_updated_at and sent.source_updated_at < known.source_updated_at
    )


def result(position: Position, outcomes: Mapping[FactKind, Outcome]) -> Result:
    """What became of a record whose facts became this."""
    dropped = tuple(kind for kind in FactKind if outcomes.get(kind) is Outcome.STALE)
    if Outcome.CHANGED in outcomes.values():
        return Result(position, Outcome.CHANGED, dropped)
    return Result(position, Outcome.STALE if len(dropped) == len(outcomes) else Outcome.UNCHANGED, dropped)


# -- what a record may say --------------------------------------------------------------------------------


def check(records: Sequence[Record], actor: str) -> Iterator[Problem]:
    """Records of one request, but for whether their items and points exist."""
    if not 1 <= len(records) <= MAX_ROWS:
        yield Problem("facts", f"1 to {MAX_ROWS} are needed")
    yield from validation.text("actor", actor, required=True)
    seen: set[Position] = set()
    for i, record in enumerate(records):
        yield from _check_record(f"facts[{i}]", record)
        if record.position in seen:
            yield Problem(f"facts[{i}]", f"{record.position.sku} at {record.position.point_id} stands here twice")
        seen.add(record.position)


def check_known(
    positions: Iterable[Position], skus: frozenset[str], point_ids: frozenset[str]
) -> Iterator[Problem]:
    """A position is an item and a point."""
    for i, position in enumerate(positions):
        if position.sku not in skus:
            yield Problem(f"facts[{i}].sku", f"there is no item {position.sku}", "UNKNOWN_ITEM")
        if position.point_id not in point_ids:
            yield Problem(f"facts[{i}].point_id", f"there is no point {position.point_id}", "UNKNOWN_POINT")


def _check_record(at: str, record: Record) -> Iterator[Problem]:
    yield from validation.sku(f"{at}.sku", record.position.sku)
    yield from validation.name(f"{at}.point_id", record.position.point_id)
    yield from validation.text(f"{at}.source", record.source)
    if record.source_sequence < 0:
        yield Problem(f"{at}.source_sequence", "negative")
    if not record.said:
        yield Problem(at, "it speaks of nothing")
    for kind, content in record.said.items():
        yield from _check_content(f"{at}.{kind}", content)


def _check_content(at: str, content: Content | None) -> Iterator[Problem]:
    match content:
        case Plan():
            yield from _check_plan(at, content)
        case Markdown(day, basis_points):
            yield from _check_day(f"{at}.from_date", day)
            if basis_points is not None and not 1 <= basis_points <= MAX_BASIS_POINTS:
                yield Problem(f"{at}.basis_points", f"not between 1 and {MAX_BASIS_POINTS}")
        case SalesRate(daily) if not 0 <= daily <= MAX_DAILY_THOUSANDTHS:
            yield Problem(f"{at}.daily_thousandths", f"not between 0 and {MAX_DAILY_THOUSANDTHS}")
        case Location():
            yield from _check_location(at, content)


def _check_plan(at: str, plan: Plan) -> Iterator[Problem]:
    for field in ("min_quantity", "target_quantity"):
        if not 0 <= getattr(plan, field) <= MAX_QUANTITY:
            yield Problem(f"{at}.{field}", f"not between 0 and {MAX_QUANTITY}")
    if not plan.is_replenished and plan != Plan(is_replenished=False):
        yield Problem(f"{at}.is_replenished", "it is not replenished, but there are quantities or a date")
    if plan.target_quantity < plan.min_quantity:
        yield Problem(f"{at}.target_quantity", "below min_quantity")
    if plan.next_date is not None:
        yield from _check_day(f"{at}.next_date", plan.next_date)


def _check_location(at: str, content: Location) -> Iterator[Problem]:
    yield from validation.text(f"{at}.location", content.location)
    if not 1 <= len(content.location.strip()) <= MAX_LOCATION_LENGTH:
        yield Problem(f"{at}.location", f"1 to {MAX_LOCATION_LENGTH} characters are needed, for example A-03-2")
    if not 0 <= content.walk_order <= MAX_WALK_ORDER:
        yield Problem(f"{at}.walk_order", f"not between 0 and {MAX_WALK_ORDER}")


def _check_day(field: str, day: date) -> Iterator[Problem]:
    if not FIRST_DAY <= day < LAST_DAY:
        yield Problem(field, f"not between {FIRST_DAY} and {LAST_DAY}")
