"""The appointment of an order: what is ordered, where it may move, what a missed one means."""

from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any

import pytest

from kit.errors import FailedPrecondition, InvalidArgument
from services.orders.domain import appointments, holds, watch
from services.orders.domain import fulfilment as work
from services.orders.domain import order as life
from services.orders.domain.capture import Outcome, record
from services.orders.domain.model import (
    Appointment,
    Decision,
    DeliveryMode,
    HoldKind,
    LatenessRule,
    Leg,
    Order,
    Slot,
    Units,
    Window,
)
from services.orders.domain.moving import record_move
from tests.services.orders.builders import COOLED, LIFE_CYCLE, NOON, content, recorded

THURSDAY = date(2026, 11, 26)
HAND_OVER_BY = NOON + timedelta(days=4)
LATE_GIVES = replace(LIFE_CYCLE, lateness_rules=(LatenessRule(1, 5_000),))


def slot(day: date = THURSDAY, pattern: str = "morning") -> Slot:
    start = datetime.combine(day, NOON.timetz()) - timedelta(hours=4)
    return Slot(f"{pattern}.{day:%Y%m%d}", day, Window(start, start + timedelta(hours=4)))


def later(**delta: int) -> Slot:
    return slot(THURSDAY + timedelta(**delta))


def met() -> Order:
    """A released order whose two units are brought on Thursday, handed over by Tuesday noon."""
    order = recorded(mode=DeliveryMode.WHITE_GLOVE, booking_id="bkg_1", life_cycle=LATE_GIVES)
    leg = Leg("store-lyon", "vallier", "gloves", (Units(1, "SKU-1", 2),), slot().window, HAND_OVER_BY)
    appointment = appointments.kept(order.content, "bkg_1", slot())
    accepted = life.accept(order, [leg], slot().window, "dec_1", "authorized", NOON, appointment)
    return life.release(accepted.order, COOLED).order


def handed_over(order: Order, at: datetime = HAND_OVER_BY) -> Order:
    def now(of: Order) -> Any:
        return of.fulfilments[0]

    order = work.offer(order, now(order), NOON).order
    order = work.accept_offer(order, now(order), "anna", NOON).order
    order = work.record_pick(order, now(order), [Units(1, "SKU-1", 2)], "anna", NOON).order
    order = work.close_parcel(order, now(order), 900, "anna", NOON).order
    order = record(order, now(order), Outcome("captured", "", "", NOON)).order
    return work.hand_over(order, now(order), "", "anna", at).order


def moved(order: Order, to: Slot, at: datetime = NOON) -> Order:
    moving = appointments.request_move(order, to, "ana", at).order
    assert moving.appointment is not None
    return watch.judge(appointments.record_move(moving, moving.appointment.moves, to, at), at).order


def missed(order: Order, at: datetime) -> Order:
    assert order.appointment is not None
    decision = appointments.record_missed(order, order.appointment.slot.slot_id, "not_at_home", at)
    return watch.judge(decision, at).order


def state(order: Order) -> str:
    assert order.appointment is not None
    return order.appointment.state


@pytest.mark.parametrize(
    ("mode", "booking_id", "is_right"),
    [
        (DeliveryMode.HOME_STANDARD, "", True),
        (DeliveryMode.WHITE_GLOVE, "", True),
        (DeliveryMode.WHITE_GLOVE, "bkg_1", True),
        (DeliveryMode.APPOINTMENT, "bkg_1", True),
        (DeliveryMode.APPOINTMENT, "", False),
        (DeliveryMode.HOME_STANDARD, "bkg_1", False),
    ],
)
def test_which_modes_keep_an_appointment(mode: DeliveryMode, booking_id: str, is_right: bool) -> None:
    asked = content(mode=mode, booking_id=booking_id)
    if is_right:
        appointments.check_content(asked)
        return
    with pytest.raises(InvalidArgument) as caught:
        appointments.check_content(asked)
    assert caught.value.facts["field"] == "booking_id"


def test_an_order_is_accepted_with_the_appointment_that_was_ordered_and_no_other() -> None:
    plain, booked = content(), content(mode=DeliveryMode.APPOINTMENT, booking_id="bkg_1")
    assert appointments.kept(plain, "", None) is None
    assert appointments.kept(booked, "bkg_1", slot()) == Appointment("bkg_1", slot(), THURSDAY)
    for of, booking_id, given in ((plain, "bkg_1", slot()), (booked, "", None), (booked, "bkg_1", None)):
        with pytest.raises(InvalidArgument):
            appointments.kept(of, booking_id, given)


def test_a_move_is_asked_for_then_recorded_and_is_the_new_promise() -> None:
    decision = appointments.request_move(met(), later(days=5), "ana", NOON)
    (asked,) = decision.happenings
    assert (asked.story, asked.actor) == ("appointment/ord_1/move/1", "ana")
    assert asked.facts["slot_id"] == "morning.20261201"
    assert state(decision.order) == "moving"
    assert decision.order.promise == slot().window, "nothing is promised before the booking has moved"
    after = appointments.record_move(decision.order, 1, later(days=5), NOON).order
    assert (state(after), after.promise) == ("booked", later(days=5).window)
    assert [one.window for one in after.fulfilments] == [later(days=5).window]


def test_the_outcome_of_a_move_is_recorded_once() -> None:
    moving = appointments.request_move(met(), later(days=5), "ana", NOON).order
    after = appointments.record_move(moving, 1, later(days=5), NOON).order
    for again in (
        appointments.record_move(after, 1, later(days=5), NOON),
        appointments.record_refusal(after, 1, "SLOT_FULL", NOON),
        appointments.record_move(moving, 2, later(days=5), NOON),
    ):
        assert not again.happenings


def test_a_move_that_was_refused_leaves_the_appointment_as_it_was() -> None:
    moving = appointments.request_move(met(), later(days=5), "ana", NOON).order
    with pytest.raises(FailedPrecondition, match="APPOINTMENT_MOVING"):
        appointments.request_move(moving, later(days=6), "ana", NOON)
    decision = appointments.record_refusal(moving, 1, "SLOT_FULL", NOON)
    after = decision.order
    assert after.appointment is not None
    assert (state(after), after.appointment.refusal, after.appointment.slot) == ("booked", "SLOT_FULL", slot())
    assert after.promise == slot().window
    again = appointments.request_move(after, later(days=6), "ana", NOON).order
    assert again.appointment is not None
    assert (again.appointment.moves, again.appointment.refusal) == (2, "")


def test_an_appointment_moves_to_days_that_the_plan_can_meet() -> None:
    with pytest.raises(FailedPrecondition, match="SLOT_TOO_EARLY") as caught:
        appointments.request_move(met(), slot(THURSDAY - timedelta(days=1)), "ana", NOON)
    assert caught.value.facts["earliest_date"] == "2026-11-26"
    # That it was moved to a later day changes nothing about when the goods are there.
    later_on = moved(met(), later(days=9))
    assert state(moved(later_on, slot(pattern="evening"))) == "booked"


def test_units_that_were_planned_anew_know_no_earlier_day_than_their_plan() -> None:
    after = appointments.planned_anew(moved(met(), later(days=9)))
    with pytest.raises(FailedPrecondition, match="SLOT_TOO_EARLY"):
        appointments.request_move(after, later(days=8), "ana", NOON)


def test_where_it_is_already_nothing_moves() -> None:
    assert not appointments.request_move(met(), slot(), "ana", NOON).happenings


def test_it_is_too_late_once_a_parcel_has_left_or_the_order_has_ended() -> None:
    cancelled = life.request_cancellation(met(), "", "ana", NOON).order
    for order in (handed_over(met()), cancelled):
        with pytest.raises(FailedPrecondition, match="TOO_LATE_TO_MOVE"):
            appointments.request_move(order, later(days=5), "ana", NOON)
    without = replace(met(), appointment=None)
    with pytest.raises(FailedPrecondition, match="NO_APPOINTMENT"):
        appointments.request_move(without, later(days=5), "ana", NOON)


def test_a_parcel_that_leaves_later_by_no_more_days_than_it_moved_is_in_time() -> None:
    order = moved(met(), later(days=5))
    for days, is_late in ((1, False), (5, False), (6, True)):
        at = HAND_OVER_BY + timedelta(days=days)
        judged = watch.judge(Decision(order), at).order
        assert (judged.late_since is not None) is is_late, days


def waiting(*, ahead_seconds: int = 3600) -> Order:
    """The same order, not begun: its work is to begin on Monday noon, and is held until an hour before."""
    cycle = replace(LATE_GIVES, prepare_ahead_seconds=ahead_seconds)
    order = recorded(mode=DeliveryMode.WHITE_GLOVE, booking_id="bkg_1", life_cycle=cycle)
    leg = replace(_leg(slot()), latest_start=HAND_OVER_BY - timedelta(days=1))
    appointment = appointments.kept(order.content, "bkg_1", slot())
    accepted = life.accept(order, [leg], slot().window, "dec_1", "authorized", NOON, appointment)
    return life.release(accepted.order, COOLED).order


def _leg(of: Slot, days: int = 0) -> Leg:
    """Its parcel leaves so many days later than for Thursday, and its work begins a day before."""
    by = HAND_OVER_BY + timedelta(days=days)
    units = (Units(1, "SKU-1", 2),)
    return Leg("store-lyon", "vallier", "gloves", units, of.window, by, latest_start=by - timedelta(days=1))


def dated(order: Order, to: Slot, days: int, at: datetime = NOON) -> Order:
    moving = appointments.request_move(order, to, "ana", at).order
    assert moving.appointment is not None
    (work,) = moving.fulfilments
    legs = {work.fulfilment_id: _leg(to, days)}
    return watch.judge(record_move(moving, moving.appointment.moves, to, at, legs), at).order


def held_until(order: Order) -> datetime | None:
    (hold,) = [one for one in order.holds if one.kind is HoldKind.APPOINTMENT]
    return hold.until if hold.ended_at is None else None


def test_work_that_has_not_begun_follows_its_appointment_later_and_earlier() -> None:
    order = waiting()
    begin = HAND_OVER_BY - timedelta(days=1, hours=1)
    assert held_until(order) == begin
    later_on = dated(order, later(days=9), 7)
    (work_,) = later_on.fulfilments
    assert (held_until(later_on), work_.hand_over_by) == (
        begin + timedelta(days=7),
        HAND_OVER_BY + timedelta(days=7),
    )
    assert work_.window == later(days=9).window
    earlier = dated(later_on, later(days=2), 1)
    assert held_until(earlier) == begin + timedelta(days=1)
    assert watch.judge(Decision(earlier), HAND_OVER_BY + timedelta(days=2)).order.late_since


def test_work_whose_new_time_has_come_goes_on_at_once() -> None:
    at = HAND_OVER_BY + timedelta(days=3)
    order = dated(dated(waiting(), later(days=9), 7), later(days=5), 4, at)
    assert held_until(order) == at
    let_go = life.lapse_holds(order, at)
    assert "fulfilment.hold_ended" in [one.kind for one in let_go.happenings]


def test_work_that_was_to_begin_at_once_is_held_for_a_later_day_unless_somebody_let_it_go() -> None:
    order = waiting(ahead_seconds=30 * 86_400)
    assert not [one for one in order.holds if one.kind is HoldKind.APPOINTMENT]
    cycle = replace(order.life_cycle, prepare_ahead_seconds=0)
    assert held_until(dated(replace(order, life_cycle=cycle), later(days=9), 7))
    order = waiting()
    (hold,) = [one for one in order.holds if one.kind is HoldKind.APPOINTMENT]
    order = holds.release(order, hold.hold_id, "", "carol", ("customer_service",), NOON).order
    assert held_until(dated(order, later(days=9), 7)) is None


def test_work_without_new_times_keeps_its_own_and_is_as_much_in_time_as_its_last_ones() -> None:
    """Its parcel leaves a week later; then the customer wants it two days after that, and nobody plans that."""
    order = moved(dated(waiting(), later(days=7), 7), later(days=9))
    left_by = HAND_OVER_BY + timedelta(days=7)
    assert order.fulfilments[0].hand_over_by == left_by
    for days, is_late in ((2, False), (3, True)):
        judged = watch.judge(Decision(order), left_by + timedelta(days=days)).order
        assert (judged.late_since is not None) is is_late, days


def test_a_missed_appointment_promises_and_gives_nothing_until_another_is_chosen() -> None:
    end = slot().window.end
    order = missed(handed_over(met()), end)
    assert (state(order), order.watch_at, order.late_since) == ("missed", None, None)
    a_week_on = watch.judge(Decision(order), end + timedelta(days=7)).order
    assert (a_week_on.compensation_minor, a_week_on.promise_changes) == (0, ())
    # The carrier has the goods: any day will do.
    order = moved(order, later(days=3), end)
    assert (state(order), order.promise) == ("booked", later(days=3).window)
    assert order.watch_at == later(days=3).window.end
    assert watch.judge(Decision(order), later(days=3).window.end + timedelta(days=1)).order.compensation_minor > 0


def test_a_missed_appointment_is_recorded_once_and_only_of_the_slot_that_it_has() -> None:
    end = slot().window.end
    order = missed(handed_over(met()), end)
    assert not appointments.record_missed(order, slot().slot_id, "", end).happenings
    assert not appointments.record_missed(met(), later(days=1).slot_id, "", end).happenings
    assert not appointments.record_missed(replace(met(), appointment=None), slot().slot_id, "", end).happenings
    refused = appointments.request_move(order, later(days=3), "ana", end).order
    assert state(appointments.record_refusal(refused, 1, "SLOT_FULL", end).order) == "missed"
