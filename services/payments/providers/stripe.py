"""Stripe's payment intents through its official SDK: manual capture, several captures when the card allows.

Keys: an operation's id is its idempotency key, and is written into the provider's metadata, so that an operation
can be found again when its answer was lost. Nothing that the provider answers is logged but its codes.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import stripe

from services.payments.domain.model import Kind, MeansKind, Operation, State, Tender
from services.payments.domain.outcome import Outcome, failed
from services.payments.providers import (
    Abilities,
    AnswerLost,
    Authorisation,
    BadSignature,
    Dispute,
    Page,
    ProviderEvent,
    RefundState,
)
from services.payments.providers import stripe_reading as reading
from services.payments.providers.stripe_abilities import STRIPE
from services.payments.providers.stripe_calls import Refused, ask, found, key, made_by, metadata
from services.payments.providers.stripe_means import StripeMeans
from services.payments.providers.stripe_money import NotPayable, to_wire
from services.payments.providers.stripe_pages import StripePages
from services.payments.providers.stripe_readers import StripeReaders

if TYPE_CHECKING:
    from stripe.params import PaymentIntentCreateParams

_EXPAND = ["latest_charge"]
# Clocks differ; an intent is looked for from this long before ours says that it was meant.
_CLOCK_SKEW = timedelta(minutes=5)


class StripeProvider:
    """One account at Stripe, or at anything that answers like it; `abilities` are what its contract has."""

    def __init__(
        self,
        *,
        url: str,
        api_key: str,
        webhook_secret: str,
        return_url: str,
        timeout_seconds: float,
        name: str = "stripe",
        abilities: Abilities = STRIPE,
    ) -> None:
        self.name = name
        self.abilities = abilities
        # Loading the authorities costs a tenth of a second, for nothing where there is no TLS (the simulator).
        self._http = stripe.HTTPXClient(timeout=timeout_seconds, verify_ssl_certs=not url.startswith("http://"))
        self._client = stripe.StripeClient(
            api_key,
            base_addresses={"api": url.rstrip("/")},
            max_network_retries=0,
            http_client=self._http,
        )
        self._webhook_secret = webhook_secret
        self._return_url = return_url
        self._means = StripeMeans(self._client, return_url)
        self._pages = StripePages(self._client, abilities)
        self._readers = StripeReaders(self._client, abilities)

    async def perform(self, tender: Tender, operation: Operation) -> Outcome:
        """See Provider."""
        try:
            amount = to_wire(operation.amount_minor, operation.currency)
            match operation.kind:
                case Kind.AUTHORIZE if tender.authorized > 0:
                    return await self._increment(tender, operation)
                case Kind.AUTHORIZE if tender.means.kind is MeansKind.PROVIDER_AUTHORISATION:
                    return await self._take_over(tender, operation)
                case Kind.AUTHORIZE if tender.means.kind is MeansKind.TERMINAL:
                    return await self._on_reader(tender, operation, amount)
                case Kind.AUTHORIZE:
                    return await self._authorize(tender, operation, amount)
                case Kind.CAPTURE:
                    return await self._capture(tender, operation, amount)
                case Kind.VOID:
                    return await self._cancel(tender, operation)
                case Kind.REFUND:
                    return await self._refund(tender, operation, amount)
                case _:
                    raise AssertionError(f"nobody asks for a {operation.kind}")
        except NotPayable:
            return failed("amount_precision")
        except Refused as refusal:
            return failed(refusal.code, refusal.reference)

    async def save_means(self, tender: Tender, operation: Operation) -> Outcome:
        """See Provider. A setup intent."""
        if not self.abilities.saves_means:
            return failed("means_not_saved")
        try:
            return await self._means.save(tender.means.reference, operation)
        except Refused as refusal:
            return failed(refusal.code, refusal.reference)

    async def forget_means(self, saved_means: str) -> None:
        """See Provider."""
        await self._means.forget(saved_means)

    async def open_page(self, tender: Tender, operation: Operation, page: Page) -> Outcome:
        """See Provider. A checkout session."""
        try:
            amount = to_wire(operation.amount_minor, operation.currency)
            return await self._pages.open(tender, operation, page, amount)
        except NotPayable:
            return failed("amount_precision")
        except Refused as refusal:
            return failed(refusal.code, refusal.reference)

    async def look(self, tender: Tender, operation: Operation) -> Outcome | None:
        """See Provider. Lists and reads only, which are consistent at Stripe (its search is not)."""
        match operation.kind:
            case Kind.AUTHORIZE | Kind.SAVE_MEANS if tender.authorized == 0:
                return await self._trace_of(tender, operation)
            case Kind.AUTHORIZE | Kind.CAPTURE:
                intent = await self._intent(tender.provider_payment_id)
                done = intent is not None and operation.operation_id in (intent["metadata"] or {})
                return Outcome(State.SUCCEEDED, tender.provider_payment_id) if done else None
            case Kind.VOID:
                intent = await self._intent(tender.provider_payment_id)
                done = intent is not None and intent["status"] == "canceled"
                return Outcome(State.SUCCEEDED, tender.provider_payment_id) if done else None
            case Kind.REFUND:
                intent_id = tender.provider_payment_id
                asked = self._client.v1.refunds.list_async({"payment_intent": intent_id, "limit": 100})
                refund = await made_by(operation, asked)
                return reading.refund_outcome(refund) if refund else None
            case _:
                raise AssertionError(f"nobody asks for a {operation.kind}")

    async def authorisation(self, provider_payment_id: str) -> Authorisation | None:
        """See Provider."""
        if provider_payment_id.startswith("seti_"):
            return await self._means.saving(provider_payment_id)
        if provider_payment_id.startswith("cs_"):
            return await self._pages.authorisation(provider_payment_id)
        intent = await self._intent(provider_payment_id)
        return reading.authorisation(intent, self.abilities.validity) if intent else None

    async def authorisations(self, since: datetime, until: datetime, most: int) -> Mapping[str, Authorisation]:
        """See Provider."""
        page = await found(
            self._client.v1.payment_intents.list_async(
                {
                    "created": {"gte": int(since.timestamp()), "lte": int(until.timestamp())},
                    "limit": 100,
                    "expand": [f"data.{name}" for name in _EXPAND],
                }
            )
        )
        known: dict[str, Authorisation] = {}
        # What a page brought has been paid for: it is taken whole.
        while page is not None:
            for intent in page.data:
                known[intent.id] = reading.authorisation(intent.to_dict(), self.abilities.validity)
            more = page.has_more and len(known) < most
            page = await found(page.next_page_async()) if more else None
        return known

    async def refund_state(self, reference: str) -> RefundState | None:
        """See Provider."""
        refund = await found(self._client.v1.refunds.retrieve_async(reference))
        return reading.refund_state(refund.to_dict()) if refund else None

    async def dispute(self, reference: str) -> Dispute | None:
        """See Provider."""
        told = await found(self._client.v1.disputes.retrieve_async(reference))
        return reading.dispute(told.to_dict()) if told else None

    async def release(self, tender: Tender) -> None:
        """See Provider. Cancelling an intent that was captured in part lets the rest go."""
        reference = tender.provider_payment_id
        if reference.startswith("seti_"):
            await self._means.give_up(reference)
        elif reference.startswith("cs_"):
            if made_there := await self._pages.close(reference):
                await self._let_go(made_there)
        else:
            if tender.means.kind is MeansKind.TERMINAL and not tender.authorized:
                await self._readers.clear(tender.means.reference, reference)
            await self._let_go(reference)

    def read_event(self, payload: bytes, signature: str) -> ProviderEvent:
        """See Provider."""
        try:
            return reading.event(self._client.construct_event(payload, signature, self._webhook_secret).to_dict())
        except (stripe.SignatureVerificationError, UnicodeDecodeError) as error:
            raise BadSignature(type(error).__name__) from None
        except (AttributeError, KeyError, TypeError) as error:
            raise ValueError(f"not an event: {type(error).__name__}") from None

    async def close(self) -> None:
        """See Provider."""
        await self._http.close_async()  # type: ignore[no-untyped-call]

    async def _authorize(self, tender: Tender, operation: Operation, amount: int) -> Outcome:
        asked: PaymentIntentCreateParams = {
            "amount": amount,
            "currency": operation.currency.lower(),
            "capture_method": "manual",
            "confirm": True,
            "allowed_payment_method_types": ["card"],
            "payment_method_options": {"card": self._pages.card_options(tender, operation)},
            "metadata": metadata(operation),
            "expand": _EXPAND,
        }
        if tender.means.kind is MeansKind.SAVED_MEANS:
            customer, method = _saved(tender.means.reference)
            asked |= {"customer": customer, "payment_method": method, "off_session": True}
        else:
            asked |= {"payment_method": tender.means.reference, "return_url": self._return_url}
            if tender.save_means and self.abilities.saves_means:
                customer = await self._means.customer(operation)
                asked |= {"customer": customer, "setup_future_usage": "off_session"}
        intent = await ask(self._client.v1.payment_intents.create_async(asked, key(operation)))
        return self._decided(intent.to_dict())

    async def _on_reader(self, tender: Tender, operation: Operation, amount: int) -> Outcome:
        try:
            return await self._readers.show(tender, operation, amount)
        except Refused as refusal:
            # No card may pay what the shop takes for refused.
            if refusal.reference:
                await self._let_go(refusal.reference)
            raise

    async def _increment(self, tender: Tender, operation: Operation) -> Outcome:
        total = to_wire(tender.uncaptured + operation.amount_minor, operation.currency)
        if tender.means.kind is MeansKind.PROVIDER_AUTHORISATION:
            known = await self._intent(tender.provider_payment_id)
            if known is not None and known["amount_capturable"] >= total:
                return self._decided(known)  # the channel authorised more than we took over
        intent = await ask(
            self._client.v1.payment_intents.increment_authorization_async(
                tender.provider_payment_id,
                {
                    "amount": total,
                    # Found again by `look`, as a capture is.
                    "metadata": {operation.operation_id: str(total)},
                    "expand": _EXPAND,
                },
                key(operation),
            )
        )
        return self._decided(intent.to_dict())

    async def _take_over(self, tender: Tender, operation: Operation) -> Outcome:
        """An authorisation that the channel made: it must hold at least our amount in our currency."""
        intent = await self._intent(tender.provider_payment_id)
        if intent is None:
            return failed("authorisation_not_found")
        currency = intent["currency"].upper()
        if intent["status"] != "requires_capture":
            return failed("authorisation_not_capturable")
        if currency != operation.currency:
            return failed("authorisation_currency_mismatch")
        if intent["amount_capturable"] < to_wire(operation.amount_minor, currency):
            return failed("authorisation_too_small")
        return self._decided(intent)

    async def _capture(self, tender: Tender, operation: Operation, amount: int) -> Outcome:
        intent = await ask(
            self._client.v1.payment_intents.capture_async(
                tender.provider_payment_id,
                {
                    "amount_to_capture": amount,
                    "final_capture": operation.final,
                    # Found again by `look`: the intent carries the id of each capture.
                    "metadata": {operation.operation_id: str(amount)},
                },
                key(operation),
            )
        )
        return Outcome(State.SUCCEEDED, reference=intent.id)

    async def _cancel(self, tender: Tender, operation: Operation) -> Outcome:
        reference = tender.provider_payment_id
        try:
            await ask(self._client.v1.payment_intents.cancel_async(reference, {}, key(operation)))
        except Refused:
            intent = await self._intent(reference)
            captured = to_wire(tender.captured, tender.currency)
            gone = intent is not None and (
                intent["status"] == "canceled"
                or (intent["status"] == "succeeded" and intent["amount_received"] == captured)
            )
            if not gone:
                raise
        return Outcome(State.SUCCEEDED, reference=reference)

    async def _refund(self, tender: Tender, operation: Operation, amount: int) -> Outcome:
        refund = await ask(
            self._client.v1.refunds.create_async(
                {
                    "payment_intent": tender.provider_payment_id,
                    "amount": amount,
                    "metadata": metadata(operation),
                },
                key(operation),
            )
        )
        return reading.refund_outcome(refund.to_dict())

    async def _intent(self, intent_id: str) -> dict[str, Any] | None:
        intent = await found(self._client.v1.payment_intents.retrieve_async(intent_id, {"expand": _EXPAND}))
        return intent.to_dict() if intent else None

    async def _trace_of(self, tender: Tender, operation: Operation) -> Outcome | None:
        """Of an operation that authorises, opens a page or saves a means."""
        since = int((operation.intended_at - _CLOCK_SKEW).timestamp())
        asked = self._client.v1.payment_intents.list_async(
            {"created": {"gte": since}, "limit": 100, "expand": [f"data.{name}" for name in _EXPAND]}
        )
        intent = await made_by(operation, asked)
        if intent and reading.OF_PAGE not in intent["metadata"]:
            outcome = self._decided(intent)
            if outcome.state is State.ACTION_REQUIRED and tender.means.kind is MeansKind.TERMINAL:
                # One that no reader shows holds nothing, and never will.
                return outcome if await self._readers.shows(tender.means.reference, intent["id"]) else None
            return outcome
        if self.abilities.hosted_page and (page := await self._pages.trace_of(operation, since)):
            return page
        return await self._means.trace_of(operation, since) if self.abilities.saves_means else None

    async def _let_go(self, intent_id: str) -> None:
        try:
            await ask(self._client.v1.payment_intents.cancel_async(intent_id))
        except Refused as refusal:
            # Cancelled or wholly captured already: nothing is held.
            intent = await self._intent(intent_id)
            if intent is not None and intent["status"] not in reading.ENDED:
                raise AnswerLost(f"not released: {refusal.code}") from None

    def _decided(self, intent: dict[str, Any]) -> Outcome:
        outcome = reading.intent_outcome(intent, self.abilities.validity)
        if outcome is None:
            raise AnswerLost("the provider is still deciding")
        return outcome


def _saved(reference: str) -> tuple[str, str]:
    """The customer and the means behind what `Outcome.saved_means` said. Raises Refused."""
    customer, _, method = reference.partition("/")
    if not customer or not method:
        raise Refused("saved_means_unknown")
    return customer, method
