"""What the engine chooses and what it says of the rest, by example."""

import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random
from zoneinfo import ZoneInfo

import pytest

from services.promise.domain import network as n
from services.promise.domain.engine import plan
from services.promise.domain.plans import LegLine, Outcome, Plan
from services.promise.domain.snapshot import Snapshot
from services.promise.public_holidays import is_public_holiday
from tests.services.promise.network import (
    LILLE,
    LYON,
    NOW,
    PARIS,
    WORKDAYS,
    basket,
    collections,
    euros,
    openings,
    point,
    request,
    ruleset,
    service,
    snapshot,
    stock,
    terms,
)

SECOND = timedelta(seconds=1)


def paris(day: int, hour: int, minute: int = 0, month: int = 6) -> datetime:
    return datetime(2026, month, day, hour, minute, tzinfo=ZoneInfo("Europe/Paris")).astimezone(UTC)


def places(found: Plan) -> dict[str, list[tuple[int, int]]]:
    """point -> (line number, quantity)."""
    return {leg.point_id: [(line.line_number, line.quantity) for line in leg.lines] for leg in found.legs}


def reasons(outcome: Outcome) -> dict[tuple[str, str], str]:
    return {(rejected.point_id, rejected.service_id): rejected.reason for rejected in outcome.rejected}


# -- what is chosen -------------------------------------------------------------------------------------------


def test_a_paused_carrier_is_waited_for_or_another_one_is_taken() -> None:
    pause = n.CarrierPause(NOW, NOW + timedelta(days=3), reason="strike")
    post = n.Carrier("post", (service("home"),), pauses=(pause,))
    network = snapshot([point("a")], stock({"x": {"a": 1}}), [post])
    (leg,) = plan(network, request(("x", 1)), ruleset()).plans[0].legs
    assert leg.hand_over_by == paris(4, 17), "Monday is the first; the strike ends on Thursday morning"
    forever = replace(post, pauses=(replace(pause, until_at=None),))
    stuck = plan(replace(network, carriers=(forever,)), request(("x", 1)), ruleset())
    assert reasons(stuck) == {("a", "home"): "CARRIER_PAUSED"}
    assert [one.detail for one in stuck.rejected] == ["strike"]
    both = point("a", collections=(*collections("post", 17 * 60), *collections("other", 17 * 60)))
    other = n.Carrier("other", (service("dearer", surcharge_basis_points=5_000),))
    network = snapshot([both], stock({"x": {"a": 1}}), [forever, other])
    (leg,) = plan(network, request(("x", 1)), ruleset()).plans[0].legs
    assert leg.carrier_id == "other"


def test_one_parcel_beats_two_cheaper_halves() -> None:
    network = snapshot([point("a"), point("b"), point("c")], stock({"x": {"a": 1, "c": 1}, "y": {"b": 1, "c": 1}}))
    outcome = plan(network, request(("x", 1), ("y", 1)), ruleset())
    assert places(outcome.plans[0]) == {"c": [(1, 1), (2, 1)]}
    assert outcome.plans[0].total_cost_minor == 600
    assert outcome.proved_optimal


def test_a_line_is_split_unit_by_unit_when_no_point_has_all() -> None:
    network = snapshot([point("a"), point("b")], stock({"x": {"a": 3, "b": 2}}))
    outcome = plan(network, request(("x", 5)), ruleset())
    assert outcome.is_complete
    assert places(outcome.plans[0]) == {"a": [(1, 3)], "b": [(1, 2)]}


def test_the_same_article_in_two_lines_counts_twice() -> None:
    network = snapshot([point("a")], stock({"x": {"a": 3}}))
    outcome = plan(network, request(("x", 2), ("x", 2)), ruleset())
    assert places(outcome.plans[0]) == {"a": [(1, 2), (2, 1)]}
    assert [(u.line_number, u.quantity, u.reason) for u in outcome.unplanned] == [(2, 1, "NO_STOCK")]


def test_costs_are_named_and_add_up() -> None:
    network = snapshot([point("a", type=n.PointType.STORE), point("b")], stock({"x": {"a": 1}, "y": {"b": 1}}))
    rules = ruleset(distance_cost_minor_per_kilometre=1.0, lateness_cost_minor_per_day=50)
    outcome = plan(network, request(("x", 1), ("y", 1), promised_until=paris(2, 18)), rules)
    first = outcome.plans[0]
    assert {cost.name: cost.amount_minor for cost in first.costs} == {
        "shipping": 1_000,
        "preparation": 300,
        "split": 300,
        "distance": 2 * 204,
        "lateness": 50,
    }
    assert sum(cost.amount_minor for cost in first.costs) == first.total_cost_minor


def test_a_store_that_keeps_the_promise_beats_a_cheaper_one_that_does_not() -> None:
    early = point("early", collections=collections("post", 9 * 60))
    late = point("late", type=n.PointType.STORE, collections=collections("post", 19 * 60))
    network = snapshot([early, late], stock({"x": {"early": 1, "late": 1}}))
    asked = request(("x", 1))
    assert places(plan(network, asked, ruleset()).plans[0]) == {"early": [(1, 1)]}
    promised = replace(asked, promised_until=paris(3, 18))
    assert places(plan(network, promised, ruleset(lateness_cost_minor_per_day=500)).plans[0]) == {"late": [(1, 1)]}


def test_a_limit_on_the_window_or_the_price_rules_services_out_with_the_reason() -> None:
    cheap = service("slow", zones=(terms(transit_days_min=3, transit_days_max=4),))
    quick = service("quick", zones=(terms(rates=(n.RateStep(30_000, euros(1_500)),), customer_price=euros(990)),))
    network = snapshot([point("a")], stock({"x": {"a": 1}}), [n.Carrier("post", (cheap, quick))])
    asked = request(("x", 1))
    assert plan(network, asked, ruleset()).plans[0].legs[0].service_id == "slow"
    within = replace(asked, limits=n.Limits(paris(3, 18), euros(990)))
    outcome = plan(network, within, ruleset())
    assert outcome.plans[0].legs[0].service_id == "quick"
    assert reasons(outcome)["a", "slow"] == "AFTER_QUOTED_WINDOW"
    tight = plan(network, replace(asked, limits=n.Limits(paris(3, 18), euros(500))), ruleset())
    assert not tight.plans
    assert reasons(tight)["a", "quick"] == "ABOVE_QUOTED_PRICE"


def test_a_service_for_the_mainland_does_not_go_to_the_island_in_it() -> None:
    mainland = n.Zone("FR", "FR", ("",), "Europe/Paris")
    island = n.Zone("CORSE", "FR", ("20",), "Europe/Paris")
    there = n.PostcodeArea("FR", "20", n.Position(42.15, 9.1), "FR-20R")
    sold = n.Carrier("post", (service("mainland"), service("island", zones=(terms("CORSE"),))))
    network = snapshot([point("a")], stock({"x": {"a": 1}}), [sold], zones=(mainland, island), areas=(there,))
    outcome = plan(network, request(("x", 1), destination=n.Destination("FR", "20000")), ruleset())
    assert outcome.plans[0].legs[0].service_id == "island"
    assert reasons(outcome)["a", "mainland"] == "NO_ZONE"


def test_zones_of_one_prefix_let_each_carrier_name_its_own() -> None:
    zones = (n.Zone("FR", "FR", ("",), "Europe/Paris"), n.Zone("POST-1", "FR", ("",), "Europe/Paris"))
    sold = n.Carrier("post", (service("own", zones=(terms("POST-1"),)),))
    network = snapshot([point("a")], stock({"x": {"a": 1}}), [sold], zones=zones)
    assert plan(network, request(("x", 1)), ruleset()).is_complete


def test_the_customer_pays_the_dearest_service_used_once() -> None:
    carriers = [
        n.Carrier("post", (service("a"),)),
        n.Carrier("van", (service("b", zones=(terms(customer_price=euros(990)),)),)),
    ]
    points = [point("a"), point("b", collections=collections("van", 17 * 60))]
    outcome = plan(
        snapshot(points, stock({"x": {"a": 1}, "y": {"b": 1}}), carriers), request(("x", 1), ("y", 1)), ruleset()
    )
    assert outcome.plans[0].price == euros(990)
    assert len(outcome.plans[0].legs) == 2


def test_alternatives_are_ranked_and_differ() -> None:
    points = [point("lille"), point("lyon", position=LYON), point("paris", position=PARIS)]
    network = snapshot(points, stock({"x": {"lille": 1, "lyon": 1, "paris": 1}}))
    outcome = plan(network, request(("x", 1)), ruleset(distance_cost_minor_per_kilometre=1.0))
    assert [found.legs[0].point_id for found in outcome.plans] == ["paris", "lille", "lyon"]
    assert [found.total_cost_minor for found in outcome.plans] == [600, 804, 991]


def test_two_light_parcels_beat_one_that_crosses_a_dear_step() -> None:
    steps = (n.RateStep(1_000, euros(200)), n.RateStep(30_000, euros(5_000)))
    network = snapshot(
        [point("a"), point("b")],
        stock({"x": {"a": 9, "b": 9}}),
        [n.Carrier("post", (service(zones=(terms(rates=steps),)),))],
    )
    assert places(plan(network, request(("x", 4)), ruleset()).plans[0]) == {"a": [(1, 2)], "b": [(1, 2)]}


# -- what the planner believes --------------------------------------------------------------------------------


def test_safety_stock_overlays_and_own_holds_make_the_figure() -> None:
    network = snapshot([point("a")], stock({"x": {"a": 5}}, safety_stock=2))

    def available(**values: object) -> int:
        return plan(network, request(("x", 1), **values), ruleset()).seen[0].available

    assert available() == 3
    overlay = (n.StockOverlay("x", "a", 3),)
    assert available(overlays=overlay) == 1
    own = (n.OwnHold("x", "a", 2), n.OwnHold("x", "a", 1))
    assert available(overlays=overlay, own_holds=own) == 4
    assert available(overlays=(n.StockOverlay("x", "a", -7),)) == 0


def test_what_is_seen_is_told_and_what_is_not_used_has_its_reason() -> None:
    points = [
        point("activated"),
        point("brandless", brands=frozenset({"autre"})),
        point("closed", openings=()),
        point("empty"),
        point("excluded"),
        point("quiet", collections=()),
        point("shop", type=n.PointType.STORE, capabilities=frozenset()),
        point("unknown"),
    ]
    names = ["activated", "brandless", "closed", "excluded", "quiet", "shop"]
    positions = stock({"x": {**dict.fromkeys(names, 5), "empty": 0}})
    positions["x"]["unknown"] = n.StockPosition(5, {"other channel": 0})
    carriers = [n.Carrier("post", (service("home"), service("abroad", zones=(terms("ES"),))))]
    outcome = plan(
        snapshot(points, positions, carriers),
        request(("x", 1), exclusions=(n.ExcludedPoint("excluded", "refused: too busy"),)),
        ruleset(),
    )
    assert reasons(outcome) == {
        ("activated", "abroad"): "NO_ZONE",
        ("brandless", ""): "BRAND_NOT_CARRIED",
        ("closed", "abroad"): "NO_ZONE",
        ("closed", ""): "CLOSED",
        ("empty", ""): "NO_STOCK",
        ("excluded", ""): "EXCLUDED",
        ("quiet", "abroad"): "NO_ZONE",
        ("quiet", "home"): "NO_COLLECTION",
        ("shop", ""): "NO_SHIP_FROM_STORE",
        ("unknown", ""): "NOT_ACTIVATED",
    }
    assert {(seen.point_id, seen.available) for seen in outcome.seen} == {
        *((name, 5) for name in names),
        ("empty", 0),
    }
    assert next(r.detail for r in outcome.rejected if r.reason == "EXCLUDED") == "refused: too busy"
    assert places(outcome.plans[0]) == {"activated": [(1, 1)]}


def test_a_point_excluded_for_one_article_still_sends_the_other() -> None:
    network = snapshot([point("a"), point("b")], stock({"x": {"a": 1, "b": 1}, "y": {"a": 1}}))
    asked = request(("x", 1), ("y", 1), exclusions=(n.ExcludedPoint("a", "short", "x"),))
    assert places(plan(network, asked, ruleset()).plans[0]) == {"a": [(2, 1)], "b": [(1, 1)]}


def test_weight_and_length_keep_articles_out_of_a_service() -> None:
    items = [n.Item("heavy", "", 40_000, 300), n.Item("long", "", 400, 2_500), n.Item("x", "", 400, 300)]
    network = snapshot([point("a")], stock({"heavy": {"a": 1}, "long": {"a": 1}, "x": {"a": 1}}), items=items)
    outcome = plan(network, request(("heavy", 1), ("long", 1), ("x", 1)), ruleset())
    assert [(u.sku, u.reason) for u in outcome.unplanned] == [("heavy", "TOO_HEAVY"), ("long", "TOO_LONG")]
    alone = plan(network, request(("heavy", 1)), ruleset())
    assert reasons(alone)["a", "home"] == "TOO_HEAVY"


def test_another_currency_than_the_rulesets_is_not_compared() -> None:
    outcome = plan(snapshot([point("a")], stock({"x": {"a": 1}})), request(("x", 1)), ruleset(currency="GBP"))
    assert reasons(outcome)["a", "home"] == "OTHER_CURRENCY"
    assert outcome.unplanned[0].reason == "NO_CARRIER"


# -- what cannot be planned -----------------------------------------------------------------------------------


def test_the_most_units_are_planned_and_the_rest_named() -> None:
    network = snapshot([point("a"), point("b")], stock({"x": {"a": 3, "b": 2}, "y": {"a": 1}}))
    outcome = plan(network, request(("x", 9), ("y", 2), ("z", 1)), ruleset())
    assert {(u.line_number, u.sku, u.quantity, u.reason) for u in outcome.unplanned} == {
        (1, "x", 4, "NO_STOCK"),
        (2, "y", 1, "NO_STOCK"),
        (3, "z", 1, "UNKNOWN_ITEM"),
    }
    assert places(outcome.plans[0]) == {"a": [(1, 3), (2, 1)], "b": [(1, 2)]}


def test_too_many_parcels_leave_the_smallest_part_behind() -> None:
    network = snapshot([point("a"), point("b"), point("c")], stock({"x": {"a": 5, "b": 3, "c": 1}}))
    outcome = plan(network, request(("x", 9)), ruleset(max_parcels=2))
    assert places(outcome.plans[0]) == {"a": [(1, 5)], "b": [(1, 3)]}
    assert [(u.quantity, u.reason) for u in outcome.unplanned] == [(1, "TOO_MANY_PARCELS")]
    assert outcome.proved_optimal


def test_what_is_too_heavy_for_one_parcel_leaves_in_several() -> None:
    network = snapshot([point("a")], stock({"x": {"a": 100}}))
    outcome = plan(network, request(("x", 100)), ruleset())
    (leg,) = outcome.plans[0].legs
    assert (leg.weight_grams, leg.parcels, leg.shipping_cost_minor) == (40_000, 2, 1_800)
    assert plan(network, request(("x", 77)), ruleset()).plans[0].legs[0].shipping_cost_minor == 900 + 500


def test_a_destination_that_is_not_on_the_map_is_said_so() -> None:
    network = snapshot([point("a")], stock({"x": {"a": 1}}))
    for there in (n.Destination("FR", "97400"), n.Destination("ES", "28001")):
        outcome = plan(network, request(("x", 1), destination=there), ruleset())
        assert [u.reason for u in outcome.unplanned] == ["UNKNOWN_DESTINATION"]
        assert not outcome.plans


def test_a_mode_that_nobody_offers_has_no_carrier() -> None:
    network = snapshot([point("a")], stock({"x": {"a": 1}}))
    outcome = plan(network, request(("x", 1), mode=n.Mode.HOME_EXPRESS), ruleset())
    assert [u.reason for u in outcome.unplanned] == ["NO_CARRIER"]


# -- promises in time -----------------------------------------------------------------------------------------


def promise(network: Snapshot, now: datetime, **values: object) -> Plan:
    return plan(network, request(("x", 1), now=now, **values), ruleset()).plans[0]


def test_order_before_is_the_last_instant_for_the_window() -> None:
    shop = point("a", openings=openings(WORKDAYS, 9 * 60, 19 * 60), handling_minutes=120)
    network = snapshot([shop], stock({"x": {"a": 1}}), is_holiday=is_public_holiday)
    now_plan = promise(network, NOW)
    assert now_plan.order_before == paris(1, 15)
    assert now_plan.window == n.Window(paris(2, 8), paris(3, 18))
    assert promise(network, now_plan.order_before).window == now_plan.window
    assert promise(network, now_plan.order_before + SECOND).window.end == paris(4, 18)


def test_cooling_off_is_taken_off_the_countdown() -> None:
    cooling = timedelta(minutes=30)
    network = snapshot([point("a", handling_minutes=60)], stock({"x": {"a": 1}}))
    first = promise(network, NOW, not_before=NOW + cooling)
    last = first.order_before
    assert last == paris(1, 15, 30)
    assert promise(network, last, not_before=last + cooling).window == first.window
    after = last + SECOND
    assert promise(network, after, not_before=after + cooling).window.end > first.window.end


def test_preparation_does_not_start_before_it_may() -> None:
    network = snapshot([point("a")], stock({"x": {"a": 1}}))
    assert promise(network, NOW, not_before=paris(10, 18)).legs[0].hand_over_by == paris(11, 17)


def test_a_leg_says_when_its_work_must_begin_and_what_a_missed_collection_makes_of_it() -> None:
    shop = point("a", openings=openings(WORKDAYS, 9 * 60, 19 * 60), handling_minutes=120)
    network = snapshot([shop], stock({"x": {"a": 1}}), is_holiday=is_public_holiday)
    (leg,) = promise(network, paris(5, 9)).legs
    assert (leg.latest_start, leg.hand_over_by) == (paris(5, 15), paris(5, 17))
    assert leg.next_hand_over_by == paris(8, 17), "nobody collects on a Saturday or Sunday"
    late = promise(network, paris(5, 15) + SECOND)
    assert (leg.next_hand_over_by, leg.next_window) == (late.legs[0].hand_over_by, late.window)


def test_equal_plans_are_told_apart_by_how_late_one_may_order() -> None:
    early, late = (
        point(name, collections=collections("post", hour * 60)) for name, hour in (("a", 12), ("b", 17))
    )
    network = snapshot([early, late], stock({"x": {"a": 1, "b": 1}}))
    found = promise(network, NOW)
    assert found.legs[0].point_id == "b"
    assert found.order_before == paris(1, 17)


@pytest.mark.parametrize("seed", range(60))
def test_the_countdown_holds_for_any_network(seed: int) -> None:
    """Ordering at order_before still gives the window; a second later does not."""
    random = Random(seed)
    points = [
        point(
            f"p{i}",
            position=random.choice([PARIS, LILLE]),
            openings=openings(random.choice([WORKDAYS, (1, 3, 6)]), 540, random.choice([720, 1140])),
            handling_minutes=random.choice([0, 45, 700]),
            collections=collections(
                "post", random.choice([600, 1020, 1440]), random.choice([WORKDAYS, (2, 5), (6,)])
            ),
        )
        for i in range(4)
    ]
    free = {"x": {p.point_id: random.randint(0, 2) for p in points}, "y": {p.point_id: 1 for p in points}}
    sold = service(delivery_weekdays=WORKDAYS, zones=(terms(transit_days_max=random.choice([1, 3])),))
    network = snapshot(points, stock(free), [n.Carrier("post", (sold,))], is_holiday=is_public_holiday)
    asked = request(("x", 2), ("y", 1))
    rules = ruleset(distance_cost_minor_per_kilometre=random.choice([0.0, 0.5]), alternatives=random.randint(1, 3))

    def at(moment: datetime) -> Plan | None:
        outcome = plan(network, replace(asked, now=moment, not_before=moment + timedelta(minutes=30)), rules)
        return outcome.plans[0] if outcome.plans else None

    found = at(NOW + timedelta(hours=seed * 7))
    if found is None:
        return
    last, after = at(found.order_before), at(found.order_before + SECOND)
    assert last is not None
    assert after is not None
    assert last.window == found.window
    assert after.window.rank > found.window.rank


# -- size -----------------------------------------------------------------------------------------------------


def big_points(count: int) -> list[n.Point]:
    random = Random(1)
    return [
        point(f"p{i:03}", position=n.Position(43 + random.random() * 7, random.random() * 6)) for i in range(count)
    ]


def test_a_line_of_eighty_thousand_units_is_a_few_figures() -> None:
    freight = service(max_weight_grams=50_000_000, zones=(terms(rates=(n.RateStep(50_000_000, euros(90_000)),)),))
    points = big_points(20)
    network = snapshot(points, stock({"x": {p.point_id: 30_000 for p in points}}), [n.Carrier("post", (freight,))])
    outcome = plan(network, request(("x", 80_000)), ruleset())
    assert outcome.is_complete
    assert sum(line.quantity for leg in outcome.plans[0].legs for line in leg.lines) == 80_000


def test_several_hundred_lines_over_fifty_points_end_with_the_best_so_far() -> None:
    random = Random(2)
    points = big_points(50)
    skus = [f"s{i}" for i in range(400)]
    free = {sku: {p.point_id: random.choice([0, 1, 2, 3]) for p in points} for sku in skus}
    network = snapshot(points, stock(free))
    asked = request(*((sku, random.randint(1, 3)) for sku in skus))
    first = plan(network, asked, ruleset())
    assert first.plans
    assert not first.proved_optimal
    assert first == plan(network, asked, ruleset())


@pytest.mark.parametrize(("points", "lines"), [(60, 200), (60, 600), (20, 600)])
def test_orders_of_which_only_a_part_can_go_are_planned_at_any_size(points: int, lines: int) -> None:
    """Few parcels serve a part of the articles and nothing of others: these have no price."""
    random = Random(points + lines)
    known = big_points(points)
    free = {f"s{i}": {p.point_id: random.choice([0, 0, 1, 2, 3]) for p in known} for i in range(lines)}
    outcome = plan(snapshot(known, stock(free)), request(*((sku, 3) for sku in free)), ruleset())
    served = sum(line.quantity for leg in outcome.plans[0].legs for line in leg.lines)
    assert served + sum(u.quantity for u in outcome.unplanned) == 3 * lines
    assert outcome.least_cost_minor <= outcome.plans[0].total_cost_minor


def test_a_spent_budget_gives_the_best_so_far_and_says_so() -> None:
    points = big_points(40)
    free = {f"s{i}": {p.point_id: (i + j) % 3 for j, p in enumerate(points)} for i in range(6)}
    asked = request(*((sku, 2) for sku in free))
    network = snapshot(points, stock(free))
    short = plan(network, asked, ruleset(), budget_steps=600)
    full = plan(network, asked, ruleset())
    assert short.plans
    assert not short.proved_optimal
    assert worth(full) <= worth(short)


def worth(outcome: Outcome) -> tuple[int, int]:
    """Smaller is better: units left behind, then cost."""
    return sum(u.quantity for u in outcome.unplanned), outcome.plans[0].total_cost_minor


def test_one_line_over_fourteen_points_takes_less_than_ten_milliseconds() -> None:
    points = [replace(p, handling_minutes=60, openings=openings(WORKDAYS, 540, 1140)) for p in big_points(14)]
    services = (service("home"), service("fast", zones=(terms(customer_price=euros(900)),)))
    network = snapshot(
        points,
        stock({"x": {p.point_id: 3 for p in points}}),
        [n.Carrier("post", services)],
        is_holiday=is_public_holiday,
    )
    asked = request(("x", 1))
    plan(network, asked, ruleset())
    best = min(_seconds(lambda: plan(network, asked, ruleset())) for _ in range(20))
    assert best < 0.010


def _seconds(work: Callable[[], object]) -> float:
    begun = time.process_time()
    work()
    return time.process_time() - begun


def test_legs_say_which_lines_they_take() -> None:
    network = snapshot([point("a")], stock({"x": {"a": 4}}))
    outcome = plan(network, replace(request(("x", 1)), lines=basket(("x", 1), ("x", 3))), ruleset())
    assert outcome.plans[0].legs[0].lines == (LegLine(1, "x", 1), LegLine(2, "x", 3))
