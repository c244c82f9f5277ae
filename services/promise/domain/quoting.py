"""What each mode offers for a whole basket, or why it offers nothing. Each choice is a question."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import islice

import numpy as np

from services.promise.domain import consolidating, engine, stages, whole
from services.promise.domain.candidates import start_of
from services.promise.domain.ground import Ground
from services.promise.domain.modes import TERMS, Appointments, ModeTerms
from services.promise.domain.network import Appointment, BasketLine, Mode, PlanRequest, Point, Position
from services.promise.domain.offers import appointment_of
from services.promise.domain.plans import DeliveryOption, NotOffered, Plan, Unplanned
from services.promise.domain.question import asked, wanted_units
from services.promise.domain.rulesets import Ruleset
from services.promise.domain.snapshot import Snapshot

# Of a customer who named no store: how far one may be, and how many are offered.
STORE_KILOMETRES = 50.0
STORES_OFFERED = 5

Answers = tuple[tuple[DeliveryOption, ...], tuple[NotOffered, ...]]


def all_modes(
    snapshot: Snapshot, request: PlanRequest, ruleset: Ruleset, appointments: Sequence[Appointment] = ()
) -> Answers:
    """Options in the order of the modes; of a mode the nearest store and the first appointment first."""
    basket = _Basket(snapshot, request, ruleset, appointments)
    options: list[DeliveryOption] = []
    not_offered: list[NotOffered] = []
    for mode in Mode:
        found, refused = basket.of_mode(replace(request, mode=mode))
        options += found
        if refused is not None:
            not_offered.append(refused)
    return tuple(options), tuple(not_offered)


def choice(request: PlanRequest) -> tuple[str, Appointment | None]:
    """The store and the appointment of a question, as far as its mode has one."""
    point_id = request.destination.point_id if TERMS[request.mode].is_collected else ""
    return point_id, appointment_of(request)


class _Basket:
    """What is asked for each mode, on common ground."""

    def __init__(
        self, snapshot: Snapshot, request: PlanRequest, ruleset: Ruleset, appointments: Sequence[Appointment]
    ) -> None:
        self._snapshot = snapshot
        self._ruleset = ruleset
        self._appointments = sorted(appointments, key=lambda one: (one.window.rank, one.service_id))
        self._sold = sold(snapshot)
        self._wanted = wanted_units(snapshot.stock, request)
        self._ground = Ground(snapshot, request, ruleset, self._wanted)
        self._stores = Stores(snapshot, request, self._ground)

    def of_mode(self, request: PlanRequest) -> tuple[list[DeliveryOption], NotOffered | None]:
        """Options, or the reason of the first choice that there was."""
        if TERMS[request.mode].by_carrier and request.mode not in self._sold:
            return [], not_sold(request.mode)
        options: list[DeliveryOption] = []
        refused: NotOffered | None = None
        for one in self._choices(request):
            answer = self._answer(one)
            if isinstance(answer, Plan):
                options.append(DeliveryOption(one.mode, answer, *choice(one)))
            else:
                missing = BasketLine(answer.line_number, answer.sku, answer.quantity)
                refused = refused or not_offered(one.mode, missing, answer.reason)
        if options:
            return options, None
        return [], refused or no_store(request.mode)

    def _answer(self, request: PlanRequest) -> Plan | Unplanned:
        question = asked(self._snapshot, request, self._ruleset)
        if isinstance(question, str):
            first = request.lines[0]
            return Unplanned(first.line_number, first.sku, first.quantity, question)
        if not stages.is_embargoed(self._snapshot.stock, request):
            best = whole.best(question, self._ground)
            if self._is_final(request, best):
                return best
        outcome = engine.plan(self._snapshot, request, self._ruleset, ground=self._ground)
        return outcome.plans[0] if outcome.is_complete else outcome.unplanned[0]

    def _is_final(self, request: PlanRequest, best: Plan | Unplanned) -> bool:
        """Whether neither waiting nor meeting at a hub can make it better."""
        stock, rules = self._snapshot.stock, self._ruleset
        if stages.is_awaited(stock, request, rules):
            least = stages.least_cost(stock, request, rules, start_of(request, TERMS[request.mode]))
            return isinstance(best, Plan) and best.total_cost_minor < least
        is_one = isinstance(best, Plan) and len(best.legs) == 1
        return is_one or not consolidating.is_allowed(request, rules)

    def _choices(self, request: PlanRequest) -> Iterable[PlanRequest]:
        """The questions of a mode: for each store, for each appointment, or the one."""
        terms = TERMS[request.mode]
        if terms.is_collected and not request.destination.point_id:
            return (
                replace(request, destination=replace(request.destination, point_id=store.point_id))
                for store in self._stores.best(terms, self._wanted)
            )
        if terms.appointments is not Appointments.NONE and self._appointments:
            return (replace(request, appointment=appointment) for appointment in self._appointments)
        return (request,)


class Stores:
    """Of a customer who named none: where a basket could be collected."""

    def __init__(self, snapshot: Snapshot, request: PlanRequest, ground: Ground) -> None:
        self._area = snapshot.geography.area(request.destination)
        self._excluded = {one.point_id for one in request.exclusions if not one.sku}
        self._ground = ground
        self._near: dict[str, Sequence[Point]] = {}

    def best(self, terms: ModeTerms, wanted: Mapping[str, int], most: int = STORES_OFFERED) -> Sequence[Point]:
        """The nearest that have all, or else the nearest: it says what is missing.

        Of what is sent there the nearest alone: each is a question to the whole network.
        """
        near = self._able(terms.collected_with)
        if terms.by_carrier:
            return near[:1]
        having = (store for store in near if self._has_all(store, wanted))
        return list(islice(having, most)) or near[:1]

    def _able(self, capability: str) -> Sequence[Point]:
        """Those near enough, nearest first."""
        if capability not in self._near:
            self._near[capability] = [] if self._area is None else self._around(capability, self._area.position)
        return self._near[capability]

    def _around(self, capability: str, position: Position) -> Sequence[Point]:
        points = self._ground.points
        away = points.kilometres(position)
        near = [points.points[row] for row in np.argsort(away, kind="stable") if away[row] <= STORE_KILOMETRES]
        return [one for one in near if capability in one.capabilities and one.point_id not in self._excluded]

    def _has_all(self, store: Point, wanted: Mapping[str, int]) -> bool:
        units = self._ground.shelf(store, is_counter=True).units
        return all(units.get(sku, 0) >= count for sku, count in wanted.items())


# -- reasons --------------------------------------------------------------------------------------------------


def sold(snapshot: Snapshot) -> frozenset[Mode]:
    """The modes that some carrier sells."""
    return frozenset(service.mode for carrier in snapshot.carriers for service in carrier.services)


def not_sold(mode: Mode) -> NotOffered:
    """No carrier does it at all."""
    return NotOffered(mode, "NO_CARRIER", "no carrier sells it")


def no_store(mode: Mode) -> NotOffered:
    """There is none to collect it at."""
    capability = TERMS[mode].collected_with
    return NotOffered(mode, "NO_STORE_NEAR", f"no store with {capability} within {STORE_KILOMETRES:.0f} km")


_OF_THE_QUESTION = {
    "UNKNOWN_DESTINATION": "no zone or no position is known for this postcode",
    "UNKNOWN_STORE": "the destination names no store that is known",
    "NOT_COLLECTED_THERE": "the store hands nothing over that way",
    "NO_APPOINTMENT": "no appointment was given to choose from",
    "TOO_MANY_PARCELS": "no plan for the whole basket has as few parcels as are allowed",
    "ONE_SHIPMENT": "the service makes one shipment of an order, and no point has all of it",
    "MUST_TRAVEL_TOGETHER": "no plan for the whole basket keeps together what must travel together",
    "BELOW_SPLIT_VALUE": "parcels of the basket would be worth less than a split asks for",
}


def not_offered(mode: Mode, line: BasketLine, reason: str) -> NotOffered:
    """The first line of which units have no place, and why."""
    place = "cannot be had there" if TERMS[mode].is_collected else "cannot be sent"
    detail = f"line {line.line_number}: {line.quantity} of {line.sku} {place}"
    return NotOffered(mode, reason, _OF_THE_QUESTION.get(reason, detail))
