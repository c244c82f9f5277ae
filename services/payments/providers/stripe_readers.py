"""Stripe's readers on a shop's counter: an intent is shown there, and the customer's card decides."""

import stripe

from services.payments.domain.model import Operation, State, Tender
from services.payments.domain.outcome import Outcome
from services.payments.providers import Abilities
from services.payments.providers.stripe_calls import Refused, ask, found, key, metadata


class StripeReaders:
    """Shows an intent, tells whether it is shown, and takes it away."""

    def __init__(self, client: stripe.StripeClient, abilities: Abilities) -> None:
        self._client = client
        self._abilities = abilities

    async def show(self, tender: Tender, operation: Operation, amount: int) -> Outcome:
        """ACTION_REQUIRED without an address. Raises Refused with the intent's id: it is then to be let go."""
        intent = await ask(
            self._client.v1.payment_intents.create_async(
                {
                    "amount": amount,
                    "currency": operation.currency.lower(),
                    "capture_method": "manual",
                    "allowed_payment_method_types": ["card_present"],
                    "payment_method_options": {
                        "card_present": {"request_incremental_authorization_support": self._abilities.incremental}
                    },
                    "metadata": metadata(operation),
                },
                key(operation),
            )
        )
        try:
            await ask(
                self._client.v1.terminal.readers.process_payment_intent_async(
                    tender.means.reference, {"payment_intent": intent.id}, key(operation, "reader")
                )
            )
        except Refused as refusal:
            raise Refused(refusal.code, intent.id) from None
        return Outcome(State.ACTION_REQUIRED, intent.id)

    async def shows(self, reader_id: str, intent_id: str) -> bool:
        """Whether the reader waits for a card for this intent."""
        reader = await found(self._client.v1.terminal.readers.retrieve_async(reader_id))
        action = reader.to_dict()["action"] if reader else None
        if not action or action["status"] != "in_progress":
            return False
        return bool((action.get("process_payment_intent") or {}).get("payment_intent") == intent_id)

    async def clear(self, reader_id: str, intent_id: str) -> None:
        """The reader does not show it any more. A card that is being read may still pay; see the intent."""
        if await self.shows(reader_id, intent_id):
            try:
                await ask(self._client.v1.terminal.readers.cancel_action_async(reader_id))
            except Refused:
                return
