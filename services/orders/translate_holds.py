"""Protobuf messages of holds, and of the rules of a life cycle about holds, changes and labels."""

from oms.orders.v1 import orders_service_pb2 as pb
from services.orders.domain.awaiting import Share
from services.orders.domain.model import (
    Change,
    ChangeRule,
    Hold,
    HoldDefault,
    HoldKind,
    HoldRule,
    Stage,
    StatusLabel,
)
from services.orders.wire import from_instant, from_window, one_of

_PATH = "life_cycle."
Rules = tuple[tuple[HoldRule, ...], tuple[ChangeRule, ...], tuple[StatusLabel, ...]]


def to_rules(message: pb.LifeCycle) -> Rules:
    """The rules about holds, changes and labels."""
    holds = tuple(
        HoldRule(
            one_of(HoldKind, one.kind, f"{_PATH}hold_rules[{i}].kind"),
            one.seconds,
            to_default(one.default, f"{_PATH}hold_rules[{i}].default"),
            tuple(one.roles),
        )
        for i, one in enumerate(message.hold_rules)
    )
    changes = tuple(
        ChangeRule(
            one_of(Change, one.change, f"{_PATH}change_rules[{i}].change"),
            one.role,
            one_of(Stage, one.until, f"{_PATH}change_rules[{i}].until"),
        )
        for i, one in enumerate(message.change_rules)
    )
    return holds, changes, tuple(StatusLabel(one.status, one.language, one.text) for one in message.labels)


def to_default(value: str, path: str) -> HoldDefault:
    """Empty means that the order goes on."""
    return one_of(HoldDefault, value or HoldDefault.RELEASE, path)


def from_hold_rule(one: HoldRule) -> pb.HoldRule:
    """To the wire."""
    return pb.HoldRule(kind=one.kind.value, seconds=one.seconds, default=one.default.value, roles=one.roles)


def from_change_rule(one: ChangeRule) -> pb.ChangeRule:
    """To the wire."""
    return pb.ChangeRule(change=one.change.value, role=one.role, until=one.until.value)


def from_label(one: StatusLabel) -> pb.StatusLabel:
    """To the wire."""
    return pb.StatusLabel(status=one.status, language=one.language, text=one.text)


def from_hold(one: Hold) -> pb.Hold:
    """To the wire."""
    return pb.Hold(
        hold_id=one.hold_id,
        kind=one.kind.value,
        fulfilment_id=one.fulfilment_id,
        reason=one.reason,
        since=from_instant(one.since),
        until=from_instant(one.until),
        default=one.default.value,
        roles=one.roles,
        ended_at=from_instant(one.ended_at),
        outcome=str(one.outcome),
        actor=one.actor,
    )


def from_share(one: Share) -> pb.SupplyShare:
    """To the wire."""
    return pb.SupplyShare(
        fulfilment_id=one.fulfilment_id,
        point_id=one.point_id,
        lines=[
            pb.PlannedLine(line_number=line.line_number, sku=line.sku, quantity=line.quantity)
            for line in one.lines
        ],
        emptied=one.emptied,
        window=from_window(one.window),
    )
