"""What keeps orders, or the work of one point, from going on."""

from datetime import datetime
from typing import Literal

from pydantic import ConfigDict, Field

from services.gateway.schemas.base import Instant, LongText, RequiredText, Sent, Shown

HoldKind = Literal[
    "cooling_off",
    "fraud",
    "payment",
    "manual",
    "appointment",
    "release_date",
    "stock",
    "change",
    "consolidation",
]
HoldDefault = Literal["release", "cancel"]
# What waits for stock, or for parcels of other points, goes on when its units are there, whatever the date.
HoldEnd = Literal["release", "cancel", "wait"]


class HoldPlacement(Sent):
    """A wish to stop an order, or the work of one point."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"reason": "the customer calls back", "until": "2100-03-02T10:00:00Z"}]}
    )

    reason: RequiredText
    fulfilment_id: RequiredText | None = Field(None, description="Only this work; the whole order without it")
    until: Instant | None = Field(None, description="When it ends by itself; without it somebody must end it")
    default: HoldDefault = Field("release", description="What becomes of the order then")


class HoldRelease(Sent):
    """A wish to let it go on."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"reason": "the customer confirmed by phone"}]})

    reason: LongText | Literal[""] = ""


class HoldExtension(Sent):
    """Another date, still to come."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"until": "2100-03-02T10:00:00Z", "reason": "the customer is on holiday"}]}
    )

    until: Instant
    reason: LongText | Literal[""] = ""


class HoldRefusal(Sent):
    """A decision against the order: it is cancelled."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"reason": "the card was stolen"}]})

    reason: RequiredText


class HoldView(Shown):
    """What keeps an order, or the work of one point, from going on."""

    hold_id: str
    kind: HoldKind
    fulfilment_id: str | None = Field(description="Null when all of the order is held")
    reason: str
    since: datetime
    until: datetime | None = Field(
        description="When it ends by itself, or its units are expected; null: it waits for a person or an event"
    )
    default: HoldEnd = Field(description="What becomes of the order then; `wait`: until its units are there")
    roles: list[str] = Field(description="Who may release, extend or refuse it")
    ended_at: datetime | None
    outcome: Literal["released", "refused", "lapsed", "met", "gone"] | None
    actor: str | None = Field(description="Who ended it")
