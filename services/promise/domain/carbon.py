"""Carbon of transport: tonne-kilometres times a factor, part by part of the way (ISO 14083, GLEC framework).

Distances are great-circle distances, for which both have no correction; factors are well to wheel.
"""

from collections.abc import Iterable

from services.promise.domain.network import NO_CARBON, Carbon, CarrierService


def of_parcel(service: CarrierService, weight_grams: int, kilometres: float) -> Carbon:
    """Grams CO2e of one parcel. Parts of the way are as long as the service says; one is what they leave of it."""
    if not service.carbon_legs:
        return NO_CARBON
    rest = max(0.0, kilometres - sum(leg.kilometres for leg in service.carbon_legs))
    per_tonne = sum((leg.kilometres or rest) * leg.grams_per_tonne_kilometre for leg in service.carbon_legs)
    return Carbon(round(weight_grams / 1_000_000 * per_tonne), service.carbon_factor)


def total(parts: Iterable[Carbon]) -> Carbon:
    """The sum, naming each factor once."""
    known = list(parts)
    factors = dict.fromkeys(part.factor for part in known if part.factor)
    return Carbon(sum(part.grams_co2e for part in known), "; ".join(factors))
