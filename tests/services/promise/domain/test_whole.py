"""A quote's best plan is the first plan of the engine, which looks at every point."""

from dataclasses import replace
from datetime import timedelta
from random import Random

import pytest

from services.promise.domain import engine, whole
from services.promise.domain import network as n
from services.promise.domain.ground import Ground
from services.promise.domain.plans import Plan, Unplanned
from services.promise.domain.question import asked, wanted_units
from services.promise.domain.rulesets import Ruleset
from services.promise.domain.snapshot import Snapshot
from tests.services.promise.domain.test_listing import random_network, random_rules, sized_network
from tests.services.promise.network import (
    CHANNEL,
    NOW,
    PARIS,
    TO_PARIS,
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

APPOINTMENT = n.Appointment(n.Window(NOW + timedelta(days=3), NOW + timedelta(days=3, hours=2)))


def answers(
    shop: Snapshot, question: n.PlanRequest, rules: Ruleset, ground: Ground
) -> tuple[Plan | Unplanned, str]:
    """The best plan or the reason that there is none, of a quote; and the same of the engine's outcome."""
    whole_question = asked(shop, question, rules)
    assert not isinstance(whole_question, str)
    answer = whole.best(whole_question, ground)
    outcome = engine.plan(shop, question, rules)
    assert outcome.proved_optimal
    if not outcome.is_complete:
        assert not isinstance(answer, Plan), answer
        return answer, outcome.unplanned[0].reason
    assert rank(answer) == rank(outcome.plans[0])
    return answer, ""


def rank(plan: Plan | Unplanned) -> object:
    """Plans of one rank may share the units of the same legs in several ways."""
    assert isinstance(plan, Plan), plan
    legs = [(leg.point_id, leg.carrier_id, leg.service_id) for leg in plan.legs]
    return plan.total_cost_minor, plan.window, plan.order_before, legs, plan.price


def check(seed: int, *, is_once: bool = False, is_sized: bool = False, is_personal: bool = False) -> int:
    """How many modes were served, each by the plan that the engine gives. `is_once`: some services come once.

    `is_sized`: services charge for volume or have limits of size, and there are boxes. `is_personal`: something is
    put on articles that not every point can do.
    """
    random = Random(seed)
    shop, rules = random_network(random, points=random.randint(4, 12)), random_rules(random)
    if is_sized:
        shop = sized_network(random, shop)
    if is_once:
        shop = replace(shop, carriers=tuple(coming_once(random, carrier) for carrier in shop.carriers))
    rules = replace(
        rules,
        max_parcels=random.choice((1, 2, 3, 4)),
        split_cost_minor=random.choice((0, 100, 500)),
        together_tags=random.choice(((), (), ("pair",))),
        min_split_value_minor=random.choice((0, 0, 3_000)),
    )
    question = request(
        *[(f"s{i}", random.choice((1, 1, 2, 3))) for i in random.sample(range(6), random.choice((1, 2, 2)))],
        now=NOW + timedelta(hours=random.choice((0, 5, 9))),
        destination=random.choice((TO_PARIS, n.Destination("FR", "75011", "p0"))),
        appointment=random.choice((None, APPOINTMENT)),
    )
    if is_personal:
        shop, question = personalised(random, shop), engraved(random, question)
    ground = Ground(shop, question, rules, wanted_units(shop.stock, question))
    served = 0
    for mode in n.Mode:
        one = replace(question, mode=mode)
        if not isinstance(asked(shop, one, rules), str):
            served += not answers(shop, one, rules, ground)[1]
    return served


def test_the_best_plan_is_the_first_one_of_the_engine() -> None:
    assert sum(check(seed) for seed in range(250)) > 80


def personalised(random: Random, shop: Snapshot) -> Snapshot:
    points = {
        key: replace(one, capabilities=one.capabilities | ({"engraving"} if random.random() < 0.5 else set()))
        for key, one in shop.stock.points.items()
    }
    items = {
        sku: replace(one, personalisations={"name": n.Personalisation("engraving", random.choice((0, 60, 900)))})
        for sku, one in shop.stock.items.items()
    }
    return replace(shop, stock=replace(shop.stock, points=points, items=items))


def engraved(random: Random, question: n.PlanRequest) -> n.PlanRequest:
    lines = (replace(line, personalisations=random.choice(((), ("name",)))) for line in question.lines)
    return replace(question, lines=tuple(lines))


def test_the_best_plan_is_the_first_one_of_the_engine_where_not_every_point_can_personalise() -> None:
    assert sum(check(seed, is_personal=True) for seed in range(8_000, 8_060)) > 15


def coming_once(random: Random, carrier: n.Carrier) -> n.Carrier:
    services = (replace(one, one_shipment=random.random() < 0.6) for one in carrier.services)
    return replace(carrier, services=tuple(services))


def test_the_best_plan_is_the_first_one_of_the_engine_where_services_come_once() -> None:
    assert sum(check(seed, is_once=True) for seed in range(5_000, 5_150)) > 40


def test_the_best_plan_is_the_first_one_of_the_engine_where_volume_and_boxes_count() -> None:
    assert sum(check(seed, is_sized=True) for seed in range(6_000, 6_120)) > 30


@pytest.mark.attack
@pytest.mark.timeout(900)
def test_the_best_plan_is_the_first_one_of_the_engine_where_volume_and_boxes_count_in_thousands_of_networks() -> (
    None
):
    assert sum(check(seed, is_sized=True) for seed in range(7_000, 8_000)) > 250


@pytest.mark.attack
@pytest.mark.timeout(900)
def test_the_best_plan_is_the_first_one_of_the_engine_in_thousands_of_networks() -> None:
    assert sum(check(seed) for seed in range(1_000, 3_000)) > 650


def large_network(random: Random, points: int, units: tuple[int, ...]) -> Snapshot:
    """Enough points that ways are ruled out by what they cost at least, alone and in pairs."""
    places = [
        point(
            f"p{i:02}",
            type=random.choice((n.PointType.STORE, n.PointType.WAREHOUSE)),
            position=n.Position(44 + 5 * random.random(), 5 * random.random()),
            openings=openings(opens=600, closes=1_140),
            collections=tuple(
                visit
                for name in ("a", "b")
                if random.random() < 0.8
                for visit in collections(name, random.choice((720, 1_080)))
            ),
            capabilities=frozenset({n.SHIP_FROM_STORE, "click_and_collect"}),
            postcode="75001",
        )
        for i in range(points)
    ]
    carriers = [
        n.Carrier(
            name,
            tuple(
                service(
                    f"{name}-{mode.value}",
                    mode=mode,
                    zones=(terms(rates=tuple(_rates(random))),),
                )
                for mode in (n.Mode.HOME_STANDARD, n.Mode.SHIP_TO_STORE)
            ),
        )
        for name in ("a", "b")
    ]
    items = [n.Item(f"s{i}", "", random.choice((300, 900, 2_500)), 300) for i in range(5)]
    having = {item.sku: {one.point_id: random.choice(units) for one in places} for item in items}
    return snapshot(places, stock(having), carriers, items)


def _rates(random: Random) -> list[n.RateStep]:
    base = random.choice((300, 500))
    return [n.RateStep(up_to, euros(base + up_to // 20)) for up_to in (1_000, 2_000, 5_000, 10_000, 30_000)]


@pytest.mark.parametrize("units", [(0, 0, 0, 1, 2), (0, 0, 1, 1), (0, 1, 3)])
@pytest.mark.parametrize("mode", [n.Mode.HOME_STANDARD, n.Mode.SHIP_TO_STORE])
def test_ways_that_are_left_out_have_no_part_in_the_best_plan(mode: n.Mode, units: tuple[int, ...]) -> None:
    for seed in range(12):
        random = Random(seed)
        shop = large_network(random, 40, units)
        rules = ruleset(
            distance_cost_minor_per_kilometre=random.choice((0.1, 0.5, 2.0)),
            split_cost_minor=random.choice((50, 300)),
            max_parcels=5,
        )
        question = request(
            *[(f"s{i}", random.choice((1, 2, 3))) for i in range(5)],
            mode=mode,
            destination=n.Destination("FR", "75011", "p00"),
        )
        ground = Ground(shop, question, rules, wanted_units(shop.stock, question))
        answers(shop, question, rules, ground)


def test_what_stands_in_the_way_is_the_first_line_that_cannot_be_had_by_itself() -> None:
    shop = snapshot([point("a"), point("b")], stock({"s0": {"a": 1}, "s1": {"b": 1}, "s2": {"a": 1}}))
    question = asked(shop, request(("s0", 1), ("s1", 2), ("s2", 5)), ruleset())
    assert not isinstance(question, str)
    missing = whole.best(question, Ground(shop, question.request, ruleset(), question.wanted))
    assert not isinstance(missing, Plan)
    assert (missing.line_number, missing.quantity, missing.reason) == (2, 1, "NO_STOCK")


def test_a_basket_that_needs_more_legs_than_are_allowed_says_so() -> None:
    shop = snapshot([point("a"), point("b")], stock({"s0": {"a": 1}, "s1": {"b": 1}}))
    rules = ruleset(max_parcels=1)
    question = asked(shop, request(("s0", 1), ("s1", 1)), rules)
    assert not isinstance(question, str)
    missing = whole.best(question, Ground(shop, question.request, rules, question.wanted))
    assert not isinstance(missing, Plan)
    assert missing.reason == "TOO_MANY_PARCELS"


def test_an_article_that_is_too_far_is_told_apart_from_one_that_there_is_not() -> None:
    shop = snapshot([point("far", position=n.Position(43.3, 5.4))], stock({"s0": {"far": 3}}))
    rules = ruleset(max_distance_kilometres=100)
    for units, expected in ((1, "TOO_FAR"), (4, "NO_STOCK")):
        question = asked(shop, request(("s0", units)), rules)
        assert not isinstance(question, str)
        missing = whole.best(question, Ground(shop, question.request, rules, question.wanted))
        assert not isinstance(missing, Plan)
        assert missing.reason == expected


def test_units_of_the_same_sku_in_two_lines_compete() -> None:
    shop = snapshot([point("a", position=PARIS)], stock({"s0": {"a": 3}}))
    question = asked(shop, request(("s0", 2), ("s0", 2), channel_id=CHANNEL), ruleset())
    assert not isinstance(question, str)
    missing = whole.best(question, Ground(shop, question.request, ruleset(), question.wanted))
    assert not isinstance(missing, Plan)
    assert (missing.line_number, missing.quantity) == (2, 1)
