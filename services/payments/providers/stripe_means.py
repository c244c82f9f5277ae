"""Means of payment that are kept at Stripe: a customer who is nobody, and what it pays with."""

import stripe

from services.payments.domain.model import Operation
from services.payments.domain.outcome import Outcome
from services.payments.providers import AnswerLost, Authorisation
from services.payments.providers import stripe_reading as reading
from services.payments.providers.stripe_calls import Refused, ask, found, key, made_by, metadata


class StripeMeans:
    """Saves, forgets, and finds what was saved."""

    def __init__(self, client: stripe.StripeClient, return_url: str) -> None:
        self._client = client
        self._return_url = return_url

    async def customer(self, operation: Operation) -> str:
        """Whom the means is kept for: made once for an operation. One that is never used does no harm."""
        customer = await ask(
            self._client.v1.customers.create_async({"metadata": metadata(operation)}, key(operation, "customer"))
        )
        return str(customer.id)

    async def save(self, method: str, operation: Operation) -> Outcome:
        """Asks the bank, and maybe the customer, that the means may be charged later. Raises Refused."""
        setup = await ask(
            self._client.v1.setup_intents.create_async(
                {
                    "customer": await self.customer(operation),
                    "payment_method": method,
                    "allowed_payment_method_types": ["card"],
                    "confirm": True,
                    "usage": "off_session",
                    "return_url": self._return_url,
                    "metadata": metadata(operation),
                },
                key(operation),
            )
        )
        outcome = reading.setup_outcome(setup.to_dict())
        if outcome is None:
            raise AnswerLost("the provider is still deciding")
        return outcome

    async def saving(self, setup_id: str) -> Authorisation | None:
        """How a saving stands."""
        setup = await found(self._client.v1.setup_intents.retrieve_async(setup_id))
        if setup is None:
            return None
        told = setup.to_dict()
        return reading.not_yet_paid(told, reading.setup_outcome(told))

    async def trace_of(self, operation: Operation, since: int) -> Outcome | None:
        """What an operation saved, made since then in seconds."""
        asked = self._client.v1.setup_intents.list_async({"created": {"gte": since}, "limit": 100})
        setup = await made_by(operation, asked)
        return reading.setup_outcome(setup) if setup else None

    async def give_up(self, setup_id: str) -> None:
        """Nothing is saved any more by it; accepts that it has ended."""
        try:
            await ask(self._client.v1.setup_intents.cancel_async(setup_id))
        except Refused as refusal:
            saving = await self.saving(setup_id)
            if saving is not None and not saving.ended:
                raise AnswerLost(f"not given up: {refusal.code}") from None

    async def forget(self, saved_means: str) -> None:
        """Detaches it: it can not be charged any more, nor attached again."""
        _, _, method = saved_means.partition("/")
        try:
            await ask(self._client.v1.payment_methods.detach_async(method))
        except Refused as refusal:
            # "resource_missing": unknown, or detached before.
            if refusal.code not in ("resource_missing", "invalid_request"):
                raise AnswerLost(f"not forgotten: {refusal.code}") from None
