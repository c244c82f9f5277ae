"""Simulations of rulesets over past orders: how they are meant, and what came of them. Mirrors the protos."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field, model_validator

from services.gateway.schemas.base import (
    MAX_INT32,
    Asked,
    Count,
    Country,
    Id,
    Instant,
    Postcode,
    Sent,
    Shown,
    Text,
    example,
)
from services.gateway.schemas.decisions import CostView
from services.gateway.schemas.orders import Mode
from services.gateway.schemas.rulesets import RulesetFigures, RulesetView

State = Literal["received", "running", "done", "failed", "cancelled", "interrupted"]
Stock = Literal["recorded", "present", "file"]
_FileId = Annotated[str, Field(min_length=1, max_length=100, pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]


# -- what is sent ---------------------------------------------------------------------------------------------


class FileTerms(Asked):
    """What the file in the body is."""

    file_name: Text = ""


class OrderColumnsSent(Sent):
    """Names of columns in the file; one that is left out is not there."""

    order: Text = "order_id"
    sku: Text = "sku"
    quantity: Text = "quantity"
    placed_at: Text = ""
    country: Text = ""
    postcode: Text = ""


class PlaceSent(Sent):
    """A country and a postcode."""

    country: Country
    postcode: Postcode = Field(min_length=1)


class NamedDestinationSent(Sent):
    """Where orders go that do not say it themselves."""

    name: Text = Field("", description="The country as the file writes it; empty for all others")
    destination: PlaceSent


class OrdersFileSent(Sent):
    """A file of order lines that was sent before, one row a line."""

    file_id: _FileId
    channel_id: Id
    mode: Mode = "home_standard"
    columns: OrderColumnsSent = Field(default_factory=OrderColumnsSent)
    destinations: list[NamedDestinationSent] = Field(default_factory=list, max_length=500)
    time_zone: Text = Field("UTC", description="IANA zone of dates without an offset")
    date_format: Text = Field("", description="Of strptime; ISO 8601 when it is left out")
    delimiter: str = Field(",", pattern=r'^[^\x00\r\n"]$')
    encoding: Text = "utf-8"
    not_articles: list[Text] = Field(
        default_factory=list, max_length=500, description="SKUs that are fees: their rows are skipped"
    )


class AssumedItemsSent(Sent):
    """How articles that the system does not know are taken for known."""

    weight_grams: int = Field(ge=1, le=MAX_INT32)
    units: int = Field(ge=1, le=1_000_000, description="At a point that stocks the article, in the mean")
    percent: int = Field(ge=1, le=100, description="Of the points: which ones is drawn by seed, article and point")
    seed: Count = 0


class SimulationSent(Sent):
    """What to simulate."""

    model_config = example(
        {
            "name": "fewer parcels",
            "ruleset": {
                "currency": "EUR",
                "split_cost_minor": 900,
                "preparation_costs": [{"point_type": "warehouse", "cost_minor": 120}],
                "max_parcels": 2,
            },
            "from_at": "2026-11-01T00:00:00Z",
            "stock": "recorded",
        }
    )

    name: Text = ""
    ruleset: RulesetFigures | None = Field(None, description="What is compared with the ruleset in force")
    text: str | None = Field(None, min_length=1, max_length=32_000, description="The same in its text form (YAML)")
    draft_of: Id | None = Field(None, description="Or the draft of this ruleset, as it is now")
    from_at: Instant | None = Field(None, description="Only orders placed at or after it")
    until_at: Instant | None = Field(None, description="Only orders placed before it")
    max_orders: int = Field(0, ge=0, le=10**9, description="The first so many; 0 for all")
    orders: OrdersFileSent | None = Field(None, description="Without: the orders that the system recorded")
    stock: Stock = Field(
        "recorded", description="What each recorded order saw, what there is now, or what a file gives"
    )
    stock_file_id: _FileId | None = Field(None, description="A file with the columns sku, point_id, units")
    deplete: bool = Field(False, description="What an order took is gone for those after it")
    assumed_items: AssumedItemsSent | None = None
    listed_orders: int = Field(50, ge=1, le=500, description="How many changed orders are listed")

    @model_validator(mode="after")
    def _has_one_candidate(self) -> "SimulationSent":
        if sum(given is not None for given in (self.ruleset, self.text, self.draft_of)) != 1:
            raise ValueError("one of ruleset, text and draft_of is required")
        return self


# -- what is answered -----------------------------------------------------------------------------------------


class SimulationFileView(Shown):
    """A file that simulations may name."""

    file_id: str
    file_name: str
    gzip: bool
    bytes: int


class OrderColumnsView(Shown):
    """Names of columns; empty: the file has none."""

    order: str
    sku: str
    quantity: str
    placed_at: str
    country: str
    postcode: str


class PlaceView(Shown):
    """A country and a postcode."""

    country: str
    postcode: str


class NamedDestinationView(Shown):
    """Where orders go that do not say it themselves."""

    name: str
    destination: PlaceView


class OrdersFileView(Shown):
    """How the file of orders was understood."""

    file_id: str
    channel_id: str
    mode: str | None
    columns: OrderColumnsView
    destinations: list[NamedDestinationView]
    time_zone: str
    date_format: str
    delimiter: str
    encoding: str
    not_articles: list[str]


class AssumedItemsView(Shown):
    """How unknown articles were taken for known."""

    weight_grams: int
    units: int
    percent: int
    seed: int


class SetupView(Shown):
    """What was simulated."""

    name: str
    ruleset: RulesetView | None
    from_at: datetime | None
    until_at: datetime | None
    max_orders: int
    orders: OrdersFileView | None
    stock: Stock | None
    stock_file_id: str
    deplete: bool
    assumed_items: AssumedItemsView | None
    listed_orders: int


class ReasonCountView(Shown):
    """A reason and how often it was met."""

    reason: str
    count: int


class SpreadView(Shown):
    """How values are spread; percentiles are of the nearest rank."""

    mean: float
    p50: int
    p95: int
    max: int


class FiguresView(Shown):
    """What a ruleset made of all orders.

    `real_cost_minor` is one yardstick for both rulesets; `objective_minor` is what this one minimised, by its own
    weights.
    """

    whole_orders: int
    partial_orders: int
    unshipped_orders: int
    units_shipped: int
    units_not_shipped: int
    not_shipped: list[ReasonCountView]
    parcels: int
    split_orders: int
    real_cost_minor: int
    shipping_minor: int
    preparation_minor: int
    objective_minor: int
    objective: list[CostView]
    promise_days: SpreadView
    parcels_per_order: SpreadView
    carbon_grams_co2e: int
    carbon_factors: list[str]
    late_orders: int
    not_proved_orders: int


class LikeForLikeView(Shown):
    """Orders that both rulesets ship whole."""

    orders: int
    live_real_cost_minor: int
    candidate_real_cost_minor: int
    live_parcels: int
    candidate_parcels: int


class DayLoadView(Shown):
    """Work of a day, by the hand-over in the zone of the point."""

    day: str
    parcels: int
    units: int


class LoadView(Shown):
    """Work of a point or of all points of a type."""

    parcels: int
    units: int
    busiest_day: str
    busiest_day_parcels: int
    days: list[DayLoadView]


class PointLoadView(Shown):
    """A point under both rulesets."""

    point_id: str
    point_type: str | None
    live: LoadView
    candidate: LoadView


class PointTypeLoadView(Shown):
    """All points of a type under both rulesets."""

    point_type: str | None
    live: LoadView
    candidate: LoadView


class PlannedLegView(Shown):
    """What a point sends of an order; how many parcels that takes is an estimate."""

    point_id: str
    carrier_id: str
    service_id: str
    units: int
    parcels: int
    via_point_id: str = Field(description="The hub at which it meets the others; what goes on from there is last")


class PlannedOrderView(Shown):
    """An order's first plan."""

    legs: list[PlannedLegView]
    units_not_shipped: int
    real_cost_minor: int
    shipping_minor: int
    preparation_minor: int
    objective_minor: int
    window_end: datetime | None
    promise_days: int
    carbon_grams_co2e: int


class ChangedOrderView(Shown):
    """An order that the rulesets ship differently."""

    order_id: str
    placed_at: datetime | None
    live: PlannedOrderView
    candidate: PlannedOrderView
    difference_minor: int


class BarView(Shown):
    """How many orders have a value."""

    value: int
    orders: int


class SimulationResultView(Shown):
    """The comparison. Amounts are minor units of the rulesets' currency; `notes` say what it rests on."""

    orders: int
    lines: int
    units: int
    live: FiguresView
    candidate: FiguresView
    changed_orders: int
    like_for_like: LikeForLikeView
    points: list[PointLoadView]
    point_types: list[PointTypeLoadView]
    changed: list[ChangedOrderView]
    only_live: list[ChangedOrderView]
    only_candidate: list[ChangedOrderView]
    only_live_orders: int
    only_candidate_orders: int
    skipped: list[ReasonCountView]
    notes: list[str]
    as_recorded_orders: int
    has_days: bool
    live_promise_days: list[BarView]
    candidate_promise_days: list[BarView]
    live_parcels: list[BarView]
    candidate_parcels: list[BarView]


class SimulationView(Shown):
    """A job: how far it is and, once it is done, what came of it. Lists leave the result out."""

    simulation_id: str
    setup: SetupView
    live: RulesetView
    actor: str
    state: State | None
    reason: str
    detail: str
    planned: int
    total: int
    received_at: datetime | None
    started_at: datetime | None
    ended_at: datetime | None
    result: SimulationResultView | None
