"""What plans are judged by beside carriage: strict rules first, then each weight of a ruleset, by example."""

from dataclasses import replace
from datetime import timedelta

import pytest

from services.promise.domain import network as n
from services.promise.domain.engine import plan
from services.promise.domain.plans import Outcome, Plan
from services.promise.domain.rulesets import LowCover, Markdown, PriorityCost, Tier
from services.promise.domain.snapshot import Snapshot
from tests.services.promise.network import (
    CHANNEL,
    LILLE,
    LYON,
    NOW,
    PARIS,
    euros,
    point,
    request,
    ruleset,
    service,
    snapshot,
    stock,
    terms,
)

STORE, WAREHOUSE = n.PointType.STORE, n.PointType.WAREHOUSE


def points(found: Plan) -> list[str]:
    return [leg.point_id for leg in found.legs]


def units(found: Plan) -> dict[str, int]:
    return {leg.point_id: sum(line.quantity for line in leg.lines) for leg in found.legs}


def reasons(outcome: Outcome) -> dict[str, str]:
    return {rejected.point_id: rejected.reason for rejected in outcome.rejected}


def costs(found: Plan) -> dict[str, int]:
    assert sum(cost.amount_minor for cost in found.costs) == found.total_cost_minor
    return {cost.name: cost.amount_minor for cost in found.costs}


def with_facts(network: Snapshot, facts: dict[str, n.Facts], buffers: dict[str, int] | None = None) -> Snapshot:
    """Facts and routing buffers by point, for every SKU."""
    positions = {
        sku: {
            point_id: replace(
                position,
                facts=facts.get(point_id, n.NO_FACTS),
                routing_buffers={CHANNEL: kept} if (kept := (buffers or {}).get(point_id)) else {},
            )
            for point_id, position in by_point.items()
        }
        for sku, by_point in network.stock.positions.items()
    }
    return replace(network, stock=replace(network.stock, positions=positions))


# -- strict rules ---------------------------------------------------------------------------------------------


def test_a_point_of_an_earlier_tier_is_taken_whatever_it_costs() -> None:
    network = snapshot(
        [point("far", position=LYON), point("near", type=STORE, position=PARIS)],
        stock({"x": {"far": 1, "near": 3}}),
    )
    rules = ruleset(distance_cost_minor_per_kilometre=5.0)
    assert points(plan(network, request(("x", 1)), rules).plans[0]) == ["near"]
    warehouses_first = replace(rules, tiers=(Tier((WAREHOUSE,)),))
    outcome = plan(network, request(("x", 1)), warehouses_first)
    assert [points(found) for found in outcome.plans] == [["far"]], "no store is an alternative to it"
    assert reasons(outcome) == {"near": "LATER_TIER"}
    # Types that no tier names come last, when those before do not have all.
    assert points(plan(network, request(("x", 2)), warehouses_first).plans[0]) == ["near"]


def test_a_later_tier_only_helps_when_all_before_it_do_not_have_all() -> None:
    network = snapshot(
        [point("a"), point("b"), point("shop", type=STORE)],
        stock({"x": {"a": 1, "shop": 1}, "y": {"b": 1, "shop": 1}}),
    )
    rules = ruleset(split_cost_minor=5_000, tiers=(Tier((WAREHOUSE,)), Tier((STORE,))))
    assert points(plan(network, request(("x", 1), ("y", 1)), rules).plans[0]) == ["a", "b"]


def test_a_routing_buffer_is_left_to_the_shop_as_long_as_another_point_has_the_units() -> None:
    network = with_facts(
        snapshot([point("a"), point("b", position=LYON)], stock({"x": {"a": 2, "b": 2}})), {}, {"a": 2}
    )
    rules = ruleset(distance_cost_minor_per_kilometre=1.0)
    outcome = plan(network, request(("x", 2)), rules)
    assert points(outcome.plans[0]) == ["b"]
    assert reasons(outcome) == {"a": "ROUTING_BUFFER"}
    # What was shown can be sold: the buffer gives way before an order does.
    whole = plan(network, request(("x", 4)), rules)
    assert whole.is_complete
    assert points(whole.plans[0]) == ["a", "b"]


def test_a_routing_buffer_keeps_back_only_so_much() -> None:
    network = with_facts(
        snapshot([point("a"), point("b", position=LYON)], stock({"x": {"a": 3, "b": 3}})), {}, {"a": 2}
    )
    rules = ruleset(distance_cost_minor_per_kilometre=1.0)
    assert points(plan(network, request(("x", 1)), rules).plans[0]) == ["a"]
    assert points(plan(network, request(("x", 2)), rules).plans[0]) == ["b"]


def test_points_too_far_away_and_services_too_slow_are_out_with_the_reason() -> None:
    slow = service("slow", zones=(terms(transit_days_min=6, transit_days_max=8),))
    network = snapshot(
        [point("lille", position=LILLE), point("lyon", position=LYON)],
        stock({"x": {"lille": 1, "lyon": 1}}),
        [n.Carrier("post", (service(), slow))],
    )
    outcome = plan(network, request(("x", 1)), ruleset(max_distance_kilometres=300, max_delivery_days=5))
    assert [points(found) for found in outcome.plans] == [["lille"]]
    assert {(r.point_id, r.service_id): (r.reason, r.detail) for r in outcome.rejected} == {
        ("lille", "slow"): ("TOO_LATE", "arrives by 2026-06-09T16:00:00+00:00, more than 5 days from now"),
        ("lyon", ""): ("TOO_FAR", "391 km away, at most 300"),
    }
    assert plan(network, request(("x", 1)), ruleset(max_delivery_days=1)).unplanned[0].reason == "TOO_LATE"


def test_articles_of_one_tag_leave_from_one_point_with_all_their_units() -> None:
    items = [n.Item("top", tags=frozenset({"bikini"})), n.Item("slip", tags=frozenset({"bikini"})), n.Item("hat")]
    network = snapshot(
        [point("a"), point("b"), point("c", position=LYON)],
        stock({"top": {"a": 2, "c": 2}, "slip": {"b": 2, "c": 3}, "hat": {"a": 1}}),
        items=items,
    )
    asked = request(("top", 2), ("slip", 2), ("hat", 1))
    apart = ruleset(split_cost_minor=0, distance_cost_minor_per_kilometre=9.0)
    assert points(plan(network, asked, apart).plans[0]) == ["a", "b"]
    outcome = plan(network, asked, replace(apart, together_tags=("bikini",)))
    assert {leg.point_id: [line.sku for line in leg.lines] for leg in outcome.plans[0].legs} == {
        "a": ["hat"],
        "c": ["top", "slip"],
    }


def test_articles_that_no_point_has_together_are_not_sent_apart() -> None:
    items = [n.Item("top", tags=frozenset({"bikini"})), n.Item("slip", tags=frozenset({"bikini"})), n.Item("hat")]
    network = snapshot(
        [point("a"), point("b")], stock({"top": {"a": 1}, "slip": {"b": 1}, "hat": {"a": 1}}), items=items
    )
    outcome = plan(network, request(("top", 1), ("slip", 1), ("hat", 1)), ruleset(together_tags=("bikini",)))
    assert [line.sku for leg in outcome.plans[0].legs for line in leg.lines] == ["hat"]
    assert {(u.sku, u.reason) for u in outcome.unplanned} == {
        ("top", "MUST_TRAVEL_TOGETHER"),
        ("slip", "MUST_TRAVEL_TOGETHER"),
    }
    assert reasons(outcome) == {"b": "MUST_TRAVEL_TOGETHER"}


def test_a_parcel_of_a_split_is_worth_a_least_value() -> None:
    items = [
        n.Item(sku, "", 400, 300, prices={CHANNEL: euros(price)}) for sku, price in (("x", 5_000), ("y", 900))
    ]
    network = snapshot([point("a"), point("b")], stock({"x": {"a": 2}, "y": {"a": 1, "b": 3}}), items=items)
    asked = request(("x", 1), ("y", 2))
    # One of y could go with x; with two of them the second parcel is worth its carriage.
    assert units(plan(network, asked, ruleset()).plans[0]) == {"a": 2, "b": 1}
    assert units(plan(network, asked, ruleset(min_split_value_minor=1_800)).plans[0]) == {"a": 1, "b": 2}
    outcome = plan(network, asked, ruleset(min_split_value_minor=1_801))
    assert points(outcome.plans[0]) == ["a"]
    assert [(u.sku, u.quantity, u.reason) for u in outcome.unplanned] == [("y", 1, "BELOW_SPLIT_VALUE")]


# -- weights --------------------------------------------------------------------------------------------------


def test_a_priority_is_weighed_like_money_and_told_apart_from_it() -> None:
    network = snapshot([point("a"), point("shop", type=STORE)], stock({"x": {"a": 1, "shop": 1}}))
    assert points(plan(network, request(("x", 1)), ruleset()).plans[0]) == ["a"]
    rules = ruleset(priority_costs=(PriorityCost(WAREHOUSE, 250),))
    first, second = plan(network, request(("x", 1)), rules).plans
    assert costs(first) == {"shipping": 500, "preparation": 200, "split": 0, "distance": 0, "lateness": 0}
    assert costs(second) == {
        "shipping": 500,
        "preparation": 100,
        "split": 0,
        "distance": 0,
        "lateness": 0,
        "priority": 250,
    }


def test_carriage_is_weighed_by_a_percentage_and_told_as_it_is() -> None:
    dear = service("dear", zones=(terms(rates=(n.RateStep(30_000, euros(800)),)),))
    network = snapshot(
        [
            point("a", type=STORE),
            point("b", collections=(n.Collection("van", 1, 1_020), n.Collection("van", 2, 1_020))),
        ],
        stock({"x": {"a": 1, "b": 1}}),
        [n.Carrier("post", (service(),)), n.Carrier("van", (dear,))],
    )
    assert points(plan(network, request(("x", 1)), ruleset()).plans[0]) == ["a"]
    lighter = plan(network, request(("x", 1)), ruleset(shipping_percent=20)).plans[0]
    assert points(lighter) == ["b"]
    assert lighter.legs[0].shipping_cost_minor == 800
    assert costs(lighter)["shipping"] == 160


def test_what_a_point_would_soon_miss_is_taken_elsewhere() -> None:
    network = with_facts(
        snapshot([point("fast"), point("slow", type=STORE)], stock({"x": {"fast": 4, "slow": 4}})),
        {"fast": n.Facts(daily_sales=1.0), "slow": n.Facts(daily_sales=0.1)},
    )
    rules = ruleset(low_cover=LowCover(days=10, cost_minor=500))
    first, second = plan(network, request(("x", 2)), rules).plans
    assert (points(first), costs(first).get("low_cover", 0)) == (["slow"], 0)
    assert (points(second), costs(second)["low_cover"]) == (["fast"], 2 * 300), "four days of ten are left"


@pytest.mark.parametrize(("available", "daily", "cost"), [(0, 1.0, 500), (5, 1.0, 250), (9, 0.9, 0), (3, 0.0, 0)])
def test_cover_falls_evenly(available: int, daily: float, cost: int) -> None:
    assert LowCover(days=10, cost_minor=500).cost(available, daily) == cost


def test_what_would_be_marked_down_soon_is_sold_first() -> None:
    today = NOW.date()
    items = [n.Item("x", "", 400, 300, prices={CHANNEL: euros(8_000)})]
    network = with_facts(
        snapshot([point("a"), point("shop", type=STORE)], stock({"x": {"a": 5, "shop": 5}}), items=items),
        {"shop": n.Facts(markdown_date=today + timedelta(days=20), markdown_percent=30)},
    )
    rules = ruleset(markdown=Markdown(days=21, gain_percent=10))
    first = plan(network, request(("x", 2)), rules).plans[0]
    assert points(first) == ["shop"]
    assert costs(first)["markdown"] == -2 * 240
    assert first.total_cost_minor == 500 + 200 - 480
    assert points(plan(network, request(("x", 2)), replace(rules, markdown=Markdown(19, 10))).plans[0]) == ["a"]


def test_a_markdown_that_has_begun_gains_nothing() -> None:
    rule = Markdown(days=30, gain_percent=50)
    assert [rule.gain(10_000, 20, days) for days in (31, 30, 0, -1)] == [0, 1_000, 1_000, 0]


def test_a_point_that_often_does_not_find_its_articles_costs_what_that_costs() -> None:
    network = with_facts(
        snapshot([point("a"), point("tidy", type=STORE)], stock({"x": {"a": 1, "tidy": 1}})),
        {"a": n.Facts(find_rate=0.8), "tidy": n.Facts(find_rate=0.99)},
    )
    first, second = plan(network, request(("x", 1)), ruleset(short_pick_cost_minor=1_000)).plans
    assert (points(first), costs(first)["short_pick"]) == (["tidy"], 10)
    assert (points(second), costs(second)["short_pick"]) == (["a"], 200)


def test_units_that_cost_differently_are_shared_so_that_they_cost_least() -> None:
    """Two parcels are needed for y; then the units of x go where they are worth least to the shops."""
    network = with_facts(
        snapshot([point("a"), point("b")], stock({"x": {"a": 6, "b": 6}, "y": {"a": 1, "b": 1}})),
        {"a": n.Facts(daily_sales=1.0), "b": n.Facts(daily_sales=0.2)},
    )
    found = plan(network, request(("x", 3), ("y", 2)), ruleset(low_cover=LowCover(10, 100))).plans[0]
    shares = {leg.point_id: {line.sku: line.quantity for line in leg.lines} for leg in found.legs}
    assert shares == {"a": {"y": 1}, "b": {"x": 3, "y": 1}}


def test_gains_that_exceed_all_costs_still_find_the_best_plan() -> None:
    """The total is less than 0: a bound is no percentage of it."""
    today = NOW.date()
    items = [n.Item("x", "", 400, 300, prices={CHANNEL: euros(90_000)})]
    names = [f"p{i}" for i in range(6)]
    network = with_facts(
        snapshot([point(name) for name in names], stock({"x": dict.fromkeys(names, 4)}), items=items),
        {name: n.Facts(markdown_date=today, markdown_percent=5 + i) for i, name in enumerate(names)},
    )
    outcome = plan(network, request(("x", 4)), ruleset(markdown=Markdown(days=1, gain_percent=100)))
    assert outcome.proved_optimal
    assert points(outcome.plans[0]) == ["p5"]
    assert outcome.plans[0].total_cost_minor == 900 + 100 - 4 * 9_000


def test_of_sets_that_serve_most_the_cheapest_by_unit_is_taken() -> None:
    network = with_facts(
        snapshot([point("a"), point("b")], stock({"x": {"a": 30, "b": 30}})),
        {"a": n.Facts(daily_sales=30.0), "b": n.Facts(daily_sales=10.0)},
    )
    rules = ruleset(max_parcels=1, low_cover=LowCover(days=4, cost_minor=400))
    outcome = plan(network, request(("x", 50)), rules)
    assert points(outcome.plans[0]) == ["b"]
    assert [(u.quantity, u.reason) for u in outcome.unplanned] == [(20, "TOO_MANY_PARCELS")]
