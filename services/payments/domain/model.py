"""A payment, its tenders and their operations, and the one table of what an operation may become.

Amounts are minor units of the payment's currency.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum

from kit.errors import FailedPrecondition


class Status(StrEnum):
    """Where the payment of an order stands."""

    PENDING = "pending"
    ACTION_REQUIRED = "action_required"
    # Its means are kept and nothing is authorised yet.
    SAVED = "saved"
    AUTHORIZED = "authorized"
    DECLINED = "declined"
    PAID_BY_CHANNEL = "paid_by_channel"
    # What was authorised ended before it was captured: nothing is held, something is still due.
    EXPIRED = "expired"
    CLOSED = "closed"


class Kind(StrEnum):
    """What an operation does."""

    AUTHORIZE = "authorize"
    CAPTURE = "capture"
    VOID = "void"
    REFUND = "refund"
    # The bank sent a refund back.
    REFUND_REVERSAL = "refund_reversal"
    # The customer's bank took captured money back, and gave it back to us.
    CHARGEBACK = "chargeback"
    CHARGEBACK_REVERSAL = "chargeback_reversal"
    # Keeps a means for later; no money moves.
    SAVE_MEANS = "save_means"


class State(StrEnum):
    """Where an operation is in its life."""

    INTENDED = "intended"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    UNKNOWN = "unknown"
    ACTION_REQUIRED = "action_required"


class MeansKind(StrEnum):
    """How somebody pays."""

    PAYMENT_METHOD_TOKEN = "payment_method_token"
    PROVIDER_AUTHORISATION = "provider_authorisation_id"
    PAID_BY_CHANNEL = "paid_by_channel_reference"
    # What the customer allowed to be kept, charged without the customer.
    SAVED_MEANS = "saved_means"
    # A card held to a reader of the provider's on a shop's counter, by the reader's id.
    TERMINAL = "terminal"
    # An address where the customer pays, by the token in it.
    PAYMENT_LINK = "payment_link"
    # A gift card, a credit note or a voucher, by its code.
    STORED_VALUE = "stored_value_code"
    # Money taken at a till of a shop, in cash or on its card terminal, by the till's own reference.
    CASH = "cash"
    TILL_CARD = "till_card"


AT_A_TILL = frozenset({MeansKind.CASH, MeansKind.TILL_CARD})
# Forgotten once the provider has answered; what follows goes by the provider's id.
SECRET = frozenset({MeansKind.PAYMENT_METHOD_TOKEN, MeansKind.STORED_VALUE})


# The one table of moves. What is settled never moves again.
MOVES: dict[State, frozenset[State]] = {
    State.INTENDED: frozenset({State.SUCCEEDED, State.FAILED, State.UNKNOWN, State.ACTION_REQUIRED}),
    State.UNKNOWN: frozenset({State.SUCCEEDED, State.FAILED, State.UNKNOWN, State.ACTION_REQUIRED}),
    State.ACTION_REQUIRED: frozenset({State.SUCCEEDED, State.FAILED}),
    State.SUCCEEDED: frozenset(),
    State.FAILED: frozenset(),
}
UNSETTLED = frozenset({State.INTENDED, State.UNKNOWN})

# ISO 4217: no currency.
NO_CURRENCY = "XXX"


@dataclass(frozen=True, slots=True)
class Means:
    """A means of payment: a token, an authorisation's id or the channel's reference. Never shown in a log."""

    kind: MeansKind
    reference: str = field(repr=False)
    # Who pays, an opaque id: for means that only their owner may use.
    customer_ref: str = ""
    # Of the shop whose till took the money.
    point_id: str = ""


@dataclass(frozen=True, slots=True)
class Tender:
    """A means used for an order at one provider: authorized >= captured + voided, captured >= refunded."""

    tender_id: str
    order_id: str
    channel_id: str
    currency: str
    # Money is taken in this order and given back in the reverse one.
    position: int
    # What it is to pay of the order.
    amount: int
    means: Means
    status: Status = Status.PENDING
    provider: str = ""
    provider_payment_id: str = ""
    authorized: int = 0
    captured: int = 0
    voided: int = 0
    refunded: int = 0
    # What the channel was paid for us, and what of it we asked it to give back.
    paid_by_channel: int = 0
    asked_of_channel: int = 0
    # Of what is voided: what the provider let go by itself and the order still needs.
    lapsed: int = 0
    # Of what is captured: what a refund that failed did not give back; a task of a person.
    owed: int = 0
    # What the customer's bank took back in a dispute that is not won.
    disputed: int = 0
    # Of what is refunded: what a person gave back in another way than by the provider.
    elsewhere: int = 0
    # Of what is authorised: what we had given up in our ledger only, and need again.
    taken_back: int = 0
    # Whether the authorisation may be captured more than once.
    multi_capture: bool = True
    # Whether more may be authorised on it, as long as nothing is captured.
    incremental: bool = False
    # The provider holds nothing any more on this authorisation.
    provider_closed: bool = False
    # We gave up the rest in our ledger and the provider is yet to be told.
    release_due: bool = False
    expires_at: datetime | None = None
    # The last time: providers refund for some time only.
    captured_at: datetime | None = None
    next_action_url: str = ""
    decline_code: str = ""
    # The customer allows that the means be kept and charged again for this order.
    save_means: bool = False
    # How long the order may need the authorisation, as far as it is known.
    needed_until: datetime | None = None
    saved_means: str = field(default="", repr=False)
    # The tender whose authorisation this one takes the place of.
    renews: str = ""
    # It pays what the order came to cost more since it was authorised.
    raises: bool = False
    # It does not count: another has taken its place, or it is not authorised yet and nothing depends on it.
    superseded: bool = False

    @property
    def uncaptured(self) -> int:
        """What is authorised and neither captured nor voided."""
        return self.authorized - self.captured - self.voided

    @property
    def given_up(self) -> int:
        """What we gave up in our ledger only: the provider holds it until the last capture."""
        return 0 if self.provider_closed or self.release_due else self.voided - self.taken_back

    @property
    def by_channel(self) -> bool:
        """The channel was paid."""
        return self.means.kind is MeansKind.PAID_BY_CHANNEL


@dataclass(frozen=True, slots=True)
class Payment:
    """The payment of one order by its tenders, in their order of use. Its lock is the order's lock on money."""

    order_id: str
    channel_id: str
    currency: str
    status: Status
    # Being undone: nothing is captured any more.
    closing: bool = False
    tenders: tuple[Tender, ...] = ()

    @property
    def barred(self) -> bool:
        """A mark that the order was undone before it was paid: a late authorisation is refused."""
        return self.closing and not self.tenders

    def tender(self, tender_id: str) -> Tender:
        """One of its tenders."""
        return next(one for one in self.tenders if one.tender_id == tender_id)

    def having(self, *changed: Tender) -> "Payment":
        """With these tenders as they are now, or added; and the status that follows."""
        now = {one.tender_id: one for one in (*self.tenders, *changed)}
        tenders = tuple(sorted(now.values(), key=lambda one: one.position))
        return replace(self, tenders=tenders, status=_status_of(tenders))

    @property
    def authorized(self) -> int:
        """All that was ever authorised."""
        return sum(one.authorized for one in self.tenders)

    @property
    def captured(self) -> int:
        """All that was ever captured."""
        return sum(one.captured for one in self.tenders)

    @property
    def voided(self) -> int:
        """All that was authorised and let go."""
        return sum(one.voided for one in self.tenders)

    @property
    def refunded(self) -> int:
        """All that was given back."""
        return sum(one.refunded for one in self.tenders)

    @property
    def uncaptured(self) -> int:
        """What is held."""
        return sum(one.uncaptured for one in self.tenders)


_FIRST_OF = (
    Status.DECLINED,
    Status.PENDING,
    Status.ACTION_REQUIRED,
    Status.EXPIRED,
    Status.AUTHORIZED,
    Status.SAVED,
)


def _status_of(tenders: Sequence[Tender]) -> Status:
    """The worst of the tenders that count; CLOSED when nothing is held or due any more."""
    found = {one.status for one in tenders if not one.superseded}
    if Status.PAID_BY_CHANNEL in found:
        return Status.PAID_BY_CHANNEL
    return next((status for status in _FIRST_OF if status in found), Status.CLOSED)


@dataclass(frozen=True, slots=True)
class Operation:
    """One act on an order's money. Its id is the key that the provider is called with."""

    operation_id: str
    request_id: str
    order_id: str
    tender_id: str
    kind: Kind
    state: State
    amount_minor: int
    currency: str
    cause: str
    actor: str
    intended_at: datetime
    provider: str = ""
    provider_reference: str = ""
    failure_code: str = ""
    # Which try at the provider this is: the next is begun only when the last is known to have done nothing.
    attempt: int = 1
    # A capture after which nothing may be captured any more: the provider lets the rest go.
    final: bool = False
    settled_at: datetime | None = None
    # What it is filtered by in the history, taken from its payment when it is intended.
    channel_id: str = ""
    point_id: str = ""
    tender_kind: str = ""

    @property
    def unsettled(self) -> bool:
        """The provider is being asked, or is to be asked again."""
        return self.state in UNSETTLED

    def check_move(self, to: State) -> None:
        """Raises ILLEGAL_TRANSITION for a move that is not in the table."""
        if to not in MOVES[self.state]:
            raise FailedPrecondition(
                "ILLEGAL_TRANSITION",
                f"operation {self.operation_id} cannot go from {self.state} to {to}",
                operation_id=self.operation_id,
                state=self.state.value,
            )
