"""What parcels cost by all that is in them: weight, volume and the retailer's boxes. Amounts are minor units.

A *choice* is one parcel of a level (levels.py), or several of the main one: so many that whatever keeps its limits
can be put into them (parcelling.py). What fits no box, or not the main one, is a parcel of its own.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from services.promise.domain.levels import BOUNDLESS, volumetric_grams
from services.promise.domain.network import Box, Item
from services.promise.domain.rates import Step, step_of

# What limits parcels: grams, cubic millimetres, parts of the main parcel, and units of more than half of it.
KINDS = 4
Amounts = tuple[int, int, int, int]
NOTHING: Amounts = (0, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class Choice:
    """Parcels of one kind. `limits`: of each kind of what may be in them.

    `leaves_out`: SKUs that do not fit. `cost_minor`: as the ruleset weighs it, boxes included.
    """

    limits: Amounts
    cost_minor: int
    billed_minor: int
    parcels: int
    box: Box | None = None
    leaves_out: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Parcels:
    """What some units are sent in. Grams are of goods and boxes; `boxes`: by id, with how many.

    `cost_minor`: as weighed, with `packaging_minor` for the boxes; `billed_minor`: by the carrier.
    """

    count: int
    weight_grams: int
    chargeable_grams: int
    cost_minor: int
    billed_minor: int
    packaging_minor: int = 0
    boxes: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True, eq=False, slots=True)
class Tariff:
    """Of a service for one basket. `sizes`: of one unit of each SKU, as `limits` count; nothing where it is `own`.

    `choices`: by rising cost, the last ones take all of the basket. `own`: SKUs of which each unit is a parcel.
    `steps`: the least that any choice asks for so much weight.
    """

    sizes: Mapping[str, Amounts]
    choices: tuple[Choice, ...]
    own: Mapping[str, Choice]
    steps: tuple[Step, ...]
    items: Mapping[str, Item]
    divisor: int

    def choice(self, units: Mapping[str, int]) -> Choice:
        """The cheapest for the units that are no parcels of their own. ValueError when none takes them."""
        there = [sku for sku, count in units.items() if count and sku not in self.own]
        loads = [sum(self.sizes[sku][kind] * units[sku] for sku in there) for kind in range(KINDS)]
        for one in self.choices:
            is_within = all(load <= limit for load, limit in zip(loads, one.limits, strict=True))
            if is_within and one.leaves_out.isdisjoint(there):
                return one
        raise ValueError(f"no parcels for {dict(units)}")

    def parcels(self, units: Mapping[str, int]) -> Parcels:
        """What the units are sent in."""
        there = {sku: count for sku, count in units.items() if count}
        shared = {sku: count for sku, count in there.items() if sku not in self.own}
        parts = [(self.choice(shared), shared, 1)] if shared else []
        parts += [(self.own[sku], {sku: 1}, count) for sku, count in there.items() if sku in self.own]
        boxes: dict[str, int] = {}
        for choice, _, times in parts:
            if choice.box is not None:
                boxes[choice.box.box_id] = boxes.get(choice.box.box_id, 0) + choice.parcels * times
        weighed = [(self._grams(choice, goods), times) for choice, goods, times in parts]
        return Parcels(
            count=sum(choice.parcels * times for choice, _, times in parts),
            weight_grams=sum(grams * times for (grams, _), times in weighed),
            chargeable_grams=sum(grams * times for (_, grams), times in weighed),
            cost_minor=sum(choice.cost_minor * times for choice, _, times in parts),
            billed_minor=sum(choice.billed_minor * times for choice, _, times in parts),
            packaging_minor=sum(box_cost(choice.box, choice.parcels) * times for choice, _, times in parts),
            boxes=tuple(sorted(boxes.items())),
        )

    def most_parcels(self, units: Mapping[str, int]) -> int:
        """That these units, or fewer of them, may be sent in."""
        whole = self.choice(units)
        own = sum(count for sku, count in units.items() if sku in self.own)
        return own + max(one.parcels for one in self.choices if one.cost_minor <= whole.cost_minor)

    def dearer(self, each_minor: int) -> "Tariff":
        """With so much more for each parcel."""

        def more(choice: Choice) -> Choice:
            return replace(choice, cost_minor=choice.cost_minor + choice.parcels * each_minor)

        choices = tuple(sorted(map(more, self.choices), key=rank))
        own = {sku: more(one) for sku, one in self.own.items()}
        return replace(self, choices=choices, own=own, steps=least_steps(choices, is_flat=len(self.steps) == 1))

    def _grams(self, choice: Choice, goods: Mapping[str, int]) -> tuple[int, int]:
        """What parcels weigh, and for what weight they are charged."""
        items, parcels = self.items, choice.parcels
        tare = choice.box.tare_grams if choice.box else 0
        grams = sum(items[sku].weight_grams * count for sku, count in goods.items()) + tare * parcels
        volume = (
            choice.box.outer_cubic_millimetres * parcels
            if choice.box
            else sum(items[sku].volume_cubic_millimetres * count for sku, count in goods.items())
        )
        return grams, max(grams, volumetric_grams(volume, self.divisor))


class Priced(Protocol):
    """What has prices of a service. `rates`: the carrier's; `steps`: as the ruleset weighs them.

    `tariff`: None when its weight alone decides what a parcel costs; then `rates` and `steps` are exact.
    """

    @property
    def rates(self) -> tuple[Step, ...]: ...
    @property
    def steps(self) -> tuple[Step, ...]: ...
    @property
    def tariff(self) -> Tariff | None: ...


def parcels_of(priced: Priced, items: Mapping[str, Item], units: Mapping[str, int]) -> Parcels:
    """What some units are sent in."""
    if priced.tariff is not None:
        return priced.tariff.parcels(units)
    grams = sum(items[sku].weight_grams * count for sku, count in units.items())
    step = step_of(priced.rates, grams)
    return Parcels(step.parcels, grams, grams, step_of(priced.steps, grams).cost_minor, step.cost_minor)


def most_parcels(priced: Priced, items: Mapping[str, Item], units: Mapping[str, int]) -> int:
    """That some units, or fewer of them, may be sent in."""
    if priced.tariff is not None:
        return priced.tariff.most_parcels(units)
    return parcels_of(priced, items, units).count


def box_cost(box: Box | None, count: int) -> int:
    """Of so many."""
    return box.cost.amount_minor * count if box else 0


def rank(choice: Choice) -> tuple[int, int, str]:
    """The cheapest first; of equal ones the fewest parcels."""
    return (choice.cost_minor, choice.parcels, choice.box.box_id if choice.box else "")


def least_steps(choices: Sequence[Choice], *, is_flat: bool) -> tuple[Step, ...]:
    """The least that is asked for so much weight. `is_flat`: for any weight."""
    if is_flat or not choices:
        return (Step(BOUNDLESS, choices[0].cost_minor if choices else 0, 0),)
    found: list[Step] = []
    for choice in choices:
        if not found or choice.limits[0] > found[-1].up_to_grams:
            if found and found[-1].cost_minor == choice.cost_minor:
                found.pop()
            found.append(Step(choice.limits[0], choice.cost_minor, choice.parcels))
    return tuple(found)
