"""Money given back, and decisions about the money of a whole order that could not be captured."""

from fastapi import Response

from oms.orders.v1 import orders_service_pb2 as orders
from services.gateway import reading
from services.gateway.guard import CallerIs, ClientsAre
from services.gateway.routes.common import OptionalKey, OrderId, RefundId, RequiredKey, act_id, new_act_id, router
from services.gateway.schemas.base import Listed
from services.gateway.schemas.refunds import RefundRequest, RefundView
from services.gateway.schemas.work import CaptureOverride
from services.gateway.wire import message, shown

refunds_router = router("refunds")


@refunds_router.post("/orders/{order_id}/refunds", status_code=202)
async def request_refund(
    order_id: OrderId, body: RefundRequest, key: RequiredKey, caller: CallerIs, clients: ClientsAre
) -> RefundView:
    """Give money back, also of an order that has ended. It is decided now, and moves by itself.

    409 NOTHING_TO_REFUND, UNITS_NOT_REFUNDABLE and REFUND_EXCEEDS_CAPTURE say what is left to give back, 403
    GOODWILL_OVER_CAP what the caller's role may give for the order and what was given.
    """
    await reading.check_visible(clients, caller, order_id)
    values = {
        **body.chosen(),
        "kind": body.kind,
        "reason_code": body.reason_code,
        "reason": body.reason,
        "point_id": body.point_id,
        "request_id": act_id("refund", order_id, caller, body, key),
        "order_id": order_id,
        "actor": caller.subject,
        "roles": sorted(caller.roles),
    }
    answer = await clients.act(clients.orders.RequestRefund, message(orders.RequestRefundRequest, values))
    return refund_view(answer.refund)


@refunds_router.get("/orders/{order_id}/refunds")
async def list_refunds(order_id: OrderId, caller: CallerIs, clients: ClientsAre) -> Listed[RefundView]:
    """List the refunds of an order, oldest first."""
    order = await reading.visible_order(clients, caller, order_id)
    return Listed(items=[refund_view(one) for one in order.refunds])


@refunds_router.post("/orders/{order_id}/refunds/{refund_id}/retry", status_code=202)
async def retry_refund(
    order_id: OrderId, refund_id: RefundId, caller: CallerIs, clients: ClientsAre, key: OptionalKey = None
) -> RefundView:
    """Try a failed refund again. 409 REFUND_NOT_FAILED for one that has not failed."""
    await reading.check_visible(clients, caller, order_id)
    request = orders.RetryRefundRequest(
        request_id=new_act_id(f"retry-refund/{refund_id}", caller, key),
        order_id=order_id,
        refund_id=refund_id,
        actor=caller.subject,
    )
    return refund_view((await clients.act(clients.orders.RetryRefund, request)).refund)


@refunds_router.post("/orders/{order_id}/capture-retry", status_code=204)
async def retry_capture(
    order_id: OrderId, caller: CallerIs, clients: ClientsAre, key: OptionalKey = None
) -> Response:
    """Try now for the money of a whole order. 409 CAPTURE_NOT_FAILED; CAPTURED_BY_PARCEL if parcels bring it."""
    await reading.check_visible(clients, caller, order_id)
    request = orders.RetryCaptureRequest(
        request_id=new_act_id(f"capture-retry/{order_id}", caller, key), order_id=order_id, actor=caller.subject
    )
    await clients.act(clients.orders.RetryCapture, request)
    return Response(status_code=204)


@refunds_router.post("/orders/{order_id}/capture-override", status_code=204)
async def override_capture(
    order_id: OrderId, body: CaptureOverride, caller: CallerIs, clients: ClientsAre, key: OptionalKey = None
) -> Response:
    """Let an order go to its points though its capture failed, and say why."""
    await reading.check_visible(clients, caller, order_id)
    request = orders.RecordCaptureRequest(
        request_id=act_id("capture-override", order_id, caller, body, key),
        order_id=order_id,
        capture_state="overridden",
        reason=body.reason,
        actor=caller.subject,
    )
    await clients.act(clients.orders.RecordCapture, request)
    return Response(status_code=204)


def refund_view(refund: orders.Refund) -> RefundView:
    """As it is shown."""
    return shown(refund, RefundView, id=refund.refund_id, failure=refund.failure or None)
