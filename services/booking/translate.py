"""Between the messages of booking and its domain. Names the field that cannot be read."""

import base64
import binascii
from collections.abc import Sequence
from datetime import date, datetime

from kit import times
from kit.errors import InvalidArgument
from kit.values.money import Money
from oms.booking.v1 import booking_service_pb2 as pb
from oms.type.v1 import type_pb2
from services.booking.domain.bookings import Booking, State
from services.booking.domain.patterns import Pattern, Place, Window
from services.booking.patterns import Offered
from services.booking.service import Outcome
from services.booking.store import PatternVersion, Wanted

_STATE = {state: pb.BookingState.Value(f"BOOKING_STATE_{state.name}") for state in State}
_STATE_BACK: dict[int, State] = {number: state for state, number in _STATE.items()}
_PAGE, _LARGEST_PAGE = 50, 500

# -- to the domain --------------------------------------------------------------------------------------------


def to_pattern(one: pb.SlotPattern, field: str) -> Pattern:
    return Pattern(
        pattern_id=one.pattern_id,
        carrier_id=one.carrier_id,
        service_id=one.service_id,
        country=one.country,
        postcode_prefixes=tuple(one.postcode_prefixes),
        weekdays=tuple(sorted(one.weekdays)),
        from_minute=one.from_minute,
        until_minute=one.until_minute,
        time_zone=one.time_zone,
        capacity=one.capacity,
        lead_days=one.lead_days,
        valid_from=to_day(one.valid_from, f"{field}.valid_from"),
        valid_until=to_day_or_none(one.valid_until, f"{field}.valid_until"),
        closed_dates=tuple(
            sorted({to_day(day, f"{field}.closed_dates[{i}]") for i, day in enumerate(one.closed_dates)})
        ),
        price=Money(one.price.amount_minor, one.price.currency) if one.HasField("price") else None,
    )


def to_place(destination: type_pb2.Destination) -> Place:
    return Place(destination.country, destination.postcode)


def to_day(text: str, field: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise InvalidArgument(field, f"{field}: must be a date, for example 2026-12-24") from None


def to_day_or_none(text: str, field: str) -> date | None:
    return to_day(text, field) if text else None


def to_wanted(request: pb.ListBookingsRequest) -> Wanted:
    if request.state and request.state not in _STATE_BACK:
        raise InvalidArgument("state", "state: there is no such state")
    return Wanted(
        order_id=request.order_id,
        carrier_id=request.carrier_id,
        service_id=request.service_id,
        first=to_day_or_none(request.from_date, "from_date"),
        last=to_day_or_none(request.until_date, "until_date"),
        state=_STATE_BACK.get(request.state),
        channel_ids=tuple(request.channel_ids),
        after=_to_position(request.page.cursor),
    )


def page_size(size: int) -> int:
    """Rows of a page."""
    if not 0 <= size <= _LARGEST_PAGE:
        raise InvalidArgument("page.size", f"page.size: 1 to {_LARGEST_PAGE}, or 0 for {_PAGE}")
    return size or _PAGE


def _to_position(cursor: str) -> tuple[datetime, str] | None:
    if not cursor:
        return None
    try:
        instant, _, last_id = base64.urlsafe_b64decode(cursor.encode()).decode().partition("|")
        at = datetime.fromisoformat(instant)
    except (ValueError, binascii.Error):
        raise InvalidArgument("page.cursor", "page.cursor: not a cursor of this list") from None
    if at.tzinfo is None or "\x00" in last_id:
        raise InvalidArgument("page.cursor", "page.cursor: not a cursor of this list")
    return at, last_id


# -- from the domain ------------------------------------------------------------------------------------------


def from_pattern(one: Pattern) -> pb.SlotPattern:
    return pb.SlotPattern(
        pattern_id=one.pattern_id,
        carrier_id=one.carrier_id,
        service_id=one.service_id,
        country=one.country,
        postcode_prefixes=one.postcode_prefixes,
        weekdays=one.weekdays,
        from_minute=one.from_minute,
        until_minute=one.until_minute,
        time_zone=one.time_zone,
        capacity=one.capacity,
        lead_days=one.lead_days,
        price=_from_price(one.price),
        valid_from=one.valid_from.isoformat(),
        valid_until=one.valid_until.isoformat() if one.valid_until else "",
        closed_dates=[day.isoformat() for day in one.closed_dates],
        version=one.version,
    )


def from_version(one: PatternVersion) -> pb.SlotPatternVersion:
    return pb.SlotPatternVersion(
        pattern=from_pattern(one.pattern), set_at=times.to_proto(one.set_at), set_by=one.set_by
    )


def from_offered(one: Offered, now: datetime) -> pb.Slot:
    slot, pattern = one.slot, one.slot.pattern
    return pb.Slot(
        slot_id=slot.slot_id,
        carrier_id=pattern.carrier_id,
        service_id=pattern.service_id,
        date=slot.day.isoformat(),
        window=_from_window(slot.window),
        capacity=pattern.capacity,
        taken=one.taken,
        left=slot.left(one.taken, now),
        price=_from_price(pattern.price),
        bookable_until=times.to_proto(slot.bookable_until),
    )


def from_booking_or_none(one: Booking | None) -> pb.Booking | None:
    """Absent when there is none."""
    return from_booking(one) if one else None


def from_booking(one: Booking) -> pb.Booking:
    return pb.Booking(
        booking_id=one.booking_id,
        state=_STATE[one.state],
        slot_id=one.slot_id,
        carrier_id=one.carrier_id,
        service_id=one.service_id,
        date=one.day.isoformat(),
        window=_from_window(one.window),
        price=_from_price(one.price),
        order_id=one.order_id,
        channel_id=one.channel_id,
        expires_at=times.to_proto(one.expires_at) if one.expires_at else None,
        taken_at=times.to_proto(one.taken_at),
        changed_at=times.to_proto(one.changed_at),
        moves=one.moves,
        misses=one.misses,
    )


def from_refusal(outcome: Outcome, now: datetime) -> pb.SlotRefusal | None:
    """Absent when the place was had."""
    if not outcome.refusal:
        return None
    alternatives = [from_offered(one, now) for one in outcome.alternatives]
    return pb.SlotRefusal(reason=outcome.refusal, alternatives=alternatives)


def page_info(shown: Sequence[Booking], *, more: bool) -> type_pb2.PageInfo:
    """Where the page ended."""
    if not more:
        return type_pb2.PageInfo()
    last = shown[-1]
    position = f"{last.window.start.isoformat()}|{last.booking_id}"
    return type_pb2.PageInfo(next_cursor=base64.urlsafe_b64encode(position.encode()).decode())


def _from_window(window: Window) -> type_pb2.Window:
    return type_pb2.Window(start=times.to_proto(window.start), end=times.to_proto(window.end))


def _from_price(price: Money | None) -> type_pb2.Money | None:
    return type_pb2.Money(amount_minor=price.amount_minor, currency=price.currency) if price else None
