"""Ranges of units: [from_unit, to_unit) of a line that share one state and one fulfilment.

Owns the algebra of splitting, moving and merging them. A line of 80,000 units costs as many rows as it has
different fates, never one per unit. Knows no money and no order.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

from services.orders.domain.states import UNIT_MOVES, UnitState, move


@dataclass(frozen=True, slots=True)
class LineRange:
    """Units [from_unit, to_unit) of a line. `fulfilment_id` is empty while they have no place."""

    line_number: int
    from_unit: int
    to_unit: int
    state: UnitState
    fulfilment_id: str = ""

    @property
    def quantity(self) -> int:
        """How many units."""
        return self.to_unit - self.from_unit


Ranges = tuple[LineRange, ...]


class NotEnoughUnits(ValueError):
    """More units were asked for than the line has in that state."""


def whole(line_number: int, quantity: int) -> LineRange:
    """All units of a new line."""
    return LineRange(line_number, 0, quantity, UnitState.RECORDED)


def quantity(ranges: Iterable[LineRange]) -> int:
    """How many units they hold together."""
    return sum(one.quantity for one in ranges)


def in_fulfilment(ranges: Ranges, fulfilment_id: str) -> Ranges:
    """The units that a fulfilment has now."""
    return tuple(one for one in ranges if one.fulfilment_id == fulfilment_id)


def in_state(ranges: Ranges, *states: UnitState) -> Ranges:
    """The units in one of these states."""
    return tuple(one for one in ranges if one.state in states)


def shift(
    ranges: Ranges, chosen: Callable[[LineRange], bool], state: UnitState, fulfilment_id: str = ""
) -> Ranges:
    """Moves every chosen range to a state and a fulfilment."""
    return merged(_moved(one, state, fulfilment_id) if chosen(one) else one for one in ranges)


def cancel(ranges: Ranges, chosen: Callable[[LineRange], bool]) -> Ranges:
    """Cancels every chosen range; it keeps the fulfilment that it had."""
    return merged(
        _moved(one, UnitState.CANCELLED, one.fulfilment_id)
        if chosen(one) and one.state != UnitState.CANCELLED
        else one
        for one in ranges
    )


def changed(ranges: Ranges, chosen: Ranges, state: UnitState) -> Ranges:
    """Moves these units, which are among the ranges, to a state; each keeps the fulfilment that it has."""
    rest = without(ranges, [(one.line_number, one.from_unit, one.to_unit) for one in chosen])
    return merged((*rest, *(_moved(one, state, one.fulfilment_id) for one in chosen)))


def take(
    ranges: Ranges,
    counts: Mapping[int, int],
    chosen: Callable[[LineRange], bool],
    state: UnitState,
    fulfilment_id: str = "",
) -> Ranges:
    """Moves the first so many chosen units of each line to a state and a fulfilment. Raises NotEnoughUnits."""
    result: list[LineRange] = []
    missing = dict(counts)
    for one in merged(ranges):
        count = min(missing.get(one.line_number, 0), one.quantity)
        if count == 0 or not chosen(one):
            result.append(one)
            continue
        taken, rest = split(one, count)
        missing[one.line_number] -= count
        result.append(_moved(taken, state, fulfilment_id))
        result.extend(rest)
    for line_number, count in missing.items():
        if count:
            raise NotEnoughUnits(f"line {line_number} lacks {count} of {counts[line_number]} units")
    return merged(result)


def within(ranges: Ranges, others: Iterable[tuple[int, int, int]]) -> Ranges:
    """The units of `ranges` that are in `others`: (line number, from, to)."""
    rest = without(ranges, others)
    return without(ranges, [(one.line_number, one.from_unit, one.to_unit) for one in rest])


def without(ranges: Ranges, others: Iterable[tuple[int, int, int]]) -> Ranges:
    """The units of `ranges` that are not in `others`: (line number, from, to)."""
    left = list(ranges)
    for line_number, start, end in others:
        rest: list[LineRange] = []
        for one in left:
            if one.line_number != line_number or end <= one.from_unit or one.to_unit <= start:
                rest.append(one)
                continue
            if one.from_unit < start:
                rest.append(replace(one, to_unit=start))
            if end < one.to_unit:
                rest.append(replace(one, from_unit=end))
        left = rest
    return merged(left)


def first(ranges: Ranges, counts: Mapping[int, int]) -> Ranges:
    """The first so many units of each line. Raises NotEnoughUnits."""
    missing = dict(counts)
    result: list[LineRange] = []
    for one in merged(ranges):
        if count := min(missing.get(one.line_number, 0), one.quantity):
            missing[one.line_number] -= count
            result.append(split(one, count)[0])
    for line_number, count in missing.items():
        if count:
            raise NotEnoughUnits(f"line {line_number} lacks {count} of {counts[line_number]} units")
    return tuple(result)


def split(one: LineRange, count: int) -> tuple[LineRange, Sequence[LineRange]]:
    """The first `count` units of a range, and the others if there are any."""
    if not 0 < count <= one.quantity:
        raise NotEnoughUnits(f"{count} of {one.quantity} units")
    if count == one.quantity:
        return one, ()
    cut = one.from_unit + count
    return replace(one, to_unit=cut), (replace(one, from_unit=cut),)


def merged(ranges: Iterable[LineRange]) -> Ranges:
    """The same units in the fewest ranges, in the order of lines and units."""
    ordered = sorted(ranges, key=lambda one: (one.line_number, one.from_unit))
    result: list[LineRange] = []
    for _, of_line in groupby(ordered, key=lambda one: one.line_number):
        last: LineRange | None = None
        for one in of_line:
            if last and last.to_unit == one.from_unit and _same_fate(last, one):
                last = result[-1] = replace(last, to_unit=one.to_unit)
            else:
                result.append(one)
                last = one
    return tuple(result)


def _same_fate(one: LineRange, other: LineRange) -> bool:
    return (one.state, one.fulfilment_id) == (other.state, other.fulfilment_id)


def _moved(one: LineRange, state: UnitState, fulfilment_id: str) -> LineRange:
    after = move("unit", UNIT_MOVES, one.state, state)
    return replace(one, state=after, fulfilment_id=fulfilment_id)
