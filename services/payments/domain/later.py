"""What banks do later: a refund that succeeded comes back, a customer's bank disputes what was captured.

Nobody of ours asked for it; the provider's truth is booked as operations of their own.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from services.payments.domain.model import Kind, Operation, State, Tender


class RefundStatus(StrEnum):
    """Where a refund is. One that succeeded may still fail: the customer's bank sends it back."""

    PENDING = "pending"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class RefundState:
    """What the provider says of a refund. A failed one did not give the money back."""

    reference: str
    provider_payment_id: str
    # That made it; empty when somebody gave money back at the provider.
    operation_id: str
    status: RefundStatus
    amount_minor: int
    currency: str
    failure_code: str = ""


class DisputeStatus(StrEnum):
    """Where a dispute is."""

    # The bank asks before it disputes; no money has moved.
    INQUIRY = "inquiry"
    OPEN = "open"
    UNDER_REVIEW = "under_review"
    WON = "won"
    LOST = "lost"


@dataclass(frozen=True, slots=True)
class Dispute:
    """A customer's bank takes captured money back."""

    reference: str
    provider_payment_id: str
    status: DisputeStatus
    amount_minor: int
    currency: str
    # The provider's word: "fraudulent", "product_not_received", ...
    reason: str
    # Until when we may answer it; None when there is nothing to answer.
    evidence_due: datetime | None
    # The provider has taken the money from us, and not given it back.
    withdrawn: bool


CLOSED = {DisputeStatus.WON, DisputeStatus.LOST}


def reversal(refund: Operation, found: RefundState, operation_id: str, now: datetime) -> Operation | None:
    """What a refund that succeeded and then failed has to be undone by; None: nothing is to be undone."""
    if refund.state is not State.SUCCEEDED or found.status is not RefundStatus.FAILED:
        return None
    return replace(
        refund,
        operation_id=operation_id,
        request_id=f"reversal/{refund.operation_id}",
        kind=Kind.REFUND_REVERSAL,
        cause=f"refund/{refund.operation_id}",
        actor=f"provider/{refund.provider}",
        failure_code=found.failure_code,
        intended_at=now,
        settled_at=now,
    )


def chargeback(
    tender: Tender, of_dispute: Sequence[Operation], found: Dispute, operation_id: str, now: datetime
) -> Operation | None:
    """What brings our books to the dispute's truth; None: they say it. `of_dispute`: what it moved before."""
    taken = sum(
        one.amount_minor if one.kind is Kind.CHARGEBACK else -one.amount_minor
        for one in of_dispute
        if one.kind in (Kind.CHARGEBACK, Kind.CHARGEBACK_REVERSAL)
    )
    missing = (found.amount_minor if found.withdrawn else 0) - taken
    if missing == 0:
        return None
    return Operation(
        operation_id=operation_id,
        request_id=operation_id,
        order_id=tender.order_id,
        tender_id=tender.tender_id,
        kind=Kind.CHARGEBACK if missing > 0 else Kind.CHARGEBACK_REVERSAL,
        state=State.SUCCEEDED,
        amount_minor=abs(missing),
        currency=tender.currency,
        cause=f"dispute/{found.reference}",
        actor=f"provider/{tender.provider}",
        intended_at=now,
        provider=tender.provider,
        provider_reference=found.reference,
        settled_at=now,
        channel_id=tender.channel_id,
        tender_kind=tender.means.kind,
    )
