"""Payment providers behind one small interface."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol

from services.payments.domain.later import Dispute as Dispute
from services.payments.domain.later import DisputeStatus as DisputeStatus
from services.payments.domain.later import RefundState as RefundState
from services.payments.domain.later import RefundStatus as RefundStatus
from services.payments.domain.model import Kind, Operation, Tender
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
    # How long it holds at most when that is asked and the card allows it; `validity` where nothing can be asked.
    longest_validity: timedelta
    # Of one authorisation.
    most_captures: int = 1
    # An authorisation of which nothing was captured yet may be raised, where the card allows it.
    incremental: bool = False
    # How often.
    most_increments: int = 0
    # Means may be kept and charged without the customer.
    saves_means: bool = False
    # Has a page where the customer pays, open for not less and not more than these.
    hosted_page: bool = False
    page_shortest: timedelta = timedelta()
    page_longest: timedelta = timedelta()
    # Takes cards on a reader in a shop.
    terminal: bool = False
    # After a capture, a refund is refused once this is over; None: never.
    refund_window: timedelta | None = None
    # What may be authorised, by currency, in its minor units, as far as it is known.
    smallest: Mapping[str, int] = field(default_factory=dict)
    largest: Mapping[str, int] = field(default_factory=dict)
    # Has books that ours can be compared with.
    comparable: bool = True

    def holds_long_enough(self, intended_at: datetime, needed_until: datetime | None) -> bool:
        """Whether a usual authorisation does, so that no longer one need be asked for."""
        return needed_until is None or needed_until <= intended_at + self.validity

    def refusal(self, tender: Tender, operation: Operation) -> str:
        """Why an operation need not be asked for; empty: nothing that is declared speaks against it."""
        amount = operation.amount_minor
        match operation.kind:
            case Kind.AUTHORIZE if not tender.authorized and amount < self.smallest.get(operation.currency, 0):
                return "amount_too_small"
            case Kind.AUTHORIZE if tender.uncaptured + amount > self.largest.get(operation.currency, amount + 1):
                return "amount_too_large"
            case Kind.REFUND if tender.captured_at:
                until = self.refundable_until(tender.captured_at)
                return "refund_window_over" if until and operation.intended_at > until else ""
            case _:
                return ""

    def refundable_until(self, captured_at: datetime) -> datetime | None:
        """The last instant at which a refund is not refused for its age; None: there is none."""
        return captured_at + self.refund_window if self.refund_window is not None else None


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


class About(StrEnum):
    """What an event is about."""

    PAYMENT = "payment"
    # What was only to be saved, and a page: both are asked about as a payment is.
    SAVING = "saving"
    PAGE = "page"
    REFUND = "refund"
    DISPUTE = "dispute"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class ProviderEvent:
    """Something happened; ask what. Events come late, twice and in any order.

    `provider_payment_id` is what to ask `authorisation` about; empty when it is about another thing. A refund or
    a dispute is as it was when the event was made: `refund_state` and `dispute` tell how it is.
    """

    event_id: str
    type: str
    provider_payment_id: str = ""
    # That made it; empty when a channel did.
    operation_id: str = ""
    # It says that the payment holds nothing any more.
    ended: bool = False
    about: About = About.OTHER
    refund: RefundState | None = None
    dispute: Dispute | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """A page where one amount is paid. `title` is what the customer reads; it names no person."""

    title: str
    expires_at: datetime
    # Where the customer's browser goes then.
    paid_url: str
    back_url: str


class Provider(Protocol):
    """Every call but `read_event` goes over the network and may raise AnswerLost."""

    name: str
    abilities: Abilities

    async def perform(self, tender: Tender, operation: Operation) -> Outcome:
        """Carries out the operation under its key: repeated, it is done once and answers the same.

        To authorise a tender that is authorised raises what is uncaptured of it by the operation's amount; one at
        a time, before anything is captured. A refusal leaves it as it was. `tender.save_means` and
        `tender.needed_until` are wishes: what came of them is in the outcome.
        """
        ...

    async def save_means(self, tender: Tender, operation: Operation) -> Outcome:
        """Keeps the tender's means for later, without authorising; the operation is its key as above."""
        ...

    async def forget_means(self, saved_means: str) -> None:
        """It is never charged again. Accepts that it is forgotten."""
        ...

    async def open_page(self, tender: Tender, operation: Operation, page: Page) -> Outcome:
        """ACTION_REQUIRED with the page's id and address; paying there carries out the operation, which
        authorises. `authorisation` and `release` take the page's id as a payment's."""
        ...

    async def look(self, tender: Tender, operation: Operation) -> Outcome | None:
        """What became of an operation whose attempt is over, however it was begun; None: it did nothing."""
        ...

    async def authorisation(self, provider_payment_id: str) -> Authorisation | None:
        """The truth about one payment; None when there is no such thing."""
        ...

    async def authorisations(self, since: datetime, until: datetime, most: int) -> Mapping[str, Authorisation]:
        """The truth about payments that were made there in this time, by id: some `most` of them, in few calls."""
        ...

    async def refund_state(self, reference: str) -> RefundState | None:
        """The truth about one refund; None when there is no such thing."""
        ...

    async def dispute(self, reference: str) -> Dispute | None:
        """The truth about one dispute; None when there is no such thing."""
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
