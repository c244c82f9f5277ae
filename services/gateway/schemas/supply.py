"""Stock to come: expected deliveries, what channels may promise of them, pre-orders. Mirrors the protos."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from services.gateway.schemas.base import (
    Asked,
    Count,
    Day,
    Id,
    Instant,
    LongText,
    Paged,
    Quantity,
    Sent,
    Shown,
    Sku,
    Skus,
    Text,
    example,
)
from services.gateway.schemas.network import BufferRule
from services.gateway.schemas.network_views import BalanceView, BufferView

ExpectedKind = Literal["on_order", "in_transit", "supplier"]
ExpectedState = Literal["expected", "received", "cancelled"]
Outcome = Literal["created", "changed", "unchanged", "stale", "ended"]
Days = Annotated[int, Field(ge=0, le=1_000)]


# -- expected deliveries ----------------------------------------------------------------------------------


class ExpectedDeliverySent(Sent):
    """Units of one article that will come to one point. The later word of its source wins."""

    delivery_id: Id
    document: Text = Field("", description="The purchase order, advice or transfer that it belongs to")
    sku: Sku
    point_id: Id
    kind: ExpectedKind
    quantity: Quantity
    from_date: Day
    until_date: Day
    source: Text = ""
    source_sequence: Annotated[int, Field(ge=0, le=2**63 - 1)] = 0
    source_updated_at: Instant | None = None


class ExpectedDeliveries(Sent):
    """Deliveries to create or change."""

    model_config = example(
        {
            "deliveries": [
                {
                    "delivery_id": "po-4711-1",
                    "document": "po/4711",
                    "sku": "AUB-TEE-NAVY-M",
                    "point_id": "store-lyon",
                    "kind": "on_order",
                    "quantity": 40,
                    "from_date": "2026-12-01",
                    "until_date": "2026-12-04",
                    "source": "erp",
                    "source_sequence": 17,
                }
            ]
        }
    )

    deliveries: list[ExpectedDeliverySent] = Field(min_length=1, max_length=1_000)


class PutResultView(Shown):
    """What became of one delivery: stale and ended ones were dropped."""

    delivery_id: str
    outcome: Outcome | None


class PutResults(Shown):
    """In the order sent."""

    items: list[PutResultView]


class ExpectedDeliveryView(Shown):
    """A delivery. `held` units are waited for; `received` may pass `quantity`."""

    delivery_id: str
    document: str
    sku: str
    point_id: str
    kind: ExpectedKind | None
    quantity: int
    from_date: str
    until_date: str
    source: str
    source_sequence: int
    source_updated_at: datetime | None
    state: ExpectedState | None
    received: int
    held: int
    overdue: bool
    cancel_reason: str


class DeliveryFilters(Paged):
    """Which deliveries; without a filter, all that the caller may see."""

    sku: Skus = Field(default_factory=list)
    point_id: list[Id] = Field(default_factory=list, max_length=500)
    state: list[ExpectedState] = Field(default_factory=list, max_length=3)
    document: Text = ""


class Receipt(Sent):
    """Units that came, good and damaged; `close` says that no more will."""

    model_config = example({"quantity": 38, "damaged": 2, "source": "dock/17"})

    quantity: Count = 0
    damaged: Count = 0
    close: bool = False
    source: LongText | Literal[""] = ""


class Cancellation(Sent):
    """Why nothing more will come."""

    model_config = example({"reason": "the supplier gave up"})

    reason: Text = ""


class ShareView(Shown):
    """Units of a delivery that belong, or belonged, to a reservation."""

    reservation_id: str
    quantity: int


class ReceiptView(Shown):
    """A delivery after units came: who waited and holds them now, and who waits in vain."""

    delivery: ExpectedDeliveryView
    balance: BalanceView | None
    served: list[ShareView]
    lost: list[ShareView]


class CancellationView(Shown):
    """A delivery of which nothing more will come, and who waited for it."""

    delivery: ExpectedDeliveryView
    lost: list[ShareView]


# -- what channels may promise ----------------------------------------------------------------------------


class FutureRules(Sent):
    """What a channel may promise of stock to come; without a kind, nothing."""

    model_config = example(
        {
            "kinds": ["on_order", "in_transit"],
            "longest_promise_days": 30,
            "protection": [{"point_type": "store", "quantity": 2}],
        }
    )

    kinds: list[ExpectedKind] = Field(default_factory=list, max_length=3)
    longest_promise_days: Days = 0
    grace_days: Days = Field(0, description="An overdue delivery is still promised for so many days")
    protection: list[BufferRule] = Field(default_factory=list, max_length=5_000)


class FutureRulesView(Shown):
    """What a channel may promise of stock to come."""

    kinds: list[ExpectedKind]
    longest_promise_days: int
    grace_days: int
    protection: list[BufferView]


class FutureFilters(Asked):
    """Which figures."""

    sku: Skus = Field(min_length=1)
    explain: bool = Field(False, description="Adds every delivery and pre-order with its inputs")
    time_zone: Annotated[
        str | None,
        Field(
            max_length=64,
            pattern=r"^[A-Za-z0-9_+/-]+$",
            examples=["Europe/Paris"],
            description="IANA zone of the destination, in which the release date is kept; UTC if left out",
        ),
    ] = None


class FutureWindowView(Shown):
    """Units of one delivery that the channel may promise."""

    delivery_id: str
    point_id: str
    kind: ExpectedKind | None
    from_date: str
    until_date: str
    quantity: int


class PreorderWindowView(Shown):
    """Units of one pre-order that the channel may sell now."""

    preorder_id: str
    quantity: int
    closes_at: datetime | None
    release_at: datetime | None


class FutureInputView(Shown):
    """How one delivery adds to the figure; `zero_reason` says why it is 0 whatever is expected."""

    delivery_id: str
    point_id: str
    kind: ExpectedKind | None
    from_date: str
    until_date: str
    expected: int
    received: int
    held: int
    protected: int
    protection_rule: str
    available: int
    zero_reason: str


class PreorderInputView(Shown):
    """How one pre-order adds to the figure."""

    preorder_id: str
    quantity: int
    held: int
    converted: int
    available: int
    zero_reason: str


class FutureAvailabilityView(Shown):
    """One article on a channel: three figures that stand beside each other and are never added up."""

    sku: str
    available_now: int
    future: list[FutureWindowView]
    preorder: int
    zero_reason: str | None = Field(description="Why all is 0: the item is excluded or unknown")
    release_date: str | None = Field(description="Before this day nothing is delivered or handed over")
    under_embargo: bool
    preorders: list[PreorderWindowView]
    inputs: list[FutureInputView]
    preorder_inputs: list[PreorderInputView]


# -- pre-orders -------------------------------------------------------------------------------------------


class Preorder(Sent):
    """A theoretical stock, sold from `opens_at` until before `closes_at`; without a channel, on every one."""

    preorder_id: Id
    sku: Sku
    channel_id: Id | Literal[""] = ""
    quantity: Count
    opens_at: Instant
    closes_at: Instant
    release_at: Instant


class Preorders(Sent):
    """Pre-orders to create or replace."""

    model_config = example(
        {
            "preorders": [
                {
                    "preorder_id": "tee-launch",
                    "sku": "AUB-TEE-NAVY-M",
                    "quantity": 200,
                    "opens_at": "2026-11-01T00:00:00Z",
                    "closes_at": "2027-03-01T00:00:00Z",
                    "release_at": "2027-03-15T00:00:00Z",
                }
            ]
        }
    )

    preorders: list[Preorder] = Field(min_length=1, max_length=1_000)


class PreorderFilters(Paged):
    """Which pre-orders; those of a channel are its own and those of every channel."""

    sku: Skus = Field(default_factory=list)
    channel_id: Id | None = None


class PreorderView(Shown):
    """A pre-order with the units that are held of it and those that became stock."""

    preorder_id: str
    sku: str
    channel_id: str
    quantity: int
    opens_at: datetime | None
    closes_at: datetime | None
    release_at: datetime | None
    held: int
    converted: int
