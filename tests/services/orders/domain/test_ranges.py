"""Units are conserved and never overlap, however they are split, moved and merged."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.orders.domain.ranges import LineRange, NotEnoughUnits, Ranges, merged, quantity, shift, take, whole
from services.orders.domain.states import UNIT_MOVES, IllegalTransition, UnitState

QUANTITIES = {1: 80_000, 2: 7, 3: 1}
MOVES = st.lists(
    st.tuples(
        st.sampled_from(sorted(QUANTITIES)),
        st.integers(1, 80_000),
        st.sampled_from(list(UnitState)),
        st.sampled_from(list(UnitState)),
        st.sampled_from(["", "ful_a", "ful_b"]),
    ),
    max_size=40,
)


def start() -> Ranges:
    return tuple(whole(number, count) for number, count in QUANTITIES.items())


def is_recorded(one: LineRange) -> bool:
    return one.state == UnitState.RECORDED


def assert_whole(ranges: Ranges) -> None:
    for number, count in QUANTITIES.items():
        mine = [one for one in ranges if one.line_number == number]
        assert mine[0].from_unit == 0
        assert mine[-1].to_unit == count
        assert all(one.to_unit == following.from_unit for one, following in pairwise(mine))
        assert all(
            (one.state, one.fulfilment_id) != (following.state, following.fulfilment_id)
            for one, following in pairwise(mine)
        )


@settings(deadline=None)
@given(MOVES)
def test_units_are_conserved_and_never_overlap(moves: list[tuple[int, int, UnitState, UnitState, str]]) -> None:
    ranges = start()
    for number, count, state, target, fulfilment_id in moves:
        have = quantity(one for one in ranges if one.line_number == number and one.state == state)
        count = min(count, have)
        if count == 0 or target not in UNIT_MOVES[state]:
            continue
        before = quantity(one for one in ranges if one.line_number == number and one.state == target)
        ranges = take(ranges, {number: count}, lambda one, s=state: one.state == s, target, fulfilment_id)  # type: ignore[misc]
        after = quantity(one for one in ranges if one.line_number == number and one.state == target)
        assert after - before == count
        assert_whole(ranges)


@settings(deadline=None)
@given(st.integers(1, 80_000), st.integers(1, 80_000))
def test_a_line_of_80000_units_costs_a_few_ranges(first: int, second: int) -> None:
    ranges: Ranges = (whole(1, 80_000),)
    for count, name in ((first, "ful_a"), (min(second, 80_000 - first), "ful_b")):
        if count:
            ranges = take(
                ranges, {1: count}, lambda one: one.state == UnitState.RECORDED, UnitState.ALLOCATED, name
            )
    assert len(ranges) <= 3
    assert quantity(ranges) == 80_000


def test_neighbours_of_one_fate_become_one_range() -> None:
    pieces = [
        LineRange(1, 4, 6, UnitState.PICKED, "ful_a"),
        LineRange(1, 0, 4, UnitState.PICKED, "ful_a"),
        LineRange(1, 6, 9, UnitState.PICKED, "ful_b"),
        LineRange(2, 0, 1, UnitState.PICKED, "ful_b"),
    ]
    assert merged(pieces) == (
        LineRange(1, 0, 6, UnitState.PICKED, "ful_a"),
        LineRange(1, 6, 9, UnitState.PICKED, "ful_b"),
        LineRange(2, 0, 1, UnitState.PICKED, "ful_b"),
    )


def test_more_units_than_there_are_cannot_be_taken() -> None:
    with pytest.raises(NotEnoughUnits):
        take((whole(1, 3),), {1: 4}, lambda one: True, UnitState.ALLOCATED, "ful_a")


def test_a_shipped_unit_cannot_be_cancelled() -> None:
    shipped = (LineRange(1, 0, 3, UnitState.SHIPPED, "ful_a"),)
    with pytest.raises(IllegalTransition, match="unit is shipped"):
        shift(shipped, lambda one: True, UnitState.CANCELLED)
