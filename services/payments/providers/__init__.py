"""Payment providers behind one small interface."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from services.payments.domain.model import Operation, Tender
from services.payments.domain.outcome import Outcome


@dataclass(frozen=True, slots=True)
class Abilities:
    """What a provider can do. A tender may be able to do less (see `Tender.multi_capture`)."""

    partial_capture: bool
    multi_capture: bool
    # How long an authorisation holds when the provider does not say.
    validity: timedelta
    # How long the same idempotency key is sure to give the same answer.
    key_validity: timedelta


class AnswerLost(Exception):
    """The provider may or may not have done it. Never a refusal.

    `ended` says that the attempt is over: repeating it with its key would only give the same non-answer.
    """

    def __init__(self, detail: str, *, ended: bool = False) -> None:
        super().__init__(detail)
        self.ended = ended


class BadSignature(Exception):
    """Whoever posted this event does not know the secret."""


@dataclass(frozen=True, slots=True)
class Authorisation:
    """What the provider says of one of its payments. `outcome` is None while nothing is decided there."""

    provider_payment_id: str
    # That made it; empty when a channel did.
    operation_id: str
    outcome: Outcome | None
    # It holds nothing any more; what it had not captured was let go.
    ended: bool
    captured: int
    refunded: int


@dataclass(frozen=True, slots=True)
class ProviderEvent:
    """Something happened to a payment; ask what. `provider_payment_id` is empty when it is about another thing."""

    event_id: str
    type: str
    provider_payment_id: str = ""
    # That made it; empty when a channel did.
    operation_id: str = ""
    # It says that the payment holds nothing any more.
    ended: bool = False


class Provider(Protocol):
    """Every call but `read_event` goes over the network and may raise AnswerLost."""

    name: str
    abilities: Abilities

    async def perform(self, tender: Tender, operation: Operation) -> Outcome:
        """Carries out the operation under its key: repeated, it is done once and answers the same."""
        ...

    async def look(self, tender: Tender, operation: Operation) -> Outcome | None:
        """What became of an operation whose attempt is over; None: it did nothing."""
        ...

    async def authorisation(self, provider_payment_id: str) -> Authorisation | None:
        """The truth about one payment; None when there is no such thing."""
        ...

    async def authorisations(self, since: datetime, until: datetime, most: int) -> Mapping[str, Authorisation]:
        """The truth about payments that were made there in this time, by id: some `most` of them, in few calls."""
        ...

    async def release(self, tender: Tender) -> None:
        """Lets go of whatever is still held or still to be confirmed. Accepts that nothing is."""
        ...

    def read_event(self, payload: bytes, signature: str) -> ProviderEvent:
        """Verifies and reads. Raises BadSignature, ValueError."""
        ...

    async def close(self) -> None:
        """Ends the connections."""
        ...
