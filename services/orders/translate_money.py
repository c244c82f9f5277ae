"""Protobuf messages of means of payment, captures and refunds to domain records and back."""

from kit import times
from kit.values.money import Money
from oms.orders.v1 import orders_service_pb2 as pb
from services.orders.domain import paying
from services.orders.domain.capture import Outcome
from services.orders.domain.model import (
    AT_A_TILL,
    Order,
    PaymentShare,
    PaymentTerms,
    Refund,
    RefundKind,
    RefundWish,
    Units,
)
from services.orders.wire import from_instant, from_money, one_of, to_money


def to_payment(message: pb.PaymentTerms) -> PaymentTerms:
    kind = message.WhichOneof("kind")
    value, point_id = _to_means(message, kind)
    return PaymentTerms(
        kind or "",
        value,
        tuple(_to_share(one) for one in message.first),
        message.save_means,
        point_id,
        message.amount_minor,
    )


def from_payment(one: PaymentTerms) -> pb.PaymentTerms:
    first = [_from_share(share) for share in one.first]
    message = pb.PaymentTerms(first=first, save_means=one.save_means, amount_minor=one.amount_minor)
    _set_means(message, one)
    return message


def _to_share(message: pb.PaymentShare) -> PaymentShare:
    kind = message.WhichOneof("kind")
    value, point_id = _to_means(message, kind)
    return PaymentShare(kind or "", value, message.amount_minor, point_id)


def _from_share(one: PaymentShare) -> pb.PaymentShare:
    message = pb.PaymentShare(amount_minor=one.amount_minor)
    _set_means(message, one)
    return message


def _to_means(message: pb.PaymentTerms | pb.PaymentShare, kind: str | None) -> tuple[str, str]:
    """The token or reference, and of what a till has taken its store."""
    if not kind:
        return "", ""
    if kind in AT_A_TILL:
        receipt = getattr(message, kind)
        return receipt.reference, receipt.point_id
    return getattr(message, kind), ""


def _set_means(message: pb.PaymentTerms | pb.PaymentShare, one: PaymentTerms | PaymentShare) -> None:
    if one.kind in AT_A_TILL:
        getattr(message, one.kind).CopyFrom(pb.TillReceipt(reference=one.value, point_id=one.point_id))
    elif one.kind:
        setattr(message, one.kind, one.value)


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
        point_id=message.point_id,
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
        point_id=one.point_id,
    )
