"""An appointment that has moved, and what follows it: the promise, the times of work, and what holds that."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from services.orders.domain import appointments, holds
from services.orders.domain.model import Decision, Leg, Order, Slot


def record_move(order: Order, number: int, slot: Slot, as_of: datetime, dated: Mapping[str, Leg]) -> Decision:
    """The booking has moved: that is the new promise, and what was told of the old one counts no more.

    `dated`: by fulfilment, the legs of work that begins and leaves at other times for it; others keep their own.
    """
    moved = appointments.record_move(order, number, slot, as_of, dated)
    if not moved.happenings:
        return moved
    after, told = holds.following(moved.order, tuple(dated), as_of)
    return replace(moved, order=after, happenings=(*moved.happenings, *told))
