"""Which slots a pattern has, when they are, and until when they are booked."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.values.money import Money
from services.booking.domain.patterns import Pattern, Place, Window, pattern_and_day, slot_id
from tests.services.booking.conftest import FRIDAY, MONDAY, pattern


def test_a_slot_is_a_date_of_its_pattern_in_local_time() -> None:
    slot = pattern(price=Money(900, "EUR")).slot_on(MONDAY)
    assert slot is not None
    assert slot.slot_id == "morning.20261207"
    assert slot.window == Window(datetime(2026, 12, 7, 7, tzinfo=UTC), datetime(2026, 12, 7, 11, tzinfo=UTC))
    summer = pattern(valid_from=date(2026, 1, 1)).slot_on(date(2026, 7, 6))
    assert summer is not None
    assert summer.window.start == datetime(2026, 7, 6, 6, tzinfo=UTC)


@pytest.mark.parametrize(
    ("lead_days", "until"),
    [
        (0, datetime(2026, 12, 7, 7, tzinfo=UTC)),
        (1, datetime(2026, 12, 6, 23, tzinfo=UTC)),
        (2, datetime(2026, 12, 5, 23, tzinfo=UTC)),
    ],
)
def test_it_is_booked_until_so_many_days_before(lead_days: int, until: datetime) -> None:
    slot = pattern(lead_days=lead_days).slot_on(MONDAY)
    assert slot is not None
    assert slot.bookable_until == until
    assert slot.left(1, until - timedelta(microseconds=1)) == 2
    assert slot.left(1, until) == 0


@pytest.mark.parametrize(
    "other",
    [
        {"weekdays": (2,)},
        {"closed_dates": (MONDAY,)},
        {"valid_from": MONDAY + timedelta(days=1)},
        {"valid_until": MONDAY - timedelta(days=1)},
    ],
)
def test_a_date_that_the_pattern_does_not_have_has_no_slot(other: dict[str, Any]) -> None:
    assert pattern(**other).slot_on(MONDAY) is None
    assert pattern(valid_from=MONDAY, valid_until=MONDAY).slot_on(MONDAY) is not None


def test_the_hour_that_the_clocks_leave_out_has_no_slot() -> None:
    night = pattern(from_minute=120, until_minute=180, weekdays=(7,), valid_from=date(2026, 1, 1))
    assert night.slot_on(date(2026, 3, 29)) is None
    assert night.slot_on(date(2026, 4, 5)) is not None
    longest = replace(night, from_minute=0, until_minute=1440).slot_on(date(2026, 10, 25))
    assert longest is not None
    assert longest.window.end - longest.window.start == timedelta(hours=25)


@pytest.mark.parametrize(
    ("prefixes", "country", "postcode", "served"),
    [
        (("75", "92"), "FR", "92 100", True),
        (("75", "92"), "FR", "69002", False),
        ((), "FR", "97400", True),
        ((), "BE", "1000", False),
        (("SW1A",), "GB", "sw1a 2aa", True),
    ],
)
def test_whom_it_serves(prefixes: tuple[str, ...], country: str, postcode: str, served: bool) -> None:
    one = pattern(postcode_prefixes=prefixes, country="GB" if country == "GB" else "FR")
    assert one.serves(Place(country, postcode)) is served


@given(st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_-]{0,20}", fullmatch=True), st.dates(min_value=date(1000, 1, 1)))
def test_a_slots_id_says_its_pattern_and_its_date(pattern_id: str, day: date) -> None:
    assert pattern_and_day(slot_id(pattern_id, day)) == (pattern_id, day)


@given(st.text())
def test_any_other_text_is_no_slots_id(text: str) -> None:
    found = pattern_and_day(text)
    assert found is None or slot_id(*found) == text


def test_what_is_written_another_way_is_not_the_same_slot() -> None:
    assert [pattern_and_day(one) for one in ("morning", "morning.", "morning.2026127", "a.20261301")] == [None] * 4


@given(st.integers(0, 400))
def test_slots_of_a_pattern_never_overlap(offset: int) -> None:
    whole: Pattern = pattern(from_minute=0, until_minute=1440, weekdays=(1, 2, 3, 4, 5, 6, 7))
    day = FRIDAY + timedelta(days=offset)
    first, second = whole.slot_on(day), whole.slot_on(day + timedelta(days=1))
    assert first is not None
    assert second is not None
    assert first.window.end == second.window.start
