"""Which services could take something of a basket to its place, at what rates; and why the others could not.

Knows no point: what a service asks of a point is looked at by `candidates.py`.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from kit.values.money import Money
from services.promise.domain.calendars import DeliveryCalendar
from services.promise.domain.modes import TERMS, Appointments
from services.promise.domain.network import Appointment, CarrierService, Item, PlanRequest, ZoneTerms
from services.promise.domain.rates import Step, limit_grams, step_of, steps_of, weighed
from services.promise.domain.rulesets import Ruleset
from services.promise.domain.snapshot import Place, Snapshot


@dataclass(frozen=True, slots=True)
class Offer:
    """A service with its terms to the destination. `delivery`: None at a counter."""

    carrier_id: str
    service: CarrierService
    terms: ZoneTerms
    rates: tuple[Step, ...]
    steps: tuple[Step, ...]
    delivery: DeliveryCalendar | None
    misfits: Mapping[str, str]


class Offers:
    """Of one question. `refused`: (service, reason, detail) of services that do not go there or take nothing.

    `misfits`: SKUs of which one unit is too large or too heavy for some service.
    """

    def __init__(
        self,
        snapshot: Snapshot,
        request: PlanRequest,
        ruleset: Ruleset,
        demand: Mapping[str, int],
        place: Place,
        *,
        is_listing: bool,
    ) -> None:
        self._snapshot = snapshot
        self._items = snapshot.stock.items
        self._request = request
        self._ruleset = ruleset
        self._demand = demand
        self._place = place
        self._terms = TERMS[request.mode]
        self._is_listing = is_listing
        self._calendars = snapshot.calendars.under(snapshot.carriers)
        self.appointment = appointment_of(request)
        self.going: list[Offer] = []
        self.refused: list[tuple[str, str, str]] = []
        self.misfits: dict[str, str] = {}
        if self._terms.by_carrier:
            self._look()

    @property
    def reach_kilometres(self) -> float:
        """From how far a parcel may come at most."""
        reaches = [offer.service.max_distance_kilometres or math.inf for offer in self.going]
        return min(self._ruleset.max_distance_kilometres or math.inf, max(reaches, default=math.inf))

    def take(self, sku: str) -> bool:
        """Whether some service takes an article; a counter takes all."""
        return self._place.store is not None or any(sku not in offer.misfits for offer in self.going)

    def carriage(self, grams: int) -> tuple[tuple[str, int], ...]:
        """What each service asks for so much weight, with its carrier, as far as it takes that."""
        return tuple(
            (offer.carrier_id, step_of(offer.steps, grams).cost_minor)
            for offer in self.going
            if grams <= offer.steps[-1].up_to_grams
        )

    def at_counter(self) -> Offer:
        """Collected where it is prepared: nobody carries it, and it costs the customer nothing."""
        limit = sum(self._items[sku].weight_grams * units for sku, units in self._demand.items())
        service = CarrierService("", self._request.mode, 0, 0, (), 0, 0, ())
        terms = ZoneTerms("", 0, 0, (), Money(0, self._ruleset.currency))
        steps = (Step(max(1, limit), 0),)
        return Offer("", service, terms, steps, steps, None, {})

    def _look(self) -> None:
        zones = self._snapshot.geography.zones(self._place.destination)
        for carrier in self._snapshot.carriers:
            for service in carrier.services:
                if service.mode is not self._request.mode:
                    continue
                by_zone = {terms.zone_id: terms for terms in service.zones}
                zone = next((zone for zone in zones if zone.zone_id in by_zone), None)
                if zone is None:
                    self.refused.append((service.service_id, "NO_ZONE", "does not deliver to this postcode"))
                elif problem := self._problem(service, by_zone[zone.zone_id]):
                    self.refused.append((service.service_id, *problem))
                else:
                    self.going.append(
                        self._offer(carrier.carrier_id, service, by_zone[zone.zone_id], zone.time_zone)
                    )

    def _offer(self, carrier_id: str, service: CarrierService, terms: ZoneTerms, time_zone: str) -> Offer:
        region = (self._place.destination.country, self._place.area.subdivision)
        delivery = self._calendars.of_delivery(
            carrier_id, service, terms, time_zone, region, self._snapshot.is_holiday
        )
        misfits = self._misfits(service, terms)
        self.misfits.update(misfits)
        weights = {sku: self._items[sku].weight_grams for sku in self._demand if sku not in misfits}
        total = sum(weight * self._demand[sku] for sku, weight in weights.items())
        steps = steps_of(service, terms, total, max(weights.values(), default=0))
        percent = self._ruleset.shipping_percent
        dearer = steps if percent == 100 else tuple(weighed(step, percent) for step in steps)
        return Offer(carrier_id, service, terms, steps, dearer, delivery, misfits)

    def _problem(self, service: CarrierService, terms: ZoneTerms) -> tuple[str, str] | None:
        """Why a service that goes there takes nothing of the basket."""
        appointment = self.appointment
        if appointment is not None and appointment.service_id not in ("", service.service_id):
            return "OTHER_APPOINTMENT", f"the appointment is with {appointment.service_id}"
        return self._terms_problem(terms) or self._parcel_problem(service, terms)

    def _parcel_problem(self, service: CarrierService, terms: ZoneTerms) -> tuple[str, str] | None:
        """Of articles that fit one by one, but not as the one parcel that there is room for."""
        if self._is_listing or not self._terms.is_one_parcel or self._misfits(service, terms):
            return None
        items = self._items
        grams = sum(items[sku].weight_grams * units for sku, units in self._demand.items())
        volume = sum(items[sku].volume_cubic_millimetres * units for sku, units in self._demand.items())
        room = service.max_length_millimetres * service.max_width_millimetres * service.max_height_millimetres
        if grams > limit_grams(service, terms) or (room and volume > room):
            return "SEVERAL_PARCELS", "the basket needs more than the one parcel that there is room for"
        return None

    def _terms_problem(self, terms: ZoneTerms) -> tuple[str, str] | None:
        currency = self._ruleset.currency
        limits = self._request.limits
        if any(money.currency != currency for money in (terms.customer_price, *(r.price for r in terms.rates))):
            return "OTHER_CURRENCY", f"not priced in {currency}"
        if limits is not None and (
            terms.customer_price.currency != limits.price.currency
            or terms.customer_price.amount_minor > limits.price.amount_minor
        ):
            return "ABOVE_QUOTED_PRICE", f"costs the customer {terms.customer_price}, quoted {limits.price}"
        return None

    def _misfits(self, service: CarrierService, terms: ZoneTerms) -> dict[str, str]:
        """The SKUs of which one unit is too long or too heavy for a service."""
        heaviest = limit_grams(service, terms)
        found: dict[str, str] = {}
        for sku in self._demand:
            item = self._items[sku]
            if item.longest_side_millimetres > service.max_length_millimetres:
                found[sku] = "TOO_LONG"
            elif _is_too_large(item, service):
                found[sku] = "TOO_LARGE"
            elif item.weight_grams > heaviest:
                found[sku] = "TOO_HEAVY"
        return found


def appointment_of(request: PlanRequest) -> Appointment | None:
    """The one that is kept, if its mode keeps any."""
    return request.appointment if TERMS[request.mode].appointments is not Appointments.NONE else None


def _is_too_large(item: Item, service: CarrierService) -> bool:
    """Whether it fits no way around; what is not known of either is no limit."""
    middle, shortest = item.other_sides_millimetres
    sizes = (
        (middle, service.max_width_millimetres),
        (shortest, service.max_height_millimetres),
        (item.girth_millimetres, service.max_girth_millimetres),
    )
    return any(limit and size > limit for size, limit in sizes)
