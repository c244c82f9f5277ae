"""Stripe's hosted page (a checkout session): an authorisation that the customer makes in an own time."""

from typing import TYPE_CHECKING

import stripe

from services.payments.domain.model import Operation, Tender
from services.payments.domain.outcome import Outcome
from services.payments.providers import Abilities, AnswerLost, Authorisation, Page
from services.payments.providers import stripe_reading as reading
from services.payments.providers.stripe_calls import Refused, ask, found, key, made_by, metadata

if TYPE_CHECKING:
    from stripe.params import PaymentIntentCreateParamsPaymentMethodOptionsCard as Options
    from stripe.params.checkout import SessionCreateParams
    from stripe.params.checkout import SessionCreateParamsPaymentMethodOptionsCard as PageOptions

_EXPAND = ["payment_intent", "payment_intent.latest_charge"]


class StripePages:
    """Opens, closes, and finds pages; the payment intent behind one is found by it."""

    def __init__(self, client: stripe.StripeClient, abilities: Abilities) -> None:
        self._client = client
        self._abilities = abilities

    async def open(self, tender: Tender, operation: Operation, page: Page, amount: int) -> Outcome:
        """A page for one amount in the provider's minor units. Raises Refused."""
        asked: SessionCreateParams = {
            "mode": "payment",
            "allowed_payment_method_types": ["card"],
            "line_items": [
                {
                    "quantity": 1,
                    "price_data": {
                        "currency": operation.currency.lower(),
                        "unit_amount": amount,
                        "product_data": {"name": page.title},
                    },
                }
            ],
            "payment_intent_data": {
                "capture_method": "manual",
                "metadata": metadata(operation) | {reading.OF_PAGE: "1"},
            },
            "payment_method_options": {"card": self._page_options(tender, operation)},
            "expires_at": int(page.expires_at.timestamp()),
            "success_url": page.paid_url,
            "cancel_url": page.back_url,
            "client_reference_id": operation.order_id,
            "metadata": metadata(operation),
            "expand": _EXPAND,
        }
        if tender.save_means and self._abilities.saves_means:
            asked["customer_creation"] = "always"
            asked["payment_intent_data"]["setup_future_usage"] = "off_session"
        session = await ask(self._client.v1.checkout.sessions.create_async(asked, key(operation)))
        outcome = reading.page_outcome(session.to_dict(), self._abilities.validity)
        if outcome is None:
            raise AnswerLost("the provider is still deciding")
        return outcome

    async def authorisation(self, page_id: str) -> Authorisation | None:
        """What came of a page: the payment that was made there, or that there is none."""
        session = await found(self._client.v1.checkout.sessions.retrieve_async(page_id, {"expand": _EXPAND}))
        if session is None:
            return None
        told = session.to_dict()
        if told["status"] == "complete" and isinstance(told["payment_intent"], dict):
            return reading.authorisation(told["payment_intent"], self._abilities.validity)
        return reading.not_yet_paid(told, reading.page_outcome(told, self._abilities.validity))

    async def trace_of(self, operation: Operation, since: int) -> Outcome | None:
        """What became of the page that an operation opened, made since then in seconds."""
        asked = self._client.v1.checkout.sessions.list_async({"created": {"gte": since}, "limit": 100})
        session = await made_by(operation, asked)
        paid = await self.authorisation(session["id"]) if session else None
        return paid.outcome if paid else None

    async def close(self, page_id: str) -> str:
        """Nobody can pay there any more; the id of the payment that was begun there, or an empty text."""
        try:
            session = await ask(self._client.v1.checkout.sessions.expire_async(page_id))
        except Refused as refusal:
            # Paid or expired already, or there is no such page.
            known = await self.authorisation(page_id)
            if known is None or known.provider_payment_id != page_id:
                return known.provider_payment_id if known else ""
            if not known.ended:
                raise AnswerLost(f"not closed: {refusal.code}") from None
            return ""
        return str(session.payment_intent or "")

    def card_options(self, tender: Tender, operation: Operation) -> "Options":
        """What is asked of a card, of what the account can do."""
        options: Options = {}
        if self._abilities.multi_capture:
            options["request_multicapture"] = "if_available"
        if self._abilities.incremental:
            options["request_incremental_authorization"] = "if_available"
        longer = self._abilities.longest_validity > self._abilities.validity
        if longer and not self._abilities.holds_long_enough(operation.intended_at, tender.needed_until):
            options["request_extended_authorization"] = "if_available"
        return options

    def _page_options(self, tender: Tender, operation: Operation) -> "PageOptions":
        # The same words for both; their types are different.
        options: PageOptions = {**self.card_options(tender, operation)}  # type: ignore[typeddict-item]
        return options
