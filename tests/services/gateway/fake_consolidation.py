"""A hub with canned answers: one parcel that comes from Paris, and is received at once."""

from typing import TYPE_CHECKING, Any

import grpc

from oms.orders.v1 import consolidation_service_pb2 as pb
from oms.orders.v1 import orders_service_pb2 as orders
from oms.orders.v1.consolidation_service_pb2_grpc import (
    ConsolidationServiceServicer,
    add_ConsolidationServiceServicer_to_server,
)

if TYPE_CHECKING:
    from tests.services.gateway.fakes import World


def inbound(state: "orders.FulfilmentState.ValueType") -> orders.Fulfilment:
    """What Paris sends to Lyon."""
    return orders.Fulfilment(
        fulfilment_id="ful_1",
        order_id="ord_1",
        point_id="store-paris",
        carrier_id="colis",
        service_id="shuttle",
        state=state,
        lines=[orders.FulfilmentLine(line_number=1, sku="SKU-1", quantity=2, title="Tee")],
        joins="ful_hub",
    )


class FakeConsolidation(ConsolidationServiceServicer):
    def __init__(self, world: "World") -> None:
        self._world = world

    async def ListArrivals(self, request: Any, context: Any) -> pb.ListArrivalsResponse:
        self._world.note("ListArrivals", request)
        one = pb.Arrival(
            fulfilment=inbound(orders.FULFILMENT_STATE_HANDED_OVER), hub_point_id="store-lyon", cancelled=True
        )
        return pb.ListArrivalsResponse(arrivals=[one])

    async def ReceiveParcel(self, request: Any, context: Any) -> pb.ReceiveParcelResponse:
        self._world.note("ReceiveParcel", request)
        return pb.ReceiveParcelResponse(fulfilment=inbound(orders.FULFILMENT_STATE_DELIVERED))


def register(world: "World", server: grpc.aio.Server) -> None:
    """Adds it to a server."""
    add_ConsolidationServiceServicer_to_server(FakeConsolidation(world), server)
