"""What a shop says of its shelf. Mirrors the protos."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from services.gateway.schemas.base import (
    Count,
    Instant,
    Paged,
    Quantity,
    RequiredText,
    Sent,
    Shown,
    Sku,
    Text,
    example,
)
from services.gateway.schemas.network_views import BalanceView

Reason = Literal["being_sold", "not_found", "damaged", "other"]
KnownReason = Literal[Reason, "packed"]
Ending = Literal["snapshot", "released", "till_sale", "end_of_day", "count"]
CountState = Literal["open", "closed", "cancelled"]
MAX_LINES = 1_000


# -- declarations -----------------------------------------------------------------------------------------


class DeclarationOrder(Sent):
    """Units that cannot be sold where they lie."""

    model_config = example({"sku": "AUB-TEE-NAVY-M", "quantity": 1, "reason": "damaged", "source": "terminal 3"})

    sku: Sku
    quantity: Quantity
    reason: Reason
    source: Text = ""


class DeclarationRelease(Sent):
    """How many of the declared units can be sold after all; null for all that are left."""

    model_config = example({"quantity": 1})

    quantity: Quantity | None = None


class DeclarationFilters(Paged):
    """Which declarations; those that have ended on request."""

    sku: Sku | None = None
    with_ended: bool = False


class DeclarationView(Shown):
    """Units that somebody said cannot be sold; `remaining` is 0 once that has ended."""

    declaration_id: str
    sku: str
    point_id: str
    quantity: int
    remaining: int
    reason: KnownReason | None
    actor: str
    source: str
    declared_at: datetime
    ended_at: datetime | None
    ended_by: Ending | None


class DeclaredView(Shown):
    """A declaration, and what the point holds after it."""

    declaration: DeclarationView
    balance: BalanceView


# -- the till ---------------------------------------------------------------------------------------------


class TillSale(Sent):
    """A line of a till's receipt."""

    model_config = example(
        {
            "sku": "AUB-TEE-NAVY-M",
            "quantity": 1,
            "sold_at": "2026-03-02T09:30:00Z",
            "receipt": "till-7/4711/1",
        }
    )

    sku: Sku
    quantity: Quantity
    sold_at: Instant | None = None
    receipt: Text = ""


class TillReturn(Sent):
    """A line of a return at the till: the units are on the shelf again."""

    model_config = example(
        {
            "sku": "AUB-TEE-NAVY-M",
            "quantity": 1,
            "returned_at": "2026-03-02T09:30:00Z",
            "receipt": "till-7/4712/1",
        }
    )

    sku: Sku
    quantity: Quantity
    returned_at: Instant | None = None
    receipt: Text = ""


class TillView(Shown):
    """What it did: taken + known + unknown is the quantity."""

    taken: int = Field(description="Units by which on_hand changed")
    declared: int = Field(description="Declared units that the sale used up")
    known: int = Field(description="Units that the books had taken or put already")
    unknown: int = Field(description="Sold units that the books did not have")
    balance: BalanceView


# -- the end of the day -----------------------------------------------------------------------------------


class EndOfDay(Sent):
    """Which date to close; null for today at the point."""

    model_config = example({"business_date": None})

    business_date: Annotated[str, Field(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$")] | None = None


class AdjustmentLineView(Shown):
    """One declaration that was written off: on_hand fell by `quantity`."""

    sku: str
    reason: KnownReason | None
    declaration_id: str
    declared: int
    quantity: int


class AdjustmentReportView(Shown):
    """What was written off at a point on a business date."""

    report_id: str
    point_id: str
    business_date: str
    created_at: datetime
    declared_until: datetime
    line_count: int
    units: int


class AdjustmentReportDetail(AdjustmentReportView):
    """With its lines."""

    lines: list[AdjustmentLineView]


# -- receiving --------------------------------------------------------------------------------------------


class ReceiptLine(Sent):
    """Units that arrived, damaged ones included; null where nothing was announced."""

    sku: Sku
    expected: Count | None = None
    received: Count
    damaged: Count = 0


class ReceiptOrder(Sent):
    """Goods that arrived against a reference."""

    model_config = example(
        {
            "reference": "asn/4711",
            "lines": [{"sku": "AUB-TEE-NAVY-M", "expected": 10, "received": 9, "damaged": 1}],
        }
    )

    reference: RequiredText
    lines: list[ReceiptLine] = Field(min_length=1, max_length=MAX_LINES)
    received_at: Instant | None = None


class ReceiptLineView(Shown):
    """What arrived of an article."""

    sku: str
    expected: int | None
    received: int
    damaged: int


class ReceiptView(Shown):
    """What arrived."""

    receipt_id: str
    point_id: str
    reference: str
    actor: str
    received_at: datetime
    recorded_at: datetime
    lines: list[ReceiptLineView]


class ReceivedView(Shown):
    """The receipt, and what the point holds after it."""

    receipt: ReceiptView
    balances: list[BalanceView]


# -- counts -----------------------------------------------------------------------------------------------


class CountOrder(Sent):
    """What to count: articles, categories that the point has, or both."""

    model_config = example({"skus": ["AUB-TEE-NAVY-M"], "categories": []})

    skus: list[Sku] = Field(default_factory=list, max_length=MAX_LINES)
    categories: list[RequiredText] = Field(default_factory=list, max_length=100)


class CountedLine(Sent):
    """Every unit of an article that the shop holds, and how many of them are damaged."""

    sku: Sku
    counted: Count
    damaged: Count = 0
    counted_at: Instant | None = None


class CountedLines(Sent):
    """What was counted; again replaces it."""

    model_config = example({"lines": [{"sku": "AUB-TEE-NAVY-M", "counted": 9, "damaged": 1}]})

    lines: list[CountedLine] = Field(min_length=1, max_length=MAX_LINES)


class CountLineView(Shown):
    """One article. What the books said is null until the count is closed."""

    sku: str
    counted: int | None
    damaged: int
    counted_at: datetime | None
    counted_by: str
    expected: int | None
    moved: int | None
    difference: int | None
    adjusted: int | None


class CountView(Shown):
    """A count of some articles at a point."""

    count_id: str
    point_id: str
    state: CountState | None
    opened_by: str
    opened_at: datetime
    ended_by: str
    ended_at: datetime | None
    line_count: int


class CountDetail(CountView):
    """With its lines."""

    lines: list[CountLineView]
