"""Tax documents as they are asked for and shown."""

from datetime import date, datetime
from typing import Annotated, Literal

from pydantic import Field

from services.gateway.schemas.base import Asked, Id, Instant, LongId, MoneyView, Paged, Shown
from services.gateway.schemas.orders import AddressView

DocumentKind = Literal["invoice", "credit_note", "sales_receipt"]
Language = Literal["en", "fr"]
_MOST_VALUES = 50


class DocumentsAsked(Asked):
    """Which documents: what every filter that is given allows; one that is repeated allows any of its values."""

    from_: Annotated[Instant | None, Field(alias="from", description="Issued from this instant")] = None
    until: Annotated[Instant | None, Field(description="Issued before this instant")] = None
    kind: list[DocumentKind] = Field([], max_length=3)
    series: list[Id] = Field([], max_length=_MOST_VALUES)
    channel_id: list[Id] = Field([], max_length=_MOST_VALUES)
    order_id: LongId | None = None

    @property
    def filter(self) -> dict[str, object]:
        """As a ListDocumentsRequest."""
        return {
            "from": self.from_,
            "until": self.until,
            "kinds": self.kind,
            "series": self.series,
            "channel_ids": self.channel_id,
            "order_id": self.order_id or "",
        }


class DocumentFilters(DocumentsAsked, Paged):
    """Which page of which documents."""


class DocumentDiscountView(Shown):
    """What units bear of a discount; already deducted from their net."""

    code: str
    amount_minor: int


class DocumentPartView(Shown):
    """An amount of one tax rate."""

    tax_rate_basis_points: int
    net_minor: int
    tax_minor: int
    gross_minor: int


class DocumentLineView(DocumentPartView):
    """Units [from_unit, to_unit) of an order line."""

    line_number: int
    sku: str
    title: str
    from_unit: int
    to_unit: int
    quantity: int
    discounts: list[DocumentDiscountView]


class DocumentView(Shown):
    """A document: it never changes. Amounts of a credit note are above zero too; it takes them back."""

    number: str
    kind: DocumentKind
    series: str = Field(description="Numbers run from 1 without a hole in a series, a kind and a year")
    year: int
    sequence: int
    issued_at: datetime
    issued_on: date = Field(description="The day at the seller's")
    order_id: str
    channel_id: str
    point_id: str | None = Field(description="Of a sales receipt: where the goods were taken")
    cause: str
    total: MoneyView
    lines: list[DocumentLineView]
    shipping: list[DocumentPartView] = Field(description="Of the delivery fee")
    adjustments: list[DocumentPartView] = Field(
        description="Of no unit: goodwill, or below zero what was credited before"
    )
    totals: list[DocumentPartView] = Field(description="All of it, by tax rate")
    corrects: list[str] = Field(description="Of a credit note: the numbers of what it takes back")
    seller_name: str
    seller_lines: list[str]


class BuyerView(Shown):
    """Whom a document is for, as the order says it today."""

    name: str
    address: AddressView


class DocumentTenderView(Shown):
    """What of a document was paid, or given back, by one kind of means."""

    kind: str = Field(description="As in the order's payment, for example `stored_value_code` or `cash`")
    amount: MoneyView


class DocumentDetail(DocumentView):
    """A document with its buyer: null for whom he does not concern, and once he was erased."""

    buyer: BuyerView | None
    tenders: list[DocumentTenderView] = Field(
        description="The means whose money it is, in their order of use; none where our books have no money of it"
    )
