"""Amounts and currencies as the provider's clients write them."""

import re
from typing import Any

from simulators.payment_provider.errors import invalid
from simulators.payment_provider.profiles import Profile

MAXIMUM_AMOUNT = 99_999_999_999
_THREE_DECIMALS = {"bhd", "jod", "kwd", "omr", "tnd"}
_CURRENCY = re.compile(r"[a-z]{3}")


def currency_of(value: Any) -> str:
    """Lower-case letters."""
    currency = str(value or "").lower()
    if not _CURRENCY.fullmatch(currency):
        raise invalid(f"Invalid currency: {currency}", param="currency")
    return currency


def amount_of(value: Any, param: str, currency: str) -> int:
    """A positive amount in the provider's minor units."""
    text = str(value or "")
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise invalid(f"Invalid positive integer: {text[:20]}", code="parameter_invalid_integer", param=param)
    if int(text) > MAXIMUM_AMOUNT:
        raise invalid("The amount is too large.", code="amount_too_large", param=param)
    if currency in _THREE_DECIMALS and int(text) % 10:
        raise invalid("The last digit must be 0 in this currency.", code="invalid_amount", param=param)
    return int(text)


def chargeable(value: Any, param: str, currency: str, profile: Profile) -> int:
    """An amount that networks let be charged."""
    amount = amount_of(value, param, currency)
    if amount < profile.smallest.get(currency, 1):
        raise invalid(
            "The amount is below what may be charged in this currency.", code="amount_too_small", param=param
        )
    return amount
