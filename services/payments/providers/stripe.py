"""Stripe's payment intents through its official SDK: manual capture, several captures when the card allows.

Keys: an operation's id is its idempotency key, and is written into the provider's metadata, so that an operation
can be found again when its answer was lost. Nothing that the provider answers is logged but its codes.
"""

import logging
from collections.abc import Awaitable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import stripe

from services.payments.domain.model import Kind, MeansKind, Operation, State, Tender
from services.payments.domain.outcome import Outcome, failed
from services.payments.providers import Abilities, AnswerLost, Authorisation, BadSignature, ProviderEvent
from services.payments.providers.stripe_money import NotPayable, from_wire, to_wire

_log = logging.getLogger(__name__)
# Of an intent that holds nothing more.
_ENDED = ("canceled", "succeeded")
_EXPAND = ["latest_charge"]
# Clocks differ; an intent is looked for from this long before ours says that it was meant.
_CLOCK_SKEW = timedelta(minutes=5)

T = TypeVar("T")


class _Refused(Exception):
    """The provider said no: nothing was done."""

    def __init__(self, code: str, intent_id: str = "") -> None:
        super().__init__(code)
        self.code = code
        self.intent_id = intent_id


class StripeProvider:
    """One account at Stripe, or at anything that answers like it."""

    name = "stripe"
    abilities = Abilities(
        partial_capture=True,
        multi_capture=True,
        validity=timedelta(days=7),
        # Stripe keeps keys for at least 24 hours.
        key_validity=timedelta(hours=23),
    )

    def __init__(
        self, *, url: str, api_key: str, webhook_secret: str, return_url: str, timeout_seconds: float
    ) -> None:
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

    async def perform(self, tender: Tender, operation: Operation) -> Outcome:
        """See Provider."""
        try:
            amount = to_wire(operation.amount_minor, operation.currency)
            match operation.kind:
                case Kind.AUTHORIZE if tender.means.kind is MeansKind.PROVIDER_AUTHORISATION:
                    return await self._take_over(tender, operation)
                case Kind.AUTHORIZE:
                    return await self._authorize(tender, operation, amount)
                case Kind.CAPTURE:
                    return await self._capture(tender, operation, amount)
                case Kind.VOID:
                    return await self._cancel(tender, operation)
                case Kind.REFUND:
                    return await self._refund(tender, operation, amount)
        except NotPayable:
            return failed("amount_precision")
        except _Refused as refusal:
            return failed(refusal.code, refusal.intent_id)

    async def look(self, tender: Tender, operation: Operation) -> Outcome | None:
        """See Provider. Lists and reads only, which are consistent at Stripe (its search is not)."""
        match operation.kind:
            case Kind.AUTHORIZE:
                found = await self._intent_of(operation)
                return self._outcome(found) if found else None
            case Kind.CAPTURE:
                intent = await self._intent(tender.provider_payment_id)
                done = intent is not None and operation.operation_id in (intent["metadata"] or {})
                return Outcome(State.SUCCEEDED, tender.provider_payment_id) if done else None
            case Kind.VOID:
                intent = await self._intent(tender.provider_payment_id)
                done = intent is not None and intent["status"] == "canceled"
                return Outcome(State.SUCCEEDED, tender.provider_payment_id) if done else None
            case Kind.REFUND:
                return await self._refund_of(tender, operation)

    async def authorisation(self, provider_payment_id: str) -> Authorisation | None:
        """See Provider."""
        intent = await self._intent(provider_payment_id)
        return self._authorisation(intent) if intent else None

    async def authorisations(self, since: datetime, until: datetime, most: int) -> Mapping[str, Authorisation]:
        """See Provider."""
        page = await self._ask(
            self._client.v1.payment_intents.list_async(
                {
                    "created": {"gte": int(since.timestamp()), "lte": int(until.timestamp())},
                    "limit": 100,
                    "expand": [f"data.{name}" for name in _EXPAND],
                }
            )
        )
        found: dict[str, Authorisation] = {}
        while True:
            found.update((intent.id, self._authorisation(intent.to_dict())) for intent in page.data)
            if not page.has_more or len(found) >= most:
                return found
            page = await self._ask(page.next_page_async())

    def _authorisation(self, intent: dict[str, Any]) -> Authorisation:
        metadata, charge = intent["metadata"] or {}, intent.get("latest_charge")
        currency = intent["currency"].upper()
        return Authorisation(
            provider_payment_id=intent["id"],
            operation_id=metadata.get("operation_id", ""),
            outcome=self._outcome(intent),
            ended=intent["status"] in _ENDED,
            captured=from_wire(intent["amount_received"], currency),
            refunded=from_wire(charge["amount_refunded"] if isinstance(charge, dict) else 0, currency),
        )

    async def release(self, tender: Tender) -> None:
        """See Provider. Cancelling an intent that was captured in part lets the rest go."""
        try:
            await self._ask(self._client.v1.payment_intents.cancel_async(tender.provider_payment_id))
        except _Refused as refusal:
            # Cancelled or wholly captured already: nothing is held.
            intent = await self._intent(tender.provider_payment_id)
            if intent is not None and intent["status"] not in _ENDED:
                raise AnswerLost(f"not released: {refusal.code}") from None

    def read_event(self, payload: bytes, signature: str) -> ProviderEvent:
        """See Provider."""
        try:
            event = self._client.construct_event(payload, signature, self._webhook_secret)
            told = event.to_dict()
            thing = told["data"]["object"]
            event_id, kind = str(told["id"]), str(told["type"])
            if thing.get("object") != "payment_intent":
                return ProviderEvent(event_id, kind)
            operation_id = str((thing.get("metadata") or {}).get("operation_id", ""))
            return ProviderEvent(event_id, kind, str(thing["id"]), operation_id, thing.get("status") in _ENDED)
        except (stripe.SignatureVerificationError, UnicodeDecodeError) as error:
            raise BadSignature(type(error).__name__) from None
        except (AttributeError, KeyError, TypeError) as error:
            raise ValueError(f"not an event: {type(error).__name__}") from None

    async def close(self) -> None:
        """See Provider."""
        await self._http.close_async()  # type: ignore[no-untyped-call]

    async def _authorize(self, tender: Tender, operation: Operation, amount: int) -> Outcome:
        intent = await self._ask(
            self._client.v1.payment_intents.create_async(
                {
                    "amount": amount,
                    "currency": operation.currency.lower(),
                    "capture_method": "manual",
                    "confirm": True,
                    "payment_method": tender.means.reference,
                    "allowed_payment_method_types": ["card"],
                    "payment_method_options": {"card": {"request_multicapture": "if_available"}},
                    "return_url": self._return_url,
                    "metadata": {"order_id": operation.order_id, "operation_id": operation.operation_id},
                    "expand": _EXPAND,
                },
                _key(operation),
            )
        )
        outcome = self._outcome(intent.to_dict())
        if outcome is None:
            raise AnswerLost("the provider is still deciding")
        return outcome

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
        if from_wire(intent["amount_capturable"], currency) < operation.amount_minor:
            return failed("authorisation_too_small")
        outcome = self._outcome(intent)
        if outcome is None:
            raise AnswerLost("the provider is still deciding")
        return outcome

    async def _capture(self, tender: Tender, operation: Operation, amount: int) -> Outcome:
        intent = await self._ask(
            self._client.v1.payment_intents.capture_async(
                tender.provider_payment_id,
                {
                    "amount_to_capture": amount,
                    "final_capture": operation.final,
                    # Found again by `look`: the intent carries the id of each capture.
                    "metadata": {operation.operation_id: str(amount)},
                },
                _key(operation),
            )
        )
        return Outcome(State.SUCCEEDED, reference=intent.id)

    async def _cancel(self, tender: Tender, operation: Operation) -> Outcome:
        reference = tender.provider_payment_id
        try:
            await self._ask(
                self._client.v1.payment_intents.cancel_async(reference, {}, _key(operation)),
            )
        except _Refused:
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
        refund = await self._ask(
            self._client.v1.refunds.create_async(
                {
                    "payment_intent": tender.provider_payment_id,
                    "amount": amount,
                    "metadata": {"order_id": operation.order_id, "operation_id": operation.operation_id},
                },
                _key(operation),
            )
        )
        return _refund_outcome(refund.to_dict())

    async def _intent(self, intent_id: str) -> dict[str, Any] | None:
        try:
            intent = await self._ask(
                self._client.v1.payment_intents.retrieve_async(intent_id, {"expand": _EXPAND})
            )
        except _Refused as refusal:
            if refusal.code == "resource_missing":
                return None
            raise AnswerLost(f"not readable: {refusal.code}") from None
        return intent.to_dict()

    async def _intent_of(self, operation: Operation) -> dict[str, Any] | None:
        since = int((operation.intended_at - _CLOCK_SKEW).timestamp())
        page = await self._ask(
            self._client.v1.payment_intents.list_async({"created": {"gte": since}, "limit": 100})
        )
        while True:
            for intent in page.data:
                if (intent.to_dict()["metadata"] or {}).get("operation_id") == operation.operation_id:
                    return await self._intent(intent.id)
            if not page.has_more:
                return None
            page = await self._ask(page.next_page_async())

    async def _refund_of(self, tender: Tender, operation: Operation) -> Outcome | None:
        page = await self._ask(
            self._client.v1.refunds.list_async({"payment_intent": tender.provider_payment_id, "limit": 100})
        )
        while True:
            for refund in page.data:
                found = refund.to_dict()
                if (found["metadata"] or {}).get("operation_id") == operation.operation_id:
                    return _refund_outcome(found)
            if not page.has_more:
                return None
            page = await self._ask(page.next_page_async())

    def _outcome(self, intent: dict[str, Any]) -> Outcome | None:
        """The answer to an authorisation; None while the provider has not decided."""
        match intent["status"]:
            case "requires_capture":
                return self._authorised(intent)
            case "succeeded" if intent["amount_received"] > 0:
                return self._authorised(intent)
            case "requires_action":
                url = ((intent["next_action"] or {}).get("redirect_to_url") or {}).get("url") or ""
                return Outcome(State.ACTION_REQUIRED, reference=intent["id"], next_action_url=url)
            case "requires_payment_method" if intent.get("last_payment_error"):
                error = intent["last_payment_error"]
                return failed(error.get("decline_code") or error.get("code") or "declined", intent["id"])
            case "canceled":
                return failed("canceled", intent["id"])
            case _:
                return None

    def _authorised(self, intent: dict[str, Any]) -> Outcome:
        charge = intent.get("latest_charge")
        card = (charge["payment_method_details"].get("card") or {}) if isinstance(charge, dict) else {}
        created = datetime.fromtimestamp(intent["created"], UTC)
        until = card.get("capture_before")
        return Outcome(
            State.SUCCEEDED,
            reference=intent["id"],
            expires_at=datetime.fromtimestamp(until, UTC) if until else created + self.abilities.validity,
            multi_capture=(card.get("multicapture") or {}).get("status") == "available",
        )

    async def _ask(self, call: Awaitable[T]) -> T:
        """Turns the SDK's errors into a refusal or a lost answer; nothing of theirs goes further."""
        try:
            return await call
        except stripe.CardError as error:
            details = (error.json_body or {}).get("error", {}) if isinstance(error.json_body, dict) else {}
            intent = details.get("payment_intent") or {}
            code = details.get("decline_code") or error.code or "card_declined"
            raise _Refused(code, intent.get("id", "")) from None
        except stripe.InvalidRequestError as error:
            raise _Refused(error.code or "invalid_request") from None
        except stripe.StripeError as error:
            headers = {name.lower(): value for name, value in (error.headers or {}).items()}
            ended = (error.http_status or 0) >= 500 and headers.get("idempotent-replayed") == "true"
            kind = type(error).__name__
            level = logging.WARNING if isinstance(error, stripe.APIConnectionError | stripe.APIError) else 40
            _log.log(level, "no answer from the provider: %s, status %s", kind, error.http_status)
            raise AnswerLost(kind, ended=ended) from None


def _key(operation: Operation) -> stripe.RequestOptions:
    key = operation.operation_id
    return {"idempotency_key": key if operation.attempt == 1 else f"{key}/{operation.attempt}"}


def _refund_outcome(refund: dict[str, Any]) -> Outcome:
    if refund["status"] in ("failed", "canceled"):
        return failed(refund.get("failure_reason") or "refund_failed", refund["id"])
    # "pending" has been accepted: the money is on its way.
    return Outcome(State.SUCCEEDED, reference=refund["id"])
