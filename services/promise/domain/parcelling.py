"""All ways to send a basket with a service: in one parcel, or in several of the main one.

Says how many are enough whatever is put where; what is then in each is nobody's business here.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from services.promise.domain.levels import BOUNDLESS, Level, Levels
from services.promise.domain.network import Item
from services.promise.domain.tariffs import NOTHING, Amounts, Choice, Tariff, box_cost, least_steps, rank

# The room of a main parcel in parts: halves, thirds and so on up to sixteenths are whole numbers.
_PARTS = 720_720
# Of more sizes nearly every sum is possible.
_MAX_SIZES = 30


def tariff_of(
    levels: Levels, items: Mapping[str, Item], wanted: Mapping[str, int], percent: int, *, is_one_parcel: bool
) -> Tariff | None:
    """Of a basket without misfits; None when its weight alone decides. `is_one_parcel`: there is no second."""
    if levels.is_by_weight(items, wanted):
        return None
    return _Basket(levels, items, wanted, percent).tariff(is_one_parcel=is_one_parcel)


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
            choices.append(Choice(NOTHING, 0, 0, 0, leaves_out=self._shared))
        if self._main is not None and not is_one_parcel:
            choices += self._several(self._main)
        kept = _without_beaten(sorted(choices, key=rank))
        return Tariff(
            sizes={
                sku: self._size(items[sku], self._main) if sku in self._shared and self._main else NOTHING
                for sku in self._wanted
            },
            choices=tuple(kept),
            own={sku: min(map(self._alone, self._levels.levels_of(sku, items)), key=rank) for sku in own},
            # What weighs nothing here weighs nothing in bounds only where no service has a box for it.
            steps=least_steps(kept, is_flat=any(self._levels.is_boxed(items[sku]) for sku in own)),
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
        return self._weighed(level.billed_minor * parcels) + box_cost(level.box, parcels)

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
        cost = self._weighed(billed) + box_cost(main.box, parcels)
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
