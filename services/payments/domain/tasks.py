"""What only a person can bring to an end: money that a provider could not give back.

The amount stays owed on its tender, so that nobody refunds it twice, until somebody says how it was given back.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from kit.errors import FailedPrecondition, InvalidArgument
from services.payments.domain import rules
from services.payments.domain.model import Operation, State, Tender
from services.payments.domain.rules import Intent


class TaskKind(StrEnum):
    """What is to be done."""

    REFUND_FAILED = "refund_failed"


class Resolution(StrEnum):
    """How it was done."""

    # The provider is asked once more.
    RETRY = "retry"
    # The customer got a credit note of this amount.
    CREDIT_NOTE = "credit_note"
    # By a bank transfer, in cash, by cheque.
    BY_HAND = "by_hand"


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


def check_resolution(resolution: Resolution | None, reference: str) -> Resolution:
    """Names the field."""
    if resolution is None:
        raise InvalidArgument("resolution", f"one of {', '.join(Resolution)}")
    if resolution is not Resolution.RETRY and not reference:
        raise InvalidArgument("reference", "say which credit note or transfer gave the money back")
    return resolution


def resolve(
    task: Task, tender: Tender, resolution: Resolution, reference: str, note: str, intent: Intent
) -> tuple[Task, Tender, Operation]:
    """The task is over: its amount is no longer owed but refunded, by the operation. Raises TASK_RESOLVED."""
    if task.resolution:
        raise FailedPrecondition(
            "TASK_RESOLVED", "somebody resolved it already", task_id=task.task_id, resolution=task.resolution.value
        )
    done = replace(
        task, resolution=resolution, reference=reference, note=note, actor=intent.actor, resolved_at=intent.now
    )
    operation = rules.intend_refund(tender, task.amount_minor, replace(intent, cause=f"task/{task.task_id}"))
    if resolution is not Resolution.RETRY:
        operation = replace(
            operation,
            provider=resolution.value,
            provider_reference=reference,
            state=State.SUCCEEDED,
            settled_at=intent.now,
        )
    return done, replace(tender, owed=tender.owed - task.amount_minor), operation
