"""Routing decisions: what each saw, dropped and chose; and the same in sentences."""

from datetime import datetime

from pydantic import Field

from services.gateway.schemas.base import Asked, Id, MoneyView, Paged, Shown, Sku, WindowView
from services.gateway.schemas.capacity import CapacityFigureView
from services.gateway.schemas.promises import CarbonView, OptionView, StockViewView


class SeenFilters(Paged):
    """Which positions of the stock that was seen."""

    sku: list[Sku] = Field([], max_length=100, description="Only of these articles")


class ExplanationFilters(Asked):
    """What else to tell of."""

    why_not: Id | None = Field(
        None,
        description="A point: what dropped it, or what the cheapest plan with it would have cost, on the stock "
        "that the decision saw and with today's points, articles and carriers",
    )


class PlannedUnits(Shown):
    """Units of a line."""

    line_number: int
    sku: str
    quantity: int


class LegUnits(PlannedUnits):
    """Units of a line that a leg takes."""

    supply_id: str = Field("", description="The delivery to come that they come with; empty when they are there")
    plain: bool = Field(False, description="What is to be put on them is put on at the hub that they go to")


class LegBoxView(Shown):
    """How many of a box a leg needs."""

    box_id: str
    count: int


class LegView(Shown):
    """One point's share of a plan: mostly one parcel."""

    point_id: str
    carrier_id: str
    service_id: str
    lines: list[LegUnits]
    window: WindowView | None
    hand_over_by: datetime | None
    weight_grams: int = Field(description="Of goods and boxes")
    chargeable_grams: int = Field(
        0, description="That the carrier charges for, by weight or volume; 0 in older records"
    )
    shipping_cost_minor: int = Field(description="That the carrier bills")
    packaging_cost_minor: int = Field(0, description="Of its boxes")
    carbon: CarbonView | None
    distance_kilometres: float
    parcels: int = Field(description="An estimate by weight, volume and longest sides; 0 of what a hub has itself")
    boxes: list[LegBoxView] = Field(
        default_factory=list, description="Of its parcels; those that are in none are sent as they are"
    )
    via_point_id: str = Field(description="The hub where it meets the others; empty when it goes to the customer")
    waits_until: datetime | None = Field(
        None, description="When its units to come are due; null when all are there"
    )
    release_date: str = Field("", description="Of articles that are not handed over before it; empty for none")


class CostView(Shown):
    """A named part of a plan's cost."""

    name: str
    amount_minor: int


class PlanView(Shown):
    """One way to fulfil the lines, with what it costs."""

    legs: list[LegView]
    window: WindowView | None
    total_cost_minor: int
    costs: list[CostView]
    carbon: CarbonView | None
    price: MoneyView | None
    onward: LegView | None = Field(description="What goes on from the hub at which the legs meet, without lines")


class SeenView(Shown):
    """What the planner believed of one position."""

    sku: str
    point_id: str
    available: int


class SeenComingView(Shown):
    """Units of a delivery to come that the channel could promise at one position."""

    sku: str
    point_id: str
    supply_id: str
    units: int
    due_at: datetime | None


class RejectedView(Shown):
    """Why a point, or a service at a point, was not used."""

    point_id: str
    service_id: str
    reason: str
    detail: str


class UnplacedView(PlannedUnits):
    """Units without a place."""

    reason: str


class KnownPointView(Shown):
    """A point as it was: used, or among the nearest of the others."""

    point_id: str
    type: str | None
    time_zone: str
    distance_kilometres: float
    can_send: bool = Field(description="It had some unit, and some service took it")


class AskedHubView(Shown):
    """A hub with a service from there."""

    point_id: str
    service_id: str
    verdict: str = Field(examples=["not_cheaper"])
    cost_minor: int = Field(description="Of its best plan, or what any costs at least; 0 when there is none")


class ConsolidatingView(Shown):
    """Whether parcels should have met at a hub."""

    direct_cost_minor: int | None = Field(
        description="Of the best plan without a hub; null when without one fewer units could be sent"
    )
    hubs: list[AskedHubView]


class DecisionView(Shown):
    """What a routing decision was asked and chose."""

    decision_id: str
    order_id: str
    as_of: datetime | None
    mode: str | None
    lines: list[PlannedUnits]
    ruleset_id: str
    ruleset_version: int
    terms_version: int = Field(description="Of carriers, geography and rulesets; 0 when it was not kept")
    inputs_hash: str = Field(description="Of everything that decided: equal ones have equal plans")
    time_zone: str = Field(description="Of the destination; empty when unknown")
    stock: StockViewView | None
    plans: list[PlanView] = Field(description="Best first; the first is the one that was chosen")
    unplanned: list[UnplacedView]
    proved_optimal: bool
    least_cost_minor: int = Field(description="What any plan for these units costs at least")
    quote_id: str
    quoted: OptionView | None = Field(description="What the quote had for this mode")
    quote_broken: bool
    quote_problem: str = Field(description="Why it was broken, if it was")
    new_options: list[OptionView] = Field(description="What could be had instead")
    consolidating: ConsolidatingView | None = Field(description="null when hubs were not asked")


class WholeDecisionView(DecisionView):
    """With what it saw and what it dropped. `seen` is one page; `next_cursor` is null on the last one."""

    points: list[KnownPointView]
    rejected: list[RejectedView]
    seen: list[SeenView]
    coming: list[SeenComingView] = Field(description="Where its question asked for stock to come")
    capacity: list[CapacityFigureView] = Field(description="Limits that it met, with what others had taken")
    next_cursor: str | None


class SentenceView(Shown):
    """A sentence, and what it says as figures: amounts in minor units, instants as ISO 8601."""

    code: str = Field(examples=["NO_POINT_HAS_ALL"])
    text: str
    facts: dict[str, str]


class SectionView(Shown):
    """Sentences that answer one question."""

    name: str = Field(examples=["split"])
    sentences: list[SentenceView]


class ExplanationView(Shown):
    """A decision in sentences, in the order in which a person reads them."""

    decision_id: str
    order_id: str
    sections: list[SectionView]
