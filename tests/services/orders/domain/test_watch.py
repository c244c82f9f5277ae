"""The promise is watched: each parcel has its milestones, lateness is news once, and gives what the rules say."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.errors import InvalidArgument
from services.orders.domain.model import Fulfilment, Order, Parcel, Window
from services.orders.domain.states import FulfilmentState, OrderState
from services.orders.domain.watch import (
    Cause,
    Drift,
    LatenessRule,
    Milestone,
    Step,
    check_lateness_rules,
    compensation_minor,
    current_promise,
    drifts,
    is_news,
    milestones,
    next_due,
)
from tests.services.orders.builders import NOON, PROMISE, leg, line, released

CUT_OFF = NOON + timedelta(hours=6)
MOMENT = timedelta(seconds=1)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
NEXT_DAY = Window(PROMISE.start + DAY, PROMISE.end + DAY)
RULES = (LatenessRule(3600, 5000), LatenessRule(86400, 10000))

F = FulfilmentState


def order(**changes: Any) -> Order:
    """One parcel, to be handed over by CUT_OFF."""
    return changed(released(leg((1, 2)), lines=(line(1),)), 0, **changes)


def pair() -> Order:
    """Two parcels: the second leaves two hours after the first."""
    return released(leg((1, 2)), leg((2, 2), point="store-nice", hours=8), lines=(line(1), line(2)))


def changed(one: Order, position: int, **changes: Any) -> Order:
    works = list(one.fulfilments)
    works[position] = replace(works[position], **changes)
    return replace(one, fulfilments=tuple(works))


def parcel(handed_over_at: datetime | None = None, delivered_at: datetime | None = None) -> Parcel:
    return Parcel("par_1", 6490, "EUR", 900, NOON, handed_over_at=handed_over_at, delivered_at=delivered_at)


def only(one: Order) -> Fulfilment:
    return one.fulfilments[0]


def causes(one: Order, now: datetime) -> list[Cause]:
    return [drift.cause for drift in drifts(one, now)]


# -- milestones -------------------------------------------------------------------------------------------


def test_a_parcel_leaves_by_its_cut_off_and_arrives_by_the_end_of_its_window() -> None:
    assert milestones(only(order())) == (
        Milestone(Step.HANDED_OVER, CUT_OFF),
        Milestone(Step.DELIVERED, PROMISE.end),
    )


@pytest.mark.parametrize("state", [F.REFUSED, F.LAPSED, F.SHORT, F.CANCELLED])
def test_work_that_was_given_up_is_not_waited_for(state: FulfilmentState) -> None:
    given_up = order(state=state)
    assert milestones(only(given_up)) == ()
    assert drifts(given_up, PROMISE.end + DAY) == ()
    assert next_due(given_up, NOON) is None


def test_the_last_instant_is_in_time() -> None:
    waiting = Milestone(Step.HANDED_OVER, CUT_OFF)
    assert not waiting.is_missed(CUT_OFF)
    assert waiting.is_missed(CUT_OFF + MOMENT)


def test_what_was_reached_in_time_is_never_missed_and_what_was_late_stays_so() -> None:
    assert not Milestone(Step.HANDED_OVER, CUT_OFF, CUT_OFF).is_missed(CUT_OFF + DAY)
    assert Milestone(Step.HANDED_OVER, CUT_OFF, CUT_OFF + MOMENT).is_missed(CUT_OFF)


def test_one_clock_serves_all_parcels_and_goes_on_to_what_is_still_waited_for() -> None:
    two = pair()
    assert next_due(two, NOON) == CUT_OFF
    first_gone = changed(two, 0, state=F.HANDED_OVER, parcel=parcel(CUT_OFF))
    assert next_due(first_gone, NOON) == CUT_OFF + 2 * HOUR
    assert next_due(first_gone, CUT_OFF + 3 * HOUR) == PROMISE.end
    assert next_due(first_gone, PROMISE.end + MOMENT) is None


# -- drifts -----------------------------------------------------------------------------------------------


def test_an_order_in_time_does_not_drift() -> None:
    assert drifts(order(), CUT_OFF) == ()
    delivered = order(state=F.DELIVERED, parcel=parcel(CUT_OFF, PROMISE.end))
    assert drifts(delivered, PROMISE.end + DAY) == ()


def test_only_the_parcel_that_is_late_drifts() -> None:
    two = pair()
    assert drifts(two, CUT_OFF + HOUR) == (Drift(two.fulfilments[0].fulfilment_id, Cause.HAND_OVER_MISSED),)


def test_a_late_hand_over_drifts_until_the_parcel_arrives_in_time_all_the_same() -> None:
    late = order(state=F.HANDED_OVER, parcel=parcel(CUT_OFF + HOUR))
    assert causes(late, CUT_OFF + HOUR) == [Cause.HAND_OVER_MISSED]
    arrived = order(state=F.DELIVERED, parcel=parcel(CUT_OFF + HOUR, PROMISE.end))
    assert causes(arrived, PROMISE.end + DAY) == []


def test_several_missed_milestones_are_one_drift_whose_cause_is_the_surest() -> None:
    assert causes(order(), PROMISE.end + MOMENT) == [Cause.DELIVERY_MISSED]
    planned_later = order(window=NEXT_DAY)
    assert causes(planned_later, CUT_OFF + HOUR) == [Cause.PLANNED_LATER]
    assert causes(planned_later, NEXT_DAY.end + MOMENT) == [Cause.DELIVERY_MISSED]


@pytest.mark.parametrize(
    ("delivered_at", "expected"),
    [(PROMISE.end, []), (PROMISE.end + MOMENT, [Cause.PLANNED_LATER]), (NEXT_DAY.end, [Cause.PLANNED_LATER])],
)
def test_a_plan_that_was_later_is_forgotten_when_the_parcel_arrives_in_time(
    delivered_at: datetime, expected: list[Cause]
) -> None:
    arrived = order(window=NEXT_DAY, state=F.DELIVERED, parcel=parcel(CUT_OFF, delivered_at))
    assert causes(arrived, NEXT_DAY.end + DAY) == expected


@pytest.mark.parametrize("state", [OrderState.CANCELLING, OrderState.CANCELLED])
def test_nobody_waits_for_a_cancelled_order(state: OrderState) -> None:
    cancelled = replace(order(), state=state)
    assert drifts(cancelled, PROMISE.end + DAY) == ()
    assert compensation_minor(cancelled, NEXT_DAY, RULES, 0) == 0


# -- the promise as it stands -----------------------------------------------------------------------------


def test_the_current_promise_is_that_of_the_last_parcel_and_the_accepted_one_stays() -> None:
    two = changed(pair(), 1, window=NEXT_DAY)
    assert current_promise(two, {}) == NEXT_DAY
    assert two.promise == PROMISE
    assert current_promise(changed(two, 1, state=F.REFUSED), {}) == PROMISE


def test_what_was_worked_out_anew_replaces_what_was_planned() -> None:
    one = order()
    assert current_promise(one, {only(one).fulfilment_id: NEXT_DAY}) == NEXT_DAY


def test_a_plan_that_is_earlier_leaves_the_customer_his_promise() -> None:
    assert current_promise(order(window=Window(NOON, NOON + HOUR)), {}) == PROMISE


@given(st.lists(st.integers(-100, 100), min_size=2, max_size=2))
def test_the_current_promise_is_never_earlier_than_any_plan_nor_than_the_accepted_one(hours: list[int]) -> None:
    two = pair()
    for position, late in enumerate(hours):
        window = Window(PROMISE.start + late * HOUR, PROMISE.end + late * HOUR)
        two = changed(two, position, window=window)
    current = current_promise(two, {})
    assert current is not None
    assert current.end == PROMISE.end + max(0, *hours) * HOUR


# -- news -------------------------------------------------------------------------------------------------


def later(hours: int) -> Window:
    return Window(PROMISE.start + hours * HOUR, PROMISE.end + hours * HOUR)


@pytest.mark.parametrize(
    ("told", "current", "news"),
    [(0, 0, False), (0, 1, True), (5, 5, False), (5, 7, False), (5, 8, True), (5, 4, False), (5, 0, True)],
)
def test_news_is_the_first_lateness_more_of_it_than_is_tolerated_and_its_end(
    told: int, current: int, news: bool
) -> None:
    assert is_news(PROMISE, later(told), later(current), 2 * HOUR) is news


@given(st.lists(st.integers(0, 40), max_size=20))
def test_nobody_is_ever_late_untold_and_the_same_is_never_told_twice(course: list[int]) -> None:
    told = PROMISE
    for hours in course:
        if is_news(PROMISE, told, later(hours), 2 * HOUR):
            told = later(hours)
        assert not is_news(PROMISE, told, later(hours), 2 * HOUR)
        assert (told.end > PROMISE.end) is (hours > 0)
        assert later(hours).end - told.end <= 2 * HOUR


# -- compensation -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("late", "given_minor", "due"),
    [
        (timedelta(0), 0, 0),
        (HOUR - MOMENT, 0, 0),
        (HOUR, 0, 245),
        (DAY, 0, 490),
        (DAY, 245, 245),
        (DAY, 490, 0),
        (HOUR, 490, 0),
    ],
)
def test_lateness_gives_its_part_of_the_delivery_fee_once(late: timedelta, given_minor: int, due: int) -> None:
    current = Window(PROMISE.start + late, PROMISE.end + late)
    assert compensation_minor(order(), current, RULES, given_minor) == due


@given(st.lists(st.integers(0, 100), max_size=20))
def test_however_the_delay_moves_no_more_than_the_worst_of_it_is_given(course: list[int]) -> None:
    given_minor = 0
    for hours in course:
        given_minor += compensation_minor(order(), later(hours), RULES, given_minor)
    assert given_minor == compensation_minor(order(), later(max(course, default=0)), RULES, 0)


def test_rules_that_fit_are_taken() -> None:
    check_lateness_rules(RULES, "lateness_rules")
    check_lateness_rules((), "lateness_rules")


@pytest.mark.parametrize(
    ("rules", "field"),
    [
        ((LatenessRule(0, 5000),), "lateness_rules[0].late_seconds"),
        ((LatenessRule(60, 0),), "lateness_rules[0].fee_basis_points"),
        ((LatenessRule(60, 10001),), "lateness_rules[0].fee_basis_points"),
        ((LatenessRule(60, 100), LatenessRule(60, 200)), "lateness_rules[1].late_seconds"),
        ((LatenessRule(60, 100), LatenessRule(120, 100)), "lateness_rules[1].fee_basis_points"),
    ],
)
def test_rules_that_do_not_fit_name_the_field(rules: tuple[LatenessRule, ...], field: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        check_lateness_rules(rules, "lateness_rules")
    assert caught.value.facts["field"] == field
