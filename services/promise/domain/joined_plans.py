"""Plans whose legs meet at a hub: what each leg brings, and what goes on from there."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from services.promise.domain import carbon
from services.promise.domain.candidates import Candidate
from services.promise.domain.found import Found
from services.promise.domain.hubs import Departure, Meeting, Onward
from services.promise.domain.journeys import ByHub
from services.promise.domain.lines import LineFiller
from services.promise.domain.network import NO_CARBON, Window
from services.promise.domain.plans import CostComponent, Leg, LegLine, Plan
from services.promise.domain.shelves import NO_UNIT_COSTS
from services.promise.domain.tariffs import Parcels, parcels_of

_ALWAYS_TOLD = frozenset({"shipping", "preparation", "split", "distance", "lateness", "consolidation"})
Taken = tuple[Candidate, Mapping[str, int]]


def plan(meeting: Meeting, onward: Onward, found: Found) -> Plan:
    """What was found for a hub, in legs and order lines."""
    lines = LineFiller(meeting.request.lines)
    pairs = sorted(zip(found.legs, found.shares, strict=True), key=lambda pair: pair[0].id)
    taken = [(leg, dict(zip(meeting.units, share, strict=True))) for leg, share in pairs]
    arrivals = {leg.id: _arrival(leg) for leg, _ in taken}
    there = max((one.end for one in arrivals.values() if one is not None), default=onward.start)
    departure = onward.departure(there)
    if departure is None:
        raise AssertionError("every leg is in time")
    items = meeting.snapshot.stock.items
    legs = tuple(
        _leg(onward, leg, arrival, _parts(lines, units), parcels_of(leg, items, units))
        if (arrival := arrivals[leg.id]) is not None
        else _own(onward, departure, _parts(lines, units), meeting.weight_of(units))
        for leg, units in taken
    )
    whole = _onward(onward, departure)
    return Plan(
        legs=legs,
        window=departure.window,
        order_before=found.order_before,
        total_cost_minor=found.cost + onward.cost,
        costs=_costs(meeting, onward, taken),
        carbon=carbon.total(leg.carbon for leg in (*legs, whole)),
        price=onward.offer.terms.customer_price,
        onward=whole,
    )


def _arrival(leg: Candidate) -> Window | None:
    """At the hub; None for what it has itself."""
    return leg.journey.arrives(leg.hand_over) if isinstance(leg.journey, ByHub) else None


def _parts(lines: LineFiller, units: Mapping[str, int]) -> tuple[LegLine, ...]:
    return tuple(part for sku, count in units.items() if count for part in lines.take(sku, count))


def _leg(onward: Onward, leg: Candidate, arrival: Window, lines: tuple[LegLine, ...], parcels: Parcels) -> Leg:
    personal = onward.personal_lines
    lines = tuple(replace(one, plain=True) if one.line_number in personal else one for one in lines)
    return Leg(
        point_id=leg.point.point_id,
        carrier_id=leg.carrier_id,
        service_id=leg.service.service_id,
        lines=lines,
        window=arrival,
        hand_over_by=leg.hand_over.at,
        weight_grams=parcels.weight_grams,
        shipping_cost_minor=parcels.billed_minor,
        carbon=carbon.of_parcel(leg.service, parcels.weight_grams, leg.distance_kilometres),
        distance_kilometres=leg.distance_kilometres,
        parcels=parcels.count,
        chargeable_grams=parcels.chargeable_grams,
        boxes=parcels.boxes,
        packaging_cost_minor=parcels.packaging_minor,
        prepared_on=leg.prepared_on,
        collected_on=leg.hand_over.day,
        cut_off_minute=leg.hand_over.cut_off_minute,
        via_point_id=onward.hub.point_id,
    )


def _own(onward: Onward, departure: Departure, lines: tuple[LegLine, ...], weight: int) -> Leg:
    """What the hub has itself: prepared with all that came, so that it takes no room by itself."""
    return Leg(
        point_id=onward.hub.point_id,
        carrier_id="",
        service_id="",
        lines=lines,
        window=Window(departure.begin.at, departure.ready),
        hand_over_by=departure.hand_over.at,
        weight_grams=weight,
        shipping_cost_minor=0,
        carbon=NO_CARBON,
        distance_kilometres=0.0,
        parcels=0,
        via_point_id=onward.hub.point_id,
    )


def _onward(onward: Onward, departure: Departure) -> Leg:
    parcels = onward.parcels
    return Leg(
        point_id=onward.hub.point_id,
        carrier_id=onward.offer.carrier_id,
        service_id=onward.offer.service.service_id,
        lines=(),
        window=departure.window,
        hand_over_by=departure.hand_over.at,
        weight_grams=parcels.weight_grams,
        shipping_cost_minor=parcels.billed_minor,
        carbon=carbon.of_parcel(onward.offer.service, parcels.weight_grams, onward.kilometres),
        distance_kilometres=onward.kilometres,
        parcels=parcels.count,
        chargeable_grams=parcels.chargeable_grams,
        boxes=parcels.boxes,
        packaging_cost_minor=parcels.packaging_minor,
        prepared_on=departure.begin.day,
        collected_on=departure.hand_over.day,
        cut_off_minute=departure.hand_over.cut_off_minute,
    )


def _costs(meeting: Meeting, onward: Onward, taken: Sequence[Taken]) -> tuple[CostComponent, ...]:
    """As the engine tells them; what joining costs is a part of the steps that were searched."""
    units = [
        (leg.unit_costs.get(sku, NO_UNIT_COSTS), count) for leg, share in taken for sku, count in share.items()
    ]
    legs = [leg for leg, _ in taken]
    sent = [parcels_of(leg, meeting.snapshot.stock.items, share) for leg, share in taken]
    joined = meeting.consolidation.cost_minor * sum(
        parcels.count for parcels, leg in zip(sent, legs, strict=True) if leg.carrier_id
    )
    packaging = sum(parcels.packaging_minor for parcels in sent)
    amounts = {
        "shipping": sum(parcels.cost_minor for parcels in sent) - packaging - joined + onward.shipping_cost,
        "packaging": packaging + onward.packaging_cost,
        "preparation": sum(leg.preparation_cost for leg in legs) + onward.preparation_cost,
        "split": 0,
        "distance": sum(leg.distance_cost for leg in legs) + onward.distance_cost,
        "lateness": max(leg.lateness_cost for leg in legs),
        "consolidation": joined,
        "priority": sum(leg.priority_cost for leg in legs) + onward.priority_cost,
        "capacity": sum(leg.capacity_cost for leg in legs) + onward.capacity_cost,
        "low_cover": sum(cost.low_cover * count for cost, count in units),
        "markdown": sum(cost.markdown * count for cost, count in units),
        "short_pick": sum(cost.short_pick * count for cost, count in units),
    }
    return tuple(CostComponent(name, amount) for name, amount in amounts.items() if amount or name in _ALWAYS_TOLD)
