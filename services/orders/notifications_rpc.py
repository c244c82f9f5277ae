"""NotificationService over gRPC: translates, and nothing else."""

from typing import Any

from kit import times
from oms.orders.v1 import notification_service_pb2 as pb
from oms.orders.v1.notification_service_pb2_grpc import NotificationServiceServicer
from services.orders import wire
from services.orders.notifying import Notifying
from services.orders.translate_notifications import from_notification


class NotificationRpc(NotificationServiceServicer):
    """Its two calls."""

    def __init__(self, notifying: Notifying) -> None:
        self._notifying = notifying

    @wire.checked
    async def ListNotifications(
        self, request: pb.ListNotificationsRequest, context: Any
    ) -> pb.ListNotificationsResponse:
        found = await self._notifying.list(request.order_id)
        return pb.ListNotificationsResponse(notifications=[from_notification(one) for one in found])

    @wire.checked
    async def ResendNotification(
        self, request: pb.ResendNotificationRequest, context: Any
    ) -> pb.ResendNotificationResponse:
        again = await self._notifying.resend(
            wire.asked(request),
            request.order_id,
            request.notification_id,
            request.actor,
            times.field_or_now(request, "as_of"),
        )
        return pb.ResendNotificationResponse(notification=from_notification(again))
