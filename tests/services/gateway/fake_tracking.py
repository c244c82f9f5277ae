"""Parcels on their way, with canned answers."""

from typing import TYPE_CHECKING, Any

import grpc

from kit.errors import NotFound, Unauthenticated
from oms.orders.v1 import orders_service_pb2 as orders
from oms.orders.v1 import tracking_service_pb2 as pb
from oms.orders.v1.tracking_service_pb2_grpc import TrackingServiceServicer, add_TrackingServiceServicer_to_server

if TYPE_CHECKING:
    from tests.services.gateway.fakes import World


class FakeTracking(TrackingServiceServicer):
    def __init__(self, world: "World") -> None:
        self._world = world

    async def ReceiveCarrierEvents(
        self, request: pb.ReceiveCarrierEventsRequest, context: Any
    ) -> pb.ReceiveCarrierEventsResponse:
        self._world.note("ReceiveCarrierEvents", request)
        if request.signature == "forged":
            raise Unauthenticated("SIGNATURE_INVALID", "the signature does not prove the carrier")
        return pb.ReceiveCarrierEventsResponse(taken=2, duplicates=1)

    async def DeclareParcelLost(
        self, request: pb.DeclareParcelLostRequest, context: Any
    ) -> pb.DeclareParcelLostResponse:
        return pb.DeclareParcelLostResponse(fulfilment=self._act("DeclareParcelLost", request))

    async def DecideLostParcel(
        self, request: pb.DecideLostParcelRequest, context: Any
    ) -> pb.DecideLostParcelResponse:
        return pb.DecideLostParcelResponse(fulfilment=self._act("DecideLostParcel", request))

    async def LabelParcel(self, request: pb.LabelParcelRequest, context: Any) -> pb.LabelParcelResponse:
        self._act("LabelParcel", request)
        return pb.LabelParcelResponse(sscc="095204170000000420")

    def _act(self, name: str, request: Any) -> orders.Fulfilment:
        self._world.note(name, request)
        if request.fulfilment_id not in self._world.work:
            raise NotFound("FULFILMENT_NOT_FOUND", "there is no such fulfilment", field="fulfilment_id")
        return self._world.work[request.fulfilment_id].fulfilment


def register(world: "World", server: grpc.aio.Server) -> None:
    add_TrackingServiceServicer_to_server(FakeTracking(world), server)
