"""Amounts as Stripe writes them: its minor units differ from ISO 4217 for a few currencies.

Source: Stripe's documentation of supported currencies (zero-decimal, three-decimal, special cases).
"""

# We count whole units, Stripe hundredths.
_HUNDREDFOLD = {"ISK", "UGX"}
# We count hundredths, Stripe whole units.
_WHOLE = {"MGA"}
# Thousandths on both sides, of which the last digit must be 0.
_TENS = {"BHD", "JOD", "KWD", "OMR", "TND"}


class NotPayable(ValueError):
    """The amount cannot be written to the unit that the card networks accept."""


def to_wire(amount_minor: int, currency: str) -> int:
    """Our minor units as Stripe's. Never rounds: what cannot be said exactly is not payable."""
    if currency in _HUNDREDFOLD:
        return amount_minor * 100
    if (currency in _WHOLE and amount_minor % 100) or (currency in _TENS and amount_minor % 10):
        raise NotPayable(f"{currency} is not charged to that precision")
    return amount_minor // 100 if currency in _WHOLE else amount_minor


def from_wire(amount: int, currency: str) -> int:
    """Stripe's minor units as ours; a fraction that we cannot hold is not counted."""
    if currency in _HUNDREDFOLD:
        return amount // 100
    return amount * 100 if currency in _WHOLE else amount
