"""A tariff in numbers for the search: what each choice of parcels takes of what is counted as one article."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from services.promise.domain.columns import Bools, Ints
from services.promise.domain.levels import BOUNDLESS
from services.promise.domain.rates import Step
from services.promise.domain.tariffs import KINDS, Tariff

# Of so many pairs of choices the cheapest that takes all is looked for.
_MOST_PAIRS = 250_000


@dataclass(frozen=True, eq=False, slots=True)
class Filling:
    """`sizes`: of each article, in each kind of limit (kinds x articles); `limits`: of choices (choices x kinds).

    `fits`: which articles a choice takes at all (choices x articles); `costs`: of choices, rising.
    """

    sizes: Ints
    limits: Ints
    fits: Bools
    costs: list[int]

    def first(self, share: Ints) -> int:
        """The number of the cheapest choice that takes these units; the number of choices when none does."""
        able = self.able(share)
        return int(able.argmax()) if able.any() else len(self.costs)

    def able(self, share: Ints) -> Bools:
        """The choices that take these units."""
        within, fits = (self.limits >= self.sizes @ share).all(axis=1), self.fits[:, share > 0].all(axis=1)
        found: Bools = np.logical_and(within, fits)
        return found

    def able_each(self, shares: Ints) -> Bools:
        """The same of many shares (shares x choices)."""
        loads = shares @ self.sizes.T
        within = (loads[:, None, :] <= self.limits[None, :, :]).all(axis=2)
        unfit = (shares > 0).astype(np.float32) @ (~self.fits).T.astype(np.float32)
        found: Bools = np.logical_and(within, unfit < 0.5)
        return found


def filling_of(tariff: Tariff, articles: Sequence[Mapping[str, int]]) -> Filling:
    """Of articles by their units of each SKU."""
    nothing = (0,) * KINDS  # Misfits, of which there are no units.
    sizes = [
        [sum(tariff.sizes.get(sku, nothing)[kind] * each for sku, each in units.items()) for units in articles]
        for kind in range(KINDS)
    ]
    fits = [[choice.leaves_out.isdisjoint(units) for units in articles] for choice in tariff.choices]
    return Filling(
        np.array(sizes, np.int64).reshape(KINDS, len(articles)),
        np.array([choice.limits for choice in tariff.choices], np.int64),
        np.array(fits, np.bool_).reshape(len(tariff.choices), len(articles)),
        [choice.cost_minor for choice in tariff.choices],
    )


@dataclass(frozen=True, eq=False, slots=True)
class Load:
    """One number for all that limits parcels: weight, volume, or a sum of both. `each`: of one of each article.

    `limits`: of the choices of each filling, by its id. What is within the limits of a choice is within this one.
    """

    each: Ints
    limits: Mapping[int, Ints]

    def table(self, filling: Filling) -> tuple[list[int], list[int]]:
        """What a filling asks for so much of it at least: limits that rise, with costs."""
        caps: list[int] = []
        costs: list[int] = []
        for cap, cost in zip(self.limits[id(filling)].tolist(), filling.costs, strict=True):
            if not caps or cap > caps[-1]:
                caps.append(cap)
                costs.append(cost)
        return caps, costs


def loads_of(fillings: Sequence[Filling], capacity: Ints, units: Ints) -> list[Load]:
    """What could be counted, of candidates (their fillings, and what each has) for so many units."""
    having: dict[int, Bools] = {}
    by_id: dict[int, Filling] = {}
    for filling, has in zip(fillings, capacity > 0, strict=True):
        having[id(filling)] = np.logical_or(having.get(id(filling), has), has)
        by_id[id(filling)] = filling
    grams, volume = (_least_sizes(by_id, having, kind) for kind in range(2))
    total_grams, total_volume = int(grams @ units), int(volume @ units)
    # A sum of both counts each for the same.
    weighted = ((1, 0), (0, 1), (max(1, total_volume // max(1, total_grams)), 1))
    return [
        Load(
            a * grams + b * volume,
            {
                key: a * np.minimum(one.limits[:, 0], total_grams) + b * np.minimum(one.limits[:, 1], total_volume)
                for key, one in by_id.items()
            },
        )
        for a, b in weighted[: 3 if total_volume else 1]
    ]


def least_of_one(fillings: Iterable[Filling], units: Ints) -> int:
    """What any of them asks at least for all units; the least of all where none takes them."""
    costs = [one.costs[place] for one in fillings if (place := one.first(units)) < len(one.costs)]
    return min(costs, default=0)


def least_of_two(one: Filling, other: Filling, units: Ints) -> int:
    """What both ask together at least for all units, by all that limits them and by what fits into neither."""
    places, _, costs = _pairs(one, other, units)
    return int(costs[0]) if len(places) else one.costs[0] + other.costs[0]


def least_of_pairs(one: Filling, other: Filling, first: Ints, second: Ints, units: Ints) -> Ints:
    """The same of many pairs, of which the first and the second carry at least these (pairs x articles)."""
    least = np.full(len(first), one.costs[0] + other.costs[0], np.int64)
    mine, its, costs = _pairs(one, other, units)
    if not len(costs):
        return least
    able, able_too = one.able_each(first), other.able_each(second)
    left = np.arange(len(first))
    for i, j, cost in zip(mine.tolist(), its.tolist(), costs.tolist(), strict=True):
        least[left] = cost
        left = left[~(able[left, i] & able_too[left, j])]
        if not len(left):
            break
    return least


def _pairs(one: Filling, other: Filling, units: Ints) -> tuple[Ints, Ints, Ints]:
    """Choices of both that together take all units as far as their limits say, with their costs, which rise."""
    if len(one.costs) * len(other.costs) > _MOST_PAIRS:
        nothing = np.zeros(0, np.int64)
        return nothing, nothing, nothing
    wanted = units > 0
    unfit = (~one.fits[:, wanted]).astype(np.float32) @ (~other.fits[:, wanted]).T.astype(np.float32)
    able = unfit < 0.5
    for kind in range(KINDS):
        if kind > 1 and (one.sizes[kind] != other.sizes[kind]).any():
            continue  # Parts are of the main parcel of each: they can be added where that is the same.
        total = int(np.minimum(one.sizes[kind], other.sizes[kind]) @ units)
        able &= np.add.outer(one.limits[:, kind], other.limits[:, kind]) >= total
    mine, its = np.nonzero(able)
    costs = np.array(one.costs, np.int64)[mine] + np.array(other.costs, np.int64)[its]
    order = np.argsort(costs, kind="stable")
    return mine[order], its[order], costs[order]


def _least_sizes(by_id: Mapping[int, Filling], having: Mapping[int, Bools], kind: int) -> Ints:
    """Of each article, by those that have it and limit this: one of which each unit is a parcel has none."""
    least = np.full(len(next(iter(having.values()))), BOUNDLESS, np.int64)
    for key, filling in by_id.items():
        if (filling.limits[:, kind] < BOUNDLESS).any():
            least = np.where(having[key], np.minimum(least, filling.sizes[kind]), least)
    found: Ints = np.where(least == BOUNDLESS, 0, least)
    return found


def filling_by_weight(steps: Sequence[Step], weights: Ints) -> Filling:
    """Of steps that are exact."""
    limits = np.full((len(steps), KINDS), BOUNDLESS, np.int64)
    limits[:, 0] = [step.up_to_grams for step in steps]
    return Filling(
        np.array([weights, *[np.zeros_like(weights)] * (KINDS - 1)]),
        limits,
        np.ones((len(steps), len(weights)), np.bool_),
        [step.cost_minor for step in steps],
    )
