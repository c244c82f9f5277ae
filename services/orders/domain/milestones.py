"""What customers may be told of an order, and how: the words that life cycles configure."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from kit.errors import InvalidArgument


class Milestone(StrEnum):
    """A step of the order that its customer may be told of."""

    # The bank wants the customer's word before the order can be accepted.
    PAYMENT_NEEDED = "payment_needed"
    ACCEPTED = "accepted"
    NOT_ACCEPTED = "not_accepted"
    # The money of an order that was accepted could not be had, and is not tried for again by itself.
    PAYMENT_FAILED = "payment_failed"
    CHANGED = "changed"
    CHANGE_REFUSED = "change_refused"
    ADDRESS_CHANGED = "address_changed"
    PART_CANCELLED = "part_cancelled"
    CANCELLED = "cancelled"
    # Later than was told last, or in time again.
    PROMISE_CHANGED = "promise_changed"
    # Stock to come has another date, which does not make the order late.
    STOCK_MOVED = "stock_moved"
    APPOINTMENT_MOVED = "appointment_moved"
    APPOINTMENT_NOT_MOVED = "appointment_not_moved"
    APPOINTMENT_MISSED = "appointment_missed"
    # Other articles are given instead of what was missing at the pick.
    SUBSTITUTED = "substituted"
    SHIPPED = "shipped"
    OUT_FOR_DELIVERY = "out_for_delivery"
    DELIVERY_FAILED = "delivery_failed"
    DELIVERED = "delivered"
    # Lost or damaged.
    PARCEL_LOST = "parcel_lost"
    SENT_AGAIN = "sent_again"
    RETURNING = "returning"
    # What is collected: it can be fetched, is still there, was fetched, is no longer kept; or is not there at all.
    READY = "ready"
    COLLECTION_REMINDER = "collection_reminder"
    COLLECTED = "collected"
    NOT_COLLECTED = "not_collected"
    CUSTOMER_ASKED = "customer_asked"
    REFUNDED = "refunded"
    TRIAL_BEGUN = "trial_begun"
    TRIAL_REMINDER = "trial_reminder"
    TRIAL_SETTLED = "trial_settled"


OF_TRIALS = frozenset({Milestone.TRIAL_BEGUN, Milestone.TRIAL_REMINDER, Milestone.TRIAL_SETTLED})


class Way(StrEnum):
    """How a customer is told."""

    MAIL = "mail"
    SMS = "sms"


# What customers say who want to be told nothing.
NO_WAY = "none"


@dataclass(frozen=True, slots=True)
class NotificationRule:
    """Of a milestone, customers are told in each of these ways; in none of them: not at all."""

    milestone: Milestone
    ways: tuple[Way, ...]


def check_wishes(language: str, notify_by: Sequence[str]) -> None:
    """How a customer wants to be written to. Raises InvalidArgument, naming the field."""
    if language and not (len(language) == 2 and language.isascii() and language.isalpha() and language.islower()):
        raise InvalidArgument("customer.language", "two lower case letters (ISO 639-1)")
    for i, way in enumerate(notify_by):
        if way in notify_by[:i] or way not in (*(one.value for one in Way), NO_WAY):
            raise InvalidArgument(f"customer.notify_by[{i}]", "mail and sms, each once, or none")
    if NO_WAY in notify_by and len(notify_by) > 1:
        raise InvalidArgument("customer.notify_by", "none stands alone")
