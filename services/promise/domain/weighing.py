"""What weight costs at least when some legs are known and others are not.

Known legs carry at their own rates, further legs at the best that any candidate asks. What the known ones lack,
the others must carry; what that leaves is shared as is cheapest.
"""

from bisect import bisect_left, bisect_right
from typing import NamedTuple

import numpy as np

from services.promise.domain.grid import NO_LIMIT, Grid, Ints

# A curve with more corners is told by fewer, each as cheap as its cheapest.
_MAX_CORNERS = 200
# A sum of rates is a number that counts each of them in so many bits.
_BITS = 12


class _Curve(NamedTuple):
    """Costs by rising weight limits; nothing carries more than the last."""

    caps: Ints
    costs: Ints

    def of(self, grams: Ints) -> Ints:
        """What each of these weights costs."""
        places = np.searchsorted(self.caps, grams)
        found: Ints = np.where(
            places < len(self.caps), self.costs[np.minimum(places, len(self.caps) - 1)], NO_LIMIT
        )
        return found


class _Shared(NamedTuple):
    """The known legs' curve with the others' beside it, as lists: they are asked for one weight at a time."""

    caps: list[int]
    costs: list[int]
    # Of the known legs at their first 0, 1, ... limits with all that is left at the others: the least.
    least: list[int]
    other_caps: list[int]
    other_costs: list[int]


class Weighing:
    """Of one question; what was asked before is known."""

    def __init__(self, grid: Grid) -> None:
        self._grams = grid.grams
        tables: dict[int, int] = {}
        curves: list[_Curve] = []
        for caps, costs in zip(grid.caps, grid.costs, strict=True):
            if id(caps) not in tables:
                tables[id(caps)] = len(curves)
                curves.append(self._curve(np.array(caps, np.int64), np.array(costs, np.int64)))
        self._tables = curves
        self._table = [tables[id(caps)] for caps in grid.caps]
        # The rates of each candidate, to be added up.
        self.rates = [1 << _BITS * table for table in self._table]
        self._known = {0: _Curve(np.zeros(1, np.int64), np.zeros(1, np.int64))}
        self._further = [self._anyone(grid)]
        self._ranges: dict[tuple[int, int], _Curve] = {}
        self._shared: dict[tuple[int, int, int], _Shared] = {}

    def with_leg(self, rates: int, number: int, missing: int) -> int:
        """What all weight costs if one more leg is this, which carries at least what is `missing`."""
        table = self._table[number]
        key = (rates, -1, table)
        shared = self._shared.get(key) or self._share(key, self._tables[table])
        return self._least(shared, missing)

    def with_further(self, rates: int, fewest: int, most: int, missing: int) -> int:
        """The same with `fewest` to `most` further legs, whoever they are: these with all that a leg costs."""
        key = (rates, fewest, most)
        shared = self._shared.get(key) or self._share(key, self._several(fewest, most))
        return self._least(shared, missing)

    def _least(self, shared: _Shared, missing: int) -> int:
        carried = self._grams - missing
        least = shared.least[bisect_right(shared.caps, carried)]
        place, other = bisect_left(shared.caps, carried), bisect_left(shared.other_caps, missing)
        if place < len(shared.caps) and other < len(shared.other_caps):
            least = min(least, shared.costs[place] + shared.other_costs[other])
        return least

    def _share(self, key: tuple[int, int, int], others: _Curve) -> _Shared:
        mine = self._sum(key[0])
        together = np.minimum(NO_LIMIT, mine.costs + others.of(self._grams - mine.caps))
        shared = self._shared[key] = _Shared(
            mine.caps.tolist(),
            mine.costs.tolist(),
            [NO_LIMIT, *np.minimum.accumulate(together).tolist()],
            others.caps.tolist(),
            others.costs.tolist(),
        )
        return shared

    def _sum(self, rates: int) -> _Curve:
        found = self._known.get(rates)
        if found is None:
            table = (rates.bit_length() - 1) // _BITS
            rest = self._sum(rates - (1 << _BITS * table))
            found = self._known[rates] = self._plus(rest, self._tables[table])
        return found

    def _several(self, fewest: int, most: int) -> _Curve:
        key = (fewest, most)
        if key not in self._ranges:
            while len(self._further) < most:
                self._further.append(self._plus(self._further[-1], self._further[0]))
            caps, costs = zip(*self._further[fewest - 1 : most], strict=True)
            self._ranges[key] = self._curve(np.concatenate(caps), np.concatenate(costs))
        return self._ranges[key]

    def _anyone(self, grid: Grid) -> _Curve:
        """One leg of whoever asks least, with its fixed costs; nobody carries more than they have."""
        caps = [np.minimum(caps, most) for caps, most in zip(grid.caps, grid.most, strict=True)]
        fixed = [floor - base for floor, base in zip(grid.floor, grid.bases, strict=True)]
        costs = [np.array(costs, np.int64) + its for costs, its in zip(grid.costs, fixed, strict=True)]
        return self._curve(np.concatenate(caps), np.concatenate(costs))

    def _plus(self, one: _Curve, other: _Curve) -> _Curve:
        return self._curve((one.caps[:, None] + other.caps).ravel(), (one.costs[:, None] + other.costs).ravel())

    def _curve(self, caps: Ints, costs: Ints) -> _Curve:
        """Without limits that another one beats."""
        caps = np.minimum(caps, self._grams)
        order = np.lexsort((-caps, costs))
        caps, costs = caps[order], costs[order]
        is_more = np.diff(np.maximum.accumulate(caps), prepend=-1) > 0
        caps, costs = caps[is_more], costs[is_more]
        size = -(-len(caps) // _MAX_CORNERS)
        if size > 1:
            ends = np.minimum(np.arange(size - 1, len(caps) + size - 1, size), len(caps) - 1)
            caps, costs = caps[ends], costs[::size]
        return _Curve(caps, costs)
