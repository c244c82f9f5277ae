"""Why an order is split, why not from nearer points, why not from one that is asked about: in sentences."""

from collections.abc import Iterator, Mapping, Sequence

from services.promise.domain import wording as w
from services.promise.domain.plans import Decision, KnownPoint, Outcome, Plan
from services.promise.domain.recording import NEAREST
from services.promise.domain.replaying import Verdict, WhyNot
from services.promise.domain.telling import POINTS_TOLD, Sentence, Told, point_ids, units_of

# Points with all of an order that are asked what they would have cost alone.
ALONE_ASKED = 3


def points_with_all(decision: Decision) -> list[str]:
    """Points that had every unit of a split plan, nearest first as far as distances are known."""
    if not decision.outcome.plans or len(decision.outcome.plans[0].legs) < 2:
        return []
    wanted = units_of(decision.outcome.plans[0])
    has: dict[str, set[str]] = {}
    for seen in decision.outcome.seen:
        if seen.available >= wanted.get(seen.sku, seen.available + 1):
            has.setdefault(seen.point_id, set()).add(seen.sku)
    away = {point.point_id: point.distance_kilometres for point in decision.record.points}
    whole = [point_id for point_id, skus in has.items() if len(skus) == len(wanted)]
    return sorted(whole, key=lambda point_id: (away.get(point_id, float("inf")), point_id))


def split(told: Told, alone: Mapping[str, Outcome]) -> Iterator[Sentence]:
    """Why from several points, or from one."""
    plan = told.plan
    if plan is None:
        return
    points = point_ids(plan)
    if len(points) == 1:
        has = "has, or gets," if plan.waits_until else "had"
        yield Sentence(
            "NOT_SPLIT", f"It is not split: {points[0]} {has} all that is sent.", {"point_id": points[0]}
        )
        return
    whole = points_with_all(told.decision)
    if not whole:
        yield _no_point_has_all(told, plan)
        return
    had = w.listed(whole, POINTS_TOLD)
    yield Sentence(
        "SPLIT_THOUGH_WHOLE_POSSIBLE",
        f"{_split(plan)} although {w.counted(len(whole), 'point')} had every unit: {had}.",
        {"points": str(len(whole))},
    )
    for point_id in whole[:POINTS_TOLD]:
        if said := _alone_said(told, point_id, plan, alone):
            yield said


def _split(plan: Plan) -> str:
    return "It is split" if plan.onward is None else "It comes from several points"


def _no_point_has_all(told: Told, plan: Plan) -> Sentence:
    wanted = units_of(plan)
    had: dict[str, int] = {}
    for seen in told.outcome.seen:
        if seen.sku in wanted:
            had[seen.point_id] = had.get(seen.point_id, 0) + min(seen.available, wanted[seen.sku])
    units = sum(wanted.values())
    most = min(had, key=lambda point_id: (-had[point_id], point_id), default="")
    best = f": the most that one had was {had[most]} of {units} units ({most})" if most else ""
    facts = {"point_id": most, "units": str(had.get(most, 0)), "wanted": str(units)}
    return Sentence("NO_POINT_HAS_ALL", f"{_split(plan)} because no single point had every unit{best}.", facts)


def _alone_said(told: Told, point_id: str, plan: Plan, alone: Mapping[str, Outcome]) -> Sentence | None:
    if reasons := told.why_out(point_id):
        said = "; ".join(w.reason(one, w.DROPPED) for one in reasons)
        return Sentence("WHOLE_POINT_DROPPED", f"{point_id}: {said}.", _reasons(point_id, reasons))
    outcome = alone.get(point_id)
    if outcome is None:
        return None
    if not outcome.plans or sum(units_of(outcome.plans[0]).values()) < sum(units_of(plan).values()):
        reason = outcome.unplanned[0].reason if outcome.unplanned else ""
        why = f": {w.reason(reason, w.UNPLANNED)}" if reason else ""
        return Sentence("ALONE_NOT_POSSIBLE", f"{point_id} alone could not send all{why}.", {"point_id": point_id})
    other = outcome.plans[0]
    return Sentence(
        "ALONE_COSTS",
        f"{point_id} alone would have cost {told.amount(other.total_cost_minor)}, {told.against(other, plan)}.",
        {"point_id": point_id, "total_cost_minor": str(other.total_cost_minor)},
    )


def nearer(told: Told) -> Iterator[Sentence]:
    """Points nearer than the furthest that is used, by the reason that they are not."""
    plan = told.plan
    if plan is None or not told.record.points:
        return
    used = set(point_ids(plan))
    furthest = max(leg.distance_kilometres for leg in plan.legs)
    nearer = [
        point
        for point in told.record.points
        if point.point_id not in used and point.distance_kilometres < furthest
    ]
    if not nearer:
        yield Sentence("NO_NEARER_POINT", "No point that is not used is nearer than those that are.")
        return
    groups: dict[tuple[str, ...], list[KnownPoint]] = {}
    for point in nearer:
        groups.setdefault(told.why_out(point.point_id), []).append(point)
    for reasons, points in sorted(groups.items(), key=lambda group: group[1][0].distance_kilometres):
        names = [f"{one.point_id} ({w.distance(one.distance_kilometres)})" for one in points]
        facts = {"points": str(len(points)), "reasons": " ".join(reasons), "point_ids": _ids(points)}
        who = f"{w.counted(len(points), 'nearer point')} ({w.listed(names, POINTS_TOLD)})"
        if reasons:
            said = "; ".join(w.reason(one, w.DROPPED) for one in reasons)
            yield Sentence("NEARER_DROPPED", f"{who}: {said}.", facts)
        else:
            yield _nearer_dearer(told, who, points, facts)
    if len(nearer) >= NEAREST:
        text = f"Of the points that are not used only the nearest {NEAREST} are told of here."
        yield Sentence("NEAREST_ONLY", text, {"points": str(NEAREST)})


def dropped(told: Told) -> Iterator[Sentence]:
    """All points that were dropped as a whole, near or far, by reason."""
    groups: dict[str, list[str]] = {}
    for rejected in told.outcome.rejected:
        if not rejected.service_id:
            groups.setdefault(rejected.reason, []).append(rejected.point_id)
    for reason, names in groups.items():
        yield Sentence(
            "DROPPED",
            f"{w.counted(len(names), 'point')} ({w.listed(names, POINTS_TOLD)}): {w.reason(reason, w.DROPPED)}.",
            {"reason": reason, "points": str(len(names))},
        )


def _nearer_dearer(told: Told, who: str, points: Sequence[KnownPoint], facts: dict[str, str]) -> Sentence:
    """Of points that could have sent something."""
    if told.outcome.proved_optimal:
        text = f"{who} could have sent something, but no plan with one of them is better."
    else:
        text = f"{who} could have sent something; no better plan with one of them was found."
    ids = {point.point_id for point in points}
    other = next((one for one in told.outcome.plans[1:] if ids & set(point_ids(one))), None)
    if other is not None and told.plan is not None:
        used = w.listed(sorted(ids & set(point_ids(other))), POINTS_TOLD)
        text += f" The best kept with {used} costs {told.amount(other.total_cost_minor)}, "
        text += f"{told.against(other, told.plan)}."
        facts = facts | {"total_cost_minor": str(other.total_cost_minor)}
    return Sentence("NEARER_NOT_BETTER", text, facts)


def why_not(told: Told, asked: WhyNot) -> Iterator[Sentence]:
    """What using a point would have meant."""
    point_id, facts = asked.point_id, {"point_id": asked.point_id, "verdict": asked.verdict.value}
    reasons = tuple(dict.fromkeys(one.reason for one in asked.dropped))
    if asked.verdict is Verdict.USED:
        yield Sentence("WHY_NOT_USED", f"{point_id} is used.", facts)
        return
    if asked.verdict is Verdict.UNKNOWN_POINT:
        yield Sentence("WHY_NOT_UNKNOWN", f"There is no point {point_id} now, and the decision saw none.", facts)
        return
    if asked.verdict is Verdict.DROPPED or (reasons and told.why_out(point_id)):
        details = list(dict.fromkeys(one.detail for one in asked.dropped if one.detail))
        said = "; ".join(w.reason(one, w.DROPPED) for one in reasons) or "it had nothing to send"
        detail = f" ({w.listed(details, 3)})" if details else ""
        yield Sentence("WHY_NOT_DROPPED", f"{point_id}: {said}{detail}.", facts | _reasons(point_id, reasons))
    if asked.verdict is Verdict.NOT_POSSIBLE:
        text = f"No plan was found that uses {point_id} and sends the same units."
        yield Sentence("WHY_NOT_POSSIBLE", text, facts)
    if asked.forced is not None:
        yield _forced(told, asked, facts)
    if not asked.is_same:
        text = (
            "Points, articles or carriers have changed since: asked again today on the stock that it saw, the "
            "decision would be another one, and figures here are of today."
        )
        yield Sentence("WHY_NOT_CHANGED", text, facts)


def _forced(told: Told, asked: WhyNot, facts: dict[str, str]) -> Sentence:
    forced, chosen = asked.forced, asked.chosen
    if forced is None:
        raise AssertionError("there is a plan with the point")
    best = "The cheapest plan" if asked.proved else "The cheapest plan found"
    if told.why_out(asked.point_id):
        best = f"Had it been taken all the same: {best[0].lower()}{best[1:]}"
    against = f", {told.against(forced, chosen)}" if chosen else ""
    return Sentence(
        "WHY_NOT_COSTS",
        f"{best} that uses {asked.point_id} ships from {w.listed(point_ids(forced), POINTS_TOLD)} and costs "
        f"{w.amount(forced.total_cost_minor, forced.price.currency)}{against}.",
        facts | {"total_cost_minor": str(forced.total_cost_minor), "points": " ".join(point_ids(forced))},
    )


def _reasons(point_id: str, reasons: Sequence[str]) -> dict[str, str]:
    return {"point_id": point_id, "reasons": " ".join(reasons)}


def _ids(points: Sequence[KnownPoint]) -> str:
    return " ".join(point.point_id for point in points[:POINTS_TOLD])
