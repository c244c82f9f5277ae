"""Limits of points and carriers: which one holds, what a full day makes of a plan, what pressure costs."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.promise.domain import network as n
from services.promise.domain import recording, replaying
from services.promise.domain.calendars import HORIZON_DAYS, PointCalendar
from services.promise.domain.capacity import Capacity, Counter, Limit, Limits, SeenCapacity
from services.promise.domain.engine import plan
from services.promise.domain.plans import Decision, Outcome, Plan
from services.promise.domain.rulesets import Ruleset
from services.promise.domain.snapshot import Snapshot
from tests.services.promise.network import (
    LILLE,
    LYON,
    NOW,
    collections,
    euros,
    no_holidays,
    openings,
    point,
    request,
    ruleset,
    service,
    snapshot,
    stock,
    terms,
)

MONDAY, TUESDAY, WEDNESDAY = date(2026, 6, 1), date(2026, 6, 2), date(2026, 6, 3)
SHOP = point("shop")


def network(
    points: list[n.Point],
    limits: Iterable[Limit] = (),
    taken: Mapping[Counter, int] | None = None,
    carriers: list[n.Carrier] | None = None,
) -> Snapshot:
    """Nine of x at each point."""
    free = {"x": {one.point_id: 9 for one in points}}
    return replace(snapshot(points, stock(free), carriers), capacity=Capacity(Limits(limits), taken))


def best(found: Outcome) -> Plan:
    assert found.is_complete, found.unplanned
    return found.plans[0]


def shown(found: Plan) -> tuple[str, date | None, date | None]:
    (leg,) = found.legs
    return leg.point_id, leg.prepared_on, leg.collected_on


# -- limits ---------------------------------------------------------------------------------------------------


def test_the_narrowest_limit_of_a_point_holds_and_its_own_data_when_it_has_none() -> None:
    limits = Limits(
        [
            Limit(7, "shop"),
            Limit(5, "shop", weekday=2),
            Limit(0, "shop", on=WEDNESDAY),
            Limit(9, "depot", weekday=1),
        ]
    )

    def most(point_id: str, day: date) -> int | None:
        return limits.most(Counter(point_id, day), 40)

    assert [most("shop", day) for day in (MONDAY, TUESDAY, WEDNESDAY)] == [7, 5, 0]
    assert [most("depot", day) for day in (MONDAY, TUESDAY)] == [9, 40]
    assert most("other", MONDAY) == 40
    assert limits.most(Counter("other", MONDAY), 0) is None


def test_a_limit_may_say_that_there_is_none() -> None:
    assert Limits([Limit(None, "shop", weekday=1)]).most(Counter("shop", MONDAY), 40) is None


def test_a_carriers_limit_at_a_point_comes_before_that_of_each_point() -> None:
    limits = Limits(
        [Limit(50, carrier_id="post", on=MONDAY), Limit(8, "shop", "post"), Limit(3, "", "post", "home")]
    )
    assert limits.most(Counter("shop", MONDAY, "post"), 40) == 8
    assert limits.most(Counter("depot", MONDAY, "post"), 40) == 50
    assert limits.most(Counter("depot", TUESDAY, "post"), 40) is None
    assert limits.most(Counter("depot", TUESDAY, "post", "home"), 40) == 3
    assert limits.most(Counter("depot", TUESDAY, "post", "home", 1020), 40) is None


@pytest.mark.parametrize(("taken", "cost"), [(0, 0), (1, 33), (2, 67), (3, 100), (5, 100)])
def test_pressure_is_the_share_that_is_taken_rounded_half_up(taken: int, cost: int) -> None:
    capacity = Capacity(Limits([Limit(3, "shop")]), {Counter("shop", MONDAY): taken})
    assert capacity.pressure(SHOP, [MONDAY], 100) == cost


def test_half_a_minor_unit_of_pressure_is_a_whole_one() -> None:
    capacity = Capacity(Limits([Limit(2, "shop")]), {Counter("shop", MONDAY): 1})
    assert capacity.pressure(SHOP, [MONDAY], 5) == 3


def test_each_full_day_that_is_waited_for_counts_whole_and_a_closed_one_nothing() -> None:
    taken = {Counter("shop", MONDAY): 4, Counter("shop", WEDNESDAY): 1}
    limits = [Limit(4, "shop"), Limit(0, "shop", on=TUESDAY)]
    found = best(plan(network([SHOP], limits, taken), request(("x", 1)), ruleset(capacity_pressure_minor=100)))
    assert shown(found)[1] == WEDNESDAY
    assert {cost.name: cost.amount_minor for cost in found.costs}["capacity"] == 125


# -- plans ----------------------------------------------------------------------------------------------------


def test_a_point_whose_day_is_full_begins_on_its_next_day_with_room() -> None:
    full = {Counter("shop", MONDAY): 4, Counter("shop", TUESDAY): 4, Counter("shop", WEDNESDAY): 3}
    found = best(plan(network([SHOP], [Limit(4, "shop")], full), request(("x", 1)), ruleset()))
    assert shown(found) == ("shop", WEDNESDAY, WEDNESDAY)


def test_the_daily_capacity_of_a_points_own_data_is_a_limit() -> None:
    shop = point("shop", daily_capacity=4)
    found = best(plan(network([shop], (), {Counter("shop", MONDAY): 4}), request(("x", 1)), ruleset()))
    assert shown(found) == ("shop", TUESDAY, TUESDAY)


def test_another_point_is_taken_when_the_nearer_one_would_be_later() -> None:
    points = [point("near"), point("far", position=LYON)]
    full = {Counter("near", MONDAY): 1}
    judged = ruleset(distance_cost_minor_per_kilometre=0.1, lateness_cost_minor_per_day=500)
    promised = datetime(2026, 6, 3, 16, tzinfo=UTC)
    asked = request(("x", 1), promised_until=promised)
    assert shown(best(plan(network(points, [Limit(1, "near")]), asked, judged)))[0] == "near"
    assert shown(best(plan(network(points, [Limit(1, "near")], full), asked, judged)))[0] == "far"


def test_work_that_began_goes_on_through_a_full_day() -> None:
    shop = point("shop", openings=openings(opens=9 * 60, closes=12 * 60), handling_minutes=180)
    limits = [Limit(0, "shop", on=TUESDAY)]
    # Ten o'clock: two hours are left of Monday, the third is Tuesday's.
    found = best(plan(network([shop], limits), request(("x", 1)), ruleset()))
    assert shown(found) == ("shop", MONDAY, TUESDAY)


def test_a_point_without_room_in_reach_is_rejected_and_so_are_units_that_only_it_has() -> None:
    found = plan(network([SHOP], [Limit(0, "shop")]), request(("x", 1)), ruleset())
    assert [(one.point_id, one.service_id, one.reason) for one in found.rejected] == [("shop", "", "NO_CAPACITY")]
    assert str(HORIZON_DAYS) in found.rejected[0].detail
    assert [one.reason for one in found.unplanned] == ["NO_CAPACITY"]


def test_a_full_collection_is_passed_over_and_the_next_one_taken() -> None:
    shop = point("shop", collections=(*collections("post", 11 * 60), *collections("post", 17 * 60)))
    by_slot = [Limit(2, "", "post", cut_off_minute=11 * 60)]
    full = {Counter("shop", MONDAY, "post", "", 11 * 60): 2}
    (leg,) = best(plan(network([shop], by_slot, full), request(("x", 1)), ruleset())).legs
    assert (leg.collected_on, leg.cut_off_minute) == (MONDAY, 17 * 60)
    by_day = [Limit(2, "shop", "post", "home")]
    full = {Counter("shop", MONDAY, "post", "home"): 2}
    (leg,) = best(plan(network([shop], by_day, full), request(("x", 1)), ruleset())).legs
    assert (leg.prepared_on, leg.collected_on, leg.cut_off_minute) == (MONDAY, TUESDAY, 11 * 60)


def test_another_service_is_not_held_up_by_a_full_one() -> None:
    carriers = [
        n.Carrier("post", (service("home"), service("plus", zones=(terms(customer_price=euros(590)),)))),
    ]
    full = {Counter("shop", MONDAY, "post", "home"): 2}
    found = best(
        plan(network([SHOP], [Limit(2, "", "post", "home")], full, carriers), request(("x", 1)), ruleset())
    )
    assert [(leg.service_id, leg.collected_on) for leg in found.legs] == [("plus", MONDAY)]


def test_a_carrier_that_takes_no_more_in_reach_is_out_of_that_point_only() -> None:
    points = [SHOP, point("depot", position=LYON)]
    found = plan(network(points, [Limit(0, "shop", "post")]), request(("x", 1)), ruleset())
    assert shown(best(found))[0] == "depot"
    assert [(one.point_id, one.service_id, one.reason) for one in found.rejected] == [
        ("shop", "home", "COLLECTIONS_FULL")
    ]


def test_a_heavy_leg_needs_room_for_all_its_parcels() -> None:
    heavy = [n.Item("x", "maison", 20_000, 300)]
    with_room = snapshot([SHOP], stock({"x": {"shop": 9}}), items=heavy)
    one_left = Capacity(Limits([Limit(4, "", "post")]), {Counter("shop", MONDAY, "post"): 2})
    (leg,) = best(plan(replace(with_room, capacity=one_left), request(("x", 3)), ruleset())).legs
    assert (leg.parcels, leg.collected_on) == (3, TUESDAY)


def test_pressure_sends_an_order_to_the_point_that_has_more_of_its_day_left() -> None:
    points = [point("busy"), point("calm", position=LYON)]
    taken = {Counter("busy", MONDAY): 9, Counter("calm", MONDAY): 1}
    limits = [Limit(10, "busy"), Limit(10, "calm")]
    judged = ruleset(distance_cost_minor_per_kilometre=0.1, capacity_pressure_minor=100)
    first, second = plan(network(points, limits, taken), request(("x", 1)), judged).plans
    assert (first.legs[0].point_id, second.legs[0].point_id) == ("calm", "busy")
    assert {cost.name: cost.amount_minor for cost in first.costs}["capacity"] == 10
    assert {cost.name: cost.amount_minor for cost in second.costs}["capacity"] == 90
    assert sum(cost.amount_minor for cost in second.costs) == second.total_cost_minor


# -- the countdown --------------------------------------------------------------------------------------------


@given(
    start_minute=st.integers(0, 30 * 24 * 60),
    handling=st.integers(0, 3_000),
    hours=st.lists(
        st.tuples(st.integers(1, 7), st.integers(0, 1439), st.integers(1, 1440)).filter(lambda o: o[1] < o[2]),
        min_size=1,
        max_size=9,
    ),
    full=st.frozensets(st.integers(0, 50), max_size=40),
)
def test_the_latest_start_is_the_inverse_of_the_first_one_whatever_days_are_full(
    start_minute: int, handling: int, hours: list[tuple[int, int, int]], full: frozenset[int]
) -> None:
    shop = PointCalendar(point("shop", openings=tuple(n.Opening(*hour) for hour in hours)), no_holidays)
    work, january = timedelta(minutes=handling), date(2026, 1, 1)

    def is_full(day: date) -> bool:
        return (day - january).days in full

    def ready_when_started(start: datetime) -> datetime | None:
        begin = shop.begins_at(start, work, is_full)
        assert begin is None or not is_full(begin.day)
        return shop.ready_at(begin.at, work) if begin else None

    start = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=start_minute)
    ready = ready_when_started(start)
    if ready is None:
        return
    latest = shop.latest_start(ready, work, is_full)
    assert latest is not None
    assert latest >= start
    again = ready_when_started(latest)
    assert again is not None
    assert again <= ready
    later = ready_when_started(latest + timedelta(seconds=1))
    assert later is None or later > ready


def test_ordering_at_the_countdown_gives_the_window_and_a_second_later_a_later_one() -> None:
    shop = point("shop", openings=openings(opens=9 * 60, closes=18 * 60), handling_minutes=60)
    limits, full = [Limit(4, "shop")], {Counter("shop", TUESDAY): 4}
    late = NOW + timedelta(hours=7)  # 17:00 in Paris: the last hour of Monday, after the collection.

    def window(now: datetime) -> tuple[n.Window, datetime]:
        found = best(plan(network([shop], limits, full), request(("x", 1), now=now), ruleset()))
        return found.window, found.order_before

    promised, order_before = window(late)
    assert order_before == NOW + timedelta(hours=8) - timedelta(seconds=1)
    assert window(order_before)[0] == promised
    assert window(order_before + timedelta(seconds=1))[0].rank > promised.rank


# -- made again -----------------------------------------------------------------------------------------------


def test_a_decision_made_again_meets_the_same_full_days() -> None:
    points = [point("near", position=LILLE, daily_capacity=2), point("far", position=LYON, daily_capacity=9)]
    taken = {Counter("near", MONDAY): 2, Counter("far", MONDAY): 3, Counter("far", TUESDAY): 9}
    asked = request(("x", 1), promised_until=datetime(2026, 6, 3, 16, tzinfo=UTC))
    judged = ruleset(
        lateness_cost_minor_per_day=500, capacity_pressure_minor=90, distance_cost_minor_per_kilometre=0.1
    )
    seen = network(points, [Limit(5, "", "post")], taken)
    decision = _decided(seen, asked, judged)
    assert SeenCapacity(Counter("near", MONDAY), 2, 2) in decision.record.capacity
    assert SeenCapacity(Counter("near", TUESDAY, "post"), 5, 0) in decision.record.capacity
    today = network(points)
    assert plan(today, asked, judged).plans[0].legs[0].point_id == "near"
    assert plan(replaying.snapshot_of(decision, today), asked, judged).plans == decision.outcome.plans


def test_other_capacity_is_another_input() -> None:
    asked, judged = request(("x", 1)), ruleset()
    shop = point("shop", daily_capacity=3)
    hashes = {
        _decided(network([shop], (), {Counter("shop", MONDAY): taken}), asked, judged).record.inputs_hash
        for taken in (0, 1, 1)
    }
    assert len(hashes) == 2


def _decided(seen: Snapshot, asked: n.PlanRequest, judged: Ruleset) -> Decision:
    outcome = plan(seen, asked, judged)
    record = recording.record(seen, asked, judged, outcome, terms_version=1)
    return Decision("dec_1", "ord_1", asked, "", "default", 1, seen.stock.view, outcome, record=record)
