"""Appointments of orders between protobuf and the domain."""

from datetime import date

from kit.errors import InvalidArgument
from oms.orders.v1 import orders_service_pb2 as pb
from services.orders.domain.model import Appointment, Slot
from services.orders.wire import from_instant, from_window, to_window

_HasSlot = pb.AcceptOrderRequest | pb.RequestAppointmentMoveRequest | pb.RecordAppointmentMoveRequest


def to_slot(message: _HasSlot) -> Slot | None:
    """None when it is absent."""
    return to_wanted_slot(message) if message.HasField("slot") else None


def to_wanted_slot(message: _HasSlot) -> Slot:
    """Which must be there and whole."""
    slot = message.slot
    window = to_window(slot.window, "slot.window")
    if not slot.slot_id:
        raise InvalidArgument("slot.slot_id", "a slot has an id")
    if window is None:
        raise InvalidArgument("slot.window", "a slot has a window")
    try:
        return Slot(slot.slot_id, date.fromisoformat(slot.date), window)
    except ValueError:
        raise InvalidArgument("slot.date", "a date, for example 2026-12-24") from None


def from_appointment(one: Appointment | None) -> pb.Appointment | None:
    """Absent when there is none."""
    if one is None:
        return None
    return pb.Appointment(
        booking_id=one.booking_id,
        slot=pb.AppointmentSlot(
            slot_id=one.slot.slot_id, date=one.slot.day.isoformat(), window=from_window(one.slot.window)
        ),
        state=one.state,
        wanted_slot_id=one.wanted_slot_id,
        refusal=one.refusal,
        missed_at=from_instant(one.missed_at),
        met_from=one.met_from.isoformat(),
    )
