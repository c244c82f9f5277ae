"""What each mode offers for a whole basket, or why it offers nothing. The engine is asked once for each choice."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from services.promise.domain import engine
from services.promise.domain.candidates import Snapshot
from services.promise.domain.ground import Ground
from services.promise.domain.modes import TERMS, Appointments, ModeTerms
from services.promise.domain.network import Appointment, Mode, PlanRequest, Point
from services.promise.domain.plans import DeliveryOption, NotOffered, Outcome
from services.promise.domain.rulesets import Ruleset

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


def option_of(request: PlanRequest, plan_of: Outcome) -> DeliveryOption:
    """The best plan of a question as an option."""
    point_id, appointment = choice(request)
    return DeliveryOption(request.mode, plan_of.plans[0], point_id, appointment)


def choice(request: PlanRequest) -> tuple[str, Appointment | None]:
    """The store and the appointment of a question, as far as its mode has one."""
    terms = TERMS[request.mode]
    return (
        request.destination.point_id if terms.is_collected else "",
        request.appointment if terms.appointments is not Appointments.NONE else None,
    )


class _Basket:
    """What is asked for each mode, on common ground."""

    def __init__(
        self, snapshot: Snapshot, request: PlanRequest, ruleset: Ruleset, appointments: Sequence[Appointment]
    ) -> None:
        self._snapshot = snapshot
        self._ruleset = ruleset
        self._appointments = sorted(appointments, key=lambda one: (one.window.rank, one.service_id))
        self._sold = {service.mode for carrier in snapshot.carriers for service in carrier.services}
        self._wanted = engine.wanted_units(snapshot.stock, request)
        self._ground = Ground(snapshot.stock, snapshot.capacity, request, ruleset, self._wanted)

    def of_mode(self, request: PlanRequest) -> tuple[list[DeliveryOption], NotOffered | None]:
        """Options, or the reason of the first choice that there was."""
        terms = TERMS[request.mode]
        if terms.by_carrier and request.mode not in self._sold:
            return [], NotOffered(request.mode, "NO_CARRIER", "no carrier sells it")
        options: list[DeliveryOption] = []
        refused: NotOffered | None = None
        for asked in self._choices(request, terms):
            outcome = engine.plan(self._snapshot, asked, self._ruleset, ground=self._ground)
            if outcome.is_complete:
                options.append(option_of(asked, outcome))
            else:
                refused = refused or _why_not(asked, outcome)
        if options:
            return options, None
        return [], refused or NotOffered(request.mode, "NO_STORE_NEAR", _no_store(terms))

    def _choices(self, request: PlanRequest, terms: ModeTerms) -> Iterable[PlanRequest]:
        """The questions of a mode: for each store, for each appointment, or the one."""
        if terms.is_collected and not request.destination.point_id:
            return (
                replace(request, destination=replace(request.destination, point_id=store.point_id))
                for store in self._stores(request, terms)
            )
        if terms.appointments is not Appointments.NONE and self._appointments:
            return (replace(request, appointment=appointment) for appointment in self._appointments)
        return (request,)

    def _stores(self, request: PlanRequest, terms: ModeTerms) -> Sequence[Point]:
        """The nearest that have all, or else the nearest: it says what is missing.

        Of what is sent there the nearest alone: each is a question to the whole network.
        """
        near = self._near(request, terms)
        if terms.by_carrier:
            return near[:1]
        return [store for store in near if self._has_all(store)][:STORES_OFFERED] or near[:1]

    def _near(self, request: PlanRequest, terms: ModeTerms) -> Sequence[Point]:
        """Stores where it could be collected, nearest first."""
        area = self._snapshot.geography.area(request.destination)
        if area is None:
            return []
        away = (
            (self._ground.kilometres(point, area.position), point.point_id)
            for point in self._snapshot.stock.points.values()
            if terms.collected_with in point.capabilities
        )
        points = self._snapshot.stock.points
        return [points[point_id] for kilometres, point_id in sorted(away) if kilometres <= STORE_KILOMETRES]

    def _has_all(self, store: Point) -> bool:
        units = self._ground.shelf(store, is_counter=True).units
        return all(units.get(sku, 0) >= count for sku, count in self._wanted.items())


def _no_store(terms: ModeTerms) -> str:
    return f"no store with {terms.collected_with} within {STORE_KILOMETRES:.0f} km"


_OF_THE_QUESTION = {
    "UNKNOWN_DESTINATION": "no zone or no position is known for this postcode",
    "UNKNOWN_STORE": "the destination names no store that is known",
    "NOT_COLLECTED_THERE": "the store hands nothing over that way",
    "NO_APPOINTMENT": "no appointment was given to choose from",
}


def _why_not(request: PlanRequest, outcome: Outcome) -> NotOffered:
    missing = outcome.unplanned[0]
    detail = _OF_THE_QUESTION.get(missing.reason)
    if detail is None:
        detail = f"line {missing.line_number}: {missing.quantity} of {missing.sku} cannot be sent"
        if TERMS[request.mode].is_collected:
            detail = f"line {missing.line_number}: {missing.quantity} of {missing.sku} cannot be had there"
    return NotOffered(request.mode, missing.reason, detail)
