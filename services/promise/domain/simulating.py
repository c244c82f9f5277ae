"""Plans past orders under two rulesets on the same stock and compares what becomes of them (SPEC RTE-4).

Pure: the same orders, stock and rulesets in the same order give the same result. Reserves nothing.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from hashlib import blake2b
from zoneinfo import ZoneInfo

from services.promise.domain import engine, replaying
from services.promise.domain.calendars import Calendars
from services.promise.domain.compared import Result
from services.promise.domain.comparing import Comparison
from services.promise.domain.geography import Geography
from services.promise.domain.network import (
    SHIP_FROM_STORE,
    Box,
    Carrier,
    IsHoliday,
    Item,
    PlanRequest,
    Point,
    PointType,
    StockPosition,
    StockSlice,
)
from services.promise.domain.plans import Decision, Outcome
from services.promise.domain.rulesets import Ruleset
from services.promise.domain.simulations import AssumedItems
from services.promise.domain.snapshot import Snapshot

Planner = Callable[[Snapshot, PlanRequest, Ruleset], Outcome]
# Units by point of each SKU.
Units = Mapping[str, Mapping[str, int]]


@dataclass(frozen=True, slots=True)
class Network:
    """Where orders may be shipped from and how, as it is today."""

    points: Mapping[str, Point]
    carriers: tuple[Carrier, ...]
    geography: Geography
    is_holiday: IsHoliday
    boxes: tuple[Box, ...] = ()


@dataclass(frozen=True, slots=True)
class PastOrder:
    """An order as it was asked; `recorded` is what was chosen then, if it was."""

    order_id: str
    request: PlanRequest
    recorded: Outcome | None = None


class Simulation:
    """Takes orders one after the other."""

    def __init__(
        self,
        network: Network,
        live: Ruleset,
        candidate: Ruleset,
        *,
        listed_orders: int,
        deplete: bool = False,
        plan: Planner = engine.plan,
    ) -> None:
        self._network = network
        self._live = _Side(network, live, plan, deplete=deplete)
        self._candidate = _Side(network, candidate, plan, deplete=deplete)
        self._comparison = Comparison(live, network.points, listed_orders)

    @property
    def orders(self) -> int:
        """How many were taken."""
        return self._comparison.orders

    def take(self, order: PastOrder, stock: StockSlice) -> None:
        """Plans an order under both rulesets. `stock`: what there is of it before any order took some.

        Whether parcels may meet at a hub is said by each ruleset alone, to see what it would bring.
        """
        zones = self._network.geography.zones(order.request.destination)
        request = replace(order.request, may_consolidate=True)
        self._comparison.take(
            order.order_id,
            request,
            ZoneInfo(zones[0].time_zone if zones else "UTC"),
            self._live.plan(request, stock),
            self._candidate.plan(request, stock),
            order.recorded,
        )

    def result(self, skipped: Mapping[str, int], notes: list[str]) -> Result:
        """The comparison of all orders taken."""
        return self._comparison.result(skipped, notes)


class _Side:
    """A ruleset with the stock that its own plans have left."""

    def __init__(self, network: Network, ruleset: Ruleset, plan: Planner, *, deplete: bool) -> None:
        self._network = network
        self._ruleset = ruleset
        self._plan = plan
        self._deplete = deplete
        self._calendars = Calendars()
        # Units by point of each SKU.
        self._taken: dict[str, dict[str, int]] = {}

    def plan(self, request: PlanRequest, stock: StockSlice) -> Outcome:
        """What becomes of an order; when stock is depleted, it is gone for the next."""
        network = self._network
        left = self._left(stock) if self._taken else stock
        snapshot = Snapshot(
            left,
            network.carriers,
            network.geography,
            network.is_holiday,
            self._calendars,
            boxes=network.boxes,
        )
        outcome = self._plan(snapshot, request, self._ruleset)
        if self._deplete and outcome.plans:
            for leg in outcome.plans[0].legs:
                for line in leg.lines:
                    by_point = self._taken.setdefault(line.sku, {})
                    by_point[leg.point_id] = by_point.get(leg.point_id, 0) + line.quantity
        return outcome

    def _left(self, stock: StockSlice) -> StockSlice:
        positions = dict(stock.positions)
        for sku in stock.positions.keys() & self._taken.keys():
            before = stock.positions[sku]
            gone = {
                point_id: replace(before[point_id], free=before[point_id].free - units)
                for point_id, units in self._taken[sku].items()
            }
            positions[sku] = {**before, **gone}
        return replace(stock, positions=positions)


# -- the stock of an order ------------------------------------------------------------------------------------


def as_seen(decision: Decision, today: StockSlice) -> tuple[PastOrder, StockSlice]:
    """A recorded question and the stock it saw (`replaying.py` says what is recorded and what is today's)."""
    order = PastOrder(decision.order_id, replaying.question(decision), decision.outcome)
    return order, replaying.stock_seen(decision, today)


def on_other_stock(decision: Decision) -> PastOrder:
    """A recorded question without what rested on the stock of its moment: holds, and the promise of a quote."""
    return PastOrder(decision.order_id, replace(replaying.question(decision), limits=None))


def with_given(stock: StockSlice, units: Units, channel_id: str) -> StockSlice:
    """Free units as given instead of those known; safety stock and facts stay where a position is known."""
    positions = {
        sku: {
            point_id: _given(stock.positions.get(sku, {}).get(point_id), free, channel_id)
            for point_id, free in by_point.items()
        }
        for sku, by_point in units.items()
    }
    return replace(stock, positions=positions)


def _given(known: StockPosition | None, free: int, channel_id: str) -> StockPosition:
    return StockPosition(free, {channel_id: 0}) if known is None else replace(known, free=free)


def with_assumed(
    stock: StockSlice, request: PlanRequest, assumed: AssumedItems, given: frozenset[str] = frozenset()
) -> tuple[StockSlice, frozenset[str]]:
    """Unknown articles of an order taken for known, and which they are; those in `given` keep the stock given."""
    unknown = frozenset(line.sku for line in request.lines if line.sku not in stock.items)
    if not unknown:
        return stock, unknown
    items = dict(stock.items) | {sku: Item(sku, weight_grams=assumed.weight_grams) for sku in unknown}
    positions = dict(stock.positions) | {
        sku: _assumed_positions(sku, stock.points, request.channel_id, assumed) for sku in unknown - given
    }
    return replace(stock, items=items, positions=positions), unknown


def _assumed_positions(
    sku: str, points: Mapping[str, Point], channel_id: str, assumed: AssumedItems
) -> dict[str, StockPosition]:
    """Drawn for each point that ships: not by a generator, so that it does not matter which order asks first."""
    found: dict[str, StockPosition] = {}
    for point_id, point in points.items():
        if point.type is PointType.STORE and SHIP_FROM_STORE not in point.capabilities:
            continue
        drawn = blake2b(f"{assumed.seed}\0{sku}\0{point_id}".encode(), digest_size=16).digest()
        if int.from_bytes(drawn[:8]) % 100 < assumed.percent:
            units = 1 + int.from_bytes(drawn[8:]) % (2 * assumed.units - 1)
            found[point_id] = StockPosition(units, {channel_id: 0})
    return found
