"""A payment and its operations, and the one table of what an operation may become.

Amounts are minor units of the payment's currency.
"""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from kit.errors import FailedPrecondition


class Status(StrEnum):
    """Where the payment of an order stands."""

    PENDING = "pending"
    ACTION_REQUIRED = "action_required"
    AUTHORIZED = "authorized"
    DECLINED = "declined"
    PAID_BY_CHANNEL = "paid_by_channel"
    CLOSED = "closed"


class Kind(StrEnum):
    """What an operation does."""

    AUTHORIZE = "authorize"
    CAPTURE = "capture"
    VOID = "void"
    REFUND = "refund"


class State(StrEnum):
    """Where an operation is in its life."""

    INTENDED = "intended"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    UNKNOWN = "unknown"
    ACTION_REQUIRED = "action_required"


class TenderKind(StrEnum):
    """How the order is paid. NONE: it was undone before anything was asked (see `Payment.barred`)."""

    PAYMENT_METHOD_TOKEN = "payment_method_token"
    PROVIDER_AUTHORISATION = "provider_authorisation_id"
    PAID_BY_CHANNEL = "paid_by_channel_reference"
    NONE = "none"


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
class Tender:
    """The means: a token, an authorisation's id or the channel's reference. Never shown in a log."""

    kind: TenderKind
    reference: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Payment:
    """The payment of one order: authorized >= captured + voided, captured >= refunded."""

    order_id: str
    channel_id: str
    currency: str
    status: Status
    tender: Tender
    provider: str = ""
    provider_payment_id: str = ""
    authorized: int = 0
    captured: int = 0
    voided: int = 0
    refunded: int = 0
    # What the channel was paid for us, and what of it we asked it to give back.
    paid_by_channel: int = 0
    asked_of_channel: int = 0
    # Whether the authorisation may be captured more than once.
    multi_capture: bool = True
    # Being undone: nothing is captured any more.
    closing: bool = False
    # The provider holds nothing any more on this authorisation.
    provider_closed: bool = False
    # We gave up the rest in our ledger and the provider is yet to be told.
    release_due: bool = False
    expires_at: datetime | None = None
    next_action_url: str = ""
    decline_code: str = ""

    @property
    def barred(self) -> bool:
        """A mark that the order was undone before it was paid: a late authorisation is refused."""
        return self.tender.kind is TenderKind.NONE


@dataclass(frozen=True, slots=True)
class Operation:
    """One act on an order's money. Its id is the key that the provider is called with."""

    operation_id: str
    request_id: str
    order_id: str
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
