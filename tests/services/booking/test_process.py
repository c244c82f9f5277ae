"""The process as the others see it: gRPC, health, events, and its sweep."""

from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from typing import TYPE_CHECKING

import grpc
import pytest
import pytest_asyncio

from kit import rpc, times
from kit.errors import InvalidArgument
from kit.times import to_proto
from oms.booking.v1 import booking_service_pb2 as pb
from oms.booking.v1.booking_service_pb2_grpc import BookingServiceStub
from oms.outbox.v1 import outbox_service_pb2
from oms.outbox.v1.outbox_service_pb2_grpc import OutboxServiceStub
from oms.type.v1 import type_pb2 as types
from tests.conftest import MakeDatabase
from tests.processes import running

if TYPE_CHECKING:
    from oms.booking.v1.booking_service_pb2_grpc import BookingServiceAsyncStub

PARIS = types.Destination(country="FR", postcode="75011")
EVENING = pb.SlotPattern(
    pattern_id="evening",
    carrier_id="vallier",
    service_id="vallier-rendez-vous",
    country="FR",
    postcode_prefixes=["75"],
    weekdays=range(1, 8),
    from_minute=1080,
    until_minute=1260,
    time_zone="Europe/Paris",
    capacity=2,
    lead_days=1,
    price=types.Money(amount_minor=900, currency="EUR"),
    valid_from="2026-01-01",
    closed_dates=["2026-12-25"],
)


@pytest_asyncio.fixture
async def channel(
    make_database: MakeDatabase, unused_tcp_port_factory: Callable[[], int]
) -> AsyncIterator[grpc.aio.Channel]:
    address = f"127.0.0.1:{unused_tcp_port_factory()}"
    environment = {"OMS_DATABASE_URL": make_database("booking").url}
    async with running("services.booking", address, environment), rpc.connect(address) as channel:
        yield channel


async def test_patterns_slots_and_bookings_over_the_wire(channel: grpc.aio.Channel) -> None:
    stub: BookingServiceAsyncStub = BookingServiceStub(channel)
    put = pb.PutSlotPatternsRequest(patterns=[EVENING], actor="anna")
    assert [(await stub.PutSlotPatterns(put)).changed for _ in range(2)] == [1, 0]
    (known,) = (await stub.ListSlotPatterns(pb.ListSlotPatternsRequest())).patterns
    assert (known.version, known.price.amount_minor, list(known.closed_dates)) == (1, 900, ["2026-12-25"])
    wanted = pb.ListSlotPatternVersionsRequest(pattern_id="evening")
    (version,) = (await stub.ListSlotPatternVersions(wanted)).versions
    assert (version.set_by, version.pattern) == ("anna", known)

    today = times.now().date()
    listing = pb.ListSlotsRequest(
        destination=PARIS,
        from_date=today.isoformat(),
        until_date=(today + timedelta(days=20)).isoformat(),
        only_open=True,
    )
    open_slots = (await stub.ListSlots(listing)).slots
    slot = open_slots[-1]
    assert (slot.left, slot.taken, slot.capacity, slot.price.amount_minor) == (2, 0, 2, 900)
    assert slot == (await stub.GetSlot(pb.GetSlotRequest(slot_id=slot.slot_id))).slot

    hold = pb.HoldSlotRequest(request_id="1", slot_id=slot.slot_id, channel_id="web", destination=PARIS)
    booking = (await stub.HoldSlot(hold)).booking
    assert booking.state == pb.BOOKING_STATE_HELD
    assert (booking.window, booking.date) == (slot.window, slot.date)
    confirm = pb.ConfirmBookingRequest(
        request_id="2", booking_id=booking.booking_id, order_id="ord_1", channel_id="web", destination=PARIS
    )
    assert (await stub.ConfirmBooking(confirm)).booking.state == pb.BOOKING_STATE_CONFIRMED
    before = open_slots[-2]
    move = pb.MoveBookingRequest(
        request_id="3", booking_id=booking.booking_id, order_id="ord_1", slot_id=before.slot_id
    )
    assert (await stub.MoveBooking(move)).booking.slot_id == before.slot_id
    full = pb.HoldSlotRequest(request_id="4", slot_id=before.slot_id, channel_id="web", destination=PARIS)
    assert (await stub.HoldSlot(full)).HasField("booking")
    full.request_id = "5"
    refused = await stub.HoldSlot(full)
    assert not refused.HasField("booking")
    assert refused.refusal.reason == "SLOT_FULL"
    assert refused.refusal.alternatives[0].slot_id in (slot.slot_id, open_slots[-3].slot_id)
    after = to_proto(times.from_proto(before.window.end))
    missed = pb.RecordMissedRequest(
        request_id="6", booking_id=booking.booking_id, actor="vallier", reason="not_at_home", as_of=after
    )
    assert (await stub.RecordMissed(missed)).booking.misses == 1
    assert (await stub.FindSlotDifferences(pb.FindSlotDifferencesRequest())).checked == 2

    first = await stub.ListBookings(pb.ListBookingsRequest(page=types.PageRequest(size=1)))
    cursor = types.PageRequest(size=1, cursor=first.page.next_cursor)
    second = await stub.ListBookings(pb.ListBookingsRequest(page=cursor))
    assert len({one.booking_id for one in (*first.bookings, *second.bookings)}) == 2
    assert not second.page.next_cursor
    release = pb.ReleaseBookingRequest(
        request_id="7", booking_id=booking.booking_id, order_id="ord_1", reason="undo"
    )
    assert (await stub.ReleaseBooking(release)).booking.state == pb.BOOKING_STATE_RELEASED

    # The other hold was made as of then, so its time is over by now: the sweep ends it.
    brief = pb.HoldSlotRequest(
        request_id="8",
        slot_id=slot.slot_id,
        channel_id="web",
        destination=PARIS,
        time_to_live_seconds=60,
        as_of=to_proto(times.now() - timedelta(minutes=2)),
    )
    await stub.HoldSlot(brief)
    outbox = OutboxServiceStub(channel)
    asked = outbox_service_pb2.PullEventsRequest(wait_milliseconds=15_000)
    kinds: list[str] = []
    while "oms.booking.booking.expired" not in kinds:
        for event in (await outbox.PullEvents(asked)).events:
            kinds.append(event.type)
            asked.after_sequence = event.sequence
            assert "75011" not in event.data_json
    assert kinds[:3] == [f"oms.booking.booking.{kind}" for kind in ("held", "confirmed", "moved")]


async def test_what_cannot_be_read_is_named(channel: grpc.aio.Channel) -> None:
    stub: BookingServiceAsyncStub = BookingServiceStub(channel)

    async def refused(asked: pb.ListSlotsRequest) -> object:
        with pytest.raises(InvalidArgument) as caught:
            await stub.ListSlots(asked)
        return caught.value.facts["field"]

    assert await refused(pb.ListSlotsRequest(destination=PARIS, from_date="tomorrow")) == "from_date"
    with pytest.raises(InvalidArgument, match=r"page\.cursor"):
        await stub.ListBookings(pb.ListBookingsRequest(page=types.PageRequest(cursor="x")))
    wrong = pb.SlotPattern(pattern_id="x", valid_from="2026-13-01")
    with pytest.raises(InvalidArgument, match=r"patterns\[0\]\.valid_from"):
        await stub.PutSlotPatterns(pb.PutSlotPatternsRequest(patterns=[wrong], actor="anna"))
