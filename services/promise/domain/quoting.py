"""What each mode offers for a whole basket, or why it offers nothing. The engine is asked once for each choice."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import islice

from services.promise.domain import engine
from services.promise.domain.candidates import Snapshot
from services.promise.domain.geography import distance_kilometres
from services.promise.domain.modes import TERMS, Appointments, ModeTerms
from services.promise.domain.network import Appointment, Mode, PlanRequest, Point
from services.promise.domain.plans import DeliveryOption, NotOffered, Outcome
from services.promise.domain.rulesets import Ruleset

# Of a customer who named no store: how far one may be, how many are looked at, and how many are offered.
STORE_KILOMETRES = 50.0
_STORES_TRIED = 30
STORES_OFFERED = 5

Answers = tuple[tuple[DeliveryOption, ...], tuple[NotOffered, ...]]


def all_modes(
    snapshot: Snapshot, request: PlanRequest, ruleset: Ruleset, appointments: Sequence[Appointment] = ()
) -> Answers:
    """Options in the order of the modes; of a mode the nearest store and the first appointment first."""
    options: list[DeliveryOption] = []
    not_offered: list[NotOffered] = []
    sold = {service.mode for carrier in snapshot.carriers for service in carrier.services}
    for mode in Mode:
        found, refused = _of_mode(
            snapshot, replace(request, mode=mode), ruleset, appointments, is_sold=mode in sold
        )
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


def _of_mode(
    snapshot: Snapshot,
    request: PlanRequest,
    ruleset: Ruleset,
    appointments: Sequence[Appointment],
    *,
    is_sold: bool,
) -> tuple[list[DeliveryOption], NotOffered | None]:
    """Options, or the reason of the first choice that there was."""
    terms = TERMS[request.mode]
    if terms.by_carrier and not is_sold:
        return [], NotOffered(request.mode, "NO_CARRIER", "no carrier sells it")
    options: list[DeliveryOption] = []
    refused: NotOffered | None = None
    for asked in _choices(snapshot, request, terms, appointments):
        outcome = engine.plan(snapshot, asked, ruleset)
        if outcome.is_complete:
            options.append(option_of(asked, outcome))
        else:
            refused = refused or _why_not(asked, outcome)
        if terms.is_collected and len(options) == STORES_OFFERED:
            break
    if options:
        return options, None
    return [], refused or NotOffered(request.mode, "NO_STORE_NEAR", _no_store(terms))


def _choices(
    snapshot: Snapshot, request: PlanRequest, terms: ModeTerms, appointments: Sequence[Appointment]
) -> Iterator[PlanRequest]:
    """The questions of a mode: for each store, for each appointment, or the one."""
    if terms.is_collected and not request.destination.point_id:
        # What has to be sent there is worked out for the nearest only: each is a question to the whole network.
        most = _STORES_TRIED if not terms.by_carrier else 1
        for store in islice(_stores_near(snapshot, request, terms), most):
            yield replace(request, destination=replace(request.destination, point_id=store.point_id))
    elif terms.appointments is not Appointments.NONE and appointments:
        for appointment in sorted(appointments, key=lambda one: (one.window.rank, one.service_id)):
            yield replace(request, appointment=appointment)
    else:
        yield request


def _stores_near(snapshot: Snapshot, request: PlanRequest, terms: ModeTerms) -> Iterator[Point]:
    """Those where it could be collected, nearest first."""
    area = snapshot.geography.area(request.destination)
    if area is None:
        return
    away = (
        (distance_kilometres(point.position, area.position), point.point_id)
        for point in snapshot.stock.points.values()
        if terms.collected_with in point.capabilities
    )
    for kilometres, point_id in sorted(away):
        if kilometres > STORE_KILOMETRES:
            return
        yield snapshot.stock.points[point_id]


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
