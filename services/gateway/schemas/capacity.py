"""Capacity of points and carriers. Mirrors the protos."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from kit import times
from services.gateway.schemas.base import Asked, Day, Id, Sent, Shown, example

_Minute = Annotated[
    int, Field(ge=0, le=1440, description="Local minutes after midnight: one cut-off of the carrier")
]
_DayView = Annotated[str | None, BeforeValidator(lambda day: day or None), Field(examples=["2026-12-24"])]


class Scope(Sent):
    """What a limit is of. Without a carrier: orders that a point starts a day; with one: parcels it takes there.

    Of several limits the point's own come before those of each point; of those the date's, the weekday's, every
    day's.
    """

    point_id: Id | Literal[""] = Field("", description="Empty, with a carrier only: each point by itself")
    carrier_id: Id | Literal[""] = ""
    service_id: Id | Literal[""] = Field("", description="With a carrier; empty: all its services together")
    cut_off_minute: _Minute | None = Field(None, description="With a carrier; null: the whole day")
    weekday: int = Field(0, ge=0, le=7, description="1 Monday to 7 Sunday; 0 every day")
    date: Day | None = Field(None, description="That day alone, without a weekday")


class CapacityLimit(Scope):
    """How much there may be of it."""

    most: Annotated[int, Field(ge=0, le=1_000_000)] | None = Field(
        description="null: no limit, whatever a wider one says"
    )


class CapacityLimits(Sent):
    """Limits to set; those of other scopes stay."""

    model_config = example(
        {
            "limits": [
                {"point_id": "store-lyon", "weekday": 6, "most": 25},
                {"point_id": "store-lyon", "date": "2026-12-24", "most": 0},
                {"carrier_id": "colis", "point_id": "store-lyon", "cut_off_minute": 1020, "most": 60},
            ]
        }
    )

    limits: list[CapacityLimit] = Field(min_length=1, max_length=1_000)


class Scopes(Sent):
    """Limits to remove: what is wider holds again."""

    model_config = example({"limits": [{"point_id": "store-lyon", "weekday": 6}]})

    limits: list[Scope] = Field(min_length=1, max_length=1_000)


class LimitFilters(Asked):
    """Which limits."""

    point_id: Id | None = None
    carrier_id: Id | None = None


class FigureFilters(Asked):
    """Which days, both included; at most 92."""

    from_date: Day = Field(default_factory=lambda: times.now().date().isoformat(), description="Without it, today")
    until_date: Day | None = Field(None, description="Without it, from_date alone")


class CapacityLimitView(Shown):
    """A limit, when it was set and by whom."""

    point_id: str
    carrier_id: str
    service_id: str
    cut_off_minute: int | None
    weekday: int
    date: _DayView
    most: int | None = Field(description="null: no limit")
    set_at: datetime
    set_by: str


class CapacityFigureView(Shown):
    """How full a day is: of the point itself, or (with a carrier) of collections there."""

    point_id: str
    date: str
    carrier_id: str
    service_id: str
    cut_off_minute: int | None
    most: int | None = Field(description="null: no limit")
    taken: int
    left: int | None = Field(description="null without a limit")
