"""What one parcel of a service may hold and is billed for: goods as they are, or in one of the retailer's boxes.

A *level* is a box (or none) at a step of the carrier's rates, with so many grams and cubic millimetres of goods.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from services.promise.domain.network import Box, CarrierService, Item, ZoneTerms
from services.promise.domain.rates import with_surcharge

# More than any weight or volume, and far from the largest number.
BOUNDLESS = 1 << 60


@dataclass(frozen=True, slots=True)
class Level:
    """One parcel with goods up to so much, and what is billed for it. `box`: None for goods as they are."""

    grams: int
    volume: int
    billed_minor: int
    box: Box | None = None

    def takes(self, item: Item) -> bool:
        """Whether one unit can be in it."""
        is_within = item.weight_grams <= self.grams and item.volume_cubic_millimetres <= self.volume
        return is_within and (self.box is None or self.box.has_room_for(item))


def volumetric_grams(cubic_millimetres: int, divisor: int) -> int:
    """The weight for which a volume is charged: a divisor of cm3 by kilogram is one of mm3 by gram."""
    return -(-cubic_millimetres // divisor) if divisor else 0


def boxless(items: Mapping[str, Item], skus: Iterable[str], boxes: Sequence[Box]) -> frozenset[str]:
    """The SKUs that fit no box, where there are boxes: each unit is sent as it is."""
    if not boxes:
        return frozenset()
    return frozenset(sku for sku in skus if not any(box.may_hold(items[sku]) for box in boxes))


class Levels:
    """The parcels of a service to a zone: in the boxes that keep its limits, and goods as they are."""

    def __init__(self, service: CarrierService, terms: ZoneTerms, boxes: Sequence[Box]) -> None:
        self.divisor = service.volumetric_divisor
        self._boxes = boxes
        self._room = service.room_cubic_millimetres
        self._bare = _levels(service, terms, None)
        self._boxed = tuple(
            level for box in boxes if service.takes(box.outer_sides) for level in _levels(service, terms, box)
        )

    def misfit(self, item: Item) -> str:
        """Why one unit cannot be sent, of one that keeps the limits by itself; empty when it can."""
        levels = self._levels_for(item)
        if any(level.takes(item) for level in levels):
            return ""
        weightless = replace(item, weight_grams=0)
        return "TOO_HEAVY" if any(level.takes(weightless) for level in levels) else "TOO_LARGE"

    def levels_of(self, sku: str, items: Mapping[str, Item]) -> list[Level]:
        """Those that take one unit."""
        return [level for level in self._levels_for(items[sku]) if level.takes(items[sku])]

    @property
    def shared(self) -> tuple[Level, ...]:
        """Those for what is put together."""
        return self._boxed if self._boxes else self._bare

    def is_boxed(self, item: Item) -> bool:
        """Whether there is a box for it, with this service or another."""
        return any(box.may_hold(item) for box in self._boxes)

    def _levels_for(self, item: Item) -> tuple[Level, ...]:
        return self._boxed if self.is_boxed(item) else self._bare

    def is_by_weight(self, items: Mapping[str, Item], wanted: Mapping[str, int]) -> bool:
        """Whether volume never asks for more than weight does."""
        if self._boxes:
            return False
        volumes = {sku: items[sku].volume_cubic_millimetres for sku in wanted}
        is_dense = all(volumetric_grams(volumes[sku], self.divisor) <= items[sku].weight_grams for sku in wanted)
        return is_dense and (not self._room or sum(volumes[sku] * wanted[sku] for sku in wanted) <= self._room)


def _levels(service: CarrierService, terms: ZoneTerms, box: Box | None) -> tuple[Level, ...]:
    """By rising rates; of a box from the first that its own volume asks for."""
    tare = box.tare_grams if box else 0
    least = volumetric_grams(box.outer_cubic_millimetres, service.volumetric_divisor) if box else 0
    found: list[Level] = []
    for rate in terms.rates:
        most = [rate.up_to_grams, service.max_weight_grams, *([box.max_weight_grams] if box else [])]
        grams = min(most) - tare
        if rate.up_to_grams < least or grams < 0:
            continue
        if box:
            volume = box.usable_cubic_millimetres
        else:
            charged = rate.up_to_grams * service.volumetric_divisor or BOUNDLESS
            volume = min(charged, service.room_cubic_millimetres or BOUNDLESS)
        level = Level(grams, volume, with_surcharge(rate.price.amount_minor, service.surcharge_basis_points), box)
        if found and (found[-1].grams, found[-1].volume) == (level.grams, level.volume):
            break  # The step before reached the limits already.
        found.append(level)
    return tuple(found)
