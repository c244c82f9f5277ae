"""What meets at a hub, what goes on from there, and why there or why not: in sentences."""

from collections.abc import Iterator

from services.promise.domain import wording as w
from services.promise.domain.plans import AskedHub, HubVerdict, Leg, Plan
from services.promise.domain.telling import (
    ARTICLES_TOLD,
    POINTS_TOLD,
    Sentence,
    Told,
    facts_of_parcels,
    parcels_of,
)


def leg(told: Told, plan: Plan, found: Leg) -> Sentence:
    """What a point sends to a hub, or the hub adds to it."""
    articles = w.listed([f"{line.quantity} x {line.sku}" for line in found.lines], ARTICLES_TOLD)
    units = str(sum(line.quantity for line in found.lines))
    facts = {"point_id": found.point_id, "via_point_id": found.via_point_id, "units": units}
    if not found.carrier_id:
        return Sentence("LEG_OF_HUB", f"{found.point_id} adds {articles} of its own.", facts)
    there = w.instant(found.window.end, _zone(told, found.via_point_id))
    plain = tuple(dict.fromkeys(line.sku for line in found.lines if line.plain))
    done = f", where {w.listed(plain, ARTICLES_TOLD)} is personalised" if plain else ""
    return Sentence(
        "LEG_TO_HUB",
        f"{told.name(found.point_id, found.distance_kilometres)} sends {articles} to {found.via_point_id}, "
        f"{_carriage(told, plan, found)}; it is there by {there}{done}.",
        facts
        | _sent(found)
        | {"there_by": w.iso(found.window.end)}
        | ({"plain": " ".join(plain)} if plain else {}),
    )


def onward(told: Told, plan: Plan) -> Iterator[Sentence]:
    """What goes on from the hub, if there is one."""
    if plan.onward is not None:
        name = told.name(plan.onward.point_id, plan.onward.distance_kilometres)
        text = f"{name} joins them and sends all of it on, {_carriage(told, plan, plan.onward)}."
        yield Sentence("ONWARD", text, {"point_id": plan.onward.point_id} | _sent(plan.onward))


def consolidating(told: Told) -> Iterator[Sentence]:
    """Why it meets at a hub, and why not at others or at none."""
    asked, plan = told.outcome.consolidating, told.plan
    if asked is None or told.decision.quote_broken:
        return
    if plan is not None and plan.onward is not None:
        yield _joined(told, plan, asked.direct_cost_minor)
    others = [hub for hub in asked.hubs if hub.verdict is not HubVerdict.CHOSEN]
    for hub in others[:POINTS_TOLD]:
        yield _not_there(told, hub)
    if (more := len(others) - POINTS_TOLD) > 0:
        yield Sentence("MORE_HUBS", f"And {w.counted(more, 'more hub')}.", {"hubs": str(more)})
    if not asked.hubs:
        yield Sentence("NO_HUB", "No point is able to join its parcels.")


def _joined(told: Told, plan: Plan, direct_cost: int | None) -> Sentence:
    hub_id = plan.onward.point_id if plan.onward else ""
    facts = {"point_id": hub_id}
    joins = told.decision.request.joins
    if joins is not None and joins.point_id == hub_id:
        return Sentence("JOINED_OTHERS", f"They join what waits for them at {hub_id}.", facts)
    if direct_cost is None:
        text = f"Its parcels meet at {hub_id}: without a hub fewer units could be sent."
        return Sentence("JOINED_TO_SEND_ALL", text, facts)
    saved = direct_cost - plan.total_cost_minor
    return Sentence(
        "JOINED",
        f"Its parcels meet at {hub_id}: sent without a hub it would cost {told.amount(direct_cost)}, "
        f"{told.amount(saved)} more.",
        facts | {"direct_cost_minor": str(direct_cost), "saved_minor": str(saved)},
    )


def _not_there(told: Told, hub: AskedHub) -> Sentence:
    facts = {"point_id": hub.point_id, "service_id": hub.service_id, "cost_minor": str(hub.cost_minor)}
    by = f"by way of {hub.point_id} with {hub.service_id}"
    cost = told.amount(hub.cost_minor)
    text = {
        HubVerdict.NOT_CHEAPER: f"Sent {by} it would cost {cost}.",
        HubVerdict.CANNOT_BE_CHEAPER: f"Sent {by} it would cost at least {cost}.",
        HubVerdict.NO_WAY_ON: f"No service takes all of it on from {hub.point_id} in time.",
        HubVerdict.NOT_ALL_THERE: f"Not all of it could be sent {by} in time.",
        HubVerdict.NOT_ASKED: f"Whether to send it {by} was not looked at: it would cost at least {cost}.",
    }[hub.verdict]
    return Sentence(f"HUB_{hub.verdict.name}", text, facts)


def _carriage(told: Told, plan: Plan, found: Leg) -> str:
    carriage = w.amount(found.shipping_cost_minor, plan.price.currency)
    by = w.instant(found.hand_over_by, _zone(told, found.point_id))
    service = f"{found.carrier_id} {found.service_id}"
    return f"with {service} in {parcels_of(found)}, handed over by {by}, carriage {carriage}"


def _sent(found: Leg) -> dict[str, str]:
    return {
        "kilometres": f"{found.distance_kilometres:.1f}",
        "carrier_id": found.carrier_id,
        "service_id": found.service_id,
        **facts_of_parcels(found),
        "hand_over_by": w.iso(found.hand_over_by),
        "shipping_cost_minor": str(found.shipping_cost_minor),
    }


def _zone(told: Told, point_id: str) -> str:
    known = told.points.get(point_id)
    return known.time_zone if known else ""
