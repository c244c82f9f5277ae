"""Cents are shared so that any cut of the units sums to the amount."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.values.allocation import share

amounts = st.integers(min_value=0, max_value=10**12)
quantities = st.integers(min_value=1, max_value=100_000)


@given(amount=amounts, quantity=quantities, data=st.data())
def test_any_partition_of_the_units_sums_to_the_amount(amount: int, quantity: int, data: st.DataObject) -> None:
    cuts = sorted(data.draw(st.lists(st.integers(0, quantity), max_size=8)))
    edges = [0, *cuts, quantity]
    assert sum(share(amount, quantity, a, b) for a, b in itertools.pairwise(edges)) == amount


@given(amount=amounts, quantity=st.integers(1, 200))
def test_units_differ_by_at_most_one_minor_unit(amount: int, quantity: int) -> None:
    units = [share(amount, quantity, i, i + 1) for i in range(quantity)]
    assert max(units) - min(units) <= 1


@pytest.mark.parametrize(("start", "end", "quantity"), [(-1, 1, 2), (1, 3, 2), (2, 1, 2), (0, 0, 0)])
def test_units_outside_the_line_are_refused(start: int, end: int, quantity: int) -> None:
    with pytest.raises(ValueError, match="units"):
        share(100, quantity, start, end)
