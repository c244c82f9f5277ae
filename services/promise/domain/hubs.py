"""Points at which parcels meet, and how what met there goes on to the customer as one shipment (SPEC RTE-8).

Knows a hub and a service from there; which parcels meet is chosen by `consolidating.py`. What a hub can put on
articles is put on there, wherever their units lie: only the last point that prepares them must be able to.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial

from services.promise.domain.calendars import Begin, DeliveryCalendar, HandOver
from services.promise.domain.candidates import Candidate, Gatherer, start_of
from services.promise.domain.capacity import Places
from services.promise.domain.ground import Ground
from services.promise.domain.journeys import ByAppointment, ByCarrier, ToStore
from services.promise.domain.modes import TERMS
from services.promise.domain.network import (
    CONSOLIDATION,
    SHIP_FROM_STORE,
    CarrierService,
    Mode,
    PlanRequest,
    Point,
    PointType,
    Window,
    ZoneTerms,
)
from services.promise.domain.offers import Offer, Offers, appointment_of
from services.promise.domain.personalising import done_at, minutes_of
from services.promise.domain.rates import Step
from services.promise.domain.rulesets import Consolidation, Ruleset
from services.promise.domain.snapshot import Place, Snapshot, place_at
from services.promise.domain.tariffs import parcels_of


@dataclass(frozen=True, slots=True)
class Departure:
    """When a hub begins on what met there, when that is ready and leaves, and when the customer has it."""

    begin: Begin
    ready: datetime
    hand_over: HandOver
    window: Window


@dataclass(frozen=True, slots=True)
class Meeting:
    """A basket that is to meet at a hub: what is asked, in which units, and where the customer is.

    `is_needed`: without one fewer units could be sent.
    """

    snapshot: Snapshot
    request: PlanRequest
    ruleset: Ruleset
    consolidation: Consolidation
    units: Mapping[str, int]
    place: Place
    ground: Ground
    is_needed: bool = False
    _grounds: dict[frozenset[str], Ground] = field(default_factory=dict, compare=False)

    def done_at(self, hub: Point) -> frozenset[str]:
        """The articles that the hub personalises."""
        return done_at(self.ground.needs, hub)

    def ground_of(self, hub: Point) -> Ground:
        """As it is for what goes to a hub: from where that does not do it, each point must be able to."""
        return self.ground_without(self.done_at(hub))

    def ground_without(self, done: frozenset[str]) -> Ground:
        """With these articles at any point, whatever it can do."""
        if not done:
            return self.ground
        if done not in self._grounds:
            needs = {sku: need for sku, need in self.ground.needs.items() if sku not in done}
            self._grounds[done] = Ground(self.snapshot, self.request, self.ruleset, self.units, needs)
        return self._grounds[done]

    @property
    def weight_grams(self) -> int:
        """Of the whole basket."""
        return self.weight_of(self.units)

    def weight_of(self, units: Mapping[str, int]) -> int:
        """Grams of some units."""
        return sum(self.snapshot.stock.items[sku].weight_grams * count for sku, count in units.items())


def hubs(meeting: Meeting) -> list[tuple[int, Point]]:
    """The points that are able to join parcels and were not ruled out; what each costs before weight and room.

    Where it is needed also those that can personalise some. The least first, and of those the nearest.
    """
    excluded = {one.point_id for one in meeting.request.exclusions if not one.sku}
    found: list[tuple[int, float, str]] = []
    points, rules = meeting.snapshot.stock.points, meeting.ruleset
    for point_id, point in points.items():
        is_able = CONSOLIDATION in point.capabilities or (meeting.is_needed and meeting.done_at(point))
        if is_able and point_id not in excluded:
            kilometres = meeting.ground.kilometres(point, meeting.place.area.position)
            cost = rules.preparation_cost(point.type) + rules.priority_cost(point.type)
            found.append((cost + rules.distance_cost(kilometres), kilometres, point_id))
    return [(cost, points[point_id]) for cost, _, point_id in sorted(found)]


class Onward:
    """From a hub by one service, with the whole basket."""

    def __init__(self, meeting: Meeting, hub: Point, offer: Offer, delivery: DeliveryCalendar) -> None:
        snapshot, rules = meeting.snapshot, meeting.ruleset
        self.hub = hub
        self.offer = offer
        self.parcels = parcels_of(offer, snapshot.stock.items, meeting.units)
        self.kilometres = meeting.ground.kilometres(hub, meeting.place.area.position)
        self._meeting = meeting
        self._delivery = delivery
        self._calendar = snapshot.calendars.under(snapshot.carriers).of_point(hub, snapshot.is_holiday)
        service_id = offer.service.service_id
        self._places = Places(snapshot.capacity, hub, offer.carrier_id, service_id, self.parcels.count)
        visits = partial(self._calendar.hand_overs, offer.carrier_id, has_room=self._places.has_room)
        appointment = appointment_of(meeting.request)
        self._journey = (
            ByCarrier(visits, delivery)
            if appointment is None
            else ByAppointment(visits, delivery, appointment.window)
        )
        self._known: dict[datetime, Departure | None] = {}
        self.start = start_of(meeting.request, TERMS[meeting.request.mode])
        # With all that is to be put on what it has itself, and on what is brought there for that.
        self.personalises = meeting.done_at(hub)
        here = self.personalises.union(meeting.ground.shelf(hub, is_counter=False).units)
        self._handling = timedelta(minutes=hub.handling_minutes + minutes_of(meeting.ground.needs, here))
        # What it costs whatever meets there; its own room as on the day on which it could begin at once.
        self.shipping_cost = self.parcels.cost_minor - self.parcels.packaging_minor
        self.packaging_cost = self.parcels.packaging_minor
        self.preparation_cost = rules.preparation_cost(hub.type)
        self.priority_cost = rules.priority_cost(hub.type)
        self.distance_cost = rules.distance_cost(self.kilometres)
        self.capacity_cost = 0
        if (first := self.departure(self.start)) is not None:
            days = (*first.begin.passed, first.begin.day)
            self.capacity_cost = self._places.capacity.pressure(hub, days, rules.capacity_pressure_minor)

    @property
    def personal_lines(self) -> frozenset[int]:
        """On whose units the hub puts something."""
        lines = self._meeting.request.lines
        return frozenset(one.line_number for one in lines if one.personalisations and one.sku in self.personalises)

    @property
    def id(self) -> tuple[str, str, str]:
        """As of a candidate."""
        return (self.hub.point_id, self.offer.carrier_id, self.offer.service.service_id)

    @property
    def cost(self) -> int:
        """Beside that of what meets there."""
        return (
            self.shipping_cost
            + self.packaging_cost
            + self.preparation_cost
            + self.priority_cost
            + self.distance_cost
            + self.capacity_cost
        )

    def departure(self, all_there: datetime) -> Departure | None:
        """Of what is all there at an instant; None when that is too late."""
        if all_there not in self._known:
            self._known[all_there] = self._departure(all_there)
        return self._known[all_there]

    def window(self, all_there: datetime) -> Window | None:
        """In which the customer has it then."""
        departure = self.departure(all_there)
        return departure.window if departure else None

    def _departure(self, all_there: datetime) -> Departure | None:
        begin = self._calendar.begins_at(all_there, self._handling, self._places.is_full)
        ready = self._calendar.ready_at(begin.at, self._handling) if begin else None
        hand_over = self._journey.hand_over(ready) if ready else None
        window = self._journey.window(hand_over) if hand_over else None
        if not (begin and ready and hand_over and window) or not self._is_in_time(window):
            return None
        return Departure(begin, ready, hand_over, window)

    def _is_in_time(self, window: Window) -> bool:
        request, days = self._meeting.request, self._meeting.ruleset.max_delivery_days
        if TERMS[request.mode].is_today:
            return self._delivery.last_day(window) == self._delivery.local_day(request.now)
        if days and window.end > request.now + timedelta(days=days):
            return False
        return request.limits is None or window.end <= request.limits.window_end

    def own(self) -> Candidate | None:
        """What the hub has itself, as a leg that nobody carries: it is there, and is prepared with the rest."""
        meeting, hub = self._meeting, self.hub
        shelf = meeting.ground.shelf(hub, is_counter=False)
        departure = self.departure(self.start)
        is_closed_to_it = hub.type is PointType.STORE and SHIP_FROM_STORE not in hub.capabilities
        if not shelf.units or is_closed_to_it or departure is None:
            return None
        nobodys = (Step(max(1, meeting.weight_grams), 0),)
        return Candidate(
            point=hub,
            carrier_id="",
            service=_NOBODYS,
            terms=ZoneTerms("", 0, 0, (), self.offer.terms.customer_price),
            capacity=shelf.units,
            kept_back=shelf.kept_back,
            rates=nobodys,
            steps=nobodys,
            unit_costs=shelf.unit_costs,
            preparation_cost=0,
            priority_cost=0,
            distance_cost=0,
            lateness_cost=self.lateness_cost(departure.window),
            capacity_cost=0,
            distance_kilometres=0.0,
            prepared_on=departure.begin.day,
            places=self._places,
            hand_over=departure.hand_over,
            window=departure.window,
            start=self.start,
            handling=self._handling,
            order_delay=self.start - meeting.request.now,
            calendar=self._calendar,
            journey=self._journey,
        )

    def joining(self, candidate: Candidate) -> Candidate | None:
        """A parcel to the hub as one that goes on from there, with what joining it costs; None when too late."""
        if not isinstance(candidate.journey, ToStore):
            raise AssertionError("what is sent to a point comes there by a carrier")
        journey = candidate.journey.going_on(self.window)
        window = journey.window(candidate.hand_over)
        if window is None:
            return None
        cost = self._meeting.consolidation.cost_minor
        steps = tuple(
            Step(one.up_to_grams, one.cost_minor + one.parcels * cost, one.parcels) for one in candidate.steps
        )
        tariff = candidate.tariff and candidate.tariff.dearer(cost)
        steps = tariff.steps if tariff else steps
        return candidate.by_way_of(journey, window, steps, tariff, self.lateness_cost(window))

    def lateness_cost(self, window: Window) -> int:
        """Of a window at the customer's."""
        return self._meeting.ruleset.lateness_cost(window.end, self._meeting.request.promised_until)


_NOBODYS = CarrierService("", Mode.SHIP_TO_STORE, 0, 0, (), 0, 0, ())


def onwards(meeting: Meeting, offers: Offers, hub: Point) -> Iterator[Onward]:
    """By the services that would take the whole basket on from a hub in time."""
    kilometres = meeting.ground.kilometres(hub, meeting.place.area.position)
    for offer in offers.going:
        limits = (offer.service.max_distance_kilometres, meeting.ruleset.max_distance_kilometres)
        is_too_far = any(limit and kilometres > limit for limit in limits)
        if offer.delivery is None or offer.misfits or is_too_far:
            continue
        onward = Onward(meeting, hub, offer, offer.delivery)
        if onward.departure(onward.start) is not None:
            yield onward


def inbound(meeting: Meeting, hub: Point) -> list[Candidate]:
    """What other points could send to a hub: as if it was to be collected there."""
    snapshot, request = meeting.snapshot, meeting.request
    others = {point_id: point for point_id, point in snapshot.stock.points.items() if point_id != hub.point_id}
    asked = replace(
        request,
        mode=Mode.SHIP_TO_STORE,
        limits=None,
        appointment=None,
        promised_until=None,
        cooling_off_until=None if TERMS[request.mode].is_today else request.cooling_off_until,
    )
    without_hub = replace(snapshot, stock=replace(snapshot.stock, points=others))
    rules = replace(meeting.ruleset, max_delivery_days=0)
    gatherer = Gatherer(without_hub, asked, rules, meeting.units, place_at(hub), meeting.ground_of(hub))
    return gatherer.gather().candidates
