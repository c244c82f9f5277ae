"""Pauses. Mirrors the protos."""

from datetime import datetime
from typing import Literal

from pydantic import ConfigDict, Field

from services.gateway.schemas.base import Id, Instant, Paged, RequiredText, Sent, Shown, Sku


class PauseRequest(Sent):
    """What to stop: a point, an item, a channel, or what several of them name together."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"point_id": "store-lyon", "reason": "stock-taking", "until_at": "2199-01-01T00:00:00Z"},
            ]
        }
    )

    point_id: Id | Literal[""] = ""
    sku: Sku | Literal[""] = ""
    channel_id: Id | Literal[""] = ""
    reason: RequiredText
    from_at: Instant | None = Field(default=None, description="Without it, now")
    until_at: Instant | None = Field(default=None, description="Without it, until it is lifted")


class PauseFilters(Paged):
    """Which pauses."""

    include_ended: bool = False


class PauseView(Shown):
    """What is stopped, from when until when. Empty keys mean any."""

    id: str
    point_id: str
    sku: str
    channel_id: str
    reason: str
    from_at: datetime | None
    until_at: datetime | None
    paused_by: str
    lifted_by: str
    lifted_at: datetime | None
    in_force: bool
