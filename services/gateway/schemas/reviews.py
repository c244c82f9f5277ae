"""Orders that somebody has to look at before they go on, and what their fraud rules said of them."""

from datetime import datetime
from typing import Literal

from pydantic import Field

from services.gateway.schemas.base import Id, MoneyView, Paged, Shown
from services.gateway.schemas.holds import HoldView


class FraudHitView(Shown):
    """A rule that applies to the order."""

    rule: str
    weight: int
    reason: str


class FraudCheckView(Shown):
    """What the fraud rules of its life cycle said of an order when it was to be accepted."""

    score: int = Field(description="The weights of the rules that apply, added up")
    band: Literal["pass", "review", "refuse"]
    hits: list[FraudHitView]
    at: datetime


class ReviewFilters(Paged):
    """Which reviews."""

    channel_id: Id | None = None


class ReviewView(Shown):
    """An order that waits for a review. `hold`: what to release, extend or refuse, and until when."""

    order_id: str
    channel_id: str
    channel_order_number: str
    trade: str
    total: MoneyView
    placed_at: datetime
    hold: HoldView
    fraud: FraudCheckView
