"""The appointment of an order: which slot it has, where it may move, and what a missed one means.

Who has a place in a slot is decided by booking. Here it is decided whether the order may ask for another one, and
recorded what came of it: the customer's new promise.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from types import MappingProxyType

from kit.errors import FailedPrecondition, InvalidArgument
from services.orders.domain.model import (
    Appointment,
    Content,
    Decision,
    DeliveryMode,
    Fulfilment,
    Happening,
    Leg,
    Order,
    Slot,
)
from services.orders.domain.states import OPEN_FULFILMENT, FulfilmentState, OrderState

_MODES = (DeliveryMode.APPOINTMENT, DeliveryMode.WHITE_GLOVE)
_ALIVE = (OrderState.VALIDATED, OrderState.RELEASED)
_TO_COME = OPEN_FULFILMENT | {FulfilmentState.HANDED_OVER}


def check_content(content: Content) -> None:
    """Raises InvalidArgument unless the mode goes with the booking, or with none."""
    if content.mode is DeliveryMode.APPOINTMENT and not content.booking_id:
        raise InvalidArgument("booking_id", "delivery by appointment needs the booking of a slot")
    if content.booking_id and content.mode not in _MODES:
        raise InvalidArgument("booking_id", f"only {' and '.join(_MODES)} keep an appointment")
    if content.booking_id and not content.sent:
        raise InvalidArgument("booking_id", "what is taken along is brought at no appointment")


def kept(content: Content, booking_id: str, slot: Slot | None) -> Appointment | None:
    """The appointment that a plan keeps. Raises InvalidArgument when it is not the one that was ordered."""
    if booking_id != content.booking_id:
        raise InvalidArgument("booking_id", "it is not the booking of the order")
    if not booking_id:
        return None
    if slot is None:
        raise InvalidArgument("slot", "an order with a booking is met in a slot")
    return Appointment(booking_id, slot, met_from=slot.day)


def planned_anew(order: Order) -> Order:
    """After other fulfilments were planned for the appointment as it is: they know no earlier day."""
    appointment = order.appointment
    if appointment is None:
        return order
    later = max(appointment.met_from, appointment.slot.day)
    return replace(order, appointment=replace(appointment, met_from=later))


def request_move(order: Order, slot: Slot, actor: str, as_of: datetime) -> Decision:
    """Asks for another slot; the booking moves by itself.

    Until a parcel was handed over, and again once the customer was missed: then the carrier has the goods.
    FailedPrecondition / NO_APPOINTMENT, TOO_LATE_TO_MOVE, APPOINTMENT_MOVING, SLOT_TOO_EARLY (`earliest_date`).
    """
    appointment = order.appointment
    if appointment is None:
        raise FailedPrecondition("NO_APPOINTMENT", "the order has no appointment", state=order.state.value)
    if appointment.wanted_slot_id:
        raise FailedPrecondition(
            "APPOINTMENT_MOVING", "another move is under way", wanted_slot_id=appointment.wanted_slot_id
        )
    _check_in_time(order, appointment)
    gone = any(one.has_left for one in order.sent)
    if not gone and slot.day < appointment.met_from:
        raise FailedPrecondition(
            "SLOT_TOO_EARLY",
            f"the goods are there from {appointment.met_from} on",
            field="slot_id",
            earliest_date=appointment.met_from.isoformat(),
        )
    if slot.slot_id == appointment.slot.slot_id and not appointment.missed_at:
        return Decision(order)
    number = appointment.moves + 1
    moving = replace(appointment, wanted_slot_id=slot.slot_id, moves=number, refusal="")
    facts = {
        "booking_id": appointment.booking_id,
        "from_slot_id": appointment.slot.slot_id,
        "slot_id": slot.slot_id,
        "number": number,
        "date": slot.day.isoformat(),
        "window_start": slot.window.start.isoformat(),
        "window_end": slot.window.end.isoformat(),
    }
    asked = Happening(
        "order.appointment_move_requested",
        f"The appointment is to move to {_slot(slot)}.",
        as_of,
        facts,
        actor=actor,
        story=f"appointment/{order.order_id}/move/{number}",
    )
    return Decision(replace(order, appointment=moving, updated_at=as_of), (asked,))


def record_move(
    order: Order,
    number: int,
    slot: Slot,
    as_of: datetime,
    dated: Mapping[str, Leg] = MappingProxyType({}),
) -> Decision:
    """The new slot is the promise of the order and of its work; what follows from that is in moving.py."""
    appointment = _moving(order, number)
    if appointment is None:
        return Decision(order)
    moved = replace(appointment, slot=slot, wanted_slot_id="", missed_at=None)
    after = replace(
        order,
        appointment=moved,
        promise=slot.window,
        promise_changes=(),
        late_since=None,
        fulfilments=tuple(_following(one, appointment, slot, dated) for one in order.fulfilments),
        updated_at=as_of,
    )
    facts = {
        "booking_id": moved.booking_id,
        "slot_id": slot.slot_id,
        "promise": {"start": slot.window.start.isoformat(), "end": slot.window.end.isoformat()},
    }
    told = Happening("order.appointment_moved", f"The appointment is {_slot(slot)}.", as_of, facts)
    return Decision(after, (told,))


def record_refusal(order: Order, number: int, reason: str, as_of: datetime) -> Decision:
    """The booking has not moved: the appointment stays as it was."""
    if not reason:
        raise InvalidArgument("refusal", "say why the booking did not move")
    appointment = _moving(order, number)
    if appointment is None:
        return Decision(order)
    stayed = replace(appointment, wanted_slot_id="", refusal=reason)
    facts = {"booking_id": stayed.booking_id, "slot_id": appointment.wanted_slot_id, "reason": reason}
    text = f"The appointment could not move: {reason}."
    told = Happening("order.appointment_not_moved", text, as_of, facts)
    return Decision(replace(order, appointment=stayed, updated_at=as_of), (told,))


def record_missed(order: Order, slot_id: str, reason: str, as_of: datetime) -> Decision:
    """The customer was not met: another slot is asked for. Nothing when it has moved since, or the order ended."""
    appointment = order.appointment
    if appointment is None or appointment.missed_at or appointment.slot.slot_id != slot_id:
        return Decision(order)
    if order.state not in _ALIVE:
        return Decision(order)
    missed = replace(appointment, missed_at=as_of)
    facts = {"booking_id": missed.booking_id, "slot_id": slot_id, "reason": reason}
    text = "The customer was not met: another appointment is to be chosen."
    told = Happening("order.appointment_missed", text, as_of, facts)
    return Decision(replace(order, appointment=missed, updated_at=as_of), (told,))


def _moving(order: Order, number: int) -> Appointment | None:
    """None when the outcome was recorded before, or the order ended."""
    appointment = order.appointment
    if appointment is None or appointment.moves != number or not appointment.wanted_slot_id:
        return None
    return appointment if order.state in _ALIVE else None


def _check_in_time(order: Order, appointment: Appointment) -> None:
    why = ""
    if order.state not in _ALIVE:
        why = f"the order is {order.state.value}"
    elif any(one.state is FulfilmentState.DELIVERED and not one.joins for one in order.sent):
        why = "a parcel was delivered"
    elif not appointment.missed_at and any(one.has_left for one in order.sent):
        why = "a parcel has left"
    if why:
        raise FailedPrecondition(
            "TOO_LATE_TO_MOVE", f"too late to move the appointment: {why}", state=order.state.value
        )


def _following(one: Fulfilment, before: Appointment, slot: Slot, dated: Mapping[str, Leg]) -> Fulfilment:
    """A parcel that has new times leaves by them, until it has left.

    One that keeps its own, and misses its collection by no more days than the appointment moved, is in time.
    """
    if one.state not in _TO_COME or one.joins:
        return one
    leg = dated.get(one.fulfilment_id)
    if leg and leg.hand_over_by and one.state in OPEN_FULFILMENT and not one.offers:
        return replace(
            one,
            window=slot.window,
            hand_over_by=leg.hand_over_by,
            latest_start=leg.latest_start,
            next_hand_over_by=leg.next_hand_over_by,
            next_window=leg.next_window,
            start_missed_at=None,
        )
    # By how much it was in time for the slot before.
    in_time = one.next_hand_over_by if one.next_window == before.slot.window else None
    room = slot.day - before.slot.day
    next_hand_over_by = (in_time or one.hand_over_by) + room
    return replace(one, window=slot.window, next_hand_over_by=next_hand_over_by, next_window=slot.window)


def _slot(slot: Slot) -> str:
    return f"from {slot.window.start:%-d %b %Y %H:%M %Z} to {slot.window.end:%-d %b %Y %H:%M %Z}"
