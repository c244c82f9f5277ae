"""Changes of orders that stand: units that are not wanted, another address, other content."""

import asyncio
from typing import Any

from fastapi import Request, Response
from fastapi.responses import JSONResponse

from kit.errors import NotFound
from oms.orders.v1 import change_service_pb2 as changes
from oms.orders.v1 import orders_service_pb2 as orders
from services.gateway import access, personalising, reading
from services.gateway.auth import Caller
from services.gateway.clients import Clients
from services.gateway.guard import CallerIs, ClientsAre
from services.gateway.routes.common import ChangeId, OptionalKey, OrderId, new_act_id, router
from services.gateway.schemas.changes import (
    AddressChange,
    ChangedOrder,
    ContentChange,
    Elsewhere,
    LinesCancellation,
)
from services.gateway.wire import message

changes_router = router("changes")
# Between two looks at a change that is being decided.
_LOOK_SECONDS = 0.1
_PENDING: dict[int | str, dict[str, Any]] = {
    202: {"model": ChangedOrder, "description": "Asked for; whether it is applied is still to come"}
}


@changes_router.post("/orders/{order_id}/lines/cancel")
async def cancel_lines(
    order_id: OrderId,
    body: LinesCancellation,
    caller: CallerIs,
    clients: ClientsAre,
    key: OptionalKey = None,
) -> ChangedOrder:
    """Cancel units of lines, all or none.

    409 TOO_LATE_TO_CHANGE names the line and how many of it can still be cancelled. Without a unit left, the order
    is cancelled.
    """
    await _check_may_change(clients, caller, order_id)
    values = {**_asked(f"cancel-lines/{order_id}", order_id, caller, key), **body.model_dump()}
    answer = await clients.act(clients.changes.CancelLines, message(changes.CancelLinesRequest, values))
    return _view(order_id, answer.change)


@changes_router.patch("/orders/{order_id}/address", response_model=ChangedOrder, responses=_PENDING)
async def change_address(
    order_id: OrderId,
    body: AddressChange,
    caller: CallerIs,
    clients: ClientsAre,
    request: Request,
    key: OptionalKey = None,
) -> Response:
    """Send the order to another address.

    Within its postcode until it is packed. Elsewhere in cooling-off only, as PUT content: it needs another plan.
    """
    await _check_may_change(clients, caller, order_id)
    values = {**_asked(f"change-address/{order_id}", order_id, caller, key), **body.model_dump()}
    answer = await clients.act(clients.changes.ChangeAddress, message(changes.ChangeAddressRequest, values))
    return await _outcome(clients, request, order_id, answer.change)


@changes_router.put("/orders/{order_id}/content", response_model=ChangedOrder, responses=_PENDING)
async def change_content(
    order_id: OrderId,
    body: ContentChange,
    caller: CallerIs,
    clients: ClientsAre,
    request: Request,
    key: OptionalKey = None,
) -> Response:
    """Change anything of an order in cooling-off: lines, texts, mode and address, at the channel's prices.

    It is applied as a whole or refused, and then the order stands as it was: `state` says which, `refusal` why.
    422 UNKNOWN_PERSONALISATION, TEXT_TOO_LONG for texts that differ from those ordered, as at the placement.
    202: read `status_url`. 409 TOO_LATE_TO_CHANGE after cooling-off, CHANGE_OPEN while another one is not decided.
    """
    order = await _check_may_change(clients, caller, order_id)
    access.check_brands(caller, (line.brand for line in body.lines))
    await personalising.check_change(clients, order, body.lines)
    values = {**_asked(f"change-content/{order_id}", order.order_id, caller, key), **body.model_dump()}
    answer = await clients.act(clients.changes.ProposeChange, message(changes.ProposeChangeRequest, values))
    return await _outcome(clients, request, order_id, answer.change)


@changes_router.post("/orders/{order_id}/plan-again", response_model=ChangedOrder, responses=_PENDING)
async def plan_again(
    order_id: OrderId,
    caller: CallerIs,
    clients: ClientsAre,
    request: Request,
    body: Elsewhere | None = None,
    key: OptionalKey = None,
) -> Response:
    """Stop waiting for stock to come: its units are sent from what is there, earlier, or it waits on.

    With a point: what that has not begun is done elsewhere, or stays.
    Nothing is given up before all of it is held elsewhere: `state` says whether it is, `refusal` why not
    (STOCK_UNAVAILABLE, NOT_DELIVERABLE, or PROMISE_CHANGED where waiting is no later). 202: read `status_url`.
    409 NOTHING_AWAITED, NOT_RELEASED (in cooling-off PUT content is had from what is there), CHANGE_OPEN; with
    a point NOT_AT_POINT, or why its work stays: TOO_LATE_TO_CHANGE, COLLECTED, MEETS_OTHERS, SENT_AGAIN,
    UNITS_AWAITED, OFFER_CLAIMED, ON_HOLD.
    """
    await reading.visible_order(clients, caller, order_id)
    values = {
        "request_id": new_act_id(f"plan-again/{order_id}", caller, key),
        "order_id": order_id,
        "actor": caller.subject,
        **(body.model_dump() if body else {}),
    }
    answer = await clients.act(clients.changes.PlanAgain, message(changes.PlanAgainRequest, values))
    return await _outcome(clients, request, order_id, answer.change)


@changes_router.get("/orders/{order_id}/changes/{change_id}")
async def read_change(
    order_id: OrderId, change_id: ChangeId, caller: CallerIs, clients: ClientsAre
) -> ChangedOrder:
    """Read what became of a change."""
    order = await reading.visible_order(clients, caller, order_id)
    return _view(order_id, _find(order, change_id))


async def _check_may_change(clients: Clients, caller: Caller, order_id: str) -> orders.Order:
    order = await reading.visible_order(clients, caller, order_id)
    access.check_speaks_for(caller, order.content.channel_id)
    return order


def _asked(act: str, order_id: str, caller: Caller, key: str | None) -> dict[str, Any]:
    return {
        "request_id": new_act_id(act, caller, key),
        "order_id": order_id,
        "actor": caller.subject,
        "roles": sorted(caller.roles),
    }


async def _outcome(clients: Clients, request: Request, order_id: str, change: orders.OrderChange) -> Response:
    """What was decided, if that comes within the time of a placement."""
    try:
        async with asyncio.timeout(request.app.state.options.placement_wait_seconds):
            while change.state == "proposed":
                await asyncio.sleep(_LOOK_SECONDS)
                found = await clients.read(clients.orders.GetOrder, orders.GetOrderRequest(order_id=order_id))
                change = _find(found.order, change.change_id)
    except TimeoutError:
        pass
    view = _view(order_id, change)
    headers = {"Location": view.status_url}
    return JSONResponse(view.model_dump(mode="json"), 202 if change.state == "proposed" else 200, headers)


def _find(order: orders.Order, change_id: str) -> orders.OrderChange:
    for one in order.changes:
        if one.change_id == change_id:
            return one
    raise NotFound("CHANGE_NOT_FOUND", "the order has no such change", field="change_id", change_id=change_id)


def _view(order_id: str, change: orders.OrderChange) -> ChangedOrder:
    where = f"/v1/orders/{order_id}/changes/{change.change_id}"
    return ChangedOrder.model_validate(reading.change_values(change) | {"order_id": order_id, "status_url": where})
