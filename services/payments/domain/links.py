"""Payment links: an address, sent to the customer, where an order's tender is paid once, until it ends.

A link is a tender that waits for the customer from the start. The provider's page is made when the link is opened:
a page lives for hours, a link for weeks.
"""

from dataclasses import replace
from datetime import datetime, timedelta
from enum import StrEnum

from kit.errors import InvalidArgument
from services.payments.domain.model import Means, MeansKind, Operation, State, Status, Tender
from services.payments.domain.rules import Intent, intend_authorize

SHORTEST, LONGEST = timedelta(minutes=5), timedelta(days=60)
# Why what it should have authorised failed.
EXPIRED, CANCELLED = "payment_link_expired", "payment_link_cancelled"


class LinkState(StrEnum):
    """What somebody who opens the link finds."""

    OPEN = "open"
    PAID = "paid"
    EXPIRED = "expired"
    # The order was cancelled, or is paid in another way.
    CANCELLED = "cancelled"


def check_end(field: str, expires_at: datetime | None, now: datetime) -> datetime:
    """Names the field."""
    if expires_at is None:
        raise InvalidArgument(field, "say until when the link may be used")
    if not now + SHORTEST <= expires_at <= now + LONGEST:
        raise InvalidArgument(field, "a link lives for 5 minutes at least and 60 days at most")
    return expires_at


def is_link(tender: Tender) -> bool:
    """Whether the customer pays by a link."""
    return tender.means.kind is MeansKind.PAYMENT_LINK


def open_link(tender: Tender, token: str, url: str, expires_at: datetime) -> Tender:
    """It waits for the customer; no provider was asked for anything."""
    return replace(
        tender,
        means=Means(MeansKind.PAYMENT_LINK, token),
        status=Status.ACTION_REQUIRED,
        next_action_url=url,
        expires_at=expires_at,
    )


def intend_by_link(tender: Tender, intent: Intent) -> Operation:
    """The authorisation that the customer is to make."""
    return replace(intend_authorize(tender, intent), state=State.ACTION_REQUIRED)


def authorising(tender: Tender, intent: Intent) -> Operation:
    """What authorises a new tender: the provider is asked, or the customer who has the link."""
    return intend_by_link(tender, intent) if is_link(tender) else intend_authorize(tender, intent)


def state_of(tender: Tender, now: datetime) -> LinkState:
    """As somebody finds it who opens it now."""
    if tender.status is Status.DECLINED:
        return LinkState.EXPIRED if tender.decline_code == EXPIRED else LinkState.CANCELLED
    if tender.status is not Status.ACTION_REQUIRED:
        return LinkState.PAID
    if tender.release_due:
        return LinkState.CANCELLED
    return LinkState.EXPIRED if tender.expires_at and tender.expires_at <= now else LinkState.OPEN
