"""Rulesets: what plans are judged by, its drafts, versions and changes. Mirrors the protos."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field, model_validator

from services.gateway.schemas.base import (
    MAX_INT32,
    Amount,
    Asked,
    Currency,
    Id,
    Instant,
    RequiredText,
    Sent,
    Shown,
    example,
)
from services.gateway.schemas.network import PointType

VersionState = Literal["scheduled", "in_force", "superseded", "withdrawn"]
Act = Literal["saved", "discarded", "published", "withdrawn", "rolled_back"]
Side = Annotated[str, Field(pattern=r"^(in_force|draft|[1-9][0-9]{0,8})$", examples=["in_force", "draft", "3"])]
Revision = Annotated[
    int,
    Field(
        ge=0,
        le=MAX_INT32,
        description="The `revision` that was seen: 409 / RULESET_CHANGED when somebody changed the ruleset since",
    ),
]
Reason = Annotated[RequiredText, Field(description="Why; kept with who and when")]
Days = Annotated[int, Field(ge=1, le=366)]
Types = Annotated[list[PointType], Field(min_length=1, max_length=4)]
Tag = Annotated[str, Field(min_length=1, max_length=64)]
_TEXT = """currency: EUR
split_cost_minor: 400          # each parcel after the first, in cents
tiers: [[warehouse], [store]]  # stores only where the warehouse cannot
"""


class PointTypeCost(Sent):
    """A cost of one parcel at a type of point."""

    point_type: PointType
    cost_minor: Amount


class Tier(Sent):
    """Types of point that are asked before those of the tiers after it, whatever they cost."""

    point_types: Types


class LowCover(Sent):
    """A unit of an article that a point would soon miss costs up to `cost_minor`, at `days` of cover nothing."""

    days: Days
    cost_minor: int = Field(ge=1, le=10**9)


class Markdown(Sent):
    """Selling a unit that would be marked down within `days` gains a part of what it would lose."""

    days: Days
    gain_percent: int = Field(ge=1, le=100)


class Consolidation(Sent):
    """Parcels meet at a point that is able to join them and leave as one shipment, where that costs less."""

    cost_minor: Amount = Field(description="Of each parcel that is joined")
    wait_days: int = Field(ge=0, le=30, description="Days that the customer may have it later for that")


class RulesetFigures(Sent):
    """What plans are judged by: the least total cost wins. Amounts are minor units of the currency."""

    ruleset_id: Id | None = Field(None, description="That of the address")
    version: int | None = Field(None, ge=0, le=MAX_INT32, description="Given by us; what is sent does not matter")
    currency: Currency
    max_parcels: int | None = Field(
        None, ge=1, le=20, description="Points that an order may leave from; 3 when it is left out"
    )
    alternatives: int | None = Field(
        None, ge=1, le=10, description="Plans that a decision keeps; 3 when it is left out"
    )
    max_distance_kilometres: int = Field(0, ge=0, le=20_100, description="0 is no limit")
    max_delivery_days: int = Field(
        0, ge=0, le=365, description="From the question to the end of the window; 0 is no limit"
    )
    min_split_value_minor: Amount = 0
    together_tags: list[Tag] = Field(
        default_factory=list,
        max_length=20,
        description="Items with one of these tags leave from one point, those of each tag together",
    )
    tiers: list[Tier] = Field(default_factory=list, max_length=4)
    shipping_percent: int | None = Field(
        None, ge=0, le=1_000, description="Weight of the carriers' rates; 100 when it is left out"
    )
    preparation_costs: list[PointTypeCost] = Field(default_factory=list, max_length=4)
    priority_costs: list[PointTypeCost] = Field(
        default_factory=list, max_length=4, description="What a parcel costs in the eyes of the business, beside"
    )
    split_cost_minor: Amount = 0
    distance_cost_minor_per_kilometre: float = Field(
        0.0, ge=0, le=10_000, allow_inf_nan=False, description="For each parcel; at most 6 decimals"
    )
    lateness_cost_minor_per_day: Amount = 0
    short_pick_cost_minor: Amount = Field(
        0, description="Of a unit that the point does not find, times how often it does not"
    )
    capacity_pressure_minor: Amount = Field(
        0, description="Of each full day that a parcel waits for; the day with room by the share that is taken"
    )
    max_wait_days: int = Field(
        0, ge=0, le=90, description="Days that a parcel may wait for stock to come at most; 0: it is not used"
    )
    waiting_day_minor: Amount = Field(0, description="Of each day begun that a parcel waits for stock to come")
    low_cover: LowCover | None = Field(None, description="null: cover costs nothing")
    markdown: Markdown | None = Field(None, description="null: a coming markdown gains nothing")
    consolidation: Consolidation | None = Field(None, description="null: parcels never meet at a hub")
    replan_ruleset_id: Id | Literal[""] = Field(
        "", description="Judges an order once a point refused it or was short; empty for this one"
    )


class Content(Sent):
    """A ruleset as fields, or as YAML: one of the two."""

    model_config = example({"text": _TEXT})

    ruleset: RulesetFigures | None = None
    text: str | None = Field(
        None,
        min_length=1,
        max_length=32_000,
        description="The text form: what is left out has its default, what is not known is refused with its line",
    )

    @model_validator(mode="after")
    def _is_one(self) -> "Content":
        if (self.ruleset is None) == (self.text is None):
            raise ValueError("a ruleset or a text is required, and not both")
        return self


class DraftSaved(Content):
    """A draft, and what its author has seen."""

    model_config = example({"text": _TEXT, "revision": 0, "reason": "stores have no hands before Christmas"})

    revision: Revision | None = Field(
        None,
        description="The `revision` that was seen; it may stand in the text instead, and a new ruleset has none. "
        "409 / RULESET_CHANGED when somebody changed the ruleset since",
    )
    reason: Reason


class ActSent(Sent):
    """Who acts has seen a revision, and has a reason."""

    model_config = example({"revision": 7, "reason": "not before January"})

    revision: Revision
    reason: Reason


class PublicationSent(ActSent):
    """From when on it judges."""

    model_config = example({"revision": 7, "reason": "season", "effective_at": "2199-01-01T00:00:00Z"})

    effective_at: Instant | None = Field(None, description="Without it, now; not in the past")


class ComparisonAsked(Asked):
    """Which two sides: `in_force`, `draft`, or the number of a version."""

    before: Side = "in_force"
    after: Side = "draft"


class PointTypeCostView(Shown):
    """A cost of one parcel at a type of point."""

    point_type: PointType
    cost_minor: int


class TierView(Shown):
    """Types of point that are asked before those of the tiers after it."""

    point_types: list[PointType]


class LowCoverView(Shown):
    """What a unit of an article that the point would soon miss costs."""

    days: int
    cost_minor: int


class MarkdownView(Shown):
    """What selling a unit before its markdown gains."""

    days: int
    gain_percent: int


class ConsolidationView(Shown):
    """What joining a parcel at a hub costs, and how long the customer may wait for it."""

    cost_minor: int
    wait_days: int


class RulesetView(Shown):
    """What plans are judged by. Amounts are minor units of the currency."""

    ruleset_id: str
    version: int = Field(description="0 of a draft")
    currency: str
    max_parcels: int
    alternatives: int
    max_distance_kilometres: int
    max_delivery_days: int
    min_split_value_minor: int
    together_tags: list[str]
    tiers: list[TierView]
    shipping_percent: int
    preparation_costs: list[PointTypeCostView]
    priority_costs: list[PointTypeCostView]
    split_cost_minor: int
    distance_cost_minor_per_kilometre: float
    lateness_cost_minor_per_day: int
    short_pick_cost_minor: int
    capacity_pressure_minor: int
    max_wait_days: int
    waiting_day_minor: int
    low_cover: LowCoverView | None
    markdown: MarkdownView | None
    consolidation: ConsolidationView | None
    replan_ruleset_id: str


class DifferenceView(Shown):
    """A figure that differs, in the words of the text form; `none` is nothing."""

    path: str = Field(examples=["preparation_costs.store"])
    before: str
    after: str


class RulesetVersionView(Shown):
    """A published version. It never changes."""

    ruleset: RulesetView
    text: str = Field(description="The same as YAML, with a sentence on each figure")
    state: VersionState
    effective_at: datetime
    published_at: datetime
    published_by: str
    reason: str
    restored_version: int = Field(description="The version whose content it is, if it was rolled back to; else 0")
    withdrawn_at: datetime | None
    withdrawn_by: str
    withdrawn_reason: str


class RulesetDraftView(Shown):
    """What is being worked on."""

    ruleset: RulesetView
    text: str = Field(description="To be edited and saved: it carries the revision")
    saved_at: datetime
    saved_by: str
    reason: str
    differences: list[DifferenceView] = Field(description="From what is in force")


class RulesetStateView(Shown):
    """A ruleset as it stands. Its texts carry the revision, so that they can be edited and saved."""

    ruleset_id: str
    revision: int = Field(description="The number of its last change")
    in_force: RulesetVersionView | None
    scheduled: list[RulesetVersionView] = Field(description="Soonest first")
    draft: RulesetDraftView | None


class PublishedView(Shown):
    """The number of the new version, and the ruleset as it stands now."""

    version: int
    state: RulesetStateView


class CheckedView(Shown):
    """It may be saved: as it was understood, and what differs from what is in force."""

    ruleset: RulesetView
    text: str
    differences: list[DifferenceView]


class RulesetChangeView(Shown):
    """Who did what, when and why, with every figure before and after."""

    revision: int
    act: Act
    changed_at: datetime
    actor: str
    reason: str
    version: int = Field(description="That was published or withdrawn; 0 for drafts")
    effective_at: datetime | None
    restored_version: int
    differences: list[DifferenceView]
