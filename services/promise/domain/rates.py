"""What a parcel costs: the carrier's steps with its surcharge. Amounts are minor units."""

from collections.abc import Sequence
from dataclasses import dataclass

from services.promise.domain.network import CarrierService, ZoneTerms

_BASIS_POINTS = 10_000


@dataclass(frozen=True, slots=True)
class Step:
    """A parcel up to `up_to_grams` costs `cost_minor`, surcharge included."""

    up_to_grams: int
    cost_minor: int


def with_surcharge(amount_minor: int, basis_points: int) -> int:
    """Half a minor unit and more is rounded up."""
    return (amount_minor * (_BASIS_POINTS + basis_points) + _BASIS_POINTS // 2) // _BASIS_POINTS


def steps(service: CarrierService, terms: ZoneTerms) -> tuple[Step, ...]:
    """The steps up to the service's own limit, both figures rising strictly (rates never fall with weight)."""
    found: list[Step] = []
    for rate in terms.rates:
        cost = with_surcharge(rate.price.amount_minor, service.surcharge_basis_points)
        up_to = min(rate.up_to_grams, service.max_weight_grams)
        if found and found[-1].up_to_grams == up_to:
            break  # The step before reached the service's limit already.
        if found and found[-1].cost_minor == cost:
            found.pop()
        found.append(Step(up_to, cost))
    return tuple(found)


def parcel_cost(parcel_steps: Sequence[Step], weight_grams: int) -> int:
    """The cost of the first step that takes the weight. ValueError when none does."""
    for step in parcel_steps:
        if weight_grams <= step.up_to_grams:
            return step.cost_minor
    raise ValueError(f"no rate for {weight_grams} g")
