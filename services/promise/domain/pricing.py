"""A bound by prices (Lagrangian relaxation): what every set of candidates costs at least, and the part of each.

Each article gets a price. A candidate is judged alone: what its leg costs less what its units earn. At good prices
the candidates that earn more than they cost, together with all prices, come close to the cheapest plan, and no
plan can be cheaper (Geoffrion 1974); prices rise for what is missing and fall for what is there too often (Held
and Karp 1971). A candidate that loses more than a known plan is dearer than the bound is in no better plan.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from services.promise.domain.grid import Grid

Floats = NDArray[np.float64]
# Rates with more steps than this are judged by fewer, each as cheap as its cheapest.
_MAX_STEPS = 12
_PATIENCE = 4


@dataclass(frozen=True, slots=True)
class Prices:
    """`base` + the losses of its legs is what a set costs at least. `prices`: of all units of each SKU.

    `gains[n]`: what n more legs could take off that at most (0 or less), by number.
    """

    base: float
    losses: list[float]
    gains: list[float]
    prices: Floats

    @property
    def bound(self) -> float:
        """What any plan costs at least."""
        return self.base + self.gains[-1]


class Pricing:
    """Looks for good prices."""

    def __init__(self, grid: Grid) -> None:
        units = np.maximum(1, grid.units).astype(float)
        self._legs = grid.max_legs
        self._share: Floats = grid.capacity / units
        self._grams: Floats = grid.weights * grid.units.astype(float)
        self._unit_costs: Floats | None = None if grid.unit_costs is None else grid.unit_costs * units
        self._fixed = np.array([c.fixed_cost + grid.split_cost for c in grid.candidates], float)
        self._split = float(grid.split_cost)
        self._caps, self._costs = _tables(grid)
        points = {id_: n for n, id_ in enumerate(dict.fromkeys(c.point.point_id for c in grid.candidates))}
        self._point = np.array([points[c.point.point_id] for c in grid.candidates])
        self._points = len(points)

    def best(self, limit: int, rounds: int) -> Prices:
        """The best prices that so many rounds find; they stop when the bound reaches `limit`."""
        prices = self._first()
        found = self._judge(prices)
        best, stride, idle = found, 1.0, 0
        for _ in range(rounds):
            if best.bound >= limit:
                break
            missing = 1.0 - self._taken
            length = float(missing @ missing)
            if length < 1e-9:
                break
            prices = np.maximum(self._floor, prices + stride * (limit - found.bound) / length * missing)
            found = self._judge(prices)
            if found.bound > best.bound + 1e-3:
                best, idle = found, 0
            else:
                idle += 1
                if idle >= _PATIENCE:
                    prices, found, stride, idle = best.prices, best, stride / 2, 0
                    self._judge(prices)
                    if stride < 0.01:
                        break
        return best

    def _first(self) -> Floats:
        """Each article bears its part of the cheapest leg that brings it."""
        carried = np.maximum(1.0, (self._share > 0).sum(axis=1))
        cost = (self._fixed + self._costs[:, 0]) / carried
        each = np.where(self._share > 0, cost[:, None] / np.maximum(self._share, 1e-9), np.inf)
        # An article of which nothing is wanted has no price.
        is_wanted = (self._share > 0).any(axis=0)
        if self._unit_costs is None:
            self._floor: Floats = np.zeros(len(self._grams))
        else:
            held = np.where(self._share > 0, self._unit_costs, np.inf)
            self._floor = np.where(is_wanted, held.min(axis=0), 0.0)
            each = each + self._unit_costs
        first: Floats = np.where(is_wanted, each.min(axis=0), 0.0)
        return first

    def _judge(self, prices: Floats) -> Prices:
        """Each candidate at these prices; keeps what share of each article they would take together."""
        earned = prices if self._unit_costs is None else prices - self._unit_costs
        earned = np.maximum(0.0, earned)
        density = earned / np.maximum(self._grams, 1e-9)
        if self._unit_costs is None:
            order = np.argsort(-density, kind="stable")[None, :]
            share, best_first = self._share[:, order[0]], earned[order]
        else:
            order = np.argsort(-density, axis=1, kind="stable")
            share = np.take_along_axis(self._share, order, axis=1)
            best_first = np.take_along_axis(earned, order, axis=1)
        value, fill = self._filled(_sums(share * self._grams[order]), _sums(share * best_first))
        losses = self._fixed + value
        by_point = np.zeros(self._points)
        np.minimum.at(by_point, self._point, losses)
        chosen = np.sort(by_point)[: self._legs]
        gains = np.concatenate(([0.0], np.minimum(0.0, chosen).cumsum()))
        self._taken = self._shares_taken(losses, by_point, share, order, fill)
        base = float(prices.sum()) - self._split
        return Prices(base, losses.tolist(), gains.tolist(), prices)

    def _filled(self, grams: Floats, profit: Floats) -> tuple[Floats, Floats]:
        """The cheapest step of each candidate less what fits into it earns; and how many articles these are.

        `grams`, `profit`: of the first 0, 1, ... articles. The last one may be cut.
        """
        rows, width = np.arange(len(grams))[:, None], grams.shape[1]
        # All rows are looked up at once, as one long rising one.
        shift = rows * (float(grams[:, -1].max()) + 2.0)
        caps = np.minimum(self._caps, grams[:, -1:] + 1.0)
        places = np.searchsorted((grams + shift).ravel(), (caps + shift).ravel(), side="right")
        whole = places.reshape(caps.shape) - rows * width - 1
        after = np.minimum(whole + 1, width - 1)
        used, earned = grams[rows, whole], profit[rows, whole]
        part = np.clip((caps - used) / np.maximum(grams[rows, after] - used, 1e-9), 0.0, 1.0)
        net = self._costs - earned - part * (profit[rows, after] - earned)
        step = net.argmin(axis=1)[:, None]
        fill = np.take_along_axis(whole + part, step, axis=1)
        return np.take_along_axis(net, step, axis=1)[:, 0], fill[:, 0]

    def _shares_taken(
        self, losses: Floats, by_point: Floats, share: Floats, order: NDArray[np.intp], fill: Floats
    ) -> Floats:
        """What the best legs would take of each article: the direction in which the prices are wrong."""
        taken = np.zeros(share.shape[1])
        places = np.arange(share.shape[1])
        seen: set[int] = set()
        for row in np.argsort(losses, kind="stable"):
            point = int(self._point[row])
            if losses[row] >= 0 or len(seen) >= self._legs:
                break
            if point in seen:
                continue
            seen.add(point)
            part = share[row] * np.clip(fill[row] - places, 0.0, 1.0)
            taken[order[min(int(row), len(order) - 1)]] += part
        return taken


def _sums(amounts: Floats) -> Floats:
    """Of the first 0, 1, ... of each row."""
    sums = np.zeros((amounts.shape[0], amounts.shape[1] + 1))
    np.cumsum(amounts, axis=1, out=sums[:, 1:])
    return sums


def _tables(grid: Grid) -> tuple[Floats, Floats]:
    """Weight limits and costs of the steps, as many for each candidate: the last one repeated."""
    rows: list[tuple[Sequence[int], Sequence[int]]] = []
    most = (grid.capacity @ grid.weights).tolist()
    for caps, costs, grams in zip(grid.caps, grid.costs, most, strict=True):
        useful = sum(cap < grams for cap in caps) + 1
        rows.append(_fewer(caps[:useful], costs[:useful]))
    longest = max(len(caps) for caps, _ in rows)
    limits, amounts = (
        np.array([[*row, *[row[-1]] * (longest - len(row))] for row in table], float)
        for table in zip(*rows, strict=True)
    )
    return limits, amounts


def _fewer(caps: Sequence[int], costs: Sequence[int]) -> tuple[Sequence[int], Sequence[int]]:
    size = -(-len(caps) // _MAX_STEPS)
    if size == 1:
        return caps, costs
    return [caps[min(n + size, len(caps)) - 1] for n in range(0, len(caps), size)], costs[::size]
