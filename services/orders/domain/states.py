"""The states of orders, fulfilments, offers, units, captures, refunds and changes, and one table of moves of each.

An illegal move always raises IllegalTransition; it never passes in silence.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import TypeVar

from kit.errors import FailedPrecondition


class IllegalTransition(FailedPrecondition):
    """A move that the table of transitions does not hold."""

    def __init__(self, what: str, before: str, after: str) -> None:
        super().__init__(
            "ILLEGAL_TRANSITION",
            f"the {what} is {before} and cannot become {after}",
            what=what,
            state=before,
            wanted=after,
        )


class OrderState(StrEnum):
    """The whole order, seen from inside."""

    RECORDED = "recorded"
    ACTION_REQUIRED = "action_required"
    REFUSED = "refused"
    VALIDATED = "validated"
    RELEASED = "released"
    CANCELLING = "cancelling"
    CANCELLED = "cancelled"
    CLOSED = "closed"


class FulfilmentState(StrEnum):
    """A preparation order."""

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
    LOST = "lost"
    DAMAGED = "damaged"
    # On its way back to who sent it, and back there.
    RETURNING = "returning"
    RETURNED = "returned"
    # Put aside at the counter where its customer collects it.
    READY = "ready"


class UnitState(StrEnum):
    """A unit of a line.

    LOST: with its parcel, which was lost or damaged. UNPLACED of a fulfilment: to be sent again for
    that one, or to be cancelled with it.
    RETURNING and RETURNED: with its parcel, or by the customer, who had it to try. FORWARDED: on its way to a
    hub, where it is joined with others. RECEIVED: it came there, and waits to leave; it is no stock of the hub.
    """

    RECORDED = "recorded"
    ALLOCATED = "allocated"
    PICKED = "picked"
    PACKED = "packed"
    SHIPPED = "shipped"
    DELIVERED = "delivered"
    UNPLACED = "unplaced"
    CANCELLED = "cancelled"
    LOST = "lost"
    RETURNING = "returning"
    RETURNED = "returned"
    FORWARDED = "forwarded"
    RECEIVED = "received"


class CaptureState(StrEnum):
    """The money of a parcel, or of a whole order."""

    PENDING = "pending"
    CAPTURED = "captured"
    FAILED = "failed"
    OVERRIDDEN = "overridden"
    NOT_NEEDED = "not_needed"


class OfferState(StrEnum):
    """Work that is offered to a point beside others. CLAIMED: it took it, and its stock is looked for."""

    OPEN = "open"
    CLAIMED = "claimed"
    ACCEPTED = "accepted"
    REFUSED = "refused"
    LOST = "lost"
    LAPSED = "lapsed"
    WITHDRAWN = "withdrawn"


class ChangeState(StrEnum):
    """A change of an order that stands."""

    PROPOSED = "proposed"
    APPLIED = "applied"
    REFUSED = "refused"


class RefundState(StrEnum):
    """Money that is given back. SUPERSEDED: the undoing of the whole order gave it back before."""

    PENDING = "pending"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    SUPERSEDED = "superseded"


# Nothing happens to it any more.
ENDED = frozenset({OrderState.REFUSED, OrderState.CANCELLED, OrderState.CLOSED})
# Between two states of its stock: being placed or being undone.
MOVING = frozenset({OrderState.RECORDED, OrderState.ACTION_REQUIRED, OrderState.CANCELLING})
# Units that are held at the point of their fulfilment, and units that are on their way to a place.
HELD_UNITS = frozenset({UnitState.ALLOCATED, UnitState.PICKED, UnitState.PACKED})
# Fulfilments that were never prepared, or not to the end.
NOT_PREPARED = frozenset(
    {FulfilmentState.REFUSED, FulfilmentState.LAPSED, FulfilmentState.SHORT, FulfilmentState.CANCELLED}
)
HOMELESS_UNITS = frozenset({UnitState.RECORDED, UnitState.UNPLACED})

_O, _F, _U, _C, _R = OrderState, FulfilmentState, UnitState, CaptureState, RefundState
_H = ChangeState

ORDER_MOVES: Mapping[OrderState, frozenset[OrderState]] = {
    _O.RECORDED: frozenset({_O.ACTION_REQUIRED, _O.VALIDATED, _O.REFUSED, _O.CANCELLING}),
    _O.ACTION_REQUIRED: frozenset({_O.VALIDATED, _O.REFUSED, _O.CANCELLING}),
    _O.VALIDATED: frozenset({_O.RELEASED, _O.CANCELLING}),
    _O.RELEASED: frozenset({_O.CANCELLING, _O.CLOSED, _O.CANCELLED}),
    # Closed when the customer has taken something along.
    _O.CANCELLING: frozenset({_O.CANCELLED, _O.CLOSED}),
    _O.REFUSED: frozenset(),
    _O.CANCELLED: frozenset(),
    _O.CLOSED: frozenset(),
}

FULFILMENT_MOVES: Mapping[FulfilmentState, frozenset[FulfilmentState]] = {
    # Picked at once is what came to the store that it is collected at: it was counted when it came.
    _F.PLANNED: frozenset({_F.OFFERED, _F.PICKED, _F.CANCELLED}),
    # Planned again: a hub that has goods of other points cannot be without its work, and a person decides.
    _F.OFFERED: frozenset({_F.ACCEPTED, _F.REFUSED, _F.LAPSED, _F.CANCELLED, _F.PLANNED}),
    _F.ACCEPTED: frozenset({_F.PICKED, _F.SHORT, _F.CANCELLED}),
    # Short after all: what was picked was spoiled when something was put on it.
    _F.PICKED: frozenset({_F.PACKED, _F.READY, _F.SHORT, _F.CANCELLED}),
    _F.READY: frozenset({_F.DELIVERED, _F.CANCELLED}),
    _F.PACKED: frozenset({_F.HANDED_OVER, _F.CANCELLED}),
    _F.HANDED_OVER: frozenset({_F.DELIVERED, _F.LOST, _F.DAMAGED, _F.RETURNING, _F.RETURNED}),
    # A parcel that was believed lost is found again.
    _F.LOST: frozenset({_F.HANDED_OVER, _F.DELIVERED, _F.RETURNING, _F.RETURNED}),
    _F.DAMAGED: frozenset({_F.HANDED_OVER, _F.DELIVERED, _F.RETURNING, _F.RETURNED}),
    _F.RETURNING: frozenset({_F.DELIVERED, _F.LOST, _F.DAMAGED, _F.RETURNED}),
    _F.RETURNED: frozenset(),
    _F.REFUSED: frozenset(),
    _F.LAPSED: frozenset(),
    _F.SHORT: frozenset(),
    _F.DELIVERED: frozenset(),
    _F.CANCELLED: frozenset(),
}

UNIT_MOVES: Mapping[UnitState, frozenset[UnitState]] = {
    # Delivered at once is what the customer takes along from a store.
    _U.RECORDED: frozenset({_U.ALLOCATED, _U.CANCELLED, _U.DELIVERED}),
    _U.ALLOCATED: frozenset({_U.PICKED, _U.UNPLACED, _U.CANCELLED}),
    # What was to be sent again, and found no place, is lost for good.
    _U.UNPLACED: frozenset({_U.ALLOCATED, _U.CANCELLED, _U.LOST}),
    # What was picked or packed loses its place when its parcel is given up for want of its money.
    _U.PICKED: frozenset({_U.PACKED, _U.UNPLACED, _U.CANCELLED}),
    # Delivered from there is what its customer collects.
    _U.PACKED: frozenset({_U.SHIPPED, _U.DELIVERED, _U.UNPLACED, _U.CANCELLED, _U.FORWARDED}),
    # What does not arrive at the hub, or is not found there, looks for another place.
    _U.FORWARDED: frozenset({_U.RECEIVED, _U.UNPLACED, _U.CANCELLED}),
    # Delivered from there is what its customer collects.
    _U.RECEIVED: frozenset({_U.SHIPPED, _U.DELIVERED, _U.UNPLACED, _U.CANCELLED}),
    _U.SHIPPED: frozenset({_U.DELIVERED, _U.LOST, _U.RETURNING, _U.RETURNED}),
    _U.LOST: frozenset({_U.UNPLACED, _U.SHIPPED, _U.DELIVERED, _U.RETURNING, _U.RETURNED}),
    _U.RETURNING: frozenset({_U.DELIVERED, _U.LOST, _U.RETURNED}),
    _U.RETURNED: frozenset(),
    # What is tried at home may come back.
    _U.DELIVERED: frozenset({_U.RETURNING, _U.RETURNED}),
    _U.CANCELLED: frozenset(),
}

CAPTURE_MOVES: Mapping[CaptureState, frozenset[CaptureState]] = {
    _C.PENDING: frozenset({_C.CAPTURED, _C.FAILED, _C.NOT_NEEDED}),
    _C.FAILED: frozenset({_C.CAPTURED, _C.FAILED, _C.OVERRIDDEN}),
    _C.CAPTURED: frozenset(),
    # The attempt that was under way when a person decided may still bring the money.
    _C.OVERRIDDEN: frozenset({_C.CAPTURED}),
    _C.NOT_NEEDED: frozenset(),
}

OFFER_MOVES: Mapping[OfferState, frozenset[OfferState]] = {
    OfferState.OPEN: frozenset(OfferState) - {OfferState.OPEN},
    OfferState.CLAIMED: frozenset({OfferState.ACCEPTED, OfferState.REFUSED, OfferState.WITHDRAWN}),
    # A person may still give the work to a point that did not want it, or did not answer.
    OfferState.REFUSED: frozenset({OfferState.CLAIMED, OfferState.ACCEPTED}),
    OfferState.LAPSED: frozenset({OfferState.CLAIMED, OfferState.ACCEPTED}),
    OfferState.ACCEPTED: frozenset(),
    OfferState.LOST: frozenset(),
    OfferState.WITHDRAWN: frozenset(),
}

REFUND_MOVES: Mapping[RefundState, frozenset[RefundState]] = {
    _R.PENDING: frozenset({_R.SUCCEEDED, _R.FAILED, _R.SUPERSEDED}),
    # Payments makes a task of a refund that failed: somebody may bring it to an end there.
    _R.FAILED: frozenset({_R.PENDING, _R.SUCCEEDED}),
    _R.SUCCEEDED: frozenset(),
    _R.SUPERSEDED: frozenset(),
}

CHANGE_MOVES: Mapping[ChangeState, frozenset[ChangeState]] = {
    _H.PROPOSED: frozenset({_H.APPLIED, _H.REFUSED}),
    _H.APPLIED: frozenset(),
    _H.REFUSED: frozenset(),
}

# Until it is handed over, a fulfilment can be cancelled: this is what "open" means.
OPEN_FULFILMENT = frozenset(state for state, moves in FULFILMENT_MOVES.items() if _F.CANCELLED in moves)
# What a point can see on its work list; a planned fulfilment is not its work yet.
WORK = OPEN_FULFILMENT - {_F.PLANNED}
ON_ITS_WAY = frozenset({_F.HANDED_OVER, _F.RETURNING})
GONE_ASTRAY = frozenset({_F.LOST, _F.DAMAGED})
LEFT_THE_POINT = frozenset({*ON_ITS_WAY, *GONE_ASTRAY, _F.DELIVERED, _F.RETURNED})
CAPTURE_SETTLED = frozenset({_C.CAPTURED, _C.OVERRIDDEN, _C.NOT_NEEDED})
UNDONE = frozenset({_O.CANCELLING, _O.CANCELLED})

State = TypeVar(
    "State", OrderState, FulfilmentState, UnitState, CaptureState, RefundState, OfferState, ChangeState
)


def move(what: str, moves: Mapping[State, frozenset[State]], before: State, after: State) -> State:
    """`after`, if the table allows it from `before`."""
    if after not in moves[before]:
        raise IllegalTransition(what, before.value, after.value)
    return after
