"""What a payment intent may do: create, confirm, authenticate, capture, cancel, refund.

Every function changes the books and says so by an event; the caller holds the transaction. Amounts are in the
currency's minor unit.
"""

import re
import secrets
import time
from collections.abc import Callable
from typing import Any

from simulators.payment_provider import forms
from simulators.payment_provider.books import Body, Books
from simulators.payment_provider.cards import Card, card
from simulators.payment_provider.errors import ProviderError, declined, invalid, missing

VALIDITY_SECONDS = 7 * 86_400
MAXIMUM_AMOUNT = 99_999_999_999
# What an intent carries for the simulator's own use.
HIDDEN = ("authorised", "capture_before", "return_url")
_THREE_DECIMALS = {"bhd", "jod", "kwd", "omr", "tnd"}
_CURRENCY = re.compile(r"[a-z]{3}")


class Intents:
    """The rules. `page_url` gives the address where the customer authenticates an intent."""

    def __init__(self, books: Books, clock: Callable[[], float] = time.time) -> None:
        self._books = books
        self._clock = clock

    def create(self, params: Body, base_url: str) -> Body:
        """A new intent, confirmed at once when `confirm` says so."""
        if "card" in params or "payment_method_data" in params:
            raise invalid("Card data is never accepted here; send a payment method.", param="payment_method")
        currency = str(params.get("currency", "")).lower()
        if not _CURRENCY.fullmatch(currency):
            raise invalid(f"Invalid currency: {currency}", param="currency")
        amount = _amount(params.get("amount"), "amount", currency)
        if params.get("capture_method", "automatic") != "manual":
            raise invalid("Only capture_method=manual is simulated.", param="capture_method")
        intent: Body = {
            "id": f"pi_{secrets.token_hex(12)}",
            "object": "payment_intent",
            "amount": amount,
            "amount_capturable": 0,
            "amount_received": 0,
            "cancellation_reason": None,
            "canceled_at": None,
            "capture_method": "manual",
            "created": int(self._clock()),
            "currency": currency,
            "last_payment_error": None,
            "latest_charge": None,
            "livemode": False,
            "metadata": forms.text_map(params.get("metadata")),
            "next_action": None,
            "payment_method": params.get("payment_method"),
            "payment_method_options": params.get("payment_method_options") or {},
            "payment_method_types": ["card"],
            "status": "requires_payment_method",
        }
        if intent["payment_method"]:
            _known_card(intent["payment_method"])
            intent["status"] = "requires_confirmation"
        if params.get("confirm") == "true":
            return self._confirm(intent, params.get("return_url"), base_url)
        self._books.save_intent(intent)
        return intent

    def confirm(self, intent_id: str, params: Body, base_url: str) -> Body:
        """Confirms, with another means of payment if one is given."""
        intent = self.find(intent_id)
        if intent["status"] not in ("requires_payment_method", "requires_confirmation"):
            raise _unexpected(intent, "confirmed")
        if method := params.get("payment_method"):
            _known_card(method)
            intent["payment_method"] = method
        return self._confirm(intent, params.get("return_url"), base_url)

    def authenticate(self, intent_id: str, approved: bool) -> Body:
        """The customer acted. An intent that no longer waits is left as it is."""
        intent = self.find(intent_id)
        if intent["status"] != "requires_action":
            return intent
        intent["next_action"] = None
        if approved:
            return self._authorise(intent, _known_card(intent["payment_method"]))
        return self._fail(intent, "payment_intent_authentication_failure", "")

    def capture(self, intent_id: str, params: Body) -> Body:
        """Takes a part, keeping the rest if `final_capture` is false and the card allows it."""
        intent = self.find(intent_id)
        if intent["status"] != "requires_capture":
            raise _unexpected(intent, "captured")
        final = params.get("final_capture", "true") != "false"
        paying = _known_card(intent["payment_method"])
        if not final and not _multicapture(intent, paying):
            raise invalid("This PaymentIntent does not support multicapture.", param="final_capture")
        amount = intent["amount_capturable"]
        if "amount_to_capture" in params:
            text = params["amount_to_capture"]
            release_only = text == "0" and final and intent["amount_received"] > 0
            amount = 0 if release_only else _amount(text, "amount_to_capture", intent["currency"])
        if amount > intent["amount_capturable"]:
            raise invalid(
                "The amount to capture exceeds the capturable amount.",
                code="amount_too_large",
                param="amount_to_capture",
            )
        if paying.declined_at_capture:
            raise declined(paying.code, paying.decline_code, intent)
        intent["amount_received"] += amount
        intent["amount_capturable"] = 0 if final else intent["amount_capturable"] - amount
        intent["metadata"].update(forms.text_map(params.get("metadata")))
        if intent["amount_capturable"] == 0:
            intent["status"] = "succeeded"
        self._books.save_intent(intent)
        self._tell("payment_intent.succeeded" if final else "charge.captured", intent)
        return intent

    def cancel(self, intent_id: str, reason: str | None = None) -> Body:
        """Gives up what is not captured."""
        intent = self.find(intent_id)
        if intent["status"] in ("canceled", "succeeded"):
            raise _unexpected(intent, "canceled")
        self._end(intent, reason)
        return intent

    def refund(self, params: Body) -> Body:
        """Gives back captured money."""
        intent = self.find(str(params.get("payment_intent", "")), param="payment_intent")
        rest = intent["amount_received"] - self.refunded(intent["id"])
        if rest == 0:
            raise invalid("Nothing is left to refund.", code="charge_already_refunded")
        amount = _amount(params["amount"], "amount", intent["currency"]) if "amount" in params else rest
        if amount > rest:
            raise invalid(
                "Refund amount is greater than the unrefunded amount on the charge.",
                code="amount_too_large",
                param="amount",
            )
        refund: Body = {
            "id": f"re_{secrets.token_hex(12)}",
            "object": "refund",
            "amount": amount,
            "charge": intent["latest_charge"],
            "created": int(self._clock()),
            "currency": intent["currency"],
            "metadata": forms.text_map(params.get("metadata")),
            "payment_intent": intent["id"],
            "reason": params.get("reason"),
            "status": "succeeded",
        }
        self._books.save_refund(refund)
        self._tell("refund.created", refund)
        return refund

    def find(self, intent_id: str, *, param: str = "intent") -> Body:
        """The intent, ended if its authorisation has expired. Raises a 404."""
        intent = self._books.intent(intent_id)
        if intent is None:
            raise missing("payment_intent", intent_id, param)
        if intent["status"] == "requires_capture" and self._clock() >= intent["capture_before"]:
            self._end(intent, "automatic")
        return intent

    def refunded(self, intent_id: str) -> int:
        """How much has been given back."""
        return sum(int(refund["amount"]) for refund in self._books.refunds(intent_id))

    def charge(self, intent: Body) -> Body | None:
        """The charge behind an intent, as `expand[]=latest_charge` shows it."""
        if not intent["latest_charge"]:
            return None
        paying = _known_card(intent["payment_method"])
        available = _multicapture(intent, paying)
        return {
            "id": intent["latest_charge"],
            "object": "charge",
            "amount": intent["amount"],
            "amount_captured": intent["amount_received"],
            "amount_refunded": self.refunded(intent["id"]),
            "currency": intent["currency"],
            "payment_intent": intent["id"],
            "payment_method_details": {
                "type": "card",
                "card": {
                    "brand": paying.brand,
                    "capture_before": intent.get("capture_before"),
                    "multicapture": {"status": "available" if available else "unavailable"},
                },
            },
        }

    def _confirm(self, intent: Body, return_url: str | None, base_url: str) -> Body:
        if not intent["payment_method"]:
            raise invalid("A payment method is required to confirm.", param="payment_method")
        paying = _known_card(intent["payment_method"])
        if paying.code and not paying.declined_at_capture:
            self._fail(intent, paying.code, paying.decline_code)
            raise declined(paying.code, paying.decline_code, intent)
        if paying.needs_action:
            url = f"{base_url.rstrip('/')}/3ds/{intent['id']}"
            intent["status"] = "requires_action"
            intent["next_action"] = {
                "type": "redirect_to_url",
                "redirect_to_url": {"url": url, "return_url": return_url},
            }
            intent["return_url"] = return_url
            self._books.save_intent(intent)
            self._tell("payment_intent.requires_action", intent)
            return intent
        return self._authorise(intent, paying)

    def _authorise(self, intent: Body, paying: Card) -> Body:
        intent["status"] = "requires_capture"
        intent["amount_capturable"] = intent["amount"]
        intent["authorised"] = intent["amount"]
        intent["last_payment_error"] = None
        intent["latest_charge"] = f"ch_{secrets.token_hex(12)}"
        intent["capture_before"] = int(self._clock()) + VALIDITY_SECONDS
        self._books.save_intent(intent)
        self._tell("payment_intent.amount_capturable_updated", intent)
        return intent

    def _fail(self, intent: Body, code: str, decline_code: str) -> Body:
        intent["status"] = "requires_payment_method"
        intent["last_payment_error"] = {
            "type": "card_error",
            "code": code,
            "decline_code": decline_code or None,
            "message": "The payment was refused.",
        }
        self._books.save_intent(intent)
        self._tell("payment_intent.payment_failed", intent)
        return intent

    def _end(self, intent: Body, reason: str | None) -> None:
        intent["status"] = "canceled"
        intent["amount_capturable"] = 0
        intent["canceled_at"] = int(self._clock())
        intent["cancellation_reason"] = reason
        intent["next_action"] = None
        self._books.save_intent(intent)
        self._tell("payment_intent.canceled", intent)

    def _tell(self, kind: str, thing: Body) -> None:
        self._books.add_event(
            {
                "id": f"evt_{secrets.token_hex(12)}",
                "object": "event",
                "api_version": None,
                "created": int(self._clock()),
                "data": {"object": public(thing)},
                "livemode": False,
                "type": kind,
            }
        )


def public(thing: Body) -> Body:
    """As others see it."""
    return {name: value for name, value in thing.items() if name not in HIDDEN}


def _amount(value: Any, param: str, currency: str) -> int:
    text = str(value or "")
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise invalid(f"Invalid positive integer: {text[:20]}", code="parameter_invalid_integer", param=param)
    if int(text) > MAXIMUM_AMOUNT:
        raise invalid("The amount is too large.", code="amount_too_large", param=param)
    if currency in _THREE_DECIMALS and int(text) % 10:
        raise invalid("The last digit must be 0 in this currency.", code="invalid_amount", param=param)
    return int(text)


def _known_card(token: Any) -> Card:
    paying = card(str(token))
    if paying is None:
        raise missing("PaymentMethod", str(token)[:40], "payment_method")
    return paying


def _multicapture(intent: Body, paying: Card) -> bool:
    asked = intent["payment_method_options"].get("card", {}).get("request_multicapture")
    return paying.multicapture and asked == "if_available"


def _unexpected(intent: Body, verb: str) -> ProviderError:
    return ProviderError(
        400,
        "invalid_request_error",
        f"This PaymentIntent could not be {verb} because it has a status of {intent['status']}.",
        code="payment_intent_unexpected_state",
        payment_intent=intent,
    )
