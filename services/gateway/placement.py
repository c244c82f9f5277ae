"""Placing an order: record it, let its workflow act, and tell the outcome.

Owns the order of the two steps and what each outcome is called outside. Decides nothing about the order.
"""

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from fastapi import Response
from fastapi.responses import JSONResponse

from kit import failpoints, times
from kit.errors import OmsError
from oms.booking.v1 import booking_service_pb2 as booking
from oms.orders.v1 import document_service_pb2 as documents
from oms.orders.v1 import orders_service_pb2 as orders
from oms.promise.v1 import promise_service_pb2 as promise
from oms.type.v1 import type_pb2 as types
from services.gateway import personalising
from services.gateway.clients import Clients
from services.gateway.problems import PromiseOption, RefusedLineView, problem
from services.gateway.schemas.base import MoneyView
from services.gateway.schemas.booking import SlotView
from services.gateway.schemas.orders import OrderPlacement, Placed
from services.gateway.wire import enum_name, message, plain, shown
from workflows import starting
from workflows.messages import Option, Placement, Refusal

# A refusal that the caller can answer with another order is a conflict with the state of the world.
_NO_APPOINTMENT = ("SLOT_FULL", "SLOT_PAST", "NOT_SERVED", "BOOKED_BY_ANOTHER", "BOOKING_ENDED")
_CONFLICTS = ("STOCK_UNAVAILABLE", "PROMISE_CHANGED", "CANCELLED", *_NO_APPOINTMENT)
# Told with every answer about an order that was recorded before under the same key.
REPLAYED = {"Idempotent-Replayed": "true"}
_CUSTOMER_STATUS = {"validated": "validated", "action_required": "action required", "cancelling": "cancelled"}


async def place_order(
    clients: Clients, body: OrderPlacement, key: str, wait: timedelta, task_queue: str
) -> Response:
    """Records the order, then waits for the outcome of its placement, at most `wait`."""
    await personalising.check_placement(clients, body, key)
    request = orders.RecordOrderRequest(
        idempotency_key=key, content=content_of(body), placed_at=times.to_proto(times.now())
    )
    recorded = await clients.act(clients.orders.RecordOrder, request)
    failpoints.reach("place_order.recorded")
    answer = await _outcome(clients, recorded, wait, task_queue)
    failpoints.reach("place_order.before_answer")
    if recorded.existed:
        answer.headers.update(REPLAYED)
    return answer


async def _outcome(
    clients: Clients, recorded: orders.RecordOrderResponse, wait: timedelta, task_queue: str
) -> Response:
    if recorded.order.state != orders.ORDER_STATE_RECORDED:
        return await _from_state(clients, recorded.order)
    outcome = await starting.place(clients.temporal, recorded.facts, wait, task_queue)
    if outcome is None:
        asked = orders.GetOrderRequest(order_id=recorded.order.order_id)
        return await _from_state(clients, (await clients.read(clients.orders.GetOrder, asked)).order)
    return await _from_outcome(clients, recorded.order, outcome)


def content_of(body: OrderPlacement) -> orders.OrderContent:
    """The order as `orders` records it."""
    values = body.model_dump(exclude={"payment"}) | {"payment": body.payment.chosen() if body.payment else None}
    return message(orders.OrderContent, values)


async def _from_outcome(clients: Clients, order: orders.Order, outcome: Placement) -> Response:
    if outcome.state == "refused":
        refusal = outcome.refusal or Refusal("REFUSED", "the order was refused")
        lines = [RefusedLineView.model_validate(vars_of(line)) for line in refusal.lines]
        options = [_option(option) for option in outcome.options]
        slots = await _slots_now(clients, order, refusal.reason)
        return _refused(order.order_id, refusal.reason, refusal.detail, lines, options, slots)
    promise_window = None
    if outcome.promise_start:
        promise_window = {"start": outcome.promise_start, "end": outcome.promise_end}
    return _placed(
        order,
        status=outcome.state,
        customer_status=_CUSTOMER_STATUS.get(outcome.state, order.customer_status),
        promise=promise_window,
        cooling_off_until=outcome.cooling_off_until or None,
        next_action_url=outcome.next_action_url or None,
        receipt_number=outcome.receipt_number or None,
    )


async def _from_state(clients: Clients, order: orders.Order) -> Response:
    """The outcome as the order itself tells it: for a repeated request, and when the answer came late."""
    if order.state == orders.ORDER_STATE_REFUSED:
        refusal = order.refusal
        lines = [shown(line, RefusedLineView) for line in refusal.lines]
        options = await _options_now(clients, order) if refusal.reason == "PROMISE_CHANGED" else []
        slots = await _slots_now(clients, order, refusal.reason)
        return _refused(order.order_id, refusal.reason, refusal.detail, lines, options, slots)
    return _placed(
        order,
        status=enum_name(orders.OrderState.DESCRIPTOR, order.state),
        customer_status=order.customer_status,
        promise=plain(order.promise) if order.HasField("promise") else None,
        cooling_off_until=times.field_or_none(order, "cooling_off_until"),
        next_action_url=order.next_action_url or None,
        receipt_number=await _receipt_of(clients, order),
    )


async def _receipt_of(clients: Clients, order: orders.Order) -> str | None:
    """Of what was taken along; nothing is asked of an order that is all sent."""
    if not any(line.taken_at_point_id for line in order.content.lines):
        return None
    request = documents.ListDocumentsRequest(order_id=order.order_id, kinds=["sales_receipt"])
    found = await clients.read(clients.documents.ListDocuments, request)
    return next((one.number for one in found.documents), None)


def _placed(order: orders.Order, **members: Any) -> Response:
    """201 for an order that stands, 202 for one whose outcome is still to come."""
    location = f"/v1/orders/{order.order_id}"
    content = plain(order.content)
    body = Placed.model_validate({**content, **members, "id": order.order_id, "status_url": location})
    pending = body.status in ("recorded", "action_required")
    return JSONResponse(body.model_dump(mode="json"), 202 if pending else 201, {"Location": location})


def _refused(
    order_id: str,
    reason: str,
    detail: str,
    lines: Iterable[RefusedLineView],
    options: Iterable[PromiseOption],
    slots: Iterable[SlotView],
) -> Response:
    members: dict[str, Any] = {"order_id": order_id, "lines": list(lines) or None}
    if reason in _NO_APPOINTMENT:
        members["alternatives"] = list(slots)
    if reason == "PROMISE_CHANGED":
        members["options"] = list(options)
    if reason == "PAYMENT_DECLINED":
        members["decline_code"] = detail if " " not in detail else None
        detail = "the payment was declined"
    status = 409 if reason in _CONFLICTS else 422
    return problem(status, reason, detail, {"Location": f"/v1/orders/{order_id}"}, **members)


def _option(option: Option) -> PromiseOption:
    mode = enum_name(types.DeliveryMode.DESCRIPTOR, types.DeliveryMode.Value(option.mode))
    return PromiseOption(
        mode=mode or "",
        window_start=option.window_start,
        window_end=option.window_end,
        price=MoneyView.model_validate(vars_of(option.price)),
        parcels=option.parcels,
        point_id=option.point_id,
    )


async def _options_now(clients: Clients, order: orders.Order) -> list[PromiseOption]:
    """What can be had today: the options of the first answer may be gone by now."""
    ship_to = order.content.ship_to
    request = promise.QuoteRequest(
        channel_id=order.content.channel_id,
        destination=types.Destination(country=ship_to.country, postcode=ship_to.postcode),
        lines=[
            promise.BasketLine(
                line_number=line.line_number,
                sku=line.sku,
                quantity=line.quantity,
                personalisations=[one.name for one in line.personalisations],
            )
            for line in order.content.lines
            if not line.taken_at_point_id
        ],
        as_of=times.to_proto(times.now()),
        may_wait=order.content.may_wait,
    )
    try:
        quote = await clients.read(clients.promise.Quote, request)
    except OmsError:
        # The refusal stands by itself; the options are a courtesy.
        return []
    return [
        PromiseOption(
            mode=enum_name(types.DeliveryMode.DESCRIPTOR, option.mode) or "",
            window_start=times.from_proto(option.window.start).isoformat(),
            window_end=times.from_proto(option.window.end).isoformat(),
            price=shown(option.price, MoneyView),
            parcels=option.parcels,
            point_id=option.point_id,
        )
        for option in quote.options
    ]


async def _slots_now(clients: Clients, order: orders.Order, reason: str) -> list[SlotView]:
    """For whom the appointment could not be had: the nearest slots that can."""
    if reason not in _NO_APPOINTMENT:
        return []
    ship_to = order.content.ship_to
    asked = booking.ListAlternativesRequest(
        booking_id=order.content.booking_id,
        destination=types.Destination(country=ship_to.country, postcode=ship_to.postcode),
    )
    try:
        found = await clients.read(clients.booking.ListAlternatives, asked)
    except OmsError:
        return []
    return [shown(one, SlotView, id=one.slot_id) for one in found.slots]


def vars_of(value: object) -> dict[str, Any]:
    """The fields of a slotted dataclass."""
    return {name: getattr(value, name) for name in value.__dataclass_fields__}  # type: ignore[attr-defined]
