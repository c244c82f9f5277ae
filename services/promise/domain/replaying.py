"""Decisions made again from their record, and what else they might have chosen (SPEC RTE-5).

Recorded: the question, the units that the channel could take at each position and those to come, routing buffers,
facts, the ruleset version. Today's: points with their calendars, items, carriers with their rates, geography.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import islice

from services.promise.domain import engine
from services.promise.domain.capacity import Capacity
from services.promise.domain.network import (
    COLLECT,
    NO_FACTS,
    SHIP,
    BasketLine,
    Coming,
    ComingUnits,
    Facts,
    Limits,
    PlanRequest,
    StockPosition,
    StockSlice,
)
from services.promise.domain.plans import Decision, LegLine, Outcome, Plan, Rejected
from services.promise.domain.rulesets import Ruleset
from services.promise.domain.snapshot import Snapshot

# Of how many articles of a point the cheapest plan that takes one of it there is looked for.
ARTICLES_TRIED = 20
# Not a SKU of anybody: the unit of an article that must come from one point.
_TIED = "\0"


class Verdict(StrEnum):
    """What became of a point that was asked about."""

    USED = "used"
    UNKNOWN_POINT = "unknown_point"
    DROPPED = "dropped"
    NOT_POSSIBLE = "not_possible"
    NOT_BETTER = "not_better"
    BETTER = "better"


@dataclass(frozen=True, slots=True)
class WhyNot:
    """A point, and what using it would have meant.

    `chosen`: the plan as the replay makes it, `is_same` whether it is the recorded one. `forced`: the cheapest
    plan found for the same units that sends at least one of them from the point. `proved`: none is cheaper.
    """

    point_id: str
    verdict: Verdict
    dropped: tuple[Rejected, ...] = ()
    chosen: Plan | None = None
    forced: Plan | None = None
    proved: bool = False
    is_same: bool = True


def question(decision: Decision) -> PlanRequest:
    """What was asked; holds and overlays are in the stock that was seen already.

    What must be put on an article today was not asked of an order that stands.
    """
    request = replace(decision.request, overlays=(), own_holds=(), supply_overlays=(), check_required=False)
    quoted = decision.record.quoted
    if quoted is not None and decision.record.quote_problem == "NOT_KEPT":
        return replace(request, limits=Limits(quoted.plan.window.end, quoted.plan.price))
    return request


def stock_seen(decision: Decision, today: StockSlice) -> StockSlice:
    """The stock that a decision saw; items and points are today's. Facts too where the decision kept no record."""
    channel_id = decision.request.channel_id
    is_recorded = bool(decision.record.inputs_hash)
    kept = {(one.sku, one.point_id): one for one in decision.record.terms}
    positions: dict[str, dict[str, StockPosition]] = {}
    for seen in decision.outcome.seen:
        terms = kept.get((seen.sku, seen.point_id))
        facts, buffer = (terms.facts, terms.routing_buffer) if terms else (NO_FACTS, 0)
        if not is_recorded:
            facts = _todays_facts(today, seen.sku, seen.point_id)
        positions.setdefault(seen.sku, {})[seen.point_id] = StockPosition(
            free=seen.available,
            safety_stock={channel_id: 0},
            routing_buffers={channel_id: buffer} if buffer else {},
            facts=facts,
        )
    coming: dict[str, dict[str, tuple[Coming, ...]]] = {}
    for one in decision.outcome.coming:
        here = coming.setdefault(one.sku, {})
        units = ComingUnits(one.units, one.due_at, frozenset({SHIP, COLLECT}))
        here[one.point_id] = (*here.get(one.point_id, ()), Coming(one.supply_id, {channel_id: units}))
    return replace(today, view=decision.stock, positions=positions, coming=coming)


def snapshot_of(decision: Decision, today: Snapshot) -> Snapshot:
    """The network of a decision: its stock, today's points and terms."""
    capacity = Capacity.as_seen(decision.record.capacity)
    return replace(today, stock=stock_seen(decision, today.stock), capacity=capacity)


def alone(decision: Decision, point_ids: Iterable[str], today: Snapshot, ruleset: Ruleset) -> dict[str, Outcome]:
    """What each of these points would have made of it with no other to help."""
    seen = snapshot_of(decision, today)
    return {
        point_id: engine.plan(_only(seen, point_id), question(decision), ruleset)
        for point_id in point_ids
        if point_id in seen.stock.points
    }


def at_once(decision: Decision, today: Snapshot, ruleset: Ruleset) -> Outcome:
    """What it would have been without waiting for stock to come."""
    return engine.plan(snapshot_of(decision, today), replace(question(decision), may_wait=False), ruleset)


def why_not(decision: Decision, point_id: str, today: Snapshot, ruleset: Ruleset) -> WhyNot:
    """What using a point would have meant, on the stock that the decision saw."""
    recorded = decision.outcome.plans[0] if decision.outcome.plans else None
    if recorded is not None and any(leg.point_id == point_id for leg in recorded.shipments):
        return WhyNot(point_id, Verdict.USED, chosen=recorded)
    dropped = tuple(one for one in decision.outcome.rejected if one.point_id == point_id)
    if point_id not in today.stock.points:
        verdict = Verdict.DROPPED if dropped else Verdict.UNKNOWN_POINT
        return WhyNot(point_id, verdict, dropped, recorded)
    seen, asked = snapshot_of(decision, today), question(decision)
    base = engine.plan(seen, asked, ruleset)
    chosen = base.plans[0] if base.plans else None
    is_same = decision.quote_broken or _shape(chosen) == _shape(recorded)
    by_itself = engine.plan(_only(seen, point_id), asked, ruleset)
    if not by_itself.plans:
        return WhyNot(point_id, Verdict.DROPPED, dropped or by_itself.rejected, chosen, is_same=is_same)
    same_units = replace(asked, lines=tuple(_served(asked, chosen or by_itself.plans[0])))
    forced, proved = _cheapest_with(point_id, seen, same_units, ruleset)
    if forced is None:
        return WhyNot(point_id, Verdict.NOT_POSSIBLE, dropped, chosen, is_same=is_same)
    is_better = chosen is None or forced.total_cost_minor < chosen.total_cost_minor
    verdict = Verdict.BETTER if is_better else Verdict.NOT_BETTER
    return WhyNot(point_id, verdict, dropped, chosen, forced, proved, is_same)


# -- plans that must use a point ------------------------------------------------------------------------------


def _cheapest_with(
    point_id: str, seen: Snapshot, asked: PlanRequest, ruleset: Ruleset
) -> tuple[Plan | None, bool]:
    """The cheapest plan for all units that takes at least one from the point; whether it is proved.

    One unit of an article becomes an article of its own that only this point has. The best over all articles of
    the point is the best plan that uses it.
    """
    skus = [
        sku
        for sku in dict.fromkeys(line.sku for line in asked.lines)
        if point_id in (here := seen.stock.positions.get(sku, {})) and here[point_id].free
    ]
    best: Plan | None = None
    proved = len(skus) <= ARTICLES_TRIED
    for sku in islice(skus, ARTICLES_TRIED):
        outcome = engine.plan(*_tied(seen, asked, sku, point_id), ruleset)
        proved = proved and outcome.proved_optimal
        if outcome.is_complete:
            plan = _untied(outcome.plans[0], sku)
            if best is None or plan.total_cost_minor < best.total_cost_minor:
                best = plan
    return best, proved


def _tied(seen: Snapshot, asked: PlanRequest, sku: str, point_id: str) -> tuple[Snapshot, PlanRequest]:
    """The same question in which one unit of an article must come from one point."""
    stock, channel_id = seen.stock, asked.channel_id
    here = stock.positions[sku][point_id]
    buffer = here.routing_buffers.get(channel_id, 0)
    rest = replace(
        here,
        free=here.free - 1,
        facts=_same_cover(here.facts, here.free, here.free - 1),
        routing_buffers={channel_id: min(buffer, here.free - 1)},
    )
    one = replace(
        here,
        free=1,
        facts=_same_cover(here.facts, here.free, 1),
        routing_buffers={channel_id: 1 if buffer >= here.free else 0},
    )
    tied = replace(
        stock,
        items={**stock.items, _TIED: replace(stock.items[sku], sku=_TIED)},
        positions={**stock.positions, sku: {**stock.positions[sku], point_id: rest}, _TIED: {point_id: one}},
    )
    lines: list[BasketLine] = []
    is_tied = False
    for line in asked.lines:
        if line.sku != sku or is_tied:
            lines.append(line)
            continue
        is_tied = True
        lines.append(replace(line, sku=_TIED, quantity=1))
        if line.quantity > 1:
            lines.append(replace(line, quantity=line.quantity - 1))
    exclusions = asked.exclusions + tuple(replace(one, sku=_TIED) for one in asked.exclusions if one.sku == sku)
    return replace(seen, stock=tied), replace(asked, lines=tuple(lines), exclusions=exclusions)


def _same_cover(facts: Facts, before: int, after: int) -> Facts:
    """Fewer units that last as long, so that each still costs the same."""
    return replace(facts, daily_sales=facts.daily_sales * after / before)


def _untied(plan: Plan, sku: str) -> Plan:
    """The plan in the articles that were asked for."""
    return replace(plan, legs=tuple(replace(leg, lines=tuple(_merged(leg.lines, sku))) for leg in plan.legs))


def _merged(lines: Sequence[LegLine], sku: str) -> Iterable[LegLine]:
    units: dict[tuple[int, str, str, bool], int] = {}
    for line in lines:
        key = (line.line_number, sku if line.sku == _TIED else line.sku, line.supply_id, line.plain)
        units[key] = units.get(key, 0) + line.quantity
    return (
        LegLine(number, its_sku, quantity, supply_id, plain)
        for (number, its_sku, supply_id, plain), quantity in sorted(units.items())
    )


# -- shared ---------------------------------------------------------------------------------------------------


def _only(seen: Snapshot, point_id: str) -> Snapshot:
    return replace(seen, stock=replace(seen.stock, points={point_id: seen.stock.points[point_id]}))


def _todays_facts(today: StockSlice, sku: str, point_id: str) -> Facts:
    known = today.positions.get(sku, {}).get(point_id)
    return known.facts if known else NO_FACTS


def _served(asked: PlanRequest, plan: Plan) -> Iterable[BasketLine]:
    """The lines as far as a plan sends them."""
    units: dict[int, int] = {}
    for leg in plan.legs:
        for line in leg.lines:
            units[line.line_number] = units.get(line.line_number, 0) + line.quantity
    return (replace(line, quantity=units[line.line_number]) for line in asked.lines if line.line_number in units)


def _shape(plan: Plan | None) -> object:
    """What makes two plans the same to a person."""
    if plan is None:
        return None
    legs = [(leg.point_id, leg.carrier_id, leg.service_id, frozenset(leg.lines)) for leg in plan.shipments]
    return frozenset(legs), plan.total_cost_minor
