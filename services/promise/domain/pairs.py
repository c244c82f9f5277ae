"""Pairs of ways that together have all, with what each pair costs at least: most splits are of two."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np

from services.promise.domain.columns import Bools, Ints
from services.promise.domain.filling import Filling, least_of_pairs
from services.promise.domain.grid import NO_LIMIT

# Bytes of the table of pairs that are looked at; more ways than that are not paired.
_MOST_BYTES = 4_000_000


@dataclass(frozen=True, slots=True)
class Legs:
    """Ways as legs: what each could take (ways x articles), its cost before its weight, its service, its point."""

    pieces: Ints
    fixed: Ints
    offer_of: Ints
    row_of: Ints


@dataclass(frozen=True, slots=True)
class Pairs:
    """Places of two ways, and what a plan of both costs at least beside its units. In no order."""

    first: Ints
    second: Ints
    at_least: Ints

    def __len__(self) -> int:
        return len(self.at_least)

    @property
    def ways(self) -> Ints:
        """Places of all that have a part in one."""
        ways: Ints = np.union1d(self.first, self.second)
        return ways

    def up_to(self, limit: int) -> "Pairs":
        """Those that may cost so much or less."""
        return self._those(self.at_least <= limit)

    def parted(self, count: int) -> "tuple[Pairs, Pairs]":
        """So many of the cheapest, in order; and the others."""
        if len(self) > count:
            order = np.argpartition(self.at_least, count)
            cheapest = self._those(order[:count])
        else:
            order, cheapest = np.arange(len(self)), self
        return cheapest._those(np.argsort(cheapest.at_least, kind="stable")), self._those(order[count:])

    def _those(self, which: Ints | Bools) -> "Pairs":
        return Pairs(self.first[which], self.second[which], self.at_least[which])


@dataclass(frozen=True, slots=True)
class Asked:
    """What services ask for weight, or for what says more than weight. `each`: of one of each article.

    `tables`: by service, rising limits with costs. `fillings`: of services, where more than weight decides.
    """

    each: Ints
    tables: Sequence[tuple[Ints, Ints]]
    fillings: Sequence[Filling] | None = None


def pairs_of(legs: Legs, asked: Asked, wanted: Ints, split_cost: int) -> Pairs | None:
    """All pairs at different points that have everything; None when there are too many ways to say."""
    count = len(legs.fixed)
    if count * count // 8 > _MOST_BYTES:
        return None
    first, second = _complementary(legs, wanted)
    at_least = legs.fixed[first] + legs.fixed[second] + split_cost
    weights, tables = asked.each, asked.tables
    grams = int(wanted @ weights)
    most = legs.pieces @ weights
    for one, other in product(range(len(tables)), repeat=2):
        these = np.flatnonzero((legs.offer_of[first] == one) & (legs.offer_of[second] == other))
        if len(these):
            lacking = np.maximum(0, wanted - legs.pieces[second[these]])
            carriage = _carriage(tables[one], tables[other], lacking @ weights, most[first[these]], grams)
            if asked.fillings is not None:
                lacking_too = np.maximum(0, wanted - legs.pieces[first[these]])
                fillings = asked.fillings[one], asked.fillings[other]
                carriage = np.maximum(carriage, least_of_pairs(*fillings, lacking, lacking_too, wanted))
            at_least[these] += carriage
    return Pairs(first, second, at_least)


def _complementary(legs: Legs, wanted: Ints) -> tuple[Ints, Ints]:
    """Places of two ways each that have all together, the lower one first."""
    count = len(legs.fixed)
    # Sets of ways are rows of bits: those at other points, then only those that have what is missing.
    others = np.packbits(legs.row_of[:, None] != legs.row_of, axis=1)
    for article, units in enumerate(wanted.tolist()):
        column = legs.pieces[:, article]
        missing, which = np.unique(units - column, return_inverse=True)
        having = np.packbits(column >= missing[:, None], axis=1)
        others &= having[which]
    found = np.unpackbits(others, axis=1, count=count)
    first, second = np.nonzero(np.triu(found))
    return first, second


def _carriage(first: tuple[Ints, Ints], second: tuple[Ints, Ints], least: Ints, most: Ints, grams: int) -> Ints:
    """Of pairs with these services. The first leg carries at least what the second lacks, at most what it has."""
    caps, costs = second
    cheapest = np.full(len(least), NO_LIMIT, np.int64)
    for up_to, cost_minor in zip(*first, strict=True):
        # As much as the step allows: the second leg costs no more for carrying less.
        carried = np.minimum(up_to, most)
        is_able = carried >= least
        places = np.minimum(np.searchsorted(caps, grams - carried), len(caps) - 1)
        cost = np.where(is_able, cost_minor + costs[places], NO_LIMIT)
        cheapest = np.minimum(cheapest, cost)
    return cheapest
