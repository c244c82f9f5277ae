"""Steps of a competition: who could do the work (promise), who has it (orders), whose the room is (promise)."""

import grpc
from temporalio import activity

from oms.orders.v1 import offers_service_pb2 as pb
from oms.orders.v1 import orders_service_pb2 as orders
from oms.orders.v1.offers_service_pb2_grpc import OffersServiceStub
from oms.promise.v1 import allocation_service_pb2 as allocation
from oms.promise.v1.allocation_service_pb2_grpc import AllocationServiceStub
from workflows.activities.orders import to_leg
from workflows.activities.promise import leg_of, place_proto, question
from workflows.activities.translate import CALL_SECONDS, instant, text, text_or_empty
from workflows.messages import Exclusion, FulfilmentStep, Leg, Move, MoveRequest
from workflows.offer_messages import (
    Candidate,
    Claim,
    RankRequest,
    RingRequest,
    RoomRequest,
    SettleRequest,
    Standing,
)


class OfferActivities:
    """One call each."""

    def __init__(self, orders: grpc.aio.Channel, promise: grpc.aio.Channel) -> None:
        self._offers = OffersServiceStub(orders)
        self._allocation = AllocationServiceStub(promise)

    @activity.defn
    async def rank_points(self, request: RankRequest) -> list[Candidate]:
        """RankPoints."""
        asked = allocation.RankPointsRequest(
            question=question(request.question), answer_seconds=request.answer_seconds
        )
        reply = await self._allocation.RankPoints(asked, timeout=CALL_SECONDS)
        return [Candidate(leg_of(one.leg), text(one.answer_by)) for one in reply.points]

    @activity.defn
    async def move_room(self, request: RoomRequest) -> bool:
        """MoveRoom."""
        reply = await self._allocation.MoveRoom(
            allocation.MoveRoomRequest(
                order_id=request.order_id,
                from_leg=place_proto(request.planned),
                to_point_id=request.winner.point_id,
                carrier_id=request.winner.carrier_id,
                service_id=request.winner.service_id,
                hand_over_by=instant(request.winner.hand_over_by),
                as_of=instant(request.as_of),
            ),
            timeout=CALL_SECONDS,
        )
        return reply.moved

    @activity.defn
    async def offer_ring(self, request: RingRequest) -> Standing:
        """OfferRing."""
        reply = await self._offers.OfferRing(
            pb.OfferRingRequest(
                request_id=request.request_id,
                fulfilment_id=request.fulfilment_id,
                ring=request.ring,
                candidates=[
                    pb.Candidate(leg=to_leg(one.leg), answer_by=instant(one.answer_by))
                    for one in request.candidates
                ],
                as_of=instant(request.as_of),
            ),
            timeout=CALL_SECONDS,
        )
        return _standing(reply.offering)

    @activity.defn
    async def look_at_offers(self, request: FulfilmentStep) -> Standing:
        """LookAtOffers."""
        reply = await self._offers.LookAtOffers(
            pb.LookAtOffersRequest(
                request_id=request.request_id,
                fulfilment_id=request.fulfilment_id,
                as_of=instant(request.as_of),
            ),
            timeout=CALL_SECONDS,
        )
        return _standing(reply.offering)

    @activity.defn
    async def end_offering(self, request: FulfilmentStep) -> Standing:
        """EndOffering."""
        reply = await self._offers.EndOffering(
            pb.EndOfferingRequest(
                request_id=request.request_id,
                fulfilment_id=request.fulfilment_id,
                as_of=instant(request.as_of),
            ),
            timeout=CALL_SECONDS,
        )
        return _standing(reply.offering)

    @activity.defn
    async def settle_claim(self, request: SettleRequest) -> Standing:
        """SettleClaim."""
        reply = await self._offers.SettleClaim(
            pb.SettleClaimRequest(
                request_id=request.request_id,
                fulfilment_id=request.fulfilment_id,
                claim_id=request.claim_id,
                held=request.held,
                as_of=instant(request.as_of),
            ),
            timeout=CALL_SECONDS,
        )
        return _standing(reply.offering)


def _standing(offering: pb.Offering) -> Standing:
    return Standing(
        state=orders.FulfilmentState.Name(offering.state).removeprefix("FULFILMENT_STATE_"),
        winner=Leg(
            point_id=offering.point_id,
            carrier_id=offering.carrier_id,
            service_id=offering.service_id,
            lines=[],
            window_start="",
            window_end="",
            hand_over_by=text(offering.hand_over_by),
        ),
        open=offering.open,
        deadline=text_or_empty(offering, "deadline"),
        claim=_claim(offering.claim) if offering.HasField("claim") else None,
        refused_by=[Exclusion(one.point_id, one.reason) for one in offering.refusals],
    )


def _claim(claim: orders.Claim) -> Claim:
    moves = [Move(line.sku, claim.from_point_id, claim.to_point_id, line.quantity) for line in claim.lines]
    # As of the first who moves: the same for all who do.
    return Claim(claim.claim_id, MoveRequest(f"move/{claim.claim_id}", claim.order_id, moves, ""))
