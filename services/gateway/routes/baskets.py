"""Baskets: units that a customer of a channel has laid aside for some minutes."""

from typing import Annotated

from fastapi import Path, Response

from oms.inventory.v1 import basket_service_pb2 as pb
from services.gateway import access
from services.gateway.guard import CallerIs, ClientsAre
from services.gateway.problems import RefusedLineView, problem
from services.gateway.routes.common import ChannelId, OptionalKey, new_act_id, router
from services.gateway.schemas.baskets import BasketExtension, BasketSent, BasketShortfallView, BasketView
from services.gateway.wire import message, shown

baskets_router = router("baskets")

BasketId = Annotated[str, Path(min_length=1, max_length=100, pattern=r"^[A-Za-z0-9._-]+$")]
_PATH = "/channels/{channel_id}/baskets/{basket_id}"


@baskets_router.put(_PATH, response_model=BasketView)
async def hold_basket(
    channel_id: ChannelId,
    basket_id: BasketId,
    body: BasketSent,
    caller: CallerIs,
    clients: ClientsAre,
    key: OptionalKey = None,
) -> BasketView | Response:
    """Lay units aside, in the place of what the basket held. All or nothing, unless `allow_partial`.

    409 STOCK_UNAVAILABLE says what could be had; the basket then keeps what it had.
    """
    access.check_speaks_for(caller, channel_id)
    ids = {"channel_id": channel_id, "basket_id": basket_id}
    request_id = new_act_id(f"hold-basket/{channel_id}/{basket_id}", caller, key)
    request = message(pb.HoldBasketRequest, body.model_dump() | ids | {"request_id": request_id})
    found = await clients.act(clients.baskets.HoldBasket, request)
    shortfalls = [shown(one, BasketShortfallView, point_id=one.point_id or None) for one in found.shortfalls]
    if not found.held:
        lines = [_refused(body, one) for one in shortfalls]
        return problem(409, "STOCK_UNAVAILABLE", "not enough stock for these lines", lines=lines)
    return shown(found.basket, BasketView, shortfalls=shortfalls)


@baskets_router.get(_PATH)
async def get_basket(
    channel_id: ChannelId, basket_id: BasketId, caller: CallerIs, clients: ClientsAre
) -> BasketView:
    """Read what a basket holds, and until when."""
    access.check_speaks_for(caller, channel_id)
    request = pb.GetBasketRequest(channel_id=channel_id, basket_id=basket_id)
    return shown((await clients.read(clients.baskets.GetBasket, request)).basket, BasketView)


@baskets_router.post(f"{_PATH}/extend")
async def extend_basket(
    channel_id: ChannelId, basket_id: BasketId, body: BasketExtension, caller: CallerIs, clients: ClientsAre
) -> BasketView:
    """Give a basket more time; never less."""
    access.check_speaks_for(caller, channel_id)
    request = pb.ExtendBasketRequest(
        channel_id=channel_id, basket_id=basket_id, time_to_live_seconds=body.time_to_live_seconds
    )
    return shown((await clients.act(clients.baskets.ExtendBasket, request)).basket, BasketView)


@baskets_router.delete(_PATH, status_code=204)
async def release_basket(
    channel_id: ChannelId, basket_id: BasketId, caller: CallerIs, clients: ClientsAre, key: OptionalKey = None
) -> None:
    """Give all units of a basket back. There may be none."""
    access.check_speaks_for(caller, channel_id)
    request = pb.ReleaseBasketRequest(
        request_id=new_act_id(f"release-basket/{channel_id}/{basket_id}", caller, key),
        channel_id=channel_id,
        basket_id=basket_id,
    )
    await clients.act(clients.baskets.ReleaseBasket, request)


def _refused(body: BasketSent, shortfall: BasketShortfallView) -> RefusedLineView:
    """Named by the first line of the basket that asks for it, counted from 1."""
    place = next(
        number
        for number, line in enumerate(body.lines, 1)
        if (line.sku, line.point_id or None) == (shortfall.sku, shortfall.point_id)
    )
    return RefusedLineView(
        line_number=place,
        sku=shortfall.sku,
        requested=shortfall.requested,
        available=shortfall.available,
        reason="NO_STOCK",
    )
