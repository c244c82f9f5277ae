"""The words of the service. No personal data: an address passes through and is never kept."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class State(StrEnum):
    """How far a preparation order has come, as its system and orders have agreed."""

    TO_SEND = "to_send"
    SENT = "sent"
    ACKNOWLEDGED = "acknowledged"
    PICKED = "picked"
    PACKED = "packed"
    SHIPPED = "shipped"
    REFUSED = "refused"
    SHORT = "short"
    WITHDRAWN = "withdrawn"
    TO_CANCEL = "to_cancel"
    CANCELLED = "cancelled"
    TOO_LATE = "too_late"


class Kind(StrEnum):
    """What a system says, in the order in which it is acted on, whenever it came."""

    ACKNOWLEDGED = "acknowledged"
    REFUSED = "refused"
    PICKED = "picked"
    PACKED = "packed"
    SHIPPED = "shipped"


class MessageState(StrEnum):
    """SUPERSEDED: nothing was left to do. CONTRADICTING: an alert says why."""

    WAITING = "waiting"
    DONE = "done"
    SUPERSEDED = "superseded"
    CONTRADICTING = "contradicting"


class AlertKind(StrEnum):
    """What a person has to look at."""

    NOT_ACKNOWLEDGED = "not_acknowledged"
    NOT_SHIPPED = "not_shipped"
    NOT_CANCELLED = "not_cancelled"
    REJECTED = "rejected"
    TOO_LATE = "too_late"
    SHIPPED_AFTER_END = "shipped_after_end"
    SHIPPED_UNPAID = "shipped_unpaid"
    CONTRADICTION = "contradiction"


class Work(StrEnum):
    """The states of a fulfilment, as orders names them."""

    PLANNED = "planned"
    OFFERED = "offered"
    ACCEPTED = "accepted"
    REFUSED = "refused"
    LAPSED = "lapsed"
    PICKED = "picked"
    SHORT = "short"
    PACKED = "packed"
    HANDED_OVER = "handed_over"
    DELIVERED = "delivered"
    CANCELLED = "cancelled"


SILENCES = frozenset({AlertKind.NOT_ACKNOWLEDGED, AlertKind.NOT_SHIPPED, AlertKind.NOT_CANCELLED})
UNANSWERED = frozenset({State.TO_SEND, State.SENT})
PREPARING = frozenset({State.ACKNOWLEDGED, State.PICKED, State.PACKED})
# The system has it, or may have it.
OPEN = UNANSWERED | PREPARING
# Work that nobody prepares any more.
ENDED_WORK = frozenset({Work.REFUSED, Work.LAPSED, Work.SHORT, Work.CANCELLED})

_S = State
MOVES: Mapping[State, frozenset[State]] = {
    _S.TO_SEND: frozenset({_S.SENT, _S.REFUSED, _S.WITHDRAWN, _S.TO_CANCEL}),
    # Back to TO_SEND: the system knows nothing of it.
    _S.SENT: frozenset({_S.TO_SEND, _S.REFUSED, _S.SHORT, _S.TO_CANCEL}) | PREPARING | {_S.SHIPPED},
    _S.ACKNOWLEDGED: frozenset({_S.PICKED, _S.PACKED, _S.SHIPPED, _S.SHORT, _S.TO_CANCEL}),
    _S.PICKED: frozenset({_S.PACKED, _S.SHIPPED, _S.TO_CANCEL}),
    _S.PACKED: frozenset({_S.SHIPPED, _S.TO_CANCEL}),
    _S.TO_CANCEL: frozenset({_S.CANCELLED, _S.TOO_LATE}),
    _S.SHIPPED: frozenset(),
    _S.REFUSED: frozenset(),
    _S.SHORT: frozenset(),
    _S.WITHDRAWN: frozenset(),
    _S.CANCELLED: frozenset(),
    _S.TOO_LATE: frozenset(),
}


def moved(before: State, after: State) -> State:
    """`after`, if the table allows it. Raises ValueError: an illegal move is a defect, never passed in silence."""
    if after not in MOVES[before]:
        raise ValueError(f"a hand-over that is {before} cannot become {after}")
    return after


@dataclass(frozen=True, slots=True)
class System:
    """A system that does the work of points. Tolerances in seconds, at least 0."""

    system_id: str
    name: str
    point_ids: tuple[str, ...]
    enabled: bool
    acknowledge_tolerance_seconds: int
    ship_tolerance_seconds: int


@dataclass(frozen=True, slots=True)
class Message:
    """What a system said of a preparation order. `found` are (line number, quantity) of a pick."""

    message_id: str
    fulfilment_id: str
    kind: Kind
    occurred_at: datetime
    found: tuple[tuple[int, int], ...] = ()
    weight_grams: int = 0
    tracking_code: str = ""
    refusal: str = ""

    @property
    def content(self) -> tuple[object, ...]:
        """What makes it say the same as another one of its kind."""
        return (sorted(self.found), self.weight_grams, self.tracking_code, self.refusal)

    @property
    def nothing_found(self) -> bool:
        """A pick that found nothing at all."""
        return self.kind is Kind.PICKED and not any(quantity for _, quantity in self.found)


@dataclass(frozen=True, slots=True)
class Heard:
    """A message that was kept, and what became of it."""

    message: Message
    received_at: datetime
    state: MessageState = MessageState.WAITING
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Alert:
    """Open until somebody, or the end of the silence, closes it."""

    alert_id: str
    fulfilment_id: str
    kind: AlertKind
    text: str
    raised_at: datetime
    closed_at: datetime | None = None
    closed_by: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True)
class Handover:
    """A preparation order that goes to another system. `position` numbers them in time of arrival."""

    position: int
    fulfilment_id: str
    order_id: str
    channel_id: str
    system_id: str
    point_id: str
    state: State
    created_at: datetime
    acknowledge_by: datetime
    ship_by: datetime | None = None
    ended_at: datetime | None = None
    sent_at: datetime | None = None
    heard_at: datetime | None = None
    poll_at: datetime | None = None
    due_at: datetime | None = None
    attempts: int = 0
    last_error: str = ""
