"""Working time, collections and delivery days: clock changes, holidays, weekends, midnight."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.promise.domain import network as n
from services.promise.domain.calendars import Calendars, DeliveryCalendar, HandOver, PointCalendar, instant
from services.promise.public_holidays import is_public_holiday
from tests.services.promise.network import NOW, WORKDAYS, collections, no_holidays, openings, point, service, terms

PARIS_TIME = ZoneInfo("Europe/Paris")
HOUR = timedelta(hours=1)


def paris(year: int, month: int, day: int, hour: int = 0, minute: int = 0) -> datetime:
    return datetime(year, month, day, hour, minute, tzinfo=PARIS_TIME).astimezone(UTC)


def calendar(is_holiday: n.IsHoliday = no_holidays, **values: object) -> PointCalendar:
    return PointCalendar(point("p", **values), is_holiday)


def window_after(day: date, sold: n.CarrierService, subdivision: str = "FR-75") -> n.Window:
    delivery = DeliveryCalendar(
        sold, sold.zones[0], "Europe/Paris", lambda d: is_public_holiday(d, "FR", subdivision)
    )
    found = delivery.window(HandOver(day, instant(day, 17 * 60, "Europe/Paris")))
    assert found is not None
    return found


# -- working time ---------------------------------------------------------------------------------------------


def test_handling_counts_working_minutes_over_the_night() -> None:
    shop = calendar(openings=openings(opens=9 * 60, closes=19 * 60))
    assert shop.ready_at(paris(2026, 6, 1, 18, 30), 2 * HOUR) == paris(2026, 6, 2, 10, 30)


def test_handling_waits_for_the_doors_to_open() -> None:
    shop = calendar(openings=openings(opens=9 * 60, closes=19 * 60))
    assert shop.ready_at(paris(2026, 6, 1, 3), timedelta(0)) == paris(2026, 6, 1, 9)
    assert shop.ready_at(paris(2026, 6, 1, 3), 2 * HOUR) == paris(2026, 6, 1, 11)


def test_two_intervals_a_day_and_overlapping_ones_count_once() -> None:
    hours = (n.Opening(1, 600, 720), n.Opening(1, 660, 780), n.Opening(1, 900, 960))
    shop = calendar(openings=hours)
    assert shop.ready_at(paris(2026, 6, 1, 8), 4 * HOUR) == paris(2026, 6, 1, 16)


def test_a_weekend_and_a_closed_date_are_jumped() -> None:
    shop = calendar(openings=openings(WORKDAYS, 540, 1080), closed_dates=frozenset({date(2026, 6, 8)}))
    assert shop.ready_at(paris(2026, 6, 5, 17), 2 * HOUR) == paris(2026, 6, 9, 10)


def test_a_public_holiday_is_jumped_unless_the_point_works_on_it() -> None:
    eve = paris(2026, 7, 13, 17)
    hours = openings(opens=540, closes=1080)
    assert calendar(is_public_holiday, openings=hours).ready_at(eve, 2 * HOUR) == paris(2026, 7, 15, 10)
    always = calendar(is_public_holiday, openings=hours, open_on_public_holidays=True)
    assert always.ready_at(eve, 2 * HOUR) == paris(2026, 7, 14, 10)


def test_boxing_day_is_a_holiday_in_strasbourg_and_not_in_paris() -> None:
    hours = openings(opens=540, closes=1080)
    # 26 December 2025 is a Friday.
    noon = paris(2025, 12, 26, 12)
    there = calendar(is_public_holiday, openings=hours, subdivision="FR-67")
    here = calendar(is_public_holiday, openings=hours, subdivision="FR-75")
    assert there.ready_at(noon, HOUR) == paris(2025, 12, 27, 10)
    assert here.ready_at(noon, HOUR) == paris(2025, 12, 26, 13)


def test_a_point_that_never_opens_is_never_ready() -> None:
    assert calendar(openings=()).ready_at(paris(2026, 6, 1), HOUR) is None


def test_the_night_of_the_clock_change_has_23_or_25_hours() -> None:
    always = calendar()
    assert always.ready_at(paris(2026, 3, 29), timedelta(hours=23)) == paris(2026, 3, 30)
    assert always.ready_at(paris(2026, 10, 25), timedelta(hours=25)) == paris(2026, 10, 26)
    night = calendar(openings=openings(opens=60, closes=240))
    assert night.ready_at(paris(2026, 3, 29), 2 * HOUR) == paris(2026, 3, 29, 4), "01:00 to 04:00 has two hours"
    assert night.ready_at(paris(2026, 10, 25), 4 * HOUR) == paris(2026, 10, 25, 4), "01:00 to 04:00 has four"


def test_an_interval_inside_the_skipped_hour_is_shifted_not_lost() -> None:
    assert instant(date(2026, 3, 29), 150, "Europe/Paris") == paris(2026, 3, 29, 3, 30)
    assert instant(date(2026, 3, 29), 1440, "Europe/Paris") == paris(2026, 3, 30)


@given(
    start_minute=st.integers(0, 400 * 24 * 60),
    handling=st.integers(0, 3_000),
    hours=st.lists(
        st.tuples(st.integers(1, 7), st.integers(0, 1439), st.integers(1, 1440)).filter(lambda o: o[1] < o[2]),
        min_size=1,
        max_size=9,
    ),
)
def test_the_latest_start_is_the_exact_inverse(
    start_minute: int, handling: int, hours: list[tuple[int, int, int]]
) -> None:
    at = calendar(openings=tuple(n.Opening(*hour) for hour in hours))
    work = timedelta(minutes=handling)
    start = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=start_minute)
    ready = at.ready_at(start, work)
    if ready is None:
        return
    latest = at.latest_start(ready, work)
    assert latest is not None
    assert latest >= start
    again = at.ready_at(latest, work)
    assert again is not None
    assert again <= ready
    later = at.ready_at(latest + timedelta(seconds=1), work)
    assert later is None or later > ready


# -- collections ----------------------------------------------------------------------------------------------


def first_hand_over(at: PointCalendar, ready: datetime) -> HandOver:
    return next(at.hand_overs("post", ready))


def test_a_parcel_ready_at_the_cut_off_is_in_time_and_a_second_later_is_not() -> None:
    shop = calendar()
    at_five = paris(2026, 6, 1, 17)
    assert first_hand_over(shop, at_five).at == at_five
    assert first_hand_over(shop, at_five + timedelta(seconds=1)).at == paris(2026, 6, 2, 17)


def test_a_cut_off_at_midnight_belongs_to_the_day_that_ends() -> None:
    shop = calendar(collections=collections("post", 1440, (1,)))
    midnight = paris(2026, 6, 2)
    assert first_hand_over(shop, midnight) == HandOver(date(2026, 6, 1), midnight, 1440)
    assert first_hand_over(shop, midnight + timedelta(seconds=1)).day == date(2026, 6, 8)


def test_nobody_comes_on_a_weekend_without_visits_a_holiday_or_to_a_closed_point() -> None:
    shop = calendar(
        is_public_holiday,
        collections=collections("post", 1020, WORKDAYS),
        closed_dates=frozenset({date(2026, 7, 15)}),
        open_on_public_holidays=True,
    )
    # Friday evening, 10 July; Tuesday 14 is the national day; Wednesday 15 the point is closed.
    days = [h.day for h in shop.hand_overs("post", paris(2026, 7, 10, 18))][:2]
    assert days == [date(2026, 7, 13), date(2026, 7, 16)]


def test_another_carriers_visits_do_not_count() -> None:
    assert next(calendar().hand_overs("courier", paris(2026, 6, 1)), None) is None


def test_the_cut_off_keeps_its_wall_clock_through_a_clock_change() -> None:
    visits = [h.at for h in calendar().hand_overs("post", paris(2026, 3, 28, 12))][:2]
    assert visits == [paris(2026, 3, 28, 17), paris(2026, 3, 29, 17)]
    assert visits[1] - visits[0] == 23 * HOUR


# -- delivery -------------------------------------------------------------------------------------------------


def test_transit_counts_delivery_days_only() -> None:
    sold = service(delivery_weekdays=WORKDAYS, zones=(terms(transit_days_min=1, transit_days_max=2),))
    friday = window_after(date(2026, 6, 5), sold)
    assert friday == n.Window(paris(2026, 6, 8, 8), paris(2026, 6, 9, 18))


@pytest.mark.parametrize(("subdivision", "day"), [("FR-75", 26), ("FR-67", 27)])
def test_transit_jumps_the_holidays_of_the_destination(subdivision: str, day: int) -> None:
    sold = service(zones=(terms(transit_days_min=1, transit_days_max=1),))
    # Handed over on Christmas Eve 2025, a Wednesday.
    assert window_after(date(2025, 12, 24), sold, subdivision).end == paris(2025, 12, day, 18)


def test_the_national_day_is_no_delivery_day() -> None:
    sold = service(zones=(terms(transit_days_min=1, transit_days_max=1),))
    assert window_after(date(2026, 7, 13), sold).start == paris(2026, 7, 15, 8)


def test_same_day_delivery_needs_its_window_to_be_ahead() -> None:
    evening = service(
        delivery_from_minute=18 * 60,
        delivery_until_minute=21 * 60,
        zones=(terms(transit_days_min=0, transit_days_max=0),),
    )
    assert window_after(date(2026, 6, 1), evening).start == paris(2026, 6, 1, 18)
    morning = service(zones=(terms(transit_days_min=0, transit_days_max=0),))
    assert window_after(date(2026, 6, 1), morning).start == paris(2026, 6, 2, 8)


def test_the_window_is_on_the_clock_of_the_destination() -> None:
    sold = service(zones=(terms(transit_days_min=1, transit_days_max=1),))
    delivery = DeliveryCalendar(sold, sold.zones[0], "Indian/Reunion", lambda _: False)
    found = delivery.window(HandOver(date(2026, 6, 1), paris(2026, 6, 1, 17)))
    assert found is not None
    assert found.start == datetime(2026, 6, 2, 4, tzinfo=UTC)


@given(st.integers(0, 3), st.integers(0, 3), st.sets(st.integers(1, 7), min_size=1))
def test_a_later_hand_over_never_arrives_earlier(least: int, more: int, weekdays: set[int]) -> None:
    sold = service(
        delivery_weekdays=tuple(sorted(weekdays)),
        zones=(terms(transit_days_min=least, transit_days_max=least + more),),
    )
    days = [date(2026, 12, 20) + timedelta(days=i) for i in range(14)]
    ranks = [window_after(day, sold, "FR-67").rank for day in days]
    assert all(before <= after for before, after in pairwise(ranks))


# -- the lookup -----------------------------------------------------------------------------------------------


def test_iso_codes_of_departments_find_their_regional_holidays() -> None:
    boxing_day = date(2026, 12, 26)
    assert is_public_holiday(boxing_day, "FR", "FR-67")
    assert is_public_holiday(boxing_day, "FR", "FR-68")
    assert is_public_holiday(boxing_day, "FR", "FR-57")
    assert not is_public_holiday(boxing_day, "FR", "FR-69")
    assert not is_public_holiday(boxing_day, "FR", "")
    assert is_public_holiday(date(2026, 7, 14), "FR", "FR-69")
    assert is_public_holiday(date(2026, 1, 6), "DE", "DE-BY")
    assert not is_public_holiday(date(2026, 1, 6), "DE", "DE-HH")


def test_a_country_that_is_not_known_has_no_holidays() -> None:
    assert not is_public_holiday(date(2026, 12, 25), "XX", "")


# -- carriers that are paused ---------------------------------------------------------------------------------


def strike(**values: Any) -> PointCalendar:
    """`post` comes every day at 17:00, but not from noon of the second of June until noon of the fourth."""
    pause = n.CarrierPause(paris(2026, 6, 2, 12), paris(2026, 6, 4, 12), **values)
    return PointCalendar(point("p"), no_holidays, {"post": [pause]})


def test_a_paused_carrier_comes_again_at_its_next_visit_after_the_pause() -> None:
    visits = strike().hand_overs("post", paris(2026, 6, 1, 18))
    assert [next(visits).at for _ in range(2)] == [paris(2026, 6, 4, 17), paris(2026, 6, 5, 17)]
    assert next(strike().hand_overs("post", paris(2026, 6, 1, 9))).at == paris(2026, 6, 1, 17)


def test_the_beginning_of_a_pause_is_in_it_and_its_end_is_not() -> None:
    at = paris(2026, 6, 2, 17)
    for begins, ends, comes in ((at, at + HOUR, False), (at - HOUR, at, True), (at + HOUR, None, True)):
        paused = PointCalendar(point("p"), no_holidays, {"post": [n.CarrierPause(begins, ends)]})
        assert (next(paused.hand_overs("post", at)).at == at) is comes


def test_a_pause_at_one_point_is_none_elsewhere() -> None:
    elsewhere = strike(point_id="other").hand_overs("post", paris(2026, 6, 2, 13))
    assert next(elsewhere).at == paris(2026, 6, 2, 17)
    assert next(strike(point_id="p").hand_overs("post", paris(2026, 6, 2, 13))).at == paris(2026, 6, 4, 17)


# -- kept -----------------------------------------------------------------------------------------------------


def test_calendars_are_kept_until_the_point_or_a_carrier_changes() -> None:
    kept, post = Calendars(), (n.Carrier("post", (service(),)),)
    shop = point("a")
    first = kept.under(post).of_point(shop, no_holidays)
    assert kept.under(post).of_point(shop, no_holidays) is first
    moved = replace(shop, handling_minutes=5)
    assert kept.under(post).of_point(moved, no_holidays) is not first
    on_strike = (replace(post[0], pauses=(n.CarrierPause(NOW),)),)
    asked_before = kept.under(post)
    assert kept.under(on_strike).of_point(shop, no_holidays).pause("post", NOW) is not None
    # Who began under the carriers of before goes on with them.
    assert asked_before.of_point(shop, no_holidays).pause("post", NOW) is None


def test_a_delivery_calendar_is_one_for_each_region_with_holidays_of_its_own() -> None:
    def is_holiday(_day: date, _country: str, subdivision: str) -> bool:
        return subdivision == "FR-67"

    kept = Calendars().under(())
    alsace, paris = (
        kept.of_delivery("post", service(), terms(), "Europe/Paris", ("FR", there), is_holiday)
        for there in ("FR-67", "FR-75")
    )
    handed_over = HandOver(date(2026, 6, 1), NOW)
    assert alsace.window(handed_over) is None
    assert paris.window(handed_over) is not None
