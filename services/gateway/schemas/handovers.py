"""Work of points that other systems do. Mirrors the protos."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from services.gateway.schemas.base import (
    Id,
    LongId,
    Paged,
    RequiredText,
    Sent,
    Shown,
    Text,
    example,
    one_of_each,
)

HandoverState = Literal[
    "to_send",
    "sent",
    "acknowledged",
    "picked",
    "packed",
    "shipped",
    "refused",
    "short",
    "withdrawn",
    "to_cancel",
    "cancelled",
    "too_late",
]
_Tolerance = Annotated[int, Field(ge=0, le=30 * 86_400)]


class HandoverSystem(Sent):
    """A system that does the work of points. Where it answers is set up by operators."""

    system_id: Id
    name: RequiredText
    point_ids: list[Id] = Field(max_length=1_000, description="A point's work goes to one system at most")
    enabled: bool = Field(description="Whether new work goes to it; what it has is followed to its end")
    acknowledge_tolerance_seconds: _Tolerance = Field(
        900, description="After the latest start, or the end of the offer, until its silence is told"
    )
    ship_tolerance_seconds: _Tolerance = Field(
        3_600, description="After the hand-over to the carrier was due, until its silence is told"
    )


class HandoverSystems(Sent):
    """Systems to create or replace; others stay."""

    model_config = example(
        {
            "systems": [
                {
                    "system_id": "wms-orleans",
                    "name": "Warehouse of Orléans",
                    "point_ids": ["wh-orleans"],
                    "enabled": True,
                }
            ]
        }
    )

    systems: list[HandoverSystem] = Field(min_length=1, max_length=100)


class HandoverSystemView(Shown):
    """A system and the points whose work it does."""

    system_id: str
    name: str
    point_ids: list[str]
    enabled: bool
    acknowledge_tolerance_seconds: int
    ship_tolerance_seconds: int


class HandoverFilters(Paged):
    """Which hand-overs."""

    alert: bool = Field(False, strict=False, description="Only those with an open alert")
    system_id: list[Id] = Field(default_factory=list, max_length=100)
    state: Annotated[list[HandoverState], AfterValidator(one_of_each)] = Field(default_factory=list)
    order_id: LongId | None = None


class AlertView(Shown):
    """Something that a person has to look at; open while it is not closed."""

    alert_id: str
    fulfilment_id: str
    kind: str = Field(
        description="Silence: not_acknowledged, not_shipped, not_cancelled. Else: rejected, too_late, "
        "shipped_after_end, shipped_unpaid, contradiction"
    )
    text: str
    raised_at: datetime
    closed_at: datetime | None
    closed_by: str = Field(description="Empty when the silence ended by itself")
    note: str


class HandoverView(Shown):
    """A preparation order that went to another system."""

    fulfilment_id: str
    order_id: str
    system_id: str
    point_id: str
    state: HandoverState
    created_at: datetime
    sent_at: datetime | None
    heard_at: datetime | None = Field(description="When the system last said anything")
    acknowledge_by: datetime
    ship_by: datetime | None
    attempts: int = Field(description="Of the step that is under way, since the last success")
    last_error: str
    due_at: datetime | None = Field(description="When it is looked at next; null when nothing is to be done")
    alerts: list[AlertView]


class FoundLineView(Shown):
    """What was found of a line."""

    line_number: int
    quantity: int


class SystemMessageView(Shown):
    """What the system said, and what became of it."""

    message_id: str
    kind: str
    occurred_at: datetime
    received_at: datetime
    state: str = Field(description="waiting, done, superseded (nothing was left to do) or contradicting")
    reason: str
    found: list[FoundLineView]
    weight_grams: int
    tracking_code: str


class HandoverDetail(HandoverView):
    """With everything that the system said, in the order in which it came."""

    messages: list[SystemMessageView]


class AlertClosing(Sent):
    """What was done about it."""

    model_config = example({"note": "called the warehouse: they stop the lorry"})

    note: Text = ""


class MessagesTaken(Shown):
    """Kept, and acted on in a moment."""

    accepted: int
    duplicates: int
