"""What only a person can bring to an end: money that a provider could not give back, and disputes.

What was not given back stays owed on its tender, so that nobody refunds it twice, until somebody says how it was.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from kit.errors import FailedPrecondition, InvalidArgument
from services.payments.domain import rules
from services.payments.domain.later import Dispute
from services.payments.domain.model import Operation, State, Tender
from services.payments.domain.rules import Intent


class TaskKind(StrEnum):
    """What is to be done."""

    REFUND_FAILED = "refund_failed"
    # The customer's bank disputes a payment: answer it before `due_at`.
    DISPUTE = "dispute"


class Resolution(StrEnum):
    """How it was done."""

    # The provider is asked once more.
    RETRY = "retry"
    # The customer got a credit note of this amount.
    CREDIT_NOTE = "credit_note"
    # By a bank transfer, in cash, by cheque.
    BY_HAND = "by_hand"
    # Of a dispute: it was answered, or is not contested; the bank decided.
    ANSWERED = "answered"
    ACCEPTED = "accepted"
    WON = "won"
    LOST = "lost"


@dataclass(frozen=True, slots=True)
class Task:
    """Of one failed operation. It is open until `resolved_at`."""

    task_id: str
    kind: TaskKind
    order_id: str
    channel_id: str
    tender_id: str
    operation_id: str
    amount_minor: int
    currency: str
    # The provider's code.
    reason: str
    opened_at: datetime
    # Which dispute; empty for a refund.
    subject: str = ""
    due_at: datetime | None = None
    resolution: Resolution | None = None
    # The credit note, the transfer.
    reference: str = ""
    note: str = ""
    actor: str = ""
    resolved_at: datetime | None = None


def of_failed_refund(tender: Tender, operation: Operation, task_id: str, now: datetime) -> Task:
    """Somebody has to give this amount back."""
    return Task(
        task_id=task_id,
        kind=TaskKind.REFUND_FAILED,
        order_id=operation.order_id,
        channel_id=tender.channel_id,
        tender_id=tender.tender_id,
        operation_id=operation.operation_id,
        amount_minor=operation.amount_minor,
        currency=operation.currency,
        reason=operation.failure_code,
        opened_at=now,
    )


def of_dispute(tender: Tender, captured_id: str, dispute: Dispute, task_id: str, now: datetime) -> Task:
    """Somebody has to answer the bank."""
    return Task(
        task_id=task_id,
        kind=TaskKind.DISPUTE,
        order_id=tender.order_id,
        channel_id=tender.channel_id,
        tender_id=tender.tender_id,
        operation_id=captured_id,
        amount_minor=dispute.amount_minor,
        currency=dispute.currency,
        reason=dispute.reason,
        opened_at=now,
        subject=dispute.reference,
        due_at=dispute.evidence_due,
    )


# Failures that asking again cannot change: the money has no way back by the means that paid.
FOR_GOOD = frozenset(
    {"expired_or_canceled_card", "lost_or_stolen_card", "charge_not_refundable", "refund_window_over"}
)

_BY_PEOPLE = {
    TaskKind.REFUND_FAILED: (Resolution.RETRY, Resolution.CREDIT_NOTE, Resolution.BY_HAND),
    TaskKind.DISPUTE: (Resolution.ANSWERED, Resolution.ACCEPTED),
}


def check_resolution(kind: TaskKind, resolution: Resolution | None, reference: str) -> Resolution:
    """Names the field."""
    known = _BY_PEOPLE[kind]
    if resolution not in known:
        raise InvalidArgument("resolution", f"one of {', '.join(known)}")
    if resolution in (Resolution.CREDIT_NOTE, Resolution.BY_HAND) and not reference:
        raise InvalidArgument("reference", "say which credit note or transfer gave the money back")
    return resolution


def close(task: Task, resolution: Resolution, reference: str, note: str, actor: str, now: datetime) -> Task:
    """The task is over. Raises TASK_RESOLVED."""
    if task.resolution:
        raise FailedPrecondition(
            "TASK_RESOLVED", "somebody resolved it already", task_id=task.task_id, resolution=task.resolution.value
        )
    return replace(task, resolution=resolution, reference=reference, note=note, actor=actor, resolved_at=now)


def give_back(task: Task, tender: Tender, intent: Intent) -> tuple[Tender, Operation]:
    """The amount of a resolved task is no longer owed but refunded: by hand, or by asking the provider again."""
    operation = rules.intend_refund(tender, task.amount_minor, replace(intent, cause=f"task/{task.task_id}"))
    if task.resolution is not Resolution.RETRY:
        assert task.resolution is not None  # it was resolved before
        operation = replace(
            operation,
            provider=task.resolution.value,
            provider_reference=task.reference,
            state=State.SUCCEEDED,
            settled_at=intent.now,
        )
    return replace(tender, owed=tender.owed - task.amount_minor), operation
