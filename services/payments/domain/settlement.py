"""What an answer of the provider changes: the tender, its operation, what the provider lets go of by itself."""

from dataclasses import dataclass, replace
from datetime import datetime

from services.payments.domain.model import SECRET, Kind, MeansKind, Operation, State, Status, Tender
from services.payments.domain.outcome import Outcome

SINGLE_CAPTURE = "provider/single_capture"
ENDED = "provider/ended"


@dataclass(frozen=True, slots=True)
class Settlement:
    """The tender after it, and the operations that changed; `released` is new."""

    tender: Tender
    operation: Operation
    released: Operation | None = None


def settle(tender: Tender, operation: Operation, outcome: Outcome, now: datetime, released_id: str) -> Settlement:
    """Moves the operation to its outcome and the tender with it.

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
    if operation.kind in (Kind.AUTHORIZE, Kind.SAVE_MEANS):
        raised = tender.authorized > 0
        tender = _answer_raise(tender, operation) if raised else _answer_authorisation(tender, outcome)
    if operation.kind is Kind.REFUND and outcome.state is State.FAILED:
        tender = replace(tender, owed=tender.owed + operation.amount_minor)
    if outcome.state is not State.SUCCEEDED:
        return Settlement(tender, operation)
    if operation.kind is Kind.VOID:
        tender = told_provider(tender)
    tender = book(tender, operation)
    released = None
    if operation.final and (rest := tender.uncaptured):
        released = let_go(tender, rest, released_id, SINGLE_CAPTURE, now)
        tender = book(tender, released)
    return Settlement(tender, operation, released)


def book(tender: Tender, operation: Operation) -> Tender:
    """The tender's totals after an operation that succeeded."""
    amount = operation.amount_minor
    match operation.kind:
        case Kind.SAVE_MEANS:
            return replace(tender, status=Status.SAVED)
        case Kind.AUTHORIZE if tender.by_channel:
            return replace(tender, paid_by_channel=amount, status=Status.PAID_BY_CHANNEL)
        case Kind.REFUND if tender.by_channel:
            return replace(tender, asked_of_channel=tender.asked_of_channel + amount)
        case Kind.AUTHORIZE:
            tender = replace(tender, authorized=tender.authorized + amount, status=Status.AUTHORIZED)
        case Kind.CAPTURE:
            tender = replace(
                tender,
                captured=tender.captured + amount,
                captured_at=operation.settled_at,
                provider_closed=tender.provider_closed or operation.final,
            )
        case Kind.VOID:
            by_itself = amount if operation.cause in (SINGLE_CAPTURE, ENDED) else 0
            tender = replace(tender, voided=tender.voided + amount, lapsed=tender.lapsed + by_itself)
        case Kind.REFUND:
            elsewhere = amount if operation.provider != tender.provider else 0
            tender = replace(tender, refunded=tender.refunded + amount, elsewhere=tender.elsewhere + elsewhere)
        case Kind.REFUND_REVERSAL:
            # The customer still has to get it.
            tender = replace(tender, refunded=tender.refunded - amount, owed=tender.owed + amount)
        case Kind.CHARGEBACK:
            return replace(tender, disputed=tender.disputed + amount)
        case Kind.CHARGEBACK_REVERSAL:
            return replace(tender, disputed=tender.disputed - amount)
    return _end_if_used_up(tender)


def not_needed(tender: Tender, amount: int) -> Tender:
    """The order no longer needs so much of what the provider let go by itself."""
    tender = replace(tender, lapsed=tender.lapsed - amount)
    return (
        replace(tender, status=Status.CLOSED) if tender.status is Status.EXPIRED and not tender.lapsed else tender
    )


def told_provider(tender: Tender) -> Tender:
    """The provider holds nothing any more."""
    return replace(tender, provider_closed=True, release_due=False)


def let_go(tender: Tender, rest: int, operation_id: str, cause: str, now: datetime) -> Operation:
    """The record that the provider let the rest go by itself: after a single capture, or when it expired."""
    return Operation(
        operation_id=operation_id,
        request_id=operation_id,
        order_id=tender.order_id,
        tender_id=tender.tender_id,
        kind=Kind.VOID,
        state=State.SUCCEEDED,
        amount_minor=rest,
        currency=tender.currency,
        cause=cause,
        actor=f"provider/{tender.provider}",
        intended_at=now,
        provider=tender.provider,
        settled_at=now,
        channel_id=tender.channel_id,
        tender_kind=tender.means.kind,
    )


def _answer_authorisation(tender: Tender, outcome: Outcome) -> Tender:
    # The token was only needed to ask; what follows goes by the provider's id.
    secret = tender.means.kind in SECRET
    answered = replace(
        tender,
        means=replace(tender.means, reference="") if secret else tender.means,
        next_action_url=outcome.next_action_url,
        decline_code=outcome.failure_code,
        expires_at=outcome.expires_at,
        multi_capture=outcome.multi_capture,
        incremental=outcome.incremental,
        saved_means=outcome.saved_means or tender.saved_means,
    )
    match outcome.state:
        case State.ACTION_REQUIRED:
            return replace(answered, status=Status.ACTION_REQUIRED, provider_payment_id=outcome.reference)
        case State.FAILED:
            # An authorisation that we did not take may still pay another order.
            brought = tender.means.kind is MeansKind.PROVIDER_AUTHORISATION
            reference = "" if brought else outcome.reference or tender.provider_payment_id
            return replace(answered, status=Status.DECLINED, provider_payment_id=reference)
        case _:
            return replace(answered, provider_payment_id=outcome.reference or tender.provider_payment_id)


def _answer_raise(tender: Tender, operation: Operation) -> Tender:
    """It was raised to all that is needed: what we had given up is among it. A refusal leaves it as it was."""
    if operation.state is not State.SUCCEEDED:
        return tender
    return replace(tender, amount=tender.amount + operation.amount_minor, taken_back=tender.voided)


def _end_if_used_up(tender: Tender) -> Tender:
    if tender.authorized == 0 or tender.uncaptured > 0:
        return tender
    # The provider still holds what we gave up in our ledger only, or what a channel authorised beyond our amount.
    kept = tender.voided > 0 or tender.means.kind is MeansKind.PROVIDER_AUTHORISATION
    status = Status.EXPIRED if tender.lapsed else Status.CLOSED
    return replace(tender, status=status, release_due=kept and not tender.provider_closed)
