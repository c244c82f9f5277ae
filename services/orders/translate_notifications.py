"""Protobuf messages of what customers are told to domain records and back."""

from oms.orders.v1 import notification_service_pb2 as notify_pb
from oms.orders.v1 import orders_service_pb2 as pb
from services.orders.domain.milestones import Milestone, NotificationRule, Way
from services.orders.domain.notifications import Notification
from services.orders.wire import from_instant, one_of


def to_rules(message: pb.LifeCycle) -> tuple[NotificationRule, ...]:
    """Raises InvalidArgument, naming the field, for a milestone or a way that there is not."""
    return tuple(
        NotificationRule(
            one_of(Milestone, rule.milestone, f"life_cycle.notifications[{i}].milestone"),
            tuple(one_of(Way, way, f"life_cycle.notifications[{i}].ways[{j}]") for j, way in enumerate(rule.ways)),
        )
        for i, rule in enumerate(message.notifications)
    )


def from_rule(rule: NotificationRule) -> pb.NotificationRule:
    return pb.NotificationRule(milestone=rule.milestone.value, ways=[way.value for way in rule.ways])


def from_notification(one: Notification) -> notify_pb.Notification:
    return notify_pb.Notification(
        notification_id=one.notification_id,
        order_id=one.order_id,
        milestone=one.milestone.value,
        subject=one.subject,
        way=one.way.value,
        state=one.state.value,
        reason=one.reason,
        attempts=one.attempts,
        happened_at=from_instant(one.happened_at),
        next_try_at=from_instant(one.next_try_at),
        settled_at=from_instant(one.settled_at),
        resends=one.resends,
        resent_by=one.resent_by,
    )
