"""Guards and decisions. The caller holds the lock of the payment; what is decided here is what happens.

An intent reserves its amount from the moment it is recorded: what is being captured or voided cannot be captured
or voided by another, whatever the provider will answer.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from kit.errors import FailedPrecondition, InvalidArgument
from kit.values.money import Money, is_currency
from services.payments.domain.model import (
    NO_CURRENCY,
    Kind,
    Operation,
    Payment,
    State,
    Status,
    Tender,
    TenderKind,
)

LARGEST_AMOUNT = 10**15


@dataclass(frozen=True, slots=True)
class Intent:
    """Who asks for what: the part of an operation that is the same for every kind."""

    operation_id: str
    request_id: str
    cause: str
    actor: str
    now: datetime


def check_amount(amount: Money) -> None:
    """A positive amount in a currency; names the field that is wrong."""
    if not is_currency(amount.currency) or amount.currency == NO_CURRENCY:
        raise InvalidArgument("amount.currency", "an ISO 4217 code is required")
    if not 0 < amount.amount_minor <= LARGEST_AMOUNT:
        raise InvalidArgument(
            "amount.amount_minor", f"an amount must be above 0 and at most {LARGEST_AMOUNT} minor units"
        )


def reserved(unsettled: Sequence[Operation], *kinds: Kind) -> int:
    """What intents of these kinds have taken and not settled yet."""
    return sum(operation.amount_minor for operation in unsettled if operation.kind in kinds)


def capturable(payment: Payment, unsettled: Sequence[Operation]) -> int:
    """What may still be captured or voided. With one capture per authorisation, nothing after the first."""
    capturing = any(operation.kind is Kind.CAPTURE for operation in unsettled)
    if payment.provider_closed or (capturing and not payment.multi_capture):
        return 0
    return uncaptured(payment) - reserved(unsettled, Kind.CAPTURE, Kind.VOID)


def uncaptured(payment: Payment) -> int:
    """What is authorised and neither captured nor voided."""
    return payment.authorized - payment.captured - payment.voided


def refundable(payment: Payment, unsettled: Sequence[Operation]) -> int:
    """What may still be given back, by us or through the channel."""
    if payment.status is Status.PAID_BY_CHANNEL:
        return payment.paid_by_channel - payment.asked_of_channel
    return payment.captured - payment.refunded - reserved(unsettled, Kind.REFUND)


def awaits_news(payment: Payment, operations: Sequence[Operation], *, ended: bool, lost_before: datetime) -> bool:
    """Whether the provider is to be asked what it has told something about.

    What was intended after `lost_before` is being answered to whoever asked for it; what is settled is known. Only
    the end of an authorisation (`ended`) may come from the provider alone.
    """
    unsettled = [operation for operation in operations if operation.unsettled]
    waiting = any(operation.state is State.ACTION_REQUIRED for operation in operations)
    lost = any(one.state is not State.INTENDED or one.intended_at <= lost_before for one in unsettled)
    return waiting or lost or (ended and not unsettled and uncaptured(payment) > 0)


def open_payment(order_id: str, channel_id: str, currency: str, tender: Tender, provider: str) -> Payment:
    """The payment of an order before anybody was asked."""
    by_channel = tender.kind is TenderKind.PAID_BY_CHANNEL
    brought = tender.kind is TenderKind.PROVIDER_AUTHORISATION
    return Payment(
        order_id=order_id,
        channel_id=channel_id,
        currency=currency,
        status=Status.PENDING,
        tender=tender,
        provider="" if by_channel else provider,
        provider_payment_id=tender.reference if brought else "",
    )


def bar(order_id: str) -> Payment:
    """The mark that an order was undone before it was paid."""
    return Payment(
        order_id=order_id,
        channel_id="",
        currency=NO_CURRENCY,
        status=Status.CLOSED,
        tender=Tender(TenderKind.NONE, ""),
        closing=True,
    )


def pay_again(existing: Payment, asked: Payment) -> Payment:
    """Another attempt for an order whose payment was declined. Any other payment stands."""
    if existing.closing:
        raise _closed(existing)
    if existing.status is not Status.DECLINED:
        raise FailedPrecondition(
            "PAYMENT_EXISTS",
            "the order has a payment already",
            order_id=existing.order_id,
            status=existing.status.value,
        )
    _check_currency(existing, asked.currency)
    return asked


def intend_authorize(payment: Payment, amount: Money, intent: Intent) -> Operation:
    """The intent to authorise."""
    return _intended(payment, Kind.AUTHORIZE, amount.amount_minor, intent)


def as_met(payment: Payment, authorizing: Operation) -> Payment:
    """The payment as whoever asked for this authorisation sees it: a decline stands, also once it is undone."""
    if payment.status is Status.CLOSED and authorizing.state is State.FAILED:
        return replace(payment, status=Status.DECLINED, decline_code=authorizing.failure_code)
    return payment


def intend_capture(payment: Payment, unsettled: Sequence[Operation], amount: Money, intent: Intent) -> Operation:
    """Reserves the amount. Raises PAID_BY_CHANNEL, PAYMENT_CLOSED, CAPTURE_EXCEEDS_AUTHORISATION."""
    if payment.status is Status.PAID_BY_CHANNEL:
        raise FailedPrecondition(
            "PAID_BY_CHANNEL",
            "the channel was paid: there is nothing of ours to capture",
            order_id=payment.order_id,
        )
    if payment.closing:
        raise _closed(payment)
    _check_currency(payment, amount.currency)
    available = capturable(payment, unsettled)
    if amount.amount_minor > available:
        raise _exceeds("CAPTURE_EXCEEDS_AUTHORISATION", "more than is authorised", payment, available)
    alone = not any(operation.kind in (Kind.CAPTURE, Kind.VOID) for operation in unsettled)
    final = not payment.multi_capture or (alone and amount.amount_minor == available)
    return replace(_intended(payment, Kind.CAPTURE, amount.amount_minor, intent), final=final)


def intend_void(
    payment: Payment, unsettled: Sequence[Operation], amount: Money | None, intent: Intent
) -> Operation | None:
    """Reserves the rest, or the amount; None when nothing is left to void.

    INTENDED: the provider is to be asked. SUCCEEDED: a part, or the rest while a capture is in flight, is given up
    in our ledger only; the provider lets it go with the final capture, or is told once all is settled.
    """
    available = capturable(payment, unsettled)
    if amount is None and available == 0:
        return None
    asked = available if amount is None else amount.amount_minor
    if amount is not None:
        _check_currency(payment, amount.currency)
    if asked > available:
        raise _exceeds("VOID_EXCEEDS_AUTHORISATION", "more than is authorised", payment, available)
    operation = _intended(payment, Kind.VOID, asked, intent)
    if asked == uncaptured(payment):
        return operation
    return replace(operation, state=State.SUCCEEDED, settled_at=intent.now)


def intend_refund(payment: Payment, unsettled: Sequence[Operation], amount: Money, intent: Intent) -> Operation:
    """Reserves the amount. SUCCEEDED at once when it is asked of the channel. Raises REFUND_EXCEEDS_CAPTURE."""
    _check_currency(payment, amount.currency)
    available = refundable(payment, unsettled)
    if amount.amount_minor > available:
        raise _exceeds("REFUND_EXCEEDS_CAPTURE", "more than was captured", payment, available)
    operation = _intended(payment, Kind.REFUND, amount.amount_minor, intent)
    if payment.status is Status.PAID_BY_CHANNEL:
        return replace(operation, state=State.SUCCEEDED, settled_at=intent.now)
    return operation


def intend_unwind(
    payment: Payment, unsettled: Sequence[Operation], void: Intent, refund: Intent
) -> list[Operation]:
    """What is left to do to undo a payment: void the rest, give back what was captured."""
    todo: list[Operation] = []
    if voiding := intend_void(payment, unsettled, None, void):
        todo.append(voiding)
    if (back := refundable(payment, unsettled)) > 0:
        todo.append(intend_refund(payment, unsettled, Money(back, payment.currency), refund))
    return todo


def is_undone(payment: Payment, open_operations: Sequence[Operation]) -> bool:
    """Nothing is held, nothing is kept, nothing is in flight."""
    return (
        payment.closing
        and not open_operations
        and not payment.release_due
        and uncaptured(payment) == 0
        and payment.captured == payment.refunded
        and payment.paid_by_channel == payment.asked_of_channel
    )


def _intended(payment: Payment, kind: Kind, amount_minor: int, intent: Intent) -> Operation:
    return Operation(
        operation_id=intent.operation_id,
        request_id=intent.request_id,
        order_id=payment.order_id,
        kind=kind,
        state=State.INTENDED,
        amount_minor=amount_minor,
        currency=payment.currency,
        cause=intent.cause,
        actor=intent.actor,
        intended_at=intent.now,
        provider=payment.provider,
    )


def _check_currency(payment: Payment, currency: str) -> None:
    if currency != payment.currency:
        raise InvalidArgument(
            "amount.currency",
            f"the payment is in {payment.currency}",
            reason="CURRENCY_MISMATCH",
            expected=payment.currency,
        )


def _closed(payment: Payment) -> FailedPrecondition:
    return FailedPrecondition("PAYMENT_CLOSED", "the payment of this order is closed", order_id=payment.order_id)


def _exceeds(reason: str, detail: str, payment: Payment, available: int) -> FailedPrecondition:
    return FailedPrecondition(
        reason,
        detail,
        order_id=payment.order_id,
        available_minor=available,
        currency=payment.currency,
        status=payment.status.value,
    )
