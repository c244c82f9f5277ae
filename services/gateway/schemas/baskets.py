"""Baskets: what a customer has laid aside. Mirrors the protos."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from services.gateway.schemas.base import Id, Quantity, Sent, Shown, Sku, example

Seconds = Annotated[int, Field(ge=1, le=24 * 3600, description="From now on")]
BasketState = Literal["held", "confirmed", "closed", "expired"]


class BasketLine(Sent):
    """Units that the customer wants."""

    sku: Sku
    quantity: Quantity
    point_id: Id | Literal[""] = Field(
        "", description="Where they must lie, for example the store that they are fetched from; empty for anywhere"
    )


class BasketSent(Sent):
    """What the basket holds from now on, in the place of what it held."""

    model_config = example({"lines": [{"sku": "AUB-TEE-NAVY-M", "quantity": 2}], "time_to_live_seconds": 900})

    lines: list[BasketLine] = Field(min_length=1, max_length=500)
    time_to_live_seconds: Seconds = 600
    allow_partial: bool = Field(False, description="Hold what there is, when it is not all")
    purpose: Literal["ship", "collect"] | None = Field(None, description="Without: either")


class BasketExtension(Sent):
    """How long the basket is to live."""

    model_config = example({"time_to_live_seconds": 600})

    time_to_live_seconds: Seconds = 600


class HeldLineView(Shown):
    """Units laid aside, and where they lie now; where an order ships from is decided when there is one."""

    sku: str
    point_id: str
    quantity: int


class BasketShortfallView(Shown):
    """A line that could not be had, and how much of it could."""

    sku: str
    point_id: str | None
    requested: int
    available: int


class BasketView(Shown):
    """A basket as it stands. `shortfalls`: what it was to hold and does not."""

    basket_id: str
    channel_id: str
    state: BasketState | None
    expires_at: datetime | None
    lines: list[HeldLineView]
    shortfalls: list[BasketShortfallView] = Field(default_factory=list)
