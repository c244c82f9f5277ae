"""Webhook endpoints and the log of their deliveries."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from services.gateway.schemas.base import Id, Instant, LongId, Paged, Sent, Shown

DeliveryState = Literal["pending", "delivered", "failed"]
EventType = Annotated[str, Field(max_length=200, pattern=r"^[a-z][a-z0-9_]*(\.[a-z0-9_]+)*(\.\*)?$")]


class EndpointRequest(Sent):
    """Where events go."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"url": "https://shop.example.org/hooks/oms", "event_types": ["oms.orders.order.*"]}]
        }
    )

    url: str = Field(max_length=2_000, pattern=r"^https?://[\x21-\x7e]+$")
    event_types: list[EventType] = Field(
        default_factory=list, max_length=100, description="Exact, or a prefix ending in `.*`; empty means all"
    )
    channel_ids: list[Id] = Field(default_factory=list, max_length=100, description="Empty means all")


class EndpointView(Shown):
    """A registered endpoint; its secret is never shown again."""

    id: str
    url: str
    event_types: list[str]
    channel_ids: list[str]
    enabled: bool
    created_at: datetime | None


class EndpointCreated(EndpointView):
    """The endpoint, and its signing secret, shown this once."""

    secret: str


class DeliveryView(Shown):
    """One event on its way to one endpoint."""

    id: str
    endpoint_id: str
    event_id: str
    event_type: str
    order_id: str | None
    state: str
    attempts: int
    last_status_code: int | None
    last_error: str | None
    next_attempt_at: datetime | None
    delivered_at: datetime | None
    created_at: datetime | None


class DeliveryFilters(Paged):
    """Which deliveries."""

    endpoint_id: LongId | None = None
    order_id: LongId | None = None
    state: DeliveryState | None = None


class Replay(Sent):
    """What to deliver again: one delivery, or all since an instant."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"since": "2026-03-02T00:00:00Z"}],
            "oneOf": [{"required": ["delivery_id"]}, {"required": ["since"]}],
        }
    )

    delivery_id: LongId = Field(default_factory=str)
    since: Annotated[Instant | None, Field(json_schema_extra={"type": "string"})] = None

    @model_validator(mode="after")
    def _exactly_one(self) -> "Replay":
        if bool(self.delivery_id) == (self.since is not None):
            raise PydanticCustomError("exactly_one", "name either delivery_id or since")
        return self


class Replayed(Shown):
    """How many deliveries were queued again."""

    queued: int
