"""The search against HiGHS on the same candidates: random questions with every weight, and baskets of a shop."""

from dataclasses import replace
from random import Random

import pytest

from benchmarks import exact, shelves
from services.promise.domain import network as n
from services.promise.domain.candidates import Gatherer
from services.promise.domain.engine import BUDGET_STEPS
from services.promise.domain.grid import Demand, Row
from services.promise.domain.question import Question
from services.promise.domain.rulesets import Ruleset
from services.promise.domain.search import Answer, search
from services.promise.domain.shelves import UnitCosts
from services.promise.domain.snapshot import Snapshot, place_of
from tests.services.promise.domain.test_engine_against_brute_force import Case, small_service, with_sizes
from tests.services.promise.network import LILLE, LYON, NOW, PARIS, collections, point, ruleset, snapshot, stock

Asked = tuple[list[Row], Demand, Ruleset]


def question(network: Snapshot, asked: n.PlanRequest, rules: Ruleset, unit_costs: Random | None = None) -> Asked:
    """Candidates and demand of a basket; with a unit cost for each article at each point if asked for."""
    wanted = {line.sku: line.quantity for line in asked.lines}
    place = place_of(network, asked)
    assert not isinstance(place, str)
    found = Gatherer(network, asked, rules, wanted, place).gather().candidates
    at_point: dict[str, tuple[int, ...]] = {}
    for candidate in found:
        drawn = tuple(unit_costs.choice((0, 0, 35, 120, -60, -900)) if unit_costs else 0 for _ in wanted)
        at_point.setdefault(candidate.point.point_id, drawn)
    items, whole = network.stock.items, Question(network, asked, rules, place, wanted)
    rows: list[Row] = []
    for candidate in found:
        row, drawn = whole.row(candidate), at_point[candidate.point.point_id]
        rows.append(replace(row, unit_costs=tuple(map(int.__add__, row.unit_costs, drawn))))
    demand = Demand(
        skus=tuple(wanted),
        weights=whole.whole.weights,
        values=tuple(items[sku].weight_grams + 100 for sku in wanted),
        units=tuple(wanted.values()),
    )
    return rows, demand, rules


def random_question(seed: int, *, is_sized: bool = False) -> Asked:
    """Up to 9 points, 3 services, 8 articles of up to 12 units; every rule that the search itself keeps.

    `is_sized`: services charge for volume, and goods are put into boxes.
    """
    random = Random(seed)
    carriers = [n.Carrier(f"c{i}", (small_service(random, i),)) for i in range(random.randint(1, 3))]
    points = [
        point(
            f"p{i}",
            type=random.choice((n.PointType.STORE, n.PointType.WAREHOUSE)),
            position=random.choice((LILLE, LYON, PARIS)),
            collections=tuple(
                visit
                for carrier in carriers
                if random.random() < 0.8
                for visit in collections(carrier.carrier_id, random.choice((540, 720, 1_080)))
            ),
        )
        for i in range(random.randint(3, 9))
    ]
    items = [
        n.Item(f"s{i}", "", random.choice((0, 150, 300, 700, 1_900)), 300) for i in range(random.randint(1, 8))
    ]
    free = {i.sku: {p.point_id: random.choice((0, 1, 4, 9, 12)) for p in points} for i in items}
    lines = tuple(n.BasketLine(k, item.sku, random.randint(1, 12)) for k, item in enumerate(items))
    asked = n.PlanRequest(
        "web",
        n.Destination("FR", "75011"),
        lines,
        n.Mode.HOME_STANDARD,
        NOW,
        promised_until=random.choice((None, NOW.replace(day=3))),
    )
    rules = ruleset(
        split_cost_minor=random.choice((0, 90, 400)),
        distance_cost_minor_per_kilometre=random.choice((0.0, 0.4)),
        lateness_cost_minor_per_day=random.choice((0, 170)),
        max_parcels=random.choice((1, 2, 4, 20)),
        min_split_value_minor=random.choice((0, 0, 0, 1_500)),
    )
    network = snapshot(points, stock(free), carriers, items)
    if is_sized:
        case = with_sizes(random, Case(network, asked, rules))
        network, rules = case.snapshot, case.ruleset
    return question(network, asked, rules, random.choice((None, random)))


def check(asked: Asked, limit_seconds: float = 2) -> tuple[Answer, bool]:
    """Proved means equal; never better than possible; the bound is one. And whether the solver came to an end."""
    answer = search(*asked, BUDGET_STEPS, must_be_whole=True)
    try:
        best = exact.solve(*asked, limit_seconds=limit_seconds).cost
        if answer.found and best is not None and best > answer.found[0].cost:
            best = exact.solve(*asked, limit_seconds=limit_seconds, simplify=False).cost
    except TimeoutError:
        return answer, False
    if not answer.found:
        assert best is None or not answer.proved
    else:
        assert best is not None
        assert answer.least_cost <= best <= answer.found[0].cost
        assert not answer.proved or answer.found[0].cost == best
    return answer, True


def check_random(seeds: range, *, is_sized: bool = False) -> None:
    checked = [check(random_question(seed, is_sized=is_sized)) for seed in seeds]
    answers = [answer for answer, _ in checked]
    # A busy machine's solver knows fewer.
    assert sum(is_known for _, is_known in checked) > 0.6 * len(seeds)
    assert sum(answer.proved for answer in answers) > 0.8 * len(seeds)
    splits = sum(len(answer.found[0].legs) > 1 for answer in answers if answer.found)
    # Of sized baskets more cannot be served at all.
    assert splits >= (0.15 if is_sized else 0.25) * len(seeds)


def test_what_is_proved_is_what_an_exact_solver_finds() -> None:
    check_random(range(40))


def test_what_is_proved_is_what_an_exact_solver_finds_where_volume_and_boxes_count() -> None:
    check_random(range(500, 525), is_sized=True)


def test_ways_to_pack_that_were_too_many_are_doubted_with_what_their_units_save() -> None:
    answer, is_known = check(random_question(8_249), limit_seconds=60)
    assert is_known
    assert not answer.proved


@pytest.mark.parametrize("seed", [53, 604])
def test_sets_left_in_doubt_are_looked_at_again_once_a_good_plan_is_known(seed: int) -> None:
    answer, is_known = check(random_question(seed), limit_seconds=60)
    assert is_known
    assert answer.proved


@pytest.mark.attack
@pytest.mark.timeout(900)
@pytest.mark.parametrize("block", range(1, 5))
def test_what_is_proved_is_what_an_exact_solver_finds_in_a_thousand_of_baskets(block: int) -> None:
    check_random(range(block * 1_000, block * 1_000 + 250))


@pytest.mark.attack
@pytest.mark.timeout(900)
@pytest.mark.parametrize("block", range(1, 4))
def test_what_is_proved_is_what_an_exact_solver_finds_where_volume_and_boxes_count_in_hundreds_of_baskets(
    block: int,
) -> None:
    check_random(range(block * 1_000, block * 1_000 + 200), is_sized=True)


@pytest.mark.attack
@pytest.mark.timeout(900)
def test_baskets_of_a_shop_are_split_as_an_exact_solver_splits_them() -> None:
    baskets = [basket for basket in shelves.baskets(None, 100, seed=3) if len(basket) <= 40]
    network = shelves.network(baskets)
    compared = 0
    for basket in baskets:
        rows, demand, rules = question(shelves.only(network, basket), shelves.question(basket), shelves.RULESET)
        answer = search(rows, demand, rules, BUDGET_STEPS, must_be_whole=True)
        # One parcel needs no other solver: each candidate alone is looked at.
        if answer.found and len(answer.found[0].legs) > 1:
            compared += check((rows, demand, rules), limit_seconds=6)[1]
    assert compared > 15


def test_large_baskets_of_a_shop_are_hardly_in_doubt() -> None:
    baskets = shelves.baskets(None, 400, seed=5)
    network = shelves.network(baskets)
    gaps: list[float] = []
    for basket in baskets:
        if len(basket) > 50:
            asked = question(shelves.only(network, basket), shelves.question(basket), shelves.RULESET)
            answer = search(*asked, BUDGET_STEPS, must_be_whole=True)
            gaps.append(1 - answer.least_cost / answer.found[0].cost if answer.found else 0.0)
    assert len(gaps) > 40
    assert sum(gap > 0.02 for gap in gaps) <= len(gaps) // 20


def test_unit_costs_are_told_in_parts_and_weighed_as_one() -> None:
    assert UnitCosts(low_cover=30, markdown=-50, short_pick=5).total == -15
