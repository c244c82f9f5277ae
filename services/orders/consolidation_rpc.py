"""ConsolidationService over gRPC: translates, and nothing else."""

from typing import Any

from kit import times
from oms.orders.v1 import consolidation_service_pb2 as pb
from oms.orders.v1.consolidation_service_pb2_grpc import ConsolidationServiceServicer
from services.orders import translate as to
from services.orders import wire
from services.orders.consolidating import Consolidating
from services.orders.domain.consolidating import Arrived


class ConsolidationRpc(ConsolidationServiceServicer):
    """Its two calls."""

    def __init__(self, consolidating: Consolidating) -> None:
        self._consolidating = consolidating

    @wire.checked
    async def ListArrivals(self, request: pb.ListArrivalsRequest, context: Any) -> pb.ListArrivalsResponse:
        size, after = wire.to_page(request.page)
        arrivals = await self._consolidating.list_arrivals(list(request.point_ids), size, after)
        return pb.ListArrivalsResponse(
            arrivals=[
                pb.Arrival(
                    fulfilment=to.from_fulfilment(one.work),
                    hub_point_id=one.hub_point_id,
                    cancelled=one.is_cancelled,
                )
                for one in arrivals
            ],
            page=wire.from_page([one.position for one in arrivals], size),
        )

    @wire.checked
    async def ReceiveParcel(self, request: pb.ReceiveParcelRequest, context: Any) -> pb.ReceiveParcelResponse:
        work = await self._consolidating.receive(
            wire.asked(request),
            request.fulfilment_id,
            [Arrived(one.line_number, one.quantity, one.damaged, one.sku) for one in request.units],
            request.actor,
            times.field_or_now(request, "as_of"),
        )
        return pb.ReceiveParcelResponse(fulfilment=to.from_fulfilment(work))
