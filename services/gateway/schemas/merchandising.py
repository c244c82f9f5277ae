"""Facts of articles at points, cover and find rates. Mirrors the protos."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field

from services.gateway.schemas.base import (
    Count,
    Day,
    Id,
    Instant,
    Paged,
    Sent,
    Shown,
    Sku,
    Skus,
    Text,
    one_of_each,
)

FactKind = Literal["assortment", "plan", "markdown", "sales_rate", "location"]
FactsOutcome = Literal["changed", "unchanged", "stale"]
RateSource = Literal["imported", "computed"]
NoCover = Literal["no_sales", "no_rate"]
Depth = Literal["one", "two", "three_to_five", "six_or_more"]
BasisPoints = Annotated[int, Field(ge=1, le=10_000, description="Hundredths of a percent", examples=[3000])]
DailyThousandths = Annotated[
    int, Field(ge=0, le=10**12, description="Thousandths of a unit a day; 0 is a rate", examples=[250])
]
_DayView = Annotated[str | None, BeforeValidator(lambda day: day or None), Field(examples=["2027-01-13"])]


# -- what is said -----------------------------------------------------------------------------------------


class Assortment(Sent):
    """Whether the point is to carry the article. Empty: taken back, so that it is not known."""

    in_assortment: bool | None = None


class Plan(Sent):
    """What the point is refilled to once fewer than `min_quantity` are there. Empty: taken back."""

    is_replenished: bool | None = Field(None, description="Required but in an empty plan")
    min_quantity: Count = 0
    target_quantity: Count = 0
    next_date: Day | None = None


class Markdown(Sent):
    """From when the article sells at a lower price there. Empty: taken back."""

    from_date: Day | None = Field(None, description="The first day; required but in an empty markdown")
    basis_points: BasisPoints | None = None


class SalesRate(Sent):
    """Mean daily sales as measured elsewhere; they count for 28 days. Empty: taken back."""

    daily_thousandths: DailyThousandths | None = None


class Location(Sent):
    """Where the article lies in the point. Empty: taken back."""

    location: Annotated[str, Field(max_length=64, examples=["A-03-2"])] = Field(
        "", description="Aisle, bay and shelf, as the point's people say it; required but in an empty location"
    )
    walk_order: int = Field(0, ge=0, le=10**9, description="Its turn on a walk through the point, least first")


class PositionFactsSent(Sent):
    """What a source says of one article at one point. A fact that is left out stays as it is."""

    sku: Sku
    point_id: Id
    assortment: Assortment | None = None
    plan: Plan | None = None
    markdown: Markdown | None = None
    sales_rate: SalesRate | None = None
    location: Location | None = None
    source: Text = ""
    source_sequence: Annotated[int, Field(ge=0, le=2**63 - 1)] = 0
    source_updated_at: Instant | None = None


class PositionFacts(Sent):
    """Records of articles at points, each position once."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "facts": [
                        {
                            "sku": "AUB-TEE-NAVY-M",
                            "point_id": "store-lyon",
                            "assortment": {"in_assortment": True},
                            "plan": {"is_replenished": True, "min_quantity": 2, "target_quantity": 6},
                            "markdown": {"from_date": "2027-01-13", "basis_points": 3000},
                            "sales_rate": {"daily_thousandths": 250},
                            "location": {"location": "A-03-2", "walk_order": 30},
                            "source": "erp",
                            "source_sequence": 17,
                        }
                    ]
                }
            ]
        }
    )

    facts: list[PositionFactsSent] = Field(min_length=1, max_length=1_000)


class FactResultView(Shown):
    """What became of one record; `dropped` are its facts of which later word is known."""

    sku: str
    point_id: str
    outcome: FactsOutcome | None
    dropped: list[FactKind]


class FactResults(Shown):
    """In the order sent."""

    items: list[FactResultView]


# -- what is known ----------------------------------------------------------------------------------------


class PositionFilters(Paged):
    """Which articles at which points; without a filter, all that the caller may see."""

    sku: Skus = Field(default_factory=list)
    point_id: list[Id] = Field(default_factory=list, max_length=500)

    def asked(self, points: list[str]) -> dict[str, Any]:
        """As a request, of these points."""
        return {"skus": self.sku, "point_ids": points, "page": self.page}


class FactVersionFilters(Paged):
    """Of which article at which point."""

    sku: Sku
    point_id: Id


class StatedView(Shown):
    """Who said it last, and when."""

    source: str
    source_sequence: int
    source_updated_at: datetime | None
    actor: str
    recorded_at: datetime


class AssortmentView(Shown):
    """Whether the point is to carry the article; null when it was taken back."""

    in_assortment: bool | None
    stated: StatedView


class PlanView(Shown):
    """What the point is refilled to; `is_replenished` is null when it was taken back."""

    is_replenished: bool | None
    min_quantity: int
    target_quantity: int
    next_date: _DayView
    stated: StatedView


class MarkdownView(Shown):
    """From when the article sells at a lower price; `from_date` is null when it was taken back."""

    from_date: _DayView
    basis_points: int | None
    stated: StatedView


class SalesRateView(Shown):
    """Mean daily sales as measured elsewhere; null when they were taken back."""

    daily_thousandths: int | None
    stated: StatedView


class LocationView(Shown):
    """Where the article lies in the point; empty when it was taken back."""

    location: str
    walk_order: int
    stated: StatedView


class PositionFactsView(Shown):
    """What is known of one article at one point; null for what nobody spoke of."""

    sku: str
    point_id: str
    assortment: AssortmentView | None
    plan: PlanView | None
    markdown: MarkdownView | None
    sales_rate: SalesRateView | None
    location: LocationView | None


class FactVersionView(Shown):
    """One state of one fact, from then on; no content when it was taken back."""

    kind: FactKind | None
    version: int
    content: dict[str, Any] | None
    stated: StatedView


# -- figures ----------------------------------------------------------------------------------------------


class CoverView(Shown):
    """How fast an article sells at a point, and how long what is available lasts."""

    sku: str
    point_id: str
    available: int
    daily_thousandths: int | None = Field(description="Thousandths of a unit a day; null when there is no rate")
    rate_source: RateSource | None
    cover_days_tenths: int | None = Field(description="Tenths of a day, rounded down; null for `no_cover`")
    no_cover: NoCover | None
    sold: int = Field(description="By the ledger, less what was brought back, in the last 28 times 24 hours")
    days: int = Field(description="Of them, those on which there was anything to sell")


class FindRateFilters(Paged):
    """Which rates; without points, those of all points that the caller may see."""

    point_id: list[Id] = Field(default_factory=list, max_length=500)
    category: Text = Field("", description="Any element of a category path, or a path from the root: home/kitchen")
    depth: Annotated[list[Depth], Field(max_length=4), AfterValidator(one_of_each)] = Field(default_factory=list)
    window_days: int = Field(90, ge=1, le=366)


class FindRateView(Shown):
    """How often a point finds what it is asked for where the books had so many units."""

    point_id: str
    depth: Depth | None
    found: int
    asked: int
    rate_basis_points: int | None = Field(
        description="Leans on the point and the network where little was asked; null when nobody ever picked"
    )
