"""The life of a booking, and its races, decided by the database."""

import asyncio
from datetime import timedelta

import pytest

from kit.errors import Conflict, FailedPrecondition, InvalidArgument, NotFound
from services.booking.domain.bookings import Refusal, State
from services.booking.domain.patterns import Place
from services.booking.service import Outcome
from services.booking.store import Wanted
from tests.services.booking.conftest import FRIDAY, MONDAY, NOW, TUESDAY, Desk, later, pattern, refused

AT_THE_DOOR = NOW + timedelta(days=10)
BREST = Place("FR", "29200")


async def test_a_hold_that_is_confirmed_is_the_orders_for_good(desk: Desk) -> None:
    held = await desk.held()
    assert (held.state, held.expires_at, held.order_id) == (State.HELD, later(seconds=600), "")
    booked = (await desk.confirm(held)).booking
    assert booked is not None
    assert (booked.state, booked.expires_at, booked.order_id) == (State.CONFIRMED, None, "ord_1")
    assert await desk.service.expire(later(days=1)) == 0
    assert (await desk.kept(booked, AT_THE_DOOR)).state is State.KEPT
    assert await desk.taken() == 1
    assert await desk.kinds() == ["held", "confirmed", "kept"]


async def test_fifty_who_want_the_last_three_places_get_three(desk: Desk) -> None:
    outcomes = await asyncio.gather(*(desk.hold() for _ in range(50)))
    assert sum(one.booking is not None for one in outcomes) == 3
    assert {one.refusal for one in outcomes if one.booking is None} == {Refusal.SLOT_FULL}
    assert await desk.taken() == 3
    assert await desk.kinds() == ["held"] * 3


async def test_who_moves_confirms_expires_and_gives_back_at_once_never_overfills_a_slot(desk: Desk) -> None:
    await desk.put(pattern(capacity=4))
    booked = [await desk.booked(day, f"ord_{day}_{n}") for day in (MONDAY, TUESDAY) for n in range(3)]
    held = [await desk.held(day) for day in (MONDAY, TUESDAY)]
    back_and_forth = [
        desk.move(one, TUESDAY if one.day == MONDAY else MONDAY, one.order_id) for one in booked for _ in range(2)
    ]
    others = [desk.service.expire(later(seconds=600)) for _ in range(3)]
    leaving = [desk.release(booked[0], booked[0].order_id), desk.release(booked[5], booked[5].order_id)]
    coming = [desk.hold(day) for day in (MONDAY, TUESDAY) for _ in range(5)]
    await asyncio.gather(*back_and_forth, *others, *leaving, *coming, return_exceptions=True)
    assert await desk.taken(MONDAY) <= 4
    assert await desk.taken(TUESDAY) <= 4
    assert {(await desk.service.get(one.booking_id)).state for one in held} == {State.EXPIRED}


async def test_a_capacity_that_changes_meanwhile_is_never_exceeded(desk: Desk) -> None:
    async def lower() -> None:
        await desk.put(pattern(capacity=1))

    outcomes = await asyncio.gather(*(desk.hold() for _ in range(5)), lower(), *(desk.hold() for _ in range(5)))
    had = sum(isinstance(one, Outcome) and one.booking is not None for one in outcomes)
    assert 1 <= had <= 3
    refused(await desk.hold(), Refusal.SLOT_FULL)


async def test_a_request_that_is_repeated_takes_one_place_and_other_content_is_an_error(desk: Desk) -> None:
    twins = await asyncio.gather(*(desk.hold(key="hold-1") for _ in range(4)))
    (booking,) = {one.booking for one in twins}
    assert booking is not None
    assert await desk.taken() == 1
    with pytest.raises(Conflict, match="IDEMPOTENCY_CONFLICT"):
        await desk.hold(TUESDAY, key="hold-1")
    for _ in range(2):
        assert (await desk.confirm(booking, key="confirm-1")).booking
    for _ in range(2):
        assert (await desk.move(booking, TUESDAY, key="move-1")).booking
    again = (await desk.hold(key="hold-1")).booking
    assert again is not None
    assert (again.state, again.day, again.moves) == (State.CONFIRMED, TUESDAY, 1)
    assert await desk.kinds() == ["held", "confirmed", "moved"]


async def test_a_request_that_was_refused_may_be_repeated(desk: Desk) -> None:
    await desk.put(pattern(capacity=1))
    first = await desk.held()
    refused(await desk.hold(key="mine"), Refusal.SLOT_FULL)
    await desk.release(first)
    assert (await desk.hold(key="mine")).booking


async def test_a_hold_expires_and_gives_its_place_back(desk: Desk) -> None:
    held = await desk.held()
    assert await desk.service.expire(later(seconds=599)) == 0
    assert await desk.service.expire(later(seconds=600)) == 1
    assert await desk.service.expire(later(seconds=600)) == 0
    assert (await desk.service.get(held.booking_id)).state is State.EXPIRED
    assert await desk.taken() == 0
    with pytest.raises(FailedPrecondition, match="BOOKING_EXPIRED"):
        await desk.move(held, TUESDAY)


async def test_a_hold_that_expired_takes_its_place_again_if_there_is_one(desk: Desk) -> None:
    await desk.put(pattern(capacity=1))
    held = await desk.held()
    await desk.service.expire(later(hours=1))
    other = await desk.held(now=later(hours=1))
    instead = refused(await desk.confirm(held, now=later(hours=1)), Refusal.SLOT_FULL)
    assert instead[0] == "morning.20261208"
    again = await desk.service.alternatives(held.booking_id, None, later(hours=1))
    assert [one.slot.slot_id for one in again] == instead
    assert await desk.service.alternatives(held.booking_id, BREST, later(hours=1)) == []
    assert (await desk.service.get(held.booking_id)).state is State.EXPIRED
    await desk.release(other)
    booked = (await desk.confirm(held, now=later(hours=1))).booking
    assert booked is not None
    assert booked.state is State.CONFIRMED
    assert await desk.taken() == 1


async def test_a_hold_that_expired_after_its_slot_was_closed_to_booking_is_refused(desk: Desk) -> None:
    held = await desk.held()
    await desk.service.expire(later(days=9))
    refused(await desk.confirm(held, now=later(days=9)), Refusal.SLOT_PAST)


async def test_an_order_gets_only_a_booking_of_its_channel_that_serves_it_and_is_nobodys(desk: Desk) -> None:
    held = await desk.held()
    refused(await desk.confirm(held, place=BREST), Refusal.NOT_SERVED)
    assert (await desk.confirm(held, place=Place("FR", "75 020"))).booking
    assert (await desk.confirm(held)).booking, "its own order may ask again"
    with pytest.raises(FailedPrecondition, match="BOOKED_BY_ANOTHER"):
        await desk.confirm(held, "ord_2")
    free = await desk.held()
    await desk.release(free)
    with pytest.raises(FailedPrecondition, match="BOOKING_ENDED"):
        await desk.confirm(free)


async def test_one_of_two_orders_gets_a_booking(desk: Desk) -> None:
    held = await desk.held()
    answers = await asyncio.gather(*(desk.confirm(held, f"ord_{n}") for n in range(2)), return_exceptions=True)
    assert sorted(type(one).__name__ for one in answers) == ["FailedPrecondition", "Outcome"]
    assert await desk.kinds() == ["held", "confirmed"]


async def test_a_booking_is_given_back_once_and_by_its_order_alone(desk: Desk) -> None:
    booked = await desk.booked()
    with pytest.raises(FailedPrecondition, match="BOOKED_BY_ANOTHER"):
        await desk.release(booked)
    kept_by_another = await desk.release(booked, "ord_2")
    assert kept_by_another is not None
    assert kept_by_another.state is State.CONFIRMED
    assert await desk.release(booked, "ord_1", channel_id="app") is None
    for _ in range(2):
        released = await desk.release(booked, "ord_1")
        assert released is not None
        assert released.state is State.RELEASED
    assert await desk.taken() == 0
    assert await desk.kinds() == ["held", "confirmed", "released"]


async def test_a_booking_moves_and_its_old_place_is_free(desk: Desk) -> None:
    booked = await desk.booked(MONDAY)
    moved = (await desk.move(booked, TUESDAY)).booking
    assert moved is not None
    assert (moved.state, moved.day, moved.moves) == (State.CONFIRMED, TUESDAY, 1)
    assert moved.window.start == booked.window.start + timedelta(days=1)
    assert (await desk.taken(MONDAY), await desk.taken(TUESDAY)) == (0, 1)
    assert (await desk.move(booked, TUESDAY)).booking == moved, "it is there already"
    kind, subject, data = (await desk.told())[-1]
    assert (kind, subject) == ("moved", f"booking/{booked.booking_id}")
    assert (data["from_slot_id"], data["slot_id"], data["order_id"]) == (booked.slot_id, moved.slot_id, "ord_1")


async def test_a_booking_that_cannot_move_keeps_its_place(desk: Desk) -> None:
    await desk.put(
        pattern(capacity=1),
        pattern("gloves", service_id="vallier-gants-blancs"),
        pattern("south", postcode_prefixes=("13",)),
    )
    booked = await desk.booked(MONDAY)
    await desk.booked(TUESDAY, "ord_2")
    assert refused(await desk.move(booked, TUESDAY), Refusal.SLOT_FULL)[0] == "morning.20261209"
    refused(await desk.move(booked, TUESDAY, pattern_id="gloves"), Refusal.OTHER_SERVICE)
    refused(await desk.move(booked, TUESDAY, pattern_id="south"), Refusal.NOT_SERVED)
    refused(await desk.move(booked, FRIDAY, now=later(days=8)), Refusal.SLOT_PAST)
    with pytest.raises(NotFound, match="UNKNOWN_SLOT"):
        await desk.move(booked, TUESDAY, pattern_id="night")
    with pytest.raises(FailedPrecondition, match="BOOKED_BY_ANOTHER"):
        await desk.move(booked, TUESDAY, "ord_2")
    with pytest.raises(FailedPrecondition, match="NOT_CONFIRMED"):
        await desk.move(await desk.held(FRIDAY), TUESDAY)
    assert await desk.service.get(booked.booking_id) == booked
    assert await desk.taken(MONDAY) == 1


async def test_one_that_was_missed_moves_to_another_slot_and_may_be_missed_again(desk: Desk) -> None:
    booked = await desk.booked(MONDAY)
    with pytest.raises(FailedPrecondition, match="SLOT_NOT_BEGUN"):
        await desk.missed(booked, NOW)
    missed = await desk.missed(booked, AT_THE_DOOR)
    assert (missed.state, missed.misses) == (State.MISSED, 1)
    assert (await desk.missed(booked, AT_THE_DOOR)).misses == 1, "said twice, it is missed once"
    with pytest.raises(FailedPrecondition, match="BOOKING_ENDED"):
        await desk.kept(booked, AT_THE_DOOR)
    wednesday = TUESDAY + timedelta(days=8)
    moved = (await desk.move(booked, wednesday, now=AT_THE_DOOR)).booking
    assert moved is not None
    assert moved.state is State.CONFIRMED
    again = await desk.missed(moved, AT_THE_DOOR + timedelta(days=10))
    assert again.misses == 2
    missed_events = [(subject, data["misses"]) for kind, subject, data in await desk.told() if kind == "missed"]
    assert missed_events == [(f"appointment/{booked.booking_id}/missed/{n}", n) for n in (1, 2)]
    assert (await desk.taken(MONDAY), await desk.taken(wednesday)) == (0, 1)
    released = await desk.release(moved, "ord_1")
    assert released is not None
    assert released.state is State.RELEASED


async def test_bookings_are_listed_by_order_carrier_date_and_state(desk: Desk) -> None:
    monday, tuesday = await desk.booked(MONDAY, "ord_1"), await desk.booked(TUESDAY, "ord_2")
    held = await desk.held(FRIDAY)

    async def ids(wanted: Wanted) -> list[str]:
        return [one.booking_id for one in (await desk.service.listed(wanted, 10))[0]]

    assert await ids(Wanted()) == [held.booking_id, monday.booking_id, tuesday.booking_id]
    assert await ids(Wanted(order_id="ord_2")) == [tuesday.booking_id]
    assert await ids(Wanted(carrier_id="vallier", first=MONDAY, last=MONDAY)) == [monday.booking_id]
    assert await ids(Wanted(carrier_id="hexagone")) == []
    assert await ids(Wanted(state=State.HELD)) == [held.booking_id]
    assert await ids(Wanted(channel_ids=("app",))) == []
    page, more = await desk.service.listed(Wanted(), 2)
    assert more
    rest = Wanted(after=(page[-1].window.start, page[-1].booking_id))
    assert await ids(rest) == [tuesday.booking_id]


async def test_what_is_asked_wrongly_is_named(desk: Desk) -> None:
    with pytest.raises(InvalidArgument, match="time_to_live_seconds"):
        await desk.hold(seconds=59)
    with pytest.raises(InvalidArgument, match=r"destination\.postcode"):
        await desk.hold(place=Place("FR", ""))
    with pytest.raises(NotFound, match="BOOKING_NOT_FOUND"):
        await desk.service.get("bkg_1")
