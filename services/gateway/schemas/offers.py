"""Work that several points are offered at once."""

from datetime import datetime
from typing import Literal

from pydantic import ConfigDict, Field

from services.gateway.schemas.base import Id, LongId, Paged, Sent, Shown

OfferStatus = Literal["open", "claimed", "accepted", "refused", "lost", "lapsed", "withdrawn"]


class OfferAnswer(Sent):
    """Whose answer it is, for somebody who works at several of the points that have an offer."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"point_id": "store-lyon"}]})

    point_id: Id


class Assignment(Sent):
    """The point that has the work: its own one, or one that it was offered to."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"point_id": "store-lyon"}]})

    point_id: Id


class OfferFilters(Paged):
    """Which offers."""

    point_id: list[Id] = Field(default_factory=list, max_length=200)
    status: list[OfferStatus] = Field(default_factory=list, max_length=7)
    order_id: LongId | None = None
    fulfilment_id: LongId | None = None


class OfferView(Shown):
    """An offer of work to one of several points."""

    fulfilment_id: str
    order_id: str
    point_id: str
    ring: int = Field(description="From 1; the next one is asked when nobody of the one before took it")
    status: OfferStatus
    offered_at: datetime
    deadline: datetime = Field(description="Counted in the opening hours of the point")
    answered_at: datetime | None = Field(description="By the point; null while or where it kept silent")
    reason: str | None = Field(description="Of a refusal")
    actor: str | None
    hand_over_by: datetime
