"""What a plan waits for, and what not waiting would have meant: in sentences."""

from collections.abc import Iterator

from services.promise.domain import wording as w
from services.promise.domain.plans import Decision, Leg, Outcome
from services.promise.domain.telling import ARTICLES_TOLD, LEGS_TOLD, Sentence, Told, point_ids, units_of


def waits(decision: Decision) -> bool:
    """Whether the chosen plan has units from stock to come."""
    plans = decision.outcome.plans
    return bool(plans) and plans[0].waits_until is not None


def waiting(told: Told, at_once: Outcome | None) -> Iterator[Sentence]:
    """Of each leg the deliveries and the release date that it waits for; then why nobody went at once."""
    if told.plan is None:
        return
    for leg in told.plan.legs[:LEGS_TOLD]:
        if leg.waits_until is not None:
            yield _delivery(told, leg)
        if leg.release_date is not None:
            day = leg.release_date.isoformat()
            yield Sentence(
                "RELEASED_ON",
                f"{leg.point_id} hands nothing over before {day}, when its articles are released.",
                {"point_id": leg.point_id, "release_date": day},
            )
    if at_once is not None:
        yield _without(told, at_once)


def _delivery(told: Told, leg: Leg) -> Sentence:
    awaited = [line for line in leg.lines if line.supply_id]
    articles = [f"{line.quantity} x {line.sku}" for line in awaited]
    supplies = list(dict.fromkeys(line.supply_id for line in awaited))
    known = told.points.get(leg.point_id)
    due_at = leg.waits_until or told.decision.request.now
    return Sentence(
        "WAITS_FOR_DELIVERY",
        f"{leg.point_id} waits for {w.listed(articles, ARTICLES_TOLD)} of "
        f"{w.listed(supplies, ARTICLES_TOLD)}, due by {w.instant(due_at, known.time_zone if known else '')}.",
        {
            "point_id": leg.point_id,
            "supplies": " ".join(supplies),
            "units": str(sum(line.quantity for line in awaited)),
            "due_at": w.iso(due_at),
        },
    )


def _without(told: Told, at_once: Outcome) -> Sentence:
    chosen = told.plan
    assert chosen is not None
    other = at_once.plans[0] if at_once.plans else None
    missing = sum(units_of(chosen).values()) - (sum(units_of(other).values()) if other else 0)
    if other is None or missing > 0:
        text = f"Without waiting {w.counted(missing, 'unit')} could not have been sent."
        return Sentence("NOT_AT_ONCE", text, {"units": str(missing)})
    how = "one parcel" if len(other.legs) == 1 else f"a split over {w.counted(len(point_ids(other)), 'point')}"
    return Sentence(
        "INSTEAD_OF_AT_ONCE",
        f"It waits instead of {how} at once, which would have cost {told.amount(other.total_cost_minor)}, "
        f"{told.against(other, chosen)}.",
        {
            "points": " ".join(point_ids(other)),
            "total_cost_minor": str(other.total_cost_minor),
            "more_minor": str(other.total_cost_minor - chosen.total_cost_minor),
        },
    )
