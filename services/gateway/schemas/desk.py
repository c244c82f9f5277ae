"""The desk of customer service: orders that do not go on, customers, and what may be done about an order."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from services.gateway.schemas.base import (
    Cursor,
    Id,
    MoneyView,
    Page,
    Paged,
    PageSize,
    Sent,
    Shown,
    Text,
    WindowView,
    example,
)
from services.gateway.schemas.orders import OrderStatus, OrderSummary

BlockReason = Literal[
    "held_fraud",
    "held_payment",
    "held_manual",
    "held_change",
    "held_stock",
    "late",
    "hand_over_missed",
    "hand_over_near",
    "start_missed",
    "payment_failed",
    "undecided_loss",
    "unclaimed",
    "appointment_missed",
    "appointment_moving",
    "refund_failed",
]
# A path's text may hold neither a slash nor what an address line is split by.
CUSTOMER_ID = r"^[^\x00-\x1f\x7f/?#@]+$"
_ADDRESS = r"^[^\x00-\x1f\x7f@]+@[^\x00-\x1f\x7f@]+$"


class BlockedFilters(Paged):
    """Which orders that do not go on."""

    reason: BlockReason | None = None
    channel_id: Id | None = None
    brand: Text | None = Field(None, description="Orders with a line of it")
    point_id: Id | None = Field(None, description="Orders with open work at this point")
    # An address would stand in logs: those are searched for with POST /v1/customers/search.
    order: Text | None = Field(
        None, pattern=r"^[^@]*$", description="Exactly the order's id, or the channel's number; no e-mail address"
    )


class BlockReasonView(Shown):
    """Why an order does not go on."""

    reason: BlockReason
    detail: str = Field(description="What is known about it: words of a person, or a code")
    since: datetime
    due_at: datetime | None = Field(description="When something happens by itself; null: it waits for a person")
    then: Literal["release", "cancel", "retry", "refund", "hand_over"] | None = Field(description="What that is")
    hold_id: str | None
    fulfilment_id: str | None
    refund_id: str | None


class BlockedOrderView(Shown):
    """An order that does not go on by itself as it was promised. No personal data."""

    id: str
    channel_id: str
    channel_order_number: str
    brands: list[str]
    status: OrderStatus
    fine_status: str
    total: MoneyView
    placed_at: datetime
    promise: WindowView | None
    current_promise: WindowView | None = Field(description="What the customer was told last")
    urgent_at: datetime = Field(
        description="The list is sorted by this: the first of its deadlines and of the end of its promise"
    )
    reasons: list[BlockReasonView]
    point_ids: list[str] = Field(description="Where its open work is")


class BlockedOrders(Page[BlockedOrderView]):
    """A page of the queue. `counts` is of the first page, whatever reason was asked for."""

    total: int | None = Field(description="Orders in all, of the first page")
    counts: dict[BlockReason, int] | None = Field(description="Orders by reason; one with two counts in both")


class CustomerSearch(Sent):
    """Whom to find, by the e-mail address of any order."""

    model_config = example({"email": "ana@example.org"})

    email: Annotated[str, Field(min_length=3, max_length=320, pattern=_ADDRESS)]
    cursor: Cursor = None
    size: PageSize = 50


class CustomerMoneyView(Shown):
    """In one currency."""

    ordered: MoneyView = Field(description="Of orders that were neither refused nor cancelled")
    captured: MoneyView
    refunded: MoneyView = Field(description="Given back, or on its way")
    kept: MoneyView = Field(description="Captured less given back")


class CustomerTotalsView(Shown):
    """What a customer's orders came to."""

    orders: int
    open_orders: int
    cancelled_orders: int
    late_orders: int = Field(description="Late now, or delivered after the end of the promise")
    missed_appointments: int = Field(description="How often the customer was not met")
    failed_deliveries: int
    ordered_units: int
    kept_units: int
    returned_units: int
    money: list[CustomerMoneyView]


class CustomerOrders(Page[OrderSummary]):
    """A customer's orders over all channels, newest first; totals and issues are of all of them."""

    totals: CustomerTotalsView
    issues: list[BlockedOrderView] = Field(description="Of these orders, those that do not go on; at most 50")


class PossibleActView(Shown):
    """Whether something may be done about an order now."""

    act: str = Field(examples=["cancel"])
    target_id: str | None = Field(description="The hold, the fulfilment or the refund; null: the order")
    possible: bool
    reason: str | None = Field(description="Why not, as the act itself would say")
    detail: str | None
    limit: MoneyView | None = Field(description="Of goodwill: the most that may be given now")
