"""LockerService over gRPC: translates, and nothing else."""

from typing import Any

from kit import times
from oms.orders.v1 import locker_service_pb2 as pb
from oms.orders.v1.locker_service_pb2_grpc import LockerServiceServicer
from services.orders import translate as to
from services.orders import wire
from services.orders.depositing import Depositing


class LockerRpc(LockerServiceServicer):
    """Its calls."""

    def __init__(self, depositing: Depositing) -> None:
        self._depositing = depositing

    @wire.checked
    async def BookCompartment(
        self, request: pb.BookCompartmentRequest, context: Any
    ) -> pb.BookCompartmentResponse:
        work = await self._depositing.book(
            wire.asked(request), request.fulfilment_id, request.actor, times.field_or_now(request, "as_of")
        )
        return pb.BookCompartmentResponse(fulfilment=to.from_fulfilment(work))

    @wire.checked
    async def TakeOut(self, request: pb.TakeOutRequest, context: Any) -> pb.TakeOutResponse:
        work = await self._depositing.take_out(
            wire.asked(request),
            request.fulfilment_id,
            request.shelf,
            request.actor,
            times.field_or_now(request, "as_of"),
        )
        return pb.TakeOutResponse(fulfilment=to.from_fulfilment(work))

    async def ReceiveLockerEvents(
        self, request: pb.ReceiveLockerEventsRequest, context: Any
    ) -> pb.ReceiveLockerEventsResponse:
        wire.check_text(request)
        taken = await self._depositing.receive(request.point_id, request.payload, request.signature, times.now())
        return pb.ReceiveLockerEventsResponse(taken=taken.events, duplicates=taken.duplicates)
