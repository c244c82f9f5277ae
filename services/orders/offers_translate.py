"""Competition between protos and the domain."""

from collections.abc import Iterable, Sequence

from kit import times
from kit.errors import InvalidArgument
from oms.orders.v1 import offers_service_pb2 as offers_pb
from oms.orders.v1 import orders_service_pb2 as pb
from services.orders.domain import offers
from services.orders.domain.model import Fulfilment, Leg, Offer
from services.orders.domain.offers import Candidate
from services.orders.domain.states import FulfilmentState, OfferState
from services.orders.offers_store import ListedOffer
from services.orders.translate import from_fulfilment
from services.orders.wire import from_instant, to_window

# -- to the domain ----------------------------------------------------------------------------------------


def to_candidates(messages: Iterable[offers_pb.Candidate]) -> list[Candidate]:
    """Their lines do not matter: those of the work do."""
    return [
        Candidate(
            Leg(
                point_id=one.leg.point_id,
                carrier_id=one.leg.carrier_id,
                service_id=one.leg.service_id,
                lines=(),
                window=to_window(one.leg.window, f"candidates[{i}].leg.window"),
                hand_over_by=times.field_or_none(one.leg, "hand_over_by"),
                latest_start=times.field_or_none(one.leg, "latest_start"),
                next_hand_over_by=times.field_or_none(one.leg, "next_hand_over_by"),
                next_window=to_window(one.leg.next_window, f"candidates[{i}].leg.next_window"),
            ),
            times.field_or_none(one, "answer_by"),
        )
        for i, one in enumerate(messages)
    ]


def to_states(numbers: Sequence[offers_pb.OfferState.ValueType]) -> tuple[OfferState, ...]:
    """Raises InvalidArgument, naming the place."""
    states = []
    for i, number in enumerate(numbers):
        if number == offers_pb.OFFER_STATE_UNSPECIFIED or number not in offers_pb.OfferState.values():
            raise InvalidArgument(f"states[{i}]", "there is no such state")
        states.append(OfferState[offers_pb.OfferState.Name(number).removeprefix("OFFER_STATE_")])
    return tuple(states)


# -- from the domain --------------------------------------------------------------------------------------


def from_taken(work: Fulfilment) -> tuple[pb.Fulfilment, pb.Claim | None]:
    """Work that somebody took, as its point sees it, and the claim to settle; None if it has the work."""
    offer = offers.claimed(work)
    if offer is None:
        return from_fulfilment(work), None
    return from_fulfilment(offers.as_offered(work, offer)), _claim(work, offer)


def from_offering(work: Fulfilment) -> offers_pb.Offering:
    """How it stands."""
    standing = offers.open_offers(work)
    claim = offers.claimed(work)
    waits = work.state == FulfilmentState.OFFERED
    return offers_pb.Offering(
        state=pb.FulfilmentState.Value(f"FULFILMENT_STATE_{work.state.name}"),
        point_id=work.point_id,
        carrier_id=work.carrier_id,
        service_id=work.service_id,
        hand_over_by=from_instant(work.hand_over_by),
        open=len(standing) if waits else 0,
        deadline=from_instant(max((one.deadline for one in standing), default=None)),
        claim=_claim(work, claim) if claim and waits else None,
        refusals=[
            offers_pb.OfferRefusal(point_id=one.point_id, reason=one.reason)
            for one in work.offers
            if one.state == OfferState.REFUSED
        ],
    )


def from_state(state: OfferState) -> offers_pb.OfferState.ValueType:
    return offers_pb.OfferState.Value(f"OFFER_STATE_{state.name}")


def from_listed(one: ListedOffer) -> offers_pb.Offer:
    offer = one.offer
    return offers_pb.Offer(
        fulfilment_id=one.fulfilment_id,
        order_id=one.order_id,
        point_id=offer.point_id,
        ring=offer.ring,
        state=from_state(offer.state),
        offered_at=from_instant(offer.offered_at),
        deadline=from_instant(offer.deadline),
        answered_at=from_instant(offer.answered_at),
        reason=offer.reason,
        actor=offer.actor,
        hand_over_by=from_instant(offer.route.hand_over_by),
    )


def _claim(work: Fulfilment, offer: Offer) -> pb.Claim:
    return pb.Claim(
        claim_id=offer.claim_id,
        fulfilment_id=work.fulfilment_id,
        order_id=work.order_id,
        from_point_id=work.point_id,
        to_point_id=offer.point_id,
        lines=[
            pb.PlannedLine(line_number=line.line_number, sku=line.sku, quantity=line.quantity)
            for line in work.lines
        ],
    )
