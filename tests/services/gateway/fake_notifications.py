"""Notifications with canned answers: a mail that was sent and an SMS that failed."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import grpc

from kit import times
from oms.orders.v1 import notification_service_pb2 as pb
from oms.orders.v1.notification_service_pb2_grpc import (
    NotificationServiceServicer,
    add_NotificationServiceServicer_to_server,
)

if TYPE_CHECKING:
    from tests.services.gateway.fakes import World

NOON = times.to_proto(datetime(2026, 11, 20, 12, 0, tzinfo=UTC))


def notification(order_id: str, **changes: Any) -> pb.Notification:
    """That its parcel was shipped."""
    made: dict[str, Any] = {
        "notification_id": "ntf_1",
        "order_id": order_id,
        "milestone": "shipped",
        "subject": "ful_1",
        "way": "mail",
        "state": "sent",
        "attempts": 1,
        "happened_at": NOON,
        "settled_at": NOON,
    }
    return pb.Notification(**(made | changes))


class FakeNotifications(NotificationServiceServicer):
    def __init__(self, world: "World") -> None:
        self._world = world

    async def ListNotifications(self, request: Any, context: Any) -> pb.ListNotificationsResponse:
        self._world.note("ListNotifications", request)
        failed = {"notification_id": "ntf_2", "way": "sms", "state": "failed", "reason": "http_422"}
        return pb.ListNotificationsResponse(
            notifications=[notification(request.order_id), notification(request.order_id, **failed)]
        )

    async def ResendNotification(self, request: Any, context: Any) -> pb.ResendNotificationResponse:
        self._world.note("ResendNotification", request)
        due = {"state": "due", "attempts": 0, "settled_at": None, "next_try_at": NOON, "resends": 1}
        again = notification(request.order_id, **due, resent_by=request.actor)
        return pb.ResendNotificationResponse(notification=again)


def register(world: "World", server: grpc.aio.Server) -> None:
    """Adds it to a server."""
    add_NotificationServiceServicer_to_server(FakeNotifications(world), server)
