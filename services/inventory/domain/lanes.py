"""Lanes: regular ways between stock points, when they leave and arrive, what they cost (SPEC STK-16).

Wall clocks are the points' IANA zones; a local time that a clock change skips is read with the offset before it
(02:30 becomes 03:30), one that it repeats is the first of the two. Public holidays are not known here: a point's
`closed_dates` say what is closed.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import islice
from zoneinfo import ZoneInfo

from kit.values.money import Money, is_currency
from services.inventory.domain import validation
from services.inventory.domain.catalogue import OpeningHours, StockPoint
from services.inventory.domain.validation import DAY_MINUTES, Problem

MAX_TRANSIT_DAYS = 90
MAX_LANES = 1_000
MAX_MINOR = 10**12
# Nothing is looked for beyond this.
HORIZON_DAYS = 366
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class LaneDeparture:
    """A weekly departure (1 is Monday): units must be ready at the cut-off, minutes after local midnight."""

    weekday: int
    cut_off_minute: int


@dataclass(frozen=True, slots=True)
class LaneCost:
    """What a load costs, in minor units of one currency: the sum of the three."""

    currency: str = ""
    per_parcel_minor: int = 0
    per_unit_minor: int = 0
    per_kilogram_minor: int = 0


@dataclass(frozen=True, slots=True)
class Lane:
    """A regular way from the origin to the destination; `transit_days` are calendar days."""

    lane_id: str
    origin_id: str
    destination_id: str
    departures: tuple[LaneDeparture, ...]
    transit_days: int
    cost: LaneCost = LaneCost()


@dataclass(frozen=True, slots=True)
class Departure:
    """The local day on which it leaves the origin, and the instant of the cut-off."""

    day: date
    at: datetime


@dataclass(frozen=True, slots=True)
class Window:
    """When a destination can take units in; `end` is outside."""

    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True)
class LaneRun:
    """One departure and its arrival."""

    cut_off_at: datetime
    arrives: Window


def instant(day: date, minute: int, time_zone: str) -> datetime:
    """The instant of a local minute after midnight; 1440 is the next midnight."""
    local = datetime(day.year, day.month, day.day) + timedelta(minutes=minute)
    return local.replace(tzinfo=ZoneInfo(time_zone)).astimezone(UTC)


def local_day(at: datetime, time_zone: str) -> date:
    """The date on the wall of a zone."""
    return at.astimezone(ZoneInfo(time_zone)).date()


def departures(lane: Lane, origin: StockPoint, now: datetime) -> Iterator[Departure]:
    """Cut-offs at or after `now`, in order, within a year; none on a date on which the origin is closed."""
    minutes: dict[int, list[int]] = {each.weekday: [] for each in lane.departures}
    for each in lane.departures:
        minutes[each.weekday].append(each.cut_off_minute)
    # The cut-off at midnight (1440) of the day before may be `now` itself.
    first = local_day(now, origin.time_zone) - _DAY
    for offset in range(HORIZON_DAYS):
        day = first + offset * _DAY
        if day.isoformat() in origin.closed_dates:
            continue
        for at in sorted(instant(day, minute, origin.time_zone) for minute in minutes.get(day.isoweekday(), ())):
            if at >= now:
                yield Departure(day, at)


def next_departure(lane: Lane, origin: StockPoint, now: datetime) -> Departure | None:
    """The first cut-off at or after `now`; None when there is none within a year."""
    return next(departures(lane, origin, now), None)


def arrival(lane: Lane, destination: StockPoint, departure: Departure) -> Window | None:
    """From opening to closing on the first open day of the destination, `transit_days` after the day of departure.

    A destination without opening hours is open all day. None when it is closed for a year.
    """
    first = departure.day + lane.transit_days * _DAY
    for offset in range(HORIZON_DAYS):
        window = _open(destination, first + offset * _DAY)
        if window is not None and window.end > departure.at:
            return Window(max(window.start, departure.at), window.end)
    return None


def runs(lane: Lane, origin: StockPoint, destination: StockPoint, now: datetime, count: int) -> list[LaneRun]:
    """The next `count` runs that arrive, soonest first."""
    made = ((each.at, arrival(lane, destination, each)) for each in departures(lane, origin, now))
    return list(islice((LaneRun(at, arrives) for at, arrives in made if arrives), count))


def soonest(
    lanes: Sequence[Lane], origin: StockPoint, destination: StockPoint, now: datetime
) -> tuple[Lane, LaneRun] | None:
    """The lane whose next run arrives first; of equal ones the first by id."""
    found = [(lane, run) for lane in lanes for run in runs(lane, origin, destination, now, 1)]
    return min(found, key=lambda one: (one[1].arrives.end, one[0].lane_id), default=None)


def cost(lane: Lane, parcels: int, units: int, weight_grams: int) -> Money | None:
    """What a load costs; a part of a minor unit counts as one. None when the lane costs nothing."""
    if not lane.cost.currency:
        return None
    by_weight = -(-lane.cost.per_kilogram_minor * weight_grams // 1000)
    fixed = lane.cost.per_parcel_minor * parcels + lane.cost.per_unit_minor * units
    return Money(fixed + by_weight, lane.cost.currency)


def _open(point: StockPoint, day: date) -> Window | None:
    if day.isoformat() in point.closed_dates:
        return None
    hours: Sequence[OpeningHours] = [each for each in point.opening_hours if each.weekday == day.isoweekday()]
    if not point.opening_hours:
        hours = [OpeningHours(day.isoweekday(), 0, DAY_MINUTES)]
    if not hours:
        return None
    opens = instant(day, min(each.opens_minute for each in hours), point.time_zone)
    closes = instant(day, max(each.closes_minute for each in hours), point.time_zone)
    return Window(opens, closes) if opens < closes else None  # a clock change may swallow a short interval


# -- validation -------------------------------------------------------------------------------------------


def check(lanes: Sequence[Lane]) -> Iterator[Problem]:
    """Lanes of one PutLanes, but for whether their points exist."""
    if not 1 <= len(lanes) <= MAX_LANES:
        yield Problem("lanes", f"1 to {MAX_LANES} are needed")
    seen: set[str] = set()
    for i, lane in enumerate(lanes):
        at = f"lanes[{i}]"
        yield from validation.name(f"{at}.lane_id", lane.lane_id)
        if lane.lane_id in seen:
            yield Problem(f"{at}.lane_id", f"{lane.lane_id} stands here twice")
        seen.add(lane.lane_id)
        yield from validation.name(f"{at}.origin_id", lane.origin_id)
        yield from validation.name(f"{at}.destination_id", lane.destination_id)
        if lane.origin_id == lane.destination_id:
            yield Problem(f"{at}.destination_id", "a lane joins two points")
        yield from _check_departures(at, lane.departures)
        if not 0 <= lane.transit_days <= MAX_TRANSIT_DAYS:
            yield Problem(f"{at}.transit_days", f"not between 0 and {MAX_TRANSIT_DAYS}")
        yield from _check_cost(f"{at}.cost", lane.cost)


def _check_departures(at: str, departures: Sequence[LaneDeparture]) -> Iterator[Problem]:
    if not departures:
        yield Problem(f"{at}.departures", "a lane leaves at least once a week")
    for j, departure in enumerate(departures):
        here = f"{at}.departures[{j}]"
        if not 1 <= departure.weekday <= 7:
            yield Problem(f"{here}.weekday", "not between 1 (Monday) and 7 (Sunday)")
        if not 0 <= departure.cut_off_minute <= DAY_MINUTES:
            yield Problem(f"{here}.cut_off_minute", f"not between 0 and {DAY_MINUTES}")
        if departure in departures[:j]:
            yield Problem(here, "stands here twice")


def _check_cost(at: str, cost: LaneCost) -> Iterator[Problem]:
    amounts = ("per_parcel_minor", "per_unit_minor", "per_kilogram_minor")
    for field in amounts:
        if not 0 <= getattr(cost, field) <= MAX_MINOR:
            yield Problem(f"{at}.{field}", f"not between 0 and {MAX_MINOR}")
    if cost.currency and not is_currency(cost.currency):
        yield Problem(f"{at}.currency", "not an ISO 4217 code")
    if not cost.currency and any(getattr(cost, field) for field in amounts):
        yield Problem(f"{at}.currency", "an amount needs a currency")


def check_known_points(lanes: Sequence[Lane], known: frozenset[str]) -> Iterator[Problem]:
    """Lanes must join points that exist."""
    for i, lane in enumerate(lanes):
        for field in ("origin_id", "destination_id"):
            point_id = getattr(lane, field)
            if point_id not in known:
                yield Problem(f"lanes[{i}].{field}", f"there is no point {point_id}", "UNKNOWN_POINT")
