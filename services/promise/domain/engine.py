"""The one planning engine: what can be promised, and where to ship it from.

plan(snapshot, request, ruleset) is pure: the same arguments give the same answer. It chooses the points, services
and quantities of least total cost: shipping by the carriers' steps, preparation, split, distance and lateness.
"""

from collections.abc import Mapping, Sequence

from services.promise.domain import carbon
from services.promise.domain.candidates import Candidate, Gathered, Gatherer, Snapshot
from services.promise.domain.network import BasketLine, PlanRequest
from services.promise.domain.plans import CostComponent, Leg, LegLine, Outcome, Plan, Unplanned
from services.promise.domain.rates import parcel_cost
from services.promise.domain.rulesets import Ruleset
from services.promise.domain.search import Demand, Found, Search

# About a fifth of a second of one core. Steps, not seconds: an answer must not depend on the machine.
BUDGET_STEPS = 200_000


def plan(snapshot: Snapshot, request: PlanRequest, ruleset: Ruleset, budget_steps: int = BUDGET_STEPS) -> Outcome:
    """Ranked plans, best first; what is not planned and why; what was rejected and why.

    When not every unit can be served, the plans serve the most units.
    """
    area = snapshot.geography.area(request.destination)
    if area is None or not snapshot.geography.zones(request.destination):
        unplanned = [
            Unplanned(line.line_number, line.sku, line.quantity, "UNKNOWN_DESTINATION") for line in request.lines
        ]
        return Outcome((), tuple(unplanned), (), (), proved_optimal=True)
    wanted: dict[str, int] = {}
    for line in request.lines:
        if line.sku in snapshot.stock.items:
            wanted[line.sku] = wanted.get(line.sku, 0) + line.quantity
    if not wanted:
        return Outcome((), _unplanned(request.lines, {}, {}), (), (), proved_optimal=True)

    gathered = Gatherer(snapshot, request, ruleset, wanted, area).gather()
    answer = Search(gathered.candidates, ruleset, request.promised_until).run(
        _demand(snapshot, wanted, gathered.candidates), budget_steps
    )
    served = dict(zip(wanted, answer.units, strict=True))
    reasons = {sku: _reason(sku, units, gathered, answer.found) for sku, units in wanted.items()}
    return Outcome(
        plans=tuple(_plan(found, request, ruleset, wanted, snapshot) for found in answer.found),
        unplanned=_unplanned(request.lines, served, reasons),
        rejected=tuple(gathered.rejected),
        seen=tuple(gathered.seen),
        proved_optimal=answer.proved,
    )


def _demand(snapshot: Snapshot, wanted: Mapping[str, int], candidates: Sequence[Candidate]) -> Demand:
    """What is wanted, as far as there is anything of it to send. One candidate a point counts: the roomiest."""
    reachable: list[int] = []
    for sku, units in wanted.items():
        by_point: dict[str, int] = {}
        for candidate in candidates:
            point_id = candidate.point.point_id
            by_point[point_id] = max(by_point.get(point_id, 0), candidate.capacity.get(sku, 0))
        reachable.append(min(units, sum(by_point.values())))
    weights = tuple(snapshot.stock.items[sku].weight_grams for sku in wanted)
    return Demand(tuple(wanted), weights, tuple(reachable))


def _plan(
    found: Found, request: PlanRequest, ruleset: Ruleset, wanted: Mapping[str, int], snapshot: Snapshot
) -> Plan:
    lines = _LineFiller(request.lines)
    weights = [snapshot.stock.items[sku].weight_grams for sku in wanted]
    legs = tuple(
        _leg(candidate, tuple(wanted), share, weights, lines)
        for candidate, share in sorted(zip(found.legs, found.shares, strict=True), key=lambda pair: pair[0].id)
    )
    costs = (
        CostComponent("shipping", sum(leg.shipping_cost_minor for leg in legs)),
        CostComponent("preparation", sum(candidate.preparation_cost for candidate in found.legs)),
        CostComponent("split", (len(legs) - 1) * ruleset.split_cost_minor),
        CostComponent("distance", sum(candidate.distance_cost for candidate in found.legs)),
        CostComponent("lateness", ruleset.lateness_cost(found.window.end, request.promised_until)),
    )
    return Plan(
        legs=legs,
        window=found.window,
        order_before=found.order_before(),
        total_cost_minor=found.cost,
        costs=costs,
        carbon=carbon.total(leg.carbon for leg in legs),
        price=max((c.terms.customer_price for c in found.legs), key=lambda money: money.amount_minor),
    )


def _leg(
    candidate: Candidate, skus: Sequence[str], share: Sequence[int], weights: Sequence[int], lines: "_LineFiller"
) -> Leg:
    weight = sum(units * w for units, w in zip(share, weights, strict=True))
    return Leg(
        point_id=candidate.point.point_id,
        carrier_id=candidate.carrier_id,
        service_id=candidate.service.service_id,
        lines=tuple(part for sku, units in zip(skus, share, strict=True) for part in lines.take(sku, units)),
        window=candidate.window,
        hand_over_by=candidate.hand_over.at,
        weight_grams=weight,
        shipping_cost_minor=parcel_cost(candidate.steps, weight),
        carbon=carbon.of_parcel(candidate.service, weight, candidate.distance_kilometres),
        distance_kilometres=candidate.distance_kilometres,
    )


class _LineFiller:
    """Gives units of a SKU to the order lines that want it, first line first."""

    def __init__(self, lines: Sequence[BasketLine]) -> None:
        self._open: dict[str, list[tuple[int, int]]] = {}
        for line in reversed(lines):
            self._open.setdefault(line.sku, []).append((line.line_number, line.quantity))

    def take(self, sku: str, units: int) -> list[LegLine]:
        """Parts of lines that make up `units`."""
        taken: list[LegLine] = []
        waiting = self._open[sku]
        while units:
            line_number, wanted = waiting.pop()
            part = min(units, wanted)
            taken.append(LegLine(line_number, sku, part))
            units -= part
            if wanted > part:
                waiting.append((line_number, wanted - part))
        return taken


def _unplanned(
    lines: Sequence[BasketLine], served: Mapping[str, int], reasons: Mapping[str, str]
) -> tuple[Unplanned, ...]:
    """What no plan serves, taken from the last lines of a SKU."""
    left = dict(served)
    unplanned: list[Unplanned] = []
    for line in lines:
        part = min(line.quantity, left.get(line.sku, 0))
        if line.sku in left:
            left[line.sku] -= part
        if part < line.quantity:
            reason = reasons.get(line.sku, "UNKNOWN_ITEM")
            unplanned.append(Unplanned(line.line_number, line.sku, line.quantity - part, reason))
    return tuple(unplanned)


def _reason(sku: str, units: int, gathered: Gathered, found: Sequence[Found]) -> str:
    """Why units of a SKU have no place, if some have none."""
    if gathered.stocked.get(sku, 0) < units:
        return "NO_STOCK"
    senders = [c for c in gathered.candidates if sku in c.capacity]
    roomiest: dict[str, int] = {}
    for candidate in senders:
        point_id = candidate.point.point_id
        roomiest[point_id] = max(roomiest.get(point_id, 0), candidate.capacity[sku])
    if sum(roomiest.values()) < units:
        return gathered.misfits.get(sku, "NO_CARRIER")
    used = {leg.point.point_id for leg in found[0].legs} if found else set()
    return "TOO_HEAVY" if roomiest.keys() <= used else "TOO_MANY_PARCELS"


__all__ = ["BUDGET_STEPS", "Snapshot", "plan"]
