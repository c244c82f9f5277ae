"""Carbon of transport: tonne-kilometres times a factor (the method of ISO 14083 and the GLEC framework)."""

from collections.abc import Iterable

from services.promise.domain.network import Carbon, CarrierService


def of_parcel(service: CarrierService, weight_grams: int, kilometres: float) -> Carbon:
    """Grams CO2e of one parcel, over the great-circle distance."""
    tonne_kilometres = weight_grams / 1_000_000 * kilometres
    return Carbon(round(tonne_kilometres * service.carbon_grams_per_tonne_kilometre), service.carbon_factor)


def total(parts: Iterable[Carbon]) -> Carbon:
    """The sum, naming each factor once."""
    known = list(parts)
    factors = dict.fromkeys(part.factor for part in known if part.factor)
    return Carbon(sum(part.grams_co2e for part in known), "; ".join(factors))
