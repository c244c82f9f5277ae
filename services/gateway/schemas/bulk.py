"""One act on all orders that a filter chooses."""

from datetime import datetime
from typing import Literal

from pydantic import ConfigDict, Field

from services.gateway.schemas.base import Id, LongId, LongText, Paged, Sent, Shown
from services.gateway.schemas.holds import HoldKind
from services.gateway.schemas.orders import OrderStatus

BulkState = Literal["pending", "asked", "done", "refused", "stopped"]


class BulkFilter(Sent):
    """Which orders: what every part that is given allows; at least one is."""

    channel_id: Id | None = None
    status: OrderStatus | None = None
    held_for: HoldKind | None = Field(
        None, description="With an open hold of this kind; release_hold asks for its own"
    )
    late: bool = False
    payment_failed: bool = False
    unclaimed: bool = False
    point_id: Id | None = Field(
        None, description="With open work at this point; plan_again has what that has not begun done elsewhere"
    )
    order_ids: list[LongId] = Field(default_factory=list, max_length=2_000)


class BulkRequest(Sent):
    """What is to be done with which orders. `dry_run`: only say what would come of it."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"act": "release_hold", "hold_kind": "fraud", "filter": {"held_for": "fraud"}, "dry_run": False},
                {"act": "cancel", "reason": "recalled", "filter": {"channel_id": "web-fr", "status": "released"}},
                {"act": "plan_again", "reason": "flooded", "filter": {"point_id": "store-lyon", "late": True}},
            ]
        }
    )

    act: Literal["cancel", "release_hold", "plan_again"]
    hold_kind: HoldKind | None = Field(None, description="Of release_hold: which of its holds")
    reason: LongText | Literal[""] = Field("", description="Stands in the timeline of each; required for cancel")
    filter: BulkFilter
    dry_run: bool = True


class BulkVerdictView(Shown):
    """Orders of one state with one outcome."""

    status: OrderStatus
    reason: str | None = Field(description="Why it would be refused; null: it would be done")
    detail: str | None
    orders: int


class BulkActionView(Shown):
    """A bulk action and how far it is; of a dry run only what would come of it."""

    id: str | None = Field(description="Null of a dry run")
    act: str
    hold_kind: str | None
    point_id: str | None = Field(None, description="Of plan_again: whose work is done elsewhere")
    reason: str
    actor: str
    requested_at: datetime | None
    orders: int
    pending: int = Field(description="Not decided on yet")
    done: int
    refused: int
    stopped: int = Field(description="Left as they were, since it was stopped")
    verdicts: list[BulkVerdictView] = Field(description="Of a dry run, the most orders first")


class BulkResultView(Shown):
    """What came of an order. `asked`: whether there is another place for it is being found out."""

    number: int
    order_id: str
    state: BulkState
    reason: str | None
    detail: str | None
    decided_at: datetime | None


class BulkResultsAsked(Paged):
    """Which page of the results."""
