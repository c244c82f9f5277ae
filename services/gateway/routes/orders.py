"""Orders: place, read, list, cancel; their timeline and payment."""

from datetime import timedelta
from typing import Annotated

from fastapi import Query, Request, Response

from kit import telemetry
from kit.values.ids import derived_id
from oms.booking.v1 import booking_service_pb2 as booking
from oms.orders.v1 import orders_service_pb2 as orders
from oms.payments.v1 import payments_service_pb2 as payments
from services.gateway import access, reading
from services.gateway.guard import CallerIs, ClientsAre
from services.gateway.placement import place_order
from services.gateway.routes.common import OptionalKey, OrderId, RequiredKey, act_id, router
from services.gateway.schemas.base import Listed, Page
from services.gateway.schemas.booking import AppointmentMove
from services.gateway.schemas.orders import (
    AppointmentView,
    Cancellation,
    CancellationView,
    OrderFilters,
    OrderPlacement,
    OrderSummary,
    OrderView,
    Placed,
    TimelineEntryView,
)
from services.gateway.schemas.payments import PaymentView
from services.gateway.wire import enum_name, shown

orders_router = router("orders")


@orders_router.post(
    "/orders",
    status_code=201,
    response_model=Placed,
    responses={
        202: {"model": Placed, "description": "Recorded; the outcome is still to come, or the customer must act"}
    },
)
async def place(
    body: OrderPlacement, key: RequiredKey, caller: CallerIs, clients: ClientsAre, request: Request
) -> Response:
    """Place an order.

    The stock is held and the payment authorised when the answer is 201. 202: follow `status_url`, or send the
    customer to `next_action_url`. 409 and 422 say which line, which price or why the payment does not stand.
    The answer about an order that was recorded before under the same key has the header `Idempotent-Replayed`.
    """
    access.check_speaks_for(caller, body.channel_id)
    access.check_brands(caller, (line.brand for line in body.lines))
    with telemetry.about_order(derived_id("ord", body.channel_id, key)):
        options = request.app.state.options
        wait = timedelta(seconds=options.placement_wait_seconds)
        return await place_order(clients, body, key, wait, options.task_queue)


@orders_router.get("/orders")
async def list_orders(
    filters: Annotated[OrderFilters, Query()], caller: CallerIs, clients: ClientsAre
) -> Page[OrderSummary]:
    """List orders, newest first."""
    return await reading.orders_page(clients, caller, filters)


@orders_router.get("/orders/{order_id}")
async def read(order_id: OrderId, caller: CallerIs, clients: ClientsAre) -> OrderView:
    """Read one order: what was asked, what became of each unit, who works on it."""
    return reading.order_view(await reading.visible_order(clients, caller, order_id), caller)


@orders_router.post("/orders/{order_id}/cancel", status_code=202)
async def cancel(
    order_id: OrderId, body: Cancellation, caller: CallerIs, clients: ClientsAre, key: OptionalKey = None
) -> CancellationView:
    """Cancel the whole order. 409 TOO_LATE_TO_CANCEL once a parcel was handed over."""
    order = await reading.visible_order(clients, caller, order_id)
    access.check_speaks_for(caller, order.content.channel_id)
    answer = await clients.act(
        clients.orders.RequestCancellation,
        orders.RequestCancellationRequest(
            request_id=act_id("cancel", order_id, caller, body, key),
            order_id=order_id,
            reason=body.reason,
            actor=caller.subject,
            roles=sorted(caller.roles),
        ),
    )
    return CancellationView.model_validate(
        {"id": order_id, "status": enum_name(orders.OrderState.DESCRIPTOR, answer.state)}
    )


@orders_router.post("/orders/{order_id}/appointment", status_code=202)
async def move_appointment(
    order_id: OrderId, body: AppointmentMove, caller: CallerIs, clients: ClientsAre, key: OptionalKey = None
) -> AppointmentView:
    """Move the appointment to another slot of its service; the order tells what came of it.

    409 TOO_LATE_TO_MOVE once a parcel was handed over (until the customer was missed), SLOT_TOO_EARLY for a day on
    which the goods are not there yet.
    """
    order = await reading.visible_order(clients, caller, order_id)
    access.check_speaks_for(caller, order.content.channel_id)
    asked = booking.GetSlotRequest(slot_id=body.slot_id)
    slot = (await clients.read(clients.booking.GetSlot, asked)).slot
    # Who was refused may ask for the same slot again.
    place = f"{order_id}/{order.appointment.slot.slot_id}/{order.appointment.refusal}"
    request = orders.RequestAppointmentMoveRequest(
        request_id=act_id("appointment.move", place, caller, body, key),
        order_id=order_id,
        slot=orders.AppointmentSlot(slot_id=slot.slot_id, date=slot.date, window=slot.window),
        actor=caller.subject,
    )
    answer = await clients.act(clients.orders.RequestAppointmentMove, request)
    return AppointmentView.model_validate(reading.appointment_values(answer.appointment))


@orders_router.get("/orders/{order_id}/timeline")
async def timeline(order_id: OrderId, caller: CallerIs, clients: ClientsAre) -> Listed[TimelineEntryView]:
    """Read every event and decision of an order, oldest first."""
    await reading.check_visible(clients, caller, order_id)
    return Listed(items=await reading.timeline(clients, caller, order_id))


@orders_router.get("/orders/{order_id}/payment")
async def payment(order_id: OrderId, caller: CallerIs, clients: ClientsAre) -> PaymentView:
    """Read what was authorised, captured, voided and refunded for an order, and why."""
    await reading.check_visible(clients, caller, order_id)
    found = await clients.read(clients.payments.GetPayment, payments.GetPaymentRequest(order_id=order_id))
    return shown(found.payment, PaymentView)
