"""What weight costs at least, against every way to share it between rate steps."""

from bisect import bisect_left
from collections.abc import Sequence
from itertools import product
from random import Random

import pytest

from services.promise.domain.grid import NO_LIMIT, Grid
from services.promise.domain.weighing import Weighing
from tests.services.promise.domain.test_search_against_an_exact_solver import random_question

# Up to how much a leg carries, and what that costs.
Step = tuple[int, int]


def a_grid(seed: int) -> Grid:
    """Of few candidates, so that every way can be tried."""
    rows, demand, rules = random_question(seed)
    return Grid(rows[:4], demand, rules.split_cost_minor, rules.max_parcels)


def steps_of(grid: Grid, number: int) -> list[Step]:
    return list(zip(grid.caps[number], grid.costs[number], strict=True))


def anyones_steps(grid: Grid) -> list[Step]:
    """Of all candidates, with what a leg costs beside its weight; nobody carries more than they have."""
    return [
        (min(cap, grid.most[n]), grid.floor[n] - grid.bases[n] + cost)
        for n in range(len(grid.candidates))
        for cap, cost in steps_of(grid, n)
    ]


def every_sum(steps: Sequence[Sequence[Step]]) -> list[Step]:
    """All that one step of each can carry together, at the least cost for each weight."""
    sums = {0: 0}
    for its in steps:
        further: dict[int, int] = {}
        for (cap, cost), (more, extra) in product(sums.items(), its):
            further[cap + more] = min(cost + extra, further.get(cap + more, NO_LIMIT))
        sums = further
    return list(sums.items())


def every_way(grid: Grid, known: Sequence[Step], others: Sequence[Step], missing: int) -> int:
    """The least cost of steps that take all the weight, what is missing at the known legs at the others."""
    return min(
        (
            cost + extra
            for (cap, cost), (more, extra) in product(known, others)
            if min(cap, grid.grams - missing) + more >= grid.grams
        ),
        default=NO_LIMIT,
    )


@pytest.mark.parametrize("seed", range(20))
def test_weight_is_shared_as_is_cheapest(seed: int) -> None:
    random, grid = Random(seed), a_grid(seed)
    if not grid.candidates:
        pytest.skip("nobody has any of it")
    weighing, numbers = Weighing(grid), range(len(grid.candidates))
    anyone = anyones_steps(grid)
    others = {n: every_sum([anyone] * n) for n in (1, 2)}
    for legs in ([], [random.choice(numbers)], random.choices(numbers, k=2)):
        known = every_sum([steps_of(grid, n) for n in legs])
        rates = sum(weighing.rates[n] for n in legs)
        for missing in (0, random.randint(0, grid.grams), grid.grams):
            last = random.choice(numbers)
            exact = every_way(grid, known, steps_of(grid, last), missing)
            assert weighing.with_leg(rates, last, missing) == exact
            for fewest, most in ((1, 1), (2, 2), (1, 2)):
                exact = every_way(grid, known, [w for n in range(fewest, most + 1) for w in others[n]], missing)
                assert weighing.with_further(rates, fewest, most, missing) == exact


def test_rates_of_many_steps_are_never_told_dearer_than_they_are() -> None:
    grid = a_grid(1)
    caps = [grid.grams * n // 900 for n in range(1, 901)]
    costs = [1_000 + cap // 7 for cap in caps]
    grid.caps, grid.costs = [caps] * len(grid.caps), [costs] * len(grid.costs)
    weighing = Weighing(grid)
    for missing in range(0, grid.grams, max(1, grid.grams // 50)):
        exact = min(
            cost + costs[bisect_left(caps, max(missing, grid.grams - cap))]
            for cap, cost in zip(caps, costs, strict=True)
        )
        told = weighing.with_leg(weighing.rates[0], 0, missing)
        assert 0.98 * exact < told <= exact
