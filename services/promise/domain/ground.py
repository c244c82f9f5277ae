"""What a basket finds at the points whatever the mode: worked out once for all questions of a quote."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from services.promise.domain.calendars import Begin, PointCalendar
from services.promise.domain.network import PlanRequest, Point, Position
from services.promise.domain.personalising import Needs, needs_of
from services.promise.domain.rulesets import Ruleset
from services.promise.domain.shelves import Shelf, Shelves
from services.promise.domain.snapshot import Snapshot


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
        snapshot: Snapshot,
        request: PlanRequest,
        ruleset: Ruleset,
        demand: Mapping[str, int],
        needs: Needs | None = None,
    ) -> None:
        """`needs`: what points must be able to do, where that is not all that is to be put on the articles."""
        self.points = snapshot.calendars.columns(snapshot.stock.points)
        self.needs = needs_of(snapshot.stock.items, request.lines) if needs is None else needs
        self.shelves = Shelves(snapshot.stock, request, ruleset, demand, self.points, self.needs)
        self._capacity = snapshot.capacity
        self._known_shelves: dict[tuple[str, bool], Shelf] = {}
        self._works: dict[tuple[str, datetime, timedelta], Work] = {}

    def shelf(self, point: Point, *, is_counter: bool) -> Shelf:
        """What the channel may ship from a point, or hand over at its counter."""
        key = (point.point_id, is_counter)
        if key not in self._known_shelves:
            self._known_shelves[key] = self.shelves.of(point, is_counter=is_counter)
        return self._known_shelves[key]

    def kilometres(self, point: Point, to: Position) -> float:
        """From a point to where the goods go."""
        return float(self.points.kilometres(to)[self.points.row[point.point_id]])

    def work(self, point: Point, calendar: PointCalendar, start: datetime, handling: timedelta) -> Work:
        """On a parcel that may be begun at `start` and takes so much working time."""
        key = (point.point_id, start, handling)
        if key not in self._works:
            self._works[key] = self._work(point, calendar, start, handling)
        return self._works[key]

    def _work(self, point: Point, calendar: PointCalendar, start: datetime, handling: timedelta) -> Work:
        begin = calendar.begins_at(start, handling, partial(self._capacity.is_full, point))
        ready = calendar.ready_at(begin.at, handling) if begin else None
        return Work(begin, ready, ready is not None or calendar.ready_at(start, handling) is not None)
