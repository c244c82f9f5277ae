"""Two outcomes an order, folded into one comparison: what each ruleset ships, costs, promises and emits."""

import heapq
import math
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import date
from zoneinfo import ZoneInfo

from services.promise.domain.compared import (
    Bar,
    ChangedOrder,
    DayLoad,
    Figures,
    LikeForLike,
    Load,
    PlannedLeg,
    PlannedOrder,
    PointLoad,
    PointTypeLoad,
    ReasonCount,
    Result,
    Spread,
)
from services.promise.domain.network import PlanRequest, Point, PointType
from services.promise.domain.plans import CostComponent, Leg, Outcome, Plan
from services.promise.domain.rulesets import Ruleset

# Loads by point and day that are kept: 500 points for half a year. Beyond, only the busiest day of each is told.
MAX_DAYS = 100_000


class Comparison:
    """Takes orders one after the other; its memory grows with points and days, not with orders."""

    def __init__(self, yardstick: Ruleset, points: Mapping[str, Point], listed_orders: int) -> None:
        """`yardstick`: the ruleset in force, whose preparation costs both sides are measured by."""
        self._listed = listed_orders
        self._points = points
        self._live = _Side(yardstick, points)
        self._candidate = _Side(yardstick, points)
        self._orders = self._lines = self._units = self._as_recorded = 0
        self._like_for_like = LikeForLike()
        self._changed_orders = 0
        # The smallest first, so that it can go; of equal ones the latest. Orders are never compared.
        self._changed: list[tuple[int, int, ChangedOrder]] = []
        self._only: dict[str, list[ChangedOrder]] = {"live": [], "candidate": []}
        self._only_orders: Counter[str] = Counter()

    @property
    def orders(self) -> int:
        """How many were taken."""
        return self._orders

    def take(
        self,
        order_id: str,
        request: PlanRequest,
        zone: ZoneInfo,
        live: Outcome,
        candidate: Outcome,
        recorded: Outcome | None = None,
    ) -> None:
        """One order. `zone`: of its destination; `recorded`: what was chosen then, if it was."""
        self._orders += 1
        self._lines += len(request.lines)
        self._units += sum(line.quantity for line in request.lines)
        if recorded is not None:
            self._as_recorded += _shape(recorded) == _shape(live)
        both = ChangedOrder(
            order_id,
            request.now,
            self._live.add(request, zone, live),
            self._candidate.add(request, zone, candidate),
        )
        if _shape(live) != _shape(candidate):
            self._changed_orders += 1
        if live.is_complete and candidate.is_complete:
            self._take_whole(both, changed=_shape(live) != _shape(candidate))
        elif live.is_complete or candidate.is_complete:
            side = "live" if live.is_complete else "candidate"
            self._only_orders[side] += 1
            if len(self._only[side]) < self._listed:
                self._only[side].append(both)

    def _take_whole(self, both: ChangedOrder, *, changed: bool) -> None:
        so_far = self._like_for_like
        self._like_for_like = LikeForLike(
            so_far.orders + 1,
            so_far.live_real_cost_minor + both.live.real_cost_minor,
            so_far.candidate_real_cost_minor + both.candidate.real_cost_minor,
            so_far.live_parcels + both.live.parcels,
            so_far.candidate_parcels + both.candidate.parcels,
        )
        if changed:
            heapq.heappush(self._changed, (abs(both.difference_minor), -self._orders, both))
            if len(self._changed) > self._listed:
                heapq.heappop(self._changed)

    def result(self, skipped: Mapping[str, int], notes: Iterable[str]) -> Result:
        """What was taken so far."""
        has_days = self._live.kept_days + self._candidate.kept_days <= MAX_DAYS
        return Result(
            orders=self._orders,
            lines=self._lines,
            units=self._units,
            live=self._live.figures(),
            candidate=self._candidate.figures(),
            changed_orders=self._changed_orders,
            like_for_like=self._like_for_like,
            points=tuple(self._point_loads(has_days)),
            point_types=tuple(self._type_loads()),
            changed=tuple(order for *_, order in sorted(self._changed, key=lambda one: one[:2], reverse=True)),
            only_live=tuple(self._only["live"]),
            only_candidate=tuple(self._only["candidate"]),
            only_live_orders=self._only_orders["live"],
            only_candidate_orders=self._only_orders["candidate"],
            skipped=_counts(skipped),
            notes=tuple(notes),
            as_recorded_orders=self._as_recorded,
            has_days=has_days,
            live_promise_days=_bars(self._live.promise_days),
            candidate_promise_days=_bars(self._candidate.promise_days),
            live_parcels=_bars(self._live.parcels_per_order),
            candidate_parcels=_bars(self._candidate.parcels_per_order),
        )

    def _point_loads(self, has_days: bool) -> Iterable[PointLoad]:
        live, candidate = self._live.work, self._candidate.work
        for point_id in sorted(live.keys() | candidate.keys()):
            yield PointLoad(
                point_id,
                self._points[point_id].type,
                _load(live.get(point_id, {}), has_days),
                _load(candidate.get(point_id, {}), has_days),
            )

    def _type_loads(self) -> Iterable[PointTypeLoad]:
        live, candidate = self._live.work_by_type(), self._candidate.work_by_type()
        for point_type in sorted(live.keys() | candidate.keys()):
            yield PointTypeLoad(
                point_type,
                _load(live.get(point_type, {}), has_days=True),
                _load(candidate.get(point_type, {}), has_days=True),
            )


# Day -> parcels and units.
_Days = dict[date, tuple[int, int]]


class _Side:
    """What one ruleset made of the orders so far."""

    def __init__(self, yardstick: Ruleset, points: Mapping[str, Point]) -> None:
        self._yardstick = yardstick
        self._points = points
        self._counts: Counter[str] = Counter()
        self._not_shipped: Counter[str] = Counter()
        self._objective: Counter[str] = Counter()
        self._factors: dict[str, None] = {}
        self.promise_days: Counter[int] = Counter()
        self.parcels_per_order: Counter[int] = Counter()
        self.work: dict[str, _Days] = {}
        self.kept_days = 0

    def add(self, request: PlanRequest, zone: ZoneInfo, outcome: Outcome) -> PlannedOrder:
        """The order as it is planned."""
        missing = sum(part.quantity for part in outcome.unplanned)
        for part in outcome.unplanned:
            self._not_shipped[part.reason] += part.quantity
        self._counts["not_shipped"] += missing
        self._counts["not_proved"] += not outcome.proved_optimal
        if not outcome.plans:
            self._counts["unshipped"] += 1
            return PlannedOrder((), missing, 0, 0, 0, None, 0, 0)
        plan = outcome.plans[0]
        days = (plan.window.end.astimezone(zone).date() - request.now.astimezone(zone).date()).days
        planned = PlannedOrder(
            legs=tuple(
                PlannedLeg(
                    leg.point_id, leg.carrier_id, leg.service_id, _units(leg), leg.parcels, leg.via_point_id
                )
                for leg in plan.shipments
            ),
            units_not_shipped=missing,
            shipping_minor=sum(leg.shipping_cost_minor for leg in plan.shipments),
            preparation_minor=self._preparation(plan),
            objective_minor=plan.total_cost_minor,
            window_end=plan.window.end,
            promise_days=days,
            carbon_grams_co2e=plan.carbon.grams_co2e,
        )
        self._counts["whole" if not missing else "partial"] += 1
        self._counts["late"] += request.promised_until is not None and plan.window.end > request.promised_until
        self._count(planned)
        for cost in plan.costs:
            self._objective[cost.name] += cost.amount_minor
        for leg in plan.shipments:
            if leg.carbon.factor:
                self._factors[leg.carbon.factor] = None
            self._work(leg)
        return planned

    def _preparation(self, plan: Plan) -> int:
        """Of each leg that is sent, its boxes, and of joining it at a hub; what that has itself comes with them.

        Where the ruleset in force knows no cost of joining, it is that of the ruleset which joined them.
        """
        sending = [leg for leg in plan.shipments if leg.carrier_id or not leg.via_point_id]
        joined = sum(cost.amount_minor for cost in plan.costs if cost.name == "consolidation")
        if (known := self._yardstick.consolidation) is not None:
            joined = known.cost_minor * sum(leg.parcels for leg in sending if leg.via_point_id)
        boxes = sum(leg.packaging_cost_minor for leg in plan.shipments)
        prepared = sum(self._yardstick.preparation_cost(self._points[leg.point_id].type) for leg in sending)
        return joined + boxes + prepared

    def _count(self, planned: PlannedOrder) -> None:
        parcels = planned.parcels
        self.promise_days[planned.promise_days] += 1
        self.parcels_per_order[parcels] += 1
        self._counts["parcels"] += parcels
        self._counts["split"] += sum(not leg.via_point_id for leg in planned.legs) > 1
        self._counts["units"] += sum(leg.units for leg in planned.legs)
        self._counts["shipping"] += planned.shipping_minor
        self._counts["preparation"] += planned.preparation_minor
        self._counts["objective"] += planned.objective_minor
        self._counts["carbon"] += planned.carbon_grams_co2e

    def _work(self, leg: Leg) -> None:
        day = leg.hand_over_by.astimezone(ZoneInfo(self._points[leg.point_id].time_zone)).date()
        days = self.work.setdefault(leg.point_id, {})
        self.kept_days += day not in days
        parcels, units = days.get(day, (0, 0))
        days[day] = (parcels + leg.parcels, units + _units(leg))

    def work_by_type(self) -> dict[PointType, _Days]:
        """The work of all points of a type."""
        found: dict[PointType, _Days] = {}
        for point_id, days in self.work.items():
            of_type = found.setdefault(self._points[point_id].type, {})
            for day, (parcels, units) in days.items():
                so_far = of_type.get(day, (0, 0))
                of_type[day] = (so_far[0] + parcels, so_far[1] + units)
        return found

    def figures(self) -> Figures:
        """What was added so far."""
        counts = self._counts
        return Figures(
            whole_orders=counts["whole"],
            partial_orders=counts["partial"],
            unshipped_orders=counts["unshipped"],
            units_shipped=counts["units"],
            units_not_shipped=counts["not_shipped"],
            not_shipped=_counts(self._not_shipped),
            parcels=counts["parcels"],
            split_orders=counts["split"],
            shipping_minor=counts["shipping"],
            preparation_minor=counts["preparation"],
            objective_minor=counts["objective"],
            objective=tuple(CostComponent(name, amount) for name, amount in self._objective.items()),
            promise_days=spread(self.promise_days),
            parcels_per_order=spread(self.parcels_per_order),
            carbon_grams_co2e=counts["carbon"],
            carbon_factors=tuple(sorted(self._factors)),
            late_orders=counts["late"],
            not_proved_orders=counts["not_proved"],
        )


def spread(values: Mapping[int, int]) -> Spread:
    """Of values with how often each was met."""
    total = sum(values.values())
    if not total:
        return Spread(0.0, 0, 0, 0)
    mean = sum(value * times for value, times in values.items()) / total
    return Spread(mean, _percentile(values, 50, total), _percentile(values, 95, total), max(values))


def _percentile(values: Mapping[int, int], percent: int, total: int) -> int:
    """The least value that so many percent of all do not exceed."""
    wanted = math.ceil(total * percent / 100)
    met = 0
    for value in sorted(values):
        met += values[value]
        if met >= wanted:
            return value
    raise ValueError("there are no values")


def _shape(outcome: Outcome) -> tuple[object, ...]:
    """What tells two ways to ship an order apart: who sends which units by which service."""
    if not outcome.plans:
        return ()
    return tuple((leg.point_id, leg.carrier_id, leg.service_id, leg.lines) for leg in outcome.plans[0].shipments)


def _units(leg: Leg) -> int:
    return sum(line.quantity for line in leg.lines)


def _load(days: _Days, has_days: bool) -> Load:
    busiest = min(days, key=lambda day: (-days[day][0], day), default=None)
    return Load(
        parcels=sum(parcels for parcels, _ in days.values()),
        units=sum(units for _, units in days.values()),
        busiest_day=busiest,
        busiest_day_parcels=days[busiest][0] if busiest else 0,
        days=tuple(DayLoad(day, *days[day]) for day in sorted(days)) if has_days else (),
    )


def _counts(counted: Mapping[str, int]) -> tuple[ReasonCount, ...]:
    return tuple(ReasonCount(reason, counted[reason]) for reason in sorted(counted) if counted[reason])


def _bars(values: Mapping[int, int]) -> tuple[Bar, ...]:
    return tuple(Bar(value, values[value]) for value in sorted(values))
