"""The work of people on money: what a provider could not give back."""

from datetime import datetime
from typing import Literal

from services.gateway.schemas.base import LongId, MoneyView, Paged, Sent, Shown, Text, example

TaskKind = Literal["refund_failed"]
TaskState = Literal["open", "resolved"]
TaskResolution = Literal["retry", "credit_note", "by_hand"]


class TaskFilters(Paged):
    """Which tasks."""

    order_id: LongId | None = None
    state: TaskState | None = None


class ResolveTask(Sent):
    """How the money was given back: by a credit note or by hand (say which), or ask the provider again."""

    model_config = example({"resolution": "by_hand", "reference": "transfer 2026-03-02/17", "note": "card closed"})

    resolution: TaskResolution
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
    opened_at: datetime | None
    due_at: datetime | None
    resolution: TaskResolution | None
    reference: str
    note: str
    actor: str
    resolved_at: datetime | None
