"""What a payment intent may do: create, confirm, authenticate, raise, capture, cancel.

Every function changes the books and says so by an event; the caller holds the transaction. Amounts are in the
currency's minor unit.
"""

from typing import Any

from simulators.payment_provider import forms, settlements
from simulators.payment_provider.amounts import amount_of, chargeable, currency_of
from simulators.payment_provider.books import Body, Books
from simulators.payment_provider.cards import Card
from simulators.payment_provider.disputes import Disputes
from simulators.payment_provider.errors import ProviderError, declined, invalid, missing
from simulators.payment_provider.means import Means
from simulators.payment_provider.news import Clock, new_id, tell
from simulators.payment_provider.profiles import Profile
from simulators.payment_provider.refunds import Refunds

_MOST_METADATA = 50


class Intents:
    """The rules, as far as the account's abilities and the card's allow."""

    def __init__(self, books: Books, profile: Profile, clock: Clock) -> None:
        self._books = books
        self._profile = profile
        self._clock = clock
        self._means = Means(books, profile, clock)
        self._refunds = Refunds(books, profile, clock)
        self._disputes = Disputes(books, clock)

    def create(self, params: Body, base_url: str) -> Body:
        """A new intent, confirmed at once when `confirm` says so."""
        if "card" in params or "payment_method_data" in params:
            raise invalid("Card data is never accepted here; send a payment method.", param="payment_method")
        currency = currency_of(params.get("currency"))
        amount = chargeable(params.get("amount"), "amount", currency, self._profile)
        if params.get("capture_method", "automatic") != "manual":
            raise invalid("Only capture_method=manual is simulated.", param="capture_method")
        if params.get("setup_future_usage"):
            self._means.check_savable(params.get("customer"))
        intent: Body = {
            "id": new_id("pi"),
            "object": "payment_intent",
            "amount": amount,
            "amount_capturable": 0,
            "amount_received": 0,
            "cancellation_reason": None,
            "canceled_at": None,
            "capture_method": "manual",
            "created": self._clock(),
            "currency": currency,
            "customer": params.get("customer"),
            "last_payment_error": None,
            "latest_charge": None,
            "livemode": False,
            "metadata": forms.text_map(params.get("metadata")),
            "next_action": None,
            "payment_method": params.get("payment_method"),
            "payment_method_options": params.get("payment_method_options") or {},
            "payment_method_types": forms.values(params.get("allowed_payment_method_types")) or ["card"],
            "setup_future_usage": params.get("setup_future_usage"),
            "status": "requires_payment_method",
        }
        if intent["payment_method"]:
            self._means.card_of(intent["payment_method"])
            intent["status"] = "requires_confirmation"
        if params.get("confirm") == "true":
            return self._confirm(intent, params, base_url)
        self._books.save_intent(intent)
        return intent

    def confirm(self, intent_id: str, params: Body, base_url: str) -> Body:
        """Confirms, with another means of payment if one is given."""
        intent = self.find(intent_id)
        if intent["status"] not in ("requires_payment_method", "requires_confirmation"):
            raise _unexpected(intent, "confirmed")
        if method := params.get("payment_method"):
            self._means.card_of(method)
            intent["payment_method"] = method
        return self._confirm(intent, params, base_url)

    def authenticate(self, intent_id: str, approved: bool) -> Body:
        """The customer acted. An intent that no longer waits is left as it is."""
        intent = self.find(intent_id)
        if intent["status"] != "requires_action":
            return intent
        intent["next_action"] = None
        if approved:
            return self._authorise(intent, self._means.card_of(intent["payment_method"]))
        return self._fail(intent, "payment_intent_authentication_failure", "")

    def increment(self, intent_id: str, params: Body) -> Body:
        """Raises what is authorised to `amount`, before anything is captured. A refusal leaves it as it was."""
        intent = self.find(intent_id)
        if intent["status"] != "requires_capture" or intent["amount_received"] > 0:
            raise _unexpected(intent, "incremented")
        paying = self._means.card_of(intent["payment_method"])
        if not self._incremental(intent, paying):
            raise invalid(
                "This payment does not support incremental authorization.", code="payment_intent_invalid"
            )
        if intent.get("increments", 0) >= self._profile.most_increments:
            raise invalid("The authorization was incremented too often.", code="payment_intent_invalid")
        amount = amount_of(params.get("amount"), "amount", intent["currency"])
        if amount <= intent["amount"]:
            raise invalid("The amount must be above what is authorized.", code="amount_too_small", param="amount")
        intent |= {"amount": amount, "amount_capturable": amount, "authorised": amount}
        intent["increments"] = intent.get("increments", 0) + 1
        _note(intent, forms.text_map(params.get("metadata")))
        self._books.save_intent(intent)
        self._tell("payment_intent.amount_capturable_updated", intent)
        return intent

    def capture(self, intent_id: str, params: Body) -> Body:
        """Takes a part, keeping the rest if `final_capture` is false and the card allows it."""
        intent = self.find(intent_id)
        if intent["status"] != "requires_capture":
            raise _unexpected(intent, "captured")
        final = params.get("final_capture", "true") != "false"
        paying = self._means.card_of(intent["payment_method"])
        if not final and not self._multicapture(intent, paying):
            raise invalid("This PaymentIntent does not support multicapture.", param="final_capture")
        if intent.get("captures", 0) >= self._profile.most_captures:
            raise invalid("This PaymentIntent was captured too often.", code="payment_intent_invalid")
        amount = intent["amount_capturable"]
        if "amount_to_capture" in params:
            text = params["amount_to_capture"]
            release_only = text == "0" and final and intent["amount_received"] > 0
            amount = 0 if release_only else amount_of(text, "amount_to_capture", intent["currency"])
        if amount > intent["amount_capturable"]:
            raise invalid(
                "The amount to capture exceeds the capturable amount.",
                code="amount_too_large",
                param="amount_to_capture",
            )
        if paying.declined_at_capture:
            raise declined(paying.code, paying.decline_code, intent)
        return self._take(intent, paying, amount, final, forms.text_map(params.get("metadata")))

    def cancel(self, intent_id: str, reason: str | None = None) -> Body:
        """Gives up what is not captured."""
        intent = self.find(intent_id)
        if intent["status"] in ("canceled", "succeeded"):
            raise _unexpected(intent, "canceled")
        self._end(intent, reason)
        return intent

    def find(self, intent_id: str, *, param: str = "intent") -> Body:
        """The intent, ended if its authorisation has expired. Raises a 404."""
        intent = self._books.intent(intent_id)
        if intent is None:
            raise missing("payment_intent", intent_id, param)
        if intent["status"] == "requires_capture" and self._clock() >= intent["capture_before"]:
            self._end(intent, "automatic")
        return intent

    def charge(self, intent: Body) -> Body | None:
        """The charge behind an intent, as `expand[]=latest_charge` shows it."""
        if not intent["latest_charge"]:
            return None
        paying = self._means.card_of(intent["payment_method"])
        in_person = _in_person(intent)
        details: Body = {"brand": paying.brand, "capture_before": intent.get("capture_before")}
        if in_person:
            details["incremental_authorization_supported"] = self._incremental(intent, paying)
        else:
            details |= {
                "extended_authorization": {"status": "enabled" if self._extended(intent, paying) else "disabled"},
                "incremental_authorization": {"status": _available(self._incremental(intent, paying))},
                "multicapture": {"status": _available(self._multicapture(intent, paying))},
            }
        kind = "card_present" if in_person else "card"
        return {
            "id": intent["latest_charge"],
            "object": "charge",
            "amount": intent["amount"],
            "amount_captured": intent["amount_received"],
            "amount_refunded": self._refunds.refunded(intent["id"]),
            "currency": intent["currency"],
            "payment_intent": intent["id"],
            "payment_method_details": {"type": kind, kind: details},
        }

    def _confirm(self, intent: Body, params: Body, base_url: str) -> Body:
        if not intent["payment_method"]:
            raise invalid("A payment method is required to confirm.", param="payment_method")
        paying = self._means.card_of(intent["payment_method"])
        saved = self._means.check_owner(intent["payment_method"], intent["customer"])
        intent["off_session"] = params.get("off_session") == "true"
        if paying.code and not paying.declined_at_capture:
            self._fail(intent, paying.code, paying.decline_code)
            raise declined(paying.code, paying.decline_code, intent)
        if intent["off_session"]:
            if not saved:
                raise invalid("Without the customer only a saved payment method pays.", param="off_session")
            if code := paying.off_session_code:
                about = code if code == "authentication_required" else "card_declined"
                self._fail(intent, about, code)
                raise declined(about, code, intent)
        elif paying.needs_action and (paying.always_asks or not saved):
            return self._ask_customer(intent, params.get("return_url"), base_url)
        return self._authorise(intent, paying)

    def _ask_customer(self, intent: Body, return_url: str | None, base_url: str) -> Body:
        url = f"{base_url.rstrip('/')}/3ds/{intent['id']}"
        redirect = {"url": url, "return_url": return_url}
        intent["status"] = "requires_action"
        intent["next_action"] = {"type": "redirect_to_url", "redirect_to_url": redirect}
        intent["return_url"] = return_url
        self._books.save_intent(intent)
        self._tell("payment_intent.requires_action", intent)
        return intent

    def _authorise(self, intent: Body, paying: Card) -> Body:
        if intent["setup_future_usage"]:
            intent["payment_method"] = self._means.attach(intent["payment_method"], intent["customer"])
        intent["status"] = "requires_capture"
        intent["amount_capturable"] = intent["amount"]
        intent["authorised"] = intent["amount"]
        intent["last_payment_error"] = None
        intent["latest_charge"] = new_id("ch")
        intent["capture_before"] = self._clock() + self._validity(intent, paying)
        self._books.save_intent(intent)
        self._books.set_deadline(intent["id"], intent["capture_before"])
        self._tell("payment_intent.amount_capturable_updated", intent)
        return intent

    def _take(self, intent: Body, paying: Card, amount: int, final: bool, metadata: dict[str, str]) -> Body:
        first = intent["amount_received"] == 0
        intent["amount_received"] += amount
        intent["amount_capturable"] = 0 if final else intent["amount_capturable"] - amount
        _note(intent, metadata)
        intent["captures"] = intent.get("captures", 0) + 1
        intent.setdefault("captured_at", self._clock())
        if intent["amount_capturable"] == 0:
            intent["status"] = "succeeded"
            self._books.set_deadline(intent["id"], None)
        self._books.save_intent(intent)
        if amount > 0:
            of = (intent["id"], intent["currency"], self._clock())
            self._books.add_movement(settlements.movement("capture", *of, amount, metadata))
        self._tell("payment_intent.succeeded" if final else "charge.captured", intent)
        if first and paying.disputed:
            self._disputes.open(intent, amount, "fraudulent")
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
        intent["canceled_at"] = self._clock()
        intent["cancellation_reason"] = reason
        intent["next_action"] = None
        self._books.save_intent(intent)
        self._books.set_deadline(intent["id"], None)
        self._tell("payment_intent.canceled", intent)

    def _validity(self, intent: Body, paying: Card) -> int:
        if _in_person(intent):
            return self._profile.in_person_seconds
        if self._extended(intent, paying):
            return self._profile.extended_seconds
        if intent.get("off_session") and paying.brand == "visa":
            return self._profile.merchant_initiated_seconds
        return self._profile.validity_seconds

    def _extended(self, intent: Body, paying: Card) -> bool:
        able = paying.extendable and self._profile.extended_seconds > 0
        return able and _asks(intent, "request_extended_authorization")

    def _incremental(self, intent: Body, paying: Card) -> bool:
        able = paying.incremental and self._profile.incremental
        in_person = intent["payment_method_options"].get("card_present", {})
        asked = in_person.get("request_incremental_authorization_support") == "true"
        return able and (asked or _asks(intent, "request_incremental_authorization"))

    def _multicapture(self, intent: Body, paying: Card) -> bool:
        return paying.multicapture and self._profile.multicapture and _asks(intent, "request_multicapture")

    def _tell(self, kind: str, thing: Body) -> None:
        tell(self._books, self._clock(), kind, thing)


def _note(intent: Body, metadata: dict[str, str]) -> None:
    if len(intent["metadata"] | metadata) > _MOST_METADATA:
        raise invalid(f"At most {_MOST_METADATA} keys of metadata.", param="metadata")
    intent["metadata"].update(metadata)


def _asks(intent: Body, option: str) -> bool:
    asked: Any = intent["payment_method_options"].get("card", {}).get(option)
    return bool(asked == "if_available")


def _in_person(intent: Body) -> bool:
    return bool(intent["payment_method_types"] == ["card_present"])


def _available(able: bool) -> str:
    return "available" if able else "unavailable"


def _unexpected(intent: Body, verb: str) -> ProviderError:
    return ProviderError(
        400,
        "invalid_request_error",
        f"This PaymentIntent could not be {verb} because it has a status of {intent['status']}.",
        code="payment_intent_unexpected_state",
        payment_intent=intent,
    )
