"""Pages where the customer pays (checkout sessions): open until paid, expired by the shop or by time."""

from simulators.payment_provider import forms
from simulators.payment_provider.amounts import chargeable, currency_of
from simulators.payment_provider.books import Body, Books
from simulators.payment_provider.errors import ProviderError, invalid, missing
from simulators.payment_provider.intents import Intents
from simulators.payment_provider.means import Means
from simulators.payment_provider.news import Clock, new_id, tell
from simulators.payment_provider.profiles import Profile

SHORTEST_SECONDS, LONGEST_SECONDS = 30 * 60, 24 * 3600
_SESSION = "checkout.session"


class Checkout:
    """The rules. The caller holds the transaction."""

    def __init__(self, books: Books, profile: Profile, clock: Clock, intents: Intents, means: Means) -> None:
        self._books = books
        self._profile = profile
        self._clock = clock
        self._intents = intents
        self._means = means

    def create(self, params: Body, base_url: str) -> Body:
        """A page for one amount; the intent is made when the customer pays."""
        if not self._profile.hosted_page:
            raise invalid("This account has no hosted page.", param="mode")
        if params.get("mode") != "payment":
            raise invalid("Only mode=payment is simulated.", param="mode")
        currency, amount = self._price(params)
        now = self._clock()
        expires_at = int(params.get("expires_at") or now + LONGEST_SECONDS)
        # As the real one: a request takes a while.
        if not now + SHORTEST_SECONDS - 60 <= expires_at <= now + LONGEST_SECONDS + 60:
            raise invalid("expires_at must be between 30 minutes and 24 hours from now.", param="expires_at")
        session_id = new_id("cs_test")
        session: Body = {
            "id": session_id,
            "object": _SESSION,
            "amount_total": amount,
            "cancel_url": params.get("cancel_url"),
            "client_reference_id": params.get("client_reference_id"),
            "created": now,
            "currency": currency,
            "customer": None,
            "expires_at": expires_at,
            "livemode": False,
            "metadata": forms.text_map(params.get("metadata")),
            "mode": "payment",
            "payment_intent": None,
            "payment_status": "unpaid",
            "status": "open",
            "success_url": params.get("success_url"),
            "url": f"{base_url.rstrip('/')}/pay/{session_id}",
            "page": base_url,
            "intent_form": self._intent_form(params, currency, amount),
        }
        self._books.save(session)
        self._books.set_deadline(session_id, expires_at)
        return session

    def find(self, session_id: str) -> Body:
        """The page, expired if its time is over. Raises a 404."""
        session = self._books.thing(_SESSION, session_id)
        if session is None:
            raise missing(_SESSION, session_id[:40], "session")
        if session["status"] == "open" and self._clock() >= session["expires_at"]:
            self._expire(session)
        return session

    def expire(self, session_id: str) -> Body:
        """The shop takes the page back."""
        session = self.find(session_id)
        if session["status"] != "open":
            raise invalid(f"Only open sessions can be expired; this one is {session['status']}.", param="session")
        self._expire(session)
        return session

    def pay(self, session_id: str, method: str) -> tuple[Body, str]:
        """The customer pays: the page, and why it was refused, if it was."""
        session = self.find(session_id)
        if session["status"] != "open":
            return session, ""
        form = {"payment_method": method, "confirm": "true", "return_url": session["url"]}
        refusal = ""
        try:
            if session["payment_intent"]:
                intent = self._intents.confirm(session["payment_intent"], form, session["page"])
            else:
                intent = self._intents.create(self._with_customer(session) | form, session["page"])
        except ProviderError as error:
            told = error.body["error"]
            refusal = str(told.get("decline_code") or told.get("code") or told["message"])
            if "payment_intent" not in told:
                return session, refusal
            intent = told["payment_intent"]
        session["payment_intent"] = intent["id"]
        self._books.save(session, intent["id"])
        return self.settle(intent) or session, refusal

    def settle(self, intent: Body) -> Body | None:
        """Completes the page of an intent that was authorised; None when it has no page."""
        pages = self._books.things_of(_SESSION, intent["id"])
        if not pages:
            return None
        session = pages[0]
        if session["status"] == "open" and intent["status"] == "requires_capture":
            session |= {"status": "complete", "customer": intent["customer"]}
            self._books.save(session, intent["id"])
            self._books.set_deadline(session["id"], None)
            tell(self._books, self._clock(), "checkout.session.completed", session)
        return session

    def _expire(self, session: Body) -> None:
        session |= {"status": "expired", "url": None}
        self._books.save(session, session["payment_intent"] or "")
        self._books.set_deadline(session["id"], None)
        if session["payment_intent"] and self._intents.find(session["payment_intent"])["status"] != "canceled":
            self._intents.cancel(session["payment_intent"], "automatic")
        tell(self._books, self._clock(), "checkout.session.expired", session)

    def _price(self, params: Body) -> tuple[str, int]:
        items = params.get("line_items")
        item = items.get("0") if isinstance(items, dict) and len(items) == 1 else None
        price = item.get("price_data") if isinstance(item, dict) and item.get("quantity") == "1" else None
        if not isinstance(price, dict):
            raise invalid("One line item with price_data is simulated.", param="line_items")
        currency = currency_of(price.get("currency"))
        return currency, chargeable(price.get("unit_amount"), "unit_amount", currency, self._profile)

    def _intent_form(self, params: Body, currency: str, amount: int) -> Body:
        data = params.get("payment_intent_data") or {}
        if data.get("capture_method") != "manual":
            raise invalid("Only capture_method=manual is simulated.", param="payment_intent_data")
        return {
            "amount": str(amount),
            "currency": currency,
            "capture_method": "manual",
            "metadata": data.get("metadata") or {},
            "payment_method_options": params.get("payment_method_options") or {},
            "setup_future_usage": data.get("setup_future_usage"),
            "customer": params.get("customer"),
        }

    def _with_customer(self, session: Body) -> Body:
        """A page makes a customer of whoever's means is to be saved."""
        form: Body = dict(session["intent_form"])
        if form["setup_future_usage"] and not form["customer"]:
            form["customer"] = self._means.create_customer({})["id"]
        return form
