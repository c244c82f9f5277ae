"""What the channel may take at each point, why it may not take the rest, and what one unit costs beside carriage.

Knows stock, safety stock, routing buffers, brands and facts; no carrier and no calendar.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date

from services.promise.domain.network import (
    COLLECT,
    SHIP,
    ExcludedPoint,
    PlanRequest,
    Point,
    StockPosition,
    StockSlice,
)
from services.promise.domain.plans import SeenStock
from services.promise.domain.rulesets import Ruleset

# A point that fails for several SKUs is said to fail for the first of these.
REASONS = ("EXCLUDED", "BRAND_NOT_CARRIED", "NO_STOCK", "NOT_ACTIVATED")


@dataclass(frozen=True, slots=True)
class UnitCosts:
    """Of one unit of a SKU at a point. Each may be 0; a markdown that is avoided is less than 0."""

    low_cover: int = 0
    markdown: int = 0
    short_pick: int = 0

    @property
    def total(self) -> int:
        """What the search weighs."""
        return self.low_cover + self.markdown + self.short_pick


NO_UNIT_COSTS = UnitCosts()


@dataclass(slots=True)
class Shelf:
    """One point. Units by SKU; `kept_back` of them by the routing buffer; (reason, detail) when there are none."""

    units: dict[str, int] = field(default_factory=dict)
    kept_back: dict[str, int] = field(default_factory=dict)
    unit_costs: dict[str, UnitCosts] = field(default_factory=dict)
    reasons: dict[str, str] = field(default_factory=dict)


class Shelves:
    """The shelves of all points for one question."""

    def __init__(
        self, stock: StockSlice, request: PlanRequest, ruleset: Ruleset, demand: Mapping[str, int]
    ) -> None:
        self._stock = stock
        self._request = request
        self._ruleset = ruleset
        # By SKU, looked up once: there may be hundreds of points.
        self._positions = {sku: stock.positions.get(sku, {}) for sku in demand}
        self._today = request.now.date()
        self._overlays = {(o.sku, o.point_id): o.free for o in request.overlays}
        self._own: dict[tuple[str, str], int] = {}
        for hold in request.own_holds:
            key = (hold.sku, hold.point_id)
            self._own[key] = self._own.get(key, 0) + hold.quantity
        self._excluded: dict[tuple[str, str], ExcludedPoint] = {(e.point_id, e.sku): e for e in request.exclusions}
        self._has_unit_costs = any((ruleset.low_cover, ruleset.markdown, ruleset.short_pick_cost_minor))
        self.seen: list[SeenStock] = []

    def of(self, point: Point, *, is_counter: bool = False) -> Shelf:
        """Units by SKU that the channel may ship from here, or hand over at the counter; or why there are none."""
        shelf = Shelf()
        is_excluded = (point.point_id, "") in self._excluded
        purpose = COLLECT if is_counter else SHIP
        for sku, positions in self._positions.items():
            position = positions.get(point.point_id)
            available, reason = (
                (0, "NO_STOCK") if position is None else self._available(point, sku, position, purpose)
            )
            if position is None or not available or is_excluded:
                shelf.reasons.setdefault(reason, sku)
                continue
            shelf.units[sku] = available
            if buffer := position.routing_buffers.get(self._request.channel_id, 0):
                shelf.kept_back[sku] = min(available, buffer)
            if self._has_unit_costs and (costs := self._unit_costs(sku, position, available)) is not NO_UNIT_COSTS:
                shelf.unit_costs[sku] = costs
        return shelf

    def why_empty(self, point: Point, shelf: Shelf) -> tuple[str, str]:
        """The reason that says most, and its words."""
        whole = self._excluded.get((point.point_id, ""))
        if whole is not None:
            return "EXCLUDED", whole.reason
        reason = next(r for r in REASONS if r in shelf.reasons)
        sku = shelf.reasons[reason]
        if reason == "EXCLUDED":
            return reason, f"{sku}: {self._excluded[point.point_id, sku].reason}"
        return reason, {
            "BRAND_NOT_CARRIED": f"does not carry {self._stock.items[sku].brand} ({sku})",
            "NO_STOCK": f"no unit of {sku} that the channel may take",
            "NOT_ACTIVATED": f"the channel may not sell {sku} from here",
        }[reason]

    def _available(self, point: Point, sku: str, position: StockPosition, purpose: str) -> tuple[int, str]:
        """Units the channel may take: max(0, free - safety stock); or 0 and the reason."""
        if not position.allows(self._request.channel_id, purpose):
            return 0, "NOT_ACTIVATED"
        safety_stock = position.safety_stock[self._request.channel_id]
        key = (sku, point.point_id)
        free = self._overlays.get(key, position.free) + self._own.get(key, 0)
        available = max(0, free - safety_stock)
        self.seen.append(SeenStock(sku, point.point_id, available))
        if (point.point_id, sku) in self._excluded:
            return 0, "EXCLUDED"
        if point.brands and self._stock.items[sku].brand not in point.brands:
            return 0, "BRAND_NOT_CARRIED"
        return available, "NO_STOCK"

    def _unit_costs(self, sku: str, position: StockPosition, available: int) -> UnitCosts:
        rules, facts = self._ruleset, position.facts
        cover = rules.low_cover.cost(available, facts.daily_sales) if rules.low_cover else 0
        short_pick = round(rules.short_pick_cost_minor * (1 - facts.find_rate))
        markdown = self._markdown(sku, facts.markdown_date, facts.markdown_percent)
        if not (cover or short_pick or markdown):
            return NO_UNIT_COSTS
        return UnitCosts(cover, markdown, short_pick)

    def _markdown(self, sku: str, on: date | None, percent: int) -> int:
        rules = self._ruleset
        if rules.markdown is None or on is None:
            return 0
        price = self._stock.items[sku].price_minor(self._request.channel_id, rules.currency)
        return -rules.markdown.gain(price, percent, (on - self._today).days)
