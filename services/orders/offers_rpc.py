"""The gRPC face of competition: translates, and nothing else."""

from typing import Any

from kit import times
from oms.orders.v1 import offers_service_pb2 as pb
from oms.orders.v1.offers_service_pb2_grpc import OffersServiceServicer
from services.orders import offers_translate as to
from services.orders import wire
from services.orders.offering import Offering
from services.orders.offers_store import OfferFilter
from services.orders.translate import from_fulfilment


class OffersRpc(OffersServiceServicer):
    """OffersService over gRPC."""

    def __init__(self, service: Offering) -> None:
        self._service = service

    @wire.checked
    async def OfferRing(self, request: pb.OfferRingRequest, context: Any) -> pb.OfferRingResponse:
        work = await self._service.offer_ring(
            wire.asked(request),
            request.fulfilment_id,
            request.ring,
            to.to_candidates(request.candidates),
            times.field_or_now(request, "as_of"),
        )
        return pb.OfferRingResponse(offering=to.from_offering(work))

    @wire.checked
    async def LookAtOffers(self, request: pb.LookAtOffersRequest, context: Any) -> pb.LookAtOffersResponse:
        work = await self._service.look_at_offers(
            wire.asked(request), request.fulfilment_id, times.field_or_now(request, "as_of")
        )
        return pb.LookAtOffersResponse(offering=to.from_offering(work))

    @wire.checked
    async def EndOffering(self, request: pb.EndOfferingRequest, context: Any) -> pb.EndOfferingResponse:
        work = await self._service.end_offering(
            wire.asked(request), request.fulfilment_id, times.field_or_now(request, "as_of")
        )
        return pb.EndOfferingResponse(offering=to.from_offering(work))

    @wire.checked
    async def SettleClaim(self, request: pb.SettleClaimRequest, context: Any) -> pb.SettleClaimResponse:
        work = await self._service.settle_claim(
            wire.asked(request),
            request.fulfilment_id,
            request.claim_id,
            times.field_or_now(request, "as_of"),
            held=request.held,
        )
        offer = next(one for one in work.offers if one.claim_id == request.claim_id)
        return pb.SettleClaimResponse(
            offering=to.from_offering(work), state=to.from_state(offer.state), fulfilment=from_fulfilment(work)
        )

    @wire.checked
    async def AssignWork(self, request: pb.AssignWorkRequest, context: Any) -> pb.AssignWorkResponse:
        work = await self._service.assign_work(
            wire.asked(request),
            request.fulfilment_id,
            request.point_id,
            request.actor,
            times.field_or_now(request, "as_of"),
        )
        taken, claim = to.from_taken(work)
        return pb.AssignWorkResponse(fulfilment=taken, claim=claim)

    @wire.checked
    async def ListOffers(self, request: pb.ListOffersRequest, context: Any) -> pb.ListOffersResponse:
        wanted = OfferFilter(
            tuple(request.point_ids), to.to_states(request.states), request.order_id, request.fulfilment_id
        )
        size, after = wire.to_page(request.page)
        found = await self._service.list_offers(wanted, size, after)
        return pb.ListOffersResponse(
            offers=[to.from_listed(one) for one in found],
            page=wire.from_page([one.position for one in found], size),
        )
