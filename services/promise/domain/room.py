"""Whether units fit into one choice of parcels for each leg, whatever limits these, and how they do."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from services.promise.domain.filling import Filling
from services.promise.domain.grid import NO_LIMIT, Grid, Ints
from services.promise.domain.levels import BOUNDLESS
from services.promise.domain.packing import MAX_DEPTH, Budget, BudgetSpent, distributions, doubling, least_cost
from services.promise.domain.tariffs import KINDS

# Two legs are weighed out in at most so many parts of what one of them takes.
_MAX_PARTS = 100_000
# Rounds in which prices of limits are looked for, and what they cost.
_PRICE_ROUNDS = 40
_FIRST_PRICE_STEP = 2.0
_PRICED_STEPS = 250


class Room:
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
        self.units = sum(self._units)
        self._values: list[int] = grid.values[self._skus].tolist()
        self._rooms: list[list[int]] = np.minimum(capacity - forced, left)[:, self._skus].T.tolist()
        # By article, by leg: its size in each kind of limit.
        self._sizes: list[list[list[int]]] = [
            [filling.sizes[:, sku].tolist() for filling, _ in chosen] for sku in self._skus
        ]
        # By article, by leg: what all of it costs at the prices of limits that were found.
        self._costs = np.zeros((len(self._skus), len(self._slack)))
        # Of the limits of each leg, where they say that there is no way.
        self.prices = np.zeros((len(self._slack), KINDS))
        self._worth: list[int] = (forced @ grid.values).tolist()

    def may_fit(self, budget: Budget) -> bool:
        """Whether it would fit if units could be cut; of two legs, whether it does by each kind of limit alone."""
        budget.spend(_PRICED_STEPS)
        return self._may_fit_at_prices() and (len(self._slack) > 2 or self._may_fit_by_kind(budget))

    def _may_fit_at_prices(self) -> bool:
        """Whether no prices of limits say that there are too few of them (Farkas).

        Prices make all limits together worth 1. If what the units take costs more, each going where that is least,
        there is no way. Prices rise where too much would go (multiplicative weights, in ever smaller steps).
        """
        slack, units = np.array(self._slack, float), np.array(self._units, float)
        sizes = np.array(self._sizes, float).reshape(len(units), len(slack), KINDS)
        is_bound = (slack < BOUNDLESS >> 1) & (np.einsum("slk,s->lk", sizes, units) > slack)
        leg, kind = np.nonzero(is_bound)
        parts = (sizes[:, leg, kind] * (units[:, None] / np.maximum(1.0, slack[leg, kind]))).T
        of_leg = (np.arange(len(slack))[:, None] == leg).astype(float)
        prices, step = np.full(len(leg), 1.0 / max(1, len(leg))), _FIRST_PRICE_STEP
        for _ in range(_PRICE_ROUNDS if len(leg) else 0):
            self._costs = (of_leg @ (prices[:, None] * parts)).T
            if self._costs.min(axis=1).sum() > 1 + 1e-9:
                self.prices[leg, kind] = prices / np.maximum(1.0, slack[leg, kind])
                return False
            loads = (parts * (self._costs.argmin(axis=1) == leg[:, None])).sum(axis=1)
            prices = prices * np.exp(np.clip(step * (loads - 1.0), -2.0, 2.0))
            prices, step = prices / prices.sum(), 0.9 * step
        return True

    def _may_fit_by_kind(self, budget: Budget) -> bool:
        for kind in range(KINDS):
            sizes = [min(of_leg[kind] for of_leg in of_sku) for of_sku in self._sizes]
            slack = [of_leg[kind] for of_leg in self._slack]
            total = sum(size * units for size, units in zip(sizes, self._units, strict=True))
            # In parts that are rounded down: what fits exactly fits so, too.
            if total > min(slack) and (part := _part(slack)):
                parts = [size // part for size in sizes]
                if self._weigh(parts, slack[0] // part, slack[1] // part, budget) is None:
                    return False
        return True

    def weighed_out(self, budget: Budget) -> Ints | None:
        """Of two legs: shares that fit by one kind of limit, if they then fit by the others, too."""
        for kind in range(KINDS):
            slack = [of_leg[kind] for of_leg in self._slack]
            part = _part(slack)
            if not part or any(of_sku[0][kind] != of_sku[1][kind] for of_sku in self._sizes):
                continue
            # In parts that are rounded up: what fits so, fits.
            parts = [-(-of_sku[0][kind] // part) for of_sku in self._sizes]
            taken = self._weigh(parts, slack[0] // part, slack[1] // part, budget)
            if taken is not None and self._is_room_for(taken):
                return self._whole([[mine, units - mine] for mine, units in zip(taken, self._units, strict=True)])
        return None

    def _weigh(self, sizes: Sequence[int], first: int, second: int, budget: Budget) -> list[int] | None:
        """Units of the first of two legs with which neither has more than this; as even as can be."""
        total = sum(size * units for size, units in zip(sizes, self._units, strict=True))
        lightest, bits = max(0, total - second), min(first, total)
        if lightest > bits:
            return None
        all_sums, sums = (1 << bits + 1) - 1, 1
        steps = [(0, 0, 1)]
        # Either of two legs has room for all that is left of an article.
        for n, (size, units) in enumerate(zip(sizes, self._units, strict=True)):
            for count in doubling(units):
                budget.spend(1 + bits // 40_000)
                sums = (sums | sums << count * size) & all_sums
                steps.append((n, count, sums))
        middle = (lightest + bits) // 2
        above, below = sums >> middle, sums & (1 << middle) - 1
        at = middle + (above & -above).bit_length() - 1 if above else below.bit_length() - 1
        if at < lightest:
            return None
        return self._taken(steps, sizes, at)

    def _taken(self, steps: Sequence[tuple[int, int, int]], sizes: Sequence[int], at: int) -> list[int]:
        """Units by article of which a sum is made. `steps`: article, units, sums that are possible with them."""
        taken = [0] * len(sizes)
        for (n, count, _), (_, _, before) in zip(steps[:0:-1], steps[-2::-1], strict=True):
            if not before >> at & 1:
                taken[n] += count
                at -= count * sizes[n]
        return taken

    def _is_room_for(self, taken: Sequence[int]) -> bool:
        """For so much of each article in the first of two legs and the rest in the second."""
        shares = (taken, [units - mine for units, mine in zip(self._units, taken, strict=True)])
        return all(
            sum(sizes[leg][kind] * count for sizes, count in zip(self._sizes, share, strict=True)) <= slack[kind]
            for leg, (share, slack) in enumerate(zip(shares, self._slack, strict=True))
            for kind in range(KINDS)
        )

    def by_hand(self, budget: Budget) -> Ints | None:
        """The largest first, each where most room is left: mostly that will do."""
        budget.spend(5 + len(self._skus) * len(self._slack))
        return self._placed(
            range(len(self._skus)),
            lambda n, slack: [-_times(its, sizes) for its, sizes in zip(slack, self._sizes[n], strict=True)],
        )

    def by_prices(self, budget: Budget) -> Ints | None:
        """Each where it costs least at the prices that were found, the ones first for which that says most."""
        budget.spend(5 + len(self._skus) * len(self._slack))
        least, second = np.sort(self._costs, axis=1)[:, :2].T
        order = np.argsort(least / np.maximum(second, 1e-300), kind="stable").tolist()
        costs = self._costs.tolist()
        return self._placed(order, lambda n, _: costs[n])

    def _placed(self, order: Sequence[int], rank: Callable[[int, list[list[int]]], list[Any]]) -> Ints | None:
        """Article by article, as many as fit into the leg that ranks lowest, then the next."""
        slack = [list(of_leg) for of_leg in self._slack]
        ways = [[0] * len(slack) for _ in self._skus]
        for n in order:
            left, ranks, sizes = self._units[n], rank(n, slack), self._sizes[n]
            for leg in sorted(range(len(slack)), key=ranks.__getitem__):
                part = min(left, self._rooms[n][leg], _times(slack[leg], sizes[leg]))
                ways[n][leg] = part
                left -= part
                _take(slack[leg], sizes[leg], part)
                if not left:
                    break
            if left:
                return None
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


def _part(slack: Sequence[int]) -> int:
    """What limits are counted in, so that there are few enough; 0 where there is none."""
    return max(1, -(-max(slack) // _MAX_PARTS)) if max(slack) < BOUNDLESS >> 1 else 0


def _times(slack: Sequence[int], sizes: Sequence[int]) -> int:
    """How many units there is room for."""
    return min((room // size for room, size in zip(slack, sizes, strict=True) if size), default=NO_LIMIT)


def _take(slack: list[int], sizes: Sequence[int], units: int) -> None:
    for kind, size in enumerate(sizes):
        slack[kind] -= size * units
