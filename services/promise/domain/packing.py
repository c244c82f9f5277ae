"""Shares units over the legs of one choice of points, at the least cost of parcels.

A leg's cost depends on its weight through rate steps. So the steps are tried, one for each leg, from the cheapest
combination up: the first one into which the units fit is the best. Works on quantities, never unit by unit.
"""

import heapq
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from services.promise.domain.rates import Step

# shares[leg][i]: units of the i-th SKU that the leg takes.
Shares = list[list[int]]


class BudgetSpent(Exception):
    """The search has used the steps it was given: its answer is the best so far."""


class Budget:
    """Counts steps of work instead of seconds, so that the same question has the same answer on any machine."""

    def __init__(self, steps: int) -> None:
        self._left = steps

    def spend(self, steps: int = 1) -> None:
        """BudgetSpent when there is nothing left."""
        self._left -= steps
        if self._left < 0:
            raise BudgetSpent


@dataclass(frozen=True, slots=True)
class LegRoom:
    """What one leg could take: units by SKU, and its rate steps (both figures rising)."""

    capacity: Sequence[int]
    steps: Sequence[Step]


def cheapest_shares(
    demand: Sequence[int],
    weights: Sequence[int],
    legs: Sequence[LegRoom],
    is_too_dear: Callable[[int], bool],
    budget: Budget,
) -> Shares | None:
    """Units for each leg with the least sum of step costs, or None.

    None when the units do not fit, when a cost that does is too dear, or when a leg would stay empty: the choice
    without that leg is better.
    """
    budget.spend(2 * len(demand) * len(legs))
    forced = _forced(demand, legs)
    choices = _useful_steps(demand, weights, legs, forced)
    if choices is None:
        return None
    total = sum(d * w for d, w in zip(demand, weights, strict=True))
    for cost, caps in _combinations(choices):
        budget.spend()
        if is_too_dear(cost):
            return None
        if sum(caps) < total:
            continue
        shares = _fit(demand, weights, legs, caps, budget)
        if shares is not None:
            return shares if all(any(share) for share in shares) else None
    return None


def most_units(
    wanted: Sequence[int], weights: Sequence[int], legs: Sequence[LegRoom], budget: Budget
) -> list[int]:
    """How many units of each SKU the legs can hold together: lightest first, so that many fit.

    Exact when weight does not bind; then it is `wanted`.
    """
    budget.spend(3 * len(wanted) * len(legs))
    caps = [leg.steps[-1].up_to_grams for leg in legs]
    if _fit(wanted, weights, legs, caps, Budget(_QUICK_FIT_STEPS), give_up=True) is not None:
        return list(wanted)
    taken = [0] * len(wanted)
    for i in sorted(range(len(wanted)), key=lambda i: (weights[i], i)):
        budget.spend(len(legs))
        left = wanted[i]
        for number, leg in enumerate(legs):
            fits = caps[number] // weights[i] if weights[i] else left
            units = min(left, leg.capacity[i], fits)
            caps[number] -= units * weights[i]
            left -= units
        taken[i] = wanted[i] - left
    return taken


_QUICK_FIT_STEPS = 2_000


def _forced(demand: Sequence[int], legs: Sequence[LegRoom]) -> list[list[int]]:
    """Units that a leg must take because the others together have too few."""
    together = [sum(leg.capacity[i] for leg in legs) for i in range(len(demand))]
    return [
        [max(0, d - (all_of_it - own)) for d, all_of_it, own in zip(demand, together, leg.capacity, strict=True)]
        for leg in legs
    ]


def _useful_steps(
    demand: Sequence[int], weights: Sequence[int], legs: Sequence[LegRoom], forced: list[list[int]]
) -> list[list[Step]] | None:
    """For each leg its steps from the forced weight up to the most it could carry; None if it cannot."""
    choices: list[list[Step]] = []
    for leg, must in zip(legs, forced, strict=True):
        least = sum(units * w for units, w in zip(must, weights, strict=True))
        most = sum(min(d, c) * w for d, c, w in zip(demand, leg.capacity, weights, strict=True))
        useful: list[Step] = []
        for step in leg.steps:
            if step.up_to_grams >= least:
                useful.append(step)
                if step.up_to_grams >= most:
                    break
        if not useful:
            return None
        choices.append(useful)
    return choices


def _combinations(choices: list[list[Step]]) -> Iterator[tuple[int, list[int]]]:
    """(sum of costs, weight limit of each leg), cheapest first."""
    start = (0,) * len(choices)
    heap = [(sum(steps[0].cost_minor for steps in choices), start)]
    reached = {start}
    while heap:
        cost, picked = heapq.heappop(heap)
        yield cost, [steps[i].up_to_grams for steps, i in zip(choices, picked, strict=True)]
        for leg, i in enumerate(picked):
            if i + 1 < len(choices[leg]):
                following = (*picked[:leg], i + 1, *picked[leg + 1 :])
                if following not in reached:
                    reached.add(following)
                    rise = choices[leg][i + 1].cost_minor - choices[leg][i].cost_minor
                    heapq.heappush(heap, (cost + rise, following))


def _fit(
    demand: Sequence[int],
    weights: Sequence[int],
    legs: Sequence[LegRoom],
    caps: Sequence[int],
    budget: Budget,
    give_up: bool = False,
) -> Shares | None:
    """Shares within the weight limits, or None when there are none: exact, by backtracking, heaviest first."""
    if all(
        sum(min(d, c) * w for d, c, w in zip(demand, leg.capacity, weights, strict=True)) <= cap
        for leg, cap in zip(legs, caps, strict=True)
    ):
        return _fill(demand, legs)
    if not give_up:
        budget.spend(3 * len(demand) * len(legs))
    order = sorted((i for i in range(len(demand)) if demand[i]), key=lambda i: (-weights[i], i))
    # reserve[leg][n]: weight that the leg is forced to take of the SKUs from the n-th on.
    forced = _forced(demand, legs)
    reserve = [[0] * (len(order) + 1) for _ in legs]
    for number in range(len(legs)):
        for n in range(len(order) - 1, -1, -1):
            reserve[number][n] = reserve[number][n + 1] + forced[number][order[n]] * weights[order[n]]
    slack = list(caps)
    shares: Shares = [[0] * len(demand) for _ in legs]

    def ways(n: int) -> Iterator[list[int]]:
        """Every way to share the n-th SKU that leaves room for what is forced after it."""
        i = order[n]
        rooms = [
            min(
                leg.capacity[i],
                (slack[number] - reserve[number][n + 1]) // weights[i] if weights[i] else demand[i],
            )
            for number, leg in enumerate(legs)
        ]
        if min(rooms) < 0:
            return iter(())
        return _distributions(demand[i], rooms)

    trail: list[Iterator[list[int]]] = []
    try:
        while len(trail) < len(order):
            trail.append(ways(len(trail)))
            while trail:
                budget.spend(5 * len(legs))
                n = len(trail) - 1
                i = order[n]
                for number in range(len(legs)):  # Take back the way tried before.
                    slack[number] += shares[number][i] * weights[i]
                    shares[number][i] = 0
                way = next(trail[-1], None)
                if way is None:
                    trail.pop()
                    continue
                for number, units in enumerate(way):
                    shares[number][i] = units
                    slack[number] -= units * weights[i]
                break
            if not trail:
                return None
    except BudgetSpent:
        if give_up:
            return None
        raise
    return shares


def _fill(demand: Sequence[int], legs: Sequence[LegRoom]) -> Shares:
    """As much as can be in the first legs: for when weight does not matter."""
    left = list(demand)
    shares: Shares = []
    for leg in legs:
        share = list(map(min, left, leg.capacity))
        left = [units - part for units, part in zip(left, share, strict=True)]
        shares.append(share)
    return shares


def _distributions(units: int, rooms: Sequence[int]) -> Iterator[list[int]]:
    """All ways to put `units` into rooms, filling the first ones first: lines are split no more than needed."""
    behind = [sum(rooms[number + 1 :]) for number in range(len(rooms))]

    def put(number: int, left: int) -> Iterator[list[int]]:
        if number == len(rooms):
            if left == 0:
                yield []
            return
        for here in range(min(left, rooms[number]), max(0, left - behind[number]) - 1, -1):
            for rest in put(number + 1, left - here):
                yield [here, *rest]

    return put(0, units)
