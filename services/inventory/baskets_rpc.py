"""BasketService over gRPC: translates requests and answers, and nothing else."""

from kit import times
from oms.inventory.v1 import basket_service_pb2 as pb
from oms.inventory.v1.basket_service_pb2_grpc import BasketServiceServicer
from services.inventory import translate as t
from services.inventory.baskets import Baskets
from services.inventory.domain import baskets as domain
from services.inventory.domain import commands
from services.inventory.domain.holds import Reservation
from services.inventory.service import InventoryService


class BasketRpc(BasketServiceServicer):
    """The servicer. Errors of the use cases pass through; kit.rpc answers them."""

    def __init__(self, baskets: Baskets, service: InventoryService) -> None:
        self._baskets = baskets
        self._service = service

    async def HoldBasket(self, request: pb.HoldBasketRequest, context: object) -> pb.HoldBasketResponse:
        answer = await self._baskets.hold(
            domain.HoldBasket(
                request_id=request.request_id,
                channel_id=request.channel_id,
                basket_id=request.basket_id,
                lines=tuple(domain.BasketLine(line.sku, line.quantity, line.point_id) for line in request.lines),
                time_to_live_seconds=request.time_to_live_seconds or domain.DEFAULT_SECONDS,
                allow_partial=request.allow_partial,
                as_of=times.field_or_now(request, "as_of"),
                purpose=t.purpose_in(request.purpose),
            )
        )
        return pb.HoldBasketResponse(
            held=answer.done,
            basket=_basket_out(answer.reservation, request.basket_id) if answer.reservation else None,
            shortfalls=t.shortfalls_out(answer.shortfalls),
        )

    async def ExtendBasket(self, request: pb.ExtendBasketRequest, context: object) -> pb.ExtendBasketResponse:
        found = await self._baskets.extend(
            request.channel_id,
            request.basket_id,
            request.time_to_live_seconds or domain.DEFAULT_SECONDS,
            times.field_or_now(request, "as_of"),
        )
        return pb.ExtendBasketResponse(basket=_basket_out(found, request.basket_id))

    async def ReleaseBasket(self, request: pb.ReleaseBasketRequest, context: object) -> pb.ReleaseBasketResponse:
        released = await self._service.release(
            commands.Release(
                request_id=request.request_id,
                reservation_id=domain.reservation_id(request.channel_id, request.basket_id),
                lines=(),
                reason="basket given up",
                as_of=times.field_or_now(request, "as_of"),
            )
        )
        return pb.ReleaseBasketResponse(released=t.lines_out(released))

    async def GetBasket(self, request: pb.GetBasketRequest, context: object) -> pb.GetBasketResponse:
        name = domain.reservation_id(request.channel_id, request.basket_id)
        found = await self._service.get_reservation(name)
        return pb.GetBasketResponse(basket=_basket_out(found, request.basket_id))


def _basket_out(reservation: Reservation, basket_id: str) -> pb.Basket:
    return pb.Basket(
        channel_id=reservation.channel_id,
        basket_id=basket_id,
        state=t.STATES[reservation.state],
        expires_at=times.to_proto(reservation.expires_at) if reservation.expires_at else None,
        lines=t.lines_out(reservation.lines),
    )
