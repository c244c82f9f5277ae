"""What customers were told: the log of an order. It says nothing of what stands in the messages."""

from datetime import datetime
from typing import Literal

from pydantic import Field

from services.gateway.schemas.base import Shown
from services.gateway.schemas.life_cycles import Milestone


class NotificationView(Shown):
    """Something that the customer is told, one way."""

    id: str
    order_id: str
    milestone: Milestone
    subject: str = Field(
        description="What it is about: a fulfilment, a refund, a change or an instant; or nothing"
    )
    way: Literal["mail", "sms"]
    state: Literal["due", "sent", "failed", "dropped"] = Field(description="`dropped`: it is not to be sent")
    reason: str | None = Field(
        description="Why the last try did not work, or why it is dropped: `not_true_any_more`, `not_wanted`, "
        "`no_address`, `no_sender`",
        examples=["smtp_550"],
    )
    attempts: int
    happened_at: datetime
    next_try_at: datetime | None
    settled_at: datetime | None = Field(description="When it was sent, failed or dropped")
    resends: int = Field(description="How often somebody had it sent again")
    resent_by: str | None
