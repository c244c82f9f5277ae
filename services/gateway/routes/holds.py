"""Holds: people who stop an order, let it go on, give it another date or decide against it."""

from oms.orders.v1 import orders_service_pb2 as orders
from services.gateway import access, reading
from services.gateway.auth import Caller
from services.gateway.clients import Clients
from services.gateway.guard import CallerIs, ClientsAre
from services.gateway.routes.common import HoldId, OptionalKey, OrderId, act_id, new_act_id, router
from services.gateway.schemas.holds import HoldExtension, HoldPlacement, HoldRefusal, HoldRelease, HoldView
from services.gateway.wire import message

holds_router = router("holds")


@holds_router.post("/orders/{order_id}/holds", status_code=201)
async def place_hold(
    order_id: OrderId, body: HoldPlacement, caller: CallerIs, clients: ClientsAre, key: OptionalKey = None
) -> HoldView:
    """Stop an order, or the work of one point, until somebody lets it go on or its date has come.

    409 TOO_LATE_TO_HOLD once nothing of it can be stopped.
    """
    await _check_may_act(clients, caller, order_id)
    values = {
        "request_id": new_act_id(f"hold/{order_id}", caller, key),
        "order_id": order_id,
        "actor": caller.subject,
        **body.model_dump(),
    }
    answer = await clients.act(clients.orders.PlaceHold, message(orders.PlaceHoldRequest, values))
    return _view(answer.hold)


@holds_router.post("/orders/{order_id}/holds/{hold_id}/release")
async def release_hold(
    order_id: OrderId,
    hold_id: HoldId,
    caller: CallerIs,
    clients: ClientsAre,
    body: HoldRelease | None = None,
    key: OptionalKey = None,
) -> HoldView:
    """Let it go on. 409 HOLD_ENDED says how it ended before; 403 HOLD_OF_OTHERS who may decide."""
    await _check_may_act(clients, caller, order_id)
    sent = body or HoldRelease()
    request = orders.ReleaseHoldRequest(
        request_id=act_id("release-hold", hold_id, caller, sent, key),
        order_id=order_id,
        hold_id=hold_id,
        reason=sent.reason,
        actor=caller.subject,
        roles=sorted(caller.roles),
    )
    return _view((await clients.act(clients.orders.ReleaseHold, request)).hold)


@holds_router.post("/orders/{order_id}/holds/{hold_id}/extend")
async def extend_hold(
    order_id: OrderId,
    hold_id: HoldId,
    body: HoldExtension,
    caller: CallerIs,
    clients: ClientsAre,
    key: OptionalKey = None,
) -> HoldView:
    """Give it another date, earlier or later. Errors as for releasing it."""
    await _check_may_act(clients, caller, order_id)
    values = {
        "request_id": new_act_id(f"extend-hold/{hold_id}", caller, key),
        "order_id": order_id,
        "hold_id": hold_id,
        "actor": caller.subject,
        "roles": sorted(caller.roles),
        **body.model_dump(),
    }
    answer = await clients.act(clients.orders.ExtendHold, message(orders.ExtendHoldRequest, values))
    return _view(answer.hold)


@holds_router.post("/orders/{order_id}/holds/{hold_id}/refuse")
async def refuse_hold(
    order_id: OrderId,
    hold_id: HoldId,
    body: HoldRefusal,
    caller: CallerIs,
    clients: ClientsAre,
    key: OptionalKey = None,
) -> HoldView:
    """Decide against the order: it is cancelled. Errors as for releasing it, and 409 TOO_LATE_TO_CANCEL."""
    await _check_may_act(clients, caller, order_id)
    request = orders.RefuseHoldRequest(
        request_id=act_id("refuse-hold", hold_id, caller, body, key),
        order_id=order_id,
        hold_id=hold_id,
        reason=body.reason,
        actor=caller.subject,
        roles=sorted(caller.roles),
    )
    return _view((await clients.act(clients.orders.RefuseHold, request)).hold)


async def _check_may_act(clients: Clients, caller: Caller, order_id: str) -> None:
    order = await reading.visible_order(clients, caller, order_id)
    access.check_decides_for(caller, order.content.channel_id)


def _view(hold: orders.Hold) -> HoldView:
    return HoldView.model_validate(reading.hold_values(hold))
