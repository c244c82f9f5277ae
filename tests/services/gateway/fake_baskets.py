"""Baskets with canned answers: of SKU-2 there is one unit."""

from typing import TYPE_CHECKING, Any

import grpc

from kit.errors import NotFound
from oms.inventory.v1 import basket_service_pb2 as pb
from oms.inventory.v1 import inventory_service_pb2 as inventory
from oms.inventory.v1.basket_service_pb2_grpc import BasketServiceServicer, add_BasketServiceServicer_to_server

if TYPE_CHECKING:
    from tests.services.gateway.fakes import World


def _basket(request: Any) -> pb.Basket:
    return pb.Basket(
        channel_id=request.channel_id,
        basket_id=request.basket_id,
        state=inventory.RESERVATION_STATE_HELD,
        lines=[inventory.HoldLine(sku="SKU-1", point_id="store-lyon", quantity=2)],
    )


class FakeBaskets(BasketServiceServicer):
    def __init__(self, world: "World") -> None:
        self._world = world

    async def HoldBasket(self, request: Any, context: Any) -> pb.HoldBasketResponse:
        self._world.note("HoldBasket", request)
        short = [
            inventory.Shortfall(sku=line.sku, point_id=line.point_id, requested=line.quantity, available=1, free=1)
            for line in request.lines
            if line.sku == "SKU-2" and line.quantity > 1
        ]
        if short and not request.allow_partial:
            return pb.HoldBasketResponse(shortfalls=short)
        return pb.HoldBasketResponse(held=True, basket=_basket(request), shortfalls=short)

    async def ExtendBasket(self, request: Any, context: Any) -> pb.ExtendBasketResponse:
        self._world.note("ExtendBasket", request)
        return pb.ExtendBasketResponse(basket=_basket(request))

    async def ReleaseBasket(self, request: Any, context: Any) -> pb.ReleaseBasketResponse:
        self._world.note("ReleaseBasket", request)
        return pb.ReleaseBasketResponse()

    async def GetBasket(self, request: Any, context: Any) -> pb.GetBasketResponse:
        self._world.note("GetBasket", request)
        if request.basket_id == "nobodys":
            raise NotFound("RESERVATION_NOT_FOUND", "there is no such basket")
        return pb.GetBasketResponse(basket=_basket(request))


def register(world: "World", server: grpc.aio.Server) -> None:
    add_BasketServiceServicer_to_server(FakeBaskets(world), server)
