"""A decision made again from its record gives the same plans; what using a point would have meant is exact."""

from dataclasses import replace
from datetime import timedelta
from functools import partial
from random import Random

import pytest

from services.promise.domain import engine, replaying
from services.promise.domain import network as n
from services.promise.domain.plans import NO_RECORD, Plan
from services.promise.domain.replaying import Verdict
from services.promise.domain.rulesets import LowCover, Markdown, Tier
from services.promise.domain.snapshot import Snapshot
from services.promise.domain.telling import units_of
from tests.services.promise.domain.decided import decide
from tests.services.promise.domain.test_engine_against_brute_force import (
    Case,
    by_weight,
    cost_of,
    possible_legs,
    possible_shares,
    small_case,
)
from tests.services.promise.domain.test_stages import staged_case
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
    snapshot,
    stock,
)


def rich_case(seed: int) -> Case:
    """A small case with overlays, holds, safety stock, buffers, facts and rules that weigh them."""
    random = Random(seed)
    case = small_case(random)
    found = case.snapshot.stock
    positions = {
        sku: {
            point_id: n.StockPosition(
                position.free,
                {CHANNEL: random.choice([0, 0, 1])},
                {CHANNEL: random.choice([0, 0, 1])},
                random.choice(
                    [
                        n.NO_FACTS,
                        n.Facts(daily_sales=random.choice([0.3, 1.0]), find_rate=random.choice([0.7, 1.0])),
                        n.Facts(markdown_date=(NOW + timedelta(days=5)).date(), markdown_percent=30),
                    ]
                ),
            )
            for point_id, position in by_point.items()
        }
        for sku, by_point in found.positions.items()
    }
    items = {sku: replace(item, prices={CHANNEL: euros(2_000)}) for sku, item in found.items.items()}
    stocked = replace(case.snapshot, stock=replace(found, positions=positions, items=items))
    places = [(sku, point_id) for sku, by_point in positions.items() for point_id in by_point]
    asked = replace(
        case.request,
        overlays=tuple(n.StockOverlay(*place, random.randint(0, 3)) for place in random.sample(places, 1)),
        own_holds=tuple(n.OwnHold(*place, 1) for place in random.sample(places, 1)),
    )
    rules = replace(
        case.ruleset,
        tiers=random.choice([(), (Tier((n.PointType.WAREHOUSE,)), Tier((n.PointType.STORE,)))]),
        low_cover=random.choice([None, LowCover(10, 300)]),
        markdown=random.choice([None, Markdown(30, 50)]),
        short_pick_cost_minor=random.choice([0, 400]),
    )
    return Case(stocked, asked, rules)


def sold_out(seen: Snapshot) -> Snapshot:
    """The same network on another day: nothing is left, and nothing known of it."""
    positions: dict[str, dict[str, n.StockPosition]] = {sku: {} for sku in seen.stock.positions}
    return replace(seen, stock=replace(seen.stock, positions=positions))


@pytest.mark.parametrize("seed", range(150))
def test_a_replayed_decision_has_the_same_plans(seed: int) -> None:
    case = rich_case(seed)
    decision = decide(case.snapshot, case.request, case.ruleset)
    again = replaying.snapshot_of(decision, sold_out(case.snapshot))
    outcome = engine.plan(again, replaying.question(decision), case.ruleset)
    assert outcome.plans == decision.outcome.plans
    assert outcome.unplanned == decision.outcome.unplanned
    assert outcome.least_cost_minor == decision.outcome.least_cost_minor
    assert again.stock.view == decision.stock


@pytest.mark.parametrize("seed", range(40))
def test_a_replayed_decision_waits_for_the_same_units(seed: int) -> None:
    case = staged_case(Random(seed))
    decision = decide(case.snapshot, case.request, case.ruleset)
    today = sold_out(case.snapshot)
    again = replaying.snapshot_of(decision, replace(today, stock=replace(today.stock, coming={})))
    outcome = engine.plan(again, replaying.question(decision), case.ruleset)
    assert (outcome.plans, outcome.unplanned) == (decision.outcome.plans, decision.outcome.unplanned)
    assert outcome.coming == decision.outcome.coming
    at_once = replaying.at_once(decision, today, case.ruleset)
    assert all(plan.waits_until is None for plan in at_once.plans)


# -- why not that point ---------------------------------------------------------------------------------------


def cheapest_with(point_id: str, case: Case, best: Plan) -> int | None:
    """The slow way: every share of every set of points with this one in it, for the units of the best plan."""
    skus = list(dict.fromkeys(line.sku for line in case.request.lines))
    wanted = {sku: units_of(best).get(sku, 0) for sku in skus}
    costs = [
        cost
        for legs in possible_legs(case)
        if any(at.point_id == point_id for at, _ in legs)
        for shares in possible_shares(case, legs, wanted)
        if sum(map(sum, shares)) == sent(best)
        and (cost := cost_of(case, legs, shares, partial(by_weight, case))) is not None
    ]
    return min(costs, default=None)


def uses(plan: Plan, point_id: str) -> bool:
    return any(leg.point_id == point_id for leg in plan.legs)


def sent(plan: Plan) -> int:
    return sum(line.quantity for leg in plan.legs for line in leg.lines)


@pytest.mark.parametrize("seed", range(120))
def test_the_cheapest_plan_with_a_point_is_the_cheapest_there_is(seed: int) -> None:
    case = small_case(Random(seed))
    decision = decide(case.snapshot, case.request, case.ruleset)
    if not decision.outcome.plans:
        pytest.skip("nothing can be sent")
    best = decision.outcome.plans[0]
    for point_id in case.snapshot.stock.points:
        told = replaying.why_not(decision, point_id, case.snapshot, case.ruleset)
        assert told.is_same
        if uses(best, point_id):
            assert told.verdict is Verdict.USED
            continue
        slow = cheapest_with(point_id, case, best)
        if told.forced is None:
            assert slow is None
            assert told.verdict in (Verdict.DROPPED, Verdict.NOT_POSSIBLE)
        else:
            assert told.proved
            assert told.verdict is Verdict.NOT_BETTER
            assert told.forced.total_cost_minor == slow
            assert uses(told.forced, point_id)
            assert units_of(told.forced) == units_of(best), "the article that was made up is not shown"


NEAR_AND_FAR = [
    point("lille", position=LILLE),
    point("lyon", position=LYON),
    point("shut", position=PARIS, openings=()),
]
BY_DISTANCE = ruleset(distance_cost_minor_per_kilometre=1.0)


def near_and_far() -> Snapshot:
    return snapshot(NEAR_AND_FAR, stock({"x": {"lille": 2, "lyon": 2, "shut": 2}}))


def test_a_point_that_was_dropped_says_why() -> None:
    decision = decide(near_and_far(), request(("x", 1)), BY_DISTANCE)
    told = replaying.why_not(decision, "shut", near_and_far(), BY_DISTANCE)
    assert told.verdict is Verdict.DROPPED
    assert [one.reason for one in told.dropped] == ["CLOSED"]


def test_a_point_that_nobody_knows_is_unknown() -> None:
    decision = decide(near_and_far(), request(("x", 1)), BY_DISTANCE)
    assert replaying.why_not(decision, "nowhere", near_and_far(), BY_DISTANCE).verdict is Verdict.UNKNOWN_POINT


def test_a_point_of_a_later_tier_is_told_with_what_it_would_have_cost() -> None:
    rules = ruleset(tiers=(Tier((n.PointType.WAREHOUSE,)),), distance_cost_minor_per_kilometre=1.0)
    seen = snapshot(
        [point("lyon", position=LYON), point("shop", position=PARIS, type=n.PointType.STORE)],
        stock({"x": {"lyon": 1, "shop": 1}}),
    )
    told = replaying.why_not(decide(seen, request(("x", 1)), rules), "shop", seen, rules)
    assert [one.reason for one in told.dropped] == ["LATER_TIER"]
    assert told.verdict is Verdict.BETTER
    assert told.forced is not None
    assert [leg.point_id for leg in told.forced.legs] == ["shop"]


def test_a_network_that_has_changed_since_is_said_to_have() -> None:
    decision = decide(near_and_far(), request(("x", 1)), BY_DISTANCE)
    today = snapshot([replace(NEAR_AND_FAR[0], openings=()), *NEAR_AND_FAR[1:]], stock({"x": {}}))
    told = replaying.why_not(decision, "lyon", today, BY_DISTANCE)
    assert not told.is_same


def test_a_decision_without_a_record_takes_todays_facts() -> None:
    decision = replace(decide(near_and_far(), request(("x", 1)), BY_DISTANCE), record=NO_RECORD)
    facts = n.Facts(find_rate=0.5)
    positions = {"x": {"lille": n.StockPosition(9, {CHANNEL: 0}, facts=facts)}}
    stocked = replaying.stock_seen(decision, replace(near_and_far().stock, positions=positions))
    assert stocked.positions["x"]["lille"] == n.StockPosition(2, {CHANNEL: 0}, facts=facts)
    assert stocked.positions["x"]["lyon"].facts == n.NO_FACTS


def test_points_alone_are_planned_alone() -> None:
    decision = decide(near_and_far(), request(("x", 3)), BY_DISTANCE)
    alone = replaying.alone(decision, ["lille", "nowhere"], near_and_far(), BY_DISTANCE)
    assert [sent(outcome.plans[0]) for outcome in alone.values()] == [2]
