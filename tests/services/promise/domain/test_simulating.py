"""Two rulesets over the same orders: what is equal, what is not, and what an order leaves for the next."""

from dataclasses import replace
from datetime import timedelta
from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as st

from kit.values.money import Money
from services.promise.domain import comparing, engine, simulating
from services.promise.domain import network as n
from services.promise.domain.compared import Result, Spread
from services.promise.domain.plans import Decision, Outcome
from services.promise.domain.rulesets import Consolidation, PreparationCost, Ruleset
from services.promise.domain.simulating import Network, PastOrder, Simulation
from services.promise.domain.simulations import AssumedItems
from tests.services.promise.network import (
    CHANNEL,
    LILLE,
    LYON,
    NOW,
    basket,
    euros,
    point,
    request,
    ruleset,
    service,
    snapshot,
    stock,
    terms,
)

# Lyon is a store and further away; both have some of x, only Lyon has y.
POINTS = [point("lille", position=LILLE), point("lyon", position=LYON, type=n.PointType.STORE)]
SHELVES = {"x": {"lille": 4, "lyon": 4}, "y": {"lyon": 2}}
NEAR = ruleset(distance_cost_minor_per_kilometre=1.0)
# It sees a store as cheap as the live one sees a warehouse, and would rather not split.
CHEAP_STORES = ruleset(
    ruleset_id="stores",
    preparation_costs=(PreparationCost(n.PointType.STORE, 0), PreparationCost(n.PointType.WAREHOUSE, 900)),
    split_cost_minor=5_000,
)


def network() -> Network:
    seen = snapshot(POINTS, stock(SHELVES))
    return Network(seen.stock.points, seen.carriers, seen.geography, seen.is_holiday)


def shelves(free: dict[str, dict[str, int]] | None = None) -> n.StockSlice:
    return snapshot(POINTS, stock(free or SHELVES)).stock


def order(order_id: str, *units: tuple[str, int], days: int = 0) -> PastOrder:
    return PastOrder(order_id, request(*units, now=NOW + timedelta(days=days)))


def simulate(
    orders: list[PastOrder],
    candidate: Ruleset,
    *,
    live: Ruleset = NEAR,
    deplete: bool = False,
    listed: int = 10,
    free: dict[str, dict[str, int]] | None = None,
) -> Result:
    simulation = Simulation(network(), live, candidate, listed_orders=listed, deplete=deplete)
    for one in orders:
        simulation.take(one, shelves(free))
    return simulation.result({}, [])


BASKETS = st.lists(
    st.lists(st.tuples(st.sampled_from(["x", "y", "unknown"]), st.integers(1, 6)), min_size=1, max_size=3),
    min_size=1,
    max_size=6,
)


@settings(max_examples=40, deadline=None)
@given(baskets=BASKETS, deplete=st.booleans())
def test_the_live_ruleset_against_itself_differs_in_nothing(
    baskets: list[list[tuple[str, int]]], deplete: bool
) -> None:
    orders = [order(f"o{i}", *units, days=i) for i, units in enumerate(baskets)]
    result = simulate(orders, NEAR, deplete=deplete)
    assert result.live == result.candidate
    assert (result.changed_orders, result.only_live_orders, result.only_candidate_orders) == (0, 0, 0)
    assert result.changed == result.only_live == result.only_candidate == ()
    assert all(one.live == one.candidate for one in result.points)
    assert all(one.live == one.candidate for one in result.point_types)
    like = result.like_for_like
    assert like.live_real_cost_minor == like.candidate_real_cost_minor


@settings(max_examples=40, deadline=None)
@given(baskets=BASKETS, deplete=st.booleans())
def test_every_figure_is_the_sum_of_its_parts(baskets: list[list[tuple[str, int]]], deplete: bool) -> None:
    orders = [order(f"o{i}", *units, days=i) for i, units in enumerate(baskets)]
    result = simulate(orders, CHEAP_STORES, deplete=deplete)
    assert result == simulate(orders, CHEAP_STORES, deplete=deplete), "the same inputs give the same answer"
    for side, load in (
        (result.live, [one.live for one in result.points]),
        (result.candidate, [one.candidate for one in result.points]),
    ):
        assert side.whole_orders + side.partial_orders + side.unshipped_orders == result.orders == len(orders)
        assert side.units_shipped + side.units_not_shipped == result.units
        assert sum(one.count for one in side.not_shipped) == side.units_not_shipped
        assert sum(one.parcels for one in load) == side.parcels
        assert sum(one.units for one in load) == side.units_shipped
        assert sum(day.parcels for one in load for day in one.days) == side.parcels
        assert sum(cost.amount_minor for cost in side.objective) == side.objective_minor
        assert side.real_cost_minor == side.shipping_minor + side.preparation_minor
    for mine, bars in (
        (result.live, result.live_parcels),
        (result.candidate, result.candidate_parcels),
    ):
        assert sum(bar.orders for bar in bars) == mine.whole_orders + mine.partial_orders
        assert sum(bar.value * bar.orders for bar in bars) == mine.parcels


def test_real_cost_is_by_the_live_figures_for_both_and_the_objective_by_each_ones_own() -> None:
    result = simulate([order("o", ("x", 1))], CHEAP_STORES)
    (changed,) = result.changed
    assert [leg.point_id for leg in changed.live.legs] == ["lille"]
    assert [leg.point_id for leg in changed.candidate.legs] == ["lyon"]
    # A parcel of 400 g costs 5.00; preparing costs 1.00 at a warehouse and 2.00 at a store in the live ruleset.
    assert (changed.live.shipping_minor, changed.live.preparation_minor) == (500, 100)
    assert (changed.candidate.shipping_minor, changed.candidate.preparation_minor) == (500, 200)
    assert changed.difference_minor == 100
    assert changed.candidate.objective_minor == 500
    assert result.candidate.real_cost_minor == 700
    assert (
        changed.live.objective_minor == 600 + NEAR.distance_cost(204.0) - 1 or changed.live.objective_minor > 600
    )


def test_what_an_order_took_is_gone_for_the_next_when_stock_is_depleted() -> None:
    orders = [order("first", ("y", 2)), order("second", ("y", 1), days=1)]
    alone = simulate(orders, NEAR)
    assert alone.live.whole_orders == 2
    depleted = simulate(orders, NEAR, deplete=True)
    assert (depleted.live.whole_orders, depleted.live.unshipped_orders) == (1, 1)
    assert [(one.reason, one.count) for one in depleted.live.not_shipped] == [("NO_STOCK", 1)]


def test_each_ruleset_depletes_its_own_copy() -> None:
    """The candidate serves the first from Lyon, the live one from Lille; each has four of x left elsewhere."""
    free = {"x": {"lille": 1, "lyon": 1}}
    orders = [order("first", ("x", 1)), order("second", ("x", 1), days=1)]
    result = simulate(orders, CHEAP_STORES, deplete=True, free=free)
    assert result.live.whole_orders == result.candidate.whole_orders == 2
    by_point = {one.point_id: (one.live.parcels, one.candidate.parcels) for one in result.points}
    assert by_point == {"lille": (1, 1), "lyon": (1, 1)}
    assert result.changed_orders == 2
    assert [one.order_id for one in result.changed] == ["first", "second"]


def test_orders_that_only_one_could_ship_are_told_apart_from_those_that_cost_more() -> None:
    one_parcel = replace(NEAR, ruleset_id="one", max_parcels=1)
    orders = [order("split", ("x", 6)), order("alike", ("x", 1)), order("never", ("x", 90))]
    result = simulate(orders, one_parcel)
    assert (result.only_live_orders, result.only_candidate_orders) == (1, 0)
    assert [(one.order_id, one.live.parcels, one.candidate.units_not_shipped) for one in result.only_live] == [
        ("split", 2, 2)
    ]
    assert result.changed == ()
    assert result.like_for_like.orders == 1
    assert result.live.split_orders == 2
    swapped = simulate(orders, NEAR, live=one_parcel)
    assert [one.order_id for one in swapped.only_candidate] == ["split"]


def test_the_largest_differences_are_listed_first_and_only_so_many() -> None:
    orders = [order(f"o{units}", ("x", units)) for units in (1, 2, 3, 4)] + [order("last", ("x", 4))]
    # Three and more weigh above a kilogram: 9.00 instead of 5.00 for either, so the difference is in preparing.
    result = simulate(orders, CHEAP_STORES, listed=2)
    assert result.changed_orders == 5
    assert [one.order_id for one in result.changed] == ["o1", "o2"], "of equal ones the earlier"
    assert [one.difference_minor for one in result.changed] == [100, 100]


def test_days_are_counted_where_the_order_goes_and_loads_where_the_parcel_leaves() -> None:
    late = PastOrder("night", request(("x", 1), now=NOW.replace(hour=22, minute=30)))
    result = simulate([late], NEAR)
    # 00:30 on Tuesday in Paris; collected at 17:00, two days at most.
    assert result.live.promise_days == Spread(2.0, 2, 2, 2)
    (load,) = result.points
    assert load.live.busiest_day is not None
    assert load.live.busiest_day.isoformat() == "2026-06-02"
    assert load.live.busiest_day_parcels == 1


def test_percentiles_are_of_the_nearest_rank() -> None:
    assert comparing.spread({}) == Spread(0.0, 0, 0, 0)
    assert comparing.spread({1: 19, 7: 1}) == Spread(1.3, 1, 1, 7)
    assert comparing.spread({1: 18, 7: 2}) == Spread(1.6, 1, 7, 7)
    assert comparing.spread({2: 1, 4: 1}) == Spread(3.0, 2, 4, 4)


# -- recorded questions ---------------------------------------------------------------------------------------


def decided(asked: n.PlanRequest) -> Decision:
    seen = snapshot(POINTS, stock(SHELVES, safety_stock=1))
    outcome = engine.plan(seen, asked, NEAR)
    return Decision("dec_1", "ord_1", asked, "", "default", 1, seen.stock.view, outcome)


def test_a_recorded_question_on_the_stock_it_saw_gives_the_recorded_plan() -> None:
    asked = request(
        ("x", 3),
        overlays=(n.StockOverlay("x", "lille", 2),),
        own_holds=(n.OwnHold("x", "lille", 2),),
        exclusions=(n.ExcludedPoint("lyon", "refused"),),
    )
    decision = decided(asked)
    today = shelves({"x": {"lille": 0, "lyon": 99}})
    past, seen = simulating.as_seen(decision, today)
    assert past.recorded is decision.outcome
    simulation = Simulation(network(), NEAR, NEAR, listed_orders=1)
    simulation.take(past, seen)
    result = simulation.result({}, [])
    assert result.as_recorded_orders == 1
    assert [one.point_id for one in result.points] == ["lille"]


def test_on_other_stock_a_recorded_question_has_no_holds_and_no_quote() -> None:
    limits = n.Limits(NOW + timedelta(days=3), Money(490, "EUR"))
    asked = request(("x", 1), own_holds=(n.OwnHold("x", "lille", 2),), limits=limits)
    past = simulating.on_other_stock(decided(asked))
    assert past.request == request(("x", 1))
    assert past.recorded is None


# -- given and assumed stock ----------------------------------------------------------------------------------


def test_given_units_replace_what_is_free_and_keep_the_safety_stock_of_known_positions() -> None:
    known = snapshot(POINTS, stock({"x": {"lille": 9}}, safety_stock=2)).stock
    given_stock = simulating.with_given(known, {"x": {"lille": 5, "lyon": 3}}, CHANNEL)
    assert given_stock.positions["x"]["lille"] == n.StockPosition(5, {CHANNEL: 2})
    assert given_stock.positions["x"]["lyon"] == n.StockPosition(3, {CHANNEL: 0})
    assert simulating.with_given(known, {}, CHANNEL).positions == {}, "what the file leaves out has none"


def test_assumed_stock_is_the_same_whoever_asks_first_and_differs_by_seed() -> None:
    shop = point("shop", type=n.PointType.STORE, capabilities=frozenset())
    many = [*(point(f"p{i}") for i in range(40)), shop]
    known = snapshot(many, stock({"x": {"p1": 1}})).stock
    assumed = AssumedItems(weight_grams=250, units=10, percent=50, seed=1)
    asked = request(("new", 1), ("x", 1))
    first, unknown = simulating.with_assumed(known, asked, assumed)
    assert unknown == {"new"}
    assert first.items["new"] == n.Item("new", weight_grams=250)
    assert first.positions["x"] == known.positions["x"]
    again, _ = simulating.with_assumed(known, request(("other", 1), ("new", 2)), assumed)
    assert again.positions["new"] == first.positions["new"]
    units = [position.free for position in first.positions["new"].values()]
    assert 10 <= len(units) <= 30
    assert all(1 <= free <= 19 for free in units)
    assert "shop" not in first.positions["new"], "a store that does not ship stocks nothing that could be sent"
    other, _ = simulating.with_assumed(known, asked, replace(assumed, seed=2))
    assert other.positions["new"] != first.positions["new"]
    kept, _ = simulating.with_assumed(known, asked, assumed, frozenset({"new"}))
    assert "new" not in kept.positions


def test_a_plan_without_a_parcel_has_no_day_and_costs_nothing() -> None:
    comparison = comparing.Comparison(NEAR, {}, 5)
    nothing = Outcome((), (), (), (), proved_optimal=True)
    comparison.take("o", request(("x", 2)), ZoneInfo("UTC"), nothing, nothing)
    result = comparison.result({"NOT_POSITIVE": 2, "NONE": 0}, ["a note"])
    assert result.live.unshipped_orders == 1
    assert result.live.promise_days.max == 0
    assert [(one.reason, one.count) for one in result.skipped] == [("NOT_POSITIVE", 2)]
    assert result.notes == ("a note",)
    assert basket(("x", 2))[0].quantity == 2


# -- meeting at a hub -----------------------------------------------------------------------------------------


def test_what_meeting_at_a_hub_would_bring_is_seen_before_any_order_may_do_it() -> None:
    joins = n.SHIP_FROM_STORE, n.CONSOLIDATION
    points = [replace(POINTS[0], postcode="59000", capabilities=frozenset(joins)), POINTS[1]]
    inbound = terms(transit_days_max=1, rates=(n.RateStep(30_000, euros(200)),))
    carriers = [n.Carrier("post", (service(), service("in", mode=n.Mode.SHIP_TO_STORE, zones=(inbound,))))]
    seen = snapshot(points, stock({"x": {"lille": 4}, "y": {"lyon": 2}}), carriers)
    live = ruleset()
    joining = replace(live, ruleset_id="joining", consolidation=Consolidation(50, 3))
    network = Network(seen.stock.points, seen.carriers, seen.geography, seen.is_holiday)
    simulation = Simulation(network, live, joining, listed_orders=5)
    simulation.take(order("o1", ("x", 1), ("y", 1)), seen.stock)
    result = simulation.result({}, [])
    # Two parcels at 5.00, prepared at 1.00 and 2.00; against one, 2.00 for the way to it and 0.50 for joining.
    assert (result.live.parcels, result.live.shipping_minor, result.live.preparation_minor) == (2, 1_000, 300)
    joined = result.candidate
    assert (joined.parcels, joined.shipping_minor, joined.preparation_minor) == (1, 700, 350)
    assert (result.live.split_orders, joined.split_orders) == (1, 0)
    (changed,) = result.changed
    assert [(leg.point_id, leg.via_point_id, leg.units) for leg in changed.candidate.legs] == [
        ("lille", "lille", 1),
        ("lyon", "lille", 1),
        ("lille", "", 0),
    ]
    # The ruleset in force is the yardstick of both, where it knows the cost of joining.
    dear = Simulation(network, replace(live, consolidation=Consolidation(700, 3)), joining, listed_orders=5)
    dear.take(order("o1", ("x", 1), ("y", 1)), seen.stock)
    assert dear.result({}, []).candidate.preparation_minor == 300 + 700
