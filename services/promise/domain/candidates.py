"""Which point may send what by which service, and the reason for each that may not.

Says what is possible; never chooses.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from functools import partial

from services.promise.domain.calendars import (
    HORIZON_DAYS,
    HandOver,
    PointCalendar,
)
from services.promise.domain.capacity import Places
from services.promise.domain.ground import Ground
from services.promise.domain.journeys import AtCounter, ByAppointment, ByCarrier, Journey, ToStore
from services.promise.domain.modes import TERMS, ModeTerms
from services.promise.domain.network import (
    SHIP_FROM_STORE,
    CarrierService,
    PlanRequest,
    Point,
    PointType,
    Window,
    ZoneTerms,
)
from services.promise.domain.offers import Offer, Offers
from services.promise.domain.personalising import minutes_of
from services.promise.domain.plans import Rejected, SeenComing, SeenStock
from services.promise.domain.rates import Step
from services.promise.domain.rulesets import Ruleset, days_begun
from services.promise.domain.shelves import NO_UNIT_COSTS, Shelf, UnitCosts
from services.promise.domain.snapshot import Place, Snapshot
from services.promise.domain.stages import NOW, Stage, Stages
from services.promise.domain.tariffs import Tariff, most_parcels

# Reasons that lie in the room of a point or of a carrier there; and those that are the same for all services.
CROWDED = frozenset({"NO_CAPACITY", "COLLECTIONS_FULL"})
_DAY = timedelta(days=1)
_OF_THE_POINT = frozenset({"NO_CAPACITY", "CLOSED"})
_MOMENT = timedelta(microseconds=1)


@dataclass(eq=False, slots=True)
class Candidate:
    """A point with a service that takes its parcels, and what each SKU could contribute (units, by SKU).

    At a counter where the customer comes the service is nobody's: its ids are empty.
    `kept_back`: what the routing buffer keeps of that. `rates` are the carrier's, `steps` the same as they weigh;
    `tariff`: as of its offer.
    `unit_costs`: cover, markdown and short picks of one unit, by name, by SKU.
    `stage`: by when the point has these units; `start`: when work on them may begin; `handling`: how much working
    time it takes, with all that is to be put on what it could contribute.
    """

    point: Point
    carrier_id: str
    service: CarrierService
    terms: ZoneTerms
    capacity: Mapping[str, int]
    kept_back: Mapping[str, int]
    rates: tuple[Step, ...]
    steps: tuple[Step, ...]
    unit_costs: Mapping[str, UnitCosts]
    preparation_cost: int
    priority_cost: int
    distance_cost: int
    lateness_cost: int
    capacity_cost: int
    distance_kilometres: float
    prepared_on: date
    places: Places
    hand_over: HandOver
    window: Window
    start: datetime
    handling: timedelta
    order_delay: timedelta
    calendar: PointCalendar
    journey: Journey
    waiting_cost: int = 0
    stage: Stage = NOW
    tariff: Tariff | None = None
    _order_before: dict[Window, datetime] = field(default_factory=dict)

    @property
    def id(self) -> tuple[str, str, str, int]:
        """What tells candidates apart, and breaks their last tie."""
        return (self.point.point_id, self.carrier_id, self.service.service_id, self.stage.number)

    @property
    def fixed_cost(self) -> int:
        """What the leg costs before its weight."""
        costs = self.preparation_cost + self.priority_cost + self.distance_cost + self.capacity_cost
        return costs + self.waiting_cost

    def unit_cost(self, sku: str) -> int:
        """Of one unit beside what is put together with others: of what is a parcel of its own that parcel too."""
        cost = self.unit_costs.get(sku, NO_UNIT_COSTS).total
        return cost + self.tariff.own[sku].cost_minor if self.tariff and sku in self.tariff.own else cost

    def by_way_of(
        self,
        journey: Journey,
        window: Window,
        steps: tuple[Step, ...],
        tariff: Tariff | None,
        lateness_cost: int,
    ) -> "Candidate":
        """The same parcels on another journey, at other steps."""
        return replace(
            self,
            journey=journey,
            window=window,
            steps=steps,
            tariff=tariff,
            lateness_cost=lateness_cost,
            _order_before={},
        )

    def order_before(self, window: Window) -> datetime:
        """The last instant of ordering at which this leg ends no later than `window` (which it meets now).

        Cooling-off moves with the order, so it is taken off.
        """
        if window not in self._order_before:
            self._order_before[window] = self._latest_order(window)
        return self._order_before[window]

    @property
    def latest_start(self) -> datetime:
        """The last instant at which preparation may begin; its room is taken, so that no day is full for it."""
        return self.calendar.latest_start(self.hand_over.at, self.handling) or self.start

    def next_hand_over(self) -> tuple[HandOver, Window] | None:
        """What becomes of a parcel that misses its hand-over; None when nobody else comes for it in time."""
        missed = self.journey.hand_over(self.hand_over.at + _MOMENT) if self.carrier_id else None
        window = self.journey.window(missed) if missed else None
        return (missed, window) if missed and window else None

    def _latest_order(self, window: Window) -> datetime:
        last = self.journey.last_hand_over(window, self.hand_over)
        start = self.calendar.latest_start(last.at, self.handling, self.places.is_full)
        return (start if start is not None else self.start) - self.order_delay


@dataclass(slots=True)
class Gathered:
    """Everything that was looked at. `stocked`: units by SKU at points that may ship them, carriers aside.

    `misfits`: SKUs of which one unit is too long or too heavy for some service. `crowded`: SKUs at points, or for
    carriers there, that have no room. `met`: reasons why what a point has later cannot be sent. `personal`: SKUs
    on which something is put.
    """

    candidates: list[Candidate] = field(default_factory=list)
    rejected: list[Rejected] = field(default_factory=list)
    seen: list[SeenStock] = field(default_factory=list)
    stocked: dict[str, int] = field(default_factory=dict)
    misfits: dict[str, str] = field(default_factory=dict)
    crowded: set[str] = field(default_factory=set)
    coming: list[SeenComing] = field(default_factory=list)
    met: set[str] = field(default_factory=set)
    personal: frozenset[str] = frozenset()

    def reject(self, point: Point, reason: str, detail: str, service_id: str = "") -> None:
        """Notes why a point or service is out."""
        self.rejected.append(Rejected(point.point_id, service_id, reason, detail))


class Gatherer:
    """Gathers the candidates of one question."""

    def __init__(
        self,
        snapshot: Snapshot,
        request: PlanRequest,
        ruleset: Ruleset,
        demand: Mapping[str, int],
        place: Place,
        ground: Ground | None = None,
        *,
        is_listing: bool = False,
    ) -> None:
        """`ground`: of other questions about the basket. `is_listing`: each article is a basket of its own."""
        self._stock = snapshot.stock
        self._snapshot = snapshot
        self._request = request
        self._ruleset = ruleset
        self._demand = demand
        self._place = place
        self._terms = TERMS[request.mode]
        self._start = start_of(request, self._terms)
        self._ground = ground or Ground(snapshot, request, ruleset, demand)
        self._calendars = snapshot.calendars.under(snapshot.carriers)
        self._is_listing = is_listing
        self.offers = Offers(snapshot, request, ruleset, demand, place, is_listing=is_listing)
        self._appointment = self.offers.appointment
        self.stages = Stages(snapshot, request, ruleset, demand, place, self._start)
        self._found = Gathered(misfits=self.offers.misfits)

    def gather(self) -> Gathered:
        """Candidates in point order; every other point has its reason."""
        self._found.personal = frozenset(self._ground.needs)
        self._found.seen = self._ground.shelves.seen(self._place.store, is_all=self._terms.by_carrier)
        for point_id in sorted(self.points):
            point = self.points[point_id]
            if not self.stages.is_plain:
                self._found.coming += self.stages.seen_at(point, is_counter=self.is_counter(point))
            self._look_at(point)
        return self._found

    @property
    def points(self) -> Mapping[str, Point]:
        """Those that could have a part in it."""
        store = self._place.store
        return self._stock.points if self._terms.by_carrier or store is None else {store.point_id: store}

    def at(self, point: Point) -> Gathered:
        """What there is at one point."""
        self._found = Gathered(misfits=self.offers.misfits)
        self._look_at(point)
        return self._found

    def is_counter(self, point: Point) -> bool:
        """Whether it is the store that the customer comes to."""
        return self._place.store is not None and point.point_id == self._place.store.point_id

    def _look_at(self, point: Point) -> None:
        is_counter = self.is_counter(point)
        shelf = self._ground.shelf(point, is_counter=is_counter)
        stages = [(shelf, NOW)] if shelf.units else []
        if not self.stages.is_plain:
            stages = self.stages.of(point, shelf, self._ground.shelves, is_counter=is_counter)
        if not stages:
            self._found.reject(point, *self._ground.shelves.why_empty(point, is_counter=is_counter))
        elif is_counter:
            self._add_point(point, stages, [self.offers.at_counter()], [])
        elif point.type is PointType.STORE and SHIP_FROM_STORE not in point.capabilities:
            self._found.reject(point, "NO_SHIP_FROM_STORE", "the store does not ship")
        else:
            self._add_point(point, stages, self.offers.going, self.offers.refused)

    def _add_point(
        self,
        point: Point,
        stages: list[tuple[Shelf, Stage]],
        offers: list[Offer],
        refused: list[tuple[str, str, str]],
    ) -> None:
        units = most_units(shelf for shelf, _ in stages)
        for sku, count in units.items():
            self._found.stocked[sku] = self._found.stocked.get(sku, 0) + count
        kilometres = self._ground.kilometres(point, self._place.area.position)
        furthest = self._ruleset.max_distance_kilometres
        if furthest and kilometres > furthest:
            self._found.reject(point, "TOO_FAR", f"{kilometres:.0f} km away, at most {furthest}")
            return
        for service_id, reason, detail in refused:
            self._found.reject(point, reason, detail, service_id)
        for offer in offers:
            answers = [self.candidate(point, shelf, offer, kilometres, stage) for shelf, stage in stages]
            self._found.candidates += (one for one in answers if isinstance(one, Candidate))
            problems = [one for one in answers if not isinstance(one, Candidate)]
            if not problems:
                continue
            reason, detail = problems[0]
            if reason in CROWDED:
                self._found.crowded.update(units)
            if len(problems) < len(stages):
                self._found.met.update(reason for reason, _ in problems)
            elif reason in _OF_THE_POINT:
                self._found.reject(point, reason, detail)
                break
            else:
                self._found.reject(point, reason, detail, offer.service.service_id)

    def candidate(
        self, point: Point, shelf: Shelf, offer: Offer, kilometres: float, stage: Stage = NOW
    ) -> Candidate | tuple[str, str]:
        """A point with a service; or the reason, and its words, that there is none."""
        capacity = shelf.units
        if offer.misfits:
            capacity = {sku: units for sku, units in shelf.units.items() if sku not in offer.misfits}
        if not capacity:
            return offer.misfits[next(reversed(shelf.units))], "no unit of the basket fits the service's limits"
        furthest = offer.service.max_distance_kilometres
        if furthest and kilometres > furthest:
            return "TOO_FAR", f"{kilometres:.0f} km away, the service goes {furthest}"
        calendar = self._calendars.of_point(point, self._snapshot.is_holiday)
        start = max(self._start, stage.due_at or self._start)
        minutes = point.handling_minutes + minutes_of(self._ground.needs, capacity)
        handling = timedelta(minutes=minutes)
        work = self._ground.work(point, calendar, start, handling)
        begin, ready = work.begin, work.ready
        if begin is None or ready is None:
            if work.is_open:
                return "NO_CAPACITY", f"starts no further order within {HORIZON_DAYS} days"
            return "CLOSED", "no working time to prepare a parcel"
        if offer.delivery is not None and not calendar.is_visited_by(offer.carrier_id):
            return "NO_COLLECTION", f"{offer.carrier_id} does not collect here"
        ready = max(ready, stage.released_at or ready)
        places = self._places(point, offer, capacity)
        journey = self._journey(offer, calendar, places)
        hand_over = journey.hand_over(ready)
        if hand_over is None:
            return self._why_not_handed_over(offer, calendar, places, ready)
        window = journey.window(hand_over)
        if window is None:
            return "NO_DELIVERY_DAY", "no delivery day within reach"
        if problem := self._window_problem(window, offer):
            return problem
        rules = self._ruleset
        return Candidate(
            point=point,
            carrier_id=offer.carrier_id,
            service=offer.service,
            terms=offer.terms,
            capacity=capacity,
            kept_back=shelf.kept_back,
            rates=offer.rates,
            steps=offer.steps,
            unit_costs=shelf.unit_costs,
            preparation_cost=rules.preparation_cost(point.type),
            priority_cost=rules.priority_cost(point.type),
            distance_cost=rules.distance_cost(kilometres),
            lateness_cost=rules.lateness_cost(window.end, self._request.promised_until),
            capacity_cost=self._pressure(point, calendar, stage, handling),
            waiting_cost=rules.waiting_cost(self._start, stage.due_at) if stage.due_at else 0,
            distance_kilometres=kilometres,
            prepared_on=begin.day,
            places=places,
            hand_over=hand_over,
            window=window,
            start=start,
            handling=handling,
            order_delay=self._start - self._request.now,
            calendar=calendar,
            journey=journey,
            stage=stage,
            tariff=offer.tariff,
        )

    def _pressure(self, point: Point, calendar: PointCalendar, stage: Stage, handling: timedelta) -> int:
        """The most of the days begun until the work: nobody waits for units only to come by a calmer day."""
        amount, capacity = self._ruleset.capacity_pressure_minor, self._snapshot.capacity
        if not amount:
            return 0
        begins = (
            self._ground.work(point, calendar, self._start + day * _DAY, handling).begin
            for day in range(1 + (days_begun(self._start, stage.due_at) if stage.due_at else 0))
        )
        return max(
            (capacity.pressure(point, (*one.passed, one.day), amount) for one in begins if one is not None),
            default=0,
        )

    def _journey(self, offer: Offer, calendar: PointCalendar, places: Places) -> Journey:
        if offer.delivery is None:
            return AtCounter(calendar)
        visits = partial(calendar.hand_overs, offer.carrier_id, has_room=places.has_room)
        if self._appointment is not None:
            return ByAppointment(visits, offer.delivery, self._appointment.window)
        if (store := self._place.store) is not None:
            at_store = self._calendars.of_point(store, self._snapshot.is_holiday)
            return ToStore(visits, offer.delivery, at_store, timedelta(minutes=store.handling_minutes))
        return ByCarrier(visits, offer.delivery)

    def _why_not_handed_over(
        self, offer: Offer, calendar: PointCalendar, places: Places, ready: datetime
    ) -> tuple[str, str]:
        if offer.delivery is None:
            return "CLOSED", "no opening hours in which it could be collected"
        if next(calendar.hand_overs(offer.carrier_id, ready, places.has_room), None):
            return "AFTER_APPOINTMENT", "the next parcel would arrive after the appointment"
        if next(calendar.hand_overs(offer.carrier_id, ready), None):
            detail = f"{offer.carrier_id} takes no further parcels here within {HORIZON_DAYS} days"
            return "COLLECTIONS_FULL", detail
        if pause := calendar.pause(offer.carrier_id, ready):
            return "CARRIER_PAUSED", pause.reason or "collects nothing now"
        return "NO_COLLECTION", f"{offer.carrier_id} does not collect here"

    def _places(self, point: Point, offer: Offer, units: Mapping[str, int]) -> Places:
        """Room for as many parcels as all that is wanted of the point may need."""
        capacity, parcels = self._snapshot.capacity, 1
        if not self._is_listing and offer.carrier_id in capacity.limits.carriers:
            most = {sku: min(count, self._demand[sku]) for sku, count in units.items()}
            parcels = most_parcels(offer, self._stock.items, most)
        return Places(capacity, point, offer.carrier_id, offer.service.service_id, parcels)

    def _window_problem(self, window: Window, offer: Offer) -> tuple[str, str] | None:
        if self._terms.is_today and offer.delivery is not None:
            day = offer.delivery.last_day(window)
            if day != offer.delivery.local_day(self._request.now):
                return "NOT_TODAY", f"the next parcel arrives on {day.isoformat()}"
        limits, days = self._request.limits, self._ruleset.max_delivery_days
        if limits is not None and window.end > limits.window_end:
            return (
                "AFTER_QUOTED_WINDOW",
                f"arrives by {window.end.isoformat()}, quoted {limits.window_end.isoformat()}",
            )
        if days and window.end > self._request.now + timedelta(days=days):
            return "TOO_LATE", f"arrives by {window.end.isoformat()}, more than {days} days from now"
        return None


def most_units(shelves: Iterable[Shelf]) -> dict[str, int]:
    """Of each SKU at the stages of a point, by the one that has most."""
    units: dict[str, int] = {}
    for shelf in shelves:
        units |= {sku: max(count, units.get(sku, 0)) for sku, count in shelf.units.items()}
    return units


def start_of(request: PlanRequest, terms: ModeTerms) -> datetime:
    """When preparation may begin: what is delivered today does not wait for a cooling-off."""
    waits = (request.not_before, None if terms.is_today else request.cooling_off_until)
    return max((request.now, *(instant for instant in waits if instant is not None)))
