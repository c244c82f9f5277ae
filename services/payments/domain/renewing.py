"""Authorisations that are made again: before they end, or after a provider let go of what the order still needs.

Only with means that the customer allowed to be kept. The new authorisation is a tender of its own, at the
same place in the order of use; the old one is let go once the new one stands.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from services.payments.domain import keeping, rules
from services.payments.domain.model import (
    Kind,
    Operation,
    Payment,
    State,
    Tender,
)
from services.payments.domain.rules import Intent
from services.payments.domain.settlement import not_needed

# An authorisation is renewed so long before its end; a renewal that was declined is tried again after this.
BEFORE_END = timedelta(hours=24)
AGAIN_AFTER = timedelta(hours=6)
CAUSE = "renewal"


def due(
    payment: Payment, operations: Sequence[Operation], now: datetime, again_after: timedelta = AGAIN_AFTER
) -> list[Tender]:
    """Tenders whose authorisation is to be made again: it ends soon, or has let go of what is needed.

    `operations`: of the order. Not while the payment is being undone or something of the tender is in flight, nor
    soon after a renewal was declined.
    """
    if payment.closing:
        return []
    return [
        one
        for one in payment.tenders
        if one.saved_means and _needs(one, now) and not _was_tried(payment, one, operations, now - again_after)
    ]


def open_renewal(tender: Tender, tender_id: str) -> Tender:
    """The tender that takes its place once it is authorised; until then it does not count."""
    again = keeping.off_session(tender, tender_id, tender.position, tender.lapsed or tender.uncaptured)
    return replace(again, renews=tender.tender_id, superseded=True)


def take_place(
    payment: Payment, renewal: Tender, unsettled: Sequence[Operation], intent: Intent
) -> tuple[list[Tender], list[Operation]]:
    """What follows when a renewal stands: it counts, the old authorisation is let go, and so is what is too much.

    Too much: what was captured or given up of the old one while the new one was being asked for.
    """
    old = payment.tender(renewal.renews)
    counts = replace(renewal, superseded=False)
    held = rules.capturable(old, unsettled)
    needed = min(renewal.amount, old.lapsed + held)
    forgotten = min(old.lapsed, needed)
    old = not_needed(old, forgotten)
    voids = [(old, needed - forgotten), (counts, renewal.authorized - needed)]
    operations = [
        rules.intend_void(tender, amount, intent.part(number))
        for number, (tender, amount) in enumerate((tender, amount) for tender, amount in voids if amount > 0)
    ]
    return [old, counts], operations


def _needs(tender: Tender, now: datetime) -> bool:
    if tender.superseded:
        return False
    ends_soon = tender.expires_at is not None and tender.expires_at - now <= BEFORE_END
    return tender.lapsed > 0 or (tender.uncaptured > 0 and ends_soon)


def _was_tried(payment: Payment, tender: Tender, operations: Sequence[Operation], since: datetime) -> bool:
    own = [one for one in operations if one.tender_id == tender.tender_id and one.unsettled]
    renewals = {one.tender_id for one in payment.tenders if one.renews == tender.tender_id}
    tried = [one for one in operations if one.tender_id in renewals and one.kind is Kind.AUTHORIZE]
    return bool(own) or any(
        one.unsettled or (one.state in (State.FAILED, State.ACTION_REQUIRED) and one.intended_at > since)
        for one in tried
    )
