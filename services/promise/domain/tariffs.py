"""What parcels cost by all that is in them: weight, volume and the retailer's boxes. Amounts are minor units.

A *level* is one parcel: a box (or none) at a step of the carrier's rates, which takes goods up to so many grams
and cubic millimetres. A *choice* is one parcel of a level, or several of the main one: so many that whatever keeps
its limits can be put into them. What fits no box of the retailer, or not the main one, is a parcel of its own.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from services.promise.domain.network import Box, CarrierService, Item, ZoneTerms
from services.promise.domain.rates import Step, step_of, with_surcharge

# More than any weight or volume, and far from the largest number.
BOUNDLESS = 1 << 60
# What limits parcels: grams, cubic millimetres, parts of the main parcel, and units of more than half of it.
KINDS = 4
Amounts = tuple[int, int, int, int]
_NOTHING = (0, 0, 0, 0)
# The room of a main parcel in parts: halves, thirds and so on up to sixteenths are whole numbers.
_PARTS = 720_720
# Of more sizes nearly every sum is possible.
_MAX_SIZES = 30


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
            packaging_minor=sum(_box_cost(choice.box, choice.parcels) * times for choice, _, times in parts),
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

        choices = tuple(sorted(map(more, self.choices), key=_rank))
        own = {sku: more(one) for sku, one in self.own.items()}
        return replace(self, choices=choices, own=own, steps=_steps(choices, is_flat=len(self.steps) == 1))

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

    def tariff(
        self, items: Mapping[str, Item], wanted: Mapping[str, int], percent: int, *, is_one_parcel: bool
    ) -> Tariff | None:
        """Of a basket without misfits; None when its weight alone decides. `is_one_parcel`: there is no second."""
        if self._is_by_weight(items, wanted):
            return None
        return _Basket(self, items, wanted, percent).tariff(is_one_parcel=is_one_parcel)

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

    def _is_by_weight(self, items: Mapping[str, Item], wanted: Mapping[str, int]) -> bool:
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


class _Basket:
    """What is wanted of a service, to be put into its parcels."""

    def __init__(self, levels: Levels, items: Mapping[str, Item], wanted: Mapping[str, int], percent: int) -> None:
        self._levels = levels
        self._items = items
        self._wanted = wanted
        self._percent = percent
        self._taking = {
            level: frozenset(sku for sku in wanted if level.takes(items[sku])) for level in levels.shared
        }
        most = max(map(len, self._taking.values()), default=0)
        self._main: Level | None = None
        self._shared: frozenset[str] = frozenset()
        if most:
            mains = [level for level, taken in self._taking.items() if len(taken) == most]
            self._main = min(mains, key=lambda level: (self._all_in(level), -level.volume, -level.grams))
            self._shared = self._taking[self._main]

    def tariff(self, *, is_one_parcel: bool) -> Tariff:
        """All ways to send it."""
        items, own = self._items, self._wanted.keys() - self._shared
        choices = [self._single(level) for level in self._levels.shared]
        if own:
            choices.append(Choice(_NOTHING, 0, 0, 0, leaves_out=self._shared))
        if self._main is not None and not is_one_parcel:
            choices += self._several(self._main)
        kept = _without_beaten(sorted(choices, key=_rank))
        return Tariff(
            sizes={
                sku: self._size(items[sku], self._main) if sku in self._shared and self._main else _NOTHING
                for sku in self._wanted
            },
            choices=tuple(kept),
            own={sku: min(map(self._alone, self._levels.levels_of(sku, items)), key=_rank) for sku in own},
            # What weighs nothing here weighs nothing in bounds only where no service has a box for it.
            steps=_steps(kept, is_flat=any(self._levels.is_boxed(items[sku]) for sku in own)),
            items=items,
            divisor=self._levels.divisor,
        )

    def _total(self, kind: int, level: Level) -> int:
        return sum(self._size(self._items[sku], level)[kind] * self._wanted[sku] for sku in self._shared)

    def _size(self, item: Item, level: Level) -> Amounts:
        """Of one unit; its part of a parcel is that of its weight or its volume, whichever is more."""
        grams, volume = item.weight_grams, item.volume_cubic_millimetres
        rooms = ((grams, level.grams), (volume, level.volume))
        parts = max(-(-size * _PARTS // max(1, room)) for size, room in rooms)
        return grams, volume, parts, int(2 * parts > _PARTS)

    def _all_in(self, level: Level) -> int:
        """What all that a level takes costs at least if all of its parcels are full."""
        taken = self._taking[level]
        parts = sum(self._size(self._items[sku], level)[2] * self._wanted[sku] for sku in taken)
        return max(1, -(-parts // _PARTS)) * self._cost(level, 1)

    def _cost(self, level: Level, parcels: int) -> int:
        return self._weighed(level.billed_minor * parcels) + _box_cost(level.box, parcels)

    def _weighed(self, billed_minor: int) -> int:
        return (billed_minor * self._percent + 50) // 100

    def _single(self, level: Level) -> Choice:
        one = self._alone(level)
        if self._main and level.grams <= self._main.grams and level.volume <= self._main.volume:
            # One unit of more than half of the main parcel's weight, and one of more than half of its volume.
            items, main = [self._items[sku] for sku in self._shared], self._main
            heavy = any(2 * item.weight_grams > main.grams for item in items)
            bulky = any(2 * item.volume_cubic_millimetres > main.volume for item in items)
            one = replace(one, limits=(*one.limits[:3], heavy + bulky))
        return replace(one, leaves_out=self._shared - self._taking[level])

    def _alone(self, level: Level) -> Choice:
        limits = (level.grams, level.volume, BOUNDLESS, BOUNDLESS)
        return Choice(limits, self._cost(level, 1), level.billed_minor, 1, level.box)

    def _several(self, main: Level) -> list[Choice]:
        """Two and more main parcels, till all of the basket has room.

        The largest are put in first, so units of more than half a parcel find one each. When a smaller one fits
        into none but the last, the others are full but for less than it; the last takes what is left.
        """
        total, large = self._total(2, main), self._total(3, main)
        if self._total(0, main) <= main.grams and self._total(1, main) <= main.volume:
            return []
        full = self._full(main)
        lasts = [one for one in self._levels.shared if one.box == main.box and one.grams <= main.grams]
        found: list[Choice] = []
        parcels = 1
        while not found or found[-1].limits[2] < total or parcels < large:
            parcels += 1
            for last in lasts:
                if last.volume < main.volume and last.box is None:
                    room = min(last.grams * _PARTS // max(1, main.grams), last.volume * _PARTS // main.volume)
                else:
                    room = last.grams * _PARTS // main.grams if main.grams else _PARTS
                parts = (parcels - 1) * full + room
                found.append(self._of(main, last, parcels, parts, is_full=room == _PARTS))
        return found

    def _of(self, main: Level, last: Level, parcels: int, parts: int, *, is_full: bool) -> Choice:
        billed = (parcels - 1) * main.billed_minor + last.billed_minor
        cost = self._weighed(billed) + _box_cost(main.box, parcels)
        grams, volume = parts * main.grams // _PARTS, min(BOUNDLESS, parts * main.volume // _PARTS)
        limits = (grams, volume, parts, parcels if is_full else parcels - 1)
        return Choice(limits, cost, billed, parcels, main.box)

    def _full(self, main: Level) -> int:
        """Parts of a main parcel that are filled at least when a unit of up to half of it does not fit."""
        units: dict[int, int] = {}
        for sku in self._shared:
            size = self._size(self._items[sku], main)[2]
            units[size] = units.get(size, 0) + self._wanted[sku]
        largest = max((size for size in units if 2 * size <= _PARTS), default=0)
        if len(units) > _MAX_SIZES:
            return _PARTS - largest + 1
        # All sums that may be in one parcel, as the bits of one number; then the lowest that has no room for more.
        sums, all_sums = 1, (1 << _PARTS + 1) - 1
        for size, count in units.items():
            left, step = min(count, _PARTS // size) if size else 0, 1
            while left > 0:
                sums = (sums | sums << min(step, left) * size) & all_sums
                left, step = left - step, 2 * step
        beyond = sums >> _PARTS - largest + 1
        return _PARTS - largest + (beyond & -beyond).bit_length() if beyond else _PARTS


def _box_cost(box: Box | None, count: int) -> int:
    return box.cost.amount_minor * count if box else 0


def _rank(choice: Choice) -> tuple[int, int, str]:
    return (choice.cost_minor, choice.parcels, choice.box.box_id if choice.box else "")


def _without_beaten(choices: Sequence[Choice]) -> list[Choice]:
    """By rising cost, without those that take nothing which a cheaper one does not take."""
    kept: list[Choice] = []
    for choice in choices:
        if choice.parcels > 1 or not any(_beats(one, choice) for one in kept):
            kept.append(choice)
    return kept


def _beats(one: Choice, other: Choice) -> bool:
    is_larger = all(mine >= its for mine, its in zip(one.limits, other.limits, strict=True))
    return is_larger and one.leaves_out <= other.leaves_out


def _steps(choices: Sequence[Choice], *, is_flat: bool) -> tuple[Step, ...]:
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
