"""What booking tells: ids, dates and windows, never who or where a customer is."""

from kit.outbox import Event
from services.booking.domain.bookings import Booking, Change

_MISSED = "missed"


def events_of(*changes: Change) -> list[Event]:
    """One of each change that is told."""
    return [_event(change.booking, change) for change in changes if change.told]


def _event(one: Booking, change: Change) -> Event:
    data = {
        "booking_id": one.booking_id,
        "order_id": one.order_id,
        "channel_id": one.channel_id,
        "carrier_id": one.carrier_id,
        "service_id": one.service_id,
        "slot_id": one.slot_id,
        "date": one.day.isoformat(),
        "window": {"start": one.window.start.isoformat(), "end": one.window.end.isoformat()},
        **change.facts,
    }
    return Event(f"oms.booking.booking.{change.told}", _subject(one, change), one.order_id, one.changed_at, data)


def _subject(one: Booking, change: Change) -> str:
    """The booking; of one that was missed the story that tells its order, which is another one each time."""
    if change.told == _MISSED:
        return f"appointment/{one.booking_id}/missed/{one.misses}"
    return f"booking/{one.booking_id}"
