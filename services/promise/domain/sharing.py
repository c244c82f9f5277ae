"""Shares units over the legs of one set, whatever their parcels ask for: weight alone (packing.py), or more.

Parcels that are limited by weight, volume and boxes are tried like rate steps: a choice for each leg, from the
cheapest combination up. By weight alone each says less than it asks for, so what weight rules out is ruled out.
"""

import math
from collections.abc import Sequence

import numpy as np

from services.promise.domain.columns import Bools
from services.promise.domain.filling import Filling
from services.promise.domain.grid import NO_LIMIT, Grid, Ints
from services.promise.domain.packing import (
    MAX_DEPTH,
    Budget,
    BudgetSpent,
    Packed,
    Packing,
    Sharing,
    distributions,
    doubling,
    least_cost,
)

# Two legs are weighed out in at most so many parts of what one of them takes.
_MAX_PARTS = 100_000
# What it costs to look at one combination of choices.
_LOOK_STEPS = 40


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

    def cheapest(self, limit: int, budget: Budget) -> Packing:
        """As of any set; one of which a leg could not send what only it has is none."""
        return super().cheapest(limit, budget) if all(self._rows) else Packing(None)

    # -- what it costs ----------------------------------------------------------------------------------------

    def _useful_steps(self, most: Sequence[int]) -> list[tuple[list[int], list[int]]]:
        """Of each leg the choices that take what it must have, up to the first that takes all that it has.

        Their weight limits are those of the choice or of a cheaper one, whichever is more: so they rise.
        """
        self._rows: list[list[int]] = []
        useful: list[tuple[list[int], list[int]]] = []
        for n, filling in enumerate(self._fillings):
            whole = filling.first(self._capacity[n])
            rows = np.flatnonzero(filling.able(self._forced[n])[: whole + 1]).tolist()
            has_some = self._capacity[n] > 0
            caps = np.full(len(rows), most[n], np.int64)
            # What is a parcel of its own here, and of no other leg, weighs nothing in the limits of this one.
            if (filling.sizes[0] >= self._grid.weights)[has_some].all():
                caps = np.minimum(filling.limits[rows, 0], most[n])
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
        budget.spend(_LOOK_STEPS)
        rows = [rows[i] for rows, i in zip(self._rows, picked, strict=True)]
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
        room = _Room(self._grid, capacity, forced, chosen)
        if not room.may_fit(budget):
            return None
        if self._unit_costs is None and not self._min_value and (found := room.by_hand(budget)) is not None:
            return found
        return room.search(self._unit_costs, self._min_value, limit, budget)

    def _is_within(self, chosen: Sequence[tuple[Filling, int]], shares: Ints) -> bool:
        return all(
            (filling.sizes @ share <= filling.limits[row]).all()
            for (filling, row), share in zip(chosen, shares, strict=True)
        )


class _Room:
    """What is left in one choice of each leg, for the units that more than one leg could take."""

    def __init__(self, grid: Grid, capacity: Ints, forced: Ints, chosen: Sequence[tuple[Filling, int]]) -> None:
        self._forced = forced
        left: Ints = grid.units - forced.sum(axis=0)
        self._slack = [
            (filling.limits[row] - filling.sizes @ share).tolist()
            for (filling, row), share in zip(chosen, forced, strict=True)
        ]
        # The part that a unit takes of the limit that it is hardest for: the largest first.
        parts = np.max(
            [(filling.sizes.T / np.maximum(1, filling.limits[row])).max(axis=1) for filling, row in chosen], axis=0
        )
        self._skus = [i for i in np.lexsort((np.arange(len(left)), -parts)).tolist() if left[i]]
        self._units: list[int] = left[self._skus].tolist()
        self._values: list[int] = grid.values[self._skus].tolist()
        self._rooms: list[list[int]] = np.minimum(capacity - forced, left)[:, self._skus].T.tolist()
        # By article, by leg: its size in each kind of limit.
        self._sizes: list[list[list[int]]] = [
            [filling.sizes[:, sku].tolist() for filling, _ in chosen] for sku in self._skus
        ]
        self._worth: list[int] = (forced @ grid.values).tolist()
        self._kinds = range(min(len(slack) for slack in self._slack))

    def may_fit(self, budget: Budget) -> bool:
        """Whether it would fit by each kind of limit alone: of more than two legs, if units could be cut."""
        for kind in self._kinds:
            sizes = [min(of_leg[kind] for of_leg in of_sku) for of_sku in self._sizes]
            slack = [of_leg[kind] for of_leg in self._slack]
            total = sum(size * units for size, units in zip(sizes, self._units, strict=True))
            if total > sum(slack):
                return False
            if len(slack) == 2 and not self._is_weighed_out(sizes, slack, budget):
                return False
        return True

    def _is_weighed_out(self, sizes: Sequence[int], slack: Sequence[int], budget: Budget) -> bool:
        """Whether units of the first leg can have a size that leaves no more than the second has room for.

        In parts of which there are few enough; rounded down, so that what fits exactly fits so, too.
        """
        part = max(1, -(-max(slack) // _MAX_PARTS)) if max(slack) < NO_LIMIT >> 2 else 0
        total = sum(size // part * units for size, units in zip(sizes, self._units, strict=True)) if part else 0
        least = total - slack[1] // part if part else 0
        if least <= 0:
            return True
        most = slack[0] // part
        sums, all_sums = 1, (1 << most + 1) - 1
        for size, units, rooms in zip(sizes, self._units, self._rooms, strict=True):
            must = max(0, units - rooms[1])
            sums <<= must * (size // part)
            for count in doubling(rooms[0] - must):
                budget.spend(1 + most // 40_000)
                sums = (sums | sums << count * (size // part)) & all_sums
        return bool(sums >> least & all_sums)

    def by_hand(self, budget: Budget) -> Ints | None:
        """The largest first, each where most room is left: mostly that will do."""
        slack = [list(of_leg) for of_leg in self._slack]
        legs = range(len(slack))
        budget.spend(5 + len(self._skus) * len(slack))
        ways: list[list[int]] = []
        for units, rooms, sizes in zip(self._units, self._rooms, self._sizes, strict=True):
            way, left = [0] * len(slack), units
            able = {leg: min(rooms[leg], _times(slack[leg], sizes[leg])) for leg in legs}
            for leg in sorted(legs, key=lambda leg: -_times(slack[leg], sizes[leg])):
                way[leg] = min(left, able[leg])
                left -= way[leg]
                _take(slack[leg], sizes[leg], way[leg])
            if left:
                return None
            ways.append(way)
        return self._whole(ways)

    def search(self, unit_costs: Ints | None, min_value: int, limit: int, budget: Budget) -> Ints | None:
        """Exact for any number of legs: every way to share the largest article, then the next."""
        depth, legs = len(self._skus), range(len(self._slack))
        if depth > MAX_DEPTH:
            raise BudgetSpent
        slack, worth = [list(of_leg) for of_leg in self._slack], list(self._worth)
        costs = [[0 if unit_costs is None else int(unit_costs[leg, sku]) for leg in legs] for sku in self._skus]
        rest, hope = [0] * (depth + 1), [[0] * (depth + 1) for _ in legs]
        for n in range(depth - 1, -1, -1):
            rest[n] = rest[n + 1] + least_cost(self._units[n], self._rooms[n], costs[n])
            for leg in legs:
                hope[leg][n] = hope[leg][n + 1] + self._rooms[n][leg] * self._values[n]
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
            sizes = self._sizes[n]
            rooms = [min(self._rooms[n][leg], _times(slack[leg], sizes[leg])) for leg in legs]
            for way in distributions(self._units[n], rooms, sorted(legs, key=lambda leg: (costs[n][leg], leg))):
                budget.spend(10)
                for leg, units in enumerate(way):
                    _take(slack[leg], sizes[leg], units)
                    worth[leg] += units * self._values[n]
                ways[n] = way
                place(n + 1, cost + sum(u * c for u, c in zip(way, costs[n], strict=True)))
                for leg, units in enumerate(way):
                    _take(slack[leg], sizes[leg], -units)
                    worth[leg] -= units * self._values[n]
                if best is not None and unit_costs is None:
                    return  # All ways cost the same.

        budget.spend(10 + 3 * depth)
        place(0, 0 if unit_costs is None else int((self._forced * unit_costs).sum()))
        return None if best is None else self._whole(best)

    def _whole(self, ways: Sequence[Sequence[int]]) -> Ints:
        shares = self._forced.copy()
        for sku, way in zip(self._skus, ways, strict=True):
            shares[:, sku] += way
        return shares


def _times(slack: Sequence[int], sizes: Sequence[int]) -> int:
    """How many units there is room for."""
    return min((room // size for room, size in zip(slack, sizes, strict=True) if size), default=NO_LIMIT)


def _take(slack: list[int], sizes: Sequence[int], units: int) -> None:
    for kind, size in enumerate(sizes):
        slack[kind] -= size * units


def _slope(caps: Sequence[int], costs: Sequence[int]) -> float:
    """What a leg costs at least for each gram beyond its first choice."""
    rises = ((cost - costs[0]) / (cap - caps[0]) for cap, cost in zip(caps, costs, strict=True) if cap > caps[0])
    return min(rises, default=math.inf)
