"""What a plan takes and an order gives back: sums by counter."""

from dataclasses import replace
from datetime import date

import pytest

from services.promise.domain import takings
from services.promise.domain.capacity import Capacity, Counter, Limit, Limits
from services.promise.domain.engine import plan
from services.promise.domain.plans import Decision, Outcome
from services.promise.domain.takings import LegPlace, Taking
from tests.services.promise.network import LYON, NOW, point, request, ruleset, snapshot, stock

MONDAY, TUESDAY = date(2026, 6, 1), date(2026, 6, 2)
AT_LILLE = Taking("dec_1", 0, LegPlace("lille", {1: 2}), "post", "home", MONDAY, TUESDAY, 1020, 3)


def decision(outcome: Outcome) -> Decision:
    seen = snapshot([], {})
    return Decision("dec_1", "ord_1", request(("x", 1)), "", "default", 1, seen.stock.view, outcome)


def test_each_leg_of_the_first_plan_takes_with_the_units_of_its_lines() -> None:
    points = [point("lille"), point("lyon", position=LYON)]
    network = snapshot(points, stock({"x": {"lille": 3, "lyon": 9}}))
    found = takings.of_best_plan(decision(plan(network, request(("x", 2), ("x", 8)), ruleset())))
    assert [(one.decision_id, one.leg) for one in found] == [("dec_1", 0), ("dec_1", 1)]
    units: dict[int, int] = {}
    for one in found:
        for line_number, quantity in one.place.lines.items():
            units[line_number] = units.get(line_number, 0) + quantity
    assert units == {1: 2, 2: 8}


def test_a_decision_without_a_plan_takes_nothing() -> None:
    assert takings.of_best_plan(decision(Outcome((), (), (), (), proved_optimal=True))) == []


def test_a_leg_counts_once_at_its_point_and_by_parcel_in_every_way_that_a_carrier_is_limited() -> None:
    assert dict(AT_LILLE.counted) == {
        Counter("lille", MONDAY): 1,
        Counter("lille", TUESDAY, "post"): 3,
        Counter("lille", TUESDAY, "post", "", 1020): 3,
        Counter("lille", TUESDAY, "post", "home"): 3,
        Counter("lille", TUESDAY, "post", "home", 1020): 3,
    }


def test_what_its_customer_collects_counts_at_its_point_alone() -> None:
    collected = replace(AT_LILLE, carrier_id="", service_id="", collected_on=MONDAY)
    assert list(collected.counted) == [(Counter("lille", MONDAY), 1)]


def test_what_is_taken_again_alike_changes_nothing_and_what_moves_goes_down_and_up() -> None:
    assert takings.changes([replace(AT_LILLE, decision_id="dec_2")], [AT_LILLE]) == {}
    later = replace(AT_LILLE, prepared_on=TUESDAY)
    assert takings.changes([later], [AT_LILLE]) == {Counter("lille", MONDAY): -1, Counter("lille", TUESDAY): 1}


def test_what_is_given_back_is_not_of_others() -> None:
    taken = {Counter("lille", MONDAY): 5, Counter("lyon", MONDAY): 2}
    assert takings.of_others(taken, [AT_LILLE]) == {Counter("lille", MONDAY): 4, Counter("lyon", MONDAY): 2}


def test_a_leg_is_found_by_its_point_and_its_units() -> None:
    other = replace(AT_LILLE, leg=1, place=LegPlace("lille", {2: 1}))
    assert takings.at([AT_LILLE, other], [LegPlace("lille", {2: 1}), LegPlace("lyon", {1: 2})]) == [other]


def test_of_legs_that_are_alike_only_the_last_one_is_given_back() -> None:
    later = replace(AT_LILLE, decision_id="dec_2")
    assert takings.at([later, AT_LILLE], [AT_LILLE.place]) == [later]
    assert takings.at([later, AT_LILLE], [AT_LILLE.place] * 3) == [later, AT_LILLE]
    of_the_first = replace(AT_LILLE.place, decision_id="dec_1")
    assert takings.at([later, AT_LILLE], [of_the_first] * 2) == [AT_LILLE], "unless its plan is named"


@pytest.mark.parametrize(
    ("change", "after", "is_too_much"), [(1, 4, False), (1, 5, True), (-1, 9, False), (2, 3, False)]
)
def test_only_what_goes_up_may_pass_a_limit(change: int, after: int, is_too_much: bool) -> None:
    counter, points = Counter("lille", MONDAY), {"lille": point("lille", daily_capacity=99)}
    found = takings.is_too_much({counter: change}, {counter: after}, Limits([Limit(4, "lille")]), points)
    assert found is is_too_much


def test_a_plan_never_needs_more_than_it_was_told_there_is() -> None:
    """What the engine finds with some room, the counters take."""
    shop = point("shop", daily_capacity=2)
    limits = Limits([Limit(3, "", "post"), Limit(2, "shop", "post", "home", 1020)])
    taken: dict[Counter, int] = {}
    days = []
    for _ in range(9):
        network = replace(snapshot([shop], stock({"x": {"shop": 9}})), capacity=Capacity(limits, dict(taken)))
        (leg,) = takings.of_best_plan(decision(plan(network, request(("x", 1), now=NOW), ruleset())))
        for counter, amount in takings.changes([leg], ()).items():
            taken[counter] = taken.get(counter, 0) + amount
        assert not takings.is_too_much(takings.changes([leg], ()), taken, limits, {"shop": shop})
        days.append(leg.prepared_on)
    assert [days.count(day) for day in sorted(set(days))] == [2, 2, 2, 2, 1]
