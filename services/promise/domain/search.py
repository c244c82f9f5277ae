"""Branch and bound over sets of candidates: the cheapest ways to have all units, or most of them (most.py).

Exact unless its budget runs out; then the answer is the best so far, with what any plan costs at least. One leg a
point. Sets grow by the article that fewest candidates could complete; a set that costs at least as much as the
best plan is dropped with all that contain it (bounds.py).
"""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from operator import itemgetter

import numpy as np

from services.promise.domain.bounds import NO_LEGS, Begun, Bounds
from services.promise.domain.found import Found, found_of, overhead_of, precedes
from services.promise.domain.grid import NO_LIMIT, Demand, Grid, Ints, Row, members
from services.promise.domain.most import Most
from services.promise.domain.packing import Budget, BudgetSpent
from services.promise.domain.pricing import Floats, Pricing
from services.promise.domain.rulesets import Ruleset
from services.promise.domain.sharing import cheapest

# Steps after which the cheap bound has shown that it is not enough; then rounds of pricing for the good one.
_EASY_STEPS = 8_000
_PRICING_ROUNDS = 40
_PRICED_STARTS = 5
# How many of the candidates that could replace a leg are tried, the cheapest first.
_EXCHANGES = 4
# Small sets are all looked at before larger ones: mostly the best is among them, and rules the others out.
_DEEPER = (2, 3, 1_000)
# What it may cost to look again at sets that were left in doubt.
_LOOKING_AGAIN_STEPS = 20_000
# What the plans after the first may cost to be found.
_ALTERNATIVES_STEPS = 3_000


@dataclass(frozen=True, slots=True)
class Answer:
    """Best first. `units` is what they all serve; `least_cost` what any plan that serves them costs at least."""

    found: tuple[Found, ...]
    units: tuple[int, ...]
    proved: bool
    least_cost: int = 0


def search(
    rows: Sequence[Row],
    demand: Demand,
    ruleset: Ruleset,
    budget_steps: int,
    *,
    must_be_whole: bool = False,
    known: Found | None = None,
) -> Answer:
    """All of the demand when that can be, else the most units of it (nothing when it `must_be_whole`).

    `known`: a plan for all of it, to begin with.
    """
    grid = Grid(rows, demand, ruleset.split_cost_minor, ruleset.max_parcels)
    if not grid.candidates:
        return Answer((), _none(demand), proved=True)
    whole = _Cheapest(grid, ruleset, Budget(budget_steps))
    if known is not None:
        whole.keep(known)
    proved = whole.explore()
    if whole.kept:
        return Answer(tuple(whole.kept), demand.units, proved, whole.least_cost)
    if must_be_whole:
        return Answer((), _none(demand), proved)
    most = Most(grid, ruleset, Budget(budget_steps))
    proved = most.explore() and proved
    if most.best is None:
        return Answer((), _none(demand), proved)
    part = demand.only([sum(units) for units in zip(*most.best.shares, strict=True)])
    rest = _Cheapest(Grid(rows, part, grid.split_cost, ruleset.max_parcels), ruleset, Budget(budget_steps))
    rest.keep(most.best)
    proved = rest.explore() and proved
    return Answer(tuple(rest.kept), part.units, proved, rest.least_cost)


def _none(demand: Demand) -> tuple[int, ...]:
    return (0,) * len(demand.units)


class _Cheapest:
    """The cheapest sets that serve every unit of a demand."""

    def __init__(self, grid: Grid, ruleset: Ruleset, budget: Budget) -> None:
        self._grid = grid
        self._keep = ruleset.alternatives
        self._min_value = ruleset.min_split_value_minor
        self._budget = budget
        self._bounds = Bounds(grid)
        self._judged: dict[int, int] = {}
        self._doubt = NO_LIMIT
        # Sets whose units could be shared for less than was found out, with what they cost at least.
        self._unsure: dict[tuple[int, ...], int] = {}
        self._only_best = True
        # Sets of up to so many legs are all known; those of up to so many are looked at.
        self._done_legs, self._most_legs = 0, grid.max_legs
        self.kept: list[Found] = []

    @property
    def least_cost(self) -> int:
        """What any plan costs at least."""
        known = min(self._doubt, self._best_cost, *self._unsure.values())
        return min(self._best_cost, max(known, self._bounds.beyond(NO_LEGS, 1, self._grid.max_legs)))

    @property
    def _best_cost(self) -> int:
        return self.kept[0].cost if self.kept else NO_LIMIT

    def explore(self) -> bool:
        """Fills `kept`; whether the first of them is proved to be the cheapest, or that there is none."""
        if not self.kept:
            self._guess()
        whole = self._budget
        easy = self._budget = Budget(min(_EASY_STEPS, whole.left))
        granted = easy.left
        is_done = self._walk()
        whole.left -= granted - max(0, easy.left)
        self._budget = whole
        if not is_done and whole.left > 0:
            self._price()
            self._doubt = NO_LIMIT
            self._walk()
        self._look_again()
        proved = self.least_cost >= self._best_cost
        if self.kept and self._keep > 1 and whole.left > 0:
            self._only_best, doubts = False, (self._doubt, dict(self._unsure))
            self._done_legs = 0
            self._budget = Budget(min(_ALTERNATIVES_STEPS, whole.left))
            self._walk()
            self._doubt, self._unsure = doubts
        return proved

    def keep(self, found: Found) -> None:
        """Puts a plan in its place among the best; of the same set the cheaper stays, or else the first."""
        same = next((other for other in self.kept if other.ids == found.ids), None)
        if same is not None:
            if same.cost <= found.cost:
                return
            self.kept.remove(same)
        place = len(self.kept)
        while place and precedes(found, self.kept[place - 1]):
            place -= 1
        self.kept.insert(place, found)
        del self.kept[self._keep :]

    # -- first plans ------------------------------------------------------------------------------------------

    def _guess(self) -> None:
        """Some good plans, so that the bounds have something to hold against."""
        grid = self._grid
        try:
            self._grow([], np.ones(len(grid.units)))
            if self.kept and len(self.kept[0].legs) == 1:
                return
            covered = np.minimum(1.0, grid.capacity / np.maximum(1, grid.units)).sum(axis=1)
            for start in dict.fromkeys([*np.argsort(-covered, kind="stable")[:3].tolist(), 0]):
                self._grow([start], np.ones(len(grid.units)))
        except BudgetSpent:
            return

    def _price(self) -> None:
        """Finds prices, and plans that begin with what they speak for."""
        grid = self._grid
        each = 150 + grid.capacity.size // 40
        rounds = max(1, min(_PRICING_ROUNDS, self._budget.left // 5 // each))
        self._budget.left -= rounds * each
        prices = Pricing(grid).best(self._best_cost if self.kept else sum(grid.floor), rounds)
        self._bounds.know(prices)
        order = np.argsort(prices.losses, kind="stable").tolist()
        begun: list[int] = []
        try:
            for number in order:
                if len(begun) < grid.max_legs and not any(grid.siblings[number] >> n & 1 for n in begun):
                    begun.append(number)
                    self._grow(begun, prices.prices)
                if len(begun) == _PRICED_STARTS:
                    break
        except BudgetSpent:
            return

    def _grow(self, begun: Sequence[int], worth: Floats) -> None:
        """Adds what gains most for its cost until all is there, then drops and exchanges what is not needed."""
        grid = self._grid
        legs = list(begun)
        left: Ints = np.maximum(0, grid.units - grid.capacity[legs].sum(axis=0))
        costs = np.maximum(1.0, np.array(grid.floor, float))
        value = worth / np.maximum(1, grid.units)
        while left.any():
            self._budget.spend(20 + grid.capacity.size // 200)
            gains = (np.minimum(grid.capacity, left) @ value) / costs
            for leg in legs:
                gains[list(members(grid.siblings[leg]))] = 0.0
            best = int(gains.argmax())
            if gains[best] <= 0 or len(legs) == grid.max_legs:
                return
            legs.append(best)
            left = np.maximum(0, left - grid.capacity[best])
        self._improve(legs)

    def _improve(self, legs: list[int]) -> None:
        """Drops legs that are not needed, then exchanges and adds one at a time as long as that is cheaper."""
        for leg in sorted(legs, key=lambda n: -self._grid.floor[n]):
            others = [n for n in legs if n != leg]
            if others and not self._left_by(others).any():
                legs = others
        cost = self._evaluate(legs)
        while (changed := self._exchange(legs, cost) or self._add(legs, cost)) is not None:
            legs, cost = changed

    def _exchange(self, legs: Sequence[int], cost: int) -> tuple[list[int], int] | None:
        """One of the legs for another that makes the set cheaper."""
        grid = self._grid
        for leg in legs:
            others = [n for n in legs if n != leg]
            able = self._all_have(self._left_by(others).tolist(), self._free(others))
            grams = min(grid.most[leg], grid.grams)
            for number in sorted(members(able), key=lambda n: (self._cost_of(n, grams), n))[:_EXCHANGES]:
                if number != leg and (changed := self._evaluate([*others, number])) < cost:
                    return [*others, number], changed
        return None

    def _add(self, legs: Sequence[int], cost: int) -> tuple[list[int], int] | None:
        """One more leg, where that makes the set cheaper: a part of the weight at a lower step."""
        if len(legs) == self._grid.max_legs:
            return None
        begun = reduce(self._bounds.extended, legs, NO_LEGS)
        able = [n for n in members(self._free(legs)) if self._bounds.whole(begun, n) < cost]
        grams = self._grid.grams // (len(legs) + 1)
        able.sort(key=lambda n: (self._cost_of(n, grams) / max(1, min(grams, self._grid.most[n])), n))
        for number in able[:_EXCHANGES]:
            if (changed := self._evaluate([*legs, number])) < cost:
                return [*legs, number], changed
        return None

    def _free(self, legs: Sequence[int]) -> int:
        """The candidates at other points than these."""
        free = self._grid.all
        for leg in legs:
            free &= ~self._grid.siblings[leg]
        return free

    def _cost_of(self, number: int, grams: int) -> int:
        """Of a leg that carries so much, or all that it can."""
        grid = self._grid
        place = bisect_left(grid.caps[number], min(grams, grid.most[number]))
        return grid.floor[number] - grid.bases[number] + grid.costs[number][place]

    def _left_by(self, legs: Sequence[int]) -> Ints:
        left: Ints = np.maximum(0, self._grid.units - self._grid.capacity[list(legs)].sum(axis=0))
        return left

    # -- every set --------------------------------------------------------------------------------------------

    def _walk(self) -> bool:
        """Looks at every set that may be cheaper than `_limit`; whether it came to the end."""
        most_legs = self._grid.max_legs
        for level in sorted({min(legs, most_legs) for legs in _DEEPER}):
            self._most_legs = level
            if level <= self._done_legs:
                continue
            if not self._extend(NO_LEGS, self._grid.units, self._grid.all):
                if level < most_legs:
                    self._doubt = min(self._doubt, self._bounds.beyond(NO_LEGS, level + 1, most_legs))
                return False
            self._done_legs = level
        return True

    def _extend(self, begun: Begun, left: Ints, allowed: int) -> bool:
        """Looks at every set that is `begun` and at least one of `allowed`; False when the budget is spent."""
        grid = self._grid
        more = self._most_legs - len(begun.legs)
        missing = left.tolist()
        is_open = any(missing)
        try:
            self._budget.spend(15 + len(missing) // 2)
            if is_open:
                self._complete(begun, left, missing, allowed)
        except BudgetSpent:
            self._doubt = min(self._doubt, self._least_beyond(begun, int(left @ grid.weights)))
            return False
        if is_open and more == 1:
            return True
        if is_open:
            branches = self._branches(missing, allowed, more)
        else:
            branches = allowed
            if not self._evaluate_each(begun, branches):
                return False
        return more == 1 or self._extend_by_each(begun, left, branches, allowed)

    def _extend_by_each(self, begun: Begun, left: Ints, branches: int, allowed: int) -> bool:
        """Looks at every larger set with one of `branches`, and others of `allowed`."""
        grid = self._grid
        numbers = list(members(branches))
        further = np.maximum(0, left - grid.capacity[numbers])
        lacking: list[int] = (further @ grid.weights).tolist()
        for place, number in enumerate(numbers):
            allowed &= ~(1 << number)
            if self._rises_to(begun, number) >= self._limit:
                break  # Those after it cost no less.
            extended = self._bounds.extended(begun, number)
            remaining = allowed & ~grid.siblings[number]
            if self._least_beyond(extended, lacking[place], remaining) >= self._limit:
                continue
            if remaining and not self._extend(extended, further[place], remaining):
                # What the sets that go on so and were not looked at cost at least.
                for other, grams in zip(numbers[place + 1 :], lacking[place + 1 :], strict=True):
                    least = self._least_beyond(self._bounds.extended(begun, other), grams)
                    self._doubt = min(self._doubt, least)
                return False
        return True

    def _evaluate_each(self, begun: Begun, numbers: int) -> bool:
        """Looks at the sets of one leg more than one that is whole; False when the budget is spent."""
        if len(begun.legs) < self._done_legs:
            return True
        try:
            self._evaluate_with(begun, numbers, 0)
        except BudgetSpent:
            self._doubt = min(self._doubt, self._least_beyond(begun))
            return False
        return True

    def _complete(self, begun: Begun, left: Ints, missing: Sequence[int], allowed: int) -> None:
        """Looks at the sets that one leg more makes whole."""
        if len(begun.legs) >= self._done_legs and (able := self._all_have(missing, allowed)):
            self._evaluate_with(begun, able, int(left @ self._grid.weights))

    def _evaluate_with(self, begun: Begun, numbers: int, missing: int) -> None:
        """Looks at whole sets of one leg more. `missing`: the grams that the others lack."""
        grid = self._grid
        rise = grid.constant + begun.floor + grid.rise[len(begun.legs) + 1]
        for number in members(numbers):
            if rise + grid.floor[number] >= self._limit:
                return  # Those after it cost no less.
            self._budget.spend(4)
            if self._bounds.whole(begun, number, missing) < self._limit:
                self._evaluate((*begun.legs, number))

    def _least_beyond(self, begun: Begun, missing: int = 0, free: int = -1) -> int:
        """What it costs at least with further legs, as many as are looked at."""
        legs = len(begun.legs)
        return self._bounds.beyond(
            begun, max(1, self._done_legs + 1 - legs), self._most_legs - legs, missing, free
        )

    def _rises_to(self, begun: Begun, number: int) -> int:
        """The same of one leg more, by its floor alone."""
        grid, legs = self._grid, len(begun.legs) + 1
        growth = self._bounds.growth(legs, max(1, self._done_legs + 1 - legs), self._most_legs - legs)
        return grid.constant + begun.floor + grid.floor[number] + growth

    def _branches(self, missing: Sequence[int], allowed: int, more: int) -> int:
        """The candidates of which one must be in the set: of some article one must have an even share."""
        fewest = allowed
        for sku in self._grid.scarcity:
            if missing[sku]:
                able = self._grid.holders(sku, -(-missing[sku] // more)) & allowed
                if able.bit_count() < fewest.bit_count() or fewest == allowed:
                    fewest = able
                    if not able:
                        break
        return fewest

    def _all_have(self, missing: Sequence[int], allowed: int) -> int:
        """The candidates that alone have all that is missing."""
        for sku in self._grid.scarcity:
            if missing[sku]:
                allowed &= self._grid.holders(sku, missing[sku])
                if not allowed:
                    return 0
        return allowed

    # -- costs ------------------------------------------------------------------------------------------------

    @property
    def _limit(self) -> int:
        """Sets that cost this or more are not looked for. A plan that costs the same may still rank higher."""
        if self._only_best:
            return self._best_cost
        return self.kept[-1].cost + 1 if len(self.kept) >= self._keep else NO_LIMIT

    @property
    def _worth_knowing(self) -> int:
        """Sets that cost this or more are not worked out: they are none of the plans worth telling."""
        if len(self.kept) >= self._keep:
            return self.kept[-1].cost + 1
        return NO_LIMIT if not self._only_best or not self.kept else self._best_cost + abs(self._best_cost) // 4

    def _look_again(self) -> None:
        """At sets that were judged before a good plan was known: by now that may rule them out."""
        self._budget = Budget(_LOOKING_AGAIN_STEPS)
        try:
            for legs, least in sorted(self._unsure.items(), key=itemgetter(1)):
                if least >= min(self._doubt, self._best_cost):
                    return
                self._work_out(legs, self._best_cost)
        except BudgetSpent:
            return

    def _evaluate(self, legs: Sequence[int]) -> int:
        """What a set that has all units costs; it is kept if it is among the best."""
        bound = self._worth_knowing
        judged = self._judged.get(sum(1 << n for n in legs))
        return NO_LIMIT if judged is not None and judged >= bound else self._work_out(legs, bound)

    def _work_out(self, legs: Sequence[int], bound: int) -> int:
        """What it costs, if that is less than `bound`."""
        grid = self._grid
        key = sum(1 << n for n in legs)
        candidates = [grid.candidates[n] for n in legs]
        overhead = overhead_of(candidates, grid.split_cost)
        packing = cheapest(grid, legs, bound - overhead, self._budget, self._min_value)
        self._judged[key] = bound
        packed = packing.packed
        name, least = tuple(sorted(legs)), overhead + packing.doubt
        known = self._unsure.pop(name, least)
        if packing.doubt < (packed.cost if packed else bound - overhead):
            self._unsure[name] = max(known, least)
        if packed is None:
            return NO_LIMIT
        self.keep(found_of(candidates, packed, overhead))
        self._judged[key] = NO_LIMIT
        return overhead + packed.cost
