"""Shares units over the legs of one set, at the least cost of parcels and units. Exact unless its budget is spent.

A leg's cost depends on its weight through rate steps. So the steps are tried, one for each leg, from the cheapest
combination up: the first one into which the units fit is the best, when all units cost the same everywhere. Works
on quantities, never unit by unit.
"""

import heapq
import math
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate

import numpy as np

from services.promise.domain.grid import NO_LIMIT, Grid, Ints

# A step is about a microsecond. What one set of legs may cost, and one attempt to fit units into weight limits;
# how many combinations of rate steps are looked at; up to how many legs every part of a set is weighed.
_SET_STEPS = 15_000
_FIT_STEPS = 4_000
_MAX_COMBINATIONS = 1_000
_MAX_WEIGHED_LEGS = 5
# What is not found by hand is seldom found at all.
_LAST_TRY_STEPS = 300
# Two legs are weighed out to the gram up to this; heavier ones are tried like three.
_MAX_BITS = 4_000_000


class BudgetSpent(Exception):
    """The search has used the steps it was given: its answer is the best so far."""


class Budget:
    """Counts steps of work instead of seconds, so that the same question has the same answer on any machine."""

    def __init__(self, steps: int) -> None:
        self.left = steps

    def spend(self, steps: int = 1) -> None:
        """BudgetSpent when there is nothing left."""
        self.left -= steps
        if self.left < 0:
            raise BudgetSpent


@dataclass(frozen=True, slots=True)
class Packed:
    """Units by leg (legs x SKUs), and what they cost: parcels and units."""

    shares: Ints
    cost: int


@dataclass(frozen=True, slots=True)
class Packing:
    """The cheapest way that was found, if any. `doubt`: the least cost of a way that could not be ruled out."""

    packed: Packed | None
    doubt: int = NO_LIMIT


# Sum of costs, the steps of all legs but the last, that of the last.
_Start = tuple[int, list[int], int]


class Sharing:
    """One set of legs that together have all units."""

    def __init__(self, grid: Grid, legs: Sequence[int], min_value: int) -> None:
        self._grid = grid
        self._min_value = min_value
        self._legs = list(legs)
        self._capacity: Ints = grid.capacity[self._legs]
        others = self._capacity.sum(axis=0) - self._capacity
        self._forced: Ints = np.maximum(0, grid.units - others)
        self._least: list[int] = (self._forced @ grid.weights).tolist()
        self._unit_costs: Ints | None = None if grid.unit_costs is None else grid.unit_costs[self._legs]
        self._useful = self._useful_steps((self._capacity @ grid.weights).tolist())
        self._slopes = [grid.slope(leg, weight) for leg, weight in zip(self._legs, self._least, strict=True)]
        self._loose: _Loose | None = None

    def cheapest(self, limit: int, budget: Budget) -> Packing:
        """The shares that cost less than `limit`, at the least cost."""
        if self._min_value and (self._capacity @ self._grid.values < self._min_value).any():
            return Packing(None)
        if self._unit_costs is None and self._least_carriage() >= limit:
            budget.spend(40)
            return Packing(None)
        ideal = self._ideal()
        least_units = self._cost_of_units(ideal)
        best = self._as_it_comes(ideal, limit)
        own = Budget(min(_SET_STEPS, budget.left))
        given = own.left
        least, doubt = self._least_carriage() + least_units, NO_LIMIT
        try:
            own.spend(40 + 10 * len(self._legs) + len(self._grid.weights) // 4)
            starts, left_out = self._starts((best.cost if best else limit) - least_units, own)
            if left_out < NO_LIMIT:
                doubt = left_out + least_units
            for cost, picked in self._combinations(starts):
                bound = best.cost if best else limit
                if cost + least_units >= bound:
                    break
                least = max(least, cost + least_units)
                shares, is_sure = self._try(picked, ideal, bound - cost, own)
                if not is_sure:
                    doubt = min(doubt, cost + least_units)
                if shares is not None:
                    best = self._packed(shares, cost)
        except BudgetSpent:
            if given < _SET_STEPS:
                raise  # Nobody has looked at it: that is no doubt about the set.
            doubt = min(doubt, least)
        budget.spend(given - max(0, own.left))
        if best is not None and not best.shares.any(axis=1).all():
            return Packing(None, doubt)
        return Packing(best, doubt)

    def _try(self, picked: Sequence[int], ideal: Ints, limit: int, own: Budget) -> tuple[Ints | None, bool]:
        """Shares within the steps, if there are some; and whether that is sure."""
        part = Budget(_FIT_STEPS)
        try:
            found, is_sure = self._fit(picked, ideal, limit, part), True
        except BudgetSpent:
            found, is_sure = None, False
        own.spend(_FIT_STEPS - max(0, part.left) + 2)
        return found, is_sure

    # -- what units cost --------------------------------------------------------------------------------------

    def _ideal(self) -> Ints:
        """Each unit where it is cheapest, first legs first, whatever they weigh."""
        left = self._grid.units.copy()
        shares = np.zeros_like(self._capacity)
        if self._unit_costs is None:
            for leg, capacity in enumerate(self._capacity):
                shares[leg] = np.minimum(left, capacity)
                left -= shares[leg]
            return shares
        order = np.argsort(self._unit_costs, axis=0, kind="stable")
        columns = np.arange(len(left))
        for rank in range(len(self._legs)):
            legs = order[rank]
            taken = np.minimum(left, self._capacity[legs, columns])
            shares[legs, columns] = taken
            left -= taken
        return shares

    def _as_it_comes(self, ideal: Ints, limit: int) -> Packed | None:
        """The units where they are cheapest, at the steps that their weight then takes."""
        if not self._is_worth_it(ideal):
            return None
        cost = self._cost_of_units(ideal)
        for leg, weight in zip(self._legs, (ideal @ self._grid.weights).tolist(), strict=True):
            cost += self._grid.costs[leg][bisect_left(self._grid.caps[leg], weight)]
        return Packed(ideal, cost) if cost < limit else None

    def _packed(self, shares: Ints, cost: int) -> Packed:
        """Shares within steps that cost so much."""
        return Packed(shares, cost + self._cost_of_units(shares))

    def _cost_of_units(self, shares: Ints) -> int:
        return 0 if self._unit_costs is None else int((shares * self._unit_costs).sum())

    # -- steps ------------------------------------------------------------------------------------------------

    def _useful_steps(self, most: Sequence[int]) -> list[tuple[list[int], list[int]]]:
        """Of each leg the weight limits and costs from what it must carry to the most that it could carry."""
        useful: list[tuple[list[int], list[int]]] = []
        for leg, at_least, at_most in zip(self._legs, self._least, most, strict=True):
            caps, costs = self._grid.caps[leg], self._grid.costs[leg]
            first = bisect_left(caps, at_least)
            last = bisect_left(caps, min(at_most, self._grid.grams), first)
            useful.append(([*caps[first:last], at_most], costs[first : last + 1]))
        return useful

    def _least_carriage(self) -> int:
        """The first step of each leg, and what exceeds these by the gram."""
        excess = self._grid.grams - sum(caps[0] for caps, _ in self._useful)
        cost = sum(costs[0] for _, costs in self._useful)
        slope = min(self._slopes)
        return cost if excess <= 0 else cost + (math.ceil(excess * slope - 1e-6) if slope < math.inf else 0)

    def _starts(self, limit: int, budget: Budget) -> tuple[list[_Start], int]:
        """Steps of all legs but the last, with the first step of the last that could take the rest, below `limit`.

        And what the parcels of those cost at least that were too many to look at.
        """
        useful = self._useful
        legs = len(useful)
        # After the n-th leg: the most that the others could carry, and their cost at least: of their first steps,
        # and of what exceeds these by the gram.
        behind = [sum(caps[-1] for caps, _ in useful[n + 1 :]) for n in range(legs)]
        first_costs = [sum(costs[0] for _, costs in useful[n + 1 :]) for n in range(legs)]
        first_caps = [sum(caps[0] for caps, _ in useful[n + 1 :]) for n in range(legs)]
        slopes = list(accumulate(reversed(self._slopes), min))[::-1]
        found: list[_Start] = []
        doubt = NO_LIMIT

        def choose(n: int, cost: int, missing: int, picked: list[int]) -> None:
            nonlocal doubt
            caps, costs = useful[n]
            first = bisect_left(caps, missing - behind[n])
            budget.spend(2)
            if n == legs - 1:
                if first < len(caps) and cost + costs[first] < limit:
                    found.append((cost + costs[first], picked, first))
                return
            for i in range(first, len(caps)):
                least = cost + costs[i] + first_costs[n]
                if least >= limit:
                    return
                excess = missing - caps[i] - first_caps[n]
                if excess > 0 and least + excess * slopes[n + 1] >= limit:
                    continue
                if len(found) >= _MAX_COMBINATIONS:
                    doubt = min(doubt, max(least, self._least_carriage()))
                    return
                choose(n + 1, cost + costs[i], missing - caps[i], [*picked, i])

        choose(0, 0, self._grid.grams, [])
        return found, doubt

    def _combinations(self, starts: list[_Start]) -> Iterator[tuple[int, list[int]]]:
        """(sum of costs, the step of each leg) that could take all, cheapest first."""
        costs = self._useful[-1][1]
        heapq.heapify(starts)
        while starts:
            cost, picked, last = heapq.heappop(starts)
            yield cost, [*picked, last]
            if last + 1 < len(costs):
                heapq.heappush(starts, (cost - costs[last] + costs[last + 1], picked, last + 1))

    # -- weight limits ----------------------------------------------------------------------------------------

    def _fit(self, picked: Sequence[int], ideal: Ints, limit: int, budget: Budget) -> Ints | None:
        """The shares within the steps' weight limits whose units cost the least, if that is less than `limit`."""
        caps = [useful[0][step] for useful, step in zip(self._useful, picked, strict=True)]
        weights = (ideal @ self._grid.weights).tolist()
        if all(w <= cap for w, cap in zip(weights, caps, strict=True)) and self._is_worth_it(ideal):
            return ideal
        if self._loose is None:
            self._loose = _Loose(self._grid, self._capacity, self._forced, self._least)
        loose = self._loose
        if not loose.may_fit(caps):
            return None
        if self._unit_costs is None and not self._min_value:
            found = loose.by_hand(caps, budget)
            if found is not None:
                return found
            if len(self._legs) == 2 and loose.bits <= _MAX_BITS:
                return loose.weighed_out(caps, budget)
            budget = Budget(_LAST_TRY_STEPS)
        return loose.search(caps, self._unit_costs, self._grid.values, self._min_value, limit, budget)

    def _is_worth_it(self, shares: Ints) -> bool:
        return not self._min_value or bool((shares @ self._grid.values >= self._min_value).all())


class _Loose:
    """The units of a set that more than one leg could take."""

    def __init__(self, grid: Grid, capacity: Ints, forced: Ints, least: Sequence[int]) -> None:
        self._forced = forced
        self._least = least
        left: Ints = grid.units - forced.sum(axis=0)
        heaviest_first = np.lexsort((np.arange(len(left)), -grid.weights))
        self._skus = [i for i in heaviest_first.tolist() if left[i]]
        self._units = left[self._skus].tolist()
        self._weights = grid.weights[self._skus].tolist()
        room = np.minimum(capacity - forced, left)
        self._rooms = room[:, self._skus].T.tolist()
        self.grams = sum(units * weight for units, weight in zip(self._units, self._weights, strict=True))
        # Of two legs the one that could take less is weighed out; the other one carries the rest.
        self._one = min(range(len(capacity)), key=lambda leg: self._most(leg))
        self.bits = self._most(self._one)
        self._reach: list[tuple[int, int, int]] | None = None
        self._needs = _needs(grid, capacity)
        self._outlook: _Outlook | None = None

    def _most(self, leg: int) -> int:
        """The weight that a leg could take of the loose units."""
        return sum(rooms[leg] * weight for rooms, weight in zip(self._rooms, self._weights, strict=True))

    def may_fit(self, caps: Sequence[int]) -> bool:
        """Whether the weight would fit if units could be cut: each part carries what the others do not have."""
        return all(sum(caps[leg] for leg in part) >= grams for part, grams in self._needs)

    def _whole(self, ways: Sequence[Sequence[int]]) -> Ints:
        shares = self._forced.copy()
        for sku, way in zip(self._skus, ways, strict=True):
            shares[:, sku] += way
        return shares

    def by_hand(self, caps: Sequence[int], budget: Budget) -> Ints | None:
        """The heaviest first, each where most room is left: mostly that will do."""
        budget.spend(5 + len(self._skus) * len(caps))
        slack = [cap - weight for cap, weight in zip(caps, self._least, strict=True)]
        legs = range(len(slack))
        ways: list[list[int]] = []
        for units, weight, rooms in zip(self._units, self._weights, self._rooms, strict=True):
            way = [0] * len(slack)
            left = units
            for leg in sorted(legs, key=lambda leg: -slack[leg]):
                part = min(left, rooms[leg], slack[leg] // weight if weight else left)
                way[leg] = part
                slack[leg] -= part * weight
                left -= part
                if not left:
                    break
            if left:
                return None
            ways.append(way)
        return self._whole(ways)

    def weighed_out(self, caps: Sequence[int], budget: Budget) -> Ints | None:
        """Exact for two legs: all weights that one of them can have are the bits of one number."""
        if self._reach is None:
            self._reach = self._all_weights(budget)
        budget.spend(3 + self.bits // 50_000)
        one, other = self._one, 1 - self._one
        room = min(self.bits, caps[one] - self._least[one])
        lightest = max(0, self.grams - (caps[other] - self._least[other]))
        if lightest > room:
            return None
        within = self._reach[-1][2] >> lightest & (1 << room - lightest + 1) - 1
        if not within:
            return None
        at = lightest + (within & -within).bit_length() - 1
        taken = [0] * len(self._skus)
        for (n, part, _), (_, _, before) in zip(self._reach[:0:-1], self._reach[-2::-1], strict=True):
            if not before >> at & 1:
                taken[n] += part
                at -= part * self._weights[n]
        left = [units - part for units, part in zip(self._units, taken, strict=True)]
        ways = zip(taken, left, strict=True) if one == 0 else zip(left, taken, strict=True)
        return self._whole(list(ways))

    def _all_weights(self, budget: Budget) -> list[tuple[int, int, int]]:
        """(SKU, units, the weights that are possible with these and those before); first what must be there."""
        reach = 1
        steps = [(0, 0, 1)]
        for n, (units, weight, rooms) in enumerate(zip(self._units, self._weights, self._rooms, strict=True)):
            must = max(0, units - rooms[1 - self._one])  # The other leg cannot have more than it has.
            if must:
                reach <<= must * weight
                steps.append((n, must, reach))
            for part in doubling(rooms[self._one] - must):
                budget.spend(2 + self.bits // 40_000)
                reach |= reach << part * weight
                steps.append((n, part, reach))
        return steps

    def search(
        self,
        caps: Sequence[int],
        unit_costs: Ints | None,
        values: Ints,
        min_value: int,
        limit: int,
        budget: Budget,
    ) -> Ints | None:
        """Exact for any number of legs: every way to share the heaviest article, then the next."""
        depth = len(self._skus)
        if depth > MAX_DEPTH:
            raise BudgetSpent
        slack = [cap - weight for cap, weight in zip(caps, self._least, strict=True)]
        legs = range(len(slack))
        budget.spend(10 + 3 * depth)
        if self._outlook is None:
            self._outlook = self._look_ahead(unit_costs, values)
        costs, rest, prices, hope = self._outlook
        fixed = 0 if unit_costs is None else int((self._forced * unit_costs).sum())
        worth = (self._forced @ values).tolist()
        best: list[list[int]] | None = None
        bound = limit
        ways: list[list[int]] = [[] for _ in range(depth)]

        def place(n: int, cost: int) -> None:
            nonlocal best, bound
            if cost + rest[n] >= bound or any(worth[leg] + hope[leg][n] < min_value for leg in legs):
                return
            if n == depth:
                best, bound = list(ways), cost
                return
            weight = self._weights[n]
            rooms = [
                min(room, slack[leg] // weight) if weight else room for leg, room in enumerate(self._rooms[n])
            ]
            order = sorted(legs, key=lambda leg: (costs[n][leg], leg))
            for way in distributions(self._units[n], rooms, order):
                budget.spend(10)
                for leg, units in enumerate(way):
                    slack[leg] -= units * weight
                    worth[leg] += units * prices[n]
                ways[n] = way
                place(n + 1, cost + sum(u * c for u, c in zip(way, costs[n], strict=True)))
                for leg, units in enumerate(way):
                    slack[leg] += units * weight
                    worth[leg] -= units * prices[n]
                if best is not None and unit_costs is None:
                    return  # All ways cost the same.

        place(0, fixed)
        return None if best is None else self._whole(best)

    def _look_ahead(self, unit_costs: Ints | None, values: Ints) -> "_Outlook":
        """The same for all weight limits."""
        depth, legs = len(self._skus), range(len(self._least))
        costs = [[0 if unit_costs is None else int(unit_costs[leg, sku]) for leg in legs] for sku in self._skus]
        prices = [int(values[sku]) for sku in self._skus]
        rest = [0] * (depth + 1)
        hope = [[0] * (depth + 1) for _ in legs]
        for n in range(depth - 1, -1, -1):
            rest[n] = rest[n + 1] + least_cost(self._units[n], self._rooms[n], costs[n])
            for leg in legs:
                hope[leg][n] = hope[leg][n + 1] + self._rooms[n][leg] * prices[n]
        return costs, rest, prices, hope


# By loose article: what a unit costs at each leg; what all from here on cost at least, whatever their weight; what
# a unit is worth; by leg: what all from here on that it could take are worth.
_Outlook = tuple[list[list[int]], list[int], list[int], list[list[int]]]


# Recursion goes one article deep at a time.
MAX_DEPTH = 200


def _needs(grid: Grid, capacity: Ints) -> list[tuple[list[int], int]]:
    """Parts of the set (two legs and more, but not all) with the weight that they must carry together."""
    legs = len(capacity)
    if not 2 < legs <= _MAX_WEIGHED_LEGS:
        return []
    parts = [[leg for leg in range(legs) if bits >> leg & 1] for bits in range(1, (1 << legs) - 1)]
    found: list[tuple[list[int], int]] = []
    for part in parts:
        if len(part) > 1:
            others = [leg for leg in range(legs) if leg not in part]
            must = np.maximum(0, grid.units - capacity[others].sum(axis=0))
            found.append((part, int(must @ grid.weights)))
    return found


def least_cost(units: int, rooms: Sequence[int], costs: Sequence[int]) -> int:
    total = 0
    for cost, room in sorted(zip(costs, rooms, strict=True)):
        part = min(units, room)
        total += part * cost
        units -= part
    return total


def doubling(units: int) -> Iterator[int]:
    """Parts of which any number up to `units` is a sum: 1, 2, 4, ... and what is left."""
    part = 1
    while units > 0:
        yield min(part, units)
        units -= part
        part *= 2


def distributions(units: int, rooms: Sequence[int], order: Sequence[int]) -> Iterator[list[int]]:
    """All ways to put `units` into rooms, the first of `order` as full as can be first."""
    behind = [sum(rooms[leg] for leg in order[n + 1 :]) for n in range(len(order))]
    way = [0] * len(rooms)

    def put(n: int, left: int) -> Iterator[list[int]]:
        if n == len(order):
            if left == 0:
                yield list(way)
            return
        leg = order[n]
        for here in range(min(left, rooms[leg]), max(0, left - behind[n]) - 1, -1):
            way[leg] = here
            yield from put(n + 1, left - here)
        way[leg] = 0

    return put(0, units)
