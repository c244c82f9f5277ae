"""Money as finance and customer service see it."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import Field

from services.gateway.schemas.base import (
    Asked,
    Currency,
    Id,
    Instant,
    LongId,
    MoneyView,
    Paged,
    Sent,
    Shown,
    Word,
    example,
)

PaymentStatus = Literal[
    "pending", "action_required", "saved", "authorized", "declined", "paid_by_channel", "expired", "closed"
]
OperationKind = Literal[
    "save_means", "authorize", "capture", "void", "refund", "refund_reversal", "chargeback", "chargeback_reversal"
]
OperationState = Literal["intended", "succeeded", "failed", "unknown", "action_required"]


class OperationView(Shown):
    """One act on an order's money."""

    operation_id: str
    order_id: str
    tender_id: str
    kind: OperationKind
    state: OperationState
    amount: MoneyView | None
    cause: str
    actor: str
    provider: str
    provider_reference: str
    failure_code: str | None
    intended_at: datetime | None
    settled_at: datetime | None
    channel_id: str = ""
    point_id: str = Field("", description="The point that sold, prepared or took back; empty when there is none")
    tender_kind: str = ""


class TenderView(Shown):
    """A means used for the order at one provider."""

    tender_id: str
    position: int
    means: str
    status: PaymentStatus | None
    amount: MoneyView | None
    authorized: MoneyView | None
    captured: MoneyView | None
    voided: MoneyView | None
    refunded: MoneyView | None
    lapsed: MoneyView | None
    owed: MoneyView | None
    disputed: MoneyView | None
    provider: str
    provider_payment_id: str
    decline_code: str | None
    authorization_expires_at: datetime | None
    multi_capture: bool
    renewable: bool
    renews: str | None
    superseded: bool


class PaymentView(Shown):
    """The payment of one order with its operations."""

    order_id: str
    status: PaymentStatus | None
    authorized: MoneyView | None
    captured: MoneyView | None
    voided: MoneyView | None
    refunded: MoneyView | None
    provider: str
    provider_payment_id: str
    decline_code: str | None
    authorization_expires_at: datetime | None
    operations: list[OperationView]
    # In their order of use.
    tenders: list[TenderView]


_MOST_VALUES = 100


class OperationsAsked(Asked):
    """Which operations: what every filter that is given allows; one that is repeated allows any of its values."""

    from_: Annotated[Instant | None, Field(alias="from", description="Intended from this instant")] = None
    until: Annotated[Instant | None, Field(description="Intended before this instant")] = None
    order_id: list[LongId] = Field([], max_length=_MOST_VALUES)
    channel_id: list[Id] = Field([], max_length=_MOST_VALUES)
    point_id: list[Id] = Field([], max_length=_MOST_VALUES)
    provider: list[Word] = Field([], max_length=_MOST_VALUES)
    tender_kind: list[Word] = Field([], max_length=_MOST_VALUES)
    kind: list[OperationKind] = Field([], max_length=_MOST_VALUES)
    state: list[OperationState] = Field([], max_length=_MOST_VALUES)
    currency: list[Currency] = Field([], max_length=_MOST_VALUES)

    @property
    def filter(self) -> dict[str, Any]:
        """As an OperationFilter."""
        return {
            "from": self.from_,
            "until": self.until,
            "order_ids": self.order_id,
            "channel_ids": self.channel_id,
            "point_ids": self.point_id,
            "providers": self.provider,
            "tender_kinds": self.tender_kind,
            "kinds": self.kind,
            "states": self.state,
            "currencies": self.currency,
        }


class OperationFilters(OperationsAsked, Paged):
    """Which page of which operations."""


class SendLink(Sent):
    """How long the link may be used."""

    model_config = example({"hours": 72})

    hours: int = Field(72, ge=1, le=1_440, description="At most 60 days")


class PaymentLinkView(Shown):
    """What to send to the customer by mail, SMS or on the phone. Whoever has it may pay; it shows no card."""

    order_id: str
    url: str
    amount: MoneyView | None
    expires_at: datetime | None


class EventTaken(Shown):
    """The provider's event was taken; a repeated one is taken once."""

    duplicate: bool
