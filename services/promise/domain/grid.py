"""A question in numbers: what each candidate could take of each article, and what that costs at least.

Candidates are numbered from the cheapest up; sets of them are integers with a bit for each.
"""

import math
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations_with_replacement
from operator import itemgetter

import numpy as np
from numpy.typing import NDArray

from services.promise.domain.candidates import Candidate
from services.promise.domain.filling import Filling, Load, filling_by_weight, least_of_one, least_of_two, loads_of

Ints = NDArray[np.int64]
# The largest number that stands for "nothing is known to be this dear".
NO_LIMIT = 1 << 62
# Sums of rate steps are all worked out up to so many.
_EXACT_SUMS = 4_000
_FIRST = itemgetter(0)


@dataclass(frozen=True, slots=True)
class Demand:
    """Units of each SKU, their weights and what one is worth, by index."""

    skus: tuple[str, ...]
    weights: tuple[int, ...]
    values: tuple[int, ...]
    units: tuple[int, ...]

    def only(self, units: Sequence[int]) -> "Demand":
        """The same articles in other numbers."""
        return Demand(self.skus, self.weights, self.values, tuple(units))


@dataclass(frozen=True, slots=True)
class Row:
    """A candidate with what it could take of each SKU, and what one unit of each costs beside carriage.

    `filling`: what its parcels take; None when weight alone decides.
    """

    candidate: Candidate
    capacity: tuple[int, ...]
    unit_costs: tuple[int, ...]
    filling: Filling | None = None

    def within(self, units: Sequence[int]) -> "Row":
        """No more of a SKU than is wanted of it."""
        return Row(self.candidate, tuple(map(min, self.capacity, units)), self.unit_costs, self.filling)


class Grid:
    """The candidates that could carry something of the demand, without those that a sibling always beats.

    Bounds count one thing, which is called weight: grams, where more than these decide also what volume says.
    `caps` and `costs` are what a candidate asks for so much of it: exact where grams are all that decides.
    """

    def __init__(self, rows: Sequence[Row], demand: Demand, split_cost: int, max_legs: int) -> None:
        self.demand = demand
        self.units: Ints = np.array(demand.units, np.int64)
        self.weights: Ints = np.array(demand.weights, np.int64)
        self.values: Ints = np.array(demand.values, np.int64)
        self.grams = int(self.units @ self.weights)
        self.split_cost = split_cost
        useful = _without_beaten([row.within(demand.units) for row in rows])
        capacity = np.array([row.capacity for row in useful], np.int64).reshape(len(useful), len(demand.skus))
        reference, savings = np.zeros(len(demand.skus), np.int64), np.zeros(len(useful), np.int64)
        unit_costs: Ints | None = None
        if any(any(row.unit_costs) for row in useful):
            # A unit costs its reference, less what a candidate's own figure may save.
            unit_costs = np.array([row.unit_costs for row in useful], np.int64)
            held = np.ma.masked_array(unit_costs, capacity == 0)
            reference = np.ma.median(held, axis=0).filled(0).astype(np.int64)  # type: ignore[no-untyped-call]
            savings = (np.minimum(0, unit_costs - reference) * capacity).sum(axis=1)
        self.constant = int(reference @ self.units) - split_cost
        floors = [
            row.candidate.fixed_cost + split_cost + row.candidate.steps[0].cost_minor + int(saving)
            for row, saving in zip(useful, savings, strict=True)
        ]
        order = sorted(
            range(len(useful)),
            key=lambda n: (floors[n], useful[n].candidate.window.rank, useful[n].candidate.id),
        )
        self.rows = [useful[n] for n in order]
        self.candidates = [row.candidate for row in self.rows]
        self.capacity: Ints = capacity[order]
        self.unit_costs = None if unit_costs is None else unit_costs[order]
        self.floor = [floors[n] for n in order]
        # Where more than weight decides: what the parcels of each take, and the limits of what is counted.
        self.fillings = _fillings(self.rows, self.weights)
        self.load_limits: Mapping[int, Ints] = {}
        self.lateness = [c.lateness_cost for c in self.candidates]
        self.all = (1 << len(order)) - 1
        by_point: dict[str, int] = {}
        for n, candidate in enumerate(self.candidates):
            by_point[candidate.point.point_id] = by_point.get(candidate.point.point_id, 0) | 1 << n
        # Those that never are in one set with a candidate: of its point, and what makes one shipment or none.
        lonely = sum(1 << n for n, c in enumerate(self.candidates) if c.service.one_shipment)
        self.siblings = [
            self.all if c.service.one_shipment else by_point[c.point.point_id] | lonely for c in self.candidates
        ]
        self.max_legs = min(max_legs, len(by_point))
        self.bases = [row.candidate.steps[0].cost_minor for row in self.rows]
        self.carriage, self.rise = [0], [0]
        if self.fillings is None:
            steps = {id(c.steps): c.steps for c in self.candidates}
            tables = {key: _columns((one.up_to_grams, one.cost_minor) for one in of) for key, of in steps.items()}
            self._count(self.weights, [tables[id(c.steps)] for c in self.candidates])
        else:
            self._count_most_telling(self.fillings)
        self._holders: dict[tuple[int, int], int] = {}
        self._slopes: dict[tuple[int, int], float] = {}
        self._by_capacity = [
            sorted(((units, n) for n, units in enumerate(column) if units), reverse=True)
            for column in self.capacity.T.tolist()
        ]
        # The scarcest article first: what it rules out need not be looked at for the others.
        self.scarcity = sorted(range(len(demand.skus)), key=lambda i: (len(self._by_capacity[i]), i))

    def _count(self, weights: Ints, tables: Sequence["_Table"]) -> None:
        """Counts by this, which costs each candidate so much."""
        self.weights = weights
        self.grams = int(self.units @ weights)
        self.caps, self.costs = [caps for caps, _ in tables], [costs for _, costs in tables]
        self.most: list[int] = (self.capacity @ weights).tolist()
        if self.rows:
            self.carrying, _ = _carriages(self, range(len(self.rows)))
            self.carriage, self.rise = _by_legs(self)

    def _count_most_telling(self, fillings: Sequence[Filling]) -> None:
        """Counts by weight, volume or both: what says that all of it costs most."""
        distinct = {id(one): one for one in fillings}
        found: list[tuple[int, int, Load, list[_Table]]] = []
        for number, load in enumerate(loads_of(fillings, self.capacity, self.units)):
            tables = {key: load.table(one) for key, one in distinct.items()}
            self._count(load.each, [tables[id(one)] for one in fillings])
            found.append((sum(self.carriage), -number, load, [tables[id(one)] for one in fillings]))
        *_, load, chosen = max(found, key=lambda one: one[:2])
        self.load_limits = load.limits
        self._count(load.each, chosen)
        # Of one leg, and of two, it is known what all limits together ask for.
        pairs = combinations_with_replacement(distinct.values(), 2)
        of_two = min(least_of_two(*two, self.units) for two in pairs)
        of_one = least_of_one(distinct.values(), self.units)
        self.carriage[1:3] = map(max, self.carriage[1:3], (of_one, of_two))

    def holders(self, sku: int, units: int) -> int:
        """The set of candidates that could take so many units of a SKU."""
        key = (sku, units)
        found = self._holders.get(key)
        if found is None:
            found = 0
            for capacity, number in self._by_capacity[sku]:
                if capacity < units:
                    break
                found |= 1 << number
            self._holders[key] = found
        return found

    def slope(self, number: int, grams: int) -> float:
        """What a candidate's leg of so much weight costs at least for each gram beyond its present step."""
        caps, costs = self.caps[number], self.costs[number]
        first = bisect_left(caps, grams)
        key = (id(caps), first)
        if key not in self._slopes:
            rises = ((costs[i] - costs[first]) / (caps[i] - caps[first]) for i in range(first + 1, len(caps)))
            self._slopes[key] = min(rises, default=math.inf)
        return self._slopes[key]


def members(numbers: int) -> Iterator[int]:
    """Of a set of candidates, in their order."""
    while numbers:
        lowest = numbers & -numbers
        yield lowest.bit_length() - 1
        numbers ^= lowest


def _without_beaten(rows: Sequence[Row]) -> list[Row]:
    """Without services that another of the same point beats, and without what could carry nothing."""
    by_point: dict[str, list[Row]] = {}
    for row in rows:
        if any(row.capacity):
            by_point.setdefault(row.candidate.point.point_id, []).append(row)
    return [
        row
        for siblings in by_point.values()
        for row in siblings
        if not any(_beats(other, row) for other in siblings if other is not row)
    ]


def _beats(a: Row, b: Row) -> bool:
    """Whether `a` takes all that `b` of the same point takes, always for less and no later."""
    mine, theirs = a.candidate, b.candidate
    if mine.service.one_shipment and not theirs.service.one_shipment:
        return False
    if mine.lateness_cost > theirs.lateness_cost or any(
        m < t for m, t in zip(a.capacity, b.capacity, strict=True)
    ):
        return False
    # Of two stages of a point the later one may cost more.
    dearer = mine.fixed_cost - theirs.fixed_cost
    if a.filling is not None or b.filling is not None:
        return a.filling is b.filling and dearer < 0
    # Costs never fall with weight, so the weights at b's limits tell all.
    caps = [step.up_to_grams for step in mine.steps]
    for step in theirs.steps:
        place = bisect_left(caps, step.up_to_grams)
        if place == len(caps) or mine.steps[place].cost_minor + dearer >= step.cost_minor:
            return False
    return True


# Weight limits with what each costs.
_Table = tuple[list[int], list[int]]


def _columns(steps: Iterable[tuple[int, int]]) -> _Table:
    caps, costs = zip(*steps, strict=True)
    return list(caps), list(costs)


def _fillings(rows: Sequence[Row], weights: Ints) -> list[Filling] | None:
    """Of all candidates; None when weight alone decides for each."""
    if all(row.filling is None for row in rows):
        return None
    by_weight: dict[int, Filling] = {}
    for row in rows:
        steps = row.candidate.steps
        if row.filling is None and id(steps) not in by_weight:
            by_weight[id(steps)] = filling_by_weight(steps, weights)
    return [row.filling or by_weight[id(row.candidate.steps)] for row in rows]


class Carriage:
    """What weight costs at least, by the number of legs: each at the least that any candidate asks for its part.

    Exact for few rate steps. For more it is that of even shares on the lower convex hull (Jensen's inequality).
    """

    def __init__(self, costs: Mapping[int, int], grams: int) -> None:
        """`costs`: the least up to some weights."""
        # The weight limits at which it costs more than before, with what it costs up to there.
        corners: list[tuple[int, int]] = []
        for cap, cost in sorted(costs.items(), reverse=True):
            if not corners or cost < corners[-1][1]:
                corners.append((cap, cost))
        corners.reverse()
        self._grams = grams
        self._caps, self._costs = (np.array(column, np.int64) for column in zip(*corners, strict=True))
        self._hull = _lower_hull([(0, corners[0][1]), *corners])
        self._known: dict[tuple[int, int], int] = {}

    def whole(self, most_legs: int) -> list[int]:
        """Of all the weight, by the number of legs from 0 on."""
        return [0, *(self.of(self._grams, legs) for legs in range(1, most_legs + 1))]

    def of(self, grams: int, legs: int) -> int:
        """Of so much weight."""
        key = (grams, legs)
        if key not in self._known:
            is_small = len(self._caps) ** (legs - 1) <= _EXACT_SUMS
            self._known[key] = self._exact(grams, legs) if is_small else self._even(grams, legs)
        return self._known[key]

    def _exact(self, grams: int, legs: int) -> int:
        # All but one of the legs at a corner, one more each round; the last one takes what is left.
        left, cost = np.array([grams], np.int64), np.array([0], np.int64)
        for _ in range(legs - 1):
            left = np.maximum(0, left[:, None] - self._caps).ravel()
            cost = (cost[:, None] + self._costs).ravel()
        places = np.minimum(np.searchsorted(self._caps, left), len(self._caps) - 1)
        return int((cost + self._costs[places]).min())

    def _even(self, grams: int, legs: int) -> int:
        share = grams / legs
        place = bisect_left(self._hull, share, key=_FIRST)
        if place == 0 or place == len(self._hull):
            return legs * self._hull[min(place, len(self._hull) - 1)][1]
        (left, low), (right, high) = self._hull[place - 1], self._hull[place]
        return math.ceil(legs * (low + (high - low) * (share - left) / (right - left)) - 1e-6)


def _by_legs(grid: Grid) -> tuple[list[int], list[int]]:
    """Of all the weight, by the number of legs: whole, and beyond first steps.

    At a counter one leg takes what it has for nothing; the others carry at least the rest.
    """
    carried = [number for number, candidate in enumerate(grid.candidates) if candidate.carrier_id]
    both = _carriages(grid, carried or range(len(grid.candidates)))
    if not carried or len(carried) == len(grid.candidates):
        return both[0].whole(grid.max_legs), both[1].whole(grid.max_legs)
    there = max(grid.most[number] for number in set(range(len(grid.candidates))).difference(carried))
    rest = max(0, grid.grams - there)
    whole, beyond = (
        [
            0,
            one.of(grid.grams, 1) if rest else 0,
            *(min(one.of(grid.grams, legs), one.of(rest, legs - 1)) for legs in range(2, grid.max_legs + 1)),
        ]
        for one in both
    )
    return whole, beyond


def _carriages(grid: Grid, numbers: Iterable[int]) -> tuple[Carriage, Carriage]:
    """Of whole legs of these candidates, and of what they cost beyond their first steps."""
    whole: dict[int, int] = {}
    beyond: dict[int, int] = {}
    tables = {id(grid.caps[number]): (grid.caps[number], grid.costs[number]) for number in numbers}
    for caps, costs in tables.values():
        for up_to, cost in zip(caps, costs, strict=True):
            cap = min(up_to, grid.grams)
            whole[cap] = min(cost, whole.get(cap, NO_LIMIT))
            beyond[cap] = min(cost - costs[0], beyond.get(cap, NO_LIMIT))
    return Carriage(whole, grid.grams), Carriage(beyond, grid.grams)


def _lower_hull(corners: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Corners by rising weight; those above the line between their neighbours are left out."""
    hull: list[tuple[int, int]] = []
    for x, y in corners:
        while hull and hull[-1][1] >= y:
            hull.pop()
        while len(hull) > 1:
            (x0, y0), (x1, y1) = hull[-2], hull[-1]
            if (y1 - y0) * (x - x0) < (y - y0) * (x1 - x0):
                break
            hull.pop()
        hull.append((x, y))
    return hull
