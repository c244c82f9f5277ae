"""What a leg's parcels cost: the carrier's steps with its surcharge. Amounts are minor units."""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from operator import attrgetter

from services.promise.domain.network import CarrierService, ZoneTerms

_BASIS_POINTS = 10_000
_UP_TO = attrgetter("up_to_grams")


@dataclass(frozen=True, slots=True)
class Step:
    """Up to `up_to_grams` cost `cost_minor`, surcharge included, in `parcels` parcels."""

    up_to_grams: int
    cost_minor: int
    parcels: int = 1


def with_surcharge(amount_minor: int, basis_points: int) -> int:
    """Half a minor unit and more is rounded up."""
    return (amount_minor * (_BASIS_POINTS + basis_points) + _BASIS_POINTS // 2) // _BASIS_POINTS


def weighed(step: Step, percent: int) -> Step:
    """A step at a part of its cost, half a minor unit and more rounded up."""
    return Step(step.up_to_grams, (step.cost_minor * percent + 50) // 100, step.parcels)


def limit_grams(service: CarrierService, terms: ZoneTerms) -> int:
    """The heaviest parcel that it takes and prices."""
    return min(service.max_weight_grams, terms.rates[-1].up_to_grams)


def steps_of(
    service: CarrierService, terms: ZoneTerms, total_grams: int = 0, heaviest_grams: int = 0
) -> tuple[Step, ...]:
    """The steps of one parcel, then those of two and more up to `total_grams`: cost never falls with weight.

    How full the parcels before the last can be is estimated by as many of the heaviest unit as fit into one: right
    for one article, and rather a parcel too many than one too few for a mixture.
    """
    single = _of_one_parcel(service, terms)
    limit = single[-1].up_to_grams
    if total_grams <= limit:
        return single
    heaviest = min(max(1, heaviest_grams), limit)
    full_grams = limit // heaviest * heaviest
    full_cost = parcel_cost(single, full_grams)
    found = list(single)
    while found[-1].up_to_grams < total_grams:
        parcels = found[-1].parcels + 1
        before_grams, before_cost = (parcels - 1) * full_grams, (parcels - 1) * full_cost
        for step in single:
            grams = before_grams + step.up_to_grams
            if grams > found[-1].up_to_grams:
                # With a light last parcel it might cost less than a full one before it.
                _add(found, Step(grams, max(before_cost + step.cost_minor, found[-1].cost_minor), parcels))
    return tuple(found)


def _of_one_parcel(service: CarrierService, terms: ZoneTerms) -> tuple[Step, ...]:
    """Up to the service's own limit (rates never fall with weight)."""
    found: list[Step] = []
    for rate in terms.rates:
        cost = with_surcharge(rate.price.amount_minor, service.surcharge_basis_points)
        up_to = min(rate.up_to_grams, service.max_weight_grams)
        if found and found[-1].up_to_grams == up_to:
            break  # The step before reached the service's limit already.
        _add(found, Step(up_to, cost))
    return tuple(found)


def _add(found: list[Step], step: Step) -> None:
    """Two steps of one cost are one."""
    if found and (found[-1].cost_minor, found[-1].parcels) == (step.cost_minor, step.parcels):
        found.pop()
    found.append(step)


def step_of(found: Sequence[Step], weight_grams: int) -> Step:
    """The first step that takes the weight. ValueError when none does."""
    place = bisect_left(found, weight_grams, key=_UP_TO)
    if place == len(found):
        raise ValueError(f"no rate for {weight_grams} g")
    return found[place]


def parcel_cost(found: Sequence[Step], weight_grams: int) -> int:
    """The cost of that step."""
    return step_of(found, weight_grams).cost_minor
