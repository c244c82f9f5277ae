"""The life of a booking: held, confirmed for an order, kept or missed, moved, given back. Counts nothing."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Any

from kit.errors import FailedPrecondition, NotFound
from kit.values.money import Money
from services.booking.domain.patterns import Place, Slot, Window, pattern_and_day


class State(StrEnum):
    """What became of a booking."""

    HELD = "held"
    CONFIRMED = "confirmed"
    KEPT = "kept"
    MISSED = "missed"
    RELEASED = "released"
    EXPIRED = "expired"


# The one table of moves. A booking that is moved to another slot is confirmed there.
MOVES: Mapping[State, frozenset[State]] = {
    State.HELD: frozenset({State.CONFIRMED, State.RELEASED, State.EXPIRED}),
    # It takes a place again, if there is one.
    State.EXPIRED: frozenset({State.CONFIRMED, State.RELEASED}),
    State.CONFIRMED: frozenset({State.CONFIRMED, State.KEPT, State.MISSED, State.RELEASED}),
    State.MISSED: frozenset({State.CONFIRMED, State.RELEASED}),
    State.KEPT: frozenset(),
    State.RELEASED: frozenset(),
}
# These are counted in their slot, whether it is over or not.
WITH_A_PLACE = frozenset({State.HELD, State.CONFIRMED, State.KEPT, State.MISSED})


class Refusal(StrEnum):
    """Why a place cannot be had: an answer, not an error."""

    NONE = ""
    SLOT_FULL = "SLOT_FULL"
    SLOT_PAST = "SLOT_PAST"
    NOT_SERVED = "NOT_SERVED"
    OTHER_SERVICE = "OTHER_SERVICE"


@dataclass(frozen=True, slots=True)
class Booking:
    """A place in a slot. Its window and price are those of the moment in which the place was taken."""

    booking_id: str
    state: State
    slot_id: str
    carrier_id: str
    service_id: str
    day: date
    window: Window
    place: Place
    channel_id: str
    expires_at: datetime | None
    taken_at: datetime
    changed_at: datetime
    price: Money | None = None
    order_id: str = ""
    moves: int = 0
    misses: int = 0


@dataclass(frozen=True, slots=True)
class Change:
    """A booking after something happened to it. `told`: the event, and what it says; empty for nothing."""

    booking: Booking
    told: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)


def why_not(slot: Slot, place: Place, now: datetime) -> Refusal:
    """Why nobody who lives there can book it, however many places are left."""
    if not slot.pattern.serves(place):
        return Refusal.NOT_SERVED
    return Refusal.SLOT_PAST if now >= slot.bookable_until else Refusal.NONE


def hold(
    booking_id: str, slot: Slot, place: Place, channel_id: str, time_to_live: timedelta, now: datetime
) -> Change:
    """-> held, in a slot whose place was taken."""
    held = Booking(
        booking_id=booking_id,
        state=State.HELD,
        slot_id=slot.slot_id,
        carrier_id=slot.pattern.carrier_id,
        service_id=slot.pattern.service_id,
        day=slot.day,
        window=slot.window,
        place=place,
        channel_id=channel_id,
        expires_at=now + time_to_live,
        taken_at=now,
        changed_at=now,
        price=slot.pattern.price,
    )
    return Change(held, "held")


def check_confirmable(booking: Booking, order_id: str) -> None:
    """BOOKED_BY_ANOTHER, BOOKING_ENDED. One that is this order's already may be confirmed again."""
    check_order(booking, order_id)
    if booking.state is State.RELEASED:
        raise ended(booking)


def confirm(booking: Booking, order_id: str, place: Place, now: datetime) -> Change:
    """held -> confirmed; what is this order's already stays as it is."""
    if booking.order_id:
        return Change(booking)
    return Change(_moved(booking, State.CONFIRMED, now, order_id=order_id, place=place), "confirmed")


def taken_again(booking: Booking, slot: Slot, now: datetime) -> Booking:
    """A hold that expired, in the slot as it is now; it has a place again."""
    return replace(booking, window=slot.window, price=slot.pattern.price, taken_at=now)


def release(booking: Booking, order_id: str, reason: str, now: datetime) -> Change:
    """-> released; what ended before, or is another order's, stays as it is.

    BOOKED_BY_ANOTHER: nobody gives the place of an order back but in its name.
    """
    if booking.order_id and not order_id:
        check_order(booking, order_id)
    if booking.order_id not in ("", order_id) or State.RELEASED not in MOVES[booking.state]:
        return Change(booking)
    return Change(_moved(booking, State.RELEASED, now), "released", {"reason": reason})


def check_movable(booking: Booking, order_id: str) -> None:
    """BOOKED_BY_ANOTHER, BOOKING_EXPIRED, BOOKING_ENDED, NOT_CONFIRMED."""
    if booking.state is State.EXPIRED:
        raise FailedPrecondition("BOOKING_EXPIRED", "the hold has expired", booking_id=booking.booking_id)
    _check_confirmed(booking, State.CONFIRMED, State.MISSED)
    check_order(booking, order_id)


def why_not_there(booking: Booking, slot: Slot, now: datetime) -> Refusal:
    """Why the booking cannot move to that slot, however many places are left."""
    if (slot.pattern.carrier_id, slot.pattern.service_id) != (booking.carrier_id, booking.service_id):
        return Refusal.OTHER_SERVICE
    return why_not(slot, booking.place, now)


def move(booking: Booking, slot: Slot, now: datetime) -> Change:
    """confirmed | missed -> confirmed in another slot, whose place was taken."""
    facts = {"from_slot_id": booking.slot_id, "was": booking.state.value}
    moved = replace(
        _moved(booking, State.CONFIRMED, now),
        slot_id=slot.slot_id,
        day=slot.day,
        window=slot.window,
        price=slot.pattern.price,
        moves=booking.moves + 1,
        taken_at=now,
    )
    return Change(moved, "moved", facts)


def keep(booking: Booking, now: datetime) -> Change:
    """confirmed -> kept. NOT_CONFIRMED, BOOKING_ENDED, SLOT_NOT_BEGUN."""
    if booking.state is State.KEPT:
        return Change(booking)
    _check_met(booking, now)
    return Change(_moved(booking, State.KEPT, now), "kept")


def miss(booking: Booking, reason: str, now: datetime) -> Change:
    """confirmed -> missed. NOT_CONFIRMED, BOOKING_ENDED, SLOT_NOT_BEGUN."""
    if booking.state is State.MISSED:
        return Change(booking)
    _check_met(booking, now)
    missed = replace(_moved(booking, State.MISSED, now), misses=booking.misses + 1)
    return Change(missed, "missed", {"reason": reason, "misses": missed.misses})


def expire(booking: Booking, now: datetime) -> Change:
    """held -> expired."""
    return Change(_moved(booking, State.EXPIRED, now), "expired")


def check_order(booking: Booking, order_id: str) -> None:
    """BOOKED_BY_ANOTHER: whose it is, only it may change."""
    if booking.order_id and booking.order_id != order_id:
        raise FailedPrecondition(
            "BOOKED_BY_ANOTHER", "the booking is another order's", booking_id=booking.booking_id
        )


def unknown_slot(asked: str) -> NotFound:
    """UNKNOWN_SLOT, and whether its pattern or its date is not there."""
    detail = "its pattern has no such date" if pattern_and_day(asked) else "there is no such slot"
    return NotFound("UNKNOWN_SLOT", detail, field="slot_id", slot_id=asked)


def not_found(booking_id: str) -> NotFound:
    """BOOKING_NOT_FOUND."""
    return NotFound("BOOKING_NOT_FOUND", "there is no such booking", field="booking_id", booking_id=booking_id)


def ended(booking: Booking) -> FailedPrecondition:
    """BOOKING_ENDED, and how."""
    return FailedPrecondition(
        "BOOKING_ENDED",
        f"the booking was {booking.state.value}",
        booking_id=booking.booking_id,
        state=booking.state.value,
    )


def _check_met(booking: Booking, now: datetime) -> None:
    _check_confirmed(booking, State.CONFIRMED)
    if now < booking.window.start:
        raise FailedPrecondition(
            "SLOT_NOT_BEGUN", "nobody has been met yet", starts_at=booking.window.start.isoformat()
        )


def _check_confirmed(booking: Booking, *states: State) -> None:
    if booking.state is State.HELD:
        raise FailedPrecondition("NOT_CONFIRMED", "it is held, no order has it", booking_id=booking.booking_id)
    if booking.state not in states:
        raise ended(booking)


def _moved(booking: Booking, state: State, now: datetime, **more: Any) -> Booking:
    """Allowed by the table; raises AssertionError for a guard that was forgotten."""
    assert state in MOVES[booking.state], f"{booking.state} -> {state}"
    return replace(booking, state=state, changed_at=now, expires_at=None, **more)
