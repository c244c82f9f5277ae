"""Lanes and transfers. Mirrors the protos."""

from datetime import datetime
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from services.gateway.schemas.base import (
    Amount,
    Asked,
    Count,
    Currency,
    Id,
    Instant,
    MoneyView,
    Paged,
    Quantity,
    Sent,
    Shown,
    Sku,
    Skus,
    Text,
    WindowView,
    example,
)
from services.gateway.schemas.network import Minute, Weekday

TransferState = Literal["requested", "dispatched", "received", "closed", "cancelled"]
TransferOutcome = Literal["found_at_destination", "returned", "lost"]
_Points = Annotated[list[Id], Field(max_length=500)]
_MAX_LINES = 1_000


# -- lanes ------------------------------------------------------------------------------------------------


class LaneDeparture(Sent):
    """A weekly departure: units must be ready at the cut-off, on the wall of the origin."""

    weekday: Weekday
    cut_off_minute: Minute


class LaneCost(Sent):
    """What a load costs, in minor units of one currency: the sum of the three."""

    currency: Currency | Literal[""] = ""
    per_parcel_minor: Amount = 0
    per_unit_minor: Amount = 0
    per_kilogram_minor: Amount = 0


class Lane(Sent):
    """A regular way from point to point."""

    lane_id: Id
    origin_id: Id
    destination_id: Id
    departures: list[LaneDeparture] = Field(min_length=1, max_length=100)
    transit_days: Annotated[int, Field(ge=0, le=90, description="Calendar days from the day of departure")]
    cost: LaneCost = Field(default_factory=LaneCost)


class Lanes(Sent):
    """Lanes to create or replace."""

    model_config = example(
        {
            "lanes": [
                {
                    "lane_id": "lyon-paris",
                    "origin_id": "store-lyon",
                    "destination_id": "store-paris",
                    "departures": [{"weekday": 1, "cut_off_minute": 1080}, {"weekday": 4, "cut_off_minute": 1080}],
                    "transit_days": 1,
                    "cost": {"currency": "EUR", "per_parcel_minor": 450, "per_kilogram_minor": 12},
                }
            ]
        }
    )

    lanes: list[Lane] = Field(min_length=1, max_length=_MAX_LINES)


class LaneFilters(Asked):
    """Which lanes: those that begin or end at these points; without a filter, all."""

    point_id: _Points = Field(default_factory=list)


class ScheduleFilters(Asked):
    """From when on, how many departures, for what load."""

    as_of: Instant | None = None
    count: Annotated[int, Field(ge=1, le=50)] = 5
    parcels: Count = 0
    units: Count = 0
    weight_grams: Count = 0


class LaneDepartureView(Shown):
    """A weekly departure."""

    weekday: int
    cut_off_minute: int


class LaneCostView(Shown):
    """What a load costs, in minor units of one currency."""

    currency: str
    per_parcel_minor: int
    per_unit_minor: int
    per_kilogram_minor: int


class LaneView(Shown):
    """A regular way from point to point."""

    lane_id: str
    origin_id: str
    destination_id: str
    departures: list[LaneDepartureView]
    transit_days: int
    cost: LaneCostView | None


class LaneRunView(Shown):
    """One departure, and when the destination can take in what left."""

    cut_off_at: datetime
    arrives: WindowView


class ScheduleView(Shown):
    """The next departures of a lane, soonest first, and what the load costs on it."""

    lane: LaneView
    runs: list[LaneRunView]
    cost: MoneyView | None


# -- transfers --------------------------------------------------------------------------------------------


class Expected(Sent):
    """When the destination can expect it; the end is outside."""

    start: Instant
    end: Instant

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.start >= self.end:
            raise ValueError("the end is not after the start")
        return self


class TransferQuantity(Sent):
    """Units of an article."""

    sku: Sku
    quantity: Quantity


class TransferWish(Sent):
    """Units to move. The same article in several lines adds up."""

    model_config = example(
        {
            "origin_id": "store-lyon",
            "destination_id": "store-paris",
            "lines": [{"sku": "AUB-TEE-NAVY-M", "quantity": 2}],
            "reason": "window display",
        }
    )

    origin_id: Id
    destination_id: Id
    lines: list[TransferQuantity] = Field(min_length=1, max_length=_MAX_LINES)
    lane_id: Id | Literal[""] = Field(default="", description="Empty: the lane that arrives first")
    expected: Expected | None = None
    reason: Text = ""


class FoundQuantity(Sent):
    """Units of an article that were found; 0 for none."""

    sku: Sku
    quantity: Count


class Dispatch(Sent):
    """What was found and leaves; without lines, everything."""

    model_config = example({"lines": [{"sku": "AUB-TEE-NAVY-M", "quantity": 1}], "declare_not_found": True})

    lines: list[FoundQuantity] = Field(default_factory=list, max_length=_MAX_LINES)
    declare_not_found: bool = Field(
        default=False, description="What was not found is declared unavailable instead of given back"
    )
    expected: Expected | None = None


class Receipt(Sent):
    """Units of an article that arrived, damaged ones included."""

    sku: Sku
    quantity: Quantity
    damaged: Count = 0


class Receipts(Sent):
    """What arrived."""

    model_config = example({"lines": [{"sku": "AUB-TEE-NAVY-M", "quantity": 2, "damaged": 1}]})

    lines: list[Receipt] = Field(min_length=1, max_length=_MAX_LINES)


class Settlement(Sent):
    """What became of missing units. Those that are lost need a reason."""

    sku: Sku
    quantity: Quantity
    outcome: TransferOutcome
    reason: Text = ""


class Settlements(Sent):
    """What a person found out."""

    model_config = example(
        {"lines": [{"sku": "AUB-TEE-NAVY-M", "quantity": 1, "outcome": "lost", "reason": "not on the truck"}]}
    )

    lines: list[Settlement] = Field(min_length=1, max_length=_MAX_LINES)


class TransferCancellation(Sent):
    """Why it is not wanted any more."""

    model_config = example({"reason": "the display was called off"})

    reason: Text = ""


class TransferFilters(Paged):
    """Which transfers: those that begin or end at these points, in these states; without a filter, all."""

    point_id: _Points = Field(default_factory=list)
    state: Annotated[list[TransferState], Field(max_length=5)] = Field(default_factory=list)


class InTransitFilters(Paged):
    """Which units; `point_id` are destinations."""

    sku: Skus = Field(default_factory=list)
    point_id: _Points = Field(default_factory=list)


class TransferLineView(Shown):
    """One article. In transit: dispatched - received - settled."""

    sku: str
    quantity: int
    dispatched: int
    received: int
    settled: int
    lost: int
    over: int
    damaged: int
    in_transit: int


class TransferActLineView(Shown):
    """What an act did with one article."""

    sku: str
    quantity: int
    damaged: int
    over: int
    outcome: str
    reason: str


class TransferActView(Shown):
    """One step in the life of a transfer."""

    act: str
    actor: str
    reason: str
    at: datetime
    lines: list[TransferActLineView]


class TransferView(Shown):
    """Units on their way from one point to another."""

    id: str
    origin_id: str
    destination_id: str
    state: TransferState | None
    lane_id: str
    expected: WindowView | None
    requested_at: datetime | None
    dispatched_at: datetime | None
    closed_at: datetime | None
    lines: list[TransferLineView]


class TransferDetail(TransferView):
    """With what was done to it, oldest first."""

    acts: list[TransferActView]


class TransferShortfallView(Shown):
    """A wish that cannot be granted, with the true figures."""

    sku: str
    point_id: str
    requested: int
    available: int


class TransferAnswer(Shown):
    """Requested, or refused with the true figures: then there is no transfer."""

    requested: bool
    transfer: TransferView | None
    shortfalls: list[TransferShortfallView]


class InTransitView(Shown):
    """Units of one transfer that are on hand nowhere."""

    sku: str
    destination_id: str
    origin_id: str
    transfer_id: str
    quantity: int
    expected: WindowView | None
