"""The promise is watched: each parcel has its milestones, lateness is news once, and gives what the rules say."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.errors import InvalidArgument
from services.orders.domain import fulfilment, settings
from services.orders.domain import order as life
from services.orders.domain.model import (
    Cause,
    Decision,
    Fulfilment,
    LatenessRule,
    Order,
    Parcel,
    Units,
    Window,
)
from services.orders.domain.states import FulfilmentState, OrderState
from services.orders.domain.watch import Outlook, compensation_minor, is_news, judge, look
from tests.services.orders.builders import LIFE_CYCLE, NOON, PROMISE, leg, line, released

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
MOMENT = timedelta(seconds=1)
CUT_OFF = NOON + 6 * HOUR
START = NOON + 4 * HOUR
TOLERANCE = HOUR
# The plan knows that the collection after a missed one is on Monday.
NEXT_CUT_OFF = CUT_OFF + 3 * DAY
NEXT_WINDOW = Window(PROMISE.start + 3 * DAY, PROMISE.end + 3 * DAY)
RULES = (LatenessRule(3600, 5000), LatenessRule(86400, 10000))

F = FulfilmentState


def order(**changes: Any) -> Order:
    """One parcel, to be begun by START and handed over by CUT_OFF; rules and an hour of tolerance."""
    one = released(leg((1, 2)), lines=(line(1),))
    plan = {"latest_start": START, "next_hand_over_by": NEXT_CUT_OFF, "next_window": NEXT_WINDOW}
    return changed(ruled(one), 0, **(plan | changes))


def pair() -> Order:
    """Two parcels: the second leaves two hours after the first. No plan knows another collection."""
    return ruled(released(leg((1, 2)), leg((2, 2), point="store-nice", hours=8), lines=(line(1), line(2))))


def ruled(one: Order, rules: tuple[LatenessRule, ...] = RULES) -> Order:
    tolerance = int(TOLERANCE.total_seconds())
    return replace(one, life_cycle=replace(LIFE_CYCLE, promise_tolerance_seconds=tolerance, lateness_rules=rules))


def changed(one: Order, position: int, **changes: Any) -> Order:
    works = list(one.fulfilments)
    works[position] = replace(works[position], **changes)
    return replace(one, fulfilments=tuple(works))


def parcel(handed_over_at: datetime | None = None, delivered_at: datetime | None = None) -> Parcel:
    return Parcel("par_1", 6490, "EUR", 900, NOON, handed_over_at=handed_over_at, delivered_at=delivered_at)


def gone(one: Order, position: int, left: datetime, arrived: datetime | None = None) -> Order:
    state = F.DELIVERED if arrived else F.HANDED_OVER
    return changed(one, position, state=state, parcel=parcel(left, arrived))


def only(one: Order) -> Fulfilment:
    return one.fulfilments[0]


def outlook(one: Order, now: datetime) -> Outlook:
    return look(one, now)[0]


def days_later(days: int) -> Window:
    return Window(PROMISE.start + days * DAY, PROMISE.end + days * DAY)


def judged(one: Order, now: datetime) -> Decision:
    return judge(Decision(one), now)


def kinds(decision: Decision) -> list[str]:
    return [one.kind for one in decision.happenings]


def swept(one: Order, until: datetime) -> tuple[Order, list[tuple[datetime, str]]]:
    """The order after nothing but time has passed: looked at whenever it asks for it."""
    one = judged(one, NOON).order
    told: list[tuple[datetime, str]] = []
    while one.watch_at and one.watch_at < until:
        now = one.watch_at + MOMENT
        decision = judged(one, now)
        told += [(now, kind) for kind in kinds(decision)]
        one = decision.order
        assert one.watch_at is None or one.watch_at >= now, "else it would be looked at for ever"
    return one, told


# -- when a parcel is expected ----------------------------------------------------------------------------


def test_a_parcel_in_time_is_expected_as_planned() -> None:
    taken = order(state=F.ACCEPTED)
    assert outlook(taken, NOON) == Outlook(only(taken), PROMISE, PROMISE, Cause.IN_TIME, CUT_OFF + TOLERANCE)


def test_the_last_instant_within_the_tolerance_is_in_time() -> None:
    taken = order(state=F.ACCEPTED)
    assert outlook(taken, CUT_OFF + TOLERANCE).cause is Cause.IN_TIME
    assert outlook(taken, CUT_OFF + TOLERANCE + MOMENT).cause is Cause.HAND_OVER_MISSED


def test_a_scan_that_came_a_little_late_is_no_missed_collection() -> None:
    assert outlook(gone(order(), 0, CUT_OFF + TOLERANCE), CUT_OFF + 5 * HOUR).cause is Cause.IN_TIME


def test_a_missed_collection_gives_the_window_that_the_plan_knew() -> None:
    late = outlook(order(state=F.PACKED), CUT_OFF + 2 * HOUR)
    assert (late.expected, late.cause, late.look_at) == (
        NEXT_WINDOW,
        Cause.HAND_OVER_MISSED,
        NEXT_CUT_OFF + TOLERANCE,
    )


def test_a_missed_collection_whose_next_one_arrives_in_the_same_window_is_no_lateness() -> None:
    twice_a_day = order(state=F.PACKED, next_hand_over_by=CUT_OFF + 3 * HOUR, next_window=PROMISE)
    seen = outlook(twice_a_day, CUT_OFF + 2 * HOUR)
    assert (seen.expected, seen.cause) == (PROMISE, Cause.IN_TIME)
    assert seen.look_at == CUT_OFF + 3 * HOUR + TOLERANCE


@pytest.mark.parametrize(("days", "expected"), [(1, 1), (2, 2), (3, 4), (5, 8)])
def test_where_the_plan_knows_no_further_collection_days_are_added(days: int, expected: int) -> None:
    unknown = order(state=F.PACKED, next_hand_over_by=None, next_window=None)
    assert outlook(unknown, CUT_OFF + days * DAY).expected == days_later(expected)


def test_a_late_hand_over_counts_from_when_it_was() -> None:
    late = outlook(gone(order(), 0, NEXT_CUT_OFF), NEXT_CUT_OFF + DAY)
    assert (late.expected, late.cause, late.look_at) == (
        NEXT_WINDOW,
        Cause.HAND_OVER_MISSED,
        NEXT_WINDOW.end + TOLERANCE,
    )


def test_a_carrier_that_is_silent_past_the_window_is_late_by_days() -> None:
    silent = gone(order(), 0, CUT_OFF)
    late = outlook(silent, PROMISE.end + 2 * HOUR)
    assert (late.expected, late.cause) == (days_later(1), Cause.DELIVERY_MISSED)


@pytest.mark.parametrize(
    ("arrived", "cause"),
    [(PROMISE.end + TOLERANCE, Cause.IN_TIME), (PROMISE.end + TOLERANCE + MOMENT, Cause.DELIVERY_MISSED)],
)
def test_what_was_delivered_is_late_or_not_whenever_one_looks(arrived: datetime, cause: Cause) -> None:
    seen = outlook(gone(order(), 0, CUT_OFF + DAY, arrived), PROMISE.end + 30 * DAY)
    assert (seen.cause, seen.look_at) == (cause, None)


@pytest.mark.parametrize("state", [F.REFUSED, F.LAPSED, F.SHORT, F.CANCELLED])
def test_work_that_was_given_up_is_not_waited_for(state: FulfilmentState) -> None:
    given_up = order(state=state)
    assert look(given_up, PROMISE.end + DAY) == ()
    assert judged(given_up, NOON).order.watch_at is None


def test_work_without_a_window_is_not_watched() -> None:
    decision = judged(order(window=None), PROMISE.end + DAY)
    assert (decision.order.watch_at, decision.happenings) == (None, ())


# -- what is told -----------------------------------------------------------------------------------------


def test_an_order_in_time_tells_nothing_and_needs_no_look_after_its_delivery() -> None:
    delivered = gone(order(), 0, CUT_OFF, PROMISE.end)
    decision = judged(delivered, PROMISE.end + DAY)
    assert (decision.happenings, decision.order.watch_at, decision.order.late_since) == ((), None, None)


def test_a_drift_is_told_once_with_the_new_promise_and_why() -> None:
    now = CUT_OFF + 2 * HOUR
    first = judged(order(state=F.PACKED), now)
    (news,) = [one for one in first.happenings if one.kind == "order.promise_changed"]
    assert news.facts == {
        "accepted": {"start": PROMISE.start.isoformat(), "end": PROMISE.end.isoformat()},
        "promise": {"start": NEXT_WINDOW.start.isoformat(), "end": NEXT_WINDOW.end.isoformat()},
        "late": True,
        "parcels": [
            {
                "fulfilment_id": only(first.order).fulfilment_id,
                "point_id": "store-lyon",
                "promise": {"start": NEXT_WINDOW.start.isoformat(), "end": NEXT_WINDOW.end.isoformat()},
                "cause": "hand_over_missed",
            }
        ],
    }
    assert (first.order.promise, first.order.current_promise) == (PROMISE, NEXT_WINDOW)
    assert first.order.late_since == now
    again = judged(first.order, now + HOUR)
    assert again.happenings == ()
    assert again.order == first.order


def test_a_parcel_that_drifts_within_the_promise_of_its_order_is_told_and_the_order_keeps_it() -> None:
    two = changed(pair(), 0, window=days_later(-1), state=F.PACKED, next_hand_over_by=None)
    two = changed(two, 1, state=F.PACKED)
    decision = judged(two, CUT_OFF + 2 * HOUR)
    (change,) = decision.order.promise_changes
    assert change.window == PROMISE
    assert [(one.fulfilment_id, one.window) for one in change.parcels] == [(only(two).fulfilment_id, PROMISE)]
    assert kinds(decision) == ["order.promise_changed"]
    assert decision.happenings[0].facts["late"] is False
    assert decision.order.late_since


def test_the_promise_of_the_order_is_the_latest_of_its_parcels() -> None:
    two = changed(changed(pair(), 0, state=F.PACKED), 1, state=F.PACKED)
    first = judged(two, CUT_OFF + 2 * HOUR).order
    assert first.current_promise == days_later(1)
    assert [len(change.parcels) for change in first.promise_changes] == [1]
    both = judged(gone(first, 0, CUT_OFF + DAY), CUT_OFF + 30 * HOUR).order
    assert both.promise_changes[-1].parcels[0].fulfilment_id == two.fulfilments[1].fulfilment_id
    assert both.current_promise == days_later(2)


def test_the_second_parcel_is_told_too_when_the_order_is_as_late_already() -> None:
    two = changed(changed(pair(), 0, state=F.PACKED), 1, state=F.PACKED)
    first = judged(two, CUT_OFF + 2 * HOUR).order
    second = judged(first, CUT_OFF + 4 * HOUR)
    assert kinds(second) == ["order.promise_changed"]
    assert second.order.current_promise == first.current_promise
    assert judged(second.order, CUT_OFF + 5 * HOUR).happenings == ()


def test_a_hand_over_in_time_clears_its_milestone() -> None:
    handed_over = gone(order(), 0, CUT_OFF)
    decision = judged(handed_over, CUT_OFF)
    assert decision.order.watch_at == PROMISE.end + TOLERANCE
    assert judged(decision.order, CUT_OFF + DAY).happenings == ()


def test_what_caught_up_is_told_as_good_news_once() -> None:
    late = judged(changed(pair(), 0, state=F.PACKED), CUT_OFF + 2 * HOUR).order
    arrived = judged(gone(late, 0, CUT_OFF + 2 * HOUR, PROMISE.end), CUT_OFF + 2 * HOUR)
    assert kinds(arrived) == ["order.promise_changed"]
    assert arrived.order.current_promise == PROMISE
    assert arrived.order.late_since is None
    assert judged(arrived.order, CUT_OFF + 2 * HOUR).happenings == ()


def test_nobody_is_told_of_a_parcel_that_has_arrived() -> None:
    arrived = gone(order(), 0, CUT_OFF, PROMISE.end + DAY)
    decision = judged(arrived, PROMISE.end + DAY)
    assert kinds(decision) == ["compensation.due"]
    assert (decision.order.late_since, decision.order.watch_at) == (None, None)


def test_a_parcel_that_arrived_late_unseen_is_no_news_for_the_one_that_is_in_time() -> None:
    two = gone(changed(pair(), 1, state=F.PACKED), 0, NOON, PROMISE.end + 2 * HOUR)
    assert judged(two, CUT_OFF).order.promise_changes == ()


@pytest.mark.parametrize("state", [OrderState.CANCELLING, OrderState.CANCELLED, OrderState.CLOSED])
def test_an_order_that_is_over_is_never_late_any_more(state: OrderState) -> None:
    late = judged(order(state=F.PACKED), CUT_OFF + 2 * HOUR).order
    over = judged(replace(late, state=state), PROMISE.end + DAY)
    assert (over.happenings, over.order.late_since, over.order.watch_at) == ((), None, None)
    assert over.order.promise_changes == late.promise_changes


def test_work_that_nobody_took_in_time_warns_people_and_promises_nothing_new() -> None:
    decision = judged(order(state=F.OFFERED), START + TOLERANCE + MOMENT)
    assert kinds(decision) == ["fulfilment.start_missed"]
    assert decision.order.late_since is None
    assert judged(decision.order, START + 2 * HOUR).happenings == ()
    assert judged(order(state=F.ACCEPTED), START + TOLERANCE + MOMENT).happenings == ()


def test_time_alone_tells_first_of_the_start_then_of_the_collection() -> None:
    after, told = swept(order(state=F.OFFERED), NEXT_CUT_OFF)
    assert told == [
        (START + TOLERANCE + MOMENT, "fulfilment.start_missed"),
        (CUT_OFF + TOLERANCE + MOMENT, "order.promise_changed"),
        (CUT_OFF + TOLERANCE + MOMENT, "compensation.due"),
    ]
    assert after.watch_at == NEXT_CUT_OFF + TOLERANCE


def test_a_carrier_that_stays_silent_is_told_of_ever_more_seldom() -> None:
    _, told = swept(gone(order(), 0, CUT_OFF), PROMISE.end + 70 * DAY)
    news = [at - PROMISE.end for at, kind in told if kind == "order.promise_changed"]
    assert [round(late / DAY) for late in news] == [0, 1, 2, 4, 8, 16, 32, 64]


HOURS = st.integers(-30, 300)


@st.composite
def moments(draw: st.DrawFn) -> Order:
    """An order of two parcels, each at some stage, with plans that know more or less."""
    one = pair()
    for position in range(2):
        planned = PROMISE.end + draw(HOURS) * HOUR
        left = CUT_OFF + draw(HOURS) * HOUR
        changes: dict[str, Any] = {
            "window": Window(planned - DAY, planned),
            "latest_start": draw(st.none() | st.just(START)),
        }
        if draw(st.booleans()):
            later = planned + draw(st.integers(0, 3)) * DAY
            changes |= {"next_hand_over_by": CUT_OFF + DAY, "next_window": Window(later - DAY, later)}
        one = changed(one, position, state=draw(st.sampled_from(sorted(F))), **changes)
        match one.fulfilments[position].state:
            case F.HANDED_OVER:
                one = gone(one, position, left)
            case F.DELIVERED:
                one = gone(one, position, left, left + draw(st.integers(0, 200)) * HOUR)
            case _:
                pass
    return one


@given(moments(), st.lists(st.integers(-10, 900), min_size=1, max_size=6))
def test_whatever_happens_the_same_is_never_told_twice_and_time_always_moves_on(
    one: Order, hours: list[int]
) -> None:
    fee_minor = sum(line.shipping_minor for line in one.content.lines)
    for hour in sorted(hours):
        now = CUT_OFF + hour * HOUR
        decision = judged(one, now)
        one = decision.order
        assert judged(one, now) == Decision(one), "a second look finds nothing"
        assert one.watch_at is None or one.watch_at >= now
        assert (one.watch_at is None) is not any(seen.is_coming for seen in look(one, now))
        assert one.current_promise is not None
        assert one.current_promise.end >= PROMISE.end
        assert 0 <= one.compensation_minor <= fee_minor
        assert kinds(decision).count("order.promise_changed") <= 1
        late = [seen for seen in look(one, now) if seen.is_coming and seen.is_late]
        assert bool(late) is bool(one.late_since)
        for seen in late:
            told = [row for change in one.promise_changes for row in change.parcels]
            last = [row.window.end for row in told if row.fulfilment_id == seen.work.fulfilment_id][-1]
            assert seen.expected.end - last <= TOLERANCE, "nobody is later than told"


# -- a new plan -------------------------------------------------------------------------------------------


def rerouted(window: Window, before: Order | None = None) -> tuple[Order, Decision]:
    """After a refusal, and after the new place was found."""
    one = before or order(state=F.OFFERED)
    refused = fulfilment.refuse_offer(one, only(one), "no_staff", "anna", NOON)
    refused = judge(refused, NOON)
    other = replace(leg((1, 2), point="store-nice", hours=20), window=window)
    return refused.order, judge(life.reroute(refused.order, [other], [], "refused", "dec_2", NOON), NOON)


def test_a_new_plan_that_is_in_time_tells_nothing() -> None:
    refused, after = rerouted(PROMISE)
    assert refused.promise_changes == ()
    assert "order.promise_changed" not in kinds(after)
    assert after.order.watch_at == NOON + 20 * HOUR + TOLERANCE


def test_a_new_plan_that_is_later_tells_the_new_promise_and_why() -> None:
    _, after = rerouted(days_later(2))
    assert kinds(after) == ["order.rerouted", "order.promise_changed", "compensation.due"]
    (change,) = after.order.promise_changes
    assert change.window == days_later(2)
    assert change.parcels[0].cause is Cause.PLANNED_LATER


def test_while_units_look_for_a_place_nobody_is_told_that_all_is_well() -> None:
    late = judged(order(state=F.OFFERED), CUT_OFF + 2 * HOUR).order
    refused, _ = rerouted(NEXT_WINDOW, late)
    assert refused.promise_changes == late.promise_changes
    assert refused.late_since == late.late_since


def one_late_one_refused(refused_position: int) -> Order:
    """The first parcel missed its collection and was told; then one of the two lost its place."""
    late = judged(changed(changed(pair(), 0, state=F.OFFERED), 1, state=F.OFFERED), CUT_OFF + 2 * HOUR).order
    work = late.fulfilments[refused_position]
    return judge(fulfilment.refuse_offer(late, work, "no_staff", "anna", NOON), CUT_OFF + 2 * HOUR).order


def test_while_the_late_units_look_for_a_place_the_other_parcel_makes_no_good_news() -> None:
    assert len(one_late_one_refused(0).promise_changes) == 1


def test_a_parcel_that_leaves_from_elsewhere_in_time_is_no_news_while_another_is_late() -> None:
    refused = one_late_one_refused(1)
    in_time = leg((2, 2), point="store-paris", hours=20)
    after = judge(life.reroute(refused, [in_time], [], "refused", "dec_2", NOON), CUT_OFF + 2 * HOUR)
    assert kinds(after) == ["order.rerouted"]
    assert after.order.current_promise == days_later(1)


def test_a_new_plan_that_is_as_late_as_was_told_is_no_news_and_one_in_time_is() -> None:
    late = judged(order(state=F.OFFERED), CUT_OFF + 2 * HOUR).order
    _, as_late = rerouted(NEXT_WINDOW, late)
    assert "order.promise_changed" not in kinds(as_late)
    _, in_time = rerouted(PROMISE, late)
    assert in_time.order.current_promise == PROMISE
    assert in_time.order.late_since is None


def test_units_that_find_no_place_leave_an_order_that_waits_for_nothing() -> None:
    one = judged(order(state=F.OFFERED), CUT_OFF + 2 * HOUR).order
    refused = judge(fulfilment.refuse_offer(one, only(one), "no_staff", "anna", NOON), NOON).order
    units = [Units(1, "SKU-1", 2)]
    after = judge(life.reroute(refused, [], units, "no place", "dec_2", NOON), NOON)
    assert (after.order.late_since, after.order.watch_at) == (None, None)
    assert "order.promise_changed" not in kinds(after)


# -- news -------------------------------------------------------------------------------------------------


def later(hours: int) -> Window:
    return Window(PROMISE.start + hours * HOUR, PROMISE.end + hours * HOUR)


@pytest.mark.parametrize(
    ("told", "current", "news"),
    [(0, 0, False), (0, 2, False), (0, 3, True), (5, 7, False), (5, 8, True), (5, 4, False), (5, 0, True)],
)
def test_news_is_more_lateness_than_is_tolerated_and_its_end(told: int, current: int, news: bool) -> None:
    assert is_news(PROMISE, later(told), later(current), 2 * HOUR) is news


@given(st.lists(st.integers(0, 40), max_size=20))
def test_nobody_is_ever_later_than_told_by_more_than_is_tolerated(course: list[int]) -> None:
    told = PROMISE
    for hours in course:
        if is_news(PROMISE, told, later(hours), 2 * HOUR):
            told = later(hours)
        assert not is_news(PROMISE, told, later(hours), 2 * HOUR)
        assert later(hours).end - told.end <= 2 * HOUR
        assert hours or told == PROMISE


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
    assert compensation_minor(490, late, RULES, given_minor) == due


@given(st.lists(st.integers(0, 100), max_size=20))
def test_however_the_delay_moves_no_more_than_the_worst_of_it_is_given(course: list[int]) -> None:
    given_minor = 0
    for hours in course:
        given_minor += compensation_minor(490, hours * HOUR, RULES, given_minor)
    assert given_minor == compensation_minor(490, max(course, default=0) * HOUR, RULES, 0)


def test_what_is_due_is_told_with_an_id_of_its_own_and_never_twice() -> None:
    first = judged(order(state=F.PACKED), CUT_OFF + 2 * HOUR)
    (due,) = [one for one in first.happenings if one.kind == "compensation.due"]
    assert {**due.facts, "compensation_id": ""} == {
        "compensation_id": "",
        "amount_minor": 490,
        "total_minor": 490,
        "currency": "EUR",
        "late_seconds": 3 * 86400,
    }
    later_still = judged(first.order, NEXT_CUT_OFF + 2 * HOUR)
    assert kinds(later_still) == ["order.promise_changed"]
    assert later_still.order.compensation_minor == 490


def test_more_delay_gives_the_rest_under_another_id() -> None:
    one = ruled(order(state=F.PACKED), (LatenessRule(86400, 5000), LatenessRule(4 * 86400, 10000)))
    first = judged(one, CUT_OFF + 2 * HOUR)
    second = judged(first.order, NEXT_CUT_OFF + 2 * HOUR)
    due = [one.facts for one in (*first.happenings, *second.happenings) if one.kind == "compensation.due"]
    assert [one["amount_minor"] for one in due] == [245, 245]
    assert len({one["compensation_id"] for one in due}) == 2


def test_without_rules_or_without_a_fee_nothing_is_due() -> None:
    no_rules = ruled(order(state=F.PACKED), ())
    assert kinds(judged(no_rules, CUT_OFF + 2 * HOUR)) == ["order.promise_changed"]
    content = order().content
    free = replace(content, lines=tuple(replace(one, shipping_minor=0) for one in content.lines))
    assert kinds(judged(replace(order(state=F.PACKED), content=free), CUT_OFF + 2 * HOUR)) == [
        "order.promise_changed"
    ]


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
        settings.check_life_cycle(replace(LIFE_CYCLE, lateness_rules=rules))
    assert caught.value.facts["field"] == f"life_cycle.{field}"
    settings.check_life_cycle(replace(LIFE_CYCLE, lateness_rules=RULES))


def test_the_tolerance_is_not_negative() -> None:
    with pytest.raises(InvalidArgument) as caught:
        settings.check_life_cycle(replace(LIFE_CYCLE, promise_tolerance_seconds=-1))
    assert caught.value.facts["field"] == "life_cycle.promise_tolerance_seconds"
