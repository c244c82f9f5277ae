"""What customers were told of their orders, and what is to be sent again."""

from oms.orders.v1 import notification_service_pb2 as pb
from services.gateway import reading
from services.gateway.guard import CallerIs, ClientsAre
from services.gateway.routes.common import NotificationId, OptionalKey, OrderId, new_act_id, router
from services.gateway.schemas.base import Listed
from services.gateway.schemas.notifications import NotificationView
from services.gateway.wire import plain

notifications_router = router("notifications")


@notifications_router.get("/orders/{order_id}/notifications")
async def list_notifications(order_id: OrderId, caller: CallerIs, clients: ClientsAre) -> Listed[NotificationView]:
    """List what the customer was told, is about to be told and was not told, with the reason; oldest first."""
    await reading.check_visible(clients, caller, order_id)
    request = pb.ListNotificationsRequest(order_id=order_id)
    found = await clients.read(clients.notifications.ListNotifications, request)
    return Listed(items=[_view(one) for one in found.notifications])


@notifications_router.post("/orders/{order_id}/notifications/{notification_id}/resend", status_code=202)
async def resend_notification(
    order_id: OrderId,
    notification_id: NotificationId,
    caller: CallerIs,
    clients: ClientsAre,
    key: OptionalKey = None,
) -> NotificationView:
    """Have it sent again, in the words of what the order is now, to the address that it has now.

    409 STILL_DUE for what is not settled yet; NOT_TRUE_ANY_MORE for a step that was undone, or of which something
    newer was said.
    """
    await reading.check_visible(clients, caller, order_id)
    request = pb.ResendNotificationRequest(
        request_id=new_act_id(f"resend-notification/{notification_id}", caller, key),
        order_id=order_id,
        notification_id=notification_id,
        actor=caller.subject,
    )
    return _view((await clients.act(clients.notifications.ResendNotification, request)).notification)


def _view(one: pb.Notification) -> NotificationView:
    values = plain(one)
    values |= {"id": one.notification_id, "reason": one.reason or None, "resent_by": one.resent_by or None}
    return NotificationView.model_validate(values)
