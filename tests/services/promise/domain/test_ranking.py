"""Which points could do the work of one leg, in which order, and how long each has to answer."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from services.promise.domain import engine
from services.promise.domain import network as n
from services.promise.domain.capacity import Capacity, Counter
from services.promise.domain.ranking import RankedPoint, rank
from services.promise.domain.rulesets import Tier
from tests.services.promise.network import (
    LYON,
    NOW,
    PARIS,
    WORKDAYS,
    collections,
    openings,
    point,
    request,
    ruleset,
    snapshot,
    stock,
)

HOUR = timedelta(hours=1)
NEAR_FIRST = ruleset(distance_cost_minor_per_kilometre=1.0)


def three(free: dict[str, dict[str, int]], **of_lyon: Any) -> engine.Snapshot:
    """Paris, Lille and Lyon, ever farther from the customer."""
    points = [point("paris", position=PARIS), point("lille"), point("lyon", position=LYON, **of_lyon)]
    return snapshot(points, stock(free))


def names(ranked: list[RankedPoint]) -> list[str]:
    return [one.leg.point_id for one in ranked]


def test_points_that_have_everything_are_ranked_by_what_the_order_would_cost_from_there() -> None:
    network = three({"x": {"lyon": 2, "paris": 2, "lille": 2}})
    ranked = rank(network, request(("x", 2)), NEAR_FIRST, HOUR)
    assert names(ranked) == ["paris", "lille", "lyon"]
    assert [one.cost_minor for one in ranked] == sorted(one.cost_minor for one in ranked)
    best = engine.plan(network, request(("x", 2)), NEAR_FIRST).plans[0]
    assert (ranked[0].leg, ranked[0].cost_minor) == (best.legs[0], best.total_cost_minor)


def test_a_point_that_lacks_a_line_is_not_asked_even_if_a_split_could_use_it() -> None:
    network = three({"x": {"paris": 1, "lyon": 1}, "y": {"lyon": 1, "lille": 1}})
    assert names(rank(network, request(("x", 1), ("y", 1)), NEAR_FIRST, HOUR)) == ["lyon"]
    assert rank(network, request(("x", 2)), NEAR_FIRST, HOUR) == []


def test_what_the_order_holds_itself_counts_as_free_and_what_is_excluded_does_not() -> None:
    network = three({"x": {"paris": 0, "lille": 1, "lyon": 1}})
    asked = request(
        ("x", 1), own_holds=(n.OwnHold("x", "paris", 1),), exclusions=(n.ExcludedPoint("lille", "no_time", ""),)
    )
    assert names(rank(network, asked, NEAR_FIRST, HOUR)) == ["paris", "lyon"]


def test_a_point_that_would_break_the_promise_is_not_asked() -> None:
    network = three({"x": {"paris": 1, "lyon": 1}}, collections=collections("post", 9 * 60))
    in_time, late = rank(network, request(("x", 1)), NEAR_FIRST, HOUR)
    assert late.leg.window.end > in_time.leg.window.end
    asked = request(("x", 1), promised_until=in_time.leg.window.end)
    assert names(rank(network, asked, NEAR_FIRST, HOUR)) == ["paris"]


def test_the_time_to_answer_runs_in_the_opening_hours_of_each_point() -> None:
    """It is Monday, 10:00 in Paris: Lyon opens from 9:00 to 10:30 on workdays."""
    hours = openings(WORKDAYS, 9 * 60, 10 * 60 + 30)
    network = three({"x": {"paris": 1, "lyon": 1}}, openings=hours)
    ranked = rank(network, request(("x", 1)), NEAR_FIRST, HOUR)
    assert {one.leg.point_id: one.answer_by for one in ranked} == {
        "paris": NOW + HOUR,
        "lyon": datetime(2026, 6, 2, 7, 30, tzinfo=UTC),
    }


def test_a_later_tier_comes_after_all_of_an_earlier_one_whatever_it_costs() -> None:
    points = [
        point("shop", position=PARIS, type=n.PointType.STORE),
        point("depot", position=LYON),
    ]
    network = snapshot(points, stock({"x": {"shop": 1, "depot": 1}}))
    assert names(rank(network, request(("x", 1)), NEAR_FIRST, HOUR)) == ["shop", "depot"]
    warehouses_first = replace(NEAR_FIRST, tiers=(Tier((n.PointType.WAREHOUSE,)),))
    assert names(rank(network, request(("x", 1)), warehouses_first, HOUR)) == ["depot", "shop"]


def test_a_busy_point_comes_later_where_the_ruleset_weighs_capacity() -> None:
    points = [point("paris", position=PARIS, daily_capacity=10), point("lille")]
    network = snapshot(points, stock({"x": {"paris": 1, "lille": 1}}))
    busy = Counter("paris", NOW.date())
    network = replace(network, capacity=Capacity(taken={busy: 9}))
    calm = rank(network, request(("x", 1)), NEAR_FIRST, HOUR)
    spread = rank(network, request(("x", 1)), replace(NEAR_FIRST, capacity_pressure_minor=1_000), HOUR)
    assert (names(calm), names(spread)) == (["paris", "lille"], ["lille", "paris"])


def test_nobody_is_ranked_for_an_article_or_a_place_that_nobody_knows() -> None:
    network = three({"x": {"paris": 1}})
    assert rank(network, request(("unknown", 1)), NEAR_FIRST, HOUR) == []
    nowhere = request(("x", 1), destination=n.Destination("DE", "10115"))
    assert rank(network, nowhere, NEAR_FIRST, HOUR) == []
