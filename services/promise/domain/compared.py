"""What a comparison of two rulesets says: of one order, and of all of them. Values only.

Real cost is one yardstick for both: what carriers bill, and what preparing costs by the figures of the ruleset in
force. What each ruleset minimised, by its own weights, stands beside it and is comparable with nothing but itself.
"""

from dataclasses import dataclass
from datetime import date, datetime

from services.promise.domain.network import PointType
from services.promise.domain.plans import CostComponent

# -- what one order became ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class PlannedLeg:
    """What a point sends of an order; `parcels` is an estimate.

    `via_point_id`: to a hub. What goes on from there is the last of the legs, and has no units of its own.
    """

    point_id: str
    carrier_id: str
    service_id: str
    units: int
    parcels: int
    via_point_id: str = ""


@dataclass(frozen=True, slots=True)
class PlannedOrder:
    """An order's first plan. Without a leg there is no window and no day."""

    legs: tuple[PlannedLeg, ...]
    units_not_shipped: int
    shipping_minor: int
    preparation_minor: int
    objective_minor: int
    window_end: datetime | None
    promise_days: int
    carbon_grams_co2e: int

    @property
    def parcels(self) -> int:
        """That the customer receives."""
        return sum(leg.parcels for leg in self.legs if not leg.via_point_id)

    @property
    def real_cost_minor(self) -> int:
        """What the plan really costs."""
        return self.shipping_minor + self.preparation_minor


@dataclass(frozen=True, slots=True)
class ChangedOrder:
    """An order that the rulesets ship differently."""

    order_id: str
    placed_at: datetime
    live: PlannedOrder
    candidate: PlannedOrder

    @property
    def difference_minor(self) -> int:
        """Real cost of the candidate less that of the ruleset in force."""
        return self.candidate.real_cost_minor - self.live.real_cost_minor


# -- what all orders became -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Spread:
    """Percentiles are of the nearest rank; all 0 of no values."""

    mean: float
    p50: int
    p95: int
    max: int


@dataclass(frozen=True, slots=True)
class Bar:
    """How many orders have a value."""

    value: int
    orders: int


@dataclass(frozen=True, slots=True)
class ReasonCount:
    """A reason and how often it was met."""

    reason: str
    count: int


@dataclass(frozen=True, slots=True)
class Figures:
    """What a ruleset made of all orders."""

    whole_orders: int
    partial_orders: int
    unshipped_orders: int
    units_shipped: int
    units_not_shipped: int
    not_shipped: tuple[ReasonCount, ...]
    parcels: int
    split_orders: int
    shipping_minor: int
    preparation_minor: int
    objective_minor: int
    objective: tuple[CostComponent, ...]
    promise_days: Spread
    parcels_per_order: Spread
    carbon_grams_co2e: int
    carbon_factors: tuple[str, ...]
    late_orders: int
    not_proved_orders: int

    @property
    def real_cost_minor(self) -> int:
        """What the plans really cost."""
        return self.shipping_minor + self.preparation_minor


@dataclass(frozen=True, slots=True)
class LikeForLike:
    """Orders that both rulesets ship whole."""

    orders: int = 0
    live_real_cost_minor: int = 0
    candidate_real_cost_minor: int = 0
    live_parcels: int = 0
    candidate_parcels: int = 0


@dataclass(frozen=True, slots=True)
class DayLoad:
    """Work of a day, by the hand-over in the zone of the point."""

    day: date
    parcels: int
    units: int


@dataclass(frozen=True, slots=True)
class Load:
    """Work of a point or of all points of a type."""

    parcels: int
    units: int
    busiest_day: date | None
    busiest_day_parcels: int
    days: tuple[DayLoad, ...]


@dataclass(frozen=True, slots=True)
class PointLoad:
    """A point under both rulesets."""

    point_id: str
    point_type: PointType
    live: Load
    candidate: Load


@dataclass(frozen=True, slots=True)
class PointTypeLoad:
    """All points of a type under both rulesets."""

    point_type: PointType
    live: Load
    candidate: Load


@dataclass(frozen=True, slots=True)
class Result:
    """The comparison."""

    orders: int
    lines: int
    units: int
    live: Figures
    candidate: Figures
    changed_orders: int
    like_for_like: LikeForLike
    points: tuple[PointLoad, ...]
    point_types: tuple[PointTypeLoad, ...]
    changed: tuple[ChangedOrder, ...]
    only_live: tuple[ChangedOrder, ...]
    only_candidate: tuple[ChangedOrder, ...]
    only_live_orders: int
    only_candidate_orders: int
    skipped: tuple[ReasonCount, ...]
    notes: tuple[str, ...]
    as_recorded_orders: int
    has_days: bool
    live_promise_days: tuple[Bar, ...]
    candidate_promise_days: tuple[Bar, ...]
    live_parcels: tuple[Bar, ...]
    candidate_parcels: tuple[Bar, ...]
