"""Which services could take something of a basket to its place, at what rates; and why the others could not.

Knows no point: what a service asks of a point is looked at by `candidates.py`.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

from kit.values.money import Money
from services.promise.domain.calendars import DeliveryCalendar
from services.promise.domain.levels import Levels
from services.promise.domain.modes import TERMS, Appointments
from services.promise.domain.network import Appointment, CarrierService, PlanRequest, RateStep, ZoneTerms
from services.promise.domain.parcelling import tariff_of
from services.promise.domain.rates import Step, limit_grams, steps_of, weighed
from services.promise.domain.rulesets import Ruleset
from services.promise.domain.snapshot import Place, Snapshot
from services.promise.domain.tariffs import Tariff, parcels_of


@dataclass(frozen=True, slots=True)
class Offer:
    """A service with its terms to the destination. `delivery`: None at a counter.

    `tariff`: None when weight alone decides; else `rates` and `steps` are the least that it asks for a weight.
    """

    carrier_id: str
    service: CarrierService
    terms: ZoneTerms
    rates: tuple[Step, ...]
    steps: tuple[Step, ...]
    delivery: DeliveryCalendar | None
    misfits: Mapping[str, str]
    tariff: Tariff | None = None


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

    def carriage(self, sku: str) -> tuple[tuple[str, int], ...]:
        """What each service that takes an article asks for one unit, with its carrier."""
        return tuple(
            (offer.carrier_id, parcels_of(offer, self._items, {sku: 1}).cost_minor)
            for offer in self.going
            if sku not in offer.misfits
        )

    def at_counter(self) -> Offer:
        """Collected where it is prepared: nobody carries it, and it costs the customer nothing.

        A service of such a mode carries nothing either: it says what there is room for, of a locker's compartment.
        """
        limit = sum(self._items[sku].weight_grams * units for sku, units in self._demand.items())
        service = CarrierService("", self._request.mode, 0, 0, (), 0, 0, ())
        terms = ZoneTerms("", 0, 0, (), Money(0, self._ruleset.currency))
        steps = (Step(max(1, limit), 0),)
        offer = Offer("", service, terms, steps, steps, None, {})
        room = self._room()
        return offer if room is None else self._within(room, offer)

    def _room(self) -> CarrierService | None:
        services = (service for carrier in self._snapshot.carriers for service in carrier.services)
        mode = self._request.mode
        return next((one for one in services if one.mode is mode and not self._terms.by_carrier), None)

    def _within(self, room: CarrierService, offer: Offer) -> Offer:
        """What fits; nothing of a basket of which not all does, where there is one compartment."""
        nothing = Money(0, self._ruleset.currency)
        terms = ZoneTerms("", 0, 0, (RateStep(room.max_weight_grams, nothing),), nothing)
        levels = Levels(room, terms, ()) if room.room_cubic_millimetres else None
        misfits = self._misfits(room, terms, levels)
        wanted = {sku: units for sku, units in self._demand.items() if sku not in misfits}
        tariff = tariff_of(levels, self._items, wanted, 100, is_one_parcel=True) if levels and wanted else None
        steps = tariff.steps if tariff else (Step(room.max_weight_grams, 0),)
        found = replace(offer, rates=steps, steps=steps, misfits=misfits, tariff=tariff)
        if wanted and not self._is_in_one_parcel(found):
            # By weight or by volume: each article fits, all of them do not.
            found = replace(offer, misfits=misfits | dict.fromkeys(wanted, "SEVERAL_PARCELS"))
        self.misfits.update(found.misfits)
        return found

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
                    offer = self._offer(carrier.carrier_id, service, by_zone[zone.zone_id], zone.time_zone)
                    if self._is_in_one_parcel(offer):
                        self.going.append(offer)
                    else:
                        detail = "the basket needs more than the one parcel that there is room for"
                        self.refused.append((service.service_id, "SEVERAL_PARCELS", detail))

    def _offer(self, carrier_id: str, service: CarrierService, terms: ZoneTerms, time_zone: str) -> Offer:
        region = (self._place.destination.country, self._place.area.subdivision)
        delivery = self._calendars.of_delivery(
            carrier_id, service, terms, time_zone, region, self._snapshot.is_holiday
        )
        levels = self._levels(service, terms)
        misfits = self._misfits(service, terms, levels)
        self.misfits.update(misfits)
        percent = self._ruleset.shipping_percent
        wanted = {sku: units for sku, units in self._demand.items() if sku not in misfits}
        if levels is not None and wanted:
            is_one = self._terms.is_one_parcel
            tariff = tariff_of(levels, self._items, wanted, percent, is_one_parcel=is_one)
            if tariff is not None:
                least = tariff.steps
                return Offer(carrier_id, service, terms, least, least, delivery, misfits, tariff)
        weights = {sku: self._items[sku].weight_grams for sku in wanted}
        total = sum(weight * self._demand[sku] for sku, weight in weights.items())
        steps = steps_of(service, terms, total, max(weights.values(), default=0))
        dearer = steps if percent == 100 else tuple(weighed(step, percent) for step in steps)
        return Offer(carrier_id, service, terms, steps, dearer, delivery, misfits)

    def _levels(self, service: CarrierService, terms: ZoneTerms) -> Levels | None:
        """None where nothing but weight is asked for."""
        boxes = self._snapshot.boxes_in(self._ruleset.currency)
        if boxes or service.volumetric_divisor or service.room_cubic_millimetres:
            return Levels(service, terms, boxes)
        return None

    def _problem(self, service: CarrierService, terms: ZoneTerms) -> tuple[str, str] | None:
        """Why a service that goes there takes nothing of the basket."""
        appointment = self.appointment
        if appointment is not None and appointment.service_id not in ("", service.service_id):
            return "OTHER_APPOINTMENT", f"the appointment is with {appointment.service_id}"
        return self._terms_problem(terms)

    def _is_in_one_parcel(self, offer: Offer) -> bool:
        """Whether articles that fit one by one also fit together, where there is room for one parcel."""
        if self._is_listing or not self._terms.is_one_parcel:
            return True
        units = {sku: count for sku, count in self._demand.items() if sku not in offer.misfits}
        try:
            return parcels_of(offer, self._items, units).count <= 1
        except ValueError:
            return False

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

    def _misfits(self, service: CarrierService, terms: ZoneTerms, levels: Levels | None) -> dict[str, str]:
        """The SKUs of which one unit is too long, too large or too heavy for a service."""
        heaviest = limit_grams(service, terms)
        found: dict[str, str] = {}
        for sku in self._demand:
            item = self._items[sku]
            if item.longest_side_millimetres > service.max_length_millimetres:
                found[sku] = "TOO_LONG"
            elif service.is_too_large(item.sides):
                found[sku] = "TOO_LARGE"
            elif item.weight_grams > heaviest:
                found[sku] = "TOO_HEAVY"
            elif levels is not None and (problem := levels.misfit(item)):
                found[sku] = problem
        return found


def appointment_of(request: PlanRequest) -> Appointment | None:
    """The one that is kept, if its mode keeps any."""
    return request.appointment if TERMS[request.mode].appointments is not Appointments.NONE else None
