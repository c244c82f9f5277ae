"""Pick lists: works that one person picks together, and their articles in walking order."""

from datetime import datetime
from typing import Annotated

from pydantic import AfterValidator, Field

from services.gateway.schemas.base import Count, LongId, Sent, Shown, Sku, example, one_of_each
from services.gateway.schemas.work import (
    FulfilmentLineView,
    FulfilmentStatus,
    MissingReason,
    Note,
    Substitute,
    SubstituteView,
)

MAX_WORKS = 26
Works = Annotated[list[LongId], Field(max_length=MAX_WORKS), AfterValidator(one_of_each)]


class PickListOpening(Sent):
    """Which works to pick together; without any, those that must leave first and nobody picks."""

    model_config = example({"size": 8})

    fulfilment_ids: Works = Field(default_factory=list)
    size: int = Field(8, ge=1, le=MAX_WORKS, description="Of a proposal: so many works at most")


class PutBack(Sent):
    """Which works of a list are anybody's again; without any, all that are left."""

    model_config = example({"fulfilment_ids": []})

    fulfilment_ids: Works = Field(default_factory=list)


class FoundArticle(Sent):
    """How much of an article was found for the whole list, and why others are missing (else: not found)."""

    sku: Sku
    quantity: Count
    reason: MissingReason | None = None
    note: Note = ""


class WorkSubstitute(Substitute):
    """Units of another article that the item permits, instead of missing units of a line of a work."""

    fulfilment_id: LongId


class Found(Sent):
    """Every article of the works that are still on the list, once. A unit goes to the work that leaves first."""

    model_config = example({"found": [{"sku": "AUB-TEE-NAVY-M", "quantity": 3}]})

    found: list[FoundArticle] = Field(max_length=2_000)
    substituted: list[WorkSubstitute] = Field(
        default_factory=list,
        max_length=2_000,
        description="Instead of missing units, where customers allow it",
    )


class PickWorkView(Shown):
    """A work on a list."""

    slot: str = Field(description="Its container: A to Z")
    fulfilment_id: str
    order_id: str
    channel_order_number: str | None
    status: FulfilmentStatus
    is_open: bool = Field(description="Still to be picked by this list")
    hand_over_by: datetime | None
    lines: list[FulfilmentLineView]


class ShareView(Shown):
    """So many units of an article for a container."""

    slot: str
    fulfilment_id: str
    line_number: int
    quantity: int
    substitutes: list[SubstituteView] = Field(
        description="What may be given instead of its missing units, best first; if its customer allows any"
    )


class PickArticleView(Shown):
    """An article of the works that are still on the list."""

    sku: str
    title: str
    gtin: str | None
    location: str | None = Field(description="Where it lies, as inventory knows it")
    quantity: int
    shares: list[ShareView] = Field(description="In the order in which found units are given out")


class PickListView(Shown):
    """Works that one person picks together."""

    id: str
    point_id: str
    actor: str
    opened_at: datetime
    closed_at: datetime | None
    works: list[PickWorkView]
    articles: list[PickArticleView] = Field(description="In walking order; those without a location last")


class LeftOverView(Shown):
    """Units that no work wants any more: they go back on their shelf."""

    sku: str
    quantity: int


class PickListDone(Shown):
    """A finished list."""

    pick_list: PickListView
    left_over: list[LeftOverView]
