"""What a pick was, and rates that lean on wider ones: properties for any picks anywhere."""

import random
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from functools import reduce

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.inventory.domain import holds, picks
from services.inventory.domain.holds import HoldLine, Reservation, ReservationState
from services.inventory.domain.ledger import Balance, Book, Cause
from services.inventory.domain.picks import (
    WHOLE_BASIS_POINTS,
    Depth,
    Pick,
    Picked,
    Tally,
    find_rates,
    rate_table,
    shrunk,
)

POINTS = ("LYON", "PARIS")
rates = st.fractions(0, 1)
tallies = st.integers(0, 300).flatmap(lambda asked: st.integers(0, asked).map(lambda found: Tally(found, asked)))


@st.composite
def networks(draw: st.DrawFn) -> list[Picked]:
    cells = draw(st.sets(st.tuples(st.sampled_from(POINTS), st.sampled_from(Depth))))
    found = []
    for point_id, depth in sorted(cells):
        of_category, of_others = draw(tallies), draw(tallies)
        found.append(Picked(point_id, depth, of_category, of_category.plus(of_others)))
    return found


def all_rates(picked: Sequence[Picked], *, by_category: bool = True) -> list[int | None]:
    return [one.basis_points for one in find_rates(picked, POINTS, Depth, by_category=by_category)]


# -- picks ------------------------------------------------------------------------------------------------


def held(balance: Balance, quantity: int) -> tuple[Book, Reservation, list[HoldLine]]:
    wish = HoldLine("PAN", "LYON", quantity)
    reservation = Reservation("ord_1", "web", ReservationState.CONFIRMED, None, (wish,))
    return Book([balance]), reservation, [wish]


def test_issued_units_were_found_at_the_depth_before_them() -> None:
    book, reservation, wishes = held(Balance("PAN", "LYON", on_hand=5, reserved=2), 2)
    holds.issue(book, reservation, wishes, Cause("issue", "inventory"))
    assert picks.picked(book) == (Pick("PAN", "LYON", on_hand=5, found=2),)


def test_two_lines_of_one_position_are_one_pick() -> None:
    book, reservation, _ = held(Balance("PAN", "LYON", on_hand=5, reserved=3), 3)
    wishes = [HoldLine("PAN", "LYON", 1), HoldLine("PAN", "LYON", 2)]
    holds.issue(book, reservation, wishes, Cause("issue", "inventory"))
    assert picks.picked(book) == (Pick("PAN", "LYON", on_hand=5, found=3),)


@pytest.mark.parametrize(
    ("balance", "expected"),
    [
        (Balance("PAN", "LYON", on_hand=5, reserved=2), (Pick("PAN", "LYON", 5, missed=2),)),
        # A count had missed one of the two; the shelf that it saw has one left.
        (Balance("PAN", "LYON", on_hand=1, reserved=2, short=1), (Pick("PAN", "LYON", 1, missed=1),)),
        (Balance("PAN", "LYON", reserved=2, short=2), ()),
        # Somebody had declared one of them before.
        (Balance("PAN", "LYON", on_hand=2, reserved=2, unavailable=1), (Pick("PAN", "LYON", 2, missed=1),)),
        (Balance("PAN", "LYON", on_hand=2, reserved=2, unavailable=2), ()),
    ],
)
def test_a_short_pick_missed_what_nobody_had_missed_before(balance: Balance, expected: tuple[Pick, ...]) -> None:
    book, reservation, wishes = held(balance, 2)
    holds.report_short(book, reservation, wishes, Cause("short_pick", "assoc_1"))
    assert picks.picked(book) == expected


# -- rates ------------------------------------------------------------------------------------------------


@given(tallies, rates)
def test_a_shrunk_rate_lies_between_the_raw_share_and_what_it_leans_on(tally: Tally, prior: Fraction) -> None:
    found = shrunk(tally, prior)
    assert found is not None
    raw = Fraction(tally.found, tally.asked) if tally.asked else prior
    assert min(raw, prior) <= found <= max(raw, prior)


@given(tallies, rates, st.integers(1, 10**6))
def test_the_more_was_asked_the_nearer_it_is_to_the_raw_share(tally: Tally, prior: Fraction, times: int) -> None:
    many = Tally(tally.found * times, tally.asked * times)
    found = shrunk(many, prior)
    assert found is not None
    if many.asked:
        raw = Fraction(many.found, many.asked)
        assert abs(found - raw) <= Fraction(picks.PRIOR_UNITS, picks.PRIOR_UNITS + many.asked)


def test_where_nothing_was_asked_it_is_what_it_leans_on_and_without_that_there_is_none() -> None:
    assert shrunk(Tally(), Fraction(3, 7)) == Fraction(3, 7)
    assert shrunk(Tally(), None) is None
    assert shrunk(Tally(2, 3), None) == Fraction(2, 3)


@given(networks(), st.booleans())
def test_a_find_rate_is_a_share_or_unknown_only_if_nobody_picked_anything(
    network: list[Picked], by_category: bool
) -> None:
    found = all_rates(network, by_category=by_category)
    if any(one.of_all.asked for one in network):
        assert all(rate is not None and 0 <= rate <= WHOLE_BASIS_POINTS for rate in found)
    else:
        assert set(found) == {None}


@given(networks().filter(bool), st.data())
def test_a_unit_found_instead_of_missed_lowers_no_rate_anywhere(
    network: list[Picked], data: st.DataObject
) -> None:
    at = data.draw(st.integers(0, len(network) - 1))
    one = network[at]
    if one.of_category.found == one.of_category.asked:
        return
    better = replace(
        one,
        of_category=one.of_category._replace(found=one.of_category.found + 1),
        of_all=one.of_all._replace(found=one.of_all.found + 1),
    )
    before, after = all_rates(network), all_rates([*network[:at], better, *network[at + 1 :]])
    assert all(a is not None and b is not None and b >= a for a, b in zip(before, after, strict=True))


def test_a_rate_leans_on_its_depth_then_its_point_then_the_network() -> None:
    network = [
        Picked("LYON", Depth.ONE, Tally(0, 10), Tally(10, 40)),
        Picked("LYON", Depth.TWO, Tally(0, 0), Tally(20, 20)),
        Picked("PARIS", Depth.TWO, Tally(0, 0), Tally(30, 40)),
    ]
    whole = Fraction(60, 100)
    lyon = (30 + 20 * whole) / (60 + 20)
    at_one = (10 + 20 * lyon) / (40 + 20)
    of_category = (0 + 20 * at_one) / (10 + 20)
    paris = (30 + 20 * whole) / (40 + 20)
    found = {
        (one.point_id, one.depth): one.basis_points
        for one in find_rates(network, (*POINTS, "NICE"), Depth, by_category=True)
    }
    assert found["LYON", Depth.ONE] == round(of_category * 10_000)
    assert found["LYON", Depth.SIX_OR_MORE] == round(lyon * 10_000), "nothing of this depth: the point"
    assert found["PARIS", Depth.ONE] == round(paris * 10_000)
    assert found["NICE", Depth.ONE] == 6_000, "nothing at this point: the network"
    assert find_rates(network, ["LYON"], [Depth.ONE], by_category=False)[0].basis_points == round(at_one * 10_000)


def test_the_table_gives_the_rates_that_are_given_when_asked() -> None:
    chance = random.Random(5)
    paths = ("home", "home/kitchen", "home/garden", "food", "")
    told = [
        (path, point_id, depth, Tally(found, found + chance.randrange(9)))
        for path in paths
        for point_id in ("A", "B")
        for depth in Depth
        if (found := chance.randrange(30)) % 3
    ]
    table = {(row.category, row.point_id): row.basis_points for row in rate_table(told)}
    for category in ("", "home", "home/kitchen", "food", "nobody picked it"):
        counted = [
            Picked(point_id, depth, _sum(told, point_id, depth, category), _sum(told, point_id, depth, ""))
            for point_id in ("A", "B")
            for depth in Depth
        ]
        for point_id in ("A", "B", "C"):
            asked = find_rates(counted, [point_id], Depth, by_category=bool(category))
            row = table.get((category, point_id)) or table.get(("", point_id)) or table["", ""]
            assert row == tuple(one.basis_points for one in asked), (category, point_id)
    assert rate_table([]) == ()


def _sum(told: Sequence[tuple[str, str, Depth, Tally]], point_id: str, depth: Depth, category: str) -> Tally:
    return reduce(
        Tally.plus,
        (
            tally
            for path, at, deep, tally in told
            if (at, deep) == (point_id, depth) and f"{path}/".startswith(f"{category}/" if category else "")
        ),
        Tally(),
    )
