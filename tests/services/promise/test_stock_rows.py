"""Positions in rows: what is read is what was told, and never moves under whoever reads."""

from dataclasses import replace
from datetime import date
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.promise.domain import network as n
from services.promise.domain.columns import StockColumns, columns_of
from services.promise.stock_rows import StockRows
from tests.services.promise.network import CHANNEL, block

DAY = date(2026, 7, 1)
positions = st.builds(
    n.StockPosition,
    free=st.integers(-(2**31), 2**31 - 1),
    safety_stock=st.dictionaries(st.sampled_from(["web", "app"]), st.integers(0, 9)),
    facts=st.sampled_from([n.NO_FACTS, n.Facts(0.125), n.Facts(1.5, DAY, 30)]),
)
told = st.lists(
    st.lists(
        st.tuples(st.sampled_from("xyz"), st.sampled_from("abcdef"), positions),
        unique_by=lambda one: one[:2],
    ),
    max_size=6,
)


def free(units: int) -> n.StockPosition:
    return n.StockPosition(units, {CHANNEL: 0})


@given(told)
def test_what_was_told_last_is_what_is_read(blocks: list[list[tuple[str, str, n.StockPosition]]]) -> None:
    rows, expected = StockRows(), dict[str, dict[str, n.StockPosition]]()
    for one in blocks:
        before = {sku: (rows.of(sku, "", {}), dict(known)) for sku, known in expected.items()}
        rows.put(block(*one))
        for sku, point_id, position in one:
            expected.setdefault(sku, {})[point_id] = position
        assert all(seen == known for seen, known in before.values()), "looked at only now, but as it was then"
    assert {sku: rows.of(sku, "", {}) for sku in expected} == expected
    assert rows.count == sum(map(len, expected.values()))


limited = positions.map(
    lambda one: replace(one, purposes={"app": frozenset({n.COLLECT})}) if "app" in one.safety_stock else one
)


@given(st.lists(st.tuples(st.just("x"), st.sampled_from("abcdef"), limited), unique_by=lambda one: one[:2]))
def test_columns_say_what_positions_say(told: list[tuple[str, str, n.StockPosition]]) -> None:
    rows = StockRows()
    rows.put(block(*told))
    known = {point_id: position for _, point_id, position in told}
    for channel_id, purpose in product(("web", "app"), (n.SHIP, n.COLLECT)):
        seen = columns_of(rows.of("x", "", {}) or {}, channel_id, purpose)
        assert _by_point(seen) == _by_point(columns_of(known, channel_id, purpose))


def _by_point(seen: StockColumns) -> dict[str, tuple[int, int, int]]:
    figures = (seen.free.tolist(), seen.safety_stock.tolist(), seen.routing_buffer.tolist())
    return dict(zip(seen.point_ids, zip(*figures, strict=True), strict=True))


def test_a_position_says_what_each_channel_may_take_it_for() -> None:
    rows = StockRows()
    purposes = {"web": frozenset({n.SHIP, n.COLLECT}), "counter": frozenset({n.COLLECT})}
    position = n.StockPosition(4, {"web": 1, "counter": 2, "old": 0}, {"web": 3}, purposes=purposes)
    rows.put(block(("x", "lille", position)))
    seen = rows.of("x", "", {})
    assert seen is not None
    one = seen["lille"]
    assert (one.safety_stock, one.routing_buffers) == ({"web": 1, "counter": 2, "old": 0}, {"web": 3})
    allowed = {channel for channel in ("web", "counter", "old", "unknown") if one.allows(channel, n.SHIP)}
    assert allowed == {"web", "old"}, "who names no purposes may take it for any"
    assert one.allows("counter", n.COLLECT)
    assert not one.allows("counter", n.SHOW)


def test_a_find_rate_is_of_the_category_at_the_depth_at_the_point_or_the_next_wider_one() -> None:
    rows = StockRows()
    units_at = {"a": 0, "b": 2, "c": 5, "d": 6}
    rows.put(block(*(("x", point_id, free(units)) for point_id, units in units_at.items())))
    rates = {
        ("", ""): [0.1, 0.2, 0.3, 0.4],
        ("", "b"): [0.5, 0.6, 0.7, 0.8],
        ("", "c"): [0.5, 0.6, 0.7, 0.8],
        ("home", "c"): [0.91, 0.92, 0.93, 0.94],
    }
    seen = rows.of("x", "home", rates)
    assert seen is not None
    assert {at: one.facts.find_rate for at, one in seen.items()} == {"a": 0.1, "b": 0.6, "c": 0.93, "d": 0.4}


def test_more_units_than_can_be_kept_are_as_many_as_can() -> None:
    rows = StockRows()
    rows.put(replace(block(("x", "a", free(0))), free=np.array([2**40])))
    assert (rows.of("x", "", {}) or {})["a"].free == 2**31 - 1


@pytest.mark.parametrize("parts", [{"rows": [2]}, {"rows": []}, {"point_ids": []}, {"free": np.array([1, 2])}])
def test_columns_that_do_not_fit_are_refused_whole(parts: dict[str, object]) -> None:
    rows = StockRows()
    with pytest.raises((ValueError, IndexError)):
        rows.put(replace(block(("x", "a", free(1))), **parts))  # type: ignore[arg-type]
    assert rows.of("x", "", {}) is None
