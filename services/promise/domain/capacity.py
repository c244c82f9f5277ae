"""How many orders a point starts a day, and how many parcels a carrier takes there: limits, and what is taken.

Says what has room; never chooses and never takes.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from fractions import Fraction
from typing import Protocol

from services.promise.domain.network import Point

# Of a limit: whenever the carrier comes on that day. Cut-offs are 0 to 1440.
ALL_DAY = -1
EVERY_DAY = 0


@dataclass(frozen=True, slots=True, order=True)
class Counter:
    """What is counted. Without a carrier: preparation orders that a point starts on a day.

    With one: parcels that it collects there on that day, of one service or (empty) of all together, at one cut-off
    or (ALL_DAY) at all of them.
    """

    point_id: str
    day: date
    carrier_id: str = ""
    service_id: str = ""
    cut_off_minute: int = ALL_DAY


@dataclass(frozen=True, slots=True)
class Limit:
    """How much of what a counter counts there may be at most; None: as much as there is.

    `on` is that date alone, else `weekday` 1 Monday to 7 Sunday or EVERY_DAY. A carrier's limit without a point
    holds at each point by itself.
    """

    most: int | None
    point_id: str = ""
    carrier_id: str = ""
    service_id: str = ""
    cut_off_minute: int = ALL_DAY
    weekday: int = EVERY_DAY
    on: date | None = None

    @property
    def scope(self) -> tuple[str, str, str, int, int, date | None]:
        """What tells limits apart: of each scope there is one."""
        return (self.point_id, self.carrier_id, self.service_id, self.cut_off_minute, self.weekday, self.on)


@dataclass(frozen=True, slots=True)
class SetLimit:
    """A limit, when it was set and by whom."""

    limit: Limit
    at: datetime
    actor: str


@dataclass(frozen=True, slots=True, order=True)
class SeenCapacity:
    """A limit that a question met, with what others had taken of it."""

    counter: Counter
    most: int
    taken: int


class Limits:
    """Of several limits of a counter the first of these holds: the point's own before that of each point; of those

    the date's, then the weekday's, then every day's. A point without any has the daily capacity of its own data.
    """

    def __init__(self, limits: Iterable[Limit] = ()) -> None:
        self.all = tuple(limits)
        self._most = {limit.scope: limit.most for limit in self.all}
        self._points = frozenset(limit.point_id for limit in self.all if not limit.carrier_id)
        self.carriers = frozenset(limit.carrier_id for limit in self.all if limit.carrier_id)

    def touch(self, point: Point) -> bool:
        """Whether anything at a point may have a limit."""
        return bool(point.daily_capacity or self.carriers or point.point_id in self._points)

    def most(self, counter: Counter, daily_capacity: int) -> int | None:
        """How much there may be of it; None without a limit."""
        if not counter.carrier_id and counter.point_id not in self._points:
            return daily_capacity or None
        if counter.carrier_id and counter.carrier_id not in self.carriers:
            return None
        rest = (counter.carrier_id, counter.service_id, counter.cut_off_minute)
        days = ((EVERY_DAY, counter.day), (counter.day.isoweekday(), None), (EVERY_DAY, None))
        for point_id in (counter.point_id, ""):
            for day in days:
                scope = (point_id, *rest, *day)
                if scope in self._most:
                    return self._most[scope]
        return None if counter.carrier_id else daily_capacity or None


NO_LIMITS = Limits()


class Collected(Protocol):
    """A carrier's visit: its day at the point and its cut-off."""

    @property
    def day(self) -> date: ...

    @property
    def cut_off_minute(self) -> int: ...


def collected(
    point_id: str, carrier_id: str, service_id: str, day: date, cut_off_minute: int
) -> tuple[Counter, ...]:
    """Every counter that a parcel of a service counts in; none of what is collected by its customer."""
    if not carrier_id:
        return ()
    return tuple(
        Counter(point_id, day, carrier_id, service, minute)
        for service in ("", service_id)
        for minute in (ALL_DAY, cut_off_minute)
    )


class Capacity:
    """What has room as one question sees it: `taken` is what others have. Notes which limits were looked at."""

    def __init__(self, limits: Limits = NO_LIMITS, taken: Mapping[Counter, int] | None = None) -> None:
        self.limits = limits
        self._taken = taken or {}
        self._seen: dict[Counter, SeenCapacity | None] = {}

    @classmethod
    def as_seen(cls, seen: Iterable[SeenCapacity]) -> "Capacity":
        """As an earlier question saw it; what that did not look at has the daily capacity of its point."""
        kept = tuple(seen)
        limits = Limits(
            Limit(
                one.most,
                one.counter.point_id,
                one.counter.carrier_id,
                one.counter.service_id,
                one.counter.cut_off_minute,
                on=one.counter.day,
            )
            for one in kept
        )
        return cls(limits, {one.counter: one.taken for one in kept})

    @property
    def seen(self) -> tuple[SeenCapacity, ...]:
        """The limits that were looked at, in a fixed order."""
        return tuple(sorted(one for one in self._seen.values() if one is not None))

    def is_full(self, point: Point, day: date) -> bool:
        """Whether a point starts no further order on a day."""
        return not self._has_room(point, Counter(point.point_id, day), 1)

    def has_room(self, point: Point, carrier_id: str, service_id: str, visit: Collected, parcels: int) -> bool:
        """Whether a carrier's visit takes so many further parcels of a service."""
        if carrier_id not in self.limits.carriers:
            return True
        counters = collected(point.point_id, carrier_id, service_id, visit.day, visit.cut_off_minute)
        return all(self._has_room(point, counter, parcels) for counter in counters)

    def pressure(self, point: Point, days: Iterable[date], cost_minor: int) -> int:
        """`cost_minor` times the share of a point's days that is taken, half a minor unit and more rounded up.

        Of a leg these are the day on which it begins and the full ones that it passes over: each of those counts
        whole. Days without a limit, and those on which nothing may be started, count nothing.
        """
        if not cost_minor:
            return 0
        seen = [self._look(point, Counter(point.point_id, day)) for day in days]
        shares = [Fraction(min(one.taken, one.most), one.most) for one in seen if one and one.most]
        return math.floor(cost_minor * sum(shares) + Fraction(1, 2))

    def _has_room(self, point: Point, counter: Counter, wanted: int) -> bool:
        seen = self._look(point, counter)
        return seen is None or seen.taken + wanted <= seen.most

    def _look(self, point: Point, counter: Counter) -> SeenCapacity | None:
        if counter not in self._seen:
            most = self.limits.most(counter, point.daily_capacity)
            seen = None if most is None else SeenCapacity(counter, most, self._taken.get(counter, 0))
            self._seen[counter] = seen
        return self._seen[counter]


@dataclass(frozen=True, slots=True)
class Places:
    """Room for one leg: at a point, with a service, of so many parcels at most."""

    capacity: Capacity
    point: Point
    carrier_id: str
    service_id: str
    parcels: int

    def is_full(self, day: date) -> bool:
        """Whether the point starts no further order on a day."""
        return self.capacity.is_full(self.point, day)

    def has_room(self, visit: Collected) -> bool:
        """Whether the carrier's visit takes the parcels."""
        return self.capacity.has_room(self.point, self.carrier_id, self.service_id, visit, self.parcels)
