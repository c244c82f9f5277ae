"""Customers, the means of payment they saved, and saving without paying (setup intents)."""

from typing import Any

from simulators.payment_provider import forms
from simulators.payment_provider.books import Body, Books
from simulators.payment_provider.cards import Card, card
from simulators.payment_provider.errors import ProviderError, declined, invalid, missing
from simulators.payment_provider.news import Clock, new_id, tell
from simulators.payment_provider.profiles import Profile

_CUSTOMER, _METHOD, _SETUP = "customer", "payment_method", "setup_intent"


class Means:
    """Who pays with what, again and again. The caller holds the transaction."""

    def __init__(self, books: Books, profile: Profile, clock: Clock) -> None:
        self._books = books
        self._profile = profile
        self._clock = clock

    def create_customer(self, params: Body) -> Body:
        """Someone whose means can be kept; nothing is known of the person."""
        customer = {
            "id": new_id("cus"),
            "object": _CUSTOMER,
            "created": self._clock(),
            "livemode": False,
            "metadata": forms.text_map(params.get("metadata")),
        }
        self._books.save(customer)
        return customer

    def card_of(self, method: Any) -> Card:
        """What is behind a token or a saved means. Raises a 404."""
        saved = self._books.thing(_METHOD, str(method))
        paying = card(saved["token"] if saved else str(method))
        if paying is None:
            raise missing("PaymentMethod", str(method)[:40], "payment_method")
        return paying

    def check_owner(self, method: Any, customer: Any) -> bool:
        """Whether it is a saved means, which only its customer may pay with."""
        saved = self._books.thing(_METHOD, str(method))
        if saved is not None and (not customer or saved["customer"] != customer):
            raise invalid(
                "The payment method must be attached to the customer.",
                code="resource_missing",
                param="payment_method",
            )
        return saved is not None

    def check_savable(self, customer: Any) -> None:
        """That the account keeps means, and whose it is to be. Raises a 400 or a 404."""
        if not self._profile.saves_means:
            raise invalid("This account does not save means of payment.", param="setup_future_usage")
        if not customer:
            raise invalid("A customer is required to save a payment method.", param="customer")
        if self._books.thing(_CUSTOMER, str(customer)) is None:
            raise missing("customer", str(customer)[:40], "customer")

    def attach(self, method: str, customer: str) -> str:
        """The id of the saved means behind a token."""
        if self._books.thing(_METHOD, method) is not None:
            return method
        saved = {
            "id": new_id("pm"),
            "object": _METHOD,
            "card": {"brand": self.card_of(method).brand},
            "created": self._clock(),
            "customer": customer,
            "livemode": False,
            "metadata": {},
            "type": "card",
            "token": method,
        }
        self._books.save(saved, customer)
        return str(saved["id"])

    def detach(self, method: str) -> Body:
        """It can not be paid with any more."""
        saved = self._books.thing(_METHOD, method)
        if saved is None:
            raise missing("PaymentMethod", method[:40], "payment_method")
        saved["customer"] = None
        self._books.save(saved)
        return saved

    def set_up(self, params: Body, base_url: str) -> Body:
        """Saves a means without paying; may first ask the customer. Confirmed at once."""
        if params.get("confirm") != "true" or not params.get("payment_method"):
            raise invalid("Only setup intents that are confirmed at once are simulated.", param="confirm")
        self.check_savable(params.get("customer"))
        paying = self.card_of(params["payment_method"])
        setup = {
            "id": new_id("seti"),
            "object": _SETUP,
            "cancellation_reason": None,
            "created": self._clock(),
            "customer": params["customer"],
            "last_setup_error": None,
            "livemode": False,
            "metadata": forms.text_map(params.get("metadata")),
            "next_action": None,
            "payment_method": params["payment_method"],
            "payment_method_types": ["card"],
            "return_url": params.get("return_url"),
            "status": "requires_payment_method",
            "usage": "off_session",
        }
        if paying.code and not paying.declined_at_capture:
            self._fail(setup, paying.code, paying.decline_code)
            raise declined(paying.code, paying.decline_code, setup, name=_SETUP)
        if paying.needs_action:
            url = f"{base_url.rstrip('/')}/3ds/{setup['id']}"
            redirect = {"url": url, "return_url": setup["return_url"]}
            setup |= {
                "status": "requires_action",
                "next_action": {"type": "redirect_to_url", "redirect_to_url": redirect},
            }
            self._books.save(setup)
            return setup
        return self._succeed(setup)

    def find_setup(self, setup_id: str) -> Body:
        """One setup intent. Raises a 404."""
        setup = self._books.thing(_SETUP, setup_id)
        if setup is None:
            raise missing(_SETUP, setup_id[:40], "intent")
        return setup

    def authenticate(self, setup_id: str, approved: bool) -> Body:
        """The customer acted. What no longer waits is left as it is."""
        setup = self.find_setup(setup_id)
        if setup["status"] != "requires_action":
            return setup
        setup["next_action"] = None
        if approved:
            return self._succeed(setup)
        return self._fail(setup, "setup_intent_authentication_failure", "")

    def cancel_setup(self, setup_id: str) -> Body:
        """Gives up saving."""
        setup = self.find_setup(setup_id)
        if setup["status"] in ("succeeded", "canceled"):
            raise ProviderError(
                400,
                "invalid_request_error",
                f"This SetupIntent could not be canceled because it has a status of {setup['status']}.",
                code="setup_intent_unexpected_state",
            )
        setup |= {"status": "canceled", "next_action": None}
        self._books.save(setup)
        tell(self._books, self._clock(), "setup_intent.canceled", setup)
        return setup

    def _succeed(self, setup: Body) -> Body:
        setup["payment_method"] = self.attach(setup["payment_method"], setup["customer"])
        setup["status"] = "succeeded"
        self._books.save(setup)
        tell(self._books, self._clock(), "setup_intent.succeeded", setup)
        return setup

    def _fail(self, setup: Body, code: str, decline_code: str) -> Body:
        setup["status"] = "requires_payment_method"
        setup["last_setup_error"] = {
            "type": "card_error",
            "code": code,
            "decline_code": decline_code or None,
            "message": "The means of payment was refused.",
        }
        self._books.save(setup)
        tell(self._books, self._clock(), "setup_intent.setup_failed", setup)
        return setup
