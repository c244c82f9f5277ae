"""Protobuf messages of captures and refunds to domain records and back."""

from kit import times
from kit.values.money import Money
from oms.orders.v1 import orders_service_pb2 as pb
from services.orders.domain import paying
from services.orders.domain.capture import Outcome
from services.orders.domain.model import Order, Refund, RefundKind, RefundWish, Units
from services.orders.wire import from_instant, from_money, one_of, to_money


def to_outcome(message: pb.RecordCaptureRequest) -> Outcome:
    return Outcome(
        message.capture_state,
        message.reason,
        message.actor,
        times.field_or_now(message, "as_of"),
        times.field_or_none(message, "next_try_at"),
    )


def to_authorisation(message: pb.RecordAuthorisationRequest) -> paying.Outcome:
    return paying.Outcome(
        message.outcome,
        message.reason,
        times.field_or_none(message, "next_try_at"),
        times.field_or_now(message, "as_of"),
    )


def to_refund_wish(message: pb.RequestRefundRequest) -> RefundWish:
    return RefundWish(
        kind=one_of(RefundKind, message.kind, "kind"),
        reason_code=message.reason_code,
        reason=message.reason,
        actor=message.actor,
        roles=tuple(message.roles),
        lines=tuple(Units(one.line_number, one.sku, one.quantity) for one in message.lines),
        amount=to_money(message, "amount"),
        whole=message.whole,
    )


def from_charge(one: Order) -> pb.Charge | None:
    charge = one.charge
    if charge is None:
        return None
    return pb.Charge(
        amount=from_money(Money(charge.amount_minor, one.content.total.currency)),
        capture_state=charge.state.value,
        reason=charge.reason,
        failed_since=from_instant(charge.failed_since),
        next_try_at=from_instant(charge.next_try_at),
    )


def from_refund(one: Refund) -> pb.Refund:
    return pb.Refund(
        refund_id=one.refund_id,
        order_id=one.order_id,
        kind=one.kind.value,
        state=one.state.value,
        amount=from_money(Money(one.amount_minor, one.currency)),
        shipping=from_money(Money(one.shipping_minor, one.currency)),
        units=[
            pb.RefundedUnits(line_number=units.line_number, from_unit=units.from_unit, to_unit=units.to_unit)
            for units in one.units
        ],
        taxes=[
            pb.RefundedTax(
                tax_rate_basis_points=part.tax_rate_basis_points,
                net_minor=part.net_minor,
                tax_minor=part.tax_minor,
            )
            for part in one.taxes
        ],
        reason_code=one.reason_code,
        reason=one.reason,
        actor=one.actor,
        requested_at=from_instant(one.requested_at),
        settled_at=from_instant(one.settled_at),
        failure=one.failure,
        attempts=one.attempts,
    )
