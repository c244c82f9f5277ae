"""Figures for the people who steer: what is asked, and what is counted."""

from datetime import UTC, date, datetime, time
from typing import Any, Literal

from pydantic import Field

from services.gateway.schemas.base import Asked, Day, Id, RequiredText, Shown

Reason = Literal["planned_later", "hand_over_missed", "delivery_missed", "lost", "returned"]


class FigureFilters(Asked):
    """Of what. Nothing said: all that the caller may see, of the last 28 days."""

    channel_id: Id | None = None
    brand: RequiredText | None = Field(None, description="Orders with a line of it")
    point_id: Id | None = Field(None, description="Orders and work of this store")


class PeriodFilters(FigureFilters):
    """And of when: 92 days at most."""

    from_: Day | None = Field(None, alias="from")
    until: Day | None = Field(None, description="The day after the last one; until now without it")

    def period(self) -> dict[str, datetime | None]:
        """As the fields of a scope."""
        first, last = (
            datetime.combine(date.fromisoformat(day), time(), UTC) if day else None
            for day in (self.from_, self.until)
        )
        return {"from_at": first, "until_at": last}


class StageFigureView(Shown):
    """Open orders of a channel at a stage. An order may be held, late and blocked at once."""

    channel_id: str
    stage: str = Field(description="The fine status", examples=["in preparation"])
    orders: int
    held: int = Field(description="Held for more than cooling-off")
    late: int = Field(description="With a parcel to come that is later than promised")
    blocked: int = Field(description="Waiting for a person: unpaid, lost parcel, unclaimed work, fraud review")


class _Offers(Shown):
    offers: int
    open: int
    accepted: int
    refused: int
    lapsed: int
    lost: int = Field(description="Another point was first")
    withdrawn: int = Field(description="Cancelled before an answer")
    median_seconds: float = Field(description="From the offer to the point's yes or no; 0 without any")
    p95_seconds: float


class OfferFigureView(_Offers):
    """What became of the offers to a point."""

    point_id: str


class OfferFiguresView(Shown):
    """Offers that were made in the period, by point."""

    points: list[OfferFigureView]
    total: _Offers


class PickFigureView(Shown):
    """What a point looked for and did not find."""

    point_id: str
    picks: int
    short_picks: int = Field(description="Of which something, or all, was missing")
    units: int
    short_units: int


class ShortArticleView(Shown):
    """An article that was not found at a point."""

    point_id: str
    sku: str
    short_units: int


class PickFiguresView(Shown):
    """Picks of the period; the 1000 articles that were missing most."""

    points: list[PickFigureView]
    articles: list[ShortArticleView]


class PromiseFigureView(Shown):
    """Promises of a channel that ended in a week, and those that were kept: all delivered within the window."""

    week: str = Field(description="Its Monday, in UTC", examples=["2026-11-16"])
    channel_id: str
    orders: int
    orders_kept: int
    parcels: int
    parcels_kept: int


class LateFigureView(Shown):
    """Late parcels of a channel."""

    channel_id: str
    reason: Reason
    parcels: int


class PromiseFiguresView(Shown):
    """Promises that ended in the period, and why parcels were late."""

    weeks: list[PromiseFigureView]
    reasons: list[LateFigureView]


class LeadTimeView(Shown):
    """From the placing of orders to the hand-over of their parcels."""

    key: str = Field(description="A channel, or the Monday of a week; empty of the total")
    parcels: int
    median_seconds: float
    p95_seconds: float


class LeadTimesView(Shown):
    """Of parcels that were handed over in the period."""

    channels: list[LeadTimeView]
    weeks: list[LeadTimeView]
    total: LeadTimeView


def scope_values(filters: FigureFilters, brands: list[str]) -> dict[str, Any]:
    """The fields of a FigureScope. `brands`: those that are counted; empty for all."""
    period = filters.period() if isinstance(filters, PeriodFilters) else {}
    return {
        "channel_ids": [filters.channel_id] if filters.channel_id else [],
        "point_ids": [filters.point_id] if filters.point_id else [],
        "brands": brands,
        **period,
    }
