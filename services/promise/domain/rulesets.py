"""What plans are judged by: versioned figures. A published version never changes."""

import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from services.promise.domain.network import PointType

DEFAULT_ID = "default"
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class PreparationCost:
    """Cost of preparing a parcel at a type of point."""

    point_type: PointType
    cost_minor: int


@dataclass(frozen=True, slots=True)
class PriorityCost:
    """What sending from a type of point costs in the eyes of the business, beside what it really costs."""

    point_type: PointType
    cost_minor: int


@dataclass(frozen=True, slots=True)
class Tier:
    """Types of point that are asked before those of the tiers after it: strictly, whatever they cost."""

    point_types: tuple[PointType, ...]


@dataclass(frozen=True, slots=True)
class LowCover:
    """A unit of an article that a point would soon miss costs up to `cost_minor`, at `days` of cover nothing."""

    days: int
    cost_minor: int

    def cost(self, available: int, daily_sales: float) -> int:
        """Of one unit, with `available` units at the point before it is taken. Falls evenly with cover."""
        if daily_sales <= 0:
            return 0
        missing = 1 - available / daily_sales / self.days
        return math.floor(self.cost_minor * max(0.0, missing) + 0.5)


@dataclass(frozen=True, slots=True)
class Markdown:
    """Selling a unit that would be marked down within `days` gains `gain_percent` of what it would lose."""

    days: int
    gain_percent: int

    def gain(self, price_minor: int, markdown_percent: int, days_left: int) -> int:
        """What selling one unit now saves; nothing when the markdown is further away or past."""
        if not 0 <= days_left <= self.days:
            return 0
        return price_minor * markdown_percent * self.gain_percent // 10_000


@dataclass(frozen=True, slots=True)
class Consolidation:
    """A parcel that is joined at a hub costs `cost_minor`; the customer waits up to `wait_days` more for all."""

    cost_minor: int
    wait_days: int

    @property
    def wait(self) -> timedelta:
        """By how much the end of the window may move."""
        return timedelta(days=self.wait_days)


class Strictness(NamedTuple):
    """How far strict rules are kept: no type of point of a later tier, and perhaps nothing of routing buffers."""

    last_tier: int
    keeps_buffers: bool


NO_RULE = Strictness(sys.maxsize, keeps_buffers=False)


@dataclass(frozen=True, slots=True)
class Ruleset:
    """Amounts are minor units of `currency`. Types of point without a cost cost nothing; a limit of 0 is none.

    `shipping_percent`: the weight of the carriers' rates.
    `max_delivery_days`: from the question to the end of the window.
    `min_split_value_minor`: what each parcel of a split is worth at least, at the channel's prices.
    `max_parcels`: points that an order may leave from; heavy goods may take several parcels from one.
    `together_tags`: items with one of these tags leave from one point, those of each tag together.
    `short_pick_cost_minor`: of a unit that the point does not find, times how often it does not.
    `capacity_pressure_minor`: of a leg at a point, for each full day that it passes over, and by the share that is
    taken of the day on which it begins.
    `max_wait_days`: from when work could begin until stock to come is due that a leg waits for; 0: it never waits.
    `waiting_day_minor`: of a leg, for each day begun of that.
    `replan_ruleset_id`: what an order is judged by once a point refused it or was short; empty for this one.
    """

    ruleset_id: str
    version: int
    currency: str
    split_cost_minor: int
    preparation_costs: tuple[PreparationCost, ...]
    distance_cost_minor_per_kilometre: float
    lateness_cost_minor_per_day: int
    max_parcels: int
    alternatives: int
    shipping_percent: int = 100
    priority_costs: tuple[PriorityCost, ...] = ()
    tiers: tuple[Tier, ...] = ()
    max_distance_kilometres: int = 0
    max_delivery_days: int = 0
    min_split_value_minor: int = 0
    together_tags: tuple[str, ...] = ()
    low_cover: LowCover | None = None
    markdown: Markdown | None = None
    short_pick_cost_minor: int = 0
    replan_ruleset_id: str = ""
    capacity_pressure_minor: int = 0
    consolidation: Consolidation | None = None
    max_wait_days: int = 0
    waiting_day_minor: int = 0

    def preparation_cost(self, point_type: PointType) -> int:
        """Of one parcel."""
        return _of(self.preparation_costs, point_type)

    def priority_cost(self, point_type: PointType) -> int:
        """Of one parcel."""
        return _of(self.priority_costs, point_type)

    def tier(self, point_type: PointType) -> int:
        """The number of its tier; types that no tier names come after all of them."""
        return next((n for n, tier in enumerate(self.tiers) if point_type in tier.point_types), len(self.tiers))

    def distance_cost(self, kilometres: float) -> int:
        """Of one parcel, half a minor unit and more rounded up."""
        return math.floor(self.distance_cost_minor_per_kilometre * kilometres + 0.5)

    def lateness_cost(self, window_end: datetime, promised_until: datetime | None) -> int:
        """For each day begun after the promise; a plan within it pays nothing."""
        if promised_until is None or window_end <= promised_until:
            return 0
        return days_begun(promised_until, window_end) * self.lateness_cost_minor_per_day

    def may_wait(self, start: datetime, due_at: datetime) -> bool:
        """Whether units that are due then are waited for by work that could begin at `start`."""
        return bool(self.max_wait_days) and due_at - start <= self.max_wait_days * _DAY

    def waiting_cost(self, start: datetime, due_at: datetime) -> int:
        """For each day begun until the units are due."""
        return days_begun(start, due_at) * self.waiting_day_minor


def days_begun(start: datetime, end: datetime) -> int:
    """From one instant to another; 0 when that lies before it."""
    return max(0, -((start - end) // _DAY))


def _of(costs: Sequence[PreparationCost] | Sequence[PriorityCost], point_type: PointType) -> int:
    return next((cost.cost_minor for cost in costs if cost.point_type is point_type), 0)
