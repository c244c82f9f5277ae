"""Ways: points with a service that comes there, as columns.

What each could take and costs at least is known of all of them before any calendar is looked at; a candidate is
made of a way only when it is asked for.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from services.promise.domain.candidates import Candidate
from services.promise.domain.columns import Floats, Ints
from services.promise.domain.ground import Ground
from services.promise.domain.modes import TERMS
from services.promise.domain.offers import Offer
from services.promise.domain.question import Question


@dataclass(frozen=True, slots=True)
class Level:
    """The ways that a strict rule leaves, by number, and what each could take (ways x articles)."""

    numbers: Ints
    pieces: Ints


class Ways:
    """Of one question. `row_of`, `offer_of`: the point and the service of each; `fixed`: what a leg costs at least

    before its weight. `units`: of each SKU at each point (points x SKUs), as far as goods may leave it.
    """

    def __init__(self, question: Question, ground: Ground) -> None:
        self._question = question
        self._points = ground.points
        self._ground = ground
        self.gatherer = question.gatherer(ground)
        self.kilometres: Floats = self._points.kilometres(question.place.area.position)
        self.columns = {sku: column for column, sku in enumerate(question.wanted)}
        self.offers: list[Offer] = []
        self.row_of: Ints = np.zeros(0, np.int64)
        self.offer_of: Ints = np.zeros(0, np.int64)
        self._counter = self._points.row[question.place.store.point_id] if question.place.store else -1
        self.units, self._kept_back = self._leaving()
        self._look()
        self.fixed: Ints = self._fixed_costs()[self.row_of]
        self.is_carried = np.array([offer.delivery is not None for offer in self.offers], np.bool_)[self.offer_of]
        self.may_split = np.array(
            [offer.delivery is not None and not offer.service.one_shipment for offer in self.offers], np.bool_
        )[self.offer_of]
        self._made: dict[int, Candidate | tuple[str, str]] = {}

    def __len__(self) -> int:
        return len(self.row_of)

    def candidate(self, number: int) -> Candidate | tuple[str, str]:
        """Of a way; or the reason, and its words, that it is none."""
        if number not in self._made:
            row = int(self.row_of[number])
            point = self._points.points[row]
            shelf = self._ground.shelf(point, is_counter=row == self._counter)
            offer = self.offers[self.offer_of[number]]
            self._made[number] = self.gatherer.candidate(point, shelf, offer, float(self.kilometres[row]))
        return self._made[number]

    def levels(self) -> Iterator[Level]:
        """From the strictest to all there is: one tier more each time, then without routing buffers."""
        rules = self._question.ruleset
        if rules.tiers or self._kept_back.any():
            tiers = self._points.by_type(rules.tier)[self.row_of]
            pieces = self._pieces(self.units - self._kept_back)
            for tier in np.unique(tiers).tolist():
                numbers = np.flatnonzero(tiers <= tier)
                yield Level(numbers, pieces[numbers])
        yield Level(np.arange(len(self)), self._pieces(self.units))

    def _leaving(self) -> tuple[Ints, Ints]:
        """Units that may leave each point, and what routing buffers keep back of them."""
        shelves, here = self._ground.shelves, self._counter
        units, kept_back = np.zeros((2, len(self._points.points), len(self.columns)), np.int64)
        if TERMS[self._question.request.mode].by_carrier:
            shipped, able = shelves.stocked(), self._points.ship
            units[able], kept_back[able] = shipped.units[able], shipped.kept_back[able]
        if here >= 0:
            handed_over = shelves.stocked(is_counter=True)
            units[here], kept_back[here] = handed_over.units[here], handed_over.kept_back[here]
        return units, kept_back

    def _look(self) -> None:
        has_some = self.units.sum(axis=1) > 0
        rows: list[Ints] = []
        for offer in self.gatherer.offers.going:
            able = np.flatnonzero(
                has_some & (self.kilometres <= self._reach(offer)) & self._points.visited_by(offer.carrier_id)
            )
            rows.append(able[able != self._counter])
            self.offers.append(offer)
        if self._counter >= 0 and has_some[self._counter]:
            rows.append(np.array([self._counter]))
            self.offers.append(self.gatherer.offers.at_counter())
        if rows:
            self.row_of = np.concatenate(rows)
            self.offer_of = np.repeat(np.arange(len(rows)), [len(some) for some in rows])

    def is_far(self, sku: str) -> bool:
        """Whether some of an article lies farther away than a service or the ruleset goes."""
        having = self.units[:, self.columns[sku]] > 0
        reaches = [self._reach(offer) for offer in self.gatherer.offers.going]
        return bool((self.kilometres[having] > min([self._reach(), *reaches])).any())

    def _reach(self, offer: Offer | None = None) -> float:
        """Kilometres from a point to the place."""
        limits = (self._question.ruleset.max_distance_kilometres, offer and offer.service.max_distance_kilometres)
        return min(limit or math.inf for limit in limits)

    def _fixed_costs(self) -> Ints:
        """At each point, before the pressure on it, which only adds to it."""
        rules = self._question.ruleset
        of_type = self._points.by_type(lambda kind: rules.preparation_cost(kind) + rules.priority_cost(kind))
        distances = np.floor(rules.distance_cost_minor_per_kilometre * self.kilometres + 0.5)
        costs: Ints = of_type + distances.astype(np.int64)
        return costs

    def _pieces(self, units: Ints) -> Ints:
        """How much of each article each way could take, no more than is wanted."""
        articles = self._question.articles
        pieces = np.zeros((len(self), len(articles)), np.int64)
        for number, offer in enumerate(self.offers):
            numbers = np.flatnonzero(self.offer_of == number)
            here = units[self.row_of[numbers]]
            here[:, [self.columns[sku] for sku in offer.misfits]] = 0
            for place, article in enumerate(articles):
                each = [here[:, self.columns[sku]] // count for sku, count in article.units_each.items()]
                pieces[numbers, place] = np.minimum.reduce(each)
        limited: Ints = np.minimum(pieces, np.array(self._question.whole.units, np.int64))
        return limited
