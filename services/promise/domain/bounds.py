"""What a set of legs costs at least: one that is whole, and all that begin with one.

Cheap bounds first (grid.py); once prices are known (pricing.py) also those, and what weight costs (weighing.py).
"""

import math
from bisect import bisect_left
from collections.abc import Sequence
from itertools import accumulate, islice
from typing import NamedTuple

from services.promise.domain.grid import NO_LIMIT, Grid
from services.promise.domain.pricing import Prices
from services.promise.domain.weighing import Weighing


class Begun(NamedTuple):
    """Legs by number, and the sums of their floors, first steps, losses and rates; the lateness of the latest."""

    legs: tuple[int, ...]
    floor: int
    base: int
    late: int
    loss: float
    rates: int


NO_LEGS = Begun((), 0, 0, 0, 0.0, 0)


def _growth(costs: Sequence[int], carriage: Sequence[int], most_legs: int) -> list[list[int]]:
    """By legs of a set, then by further legs: what these add at least, carriage of all included."""
    first = [0, *accumulate(costs)]
    return [[first[n] + carriage[legs + n] for n in range(most_legs - legs + 1)] for legs in range(most_legs + 1)]


class Bounds:
    """Of one question."""

    def __init__(self, grid: Grid) -> None:
        self._grid = grid
        self._prices: Prices | None = None
        self._weighing: Weighing | None = None
        floors, bases = grid.floor, grid.bases
        without_base = sorted(floor - base for floor, base in zip(floors, bases, strict=True))
        self._growth = _growth(floors, grid.rise, grid.max_legs)
        self._bare_growth = _growth(without_base, grid.carriage, grid.max_legs)
        self._cheapest_first = [0, *accumulate(floors)]
        # The points by what they could carry, with their candidates.
        by_point: dict[int, int] = {}
        for siblings, most in zip(grid.siblings, grid.most, strict=True):
            by_point[siblings] = max(most, by_point.get(siblings, 0))
        self._heaviest_first = sorted(((most, siblings) for siblings, most in by_point.items()), reverse=True)

    def know(self, prices: Prices) -> None:
        """From now on these count too."""
        self._prices, self._weighing = prices, Weighing(self._grid)

    def growth(self, legs: int, fewest: int, most: int) -> int:
        """What `fewest` to `most` legs more add at least to a set of so many, carriage of all included."""
        return min(self._growth[legs][fewest : most + 1], default=NO_LIMIT)

    def extended(self, begun: Begun, number: int) -> Begun:
        """With one leg more."""
        grid = self._grid
        return Begun(
            (*begun.legs, number),
            begun.floor + grid.floor[number],
            begun.base + grid.bases[number],
            max(begun.late, grid.lateness[number]),
            begun.loss + (self._prices.losses[number] if self._prices else 0.0),
            begun.rates + (self._weighing.rates[number] if self._weighing else 0),
        )

    def whole(self, begun: Begun, number: int, missing: int = 0) -> int:
        """What a set with one leg more costs at least. `missing`: the grams that only this leg has of the set."""
        grid, legs = self._grid, len(begun.legs) + 1
        floor, base = begun.floor + grid.floor[number], begun.base + grid.bases[number]
        least = max(grid.rise[legs], grid.carriage[legs] - base)
        if self._prices is not None and self._weighing is not None:
            loss = begun.loss + self._prices.losses[number]
            priced = math.ceil(self._prices.base + loss - 1e-6) - grid.constant - floor
            least = max(least, priced, self._weighing.with_leg(begun.rates, number, missing) - base)
        return grid.constant + floor + max(begun.late, grid.lateness[number]) + least

    def beyond(self, begun: Begun, fewest: int, most: int, missing: int = 0, free: int = -1) -> int:
        """What it costs at least with `fewest` to `most` legs more of those that are `free`.

        `missing`: the grams that these legs lack.
        """
        grid, legs = self._grid, len(begun.legs)
        bare = min(self._bare_growth[legs][fewest : most + 1], default=NO_LIMIT)
        least = max(self.growth(legs, fewest, most), bare - begun.base)
        if self._prices is not None and self._weighing is not None:
            gain = self._prices.gains[most]
            priced = math.ceil(self._prices.base + begun.loss + gain - 1e-6) - grid.constant - begun.floor
            weighed = self._weighing.with_further(begun.rates, fewest, most, missing) - begun.base
            least = max(least, priced, weighed, self._carried(begun, fewest, most, free))
        return grid.constant + begun.floor + begun.late + least

    def _carried(self, begun: Begun, fewest: int, most_legs: int, free: int) -> int:
        """What further legs cost, with what these must carry beyond their first steps: all that others cannot."""
        grid, legs = self._grid, begun.legs
        mask = sum(1 << n for n in legs)
        others = (most for most, siblings in self._heaviest_first if siblings & free and not siblings & mask)
        together = grid.grams
        least = NO_LIMIT
        for count, most in enumerate(islice(others, most_legs), 1):
            together -= most
            if count < fewest:
                continue
            carried = 0
            if together > 0 and legs:
                carried = (
                    max(grid.carrying.of(together, len(legs)), self._each_carried(legs, together)) - begun.base
                )
            least = min(least, self._cheapest_first[count] + max(0, carried))
        return least

    def _each_carried(self, legs: Sequence[int], together: int) -> int:
        """Of weight that these legs must carry together: each what the others of them cannot."""
        grid = self._grid
        spare = together - sum(grid.most[n] for n in legs)
        if spare > 0:
            return NO_LIMIT
        return sum(grid.costs[n][bisect_left(grid.caps[n], max(0, spare + grid.most[n]))] for n in legs)
