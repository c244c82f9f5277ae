"""Whether parcels should meet at a hub and leave as one shipment, and at which (SPEC RTE-8).

What goes on from a hub by one service costs the same however the points before it share the units. So each hub
with each service is the ordinary search over legs that end there; the cheapest of them is held against the best
plan without a hub, which stays where it costs no more. Rules about what the customer receives (splits, what must
travel together, one parcel) are met by what leaves the hub; those about points hold for the legs.
"""

import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from services.promise.domain import joined_plans
from services.promise.domain.candidates import Candidate
from services.promise.domain.filling import filling_of
from services.promise.domain.found import Found
from services.promise.domain.grid import Demand, Row
from services.promise.domain.ground import Ground
from services.promise.domain.hubs import Meeting, Onward, hubs, inbound, onwards
from services.promise.domain.levels import boxless
from services.promise.domain.modes import TERMS
from services.promise.domain.network import SHIP_FROM_STORE, Limits, PlanRequest, PointType
from services.promise.domain.offers import Offers
from services.promise.domain.personalising import done_at
from services.promise.domain.plans import AskedHub, Consolidating, HubVerdict, Outcome, Plan
from services.promise.domain.question import wanted_units
from services.promise.domain.reasons import unplanned
from services.promise.domain.rulesets import NO_RULE, Ruleset, Strictness
from services.promise.domain.search import search
from services.promise.domain.snapshot import Snapshot, place_of

# Hubs that are looked at, and ways on from them that are searched, the least first; and what each search may take.
HUBS = 20
ASKED = 6
BUDGET_STEPS = 20_000
_NO_LIMIT = sys.maxsize


@dataclass(frozen=True, slots=True)
class Asked:
    """A question that has its answer without hubs. `stocked`: units of each SKU that are wanted and in stock.

    `strictness`: how far that answer keeps strict rules, so that no other points are asked now.
    """

    snapshot: Snapshot
    request: PlanRequest
    ruleset: Ruleset
    stocked: Mapping[str, int]
    strictness: Strictness
    ground: Ground


def is_allowed(request: PlanRequest, ruleset: Ruleset) -> bool:
    """Whether hubs may be used at all: for what goes to an address."""
    terms = TERMS[request.mode]
    is_wanted = request.may_consolidate and ruleset.consolidation is not None
    return is_wanted and terms.by_carrier and not terms.is_collected


def is_asked(request: PlanRequest, ruleset: Ruleset, direct: Outcome) -> bool:
    """Whether there is something to join, too: what leaves from one point needs no hub."""
    is_one = direct.is_complete and len(direct.plans[0].legs) == 1
    return is_allowed(request, ruleset) and not is_one


def with_hubs(asked: Asked, direct: Outcome, budget_steps: int) -> Outcome:
    """The answer with what meeting at a hub makes better: more units sent, or the same for less."""
    unfinished = {} if direct.is_complete else _unfinished(asked)
    if unfinished:
        found = _with_hubs(replace(asked, stocked={**asked.stocked, **unfinished}), direct, budget_steps)
        if found.plans != direct.plans:
            return found
    return _with_hubs(asked, direct, budget_steps)


def _unfinished(asked: Asked) -> dict[str, int]:
    """More units of articles that something is to be put on: those at points that cannot, while others can."""
    points, needs = asked.snapshot.stock.points.values(), asked.ground.needs
    done = frozenset(sku for point in points for sku in done_at(needs, point))
    if not done:
        return {}
    wanted = wanted_units(asked.snapshot.stock, asked.request)
    left = {sku: need for sku, need in needs.items() if sku not in done}
    anywhere = Ground(asked.snapshot, asked.request, asked.ruleset, wanted, left)
    ships = [one for one in points if one.type is not PointType.STORE or SHIP_FROM_STORE in one.capabilities]
    shelves = [anywhere.shelf(point, is_counter=False).units for point in ships]
    there = {sku: min(wanted[sku], sum(units.get(sku, 0) for units in shelves)) for sku in done}
    return {sku: units for sku, units in there.items() if units > asked.stocked[sku]}


def _with_hubs(asked: Asked, direct: Outcome, budget_steps: int) -> Outcome:
    served = _served(asked, direct)
    is_more = served != asked.stocked
    if not any(asked.stocked.values()) or (not is_more and len(direct.plans[0].legs) == 1):
        return direct
    meeting = _meeting(asked, direct, is_more=is_more)
    if meeting is None:
        return direct
    limit = _NO_LIMIT if is_more else direct.plans[0].total_cost_minor
    for strictness in _levels(asked.ruleset, meeting) if is_more else [asked.strictness]:
        found = _Search(meeting, strictness, limit, min(BUDGET_STEPS, budget_steps))
        found.run()
        if found.plans:
            break
    if is_more and not found.plans:
        return replace(direct, consolidating=Consolidating(None, found.told()))
    if is_more:
        missing = unplanned(asked.request.lines, asked.stocked, dict.fromkeys(asked.stocked, "NO_STOCK"))
        direct = replace(direct, plans=(), unplanned=missing, proved_optimal=True, least_cost_minor=_NO_LIMIT)
    # Of equal cost the direct ones come first.
    plans = sorted((*direct.plans, *found.plans), key=lambda plan: plan.total_cost_minor)
    least = min(plans[0].total_cost_minor, direct.least_cost_minor, found.least_cost)
    return replace(
        direct,
        plans=tuple(plans[: asked.ruleset.alternatives]),
        proved_optimal=least == plans[0].total_cost_minor,
        least_cost_minor=least,
        consolidating=Consolidating(None if is_more else limit, found.told(plans[0])),
    )


def joined(
    snapshot: Snapshot, request: PlanRequest, ruleset: Ruleset, ground: Ground, budget_steps: int
) -> Outcome | None:
    """All units on their way to the hub where others wait for them; None where not all of them can be.

    Whatever it costs: what waits there waits for them, and goes on as it was planned.
    """
    place, there = place_of(snapshot, request), request.joins
    hub = snapshot.stock.points.get(there.point_id) if there else None
    if there is None or hub is None or isinstance(place, str) or ruleset.consolidation is None:
        return None
    units = wanted_units(snapshot.stock, request)
    meeting = Meeting(snapshot, request, ruleset, ruleset.consolidation, units, place, ground, is_needed=True)
    offers = Offers(snapshot, request, ruleset, units, place, is_listing=False)
    by = (there.carrier_id, there.service_id)
    way = next((one for one in onwards(meeting, offers, hub) if one.id[1:] == by), None)
    if way is None:
        return None
    for strictness in _levels(ruleset, meeting):
        found = _Search(meeting, strictness, _NO_LIMIT, min(BUDGET_STEPS, budget_steps), may_be_there=True)
        found.ask(way, 0)
        if found.plans:
            best = found.plans[0]
            seen = tuple(ground.shelves.seen(None, is_all=True))
            is_proved = found.least_cost == best.total_cost_minor
            outcome = Outcome((best,), (), (), seen, proved_optimal=is_proved, least_cost_minor=found.least_cost)
            return replace(outcome, consolidating=Consolidating(None, found.told(best)))
    return None


def _levels(ruleset: Ruleset, meeting: Meeting) -> Iterator[Strictness]:
    """For what is not sent whole without hubs: from the strictest to all there is."""
    points = meeting.snapshot.stock.points.values()
    tiers = sorted({ruleset.tier(point.type) for point in points})
    anywhere = meeting.ground_without(frozenset(meeting.ground.needs))
    has_buffers = any(anywhere.shelf(point, is_counter=False).kept_back for point in points)
    for tier in tiers if has_buffers else tiers[:-1]:
        yield Strictness(tier, keeps_buffers=True)
    yield NO_RULE


def _served(asked: Asked, direct: Outcome) -> dict[str, int]:
    """Units of each SKU that are sent without hubs."""
    served = dict.fromkeys(asked.stocked, 0)
    for leg in direct.plans[0].legs if direct.plans else ():
        for line in leg.lines:
            served[line.sku] += line.quantity
    return served


def _meeting(asked: Asked, direct: Outcome, *, is_more: bool) -> Meeting | None:
    """What is to meet. What needs no hub costs the customer no more for it, and comes some days later at most."""
    place, consolidation = place_of(asked.snapshot, asked.request), asked.ruleset.consolidation
    if isinstance(place, str) or consolidation is None:
        return None
    units = {sku: count for sku, count in asked.stocked.items() if count}
    request, ground = asked.request, asked.ground
    if not is_more:
        best = direct.plans[0]
        latest = best.window.end + consolidation.wait
        if request.limits is not None:
            latest = min(latest, request.limits.window_end)
        request = replace(request, limits=Limits(latest, best.price))
    if len(units) < len(asked.stocked):
        ground = Ground(asked.snapshot, request, asked.ruleset, units)
    return Meeting(asked.snapshot, request, asked.ruleset, consolidation, units, place, ground, is_more)


class _Search:
    """Asks the hubs, the least first, and keeps the plan of each. Plans that cost `limit` are of no use."""

    def __init__(
        self,
        meeting: Meeting,
        strictness: Strictness,
        limit: int,
        budget_steps: int,
        *,
        may_be_there: bool = False,
    ) -> None:
        """`may_be_there`: that a hub has all of it itself is a plan too: others wait there for it."""
        self._meeting = meeting
        self._may_be_there = may_be_there
        self._strictness = strictness
        self._limit = limit
        self._budget_steps = budget_steps
        # What leaves a hub is one shipment, and none of a split.
        self._rules = replace(
            meeting.ruleset, split_cost_minor=0, min_split_value_minor=0, together_tags=(), alternatives=1
        )
        items, self._skus = meeting.snapshot.stock.items, tuple(meeting.units)
        alone = boxless(items, self._skus, meeting.snapshot.boxes_in(meeting.ruleset.currency))
        self._demand = Demand(
            skus=self._skus,
            weights=tuple(0 if sku in alone else items[sku].weight_grams for sku in self._skus),
            values=(0,) * len(self._skus),
            units=tuple(meeting.units.values()),
        )
        self._inbound: dict[str, list[Candidate]] = {}
        self._asked: list[AskedHub] = []
        self._by_hub: list[tuple[AskedHub, Plan]] = []
        # What plans by way of a hub cost at least.
        self.least_cost = limit

    @property
    def plans(self) -> list[Plan]:
        """Of hubs, best first."""
        return [plan for _, plan in sorted(self._by_hub, key=lambda one: _rank(*one))]

    def told(self, chosen: Plan | None = None) -> tuple[AskedHub, ...]:
        """What became of each hub."""
        known = (replace(hub, verdict=HubVerdict.CHOSEN) if plan is chosen else hub for hub, plan in self._by_hub)
        return tuple(sorted((*self._asked, *known), key=lambda hub: (hub.point_id, hub.service_id)))

    def run(self) -> None:
        """Asks as many as are worth it."""
        meeting = self._meeting
        offers = Offers(
            meeting.snapshot, meeting.request, meeting.ruleset, meeting.units, meeting.place, is_listing=False
        )
        ways: list[Onward] = []
        near, rest = (ranked := hubs(meeting))[:HUBS], ranked[HUBS:]
        for _, hub in near:
            found = list(onwards(meeting, offers, hub))
            ways += found
            if not found:
                self._asked.append(AskedHub(hub.point_id, "", HubVerdict.NO_WAY_ON))
        joining = meeting.consolidation.cost_minor + self._least_of_units()
        ways.sort(key=lambda onward: (onward.cost, onward.id))
        for number, onward in enumerate(ways):
            self._look_at(onward, onward.cost + joining, is_asked=number < ASKED)
        if rest and not self._is_beaten(rest[0][0] + joining):
            self.least_cost = min(self.least_cost, rest[0][0] + joining)

    def _look_at(self, onward: Onward, least: int, *, is_asked: bool) -> None:
        hub, service = onward.hub.point_id, onward.offer.service.service_id
        if self._is_beaten(least):
            self._asked.append(AskedHub(hub, service, HubVerdict.CANNOT_BE_CHEAPER, least))
        elif not is_asked:
            self.least_cost = min(self.least_cost, least)
            self._asked.append(AskedHub(hub, service, HubVerdict.NOT_ASKED, least))
        else:
            self.ask(onward, least)

    def _is_beaten(self, least: int) -> bool:
        """A plan that costs as much as another one by way of a hub may still rank before it."""
        return least >= self._limit or any(plan.total_cost_minor < least for _, plan in self._by_hub)

    def ask(self, onward: Onward, least: int) -> None:
        """What costs least by one way on, which costs so much at least."""
        hub, service = onward.hub.point_id, onward.offer.service.service_id
        legs = self._legs(onward)
        rows = [row for row in map(self._row, legs) if any(row.capacity)]
        if not self._is_all(rows):
            self._asked.append(AskedHub(hub, service, HubVerdict.NOT_ALL_THERE))
            return
        answer = search(rows, self._demand, self._rules, self._budget_steps, must_be_whole=True)
        if not answer.found:
            if not answer.proved:
                self.least_cost = min(self.least_cost, least)
            self._asked.append(AskedHub(hub, service, HubVerdict.NOT_ALL_THERE))
            return
        found, cost = answer.found[0], answer.found[0].cost + onward.cost
        self.least_cost = min(self.least_cost, cost, answer.least_cost + onward.cost)
        told = AskedHub(hub, service, HubVerdict.NOT_CHEAPER, cost)
        if _is_direct(found) and not self._may_be_there:
            self._asked.append(told)
        else:
            self._by_hub.append((told, joined_plans.plan(self._meeting, onward, found)))

    def _legs(self, onward: Onward) -> list[Candidate]:
        """All that could be at the hub in time, what it has itself included."""
        hub_id = onward.hub.point_id
        if hub_id not in self._inbound:
            self._inbound[hub_id] = inbound(self._meeting, onward.hub)
        joining = (onward.joining(candidate) for candidate in self._inbound[hub_id])
        return [leg for leg in (onward.own(), *joining) if leg is not None and self._is_allowed(leg)]

    def _is_allowed(self, leg: Candidate) -> bool:
        return self._meeting.ruleset.tier(leg.point.type) <= self._strictness.last_tier

    def _row(self, leg: Candidate) -> Row:
        kept = leg.kept_back if self._strictness.keeps_buffers else {}
        return Row(
            leg,
            tuple(max(0, leg.capacity.get(sku, 0) - kept.get(sku, 0)) for sku in self._skus),
            tuple(map(leg.unit_cost, self._skus)),
            filling_of(leg.tariff, [{sku: 1} for sku in self._skus]) if leg.tariff else None,
        )

    def _is_all(self, rows: Sequence[Row]) -> bool:
        """Whether there are as many units as are wanted. Of a point the roomiest leg counts."""
        roomiest: dict[str, list[int]] = {}
        for row in rows:
            room = roomiest.setdefault(row.candidate.point.point_id, [0] * len(self._skus))
            room[:] = map(max, room, row.capacity)
        there = (sum(room[n] for room in roomiest.values()) for n in range(len(self._skus)))
        return all(units >= wanted for units, wanted in zip(there, self._demand.units, strict=True))

    def _least_of_units(self) -> int:
        """What all units cost at least beside carriage."""
        meeting = self._meeting
        least = dict.fromkeys(self._skus, 0)
        anywhere = meeting.ground_without(frozenset(meeting.ground.needs))
        for point in meeting.snapshot.stock.points.values():
            for sku, costs in anywhere.shelf(point, is_counter=False).unit_costs.items():
                least[sku] = min(least[sku], costs.total)
        return sum(least[sku] * units for sku, units in meeting.units.items())


def _is_direct(found: Found) -> bool:
    """Whether the hub has all of it: nothing meets there."""
    return len(found.legs) == 1 and not found.legs[0].carrier_id


def _rank(hub: AskedHub, plan: Plan) -> tuple[object, ...]:
    return (plan.total_cost_minor, plan.window.rank, -plan.order_before.timestamp(), hub.point_id, hub.service_id)
