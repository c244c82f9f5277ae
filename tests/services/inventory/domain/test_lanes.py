"""When lanes leave and arrive, over clock changes and closed dates, and what they cost."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.values.money import Money
from services.inventory.domain import lanes
from services.inventory.domain.catalogue import OpeningHours, PointType, StockPoint
from services.inventory.domain.lanes import Departure, Lane, LaneCost, LaneDeparture, Window

PARIS, NEW_YORK = "Europe/Paris", "America/New_York"
WEEKDAYS = tuple(LaneDeparture(day, 18 * 60) for day in range(1, 6))
LANE = Lane("l", "A", "B", WEEKDAYS, transit_days=1)


def point(time_zone: str = PARIS, **more: object) -> StockPoint:
    return StockPoint("P", "P", PointType.STORE, 0, 0, "FR", time_zone, **more)  # type: ignore[arg-type]


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def opens(*weekdays: int, at: int = 9 * 60, until: int = 19 * 60) -> tuple[OpeningHours, ...]:
    return tuple(OpeningHours(weekday, at, until) for weekday in weekdays)


def test_the_cut_off_itself_is_still_in_time_and_a_moment_later_is_tomorrow() -> None:
    at = utc("2026-11-24T17:00")  # Tuesday, 18:00 in Paris
    assert lanes.next_departure(LANE, point(), at) == Departure(date(2026, 11, 24), at)
    late = at + timedelta(microseconds=1)
    assert lanes.next_departure(LANE, point(), late) == Departure(date(2026, 11, 25), utc("2026-11-25T17:00"))


@pytest.mark.parametrize(
    ("friday", "before", "after"),
    [
        # Central Europe: summer time ends on 25 October 2026 and begins on 28 March 2027.
        ("2026-10-23T16:00:01", "2026-10-23T16:00", "2026-10-26T17:00"),
        ("2027-03-26T17:00:01", "2027-03-26T17:00", "2027-03-29T16:00"),
    ],
)
def test_a_cut_off_stands_on_the_wall_before_and_after_a_clock_change(
    friday: str, before: str, after: str
) -> None:
    assert lanes.next_departure(LANE, point(), utc(before)) == Departure(utc(before).date(), utc(before))
    found = lanes.next_departure(LANE, point(), utc(friday))
    assert found is not None
    assert found.at == utc(after)
    assert found.at.astimezone(ZoneInfo(PARIS)).hour == 18


def test_a_cut_off_that_the_clock_skips_is_read_as_if_it_had_not_and_a_repeated_one_is_the_first() -> None:
    at_half_past_two = replace(LANE, departures=(LaneDeparture(7, 150),))
    skipped = lanes.next_departure(at_half_past_two, point(), utc("2027-03-27T12:00"))
    assert skipped is not None
    assert skipped.at == utc("2027-03-28T01:30"), "02:30 is 03:30 of summer time"
    repeated = lanes.next_departure(at_half_past_two, point(), utc("2026-10-24T12:00"))
    assert repeated is not None
    assert repeated.at == utc("2026-10-25T00:30"), "the first of the two, in summer time"


def test_a_cut_off_at_midnight_belongs_to_the_day_that_it_ends() -> None:
    lane = replace(LANE, departures=(LaneDeparture(2, 1440),))
    midnight = utc("2026-11-24T23:00")
    assert lanes.next_departure(lane, point(), midnight) == Departure(date(2026, 11, 24), midnight)


def test_nothing_leaves_on_a_date_on_which_the_origin_is_closed() -> None:
    closed = point(closed_dates=("2026-12-25", "2026-12-28"))
    found = lanes.next_departure(LANE, closed, utc("2026-12-25T08:00"))
    assert found is not None
    assert found.day == date(2026, 12, 29), "Friday and Monday are closed, the weekend has no departure"


def test_a_lane_that_never_leaves_within_a_year_has_no_departure() -> None:
    first = date(2026, 11, 23)
    closed = tuple((first + timedelta(days=n)).isoformat() for n in range(400))
    assert lanes.next_departure(LANE, point(closed_dates=closed), utc("2026-11-24T08:00")) is None


def test_it_arrives_when_the_destination_is_open_in_the_destinations_zone() -> None:
    shop = point(NEW_YORK, opening_hours=opens(1, 2, 3, 4, 5))
    left = Departure(date(2026, 11, 24), utc("2026-11-24T17:00"))
    expected = Window(utc("2026-11-25T14:00"), utc("2026-11-26T00:00"))
    assert lanes.arrival(LANE, shop, left) == expected, "9 to 19 in New York"


def test_transit_is_counted_in_calendar_days_and_waits_for_the_next_open_day() -> None:
    shop = point(opening_hours=opens(1, 2, 3, 4, 5), closed_dates=("2026-11-30",))
    friday = Departure(date(2026, 11, 27), utc("2026-11-27T17:00"))
    for days, arrives in ((0, None), (1, date(2026, 12, 1)), (2, date(2026, 12, 1)), (5, date(2026, 12, 2))):
        found = lanes.arrival(replace(LANE, transit_days=days), shop, friday)
        assert found is not None
        if arrives:
            assert found.start.astimezone(ZoneInfo(PARIS)).date() == arrives
        else:
            assert found == Window(friday.at, utc("2026-11-27T18:00")), "the same day, while it is still open"


def test_the_same_day_is_over_when_the_destination_has_closed() -> None:
    shop = point(opening_hours=opens(5, until=17 * 60))
    friday = Departure(date(2026, 11, 27), utc("2026-11-27T17:00"))
    found = lanes.arrival(replace(LANE, transit_days=0), shop, friday)
    assert found is not None
    assert found.start == utc("2026-12-04T08:00"), "a week later"


def test_a_destination_without_hours_is_open_all_day_even_a_day_of_23_hours() -> None:
    left = Departure(date(2027, 3, 27), utc("2027-03-27T17:00"))
    found = lanes.arrival(LANE, point(), left)
    assert found == Window(utc("2027-03-27T23:00"), utc("2027-03-28T22:00"))


def test_the_lane_that_arrives_first_is_taken_not_the_one_that_leaves_first() -> None:
    slow = replace(LANE, lane_id="a-slow", transit_days=4)
    fast = replace(LANE, lane_id="b-fast", departures=(LaneDeparture(3, 600),))
    now = utc("2026-11-24T08:00")
    best = lanes.soonest([slow, fast], point(), point(), now)
    assert best is not None
    assert best[0] == fast
    twin = replace(fast, lane_id="c-twin")
    assert lanes.soonest([twin, fast], point(), point(), now) == best, "equal ones go by id"
    assert lanes.soonest([], point(), point(), now) is None


def test_the_cost_is_the_sum_of_three_and_a_part_of_a_cent_counts_as_one() -> None:
    lane = replace(LANE, cost=LaneCost("EUR", per_parcel_minor=250, per_unit_minor=3, per_kilogram_minor=12))
    assert lanes.cost(lane, parcels=2, units=10, weight_grams=1001) == Money(500 + 30 + 13, "EUR")
    assert lanes.cost(lane, 0, 0, 0) == Money(0, "EUR")
    assert lanes.cost(LANE, 1, 1, 1) is None


@given(
    now=st.datetimes(datetime(2026, 1, 1), datetime(2028, 1, 1)).map(lambda at: at.replace(tzinfo=UTC)),
    zones=st.tuples(*[st.sampled_from([PARIS, NEW_YORK, "Asia/Kathmandu", "Pacific/Apia", "UTC"])] * 2),
    weekdays=st.sets(st.integers(1, 7), min_size=1),
    minute=st.integers(0, 1440),
    days=st.integers(0, 10),
    open_on=st.sets(st.integers(1, 7)),
)
def test_runs_are_in_order_leave_in_time_and_arrive_after_they_left(
    now: datetime, zones: tuple[str, str], weekdays: set[int], minute: int, days: int, open_on: set[int]
) -> None:
    lane = Lane("l", "A", "B", tuple(LaneDeparture(day, minute) for day in sorted(weekdays)), days)
    destination = point(zones[1], opening_hours=opens(*open_on))
    found = lanes.runs(lane, point(zones[0]), destination, now, 3)
    assert len(found) == 3
    assert [run.cut_off_at for run in found] == sorted(run.cut_off_at for run in found)
    for run in found:
        assert now <= run.cut_off_at < run.arrives.end
        assert run.cut_off_at <= run.arrives.start < run.arrives.end
        local = run.arrives.start.astimezone(ZoneInfo(zones[1]))
        assert not open_on or local.isoweekday() in open_on


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"lane_id": "a b"}, "lane_id"),
        ({"destination_id": "A"}, "destination_id"),
        ({"departures": ()}, "departures"),
        ({"departures": (LaneDeparture(8, 0),)}, "departures[0].weekday"),
        ({"departures": (LaneDeparture(1, 1441),)}, "departures[0].cut_off_minute"),
        ({"departures": (LaneDeparture(1, 60), LaneDeparture(1, 60))}, "departures[1]"),
        ({"transit_days": -1}, "transit_days"),
        ({"transit_days": 91}, "transit_days"),
        ({"cost": LaneCost("EUR", per_unit_minor=-1)}, "cost.per_unit_minor"),
        ({"cost": LaneCost("eur")}, "cost.currency"),
        ({"cost": LaneCost("", per_unit_minor=1)}, "cost.currency"),
    ],
)
def test_a_wrong_lane_names_its_field(changes: dict[str, object], field: str) -> None:
    wrong = replace(LANE, **changes)  # type: ignore[arg-type]
    assert [problem.field for problem in lanes.check([wrong])] == [f"lanes[0].{field}"]


def test_a_lane_stands_once_in_a_request_and_joins_points_that_exist() -> None:
    assert [problem.field for problem in lanes.check([LANE, LANE])] == ["lanes[1].lane_id"]
    assert [problem.field for problem in lanes.check([])] == ["lanes"]
    assert [problem.field for problem in lanes.check_known_points([LANE], frozenset({"A"}))] == [
        "lanes[0].destination_id"
    ]
