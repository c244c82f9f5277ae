"""The work of people on money: what a provider could not give back."""

from datetime import datetime
from typing import Literal

from services.gateway.schemas.base import LongId, MoneyView, Paged, Sent, Shown, Text, example

TaskKind = Literal["refund_failed", "dispute"]
TaskState = Literal["open", "resolved"]
SaidResolution = Literal["retry", "credit_note", "by_hand", "answered", "accepted"]
TaskResolution = Literal["retry", "credit_note", "by_hand", "answered", "accepted", "won", "lost"]


class TaskFilters(Paged):
    """Which tasks."""

    order_id: LongId | None = None
    state: TaskState | None = None


class ResolveTask(Sent):
    """Of a refund: by a credit note or by hand (say which), or ask the provider again. Of a dispute: it was
    answered, or is not contested."""

    model_config = example({"resolution": "by_hand", "reference": "transfer 2026-03-02/17", "note": "card closed"})

    resolution: SaidResolution
    reference: Text = ""
    note: Text = ""


class PaymentTaskView(Shown):
    """A task; open while it has no resolution."""

    task_id: str
    kind: TaskKind
    order_id: str
    channel_id: str
    tender_id: str
    operation_id: str
    amount: MoneyView | None
    reason: str
    subject: str
    opened_at: datetime | None
    due_at: datetime | None
    resolution: TaskResolution | None
    reference: str
    note: str
    actor: str
    resolved_at: datetime | None
