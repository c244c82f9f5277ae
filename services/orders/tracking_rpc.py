"""TrackingService over gRPC: translates, and nothing else."""

from typing import Any

from kit import times
from oms.orders.v1 import tracking_service_pb2 as pb
from oms.orders.v1.tracking_service_pb2_grpc import TrackingServiceServicer
from services.orders import translate as to
from services.orders import wire
from services.orders.labelling import Labels
from services.orders.tracking import Tracking


class TrackingRpc(TrackingServiceServicer):
    """Its calls."""

    def __init__(self, tracking: Tracking, labels: Labels) -> None:
        self._tracking = tracking
        self._labels = labels

    async def ReceiveCarrierEvents(
        self, request: pb.ReceiveCarrierEventsRequest, context: Any
    ) -> pb.ReceiveCarrierEventsResponse:
        wire.check_text(request)
        taken = await self._tracking.receive(request.carrier_id, request.payload, request.signature, times.now())
        return pb.ReceiveCarrierEventsResponse(taken=taken.events, duplicates=taken.duplicates)

    async def DeclareParcelLost(
        self, request: pb.DeclareParcelLostRequest, context: Any
    ) -> pb.DeclareParcelLostResponse:
        wire.check_text(request)
        work = await self._tracking.declare_lost(
            wire.asked(request),
            request.fulfilment_id,
            request.cause,
            request.reason,
            request.actor,
            times.field_or_now(request, "as_of"),
        )
        return pb.DeclareParcelLostResponse(fulfilment=to.from_fulfilment(work))

    async def DecideLostParcel(
        self, request: pb.DecideLostParcelRequest, context: Any
    ) -> pb.DecideLostParcelResponse:
        wire.check_text(request)
        work = await self._tracking.decide(
            wire.asked(request),
            request.fulfilment_id,
            request.decision,
            request.actor,
            times.field_or_now(request, "as_of"),
        )
        return pb.DecideLostParcelResponse(fulfilment=to.from_fulfilment(work))

    async def LabelParcel(self, request: pb.LabelParcelRequest, context: Any) -> pb.LabelParcelResponse:
        wire.check_text(request)
        sscc = await self._labels.label(request.fulfilment_id, wire.to_reach(request.reach))
        return pb.LabelParcelResponse(sscc=sscc)
