"""Points that compete for work: rings of offers, the claim of the first, and work that nobody took (SPEC RTE-10).

Each function decides on the aggregate that the caller has locked: the first to come wins, the others are told. Of
the offers of a fulfilment at most one is claimed or accepted. The stock stays held at the planned point until a
claim is settled.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from kit.errors import FailedPrecondition, InvalidArgument, NotFound, Unavailable
from services.orders.domain.fulfilment import (
    REFUSAL_REASONS,
    brands,
    check_may_be_offered,
    is_kept_back,
    moved,
    told,
    without_place,
)
from services.orders.domain.model import (
    Competition,
    Decision,
    Fallback,
    Fulfilment,
    Leg,
    Offer,
    Order,
    Reach,
    Route,
)
from services.orders.domain.plan import unit_facts, units_in_words
from services.orders.domain.states import OFFER_MOVES, ChangeState, FulfilmentState, OfferState, move

STOCK_NOT_THERE = "stock_not_there"
_GONE: Mapping[OfferState, str] = {
    OfferState.LOST: "another point was first",
    OfferState.LAPSED: "its time was over",
    OfferState.WITHDRAWN: "the order was cancelled",
    OfferState.REFUSED: "it was refused before",
    OfferState.ACCEPTED: "it was accepted before",
}
# What the point of an offer sees of the work.
_AS_SEEN: Mapping[OfferState, FulfilmentState] = {
    OfferState.OPEN: FulfilmentState.OFFERED,
    OfferState.CLAIMED: FulfilmentState.OFFERED,
    OfferState.ACCEPTED: FulfilmentState.ACCEPTED,
    OfferState.REFUSED: FulfilmentState.REFUSED,
    OfferState.LOST: FulfilmentState.CANCELLED,
    OfferState.LAPSED: FulfilmentState.LAPSED,
    OfferState.WITHDRAWN: FulfilmentState.CANCELLED,
}


@dataclass(frozen=True, slots=True)
class Candidate:
    """A point that could do the work, with the leg that it would have and when its time to answer is over."""

    leg: Leg
    answer_by: datetime | None


# -- reading ----------------------------------------------------------------------------------------------


def open_offers(work: Fulfilment) -> tuple[Offer, ...]:
    """Those that may be answered."""
    return tuple(one for one in work.offers if one.state == OfferState.OPEN)


def claimed(work: Fulfilment) -> Offer | None:
    """What somebody took and is not settled yet."""
    return next((one for one in work.offers if one.state == OfferState.CLAIMED), None)


def of_point(work: Fulfilment, point_id: str) -> Offer | None:
    """The point's offer, if it ever had one: there is one at most."""
    return next((one for one in work.offers if one.point_id == point_id), None)


def as_offered(work: Fulfilment, offer: Offer) -> Fulfilment:
    """The work as the point of an offer sees it: its own leg and deadline, and nobody else's."""
    seen = _by_route(work, offer)
    return replace(seen, state=_AS_SEEN[offer.state], offer_deadline=offer.deadline, offers=())


def is_within(reach: Reach, order: Order, work: Fulfilment) -> bool:
    """Whether the work is, or was offered, at one of the points, and has a line of one of the brands."""
    points = {work.point_id, *(one.point_id for one in work.offers)}
    at_point = not reach.point_ids or bool(reach.point_ids & points)
    return at_point and (not reach.brands or not reach.brands.isdisjoint(brands(order, work)))


def meant(work: Fulfilment, reach: Reach, point_id: str) -> Offer:
    """The offer that somebody with this reach answers. Raises NOT_OFFERED; POINT_NEEDED for one of several."""
    mine = [one for one in work.offers if not reach.point_ids or one.point_id in reach.point_ids]
    if point_id:
        mine = [one for one in mine if one.point_id == point_id]
    standing = [one for one in mine if one.state in (OfferState.OPEN, OfferState.CLAIMED)]
    if len(standing) > 1:
        raise InvalidArgument("point_id", "several of the points have an offer: say which", "POINT_NEEDED")
    found = standing or mine[-1:]
    if not found:
        raise FailedPrecondition("NOT_OFFERED", "the work is not offered to this point", state=work.state.value)
    return found[0]


# -- rings ------------------------------------------------------------------------------------------------


def offer_ring(
    order: Order,
    work: Fulfilment,
    ring: int,
    candidates: Sequence[Candidate],
    load: Mapping[str, int],
    as_of: datetime,
) -> Decision:
    """planned | offered -> offered, to the next points. `candidates`: best first; `load`: offers that points have.

    Nothing while somebody may still answer, or while the work is held.
    """
    competition = _competition(order)
    if not 1 <= ring <= len(competition.rings):
        raise InvalidArgument("ring", f"1 to {len(competition.rings)}")
    _check_candidates(candidates)
    if work.state not in (FulfilmentState.PLANNED, FulfilmentState.OFFERED) or open_offers(work) or claimed(work):
        return Decision(order)
    check_may_be_offered(order)
    if is_kept_back(order, work):
        return Decision(order)
    eligible = [one for one in candidates if not _was_asked(order, work, one.leg.point_id)]
    # Smoothing: a point comes one place later for each offer that it has open.
    ranked = sorted(enumerate(eligible), key=lambda one: one[0] + load.get(one[1].leg.point_id, 0))
    last = work.latest_start if competition.fallback == Fallback.PLANNED else None
    offers = [_offer(one, ring, last, as_of) for _, one in ranked]
    in_time = [one for one in offers if one.deadline > as_of][: competition.rings[ring - 1]]
    made = tuple(replace(one, place=place) for place, one in enumerate(in_time, start=1))
    state = FulfilmentState.OFFERED
    after = work if work.state == state else moved(work, state)
    after = replace(
        after, offers=(*work.offers, *made), offer_deadline=_last_deadline(made) or work.offer_deadline
    )
    return _told_of_ring(order, after, ring, made, as_of)


def lapse(order: Order, work: Fulfilment, as_of: datetime) -> Decision:
    """Offers whose deadline has passed, open -> lapsed; else nothing."""
    over = {one.point_id for one in open_offers(work) if one.deadline <= as_of}
    if not over or work.state != FulfilmentState.OFFERED:
        return Decision(order)
    after = replace(
        work,
        offers=tuple(_moved(one, OfferState.LAPSED) if one.point_id in over else one for one in work.offers),
    )
    text = f"{_listed(sorted(over))} did not answer in time."
    return told(order, after, "offers_lapsed", text, as_of, facts={"point_ids": sorted(over)})


def end(order: Order, work: Fulfilment, as_of: datetime) -> Decision:
    """Nobody took it: the planned point has it, or a person decides. Nothing while somebody may still answer.

    A planned point that refused cannot be given it: then its units look for another place.
    """
    competition = _competition(order)
    is_over = work.state == FulfilmentState.OFFERED and not work.unclaimed_since
    if not is_over or open_offers(work) or claimed(work):
        return Decision(order)
    if competition.fallback == Fallback.CUSTOMER_SERVICE:
        waiting = replace(work, unclaimed_since=as_of)
        text = f"No point took {units_in_words(work.lines)}: a person decides."
        return told(order, waiting, "unclaimed", text, as_of, facts={"lines": unit_facts(work.lines)})
    own = of_point(work, work.point_id)
    if own and own.state == OfferState.REFUSED:
        refused = replace(moved(work, FulfilmentState.REFUSED), refusal_reason=own.reason)
        text = f"No point took the work, and {work.point_id} refused it: {own.reason.replace('_', ' ')}."
        facts = {"reason": own.reason}
        return told(without_place(order, work), refused, "refused", text, as_of, facts=facts)
    given = moved(work, FulfilmentState.ACCEPTED)
    text = f"No point took the work in time: {work.point_id} has it."
    return told(order, given, "accepted", text, as_of, facts={"given": True})


def withdrawn(work: Fulfilment) -> Fulfilment:
    """Without offers that anybody could still win: the work was cancelled."""
    standing = (OfferState.OPEN, OfferState.CLAIMED)
    return replace(
        work,
        offers=tuple(_moved(one, OfferState.WITHDRAWN) if one.state in standing else one for one in work.offers),
        unclaimed_since=None,
    )


# -- answers of points ------------------------------------------------------------------------------------


def accept(order: Order, work: Fulfilment, offer: Offer, claim_id: str, actor: str, as_of: datetime) -> Decision:
    """open -> accepted where the stock is held at the point itself; else open -> claimed, to be settled.

    A deadline that passed but has not lapsed yet does not forbid it: the first wins. Raises OFFER_GONE, and
    OFFER_CLAIMED while somebody else's claim is not settled.
    """
    if offer.state == OfferState.CLAIMED:
        return Decision(order)
    check_not_gone(offer)
    if claimed(work):
        raise Unavailable(
            "OFFER_CLAIMED", "another point has taken the work; whether it keeps it is being found out"
        )
    taking = replace(offer, claim_id=claim_id, actor=actor, answered_at=as_of)
    return _taken(order, work, taking, as_of)


def settle(order: Order, work: Fulfilment, claim_id: str, as_of: datetime, *, held: bool) -> Decision:
    """claimed -> accepted, or refused where the units are not there: the others go on. Again changes nothing."""
    offer = next((one for one in work.offers if one.claim_id == claim_id), None)
    if offer is None:
        raise NotFound("CLAIM_NOT_FOUND", "there is no such claim", field="claim_id", claim_id=claim_id)
    if offer.state != OfferState.CLAIMED:
        return Decision(order)
    if held:
        return _won(order, work, offer, as_of)
    refused = replace(_moved(offer, OfferState.REFUSED), reason=STOCK_NOT_THERE)
    text = f"The units could not be held at {offer.point_id}: it does not have the work."
    return _told_of_offer(order, _with(work, refused), refused, "claim_refused", text, as_of)


def refuse(order: Order, work: Fulfilment, offer: Offer, reason: str, actor: str, as_of: datetime) -> Decision:
    """open -> refused; the others go on."""
    if reason not in REFUSAL_REASONS:
        raise InvalidArgument("reason", f"the reason is one of {', '.join(REFUSAL_REASONS)}")
    check_not_gone(offer)
    refused = replace(_moved(offer, OfferState.REFUSED), reason=reason, actor=actor, answered_at=as_of)
    text = f"{offer.point_id} does not take the work: {reason.replace('_', ' ')}."
    return _told_of_offer(order, _with(work, refused), refused, "offer_refused", text, as_of, actor)


def assign(order: Order, work: Fulfilment, point_id: str, claim_id: str, actor: str, as_of: datetime) -> Decision:
    """A person gives work that nobody took to its own point, or to one that it was offered to."""
    offer = of_point(work, point_id)
    if offer and offer.state == OfferState.CLAIMED:
        return Decision(order)
    if not work.unclaimed_since or work.state != FulfilmentState.OFFERED:
        raise FailedPrecondition("NOT_UNCLAIMED", "the work does not wait for a person", state=work.state.value)
    if claimed(work):
        raise FailedPrecondition("OFFER_CLAIMED", "the work was given to another point a moment ago")
    if offer:
        return _taken(order, work, replace(offer, claim_id=claim_id, actor=actor), as_of)
    if point_id != work.point_id:
        raise InvalidArgument("point_id", "the work was not offered to this point", "NOT_OFFERED")
    accepted = replace(moved(work, FulfilmentState.ACCEPTED), unclaimed_since=None)
    return told(order, accepted, "accepted", f"The work was given to {point_id}.", as_of, actor=actor)


def check_not_gone(offer: Offer) -> None:
    """Raises OFFER_GONE for an offer that cannot be answered any more, with what came first."""
    if offer.state != OfferState.OPEN:
        why = _GONE.get(offer.state, "it is being accepted")
        raise FailedPrecondition("OFFER_GONE", f"the offer is gone: {why}", state=offer.state.value)


# -- what they share --------------------------------------------------------------------------------------


def _taken(order: Order, work: Fulfilment, offer: Offer, as_of: datetime) -> Decision:
    if offer.point_id == work.point_id:
        return _won(order, work, offer, as_of)
    claim = _moved(offer, OfferState.CLAIMED)
    text = f"{offer.point_id} takes the work, if its units are there."
    facts = {"claim_id": claim.claim_id}
    return _told_of_offer(order, _with(work, claim), claim, "claimed", text, as_of, offer.actor, facts)


def _won(order: Order, work: Fulfilment, offer: Offer, as_of: datetime) -> Decision:
    winner = _moved(offer, OfferState.ACCEPTED)
    offers = tuple(
        winner
        if one.point_id == winner.point_id
        else _moved(one, OfferState.LOST)
        if one.state == OfferState.OPEN
        else one
        for one in work.offers
    )
    after = replace(
        moved(_by_route(work, winner), FulfilmentState.ACCEPTED),
        offers=offers,
        offer_deadline=winner.deadline,
        unclaimed_since=None,
    )
    facts: dict[str, Any] = {"ring": winner.ring}
    if winner.answered_at:
        facts["answer_seconds"] = int((winner.answered_at - winner.offered_at).total_seconds())
    text = f"{winner.point_id} accepted the work."
    return told(order, after, "accepted", text, as_of, actor=winner.actor, facts=facts)


def _by_route(work: Fulfilment, offer: Offer) -> Fulfilment:
    route = offer.route
    return replace(
        work,
        point_id=offer.point_id,
        carrier_id=route.carrier_id,
        service_id=route.service_id,
        hand_over_by=route.hand_over_by,
        window=route.window,
        latest_start=route.latest_start,
        next_hand_over_by=route.next_hand_over_by,
        next_window=route.next_window,
    )


def _offer(one: Candidate, ring: int, last: datetime | None, as_of: datetime) -> Offer:
    """`last`: when the planned point must begin, should nobody take it. No answer is waited for beyond that."""
    leg = one.leg
    assert leg.hand_over_by is not None, "candidates were checked"
    assert one.answer_by is not None, "candidates were checked"
    ends = [one.answer_by, *([leg.latest_start] if leg.latest_start else [])]
    if last and last > as_of:
        ends.append(last)
    route = Route(
        leg.carrier_id,
        leg.service_id,
        leg.hand_over_by,
        leg.window,
        leg.latest_start,
        leg.next_hand_over_by,
        leg.next_window,
    )
    return Offer(leg.point_id, ring, 0, OfferState.OPEN, route, as_of, min(ends))


def _was_asked(order: Order, work: Fulfilment, point_id: str) -> bool:
    """By this work, or by other work of the order for one of its articles, which the point refused.

    Nor is a point from which somebody took the order's work asked again.
    """
    skus = {line.sku for line in work.lines}
    was_taken = any(one.point_id == point_id and one.state is ChangeState.APPLIED for one in order.changes)
    return (
        was_taken
        or bool(of_point(work, point_id))
        or any(
            other.state == OfferState.REFUSED and other.point_id == point_id
            for before in order.fulfilments
            if skus & {line.sku for line in before.lines}
            for other in before.offers
        )
    )


def _check_candidates(candidates: Sequence[Candidate]) -> None:
    seen: set[str] = set()
    for i, one in enumerate(candidates):
        for name in ("point_id", "carrier_id", "service_id", "hand_over_by"):
            if not getattr(one.leg, name):
                raise InvalidArgument(f"candidates[{i}].leg.{name}", "a leg says where, by whom and until when")
        if one.answer_by is None:
            raise InvalidArgument(f"candidates[{i}].answer_by", "say when the time to answer is over")
        if one.leg.point_id in seen:
            raise InvalidArgument(f"candidates[{i}].leg.point_id", "a point is named once")
        seen.add(one.leg.point_id)


def _competition(order: Order) -> Competition:
    if order.life_cycle.competition is None:
        raise FailedPrecondition("NOT_COMPETITIVE", "the life cycle of the order has no competition")
    return order.life_cycle.competition


def _moved(offer: Offer, state: OfferState) -> Offer:
    return replace(offer, state=move("offer", OFFER_MOVES, offer.state, state))


def _with(work: Fulfilment, offer: Offer) -> Fulfilment:
    return replace(work, offers=tuple(offer if one.point_id == offer.point_id else one for one in work.offers))


def _last_deadline(offers: Sequence[Offer]) -> datetime | None:
    return max((one.deadline for one in offers), default=None)


def _listed(point_ids: Sequence[str]) -> str:
    return ", ".join(point_ids)


def _told_of_ring(order: Order, after: Fulfilment, ring: int, made: Sequence[Offer], as_of: datetime) -> Decision:
    units = units_in_words(after.lines)
    deadline = _last_deadline(made)
    text = f"No further point can do {units} within the promise (ring {ring})."
    if deadline:
        points = _listed([one.point_id for one in made])
        text = f"{units} offered to {points} until {deadline:%-d %b %Y %H:%M %Z} at most (ring {ring})."
    facts = {
        "ring": ring,
        "lines": unit_facts(after.lines),
        "offers": [{"point_id": one.point_id, "deadline": one.deadline.isoformat()} for one in made],
    }
    return told(order, after, "ring_offered", text, as_of, facts=facts)


def _told_of_offer(
    order: Order,
    after: Fulfilment,
    offer: Offer,
    kind: str,
    text: str,
    as_of: datetime,
    actor: str = "",
    facts: Mapping[str, Any] | None = None,
) -> Decision:
    """Its event names the point of the offer."""
    decision = told(order, after, kind, text, as_of, actor=actor)
    told_facts = {"ring": offer.ring, "reason": offer.reason, **(facts or {})}
    about = replace(decision.happenings[0], fulfilment=replace(after, point_id=offer.point_id), facts=told_facts)
    return replace(decision, happenings=(about,))
