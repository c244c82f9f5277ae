"""Patterns are written with their versions; slots follow from them."""

from dataclasses import replace
from datetime import date, timedelta

import pytest

from kit.errors import InvalidArgument, NotFound
from services.booking.domain.bookings import Refusal
from services.booking.domain.patterns import Pattern, Place
from tests.services.booking.conftest import FRIDAY, MONDAY, NOW, PARIS, TUESDAY, Desk, later, pattern, refused


async def test_a_pattern_that_differs_gets_the_next_version_and_the_same_again_none(desk: Desk) -> None:
    assert await desk.put(pattern()) == 0
    assert await desk.put(pattern(capacity=5), pattern("evening", from_minute=1080, until_minute=1260)) == 2
    assert [(one.pattern_id, one.version, one.capacity) for one in await desk.patterns.listed("", "")] == [
        ("evening", 1, 3),
        ("morning", 2, 5),
    ]
    versions = await desk.patterns.versions("morning")
    assert [(one.pattern.version, one.pattern.capacity, one.set_by) for one in versions] == [
        (2, 5, "anna"),
        (1, 3, "anna"),
    ]
    with pytest.raises(NotFound, match="UNKNOWN_PATTERN"):
        await desk.patterns.versions("night")


async def test_slots_of_a_destination_are_those_that_serve_it_by_start(desk: Desk) -> None:
    await desk.put(
        pattern("evening", from_minute=1080, until_minute=1260),
        pattern("south", postcode_prefixes=("13",)),
        pattern("other", service_id="vallier-gants-blancs"),
    )
    await desk.held(MONDAY)
    found = await desk.patterns.slots("", "", PARIS, MONDAY, TUESDAY)
    assert [(one.slot.slot_id, one.taken) for one in found] == [
        ("morning.20261207", 1),
        ("other.20261207", 0),
        ("evening.20261207", 0),
        ("morning.20261208", 0),
        ("other.20261208", 0),
        ("evening.20261208", 0),
    ]
    of_service = await desk.patterns.slots("vallier", "vallier-rendez-vous", None, MONDAY, MONDAY)
    assert [one.slot.pattern.pattern_id for one in of_service] == ["morning", "south", "evening"]


async def test_a_capacity_that_is_lowered_below_what_is_taken_loses_no_booking(desk: Desk) -> None:
    booked = [await desk.booked(order_id=f"ord_{n}") for n in range(3)]
    await desk.put(pattern(capacity=1))
    assert await desk.taken() == 3
    assert [(await desk.service.get(one.booking_id)).state for one in booked] == ["confirmed"] * 3
    refused(await desk.hold(), Refusal.SLOT_FULL)
    # One may go, and still none may come.
    await desk.release(booked[0], "ord_0")
    await desk.release(booked[1], "ord_1")
    refused(await desk.hold(), Refusal.SLOT_FULL)
    await desk.release(booked[2], "ord_2")
    assert (await desk.hold()).booking


async def test_a_booking_keeps_its_window_when_its_pattern_changes(desk: Desk) -> None:
    booked = await desk.booked()
    await desk.put(pattern(from_minute=540, until_minute=780))
    assert (await desk.service.get(booked.booking_id)).window == booked.window
    assert (await desk.patterns.slot(booked.slot_id)).slot.window.start == booked.window.start + timedelta(hours=1)
    await desk.put(pattern(closed_dates=(MONDAY,)))
    assert (await desk.service.get(booked.booking_id)).state == "confirmed"
    with pytest.raises(NotFound, match="UNKNOWN_SLOT"):
        await desk.hold(MONDAY)


async def test_the_nearest_that_can_be_had_are_told_instead_of_a_full_one(desk: Desk) -> None:
    await desk.put(pattern(capacity=1), pattern("evening", from_minute=1080, until_minute=1260, capacity=1))
    await desk.held(MONDAY)
    await desk.held(TUESDAY)
    assert refused(await desk.hold(MONDAY), Refusal.SLOT_FULL) == [
        "evening.20261207",
        "evening.20261208",
        "evening.20261205",
        "morning.20261205",
        "morning.20261209",
    ]


async def test_of_a_slot_that_is_over_those_to_come_are_told(desk: Desk) -> None:
    at = later(days=9)
    assert refused(await desk.hold(FRIDAY, now=at), Refusal.SLOT_PAST)[0] == "morning.20261208"
    assert refused(await desk.hold(MONDAY, place=Place("FR", "69002")), Refusal.NOT_SERVED) == []


@pytest.mark.parametrize(
    ("other", "field"),
    [
        ({"pattern_id": "a.b"}, "patterns[0].pattern_id"),
        ({"carrier_id": ""}, "patterns[0].carrier_id"),
        ({"country": "fr"}, "patterns[0].country"),
        ({"postcode_prefixes": ("",)}, "patterns[0].postcode_prefixes[0]"),
        ({"weekdays": ()}, "patterns[0].weekdays"),
        ({"weekdays": (8,)}, "patterns[0].weekdays"),
        ({"weekdays": (1, 1)}, "patterns[0].weekdays"),
        ({"from_minute": 720}, "patterns[0].until_minute"),
        ({"until_minute": 1441}, "patterns[0].until_minute"),
        ({"time_zone": "Paris"}, "patterns[0].time_zone"),
        ({"capacity": -1}, "patterns[0].capacity"),
        ({"lead_days": 91}, "patterns[0].lead_days"),
        ({"valid_until": date(2026, 10, 31)}, "patterns[0].valid_until"),
    ],
)
async def test_what_breaks_a_rule_is_named_and_nothing_is_written(
    desk: Desk, other: dict[str, object], field: str
) -> None:
    wrong = replace(pattern(capacity=9), **other)  # type: ignore[arg-type]
    with pytest.raises(InvalidArgument) as caught:
        await desk.put(wrong)
    assert caught.value.facts["field"] == field
    assert [one.capacity for one in await desk.patterns.listed("", "")] == [3]


async def test_a_question_says_of_whom_and_when(desk: Desk) -> None:
    async def field(place: Place | None, first: date, last: date) -> object:
        with pytest.raises(InvalidArgument) as caught:
            await desk.patterns.slots("vallier", "", place, first, last)
        return caught.value.facts["field"]

    assert await field(None, MONDAY, MONDAY) == "destination"
    assert await field(Place("FR", ""), MONDAY, MONDAY) == "destination.postcode"
    assert await field(PARIS, TUESDAY, MONDAY) == "until_date"
    assert await field(PARIS, MONDAY, MONDAY + timedelta(days=62)) == "until_date"


async def test_two_patterns_of_one_id_are_not_written(desk: Desk) -> None:
    twins: list[Pattern] = [pattern("evening"), pattern("evening", capacity=1)]
    with pytest.raises(InvalidArgument, match="DUPLICATE"):
        await desk.patterns.put(twins, "anna", NOW)
