"""The means of payment that the simulator knows: tokens with a fate. Never a card number."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Card:
    """What happens to whoever pays with it. An empty code means that it goes well."""

    brand: str = "visa"
    code: str = ""
    decline_code: str = ""
    declined_at_capture: bool = False
    needs_action: bool = False
    multicapture: bool = True


def _declines(code: str, decline_code: str = "") -> Card:
    return Card(code=code, decline_code=decline_code)


_FATES = {
    "chargeDeclined": _declines("card_declined", "generic_decline"),
    "chargeDeclinedInsufficientFunds": _declines("card_declined", "insufficient_funds"),
    "chargeDeclinedLostCard": _declines("card_declined", "lost_card"),
    "chargeDeclinedStolenCard": _declines("card_declined", "stolen_card"),
    "chargeDeclinedExpiredCard": _declines("expired_card"),
    "chargeDeclinedIncorrectCvc": _declines("incorrect_cvc"),
    "chargeDeclinedProcessingError": _declines("processing_error"),
    # Authorises, then the bank refuses the capture.
    "captureDeclined": Card(code="card_declined", decline_code="do_not_honor", declined_at_capture=True),
    "chargeCustomerFail": Card(code="card_declined", decline_code="do_not_honor", declined_at_capture=True),
    "authenticationRequired": Card(needs_action=True),
    "threeDSecure2Required": Card(needs_action=True),
    # One capture only, as for networks without multicapture.
    "singleCapture": Card(multicapture=False),
}
_BRANDS = ("visa", "mastercard", "amex", "cartesBancaires", "discover", "jcb", "unionpay", "diners")


def card(token: str) -> Card | None:
    """The card behind `pm_card_<brand>`, `pm_card_<fate>` or `pm_card_<brand>_<fate>`; None when unknown."""
    if not token.startswith("pm_card_"):
        return None
    name = token.removeprefix("pm_card_")
    brand, _, fate = name.partition("_")
    if brand in _BRANDS:
        return Card(brand=brand) if not fate else _FATES.get(fate)
    return _FATES.get(name)
