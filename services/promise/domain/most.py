"""The set that serves most units of a demand that cannot be served whole; among equals the cheapest."""

from collections.abc import Sequence

import numpy as np

from services.promise.domain.found import Found, found_of, overhead_of
from services.promise.domain.grid import NO_LIMIT, Grid, Ints
from services.promise.domain.packing import Budget, BudgetSpent
from services.promise.domain.rulesets import Ruleset
from services.promise.domain.sharing import cheapest


class Most:
    """One search for it."""

    def __init__(self, grid: Grid, ruleset: Ruleset, budget: Budget) -> None:
        self._grid = grid
        self._ruleset = ruleset
        self._budget = budget
        self._units = 0
        self._is_exact = True
        self.best: Found | None = None

    def explore(self) -> bool:
        """Fills `best`; whether it is proved."""
        try:
            self._extend([], self._grid.units, np.arange(len(self._grid.candidates)), 0)
        except BudgetSpent:
            return False
        return self._is_exact

    def _extend(self, legs: list[int], left: Ints, allowed: Ints, floor: int) -> None:
        grid = self._grid
        more = grid.max_legs - len(legs)
        if more < 1 or not len(allowed):
            return
        self._budget.spend(50 + grid.capacity.size // 100)
        gains = np.minimum(grid.capacity[allowed], left).sum(axis=1)
        order = np.argsort(-gains, kind="stable")
        allowed, gains = allowed[order], gains[order]
        served = int(grid.units.sum() - left.sum())
        for place, number in enumerate(allowed.tolist()):
            # No set gains more than its members gain alone.
            reach = served + int(gains[place : place + more].sum())
            if reach < self._units or not gains[place]:
                return
            cost = floor + grid.floor[number]
            # Units that are not served cost nothing, so what they cost anywhere is no part of the bound.
            least = cost + min(grid.constant, -grid.split_cost)
            if reach == self._units and self.best is not None and least >= self.best.cost:
                continue
            further: Ints = np.maximum(0, left - grid.capacity[number])
            self._evaluate([*legs, number], further)
            rest = [n for n in allowed[place + 1 :].tolist() if not grid.siblings[number] >> n & 1]
            self._extend([*legs, number], further, np.array(rest, np.int64), cost)

    def _evaluate(self, legs: Sequence[int], left: Ints) -> None:
        """Judges a set by the units that it serves, then by its cost."""
        units = self._grid.units - left
        total = int(units.sum())
        if total < max(1, self._units):
            return
        rows = [self._grid.rows[n] for n in legs]
        grid = Grid(rows, self._grid.demand.only(units.tolist()), self._grid.split_cost, len(legs))
        if len(grid.candidates) < len(legs):
            return
        ordered = grid.candidates
        overhead = overhead_of(ordered, grid.split_cost)
        limit = self.best.cost if self.best is not None and total == self._units else NO_LIMIT
        packing = cheapest(
            grid, range(len(ordered)), limit - overhead, self._budget, self._ruleset.min_split_value_minor
        )
        self._is_exact = self._is_exact and packing.doubt == NO_LIMIT
        if packing.packed is not None:
            self.best, self._units = found_of(ordered, packing.packed, overhead), total
