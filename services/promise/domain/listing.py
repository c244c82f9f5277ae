"""A page of articles, one unit of each promised for itself (SPEC PRM-1): what a quote of that one unit says.

One unit leaves from one point, so nothing is searched: points are looked at from the cheapest up, until no other
can be as cheap. What does not depend on the article is worked out once for the page.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from itertools import chain, islice

from kit.values.money import Money
from services.promise.domain import carbon, engine, quoting, stages
from services.promise.domain.candidates import Candidate, Gathered, Gatherer
from services.promise.domain.grid import NO_LIMIT
from services.promise.domain.ground import Ground
from services.promise.domain.modes import TERMS, Appointments
from services.promise.domain.network import BasketLine, Carbon, Mode, PlanRequest, Point, Window
from services.promise.domain.plans import NotOffered
from services.promise.domain.reasons import why_not
from services.promise.domain.rulesets import Ruleset
from services.promise.domain.shelves import NO_UNIT_COSTS, Shelf
from services.promise.domain.snapshot import Snapshot, place_of
from services.promise.domain.tariffs import parcels_of


@dataclass(frozen=True, slots=True)
class ListedOption:
    """A way to have one unit, as far as a page shows it. `point_id`: the store at which it is collected.

    `waits_until`, `release_date`: as of the leg of a plan.
    """

    mode: Mode
    window: Window
    order_before: datetime
    price: Money
    carbon: Carbon
    cost_minor: int
    point_id: str = ""
    waits_until: datetime | None = None
    release_date: date | None = None


@dataclass(frozen=True, slots=True)
class Listed:
    """One article of a page."""

    sku: str
    options: tuple[ListedOption, ...]
    not_offered: tuple[NotOffered, ...]


def page(snapshot: Snapshot, request: PlanRequest, ruleset: Ruleset) -> tuple[Listed, ...]:
    """Of one unit of each article of `request`, whose mode does not matter."""
    listing = _Page(snapshot, request, ruleset)
    return tuple(listing.of(line) for line in request.lines)


class _Page:
    """Articles to the same destination at the same moment."""

    def __init__(self, snapshot: Snapshot, request: PlanRequest, ruleset: Ruleset) -> None:
        self._snapshot = snapshot
        self._request = request
        self._ruleset = ruleset
        self._demand = {line.sku: 1 for line in request.lines if line.sku in snapshot.stock.items}
        self._ground = Ground(snapshot, request, ruleset, self._demand)
        self._stores = quoting.Stores(snapshot, request, self._ground)
        self._sold = quoting.sold(snapshot)
        self._ways: dict[tuple[Mode, str], _Ways | str] = {}

    def of(self, line: BasketLine) -> Listed:
        """Every mode for one article."""
        options: list[ListedOption] = []
        not_offered: list[NotOffered] = []
        for mode in Mode:
            answer = self._of_mode(line, mode)
            if isinstance(answer, ListedOption):
                options.append(answer)
            else:
                not_offered.append(answer)
        return Listed(line.sku, tuple(options), tuple(not_offered))

    def _of_mode(self, line: BasketLine, mode: Mode) -> ListedOption | NotOffered:
        terms = TERMS[mode]
        if terms.by_carrier and mode not in self._sold:
            return quoting.not_sold(mode)
        point_id = self._request.destination.point_id
        if terms.is_collected and not point_id:
            stores = self._stores.best(terms, {line.sku: 1} if line.sku in self._demand else {}, 1)
            if not stores:
                return quoting.no_store(mode)
            point_id = stores[0].point_id
        ways = self._ways_of(mode, point_id if terms.is_collected else "")
        if isinstance(ways, str):
            return quoting.not_offered(mode, line, ways)
        if line.sku not in self._demand:
            return quoting.not_offered(mode, line, "UNKNOWN_ITEM")
        best = ways.cheapest(line.sku)
        return best if isinstance(best, ListedOption) else quoting.not_offered(mode, line, best)

    def _ways_of(self, mode: Mode, store_id: str) -> "_Ways | str":
        """Of a mode to a store or to the destination; or the reason that there are none."""
        key = (mode, store_id)
        if key not in self._ways:
            self._ways[key] = self._begin(mode, store_id)
        return self._ways[key]

    def _begin(self, mode: Mode, store_id: str) -> "_Ways | str":
        if TERMS[mode].appointments is Appointments.NEEDED:
            return "NO_APPOINTMENT"
        destination = replace(self._request.destination, point_id=store_id)
        asked = replace(self._request, mode=mode, destination=destination)
        place = place_of(self._snapshot, asked)
        if isinstance(place, str):
            return place
        gatherer = Gatherer(
            self._snapshot, asked, self._ruleset, self._demand, place, self._ground, is_listing=True
        )
        away = {
            point_id: self._ground.kilometres(point, place.area.position)
            for point_id, point in gatherer.points.items()
        }
        return _Ways(self._snapshot, gatherer, self._ground, self._ruleset, away, asked)


class _Ways:
    """From where one unit could go by one mode, the cheapest point first."""

    def __init__(
        self,
        snapshot: Snapshot,
        gatherer: Gatherer,
        ground: Ground,
        ruleset: Ruleset,
        away: Mapping[str, float],
        asked: PlanRequest,
    ) -> None:
        self._snapshot = snapshot
        self._asked = asked
        self._items = snapshot.stock.items
        self._positions = snapshot.stock.positions
        self._coming = snapshot.stock.coming if asked.may_wait and ruleset.max_wait_days else {}
        self._gatherer = gatherer
        self._ground = ground
        self._ruleset = ruleset
        self._mode = asked.mode
        self._store_id = asked.destination.point_id
        self._channel_id = asked.channel_id
        self._known: dict[str, Gathered] = {}
        self._shelves: dict[str, Shelf] = {}
        self._tier = {point_id: ruleset.tier(point.type) for point_id, point in gatherer.points.items()}
        self._least = {
            point_id: self._least_of(gatherer.points[point_id], kilometres)
            for point_id, kilometres in away.items()
        }
        self._carriers = {
            point_id: frozenset(collection.carrier_id for collection in point.collections)
            for point_id, point in gatherer.points.items()
        }
        reach = gatherer.offers.reach_kilometres
        self._near = sorted(point_id for point_id in away if away[point_id] <= reach)
        self._far = sorted(point_id for point_id in away if away[point_id] > reach)
        self._orders: dict[object, list[list[tuple[int, str]]]] = {}

    def _least_of(self, point: Point, kilometres: float) -> int:
        """What a leg costs before its weight, and before the pressure on the point, which only adds to it."""
        rules = self._ruleset
        fixed = rules.preparation_cost(point.type) + rules.priority_cost(point.type)
        return fixed + rules.distance_cost(kilometres)

    def cheapest(self, sku: str) -> ListedOption | str:
        """The best option for one unit, or the reason that there is none."""
        if self._gatherer.offers.take(sku):
            for points, beside_buffers in self._levels(sku):
                if best := self._best(points, sku, beside_buffers=beside_buffers):
                    return self._option(best, sku, beside_buffers=beside_buffers)
        return self._why_not(sku)

    def _levels(self, sku: str) -> list[tuple[list[tuple[int, str]], bool]]:
        """Tier by tier, without what routing buffers keep back; then all there is.

        Of an article that comes somewhere those at which it must be waited for are the last, as in the engine.
        """
        *tiers, all_points = self._order(sku)
        if sku not in self._coming:
            return [*((tier, True) for tier in tiers), (all_points, False)]
        several = (sorted(chain(*tiers[: place + 1])) for place in range(len(tiers)))
        levels = [*((points, True) for points in several), (all_points, False)]
        return sorted(levels, key=lambda level: not self._is_there(level[0], sku, beside_buffers=level[1]))

    def _is_there(self, points: Iterable[tuple[int, str]], sku: str, *, beside_buffers: bool) -> bool:
        """Whether somebody has a unit without waiting for any to come."""
        return any(
            candidate.stage.due_at is None and _units_of(candidate, sku, beside_buffers=beside_buffers) > 0
            for _, point_id in points
            if self._has(point_id, sku)
            for candidate in self._at(point_id).candidates
        )

    def _order(self, sku: str) -> list[list[tuple[int, str]]]:
        """The points of each tier, and at last all, by what one unit costs from there at least."""
        carriage = self._gatherer.offers.carriage(sku)
        if carriage not in self._orders:
            by_carriers: dict[frozenset[str], int] = {}
            for carriers in set(self._carriers.values()):
                costs = (cost for carrier_id, cost in carriage if carrier_id in carriers)
                by_carriers[carriers] = min(costs, default=NO_LIMIT)
            least = sorted((self._least_from(point_id, by_carriers), point_id) for point_id in self._near)
            tiers = sorted({self._tier[point_id] for point_id in self._near})
            split = [[one for one in least if self._tier[one[1]] == tier] for tier in tiers]
            self._orders[carriage] = [*split, least]
        return self._orders[carriage]

    def _least_from(self, point_id: str, by_carriers: Mapping[frozenset[str], int]) -> int:
        is_counter = self._gatherer.is_counter(self._gatherer.points[point_id])
        return self._least[point_id] + (0 if is_counter else by_carriers[self._carriers[point_id]])

    def _best(
        self, points: Iterable[tuple[int, str]], sku: str, *, beside_buffers: bool = False
    ) -> Candidate | None:
        """Looks at points until one costs too much at least."""
        least_unit_cost = self._least_unit_cost(sku)
        best: tuple[int, Candidate] | None = None
        for least, point_id in points:
            if best is not None and least + least_unit_cost > best[0]:
                break
            if not self._has(point_id, sku, beside_buffers=beside_buffers):
                continue
            for candidate in self._at(point_id).candidates:
                if _units_of(candidate, sku, beside_buffers=beside_buffers) > 0:
                    found = (self._cost(candidate, sku), candidate)
                    best = found if best is None or _precedes(found, best) else best
        return None if best is None else best[1]

    def _least_unit_cost(self, sku: str) -> int:
        markdown = self._ruleset.markdown
        if markdown is None:
            return 0
        price = self._items[sku].price_minor(self._channel_id, self._ruleset.currency)
        return -markdown.gain(price, 100, 0)

    def _has(self, point_id: str, sku: str, *, beside_buffers: bool = False) -> bool:
        """Whether it has a unit, on the shelf or to come."""
        point = self._gatherer.points[point_id]
        is_counter = self._gatherer.is_counter(point)
        if point_id in self._coming.get(sku, ()):
            awaited = self._gatherer.stages.awaited(point, is_counter=is_counter)
            if any(one.sku == sku for one in awaited):
                return True
        if point_id not in self._positions.get(sku, ()):
            return False
        shelf = self._shelves.get(point_id)
        if shelf is None:
            shelf = self._shelves[point_id] = self._ground.shelf(point, is_counter=is_counter)
        return shelf.units.get(sku, 0) > (shelf.kept_back.get(sku, 0) if beside_buffers else 0)

    def _at(self, point_id: str) -> Gathered:
        if point_id not in self._known:
            self._known[point_id] = self._gatherer.at(self._gatherer.points[point_id])
        return self._known[point_id]

    def _cost(self, candidate: Candidate, sku: str) -> int:
        parcel = parcels_of(candidate, self._items, {sku: 1})
        units = candidate.unit_costs.get(sku, NO_UNIT_COSTS).total
        return candidate.fixed_cost + parcel.cost_minor + units

    def _option(self, best: Candidate, sku: str, *, beside_buffers: bool) -> ListedOption:
        _, delivery = next(best.stage.parts(sku, 1, _units_of(best, sku, beside_buffers=beside_buffers)))
        release = best.stage.releases.get(sku)
        parcel = parcels_of(best, self._items, {sku: 1})
        return ListedOption(
            mode=self._mode,
            window=best.window,
            order_before=best.order_before(best.window),
            price=best.terms.customer_price,
            carbon=carbon.total([carbon.of_parcel(best.service, parcel.weight_grams, best.distance_kilometres)]),
            cost_minor=self._cost(best, sku),
            point_id=self._store_id,
            waits_until=delivery.due_at if delivery else None,
            release_date=release.date if release else None,
        )

    def _why_not(self, sku: str) -> str:
        """As the engine says it, of the points that have the article; of one that must be waited for it does."""
        asked = replace(self._asked, lines=(BasketLine(1, sku, 1),))
        if stages.are_there(self._snapshot.stock, asked, self._ruleset):
            return engine.plan(self._snapshot, asked, self._ruleset).unplanned[0].reason
        here = [self._at(point_id) for point_id in self._near if self._has(point_id, sku)]
        # Of points that are too far away one says what all say.
        far = (self._at(point_id) for point_id in self._far if self._has(point_id, sku))
        here += islice((found for found in far if found.stocked), 1)
        met = Gathered(
            rejected=[one for found in here for one in found.rejected],
            stocked={sku: sum(found.stocked.get(sku, 0) for found in here)},
            misfits=self._gatherer.offers.misfits,
            crowded={sku} if any(sku in found.crowded for found in here) else set(),
            met={reason for found in here for reason in found.met},
        )
        return why_not(sku, 1, met, (), self._ruleset)


def _units_of(candidate: Candidate, sku: str, *, beside_buffers: bool) -> int:
    return candidate.capacity.get(sku, 0) - (candidate.kept_back.get(sku, 0) if beside_buffers else 0)


def _precedes(one: tuple[int, Candidate], other: tuple[int, Candidate]) -> bool:
    """Whether a way ranks higher: as plans of one leg do."""
    if one[0] != other[0]:
        return one[0] < other[0]
    mine, theirs = one[1], other[1]
    if mine.window.rank != theirs.window.rank:
        return mine.window.rank < theirs.window.rank
    latest, other_latest = mine.order_before(mine.window), theirs.order_before(theirs.window)
    return latest > other_latest if latest != other_latest else mine.id < theirs.id
