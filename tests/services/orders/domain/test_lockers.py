"""What a customer finds in a locker: paid before, booked, deposited, opened; or full, taken out, overdue."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from kit.errors import FailedPrecondition
from services.orders.codes import Codes
from services.orders.domain import (
    capture,
    changes,
    collecting,
    fulfilment,
    lockers,
    notifications,
    substituting,
    watch,
)
from services.orders.domain import order as life
from services.orders.domain.capture import Outcome
from services.orders.domain.milestones import Milestone, NotificationRule, Way
from services.orders.domain.model import (
    CaptureMoment,
    Decision,
    DeliveryMode,
    Fulfilment,
    Leg,
    LifeCycle,
    Locker,
    Order,
    Stage,
    Units,
    Window,
)
from services.orders.domain.ranges import in_state, quantity
from services.orders.domain.states import CaptureState, FulfilmentState, OrderState, UnitState
from tests.services.orders.builders import LIFE_CYCLE, NOON, content, found, line

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
PLACED = NOON - HOUR
LATER = NOON + 30 * DAY
STORE = "store-lyon"
TODAY = Window(NOON + HOUR, NOON + 6 * HOUR)
CODES = Codes(["a key of tests"])
TOLD = (NotificationRule(Milestone.READY, (Way.MAIL,)), NotificationRule(Milestone.COLLECTED, (Way.MAIL,)))


def picked(life_cycle: LifeCycle = LIFE_CYCLE, *, captured: bool = True, payment: str = "authorized") -> Order:
    """An order of three units for a locker, picked by its store."""
    made = content(line(1, 3), mode=DeliveryMode.STORE_LOCKER, collect_at_point_id=STORE)
    order = life.record("ord_1", made, life_cycle, PLACED, PLACED).order
    leg = Leg(STORE, "", "", (Units(1, "SKU-1", 3),), TODAY, TODAY.end)
    order = life.accept(order, [leg], TODAY, "dec_1", payment, PLACED).order
    order = life.release(order, NOON).order
    if order.charge:
        order = capture.record_of_order(order, Outcome("captured", "", "", NOON)).order
    order = fulfilment.offer(order, work(order), NOON).order
    order = fulfilment.accept_offer(order, work(order), "anna", NOON).order
    order = fulfilment.record_pick(order, work(order), found((1, 3)), "anna", NOON).order
    if captured and work(order).parcel:
        state = "not_needed" if payment == "paid_by_channel" else "captured"
        order = capture.record(order, work(order), Outcome(state, "", "", NOON)).order
    return order


def booked(order: Order | None = None, compartment: str = "07") -> Order:
    order = order or picked()
    order = lockers.ask(order, work(order), "anna", NOON).order
    return lockers.booked(order, work(order), compartment, CODES.key, NOON).order


def deposited(**options: Any) -> Order:
    order = booked()
    return judged(collecting.ready(order, work(order), "", "anna", NOON, **options)).order


def work(order: Order) -> Fulfilment:
    return order.fulfilments[0]


def locker(order: Order) -> Locker:
    found = work(order).locker
    assert found
    return found


def judged(decision: Decision, now: datetime = NOON) -> Decision:
    return watch.judge(decision, now)


def told(decision: Decision) -> list[str]:
    """What stories hear."""
    return [one.kind for one in decision.happenings if one.told]


def milestones(before: Order, decision: Decision) -> list[Milestone]:
    return [one.milestone for one in notifications.of(before, decision)]


@pytest.mark.parametrize(
    ("said", "lived"),
    [(CaptureMoment.SHIPMENT, CaptureMoment.PREPARATION), (CaptureMoment.ORDER, CaptureMoment.ORDER)],
)
def test_nobody_is_asked_for_money_at_a_locker_so_it_is_taken_before(
    said: CaptureMoment, lived: CaptureMoment
) -> None:
    order = picked(replace(LIFE_CYCLE, capture_at=said), captured=False)
    assert order.life_cycle.capture_at is lived
    parcel = work(order).parcel
    assert (parcel.capture_state if parcel else None) == (
        CaptureState.PENDING if lived is CaptureMoment.PREPARATION else None
    )
    at_counter = content(line(1, 3), mode=DeliveryMode.CLICK_AND_COLLECT, collect_at_point_id=STORE)
    plain = life.record("ord_2", at_counter, replace(LIFE_CYCLE, capture_at=said), NOON, NOON).order
    assert plain.life_cycle.capture_at is said


def test_what_is_not_paid_gets_no_compartment_and_lies_in_none() -> None:
    unpaid = picked(captured=False)
    with pytest.raises(FailedPrecondition, match="NOT_CAPTURED"):
        lockers.ask(unpaid, work(unpaid), "anna", NOON)
    order = booked()
    parcel = work(order).parcel
    assert parcel
    declined = replace(work(order), parcel=replace(parcel, capture_state=CaptureState.FAILED))
    with pytest.raises(FailedPrecondition, match="NOT_CAPTURED"):
        collecting.ready(order, declined, "", "anna", NOON)


def test_only_picked_work_of_a_customer_who_wants_it_is_booked_for() -> None:
    order = deposited()
    with pytest.raises(FailedPrecondition, match="NOT_PICKED"):
        lockers.ask(order, work(order), "anna", NOON)
    order = picked()
    with pytest.raises(FailedPrecondition, match="NOT_FOR_LOCKER"):
        lockers.ask(order, replace(work(order), locker=None), "anna", NOON)


def test_a_work_has_one_compartment_however_often_it_is_asked_and_answered() -> None:
    order = booked()
    assert lockers.ask(order, work(order), "anna", LATER).happenings == ()
    assert lockers.booked(order, work(order), "11", CODES.key, LATER).happenings == ()
    assert (locker(order).compartment, locker(order).booked_at) == ("07", NOON)
    late = deposited()
    assert lockers.booked(late, work(late), "11", CODES.key, LATER).happenings == ()


@pytest.mark.parametrize("capture_at", [CaptureMoment.SHIPMENT, CaptureMoment.ORDER])
@pytest.mark.parametrize("payment", ["authorized", "paid_by_channel"])
def test_its_customer_opens_it_and_has_it(capture_at: CaptureMoment, payment: str) -> None:
    order = booked(picked(replace(LIFE_CYCLE, capture_at=capture_at), payment=payment))
    assert work(order).compartment == ""
    order = judged(collecting.ready(order, work(order), "", "anna", NOON)).order
    assert (work(order).state, work(order).compartment) == (FulfilmentState.READY, "07")
    opened = judged(lockers.opened(order, work(order), NOON + HOUR, NOON + 2 * HOUR))
    after = work(opened.order)
    assert (after.state, after.compartment) == (FulfilmentState.DELIVERED, "")
    assert after.collection
    assert after.collection.handing
    assert after.collection.collected_at == NOON + 2 * HOUR
    assert (after.collection.handing.at, after.collection.handing.proof) == (NOON + HOUR, collecting.CODE)
    assert quantity(in_state(opened.order.ranges, UnitState.DELIVERED)) == 3
    assert told(opened) == ["fulfilment.collected"]
    again = lockers.opened(opened.order, after, NOON + HOUR, LATER)
    assert again == Decision(opened.order)


def test_the_customer_is_told_when_it_lies_in_the_compartment_and_not_before() -> None:
    cycle = replace(LIFE_CYCLE, notifications=TOLD)
    order = picked(cycle)
    asked = lockers.ask(order, work(order), "anna", NOON)
    answered = lockers.booked(asked.order, work(asked.order), "07", CODES.key, NOON)
    assert milestones(order, asked) == milestones(asked.order, answered) == []
    assert told(asked) == told(answered) == []
    ready = judged(collecting.ready(answered.order, work(answered.order), "", "anna", NOON))
    assert milestones(answered.order, ready) == [Milestone.READY]
    out = judged(lockers.take_out(ready.order, work(ready.order), "B-12", "anna", NOON + HOUR))
    assert milestones(ready.order, out) == [Milestone.READY]


def test_its_code_is_the_same_before_and_after_it_is_ready_and_with_another_key() -> None:
    order = booked()
    code = CODES.of(work(order))
    ready = judged(collecting.ready(order, work(order), "", "anna", LATER)).order
    assert CODES.of(work(ready)) == code
    assert Codes(["a new key", "a key of tests"]).of(work(ready)) == code
    assert Codes(["a new key", "a key of tests"]).is_of(work(ready), code)
    out = lockers.take_out(ready, work(ready), "B-12", "anna", LATER).order
    assert CODES.of(work(out)) == code


def test_where_no_compartment_is_free_it_waits_at_the_counter_like_any_other() -> None:
    order = booked(compartment="")
    assert (locker(order).full_at, locker(order).asked_at) == (NOON, None)
    assert not lockers.is_to_release(work(order))
    again = lockers.ask(order, work(order), "anna", NOON + HOUR).order
    assert locker(again) == Locker(asked_at=NOON + HOUR)
    order = judged(collecting.ready(order, work(order), "B-12", "anna", NOON)).order
    waits = work(order).collection
    assert waits
    assert (work(order).compartment, waits.shelf) == ("", "B-12")
    who = collecting.AtCounter(True, "", "customer")
    taken = judged(collecting.collect(order, work(order), who, "bob", NOON + HOUR))
    assert work(taken.order).state is FulfilmentState.DELIVERED


def test_the_store_uses_the_counter_though_a_compartment_is_booked_which_is_given_back() -> None:
    order = deposited(at_counter=True)
    assert work(order).compartment == ""
    assert lockers.is_to_release(work(order))
    freed = lockers.released(order, work(order), NOON + HOUR)
    assert locker(freed.order).released_at == NOON + HOUR
    assert told(freed) == []
    assert lockers.released(freed.order, work(freed.order), LATER).happenings == ()


def test_what_was_given_instead_is_what_its_customer_has() -> None:
    order = deposited()
    line, *others = work(order).lines
    own, other = replace(line, quantity=2), replace(line, sku="PEARS", quantity=1, ordered_sku=line.sku)
    order = replace(order, fulfilments=(replace(work(order), lines=(own, other, *others)),))
    after = work(judged(lockers.opened(order, work(order), NOON + HOUR, LATER)).order)
    assert after.lines == (own, other, *others)
    assert after.collection
    assert after.collection.handing
    assert after.collection.handing.units[:2] == substituting.units_of((own, other))


def test_time_gives_up_nothing_that_its_customer_can_still_open() -> None:
    order = deposited()
    waits = work(order).collection
    assert waits
    end = waits.keep_until
    assert collecting.next_date(order) == waits.remind_at
    reminded = judged(Decision(order), end - HOUR).order
    assert collecting.next_date(reminded) is None
    assert work(judged(Decision(reminded), LATER).order).state is FulfilmentState.READY
    early = lockers.closed(reminded, work(reminded), end - HOUR)
    assert early.happenings == ()
    given_up = judged(lockers.closed(reminded, work(reminded), end), end)
    after = work(given_up.order)
    assert (after.state, after.collection and after.collection.overdue_at) == (FulfilmentState.CANCELLED, end)
    assert "fulfilment.cancelled" in told(given_up)
    (refund,) = given_up.order.refunds
    assert refund.amount_minor == order.content.total.amount_minor


def test_a_compartment_is_given_back_once_somebody_has_emptied_it() -> None:
    order = deposited()
    waits = work(order).collection
    assert waits
    end = waits.keep_until
    order = judged(lockers.closed(order, work(order), end), end).order
    assert not lockers.is_to_release(work(order))
    order = collecting.confirm_put_back(order, work(order), "anna", end + HOUR).order
    assert lockers.is_to_release(work(order))


def test_what_a_customer_can_open_is_neither_handed_over_nor_cancelled_before_it_is_taken_out() -> None:
    order = deposited()
    with pytest.raises(FailedPrecondition, match="IN_LOCKER"):
        collecting.collect(order, work(order), collecting.AtCounter(True, "", "customer"), "bob", NOON)
    assert changes.reached(order) is Stage.HAND_OVER
    with pytest.raises(FailedPrecondition, match="TOO_LATE_TO_CANCEL"):
        life.request_cancellation(order, "changed my mind", "carol", NOON + HOUR)
    out = lockers.take_out(order, work(order), "B-12", "anna", NOON + HOUR).order
    assert lockers.is_to_release(work(out))
    gone = life.request_cancellation(out, "changed my mind", "carol", NOON + HOUR).order
    assert gone.state is OrderState.CANCELLING
    assert lockers.opened(gone, work(gone), NOON, LATER).happenings == ()
    with pytest.raises(FailedPrecondition, match="NOT_IN_LOCKER"):
        lockers.take_out(gone, work(gone), "", "anna", LATER)


def test_a_booking_of_work_that_was_cancelled_before_it_lay_in_is_given_back() -> None:
    order = booked()
    gone = life.request_cancellation(order, "changed my mind", "carol", NOON + HOUR).order
    assert lockers.is_to_release(work(gone))
    asked = picked()
    asked = lockers.ask(asked, work(asked), "anna", NOON).order
    gone = life.request_cancellation(asked, "changed my mind", "carol", NOON + HOUR).order
    assert lockers.booked(gone, work(gone), "07", CODES.key, LATER).happenings == ()
    assert lockers.is_to_release(work(gone))
