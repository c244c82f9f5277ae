"""The means of payment that the simulator knows: tokens with a fate. Never a card number."""

from dataclasses import dataclass, replace
from typing import Literal


@dataclass(frozen=True, slots=True)
class Card:
    """What happens to whoever pays with it. An empty code means that it goes well."""

    brand: str = "visa"
    code: str = ""
    decline_code: str = ""
    declined_at_capture: bool = False
    # The customer is asked when present; not again once the means was saved, unless `always_asks`.
    needs_action: bool = False
    always_asks: bool = False
    # Without the customer it is declined with this code.
    off_session_code: str = ""
    multicapture: bool = True
    extendable: bool = True
    incremental: bool = True
    # What becomes of its refunds.
    refunds: Literal["at once", "later", "fail"] = "at once"
    disputed: bool = False


def _declines(code: str, decline_code: str = "") -> Card:
    return Card(code=code, decline_code=decline_code)


_ALWAYS_ASKS = Card(needs_action=True, always_asks=True, off_session_code="authentication_required")
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
    "authenticationRequired": _ALWAYS_ASKS,
    "threeDSecure2Required": _ALWAYS_ASKS,
    # Asks the customer once: when it is paid with or saved the first time.
    "authenticationRequiredOnSetup": Card(needs_action=True),
    # Goes well while the customer is there, and asks for the customer when not.
    "authenticationRequiredLater": Card(off_session_code="authentication_required"),
    "insufficientFundsLater": Card(off_session_code="insufficient_funds"),
    # One capture only, as for networks without multicapture.
    "singleCapture": Card(multicapture=False),
    # Never held longer than usual, never raised.
    "shortHold": Card(extendable=False),
    "noIncrement": Card(incremental=False),
    "pendingRefund": Card(refunds="later"),
    "refundFail": Card(refunds="fail"),
    # The customer's bank disputes the first capture.
    "createDispute": Card(disputed=True),
}
# Whose networks know more than an authorisation and its capture.
_FLEXIBLE = ("visa", "mastercard", "amex", "discover")
_BRANDS = (*_FLEXIBLE, "cartesBancaires", "jcb", "unionpay", "diners")


def card(token: str) -> Card | None:
    """The card behind `pm_card_<brand>`, `pm_card_<fate>` or `pm_card_<brand>_<fate>`; None when unknown."""
    if not token.startswith("pm_card_"):
        return None
    name = token.removeprefix("pm_card_")
    brand, _, fate = name.partition("_")
    if brand not in _BRANDS:
        return _FATES.get(name)
    known = Card() if not fate else _FATES.get(fate)
    if known is None:
        return None
    if brand in _FLEXIBLE:
        return replace(known, brand=brand)
    return replace(known, brand=brand, multicapture=False, extendable=False, incremental=False)
