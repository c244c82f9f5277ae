"""ErasureService over gRPC: translates, and nothing else."""

from typing import Any

from kit import times
from oms.orders.v1 import erasure_service_pb2 as pb
from oms.orders.v1.erasure_service_pb2_grpc import ErasureServiceServicer
from services.orders import wire
from services.orders.erasing import Erasing


class ErasureRpc(ErasureServiceServicer):
    """Its one call."""

    def __init__(self, erasing: Erasing) -> None:
        self._erasing = erasing

    @wire.checked
    async def EraseCustomer(self, request: pb.EraseCustomerRequest, context: Any) -> pb.EraseCustomerResponse:
        done = await self._erasing.erase_customer(
            request.customer_id, request.order_id, request.actor, times.field_or_now(request, "as_of")
        )
        return pb.EraseCustomerResponse(
            orders=done.orders,
            kept_for_documents=done.kept_for_documents,
            documents_until=wire.from_instant(done.documents_until),
        )
