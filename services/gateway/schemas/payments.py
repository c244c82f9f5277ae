"""Money as finance and customer service see it."""

from datetime import datetime
from typing import Literal

from services.gateway.schemas.base import LongId, MoneyView, Paged, Shown

PaymentStatus = Literal[
    "pending", "action_required", "authorized", "declined", "paid_by_channel", "expired", "closed"
]
OperationKind = Literal[
    "authorize", "capture", "void", "refund", "refund_reversal", "chargeback", "chargeback_reversal"
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


class OperationFilters(Paged):
    """Which operations."""

    order_id: LongId | None = None
    kind: OperationKind | None = None
    state: OperationState | None = None


class EventTaken(Shown):
    """The provider's event was taken; a repeated one is taken once."""

    duplicate: bool
