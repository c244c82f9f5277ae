"""Guards and decisions on one tender. The caller holds the payment's lock; what is decided here is what happens.

An intent reserves its amount from the moment it is recorded: what is being captured or voided cannot be captured
or voided by another, whatever the provider will answer. How an amount is shared over tenders is in `sharing`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from kit.errors import FailedPrecondition, InvalidArgument
from kit.values.money import Money, is_currency
from services.payments.domain.model import (
    AT_A_TILL,
    NO_CURRENCY,
    Kind,
    Means,
    MeansKind,
    Operation,
    Payment,
    State,
    Status,
    Tender,
)

LARGEST_AMOUNT = 10**15
_REPLACEABLE = (Status.DECLINED, Status.EXPIRED, Status.SAVED)

# Means that do not go to the provider of cards.
_OWN_PROVIDERS = {MeansKind.STORED_VALUE: "stored_value", **dict.fromkeys(AT_A_TILL, "till")}


@dataclass(frozen=True, slots=True)
class Intent:
    """Who asks for what: the part of an operation that is the same for every kind and tender."""

    operation_id: str
    request_id: str
    cause: str
    actor: str
    now: datetime
    # The point that it is done for.
    point_id: str = ""

    def part(self, number: int) -> "Intent":
        """The intent of one of several operations of the same request, counted from 0."""
        return self if number == 0 else replace(self, operation_id=f"{self.operation_id}_{number + 1}")


def check_amount(amount: Money, field: str = "amount") -> None:
    """A positive amount in a currency; names the field that is wrong."""
    if not is_currency(amount.currency) or amount.currency == NO_CURRENCY:
        raise InvalidArgument(f"{field}.currency", "an ISO 4217 code is required")
    if not 0 < amount.amount_minor <= LARGEST_AMOUNT:
        raise InvalidArgument(
            f"{field}.amount_minor", f"an amount must be above 0 and at most {LARGEST_AMOUNT} minor units"
        )


def reserved(tender: Tender, unsettled: Sequence[Operation], *kinds: Kind) -> int:
    """What intents of these kinds have taken of a tender and not settled yet."""
    return sum(
        operation.amount_minor
        for operation in unsettled
        if operation.tender_id == tender.tender_id and operation.kind in kinds
    )


def capturable(tender: Tender, unsettled: Sequence[Operation]) -> int:
    """What may still be captured or voided. With one capture per authorisation, nothing after the first."""
    capturing = reserved(tender, unsettled, Kind.CAPTURE) > 0
    if tender.provider_closed or (capturing and not tender.multi_capture):
        return 0
    return tender.uncaptured - reserved(tender, unsettled, Kind.CAPTURE, Kind.VOID)


def refundable(tender: Tender, unsettled: Sequence[Operation]) -> int:
    """What may still be given back, by us or through the channel."""
    if tender.by_channel:
        return tender.paid_by_channel - tender.asked_of_channel
    kept = tender.captured - tender.refunded - tender.owed - tender.disputed
    return max(0, kept - reserved(tender, unsettled, Kind.REFUND))


def awaits_news(tender: Tender, operations: Sequence[Operation], *, ended: bool, lost_before: datetime) -> bool:
    """Whether the provider is to be asked what it has told something about.

    What was intended after `lost_before` is being answered to whoever asked for it; what is settled is known. Only
    the end of an authorisation (`ended`) may come from the provider alone.
    """
    of_tender = [operation for operation in operations if operation.tender_id == tender.tender_id]
    unsettled = [operation for operation in of_tender if operation.unsettled]
    waiting = any(operation.state is State.ACTION_REQUIRED for operation in of_tender)
    lost = any(one.state is not State.INTENDED or one.intended_at <= lost_before for one in unsettled)
    return waiting or lost or (ended and not unsettled and tender.uncaptured > 0)


def open_payment(order_id: str, channel_id: str, currency: str) -> Payment:
    """The payment of an order before anybody was asked."""
    return Payment(order_id, channel_id, currency, Status.PENDING)


def open_tender(
    payment: Payment, tender_id: str, position: int, means: Means, amount: int, provider: str
) -> Tender:
    """A means that is to pay `amount` of the order."""
    by_channel = means.kind is MeansKind.PAID_BY_CHANNEL
    brought = means.kind is MeansKind.PROVIDER_AUTHORISATION
    taken = f"{means.kind}/{means.point_id}/{means.reference}" if means.kind in AT_A_TILL else ""
    return Tender(
        tender_id=tender_id,
        order_id=payment.order_id,
        channel_id=payment.channel_id,
        currency=payment.currency,
        position=position,
        amount=amount,
        means=means,
        provider="" if by_channel else _OWN_PROVIDERS.get(means.kind, provider),
        provider_payment_id=means.reference if brought else taken,
    )


def bar(order_id: str) -> Payment:
    """The mark that an order was undone before it was paid."""
    return Payment(order_id, "", NO_CURRENCY, Status.CLOSED, closing=True)


def given_up(existing: Payment, currency: str) -> list[Tender]:
    """The tenders that make room for another attempt, where it was declined, has expired or was only saved.

    Any other payment stands: raises PAYMENT_CLOSED, PAYMENT_EXISTS.
    """
    if existing.closing:
        raise closed(existing)
    if existing.status not in _REPLACEABLE:
        raise FailedPrecondition(
            "PAYMENT_EXISTS",
            "the order has a payment already",
            order_id=existing.order_id,
            status=existing.status.value,
        )
    check_currency(existing, currency)
    over = [one for one in existing.tenders if one.status in _REPLACEABLE]
    return [replace(one, superseded=True, lapsed=0) for one in over]


def still_due(payment: Payment) -> int:
    """What another attempt would have to pay: what was declined, and what ended before it was captured."""
    counting = [one for one in payment.tenders if not one.superseded]
    declined = sum(one.amount for one in counting if one.status is Status.DECLINED)
    return declined + sum(one.lapsed for one in counting)


def intend_authorize(tender: Tender, intent: Intent) -> Operation:
    """The intent to authorise what the tender is to pay; a channel that was paid has nothing to be asked."""
    operation = _intended(tender, Kind.AUTHORIZE, tender.amount, intent)
    if not tender.by_channel:
        return operation
    reference = tender.means.reference
    return replace(operation, state=State.SUCCEEDED, settled_at=intent.now, provider_reference=reference)


def intend_save(tender: Tender, intent: Intent) -> Operation:
    """The intent to keep the means that is to pay the tender later."""
    return _intended(tender, Kind.SAVE_MEANS, tender.amount, intent)


def intend_capture(tender: Tender, unsettled: Sequence[Operation], amount_minor: int, intent: Intent) -> Operation:
    """Reserves an amount of what is capturable. It is final when nothing can follow it."""
    alone = reserved(tender, unsettled, Kind.CAPTURE, Kind.VOID) == 0
    final = not tender.multi_capture or (alone and amount_minor == capturable(tender, unsettled))
    return replace(_intended(tender, Kind.CAPTURE, amount_minor, intent), final=final)


def intend_void(tender: Tender, amount_minor: int, intent: Intent) -> Operation:
    """Gives up an amount of what is capturable.

    INTENDED: the provider is to be asked. SUCCEEDED: a part, or the rest while a capture is in flight, is given up
    in our ledger only; the provider lets it go with the final capture, or is told once all is settled.
    """
    operation = _intended(tender, Kind.VOID, amount_minor, intent)
    if amount_minor == tender.uncaptured:
        return operation
    return replace(operation, state=State.SUCCEEDED, settled_at=intent.now)


def intend_refund(tender: Tender, amount_minor: int, intent: Intent) -> Operation:
    """Reserves an amount of what is refundable. SUCCEEDED at once when it is asked of the channel."""
    operation = _intended(tender, Kind.REFUND, amount_minor, intent)
    return replace(operation, state=State.SUCCEEDED, settled_at=intent.now) if tender.by_channel else operation


def is_undone(payment: Payment, open_operations: Sequence[Operation]) -> bool:
    """Nothing is held, nothing is kept but what a person has to give back, nothing is in flight."""
    return (
        payment.closing
        and not open_operations
        and not any(one.release_due for one in payment.tenders)
        and payment.uncaptured == 0
        and all(refundable(one, []) == 0 for one in payment.tenders)
    )


def check_currency(payment: Payment, currency: str) -> None:
    """An order's money is in one currency."""
    if currency != payment.currency:
        raise InvalidArgument(
            "amount.currency",
            f"the payment is in {payment.currency}",
            reason="CURRENCY_MISMATCH",
            expected=payment.currency,
        )


def closed(payment: Payment) -> FailedPrecondition:
    """PAYMENT_CLOSED."""
    return FailedPrecondition("PAYMENT_CLOSED", "the payment of this order is closed", order_id=payment.order_id)


def exceeds(reason: str, detail: str, payment: Payment, available: int) -> FailedPrecondition:
    """A refusal that says what there is."""
    return FailedPrecondition(
        reason,
        detail,
        order_id=payment.order_id,
        available_minor=available,
        currency=payment.currency,
        status=payment.status.value,
    )


def _intended(tender: Tender, kind: Kind, amount_minor: int, intent: Intent) -> Operation:
    return Operation(
        operation_id=intent.operation_id,
        request_id=intent.request_id,
        order_id=tender.order_id,
        tender_id=tender.tender_id,
        kind=kind,
        state=State.INTENDED,
        amount_minor=amount_minor,
        currency=tender.currency,
        cause=intent.cause,
        actor=intent.actor,
        intended_at=intent.now,
        provider=tender.provider,
        channel_id=tender.channel_id,
        point_id=intent.point_id,
        tender_kind=tender.means.kind,
    )
