"""Stages: a point as it is, and as it will be once units have come or articles are released (SPEC PRM-3, RTE-7).

A point is asked again for each stage at which it has more of what is wanted. Work on units to come does not begin
before they are due; an article is not handed over before its release date, in the zone of the destination, but may
be worked on before. Where nothing comes and nothing is under embargo there is one stage, the shelf.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time
from zoneinfo import ZoneInfo

from services.promise.domain.network import COLLECT, SHIP, PlanRequest, Point, StockSlice
from services.promise.domain.personalising import needs_of
from services.promise.domain.plans import SeenComing
from services.promise.domain.rulesets import Ruleset
from services.promise.domain.shelves import NO_UNIT_COSTS, Shelf, Shelves
from services.promise.domain.snapshot import Place, Snapshot

# Of each SKU as many as are wanted; and as many beside what the routing buffer keeps back.
_Wanted = Mapping[str, tuple[int, int]]


@dataclass(frozen=True, slots=True)
class Release:
    """When articles are handed over at the earliest, and the date that says so."""

    at: datetime
    date: date


@dataclass(frozen=True, slots=True)
class Stage:
    """By when a point has it: the stages of a point are numbered, the present is 0.

    `due_at`: of the last delivery that counts; None: only the shelf does. `coming`: these, by SKU, the earliest
    first. `releases`: of articles that are under embargo, by SKU.
    """

    number: int = 0
    due_at: datetime | None = None
    coming: Mapping[str, Sequence[SeenComing]] = field(default_factory=dict)
    releases: Mapping[str, Release] = field(default_factory=dict)

    @property
    def released_at(self) -> datetime | None:
        """Nothing is handed over before."""
        return max((release.at for release in self.releases.values()), default=None)

    def parts(self, sku: str, count: int, most: int) -> Iterator[tuple[int, SeenComing | None]]:
        """Of `count` units of `most` that there are by then: those on the shelf, then those of each delivery."""
        coming = self.coming.get(sku, ())
        there = min(count, most - sum(one.units for one in coming))
        if there > 0:
            yield there, None
        left = count - max(0, there)
        for one in coming:
            if left > 0:
                yield min(left, one.units), one
            left -= one.units


NOW = Stage()


def are_there(stock: StockSlice, request: PlanRequest, ruleset: Ruleset) -> bool:
    """Whether a point may have more than one stage."""
    return is_awaited(stock, request, ruleset) or is_embargoed(stock, request)


def is_awaited(stock: StockSlice, request: PlanRequest, ruleset: Ruleset) -> bool:
    """Whether something comes that may be waited for."""
    may_wait = request.may_wait and ruleset.max_wait_days
    return bool(may_wait) and any(line.sku in stock.coming for line in request.lines)


def is_embargoed(stock: StockSlice, request: PlanRequest) -> bool:
    """Whether something may not be released yet: a date has begun everywhere when its day ends in UTC."""
    items = (stock.items.get(line.sku) for line in request.lines)
    dates = (item.release_date for item in items if item is not None)
    return any(date is not None and date >= request.now.date() for date in dates)


def least_cost(stock: StockSlice, request: PlanRequest, ruleset: Ruleset, start: datetime) -> int:
    """What a plan with any unit to come costs at least: its waiting, less what markdowns may gain."""
    wanted = [(stock.items[line.sku], line.quantity) for line in request.lines if line.sku in stock.items]
    gain = 0
    if ruleset.markdown is not None:
        prices = ((item.price_minor(request.channel_id, ruleset.currency), units) for item, units in wanted)
        gain = sum(ruleset.markdown.gain(price, 100, 0) * units for price, units in prices)
    dues = (
        of_channel.due_at
        for item, _ in wanted
        for deliveries in stock.coming.get(item.sku, {}).values()
        for delivery in deliveries
        if (of_channel := delivery.channels.get(request.channel_id)) is not None
    )
    return ruleset.waiting_cost(start, min(dues, default=start)) - gain


class Stages:
    """Of one question, whose work could begin at `start`."""

    def __init__(
        self,
        snapshot: Snapshot,
        request: PlanRequest,
        ruleset: Ruleset,
        demand: Mapping[str, int],
        place: Place,
        start: datetime,
    ) -> None:
        self._request = request
        self._ruleset = ruleset
        self._demand = demand
        self._start = start
        stock = snapshot.stock
        self.is_plain = not are_there(stock, request, ruleset)
        self._excluded = {(one.point_id, one.sku) for one in request.exclusions}
        self._believed = {(one.sku, one.point_id, one.supply_id): one.units for one in request.supply_overlays}
        self._needs = needs_of(stock.items, request.lines)
        coming = stock.coming if request.may_wait and ruleset.max_wait_days else {}
        self._coming = {sku: coming[sku] for sku in demand if sku in coming}
        self._embargoes: dict[str, Release] = {}
        if not self.is_plain:
            zone = _time_zone(snapshot, place)
            for sku in demand:
                if (day := stock.items[sku].release_date) is not None:
                    release = Release(datetime.combine(day, time.min, zone), day)
                    if release.at > start:
                        self._embargoes[sku] = release

    def of(self, point: Point, shelf: Shelf, shelves: Shelves, *, is_counter: bool) -> list[tuple[Shelf, Stage]]:
        """What the point has at each stage, the present first; none when it never has anything."""
        coming = self.awaited(point, is_counter=is_counter)
        here = {*shelf.units, *(one.sku for one in coming)}
        embargoes = {sku: release for sku, release in self._embargoes.items() if sku in here}
        if not coming and not embargoes:
            return [(shelf, NOW)] if shelf.units else []
        # By the number of deliveries' instants, then of releases'.
        known: dict[tuple[int, int], _Wanted] = {}
        found: list[tuple[Shelf, Stage]] = []
        dues = [None, *sorted({one.due_at for one in coming})]
        releases = [None, *sorted({release.at for release in embargoes.values()})]
        for i, due_at in enumerate(dues):
            arrived = [one for one in coming if due_at is not None and one.due_at <= due_at]
            for j, released_at in enumerate(releases):
                barred = {
                    sku for sku, release in embargoes.items() if released_at is None or release.at > released_at
                }
                units = _units(shelf, arrived, barred)
                known[i, j] = self._wanted(units, shelf.kept_back)
                if known[i, j] and known[i, j] not in (known.get((i - 1, j)), known.get((i, j - 1))):
                    stage = Stage(
                        number=i * len(releases) + j,
                        due_at=due_at,
                        coming={sku: [one for one in arrived if one.sku == sku] for sku in units},
                        releases={sku: embargoes[sku] for sku in units if sku in embargoes},
                    )
                    found.append((self._shelf_at(point, shelf, shelves, units), stage))
        return found

    def _wanted(self, units: Mapping[str, int], kept_back: Mapping[str, int]) -> _Wanted:
        return {
            sku: (min(count, self._demand[sku]), min(count - kept_back.get(sku, 0), self._demand[sku]))
            for sku, count in units.items()
        }

    def awaited(self, point: Point, *, is_counter: bool) -> list[SeenComing]:
        """What comes to a point soon enough."""
        coming = self.seen_at(point, is_counter=is_counter)
        return [one for one in coming if self._ruleset.may_wait(self._start, one.due_at)]

    def seen_at(self, point: Point, *, is_counter: bool) -> list[SeenComing]:
        """What the channel may promise of what comes to a point, the earliest first."""
        purpose = COLLECT if is_counter else SHIP
        found: list[SeenComing] = []
        for sku, by_point in self._coming.items():
            if not self._excluded.isdisjoint(((point.point_id, ""), (point.point_id, sku))):
                continue
            if sku in self._needs and not self._needs[sku].is_met_by(point):
                continue
            for delivery in by_point.get(point.point_id, ()):
                of_channel = delivery.channels.get(self._request.channel_id)
                if of_channel is None or purpose not in of_channel.purposes:
                    continue
                supply_id = delivery.supply_id
                units = self._believed.get((sku, point.point_id, supply_id), of_channel.units)
                if units:
                    found.append(SeenComing(sku, point.point_id, supply_id, units, of_channel.due_at))
        return sorted(found, key=lambda one: (one.due_at, one.sku, one.supply_id))

    def _shelf_at(self, point: Point, shelf: Shelf, shelves: Shelves, units: dict[str, int]) -> Shelf:
        """A unit costs the same at every stage beside carriage: what comes makes no other one dearer."""
        costs = {sku: shelf.unit_costs[sku] for sku in units if sku in shelf.unit_costs}
        to_come = {sku: shelves.unit_costs(sku, point, 0) for sku in units if sku not in shelf.units}
        costs |= {sku: cost for sku, cost in to_come.items() if cost is not NO_UNIT_COSTS}
        return Shelf(units, {sku: kept for sku, kept in shelf.kept_back.items() if sku in units}, costs)


def _units(shelf: Shelf, arrived: Sequence[SeenComing], barred: set[str]) -> dict[str, int]:
    units = dict(shelf.units)
    for one in arrived:
        units[one.sku] = units.get(one.sku, 0) + one.units
    return {sku: count for sku, count in units.items() if sku not in barred}


def _time_zone(snapshot: Snapshot, place: Place) -> ZoneInfo:
    """Of the destination; of the store where it is collected."""
    if place.store is not None:
        return ZoneInfo(place.store.time_zone)
    return ZoneInfo(snapshot.geography.zones(place.destination)[0].time_zone)
