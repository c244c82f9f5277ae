"""What plans are judged by: versioned figures. A published version never changes."""

import math
from dataclasses import dataclass
from datetime import datetime, timedelta

from services.promise.domain.network import PointType

DEFAULT_ID = "default"
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class PreparationCost:
    """Cost of preparing a parcel at a type of point."""

    point_type: PointType
    cost_minor: int


@dataclass(frozen=True, slots=True)
class Ruleset:
    """Amounts are minor units of `currency`. Types of point without a preparation cost cost nothing."""

    ruleset_id: str
    version: int
    currency: str
    split_cost_minor: int
    preparation_costs: tuple[PreparationCost, ...]
    distance_cost_minor_per_kilometre: float
    lateness_cost_minor_per_day: int
    max_parcels: int
    alternatives: int

    def preparation_cost(self, point_type: PointType) -> int:
        """Of one parcel."""
        return next((cost.cost_minor for cost in self.preparation_costs if cost.point_type is point_type), 0)

    def distance_cost(self, kilometres: float) -> int:
        """Of one parcel, half a minor unit and more rounded up."""
        return math.floor(self.distance_cost_minor_per_kilometre * kilometres + 0.5)

    def lateness_cost(self, window_end: datetime, promised_until: datetime | None) -> int:
        """For each day begun after the promise; a plan within it pays nothing."""
        if promised_until is None or window_end <= promised_until:
            return 0
        return -((promised_until - window_end) // _DAY) * self.lateness_cost_minor_per_day
