"""The best plan for a whole basket, without looking at every point: what a quote asks of each mode.

What a plan with a way costs at least is known from columns alone. So ways are looked at from the cheapest up, till
no other can be part of a plan as cheap as the best one: first those that have all, then pairs that have all
(pairs.py), then those that three legs and more could need. The answer is the first plan of the engine, which looks
at all of them because it says of each what dropped it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from services.promise.domain import engine
from services.promise.domain.candidates import CROWDED, Candidate
from services.promise.domain.columns import Ints
from services.promise.domain.filling import loads_of
from services.promise.domain.found import Found, found_of, overhead_of, precedes
from services.promise.domain.grid import NO_LIMIT, Carriage, Grid, Row
from services.promise.domain.ground import Ground
from services.promise.domain.packing import Budget
from services.promise.domain.pairs import Asked, Legs, Pairs, pairs_of
from services.promise.domain.plans import Plan, Unplanned
from services.promise.domain.question import Question
from services.promise.domain.reasons import most_telling, unplanned
from services.promise.domain.search import search
from services.promise.domain.sharing import cheapest
from services.promise.domain.tariffs import Priced, parcels_of
from services.promise.domain.ways import Level, Ways

# Among so many ways a split is searched for at once; of more it is looked first which could have a part in it.
_FEW = 24
# So many pairs are tried, the most promising first, while too many others might still be better.
_TRIED_PAIRS = (8, 32, 128)
# More than any plan costs, and far from the largest number.
_NEVER = NO_LIMIT // 4


def best(question: Question, ground: Ground) -> Plan | Unplanned:
    """The best plan for all units; or the first line that stands in the way of any, and why."""
    return _Whole(question, ground).answer()


@dataclass(frozen=True, slots=True)
class _Rest:
    """What others must have beside `given` legs (places of a level), which cost so much: units and grams of it."""

    given: Ints
    wanted: Ints
    grams: int
    cost: int


class _Whole:
    """One question."""

    def __init__(self, question: Question, ground: Ground) -> None:
        self._question = question
        self._ways = Ways(question, ground)
        self._ground = ground
        self._wanted: Ints = np.array(question.whole.units, np.int64)
        self._asked = self._what_is_asked()
        self._weights = self._asked.each
        self._grams = int(self._wanted @ self._weights)
        self._split_cost = question.ruleset.split_cost_minor
        self._least_unit_costs = self._unit_costs_at_least()

    def answer(self) -> Plan | Unplanned:
        """Of the first level of freedom at which the basket can be served."""
        for level in self._ways.levels():
            if (found := self._solve(level)) is not None:
                return self._question.plan(found)
        return self._why_not()

    def _what_is_asked(self) -> Asked:
        """By the services: for weight, or for what says more where more than weight decides."""
        offers, weights = self._ways.offers, np.array(self._question.whole.weights, np.int64)
        fillings = self._question.fillings(offers)
        if fillings is None:
            tables = [[(step.up_to_grams, step.cost_minor) for step in offer.steps] for offer in offers]
            return Asked(weights, [_columns(*zip(*table, strict=True)) for table in tables])
        taken = [
            [not offer.misfits.keys() & article.units_each.keys() for article in self._question.articles]
            for offer in offers
        ]
        found: list[tuple[int, int, Asked]] = []
        for number, load in enumerate(loads_of(fillings, np.array(taken, np.int64), self._wanted)):
            columns = [load.table(filling) for filling in fillings]
            costs: dict[int, int] = {}
            total = int(self._wanted @ load.each)
            for cap, cost in (row for table in columns for row in zip(*table, strict=True)):
                costs[min(cap, total)] = min(cost, costs.get(min(cap, total), NO_LIMIT))
            most = sum(Carriage(costs, total).whole(self._question.ruleset.max_parcels))
            asked = Asked(load.each, [_columns(*table) for table in columns], fillings)
            found.append((most, -number, asked))
        return max(found, key=lambda one: one[:2])[2]

    # -- the best ---------------------------------------------------------------------------------------------

    def _solve(self, level: Level) -> Found | None:
        """The best plan of a level, if the basket can be served there."""
        if not self._is_reachable(level):
            return None
        best = self._of_one_leg(level)
        for rest in self._rests(level):
            best = self._of_rest(level, rest, best)
        return best

    def _is_reachable(self, level: Level) -> bool:
        """Whether points have enough of each article, each the most that a service takes of it there."""
        rows, places = np.unique(self._ways.row_of[level.numbers], return_inverse=True)
        roomiest = np.zeros((len(rows), len(self._wanted)), np.int64)
        np.maximum.at(roomiest, places, level.pieces)
        return bool((roomiest.sum(axis=0) >= self._wanted).all())

    def _of_one_leg(self, level: Level) -> Found | None:
        """From a point that has all: nothing is searched."""
        best: Found | None = None
        having = level.numbers[(level.pieces >= self._wanted).all(axis=1)]
        asked = np.unique(self._ways.offer_of[having])
        costs = np.zeros(len(self._ways.offers), np.int64)
        costs[asked] = [self._carriage(self._ways.offers[number]) for number in asked.tolist()]
        carriage = costs[self._ways.offer_of[having]]
        at_least = self._ways.fixed[having] + carriage + self._least_unit_costs
        for place in np.argsort(at_least, kind="stable").tolist():
            if at_least[place] > _cost(best):
                break
            candidate = self._ways.candidate(int(having[place]))
            if isinstance(candidate, Candidate):
                best = _better(best, self._alone(candidate))
        return best

    def _carriage(self, priced: Priced) -> int:
        """Of everything."""
        return parcels_of(priced, self._question.snapshot.stock.items, self._question.wanted).cost_minor

    def _alone(self, candidate: Candidate) -> Found:
        beside = sum(
            candidate.unit_costs[sku].total * count
            for sku, count in self._question.wanted.items()
            if sku in candidate.unit_costs
        )
        cost = candidate.fixed_cost + candidate.lateness_cost + self._carriage(candidate) + beside
        return Found((candidate,), (self._question.whole.units,), cost, candidate.window)

    def _rests(self, level: Level) -> list[_Rest]:
        """What is carried beside what a counter has for nothing; and everything, carried."""
        everything = _Rest(np.zeros(0, np.int64), self._wanted, self._grams, 0)
        counter = np.flatnonzero(~self._ways.is_carried[level.numbers])
        if not len(counter):
            return [everything]
        lacking: Ints = np.maximum(0, self._wanted - level.pieces[counter[0]])
        cost = int(self._ways.fixed[level.numbers[counter[0]]]) + self._split_cost
        return [_Rest(counter, lacking, int(lacking @ self._weights), cost), everything]

    def _of_rest(self, level: Level, rest: _Rest, best: Found | None) -> Found | None:
        """The best plan so far, and of those in which others have the rest."""
        carried = np.flatnonzero(self._ways.may_split[level.numbers])
        most_legs = min(self._question.ruleset.max_parcels - len(rest.given), len(carried))
        if most_legs < 1:
            return best
        fixed = self._ways.fixed[level.numbers[carried]] + rest.cost + self._least_unit_costs
        beside = self._beside_one_at_least(level, carried, rest, most_legs)
        left: list[Ints] = []
        if len(rest.given):
            having = (level.pieces[carried] >= rest.wanted).all(axis=1)
            pairs = Pairs(carried[having], np.repeat(rest.given, having.sum()), fixed[having] + beside[1])
            best, not_tried = self._of_pairs(level, pairs, rest.given[:0], best)
            left.append(not_tried)
        if most_legs >= 2:
            able = carried[fixed + beside[2] <= _cost(best)]
            best, not_tried = self._of_all_pairs(level, able, rest, best)
            left.append(not_tried)
        further = fixed + min(beside[3:], default=_NEVER)
        if np.count_nonzero(further <= _cost(best)) > _FEW:
            best = self._search(level, self._promising(level), self._question.ruleset.max_parcels, best)
        able = carried[further <= _cost(best)]
        places = np.unique(np.concatenate([*left, able]))
        if not len(places):
            return best
        places = np.concatenate([rest.given, places])
        # A second plan is kept so that those of the same cost are compared.
        return self._search(level, places, len(rest.given) + (most_legs if len(able) else 2), best, alternatives=2)

    def _beside_one_at_least(self, level: Level, carried: Ints, rest: _Rest, most_legs: int) -> list[int]:
        """By the number of legs: what they cost at least beside the fixed cost of one of them and units."""
        costs: dict[int, int] = {}
        for number in np.unique(self._ways.offer_of[level.numbers[carried]]).tolist():
            for up_to, cost in zip(*self._asked.tables[number], strict=True):
                grams = min(int(up_to), rest.grams)
                costs[grams] = min(int(cost), costs.get(grams, NO_LIMIT))
        carriage = Carriage(costs, rest.grams).whole(most_legs)
        cheapest = np.sort(self._ways.fixed[level.numbers[carried]])[: most_legs - 1]
        others = [0, 0, *np.cumsum(cheapest + self._split_cost).tolist()]
        return [cost + weight for cost, weight in zip(others, carriage, strict=True)]

    def _of_all_pairs(
        self, level: Level, places: Ints, rest: _Rest, best: Found | None
    ) -> tuple[Found | None, Ints]:
        """As `_of_pairs`, of those pairs of these ways that have the rest."""
        ways, numbers = self._ways, level.numbers[places]
        legs = Legs(level.pieces[places], ways.fixed[numbers], ways.offer_of[numbers], ways.row_of[numbers])
        pairs = pairs_of(legs, self._asked, rest.wanted, self._split_cost)
        if pairs is None:
            return best, places
        at_least = pairs.at_least + rest.cost + self._least_unit_costs
        found = Pairs(places[pairs.first], places[pairs.second], at_least)
        return self._of_pairs(level, found, rest.given, best)

    def _of_pairs(self, level: Level, pairs: Pairs, given: Ints, best: Found | None) -> tuple[Found | None, Ints]:
        """The best plan so far, and of pairs beside given legs; ways of those that were not tried in the end."""
        left = pairs.up_to(_cost(best))
        for count in _TRIED_PAIRS:
            if len(left):
                tried, left = left.parted(count)
                best = self._of_sets(level, tried, given.tolist(), best)
                left = left.up_to(_cost(best))
        return best, left.ways

    def _of_sets(self, level: Level, pairs: Pairs, given: list[int], best: Found | None) -> Found | None:
        """The best plan so far, and of pairs in order beside the given legs, as far as they could be as cheap."""
        rows = self._rows(level, [*given, *pairs.ways.tolist()])
        max_parcels = self._question.ruleset.max_parcels
        grid = Grid(list(rows.values()), self._question.whole, self._split_cost, max_parcels)
        number_of = {id(candidate): number for number, candidate in enumerate(grid.candidates)}
        numbers = {place: number_of.get(id(row.candidate), -1) for place, row in rows.items()}
        for *places, at_least in zip(
            pairs.first.tolist(), pairs.second.tolist(), pairs.at_least.tolist(), strict=True
        ):
            if at_least > _cost(best):
                break
            legs = [numbers.get(place, -1) for place in (*given, *places)]
            if -1 not in legs:  # Of a way that is no candidate, or that another service of the point beats.
                best = _better(best, self._shared(grid, legs, _cost(best) + 1))
        return best

    def _shared(self, grid: Grid, legs: Sequence[int], limit: int) -> Found | None:
        """The units shared over these legs, if that costs less than `limit`."""
        candidates = [grid.candidates[leg] for leg in legs]
        overhead = overhead_of(candidates, self._split_cost)
        min_value = self._question.ruleset.min_split_value_minor
        packed = cheapest(grid, legs, limit - overhead, Budget(engine.BUDGET_STEPS), min_value).packed
        return None if packed is None else found_of(candidates, packed, overhead)

    def _promising(self, level: Level) -> Ints:
        """Places of ways among which there should be a good split: those that add most for what they cost."""
        costs = np.maximum(1, self._ways.fixed[level.numbers] + self._split_cost)
        value = 1 / np.maximum(1, self._wanted)
        left, chosen = self._wanted, set[int]()
        while left.any():
            gains = (np.minimum(level.pieces, left) @ value) / costs
            order = np.argsort(-gains, kind="stable")[: _FEW // 2]
            chosen.update(order[gains[order] > 0].tolist())
            if gains[order[0]] <= 0:
                break
            left = np.maximum(0, left - level.pieces[order[0]])
        return np.array(sorted(chosen), np.int64)

    def _search(
        self, level: Level, places: Ints, most_legs: int, best: Found | None, alternatives: int = 1
    ) -> Found | None:
        """The best plan so far, and of so many legs at most with these ways of a level."""
        rows = list(self._rows(level, places.tolist()).values())
        rules = self._question.ruleset
        rules = replace(rules, alternatives=alternatives, max_parcels=min(most_legs, rules.max_parcels))
        answer = search(rows, self._question.whole, rules, engine.BUDGET_STEPS, must_be_whole=True, known=best)
        return answer.found[0] if answer.found else best

    def _rows(self, level: Level, places: Sequence[int]) -> dict[int, Row]:
        """Of these ways those that are candidates, by place."""
        rows: dict[int, Row] = {}
        for place in places:
            candidate = self._ways.candidate(int(level.numbers[place]))
            if isinstance(candidate, Candidate):
                row = self._question.row(candidate)
                rows[place] = replace(row, capacity=tuple(level.pieces[place].tolist()))
        return rows

    def _unit_costs_at_least(self) -> int:
        """Of all units: only a markdown that is avoided costs less than nothing."""
        rules, channel_id = self._question.ruleset, self._question.request.channel_id
        if rules.markdown is None:
            return 0
        items = self._question.snapshot.stock.items
        return -sum(
            rules.markdown.gain(items[sku].price_minor(channel_id, rules.currency), 100, 0) * units
            for sku, units in self._question.wanted.items()
        )

    # -- why there is none ------------------------------------------------------------------------------------

    def _why_not(self) -> Unplanned:
        """The first line that cannot be had by itself; or else why not all of them."""
        question, lines = self._question, self._question.request.lines
        reasons: dict[str, str] = {}
        served = dict(question.wanted)
        for sku, units in question.wanted.items():
            served[sku], reason = self._reach(sku, units)
            if reason:
                reasons[sku] = reason
        missing = unplanned(lines, served, reasons)
        if missing:
            return missing[0]
        rules = question.ruleset
        is_once = any(offer.service.one_shipment for offer in self._ways.offers)
        if not rules.together_tags and not rules.min_split_value_minor and not is_once:
            return Unplanned(lines[0].line_number, lines[0].sku, lines[0].quantity, "TOO_MANY_PARCELS")
        outcome = engine.plan(question.snapshot, question.request, rules, ground=self._ground)
        return outcome.unplanned[0]

    def _reach(self, sku: str, units: int) -> tuple[int, str]:
        """How many of so many units can be had at all, and why not all of them."""
        ways = self._ways
        here = ways.units[:, ways.columns[sku]]
        if here.sum() < units:
            seen = self._ground.shelves.stocked().seen[:, ways.columns[sku]].sum()
            reason = "NOT_PERSONALISED" if sku in self._ground.needs and seen >= units else "NO_STOCK"
            return int(here.sum()), reason
        offers = ways.gatherer.offers
        met = {reason for _, reason, _ in offers.refused}
        if ways.is_far(sku):
            met.add("TOO_FAR")
        taking = [sku not in offer.misfits for offer in ways.offers]
        numbers = [n for n in np.flatnonzero(here[ways.row_of] > 0).tolist() if taking[ways.offer_of[n]]]
        reached: dict[int, int] = {}
        for number in sorted(numbers, key=lambda n: (ways.fixed[n], n)):
            found = ways.candidate(number)
            if isinstance(found, Candidate):
                reached[int(ways.row_of[number])] = found.capacity[sku]
                if sum(reached.values()) >= units:
                    return units, ""
            else:
                met.add(found[0])
        if met & CROWDED:
            return sum(reached.values()), "NO_CAPACITY"
        return sum(reached.values()), offers.misfits.get(sku) or most_telling(met)


def _columns(caps: Sequence[int], costs: Sequence[int]) -> tuple[Ints, Ints]:
    return np.array(caps, np.int64), np.array(costs, np.int64)


def _cost(found: Found | None) -> int:
    return _NEVER if found is None else found.cost


def _better(one: Found | None, other: Found | None) -> Found | None:
    if one is None or other is None:
        return one or other
    return other if precedes(other, one) else one
