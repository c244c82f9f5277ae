"""A decision in sentences (SPEC RTE-5): what was chosen and why, with the facts beside each sentence.

Pure. Says what was computed and no more. Long lists are cut, and say how much is left out.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from services.promise.domain import explaining_capacity as capacity
from services.promise.domain import explaining_hubs as hubs
from services.promise.domain import explaining_points as points
from services.promise.domain import explaining_waits as waits
from services.promise.domain import wording as w
from services.promise.domain.plans import Decision, Outcome
from services.promise.domain.replaying import WhyNot
from services.promise.domain.telling import (
    ARTICLES_TOLD,
    LEGS_TOLD,
    POINTS_TOLD,
    Sentence,
    Told,
    facts_of_parcels,
    parcels_of,
    point_ids,
    units_of,
)


@dataclass(frozen=True, slots=True)
class Section:
    """Sentences that answer one question."""

    name: str
    sentences: tuple[Sentence, ...]


@dataclass(frozen=True, slots=True)
class Explanation:
    """Only sections that have something to say."""

    decision_id: str
    order_id: str
    sections: tuple[Section, ...]


def explain(
    decision: Decision,
    alone: Mapping[str, Outcome] | None = None,
    why_not: WhyNot | None = None,
    at_once: Outcome | None = None,
) -> Explanation:
    """`alone`: what `points_with_all` would have made of it by themselves. `at_once`: without waiting."""
    told = Told(decision)
    sections = {
        "why_not": _why_not(told, why_not) if why_not else iter(()),
        "chosen": _chosen(told),
        "waiting": waits.waiting(told, at_once),
        "quote": _quote(told),
        "consolidation": hubs.consolidating(told),
        "split": points.split(told, alone or {}),
        "nearer_points": points.nearer(told),
        "dropped_points": points.dropped(told),
        "full": capacity.full(told),
        "stock_seen": _stock_seen(told),
        "cost": _cost(told),
        "next_best": _next_best(told),
        "not_shipped": _not_shipped(told),
        "proof": _proof(told),
        "freshness": _freshness(told),
    }
    filled = ((name, tuple(sentences)) for name, sentences in sections.items())
    return Explanation(
        decision.decision_id,
        decision.order_id,
        tuple(Section(name, sentences) for name, sentences in filled if sentences),
    )


def _why_not(told: Told, asked: WhyNot) -> Iterator[Sentence]:
    """What using a point would have meant, and the days on which it had no room."""
    yield from points.why_not(told, asked)
    yield from capacity.full(told, asked.point_id)


def _chosen(told: Told) -> Iterator[Sentence]:
    """The points, what each sends, when and for how much."""
    if told.plan is None:
        yield Sentence("NOTHING_PLANNED", "Nothing was planned.")
        return
    plan, zone = told.plan, told.record.time_zone
    units, points = sum(units_of(plan).values()), len(point_ids(plan))
    whole = "The order" if told.outcome.is_complete else "A part of the order"
    mode = w.MODES.get(told.decision.request.mode, told.decision.request.mode)
    yield Sentence(
        "SHIPS_FROM",
        f"{whole} ({w.counted(units, 'unit')}) ships from {w.counted(points, 'point')} by {mode} and "
        f"arrives {w.window(plan.window, zone)}.",
        {
            "units": str(units),
            "points": str(points),
            "mode": told.decision.request.mode.value,
            "start": w.iso(plan.window.start),
            "end": w.iso(plan.window.end),
        },
    )
    for leg in plan.legs[:LEGS_TOLD]:
        if leg.via_point_id:
            yield hubs.leg(told, plan, leg)
            continue
        articles = [f"{line.quantity} x {line.sku}" for line in leg.lines]
        carriage = w.amount(leg.shipping_cost_minor, plan.price.currency)
        known = told.points.get(leg.point_id)
        yield Sentence(
            "LEG",
            f"{told.name(leg.point_id, leg.distance_kilometres)} sends {w.listed(articles, ARTICLES_TOLD)} "
            f"with {leg.carrier_id} {leg.service_id} in {parcels_of(leg)}, handed over by "
            f"{w.instant(leg.hand_over_by, known.time_zone if known else '')}; carriage {carriage}.",
            {
                "point_id": leg.point_id,
                "kilometres": f"{leg.distance_kilometres:.1f}",
                "carrier_id": leg.carrier_id,
                "service_id": leg.service_id,
                **facts_of_parcels(leg),
                "units": str(sum(line.quantity for line in leg.lines)),
                "hand_over_by": w.iso(leg.hand_over_by),
                "shipping_cost_minor": str(leg.shipping_cost_minor),
            },
        )
    yield from hubs.onward(told, plan)


def _quote(told: Told) -> Iterator[Sentence]:
    """What was quoted against what was planned, or why the quote was broken."""
    decision, quoted, zone = told.decision, told.record.quoted, told.record.time_zone
    if not decision.quote_id:
        return
    facts = {"quote_id": decision.quote_id}
    if quoted is not None:
        yield Sentence(
            "QUOTED",
            f"Quoted was {w.window(quoted.plan.window, zone)} for {quoted.plan.price}, from "
            f"{w.listed(point_ids(quoted.plan), POINTS_TOLD)}.",
            facts | {"end": w.iso(quoted.plan.window.end), "price": str(quoted.plan.price)},
        )
    if decision.quote_broken:
        problem = told.record.quote_problem
        why = f": {w.reason(problem, w.QUOTE_PROBLEMS)}" if problem else ""
        yield Sentence("QUOTE_BROKEN", f"The quote could not be kept{why}.", facts | {"reason": problem})
        for option in decision.new_options:
            yield Sentence(
                "NEW_OPTION",
                f"Could be had instead: {w.MODES.get(option.mode, option.mode)} "
                f"{w.window(option.plan.window, zone)} for {option.plan.price}.",
                {"mode": option.mode.value, "end": w.iso(option.plan.window.end)},
            )
    elif told.plan is not None:
        same = quoted is not None and point_ids(quoted.plan) == point_ids(told.plan)
        where = "as quoted" if same else f"from {w.listed(point_ids(told.plan), POINTS_TOLD)} instead"
        yield Sentence("QUOTE_KEPT", f"It was kept, {where}.", facts)


def _stock_seen(told: Told) -> Iterator[Sentence]:
    """What there was of each article; the shortest first."""
    wanted: dict[str, int] = {}
    for line in told.decision.request.lines:
        wanted[line.sku] = wanted.get(line.sku, 0) + line.quantity
    seen: dict[str, list[int]] = {}
    for one in told.outcome.seen:
        if one.available:
            seen.setdefault(one.sku, []).append(one.available)
    if not told.outcome.seen:
        yield Sentence("NO_STOCK_SEEN", "No stock was looked at.")
        return
    left = {sku: sum(seen.get(sku, ())) - units for sku, units in wanted.items()}
    ordered = sorted(wanted, key=lambda sku: (left[sku] >= 0, len(seen.get(sku, ())), sku))
    for sku in ordered[:ARTICLES_TOLD]:
        units, there = wanted[sku], seen.get(sku, [])
        facts = {"sku": sku, "wanted": str(units), "available": str(sum(there)), "points": str(len(there))}
        if not there:
            yield Sentence("NONE_SEEN", f"{sku}: {units} wanted, none that the channel may take.", facts)
            continue
        yield Sentence(
            "SEEN",
            f"{sku}: {units} wanted, {sum(there)} available at {w.counted(len(there), 'point')}, "
            f"at most {max(there)} at one.",
            facts,
        )
    if (more := len(ordered) - ARTICLES_TOLD) > 0:
        yield Sentence("MORE_ARTICLES", f"And {w.counted(more, 'more article')}.", {"articles": str(more)})


def _cost(told: Told) -> Iterator[Sentence]:
    """The total and its components."""
    if told.plan is None:
        return
    plan = told.plan
    yield Sentence(
        "TOTAL_COST",
        f"It is judged to cost {told.amount(plan.total_cost_minor)} in all.",
        {"total_cost_minor": str(plan.total_cost_minor), "currency": plan.price.currency},
    )
    for cost in plan.costs:
        if not cost.amount_minor:
            continue
        less = "less" if cost.amount_minor < 0 else "is"
        yield Sentence(
            "COST_COMPONENT",
            f"{told.amount(abs(cost.amount_minor))} {less} for {w.COMPONENTS.get(cost.name, cost.name)}.",
            {"component": cost.name, "amount_minor": str(cost.amount_minor)},
        )


def _next_best(told: Told) -> Iterator[Sentence]:
    """The second plan that was kept."""
    if told.plan is None:
        return
    if len(told.outcome.plans) < 2:
        yield Sentence("NO_OTHER_PLAN", "No other plan was kept.")
        return
    other = told.outcome.plans[1]
    yield Sentence(
        "NEXT_BEST",
        f"The next best that was kept ships from {w.listed(point_ids(other), POINTS_TOLD)}, arrives "
        f"{w.window(other.window, told.record.time_zone)} and costs {told.amount(other.total_cost_minor)}, "
        f"{told.against(other, told.plan)}.",
        {
            "points": " ".join(point_ids(other)),
            "total_cost_minor": str(other.total_cost_minor),
            "more_minor": str(other.total_cost_minor - told.plan.total_cost_minor),
        },
    )


def _not_shipped(told: Told) -> Iterator[Sentence]:
    """Units without a place, by reason."""
    groups: dict[str, dict[str, int]] = {}
    for one in told.outcome.unplanned:
        units = groups.setdefault(one.reason, {})
        units[one.sku] = units.get(one.sku, 0) + one.quantity
    for reason, units in groups.items():
        articles = [f"{count} x {sku}" for sku, count in units.items()]
        total = sum(units.values())
        yield Sentence(
            "NOT_SHIPPED",
            f"{w.counted(total, 'unit')} not planned ({w.listed(articles, ARTICLES_TOLD)}): "
            f"{w.reason(reason, w.UNPLANNED)}.",
            {"reason": reason, "units": str(total)},
        )


def _proof(told: Told) -> Iterator[Sentence]:
    """Whether anything could be better."""
    plan = told.plan
    if plan is None:
        return
    least = told.outcome.least_cost_minor
    if told.outcome.proved_optimal:
        yield Sentence("PROVED", "No plan for these units is cheaper: that is proved.")
    elif least:
        gap = max(0, plan.total_cost_minor - least)
        percent = 100 * gap / plan.total_cost_minor if plan.total_cost_minor > 0 else 0.0
        yield Sentence(
            "GAP",
            f"The search ended at its limit: a plan that is not found could be cheaper by at most "
            f"{told.amount(gap)} ({percent:.1f} %).",
            {"gap_minor": str(gap), "least_cost_minor": str(least)},
        )
    else:
        yield Sentence("NOT_PROVED", "The search ended at its limit; how far it may be off is not known.")


def _freshness(told: Told) -> Iterator[Sentence]:
    """Which rules judged, and how old the stock was."""
    decision, zone = told.decision, told.record.time_zone
    yield Sentence(
        "JUDGED_BY",
        f"Asked {w.instant(decision.request.now, zone)}, judged by version {decision.ruleset_version} of the "
        f"ruleset {decision.ruleset_id}.",
        {
            "as_of": w.iso(decision.request.now),
            "ruleset_id": decision.ruleset_id,
            "ruleset_version": str(decision.ruleset_version),
            "inputs_hash": told.record.inputs_hash,
        },
    )
    stock = decision.stock
    facts = {
        "sequence": str(stock.sequence),
        "as_of": w.iso(stock.as_of),
        "stale": str(stock.stale).lower(),
    }
    old = w.age(decision.request.now - stock.as_of)
    if stock.stale:
        text = f"The stock was stale: the feed was broken or behind, and last heard of {old} before."
    else:
        text = f"The stock was {old} old."
    yield Sentence("STOCK_STALE" if stock.stale else "STOCK_FRESH", text, facts)
