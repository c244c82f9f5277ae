"""Delivery slots of carriers, and the bookings that have a place in them."""

from typing import Annotated

from fastapi import Path, Query, Response
from fastapi.responses import JSONResponse

from kit.errors import NotFound
from oms.booking.v1 import booking_service_pb2 as pb
from oms.type.v1 import type_pb2 as types
from services.gateway import access
from services.gateway.auth import Caller
from services.gateway.clients import Clients
from services.gateway.guard import CallerIs, ClientsAre
from services.gateway.problems import problem
from services.gateway.routes.common import OptionalKey, act_id, new_act_id, router
from services.gateway.schemas.base import Changed, Listed, Page
from services.gateway.schemas.booking import (
    BookingFilters,
    BookingMissed,
    BookingView,
    PatternFilters,
    SlotFilters,
    SlotHold,
    SlotPatterns,
    SlotPatternVersionView,
    SlotPatternView,
    SlotView,
)
from services.gateway.wire import message, sent, shown

booking_router = router("appointments")

_ID = r"^[A-Za-z0-9][A-Za-z0-9._-]*$"
PatternId = Annotated[str, Path(min_length=1, max_length=80, pattern=_ID)]
SlotId = Annotated[str, Path(min_length=1, max_length=200, pattern=_ID)]
BookingId = Annotated[str, Path(min_length=1, max_length=100, pattern=_ID)]


@booking_router.put("/slot-patterns")
async def put_patterns(body: SlotPatterns, caller: CallerIs, clients: ClientsAre) -> Changed:
    """Write patterns, all or none. What is booked stays booked, also above a capacity that was lowered."""
    request = sent(pb.PutSlotPatternsRequest, body, actor=caller.subject)
    return Changed(changed=(await clients.act(clients.booking.PutSlotPatterns, request)).changed)


@booking_router.get("/slot-patterns")
async def list_patterns(
    filters: Annotated[PatternFilters, Query()], clients: ClientsAre
) -> Listed[SlotPatternView]:
    """List the patterns that delivery slots follow from."""
    found = await clients.read(clients.booking.ListSlotPatterns, sent(pb.ListSlotPatternsRequest, filters))
    return Listed(items=[shown(one, SlotPatternView) for one in found.patterns])


@booking_router.get("/slot-patterns/{pattern_id}/versions")
async def list_versions(pattern_id: PatternId, clients: ClientsAre) -> Listed[SlotPatternVersionView]:
    """List every version of a pattern, newest first."""
    request = pb.ListSlotPatternVersionsRequest(pattern_id=pattern_id)
    found = await clients.read(clients.booking.ListSlotPatternVersions, request)
    return Listed(items=[shown(one, SlotPatternVersionView) for one in found.versions])


@booking_router.get("/delivery-slots")
async def list_slots(filters: Annotated[SlotFilters, Query()], clients: ClientsAre) -> Listed[SlotView]:
    """List the slots that serve a destination, or those of a carrier service, by their start."""
    request = pb.ListSlotsRequest(
        carrier_id=filters.carrier_id or "",
        service_id=filters.service_id or "",
        destination=_destination(filters.country, filters.postcode),
        from_date=filters.from_date,
        until_date=filters.last,
        only_open=filters.only_open,
    )
    found = await clients.read(clients.booking.ListSlots, request)
    return Listed(items=[slot_view(one) for one in found.slots])


@booking_router.post("/delivery-slots/{slot_id}/holds", status_code=201, response_model=BookingView)
async def hold(
    slot_id: SlotId, body: SlotHold, caller: CallerIs, clients: ClientsAre, key: OptionalKey = None
) -> Response:
    """Hold a place until the customer has ordered: the order names it in `booking_id`.

    409 SLOT_FULL or SLOT_PAST tells the nearest slots that can be had instead.
    """
    access.check_speaks_for(caller, body.channel_id)
    request = pb.HoldSlotRequest(
        request_id=new_act_id("booking.hold", caller, key),
        slot_id=slot_id,
        channel_id=body.channel_id,
        destination=_destination(body.country, body.postcode),
        time_to_live_seconds=body.time_to_live_seconds,
    )
    answer = await clients.act(clients.booking.HoldSlot, request)
    if answer.HasField("refusal"):
        return refused(answer.refusal)
    return JSONResponse(
        _view(answer.booking).model_dump(mode="json"),
        201,
        {"Location": f"/v1/bookings/{answer.booking.booking_id}"},
    )


@booking_router.get("/bookings")
async def list_bookings(
    filters: Annotated[BookingFilters, Query()], caller: CallerIs, clients: ClientsAre
) -> Page[BookingView]:
    """List bookings by the start of their windows."""
    channels = access.booking_channels(caller)
    if channels is not None and not channels:
        # An empty filter would mean every channel.
        return Page(items=[], next_cursor=None)
    values = filters.model_dump(exclude={"cursor", "size", "status"})
    request = message(
        pb.ListBookingsRequest,
        {**values, "state": filters.status, "page": filters.page, "channel_ids": sorted(channels or ())},
    )
    found = await clients.read(clients.booking.ListBookings, request)
    return Page(items=[_view(one) for one in found.bookings], next_cursor=found.page.next_cursor or None)


@booking_router.get("/bookings/{booking_id}")
async def read(booking_id: BookingId, caller: CallerIs, clients: ClientsAre) -> BookingView:
    """Read one booking."""
    return _view(await _visible(clients, caller, booking_id))


@booking_router.post("/bookings/{booking_id}/release")
async def release(
    booking_id: BookingId, caller: CallerIs, clients: ClientsAre, key: OptionalKey = None
) -> BookingView:
    """Give a place back that no order has. That of an order goes back when the order is cancelled."""
    await _visible(clients, caller, booking_id)
    request = pb.ReleaseBookingRequest(
        request_id=act_id("booking.release", booking_id, caller, None, key),
        booking_id=booking_id,
        reason="given_up",
    )
    return _view((await clients.act(clients.booking.ReleaseBooking, request)).booking)


@booking_router.post("/bookings/{booking_id}/kept")
async def kept(
    booking_id: BookingId, caller: CallerIs, clients: ClientsAre, key: OptionalKey = None
) -> BookingView:
    """Say that the customer was met."""
    request = pb.RecordKeptRequest(
        request_id=act_id("booking.kept", booking_id, caller, None, key),
        booking_id=booking_id,
        actor=caller.subject,
    )
    return _view((await clients.act(clients.booking.RecordKept, request)).booking)


@booking_router.post("/bookings/{booking_id}/missed")
async def missed(
    booking_id: BookingId, body: BookingMissed, caller: CallerIs, clients: ClientsAre, key: OptionalKey = None
) -> BookingView:
    """Say that the customer was not met: the order is told, and may move to another slot."""
    found = (await clients.read(clients.booking.GetBooking, pb.GetBookingRequest(booking_id=booking_id))).booking
    request = pb.RecordMissedRequest(
        # One that was moved since may be missed again, for the same reason.
        request_id=act_id("booking.missed", f"{booking_id}/{found.slot_id}", caller, body, key),
        booking_id=booking_id,
        reason=body.reason,
        actor=caller.subject,
    )
    return _view((await clients.act(clients.booking.RecordMissed, request)).booking)


def slot_view(slot: pb.Slot) -> SlotView:
    """A slot as it is shown."""
    return shown(slot, SlotView, id=slot.slot_id)


def refused(refusal: pb.SlotRefusal) -> Response:
    """409: why the place could not be had, and which ones can."""
    alternatives = [slot_view(one) for one in refusal.alternatives]
    return problem(409, refusal.reason, REFUSALS[refusal.reason], alternatives=alternatives)


REFUSALS = {
    "SLOT_FULL": "every place of the slot is taken",
    "SLOT_PAST": "the slot can no longer be booked",
    "NOT_SERVED": "the slot does not serve this destination",
    "OTHER_SERVICE": "the slot is of another service of the carrier",
}


async def _visible(clients: Clients, caller: Caller, booking_id: str) -> pb.Booking:
    """Raises NotFound / BOOKING_NOT_FOUND also for one that the caller may not see."""
    found = (await clients.read(clients.booking.GetBooking, pb.GetBookingRequest(booking_id=booking_id))).booking
    channels = access.booking_channels(caller)
    if channels is not None and found.channel_id not in channels:
        # Word for word what booking says of one that does not exist.
        raise NotFound("BOOKING_NOT_FOUND", "there is no such booking", field="booking_id", booking_id=booking_id)
    return found


def _destination(country: str | None, postcode: str | None) -> types.Destination | None:
    return types.Destination(country=country or "", postcode=postcode or "") if country or postcode else None


def _view(booking: pb.Booking) -> BookingView:
    state = pb.BookingState.Name(booking.state).removeprefix("BOOKING_STATE_").lower()
    return shown(booking, BookingView, id=booking.booking_id, status=state, order_id=booking.order_id or None)
