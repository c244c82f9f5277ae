"""Delivery slots and bookings with canned answers."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import grpc

from kit import times
from kit.errors import NotFound
from oms.booking.v1 import booking_service_pb2 as pb
from oms.booking.v1.booking_service_pb2_grpc import BookingServiceServicer, add_BookingServiceServicer_to_server
from oms.type.v1 import type_pb2 as types

if TYPE_CHECKING:
    from tests.services.gateway.fakes import World

START, END = datetime(2026, 12, 7, 7, tzinfo=UTC), datetime(2026, 12, 7, 11, tzinfo=UTC)
WINDOW = types.Window(start=times.to_proto(START), end=times.to_proto(END))
FULL = "lyon-morning.20261208"
SLOT = pb.Slot(
    slot_id="lyon-morning.20261207",
    carrier_id="vallier",
    service_id="vallier-rendez-vous",
    date="2026-12-07",
    window=WINDOW,
    capacity=3,
    taken=1,
    left=2,
    price=types.Money(amount_minor=900, currency="EUR"),
    bookable_until=times.to_proto(START),
)
PATTERN = pb.SlotPattern(
    pattern_id="lyon-morning",
    carrier_id="vallier",
    service_id="vallier-rendez-vous",
    country="FR",
    postcode_prefixes=["69"],
    weekdays=[1, 2],
    from_minute=480,
    until_minute=720,
    time_zone="Europe/Paris",
    capacity=3,
    valid_from="2026-11-01",
    version=2,
)


def booking(booking_id: str, state: "pb.BookingState.ValueType", order_id: str = "") -> pb.Booking:
    """A place in the slot; `bkg_app` is another channel's."""
    return pb.Booking(
        booking_id=booking_id,
        state=state,
        slot_id=SLOT.slot_id,
        carrier_id=SLOT.carrier_id,
        service_id=SLOT.service_id,
        date=SLOT.date,
        window=WINDOW,
        order_id=order_id,
        channel_id="app" if booking_id == "bkg_app" else "web-fr",
        taken_at=WINDOW.start,
        changed_at=WINDOW.start,
    )


class FakeBooking(BookingServiceServicer):
    def __init__(self, world: "World") -> None:
        self._world = world

    async def PutSlotPatterns(self, request: Any, context: Any) -> pb.PutSlotPatternsResponse:
        self._world.note("PutSlotPatterns", request)
        return pb.PutSlotPatternsResponse(changed=len(request.patterns))

    async def ListSlotPatterns(self, request: Any, context: Any) -> pb.ListSlotPatternsResponse:
        self._world.note("ListSlotPatterns", request)
        return pb.ListSlotPatternsResponse(patterns=[PATTERN])

    async def ListSlotPatternVersions(self, request: Any, context: Any) -> pb.ListSlotPatternVersionsResponse:
        version = pb.SlotPatternVersion(pattern=PATTERN, set_at=WINDOW.start, set_by="anna")
        return pb.ListSlotPatternVersionsResponse(versions=[version])

    async def ListSlots(self, request: Any, context: Any) -> pb.ListSlotsResponse:
        self._world.note("ListSlots", request)
        return pb.ListSlotsResponse(slots=[SLOT])

    async def ListAlternatives(self, request: Any, context: Any) -> pb.ListAlternativesResponse:
        self._world.note("ListAlternatives", request)
        return pb.ListAlternativesResponse(slots=[SLOT])

    async def GetSlot(self, request: Any, context: Any) -> pb.GetSlotResponse:
        return pb.GetSlotResponse(slot=SLOT)

    async def HoldSlot(self, request: Any, context: Any) -> pb.HoldSlotResponse:
        self._world.note("HoldSlot", request)
        if request.slot_id == FULL:
            return pb.HoldSlotResponse(refusal=pb.SlotRefusal(reason="SLOT_FULL", alternatives=[SLOT]))
        held = booking("bkg_1", pb.BOOKING_STATE_HELD)
        held.expires_at.CopyFrom(WINDOW.start)
        return pb.HoldSlotResponse(booking=held)

    async def ReleaseBooking(self, request: Any, context: Any) -> pb.ReleaseBookingResponse:
        self._world.note("ReleaseBooking", request)
        return pb.ReleaseBookingResponse(booking=booking(request.booking_id, pb.BOOKING_STATE_RELEASED))

    async def RecordKept(self, request: Any, context: Any) -> pb.RecordKeptResponse:
        self._world.note("RecordKept", request)
        return pb.RecordKeptResponse(booking=booking(request.booking_id, pb.BOOKING_STATE_KEPT, "ord_1"))

    async def RecordMissed(self, request: Any, context: Any) -> pb.RecordMissedResponse:
        self._world.note("RecordMissed", request)
        return pb.RecordMissedResponse(booking=booking(request.booking_id, pb.BOOKING_STATE_MISSED, "ord_1"))

    async def GetBooking(self, request: Any, context: Any) -> pb.GetBookingResponse:
        if request.booking_id == "bkg_none":
            raise NotFound("BOOKING_NOT_FOUND", "there is no such booking", field="booking_id")
        return pb.GetBookingResponse(booking=booking(request.booking_id, pb.BOOKING_STATE_CONFIRMED, "ord_1"))

    async def ListBookings(self, request: Any, context: Any) -> pb.ListBookingsResponse:
        self._world.note("ListBookings", request)
        return pb.ListBookingsResponse(bookings=[booking("bkg_1", pb.BOOKING_STATE_CONFIRMED, "ord_1")])

    async def FindSlotDifferences(self, request: Any, context: Any) -> pb.FindSlotDifferencesResponse:
        return pb.FindSlotDifferencesResponse(checked=1)


def register(world: "World", server: grpc.aio.Server) -> None:
    add_BookingServiceServicer_to_server(FakeBooking(world), server)  # type: ignore[abstract]
