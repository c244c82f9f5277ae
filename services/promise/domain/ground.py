"""What a basket finds at the points whatever the mode: worked out once for all questions of a quote."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from services.promise.domain.calendars import Begin, PointCalendar
from services.promise.domain.capacity import Capacity
from services.promise.domain.geography import distance_kilometres
from services.promise.domain.network import PlanRequest, Point, Position, StockSlice
from services.promise.domain.plans import SeenStock
from services.promise.domain.rulesets import Ruleset
from services.promise.domain.shelves import Shelf, Shelves


@dataclass(frozen=True, slots=True)
class Work:
    """When work on a parcel begins and ends; None where a point has no time, or no room, for it within reach."""

    begin: Begin | None
    ready: datetime | None
    is_open: bool


class Ground:
    """Of questions that differ in mode, destination, appointment and limits alone."""

    def __init__(
        self,
        stock: StockSlice,
        capacity: Capacity,
        request: PlanRequest,
        ruleset: Ruleset,
        demand: Mapping[str, int],
    ) -> None:
        self._capacity = capacity
        self._shelves = Shelves(stock, request, ruleset, demand)
        self._known_shelves: dict[tuple[str, bool], Shelf] = {}
        self._works: dict[tuple[str, datetime], Work] = {}
        self._distances: dict[tuple[str, Position], float] = {}

    @property
    def seen(self) -> list[SeenStock]:
        """The stock that was looked at."""
        return self._shelves.seen

    def shelf(self, point: Point, *, is_counter: bool) -> Shelf:
        """What the channel may ship from a point, or hand over at its counter."""
        key = (point.point_id, is_counter)
        if key not in self._known_shelves:
            self._known_shelves[key] = self._shelves.of(point, is_counter=is_counter)
        return self._known_shelves[key]

    def why_empty(self, point: Point, shelf: Shelf) -> tuple[str, str]:
        """The reason that says most, and its words."""
        return self._shelves.why_empty(point, shelf)

    def kilometres(self, point: Point, to: Position) -> float:
        """From a point to where the goods go."""
        key = (point.point_id, to)
        if key not in self._distances:
            self._distances[key] = distance_kilometres(point.position, to)
        return self._distances[key]

    def work(self, point: Point, calendar: PointCalendar, start: datetime) -> Work:
        """On a parcel that may be begun at `start`."""
        key = (point.point_id, start)
        if key not in self._works:
            self._works[key] = self._work(point, calendar, start)
        return self._works[key]

    def _work(self, point: Point, calendar: PointCalendar, start: datetime) -> Work:
        handling = timedelta(minutes=point.handling_minutes)
        begin = calendar.begins_at(start, handling, partial(self._capacity.is_full, point))
        ready = calendar.ready_at(begin.at, handling) if begin else None
        return Work(begin, ready, ready is not None or calendar.ready_at(start, handling) is not None)
