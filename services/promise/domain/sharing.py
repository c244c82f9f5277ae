"""Shares units over the legs of one set, whatever their parcels ask for: weight alone (packing.py), or more.

Parcels that are limited by weight, volume and boxes are tried like rate steps: a choice for each leg, from the
cheapest combination up. By weight alone each says less than it asks for, so what weight rules out is ruled out.
"""

import math
from collections.abc import Sequence
from contextlib import suppress

import numpy as np
from numpy.typing import NDArray

from services.promise.domain.columns import Bools
from services.promise.domain.filling import Filling
from services.promise.domain.grid import Grid, Ints
from services.promise.domain.packing import Budget, BudgetSpent, Packed, Packing, Sharing
from services.promise.domain.room import Room

# What is not found by hand is seldom found at all.
_LAST_TRY_STEPS = 600
# So few can be tried in every way before anything else is known.
_FEW_UNITS = 16
# What it costs to look at one combination of choices, if what is known of others does not rule it out.
_KNOWN_STEPS = 8
_LOOK_STEPS = 100


def cheapest(grid: Grid, legs: Sequence[int], limit: int, budget: Budget, min_value: int = 0) -> Packing:
    """The shares of these legs that cost less than `limit`, at the least cost.

    Nothing when a leg would stay empty: it is better left out. `min_value`: of each leg when there are several.
    """
    how = Sharing if grid.fillings is None else _Filled
    return how(grid, legs, min_value if len(legs) > 1 else 0).cheapest(limit, budget)


class _Filled(Sharing):
    """One set of legs, some of which have tariffs."""

    def __init__(self, grid: Grid, legs: Sequence[int], min_value: int) -> None:
        if grid.fillings is None:
            raise AssertionError("weight alone decides")
        self._fillings = [grid.fillings[leg] for leg in legs]
        super().__init__(grid, legs, min_value)
        self._slopes = [_slope(caps, costs) for caps, costs in self._useful]
        # Prices of limits, and what all limits must at least be worth at them.
        self._cuts: list[tuple[NDArray[np.float64], float]] = []

    def cheapest(self, limit: int, budget: Budget) -> Packing:
        """As of any set; one of which a leg could not send what only it has is none."""
        return super().cheapest(limit, budget) if all(self._rows) else Packing(None)

    # -- what it costs ----------------------------------------------------------------------------------------

    def _useful_steps(self, most: Sequence[int]) -> list[tuple[list[int], list[int]]]:
        """Of each leg the choices that take what it must have, up to the first that takes all that it has.

        Their limits of load are those of the choice or of a cheaper one, whichever is more: so they rise.
        """
        self._rows: list[list[int]] = []
        useful: list[tuple[list[int], list[int]]] = []
        for n, filling in enumerate(self._fillings):
            whole = filling.first(self._capacity[n])
            rows = np.flatnonzero(filling.able(self._forced[n])[: whole + 1]).tolist()
            caps = np.minimum(self._grid.load_limits[id(filling)][rows], most[n])
            self._rows.append(rows)
            useful.append((np.maximum.accumulate(caps).tolist(), [filling.costs[row] for row in rows]))
        return useful

    def _as_it_comes(self, ideal: Ints, limit: int) -> Packed | None:
        packed = self._packed(ideal, 0)
        return packed if packed.cost < limit and self._is_worth_it(ideal) else None

    def _packed(self, shares: Ints, cost: int) -> Packed:
        """At the choices that the shares really take: they may be cheaper than those that were tried."""
        carried = zip(self._fillings, shares, strict=True)
        cost = sum(filling.costs[filling.first(share)] for filling, share in carried)
        return Packed(shares, cost + self._cost_of_units(shares))

    # -- what fits --------------------------------------------------------------------------------------------

    def _fit(self, picked: Sequence[int], ideal: Ints, limit: int, budget: Budget) -> Ints | None:
        """The shares within one choice of each leg whose units cost the least, if that is less than `limit`."""
        budget.spend(_KNOWN_STEPS)
        rows = [rows[i] for rows, i in zip(self._rows, picked, strict=True)]
        limits = np.array([filling.limits[row] for filling, row in zip(self._fillings, rows, strict=True)], float)
        if any((prices * limits).sum() < least for prices, least in self._cuts):
            return None
        budget.spend(_LOOK_STEPS)
        chosen = list(zip(self._fillings, rows, strict=True))
        fits: Bools = np.array([filling.fits[row] for filling, row in chosen])
        capacity = np.where(fits, self._capacity, 0)
        if (ideal <= capacity).all() and self._is_within(chosen, ideal) and self._is_worth_it(ideal):
            return ideal
        together = capacity.sum(axis=0)
        if (together < self._grid.units).any():
            return None
        forced: Ints = np.maximum(0, self._grid.units - (together - capacity))
        if not self._is_within(chosen, forced):
            return None
        room = Room(self._grid, capacity, forced, chosen)
        if self._unit_costs is not None or self._min_value:
            may_fit = self._may_fit(room, budget)
            return room.search(self._unit_costs, self._min_value, limit, budget) if may_fit else None
        if (found := room.by_hand(budget)) is not None:
            return found
        if room.units <= _FEW_UNITS:
            with suppress(BudgetSpent):
                return room.search(None, 0, limit, Budget(_LAST_TRY_STEPS))
        if not self._may_fit(room, budget):
            return None
        found = room.by_prices(budget)
        if found is None and len(chosen) == 2:
            found = room.weighed_out(budget)
        return room.search(None, 0, limit, Budget(_LAST_TRY_STEPS)) if found is None else found

    def _may_fit(self, room: Room, budget: Budget) -> bool:
        """Whether nothing is known that rules it out; prices that do are kept for other choices of the set."""
        may_fit = room.may_fit(budget)
        if not may_fit and room.prices.any():
            of_one = [prices @ filling.sizes for prices, filling in zip(room.prices, self._fillings, strict=True)]
            least = np.where(self._capacity > 0, of_one, np.inf).min(axis=0)
            loose = self._grid.units - self._forced.sum(axis=0)
            # What only one leg has costs what it does there; all else at least what it does where that is least.
            total = float((self._forced * of_one).sum() + loose[loose > 0] @ least[loose > 0])
            self._cuts.append((room.prices, total * (1 - 1e-9)))
        return may_fit

    def _is_within(self, chosen: Sequence[tuple[Filling, int]], shares: Ints) -> bool:
        return all(
            (filling.sizes @ share <= filling.limits[row]).all()
            for (filling, row), share in zip(chosen, shares, strict=True)
        )


def _slope(caps: Sequence[int], costs: Sequence[int]) -> float:
    """What a leg costs at least for each gram beyond its first choice."""
    rises = ((cost - costs[0]) / (cap - caps[0]) for cap, cost in zip(caps, costs, strict=True) if cap > caps[0])
    return min(rises, default=math.inf)
