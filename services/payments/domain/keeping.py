"""Means that the customer allowed to be kept for an order: charged later, forgotten when the order is over."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from services.payments.domain.model import Means, MeansKind, Operation, Payment, Status, Tender

# An order whose money is all taken may still be changed for so long.
KEPT_AFTER_END = timedelta(hours=24)


def kept_by(payment: Payment) -> Tender | None:
    """The tender whose means were kept last; None: nothing was kept."""
    return next((one for one in reversed(payment.tenders) if one.saved_means), None)


def off_session(kept: Tender, tender_id: str, position: int, amount: int) -> Tender:
    """The tender that pays an amount with kept means, without the customer."""
    return Tender(
        tender_id=tender_id,
        order_id=kept.order_id,
        channel_id=kept.channel_id,
        currency=kept.currency,
        position=position,
        amount=amount,
        means=Means(MeansKind.SAVED_MEANS, kept.saved_means),
        provider=kept.provider,
        save_means=True,
        needed_until=kept.needed_until,
        saved_means=kept.saved_means,
    )


def is_over(payment: Payment, operations: Sequence[Operation], now: datetime) -> bool:
    """Whether nothing may be authorised for the order again: it was undone, or all was taken some time ago."""
    if payment.status is not Status.CLOSED or any(one.unsettled for one in operations):
        return False
    return payment.closing or all(one.intended_at <= now - KEPT_AFTER_END for one in operations)


def forget(payment: Payment) -> list[Tender]:
    """Its tenders without the means that were kept."""
    return [
        replace(
            one,
            saved_means="",
            means=replace(one.means, reference="") if one.means.kind is MeansKind.SAVED_MEANS else one.means,
        )
        for one in payment.tenders
        if one.saved_means
    ]
