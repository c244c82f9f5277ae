"""What the channel may take at each point, why it may not take the rest, and what one unit costs beside carriage.

Knows stock, safety stock, routing buffers, brands and facts; no carrier and no calendar.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date

import numpy as np

from services.promise.domain.columns import Bools, Ints, PointColumns, columns_of
from services.promise.domain.network import COLLECT, NO_FACTS, SHIP, ExcludedPoint, PlanRequest, Point, StockSlice
from services.promise.domain.personalising import Needs
from services.promise.domain.plans import SeenStock
from services.promise.domain.rulesets import Ruleset


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
    """One point. Units by SKU; `kept_back` of them by the routing buffer."""

    units: dict[str, int] = field(default_factory=dict)
    kept_back: dict[str, int] = field(default_factory=dict)
    unit_costs: dict[str, UnitCosts] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Stocked:
    """Units at all points (points x SKUs), to be shipped or to be handed over.

    `seen`: what the channel could take there, whatever bars it; `is_seen`: where it may take any. `units`: what it
    may take; `kept_back` of them by routing buffers.
    """

    seen: Ints
    is_seen: Bools
    units: Ints
    kept_back: Ints


class Shelves:
    """The shelves of all points for one question."""

    def __init__(
        self,
        stock: StockSlice,
        request: PlanRequest,
        ruleset: Ruleset,
        demand: Mapping[str, int],
        points: PointColumns,
        needs: Needs,
    ) -> None:
        self._stock = stock
        self._needs = needs
        self._request = request
        self._ruleset = ruleset
        self._points = points
        self._skus = list(demand)
        self._today = request.now.date()
        self._excluded: dict[tuple[str, str], ExcludedPoint] = {(e.point_id, e.sku): e for e in request.exclusions}
        self._has_unit_costs = any((ruleset.low_cover, ruleset.markdown, ruleset.short_pick_cost_minor))
        self._known: dict[str, Stocked] = {}

    def stocked(self, *, is_counter: bool = False) -> Stocked:
        """What the channel may ship, or hand over at the counters."""
        purpose = COLLECT if is_counter else SHIP
        if purpose not in self._known:
            self._known[purpose] = self._look(purpose)
        return self._known[purpose]

    def of(self, point: Point, *, is_counter: bool = False) -> Shelf:
        """Of one point."""
        stocked = self.stocked(is_counter=is_counter)
        row = self._points.row[point.point_id]
        shelf = Shelf()
        kept_back = stocked.kept_back[row].tolist()
        for sku, units, kept in zip(self._skus, stocked.units[row].tolist(), kept_back, strict=True):
            if not units:
                continue
            shelf.units[sku] = units
            if kept:
                shelf.kept_back[sku] = kept
            if self._has_unit_costs and (costs := self.unit_costs(sku, point, units)) is not NO_UNIT_COSTS:
                shelf.unit_costs[sku] = costs
        return shelf

    def seen(self, counter: Point | None, *, is_all: bool) -> list[SeenStock]:
        """What there was to look at: at all points, the counter's to be handed over; or at the counter alone."""
        stocked = self.stocked(is_counter=not is_all)
        is_seen, units = stocked.is_seen, stocked.seen
        if counter is not None:
            here = self._points.row[counter.point_id]
            at_counter = self.stocked(is_counter=True)
            if is_all:
                is_seen, units = is_seen.copy(), units.copy()
            else:
                is_seen = np.zeros_like(is_seen)
            is_seen[here], units[here] = at_counter.is_seen[here], at_counter.seen[here]
        rows, columns = np.nonzero(is_seen)
        found = zip(rows.tolist(), columns.tolist(), units[rows, columns].tolist(), strict=True)
        points, skus = self._points.points, self._skus
        return [SeenStock(skus[column], points[row].point_id, count) for row, column, count in found]

    def why_empty(self, point: Point, *, is_counter: bool = False) -> tuple[str, str]:
        """The reason that says most, and its words; of several SKUs those of the first."""
        whole = self._excluded.get((point.point_id, ""))
        if whole is not None:
            return "EXCLUDED", whole.reason
        is_seen = self.stocked(is_counter=is_counter).is_seen[self._points.row[point.point_id]].tolist()
        seen = [sku for sku, is_it in zip(self._skus, is_seen, strict=True) if is_it]
        for sku in seen:
            if excluded := self._excluded.get((point.point_id, sku)):
                return "EXCLUDED", f"{sku}: {excluded.reason}"
        for sku in seen:
            if point.brands and (brand := self._stock.items[sku].brand) not in point.brands:
                return "BRAND_NOT_CARRIED", f"does not carry {brand} ({sku})"
        for sku in seen:
            if sku in self._needs and not self._needs[sku].is_met_by(point):
                return "NOT_PERSONALISED_HERE", f"cannot do {self._needs[sku].in_words()} ({sku})"
        for sku in self._skus:
            if sku in seen or point.point_id not in self._stock.positions.get(sku, ()):
                return "NO_STOCK", f"no unit of {sku} that the channel may take"
        return "NOT_ACTIVATED", f"the channel may not sell {self._skus[0]} from here"

    def _look(self, purpose: str) -> Stocked:
        """Available is max(0, free + own holds - safety stock); an overlay replaces what is free."""
        shape = (len(self._points.points), len(self._skus))
        free, safety, kept_back = (np.zeros(shape, np.int64) for _ in range(3))
        is_seen = np.zeros(shape, np.bool_)
        rows_of = self._points.row
        for column, sku in enumerate(self._skus):
            found = columns_of(self._stock.positions.get(sku, {}), self._request.channel_id, purpose)
            rows = np.array([rows_of.get(point_id, -1) for point_id in found.point_ids], np.int64)
            known = rows >= 0  # A position may be told before its point.
            free[rows[known], column] = found.free[known]
            safety[rows[known], column] = found.safety_stock[known]
            kept_back[rows[known], column] = found.routing_buffer[known]
            is_seen[rows[known], column] = True
        self._believe(free)
        seen = np.where(is_seen, np.maximum(0, free - safety), 0)
        units = np.where(self._barred(), 0, seen)
        return Stocked(seen, is_seen, units, np.minimum(units, kept_back))

    def _believe(self, free: Ints) -> None:
        """What the question says of stock counts before what is known; the order's own units are free to it."""
        columns = {sku: column for column, sku in enumerate(self._skus)}
        rows = self._points.row
        for overlay in self._request.overlays:
            if overlay.sku in columns and overlay.point_id in rows:
                free[rows[overlay.point_id], columns[overlay.sku]] = overlay.free
        for hold in self._request.own_holds:
            if hold.sku in columns and hold.point_id in rows:
                free[rows[hold.point_id], columns[hold.sku]] += hold.quantity

    def _barred(self) -> Bools:
        """What is excluded, brands that a point does not carry, and what is to be done that it cannot do."""
        barred = np.zeros((len(self._points.points), len(self._skus)), np.bool_)
        for column, sku in enumerate(self._skus):
            barred[:, column] = ~self._points.carry(self._stock.items[sku].brand)
            if sku in self._needs:
                barred[:, column] |= ~self._points.able(self._needs[sku].capabilities)
        for point_id, sku in self._excluded:
            row = self._points.row.get(point_id)
            if row is not None and not sku:
                barred[row] = True
            elif row is not None and sku in self._skus:
                barred[row, self._skus.index(sku)] = True
        return barred

    def unit_costs(self, sku: str, point: Point, available: int) -> UnitCosts:
        """Of one unit, with so many at the point."""
        position = self._stock.positions.get(sku, {}).get(point.point_id)
        rules, facts = self._ruleset, position.facts if position else NO_FACTS
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
