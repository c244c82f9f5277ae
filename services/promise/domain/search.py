"""Branch and bound over sets of candidates: the cheapest ways to have all units, or most of them.

Exact unless its budget runs out; then the answer is the best so far and `proved` is false. One leg a point.
Plans compare by cost, then window, then how late one may still order: a set only gets worse in this order when a
leg is added, so a set that is no better than the worst plan kept is never extended.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from services.promise.domain.candidates import Candidate
from services.promise.domain.network import Window
from services.promise.domain.packing import Budget, BudgetSpent, LegRoom, Shares, cheapest_shares, most_units
from services.promise.domain.rates import parcel_cost
from services.promise.domain.rulesets import Ruleset


@dataclass(frozen=True, slots=True)
class Demand:
    """Units of each SKU and their weights, by index."""

    skus: tuple[str, ...]
    weights: tuple[int, ...]
    units: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Found:
    """A set of legs with the units of each."""

    legs: tuple[Candidate, ...]
    shares: Shares
    cost: int
    window: Window

    def order_before(self) -> datetime:
        """The last instant at which the legs are all in time for the window."""
        return min(leg.order_before(self.window) for leg in self.legs)


@dataclass(frozen=True, slots=True)
class Answer:
    """Best first. `units` is what they all serve."""

    found: tuple[Found, ...]
    units: tuple[int, ...]
    proved: bool


@dataclass(frozen=True, slots=True)
class _Choice:
    """A candidate with figures by SKU index. `floor`: the least that a leg of it costs."""

    candidate: Candidate
    room: LegRoom
    floor: int


class Search:
    """One search for one demand."""

    def __init__(self, candidates: Sequence[Candidate], ruleset: Ruleset, promised_until: datetime | None) -> None:
        self._candidates = candidates
        self._ruleset = ruleset
        self._promised_until = promised_until

    def run(self, demand: Demand, budget_steps: int) -> Answer:
        """All of the demand when that can be, else the most units of it."""
        every_unit = _Cheapest(self, demand, self._ruleset.alternatives, budget_steps)
        proved = every_unit.explore()
        if every_unit.kept or not self._candidates:
            return Answer(tuple(every_unit.kept), demand.units, proved)
        most = _Most(self, demand, budget_steps)
        proved = most.explore() and proved
        if most.best is None:
            return Answer((), (0,) * len(demand.units), proved)
        part = Demand(demand.skus, demand.weights, tuple(map(sum, zip(*most.best.shares, strict=True))))
        ranked = _Cheapest(self, part, self._ruleset.alternatives, budget_steps)
        ranked.keep(most.best)
        proved = ranked.explore() and proved
        return Answer(tuple(ranked.kept), part.units, proved)

    # -- shared by the two explorations -----------------------------------------------------------------------

    def choices(self, demand: Demand) -> list[_Choice]:
        """Candidates that could carry something of the demand, without those that another always beats."""
        choices = []
        for candidate in self._candidates:
            capacity = tuple(
                min(units, candidate.capacity.get(sku, 0))
                for sku, units in zip(demand.skus, demand.units, strict=True)
            )
            if any(capacity):
                floor = candidate.fixed_cost + candidate.steps[0].cost_minor
                choices.append(_Choice(candidate, LegRoom(capacity, candidate.steps), floor))
        choices.sort(key=lambda c: (c.floor, c.candidate.window.rank, c.candidate.id))
        by_point: dict[str, list[_Choice]] = {}
        for choice in choices:
            by_point.setdefault(choice.candidate.point.point_id, []).append(choice)
        return [
            choice
            for choice in choices
            if not any(
                self._beats(other, choice)
                for other in by_point[choice.candidate.point.point_id]
                if other is not choice
            )
        ]

    def _beats(self, a: _Choice, b: _Choice) -> bool:
        """Whether service `a` takes all that `b` of the same point takes, always for less and no later."""
        if any(mine < theirs for mine, theirs in zip(a.room.capacity, b.room.capacity, strict=True)):
            return False
        if a.room.steps[-1].up_to_grams < b.room.steps[-1].up_to_grams:
            return False
        if self._lateness(a.candidate.window) > self._lateness(b.candidate.window):
            return False
        # Costs never fall with weight, so the weights at b's limits tell all.
        return all(parcel_cost(a.room.steps, step.up_to_grams) < step.cost_minor for step in b.room.steps)

    def _lateness(self, window: Window) -> int:
        return self._ruleset.lateness_cost(window.end, self._promised_until)

    def overhead(self, legs: Sequence[_Choice], window: Window) -> int:
        """What a set costs beside its parcels' rates."""
        fixed = sum(leg.candidate.fixed_cost for leg in legs)
        return fixed + (len(legs) - 1) * self.split_cost + self._lateness(window)

    def floor(self, legs: Sequence[_Choice], window: Window) -> int:
        """What a set costs at least."""
        parcels = sum(leg.floor for leg in legs)
        return parcels + (len(legs) - 1) * self.split_cost + self._lateness(window)

    @property
    def split_cost(self) -> int:
        """Of each leg after the first."""
        return self._ruleset.split_cost_minor

    @property
    def max_parcels(self) -> int:
        """The most legs of a plan."""
        return self._ruleset.max_parcels


def _ids(legs: Sequence[Candidate]) -> list[tuple[str, str, str]]:
    return sorted(leg.id for leg in legs)


def _least(a: int | None, b: int | None) -> int | None:
    return min((cost for cost in (a, b) if cost is not None), default=None)


def _window(legs: Sequence[_Choice]) -> Window:
    """The latest of the legs."""
    return max((leg.candidate.window for leg in legs), key=lambda window: window.rank)


def _found(search: Search, demand: Demand, legs: Sequence[_Choice], shares: Shares) -> Found:
    window = _window(legs)
    parcels = 0
    for leg, share in zip(legs, shares, strict=True):
        weight = sum(units * w for units, w in zip(share, demand.weights, strict=True))
        parcels += parcel_cost(leg.room.steps, weight)
    cost = search.overhead(legs, window) + parcels
    return Found(tuple(leg.candidate for leg in legs), shares, cost, window)


class _Cheapest:
    """The cheapest sets that serve every unit of a demand."""

    def __init__(self, search: Search, demand: Demand, keep: int, budget_steps: int) -> None:
        self._search = search
        self._demand = demand
        self._keep = keep
        self._budget = Budget(budget_steps)
        self.kept: list[Found] = []

    def explore(self) -> bool:
        """Fills `kept`; whether it looked at everything that could matter."""
        try:
            self._extend([], list(self._demand.units), self._search.choices(self._demand))
        except BudgetSpent:
            return False
        return True

    def keep(self, found: Found) -> None:
        """Puts a plan in its place among the best; of equal sets the first stays."""
        if any(_ids(other.legs) == _ids(found.legs) for other in self.kept):
            return
        place = len(self.kept)
        while place and self._precedes(found.cost, found.window, found.legs, self.kept[place - 1]):
            place -= 1
        self.kept.insert(place, found)
        del self.kept[self._keep :]

    def _extend(
        self, legs: list[_Choice], left: list[int], allowed: list[_Choice], limit: int | None = None
    ) -> None:
        """Explores every set that is `legs` and at least one of `allowed`, sets of one size before larger ones.

        `limit`: what a part of the set costs that serves all by itself; it makes dearer sets pointless.
        """
        open_skus = [i for i, units in enumerate(left) if units]
        self._budget.spend(1 + len(allowed) * (1 + len(open_skus)) // 2)
        parcels_left = self._search.max_parcels - len(legs)
        if parcels_left < 1:
            return
        branches = self._branches(left, open_skus, allowed, parcels_left) if open_skus else allowed
        split = self._search.split_cost
        so_far = sum(leg.floor for leg in legs) + len(legs) * split
        one_more = split + min((choice.floor for choice in allowed), default=0)
        tried: set[int] = set()
        reached: list[tuple[list[_Choice], list[int], int | None, set[int]]] = []
        for choice in branches:
            tried.add(id(choice))
            floor = so_far + choice.floor
            if self._is_too_dear(floor, limit):
                continue
            extended = [*legs, choice]
            still = [max(0, units - cap) for units, cap in zip(left, choice.room.capacity, strict=True)]
            cost = limit
            if not any(still) and not self._is_hopeless(extended, limit):
                cost = _least(limit, self._evaluate(extended))
            if parcels_left > 1 and not self._is_too_dear(floor + one_more, cost):
                reached.append((extended, still, cost, set(tried)))
        for extended, still, cost, passed in reached:
            if self._is_too_dear(so_far + extended[-1].floor + one_more, cost) or self._is_hopeless(
                extended, cost
            ):
                continue
            point_id = extended[-1].candidate.point.point_id
            rest = [c for c in allowed if id(c) not in passed and c.candidate.point.point_id != point_id]
            if rest:
                self._extend(extended, still, rest, cost)

    def _is_too_dear(self, floor: int, limit: int | None) -> bool:
        """The quick part of `_is_hopeless`: by cost alone."""
        if limit is not None and floor >= limit:
            return True
        return len(self.kept) >= self._keep and floor > self.kept[-1].cost

    def _branches(
        self, left: list[int], open_skus: list[int], allowed: list[_Choice], parcels_left: int
    ) -> list[_Choice]:
        """The choices of which one must be in the set: those that stock the SKU that fewest stock."""
        gains = {id(c): sum(min(left[i], c.room.capacity[i]) for i in open_skus) for c in allowed}
        # No set gains more than its members gain alone.
        if sum(sorted(gains.values(), reverse=True)[:parcels_left]) < sum(left):
            return []
        holders = [[c for c in allowed if c.room.capacity[i]] for i in open_skus]
        scarcest = min(range(len(open_skus)), key=lambda n: (len(holders[n]), open_skus[n]))
        return sorted(holders[scarcest], key=lambda c: -gains[id(c)])

    def _is_hopeless(self, legs: list[_Choice], limit: int | None) -> bool:
        """Whether no set with these legs can be kept."""
        window = _window(legs)
        floor = self._search.floor(legs, window)
        if limit is not None and floor >= limit:
            return True
        if len(self.kept) < self._keep:
            return False
        return not self._precedes(floor, window, [leg.candidate for leg in legs], self.kept[-1])

    def _evaluate(self, legs: list[_Choice]) -> int | None:
        """Keeps the set if it is among the best; its cost if it serves all."""
        window = _window(legs)
        overhead = self._search.overhead(legs, window)
        candidates = [leg.candidate for leg in legs]

        def is_too_dear(parcels: int) -> bool:
            full = len(self.kept) >= self._keep
            return full and not self._precedes(overhead + parcels, window, candidates, self.kept[-1])

        rooms = [leg.room for leg in legs]
        shares = cheapest_shares(self._demand.units, self._demand.weights, rooms, is_too_dear, self._budget)
        if shares is None:
            return None
        found = _found(self._search, self._demand, legs, shares)
        self.keep(found)
        return found.cost

    def _precedes(self, cost: int, window: Window, legs: Sequence[Candidate], other: Found) -> bool:
        """Whether this comes before `other`; the costly last comparison is made only on a tie."""
        if cost != other.cost:
            return cost < other.cost
        if window.rank != other.window.rank:
            return window.rank < other.window.rank
        mine, theirs = min(leg.order_before(window) for leg in legs), other.order_before()
        if mine != theirs:
            return mine > theirs
        return (len(legs), sorted(leg.id for leg in legs)) < (
            len(other.legs),
            sorted(leg.id for leg in other.legs),
        )


class _Most:
    """The set that serves most units; among equals the cheapest."""

    def __init__(self, search: Search, demand: Demand, budget_steps: int) -> None:
        self._search = search
        self._demand = demand
        self._budget = Budget(budget_steps)
        self._lightest_first = sorted(range(len(demand.weights)), key=lambda i: (demand.weights[i], i))
        self._is_exact = True
        self.best: Found | None = None
        self._units = 0

    def explore(self) -> bool:
        """Fills `best`; whether it is proved."""
        try:
            self._extend([], list(self._demand.units), self._search.choices(self._demand))
        except BudgetSpent:
            return False
        return self._is_exact

    def _extend(self, legs: list[_Choice], left: list[int], allowed: list[_Choice]) -> None:
        parcels_left = self._search.max_parcels - len(legs)
        if parcels_left < 1 or not allowed:
            return
        self._budget.spend(1 + len(allowed) * (1 + len(left)) // 2)
        gains = [(self._gain(left, choice), choice) for choice in allowed]
        gains.sort(key=lambda gain: -gain[0])
        served = sum(self._demand.units) - sum(left)
        for number, (gain, choice) in enumerate(gains):
            # No set gains more than its members gain alone.
            reach = served + sum(g for g, _ in gains[number : number + parcels_left])
            extended = [*legs, choice]
            if reach < self._units or not gain:
                return
            if reach == self._units and self._costs_no_less(extended):
                continue
            still = self._evaluate(extended)
            point_id = choice.candidate.point.point_id
            rest = [c for _, c in gains[number + 1 :] if c.candidate.point.point_id != point_id]
            self._extend(extended, still, rest)

    def _gain(self, left: list[int], choice: _Choice) -> int:
        """Units that one more leg could add: what it stocks, as many as its weight limit lets pass."""
        weights = self._demand.weights
        gain, grams = 0, choice.room.steps[-1].up_to_grams
        for i in self._lightest_first:
            units = min(left[i], choice.room.capacity[i])
            if units * weights[i] > grams:
                return gain + grams // weights[i]
            gain += units
            grams -= units * weights[i]
        return gain

    def _costs_no_less(self, legs: list[_Choice]) -> bool:
        window = _window(legs)
        return self.best is not None and self._search.floor(legs, window) >= self.best.cost

    def _evaluate(self, legs: list[_Choice]) -> list[int]:
        """Judges a set; the units that it leaves."""
        demand = self._demand
        rooms = [leg.room for leg in legs]
        together = map(sum, zip(*(room.capacity for room in rooms), strict=True))
        wanted = list(map(min, demand.units, together))
        taken = most_units(wanted, demand.weights, rooms, self._budget)
        if taken != wanted:
            self._is_exact = False
        still = [units - part for units, part in zip(demand.units, taken, strict=True)]
        if sum(taken) < max(1, self._units):
            return still
        shares = cheapest_shares(taken, demand.weights, rooms, lambda _: False, self._budget)
        if shares is not None:
            found = _found(self._search, demand, legs, shares)
            if sum(taken) > self._units or self.best is None or found.cost < self.best.cost:
                self.best, self._units = found, sum(taken)
        return still
