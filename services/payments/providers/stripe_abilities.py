"""What Stripe can do, and what an account of fewer abilities can. Source: Stripe's documentation."""

from datetime import timedelta

from services.payments.providers import Abilities

_DAY = timedelta(days=1)
# Where an amount below is refused; a renewal of a small rest may meet it. Minor units as in ISO 4217.
_SMALLEST = {"EUR": 50, "USD": 50, "CHF": 50, "GBP": 30, "SEK": 300, "DKK": 250, "JPY": 50}
_LARGEST = dict.fromkeys(("EUR", "USD", "CHF", "GBP"), 99_999_999)

STRIPE = Abilities(
    partial_capture=True,
    multi_capture=True,
    validity=7 * _DAY,
    # Stripe keeps keys for at least 24 hours.
    key_validity=timedelta(hours=23),
    longest_validity=30 * _DAY,
    # It allows 50, and 50 keys of metadata: two of ours, one for each capture and each of 10 increments.
    most_captures=38,
    incremental=True,
    most_increments=10,
    saves_means=True,
    hosted_page=True,
    page_shortest=timedelta(minutes=30),
    page_longest=timedelta(hours=24),
    terminal=True,
    smallest=_SMALLEST,
    largest=_LARGEST,
)
# A contract without what Stripe sells beside the usual, and with a limit to refunds as many acquirers have.
BASIC = Abilities(
    partial_capture=True,
    multi_capture=False,
    validity=7 * _DAY,
    key_validity=timedelta(hours=23),
    longest_validity=7 * _DAY,
    refund_window=120 * _DAY,
    smallest=_SMALLEST,
    largest=_LARGEST,
)
