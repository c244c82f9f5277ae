"""What an answer of the provider changes: the payment, its operation, and what it lets go of by itself."""

from dataclasses import dataclass, replace
from datetime import datetime

from services.payments.domain import rules
from services.payments.domain.model import Kind, Operation, Payment, State, Status, TenderKind
from services.payments.domain.outcome import Outcome


@dataclass(frozen=True, slots=True)
class Settlement:
    """The payment after it, and the operations that changed; `released` is new."""

    payment: Payment
    operation: Operation
    released: Operation | None = None


def settle(
    payment: Payment, operation: Operation, outcome: Outcome, now: datetime, released_id: str
) -> Settlement:
    """Moves the operation to its outcome and the payment with it.

    A single capture makes the provider let the rest go: that is recorded as a void of its own, `released_id`.
    """
    operation.check_move(outcome.state)
    settled = outcome.state is not State.ACTION_REQUIRED
    operation = replace(
        operation,
        state=outcome.state,
        provider_reference=outcome.reference or operation.provider_reference,
        failure_code=outcome.failure_code,
        settled_at=now if settled else None,
    )
    if operation.kind is Kind.AUTHORIZE:
        payment = _answer_authorisation(payment, outcome)
    if outcome.state is not State.SUCCEEDED:
        return Settlement(payment, operation)
    if operation.kind is Kind.VOID:
        payment = told_provider(payment)
    payment = book(payment, operation)
    released = None
    if operation.final and (rest := rules.uncaptured(payment)):
        released = let_go(payment, rest, released_id, "provider/single_capture", now)
        payment = book(payment, released)
    return Settlement(payment, operation, released)


def book(payment: Payment, operation: Operation) -> Payment:
    """The payment's totals after an operation that succeeded."""
    amount = operation.amount_minor
    by_channel = payment.tender.kind is TenderKind.PAID_BY_CHANNEL
    match operation.kind:
        case Kind.AUTHORIZE if by_channel:
            return replace(payment, paid_by_channel=amount, status=Status.PAID_BY_CHANNEL)
        case Kind.REFUND if by_channel:
            return replace(payment, asked_of_channel=payment.asked_of_channel + amount)
        case Kind.AUTHORIZE:
            payment = replace(payment, authorized=amount, status=Status.AUTHORIZED)
        case Kind.CAPTURE:
            payment = replace(
                payment,
                captured=payment.captured + amount,
                provider_closed=payment.provider_closed or operation.final,
            )
        case Kind.VOID:
            payment = replace(payment, voided=payment.voided + amount)
        case Kind.REFUND:
            payment = replace(payment, refunded=payment.refunded + amount)
    return _close_if_used_up(payment)


def told_provider(payment: Payment) -> Payment:
    """The provider holds nothing any more."""
    return replace(payment, provider_closed=True, release_due=False)


def let_go(payment: Payment, rest: int, operation_id: str, cause: str, now: datetime) -> Operation:
    """The record that the provider let the rest go by itself: after a single capture, or when it expired."""
    return Operation(
        operation_id=operation_id,
        request_id=operation_id,
        order_id=payment.order_id,
        kind=Kind.VOID,
        state=State.SUCCEEDED,
        amount_minor=rest,
        currency=payment.currency,
        cause=cause,
        actor=f"provider/{payment.provider}",
        intended_at=now,
        provider=payment.provider,
        settled_at=now,
    )


def _answer_authorisation(payment: Payment, outcome: Outcome) -> Payment:
    # The token was only needed to ask; what follows goes by the provider's id.
    answered = replace(
        payment,
        tender=replace(payment.tender, reference="") if _is_secret(payment) else payment.tender,
        next_action_url=outcome.next_action_url,
        decline_code=outcome.failure_code,
        expires_at=outcome.expires_at,
        multi_capture=outcome.multi_capture,
    )
    match outcome.state:
        case State.ACTION_REQUIRED:
            return replace(answered, status=Status.ACTION_REQUIRED, provider_payment_id=outcome.reference)
        case State.FAILED:
            # An authorisation that we did not take may still pay another order.
            brought = payment.tender.kind is TenderKind.PROVIDER_AUTHORISATION
            reference = "" if brought else outcome.reference or payment.provider_payment_id
            return replace(answered, status=Status.DECLINED, provider_payment_id=reference)
        case _:
            return replace(answered, provider_payment_id=outcome.reference or payment.provider_payment_id)


def _is_secret(payment: Payment) -> bool:
    return payment.tender.kind is TenderKind.PAYMENT_METHOD_TOKEN


def _close_if_used_up(payment: Payment) -> Payment:
    if payment.authorized == 0 or rules.uncaptured(payment) > 0:
        return payment
    # The provider still holds what we gave up in our ledger only, or what a channel authorised beyond our amount.
    kept = payment.voided > 0 or payment.tender.kind is TenderKind.PROVIDER_AUTHORISATION
    return replace(payment, status=Status.CLOSED, release_due=kept and not payment.provider_closed)
