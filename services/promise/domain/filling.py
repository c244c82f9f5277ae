"""A tariff in numbers for the search: what each choice of parcels takes of what is counted as one article."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from services.promise.domain.columns import Bools, Ints
from services.promise.domain.rates import Step
from services.promise.domain.tariffs import Tariff


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


def filling_of(tariff: Tariff, articles: Sequence[Mapping[str, int]]) -> Filling:
    """Of articles by their units of each SKU."""
    nothing = (0, 0, 0)  # Misfits, of which there are no units.
    sizes = [
        [sum(tariff.sizes.get(sku, nothing)[kind] * each for sku, each in units.items()) for units in articles]
        for kind in range(3)
    ]
    fits = [[choice.leaves_out.isdisjoint(units) for units in articles] for choice in tariff.choices]
    return Filling(
        np.array(sizes, np.int64).reshape(3, len(articles)),
        np.array([choice.limits for choice in tariff.choices], np.int64),
        np.array(fits, np.bool_).reshape(len(tariff.choices), len(articles)),
        [choice.cost_minor for choice in tariff.choices],
    )


def filling_by_weight(steps: Sequence[Step], weights: Ints) -> Filling:
    """Of steps that are exact."""
    return Filling(
        weights[None, :],
        np.array([[step.up_to_grams] for step in steps], np.int64),
        np.ones((len(steps), len(weights)), np.bool_),
        [step.cost_minor for step in steps],
    )
