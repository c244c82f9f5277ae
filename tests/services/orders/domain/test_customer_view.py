"""What a customer sees: how far the order is, when it arrives, what of it does not, and nothing of the house."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

from services.orders.domain import choosing, refunds, watch
from services.orders.domain import fulfilment as work
from services.orders.domain import order as life
from services.orders.domain.customer_view import OrderSeen, Stage, Step, ToPay, UnitsSeen, see
from services.orders.domain.model import (
    Appointment,
    Cause,
    Change,
    ChangeRule,
    Decision,
    Fulfilment,
    LostParcel,
    Order,
    RefundKind,
    RefundWish,
    Refusal,
    Slot,
    Units,
    Window,
)
from services.orders.domain.model import (
    Stage as Until,
)
from services.orders.domain.states import FulfilmentState, OrderState
from tests.services.orders.builders import (
    COOLED,
    LIFE_CYCLE,
    NOON,
    PROMISE,
    accepted,
    leg,
    line,
    recorded,
    released,
)
from tests.services.orders.domain import test_collecting as counter
from tests.services.orders.domain.test_awaiting import PO, coming, waiting
from tests.services.orders.domain.test_parcels import resent, scan, shipped
from tests.services.orders.domain.test_taking import ALONG, SENT, Story
from tests.services.orders.domain.test_trials import ARRIVED, END, arrived, back, decided, later, sent

Act = Callable[[Order, Fulfilment], Decision]
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def seen(order: Order, now: datetime = COOLED, payment_failed: bool = False) -> OrderSeen:
    return see(order, payment_failed, now)


def stages(found: OrderSeen) -> list[Stage]:
    return [one.stage for one in found.parcels]


def counts(units: tuple[UnitsSeen, ...]) -> dict[int, int]:
    return {one.line_number: one.quantity for one in units}


def test_an_order_goes_from_received_to_delivered() -> None:
    order = recorded()
    assert (seen(order).step, counts(seen(order).unplaced)) == (Step.RECEIVED, {1: 2})
    order = accepted(order, leg((1, 2))).order
    first = seen(order, NOON)
    assert (first.step, stages(first), first.unplaced) == (Step.VALIDATED, [Stage.WAITING], ())
    assert (first.promised, first.expected, first.late) == (PROMISE, PROMISE, False)
    assert first.cooling_off_until == COOLED
    order = life.release(order, COOLED).order
    assert seen(order).cooling_off_until is None
    acts: list[tuple[Act, Stage]] = [
        (lambda order, one: work.offer(order, one, NOON), Stage.WAITING),
        (lambda order, one: work.accept_offer(order, one, "", NOON), Stage.PREPARING),
        (lambda order, one: work.record_pick(order, one, [Units(1, "SKU-1", 2)], "", NOON), Stage.PREPARING),
        (lambda order, one: work.close_parcel(order, one, 500, "", NOON), Stage.READY),
    ]
    for act, stage in acts:
        order = act(order, order.fulfilments[0]).order
        found = seen(order)
        assert stages(found) == [stage]
        # Who carries it, and under which number, is said once it has left.
        assert (found.parcels[0].carrier_id, found.parcels[0].tracking_code) == ("", "")
        assert found.step is (Step.VALIDATED if stage is Stage.WAITING else Step.PREPARING)

    order = shipped()
    (parcel,) = seen(order).parcels
    assert (parcel.stage, parcel.carrier_id, parcel.tracking_code) == (Stage.ON_ITS_WAY, "colis", "T10")
    assert parcel.units == (UnitsSeen(1, "Title 1", 2),)
    for status, hours, stage in (
        ("out_for_delivery", 1, Stage.OUT_FOR_DELIVERY),
        ("delivery_failed", 2, Stage.ATTEMPTED),
        ("out_for_delivery", 26, Stage.OUT_FOR_DELIVERY),
        ("delivered", 27, Stage.DELIVERED),
    ):
        order = scan(order, status, hours * HOUR).order
        assert stages(seen(order)) == [stage]
    done = seen(order, NOON + 9 * DAY)
    assert (done.step, done.expected, done.promised, done.late) == (Step.DELIVERED, None, None, False)
    assert done.parcels[0].delivered_at == NOON + 27 * HOUR


def test_the_title_of_an_article_without_one_is_its_sku() -> None:
    (parcel,) = seen(released(leg((1, 2)), lines=(line(title=""),))).parcels
    assert parcel.units == (UnitsSeen(1, "SKU-1", 2),)


def test_a_late_parcel_says_what_was_promised_what_is_expected_and_why() -> None:
    two = released(leg((1, 2)), leg((2, 2), point="store-nice", hours=48), lines=(line(1), line(2)))
    missed = NOON + 7 * HOUR
    found = seen(two, missed)
    late, in_time = found.parcels
    assert (late.promised, late.cause) == (PROMISE, Cause.HAND_OVER_MISSED)
    assert late.expected == Window(PROMISE.start + DAY, PROMISE.end + DAY)
    assert (in_time.expected, in_time.cause) == (PROMISE, None)
    assert (found.late, found.promised, found.expected) == (True, PROMISE, late.expected)


def test_until_when_it_may_be_cancelled_is_the_rule_of_the_customers_channel() -> None:
    order = released(leg((1, 2)))
    assert seen(order).may_cancel
    ruled = replace(LIFE_CYCLE, change_rules=(ChangeRule(Change.CANCEL, "channel", Until.RELEASE),))
    assert not seen(replace(order, life_cycle=ruled)).may_cancel
    assert not seen(shipped()).may_cancel
    cancelled = life.request_cancellation(order, "", "", COOLED).order
    found = seen(cancelled)
    assert (found.may_cancel, found.step, found.parcels, found.expected) == (False, None, (), None)
    assert counts(found.cancelled) == {1: 2}


def test_what_was_taken_along_is_shown_whatever_becomes_of_the_rest() -> None:
    story = Story(SENT, ALONG)
    story.accept(leg((1, 2)))
    found = seen(story.release())
    assert sorted(stages(found)) == [Stage.TAKEN, Stage.WAITING]
    taken = next(one for one in found.parcels if one.stage is Stage.TAKEN)
    assert (taken.point_id, counts(taken.units), taken.tracking_code) == ("st-lyon", {2: 3}, "")
    rest = seen(life.request_cancellation(story.order, "", "", COOLED).order)
    assert (stages(rest), counts(rest.cancelled)) == ([Stage.TAKEN], {1: 2})


def test_a_lost_parcel_says_what_becomes_of_its_units() -> None:
    order = scan(shipped(), "lost").order
    assert (stages(seen(order)), seen(order).parcels[0].decision) == ([Stage.LOST], "")
    order = scan(shipped(rule=LostParcel.RESHIP), "lost").order
    assert counts(seen(order).unplaced) == {1: 2}
    lost, again = seen(resent(order, (1, 2)).order).parcels
    assert (lost.decision, again.sent_again, again.stage) == ("reship", True, Stage.WAITING)
    order = scan(shipped(rule=LostParcel.REFUND), "lost").order
    (back,) = seen(order).refunds
    assert (back.kind, back.is_done, counts(back.units)) == ("goods", False, {1: 2})
    assert seen(order).step is None


def test_a_refund_is_done_when_the_money_went_back() -> None:
    order = scan(shipped(), "delivered").order
    wish = RefundWish(RefundKind.GOODS, "withdrawal", "a note of the house", "ana", lines=(Units(1, "", 1),))
    order = refunds.request(order, wish, NOON + DAY).order
    (asked,) = seen(order).refunds
    assert (asked.is_done, asked.at, counts(asked.units)) == (False, NOON + DAY, {1: 1})
    later = NOON + 2 * DAY
    order = refunds.record_outcome(order, order.refunds[0].refund_id, "succeeded", "", later).order
    (done,) = seen(order).refunds
    assert (done.is_done, done.at, done.amount) == (True, later, asked.amount)


def test_what_waits_says_for_what_and_until_when() -> None:
    order = waiting(coming((1, 2, PO)), units=2)
    assert seen(order).parcels[0].waits_until == max(one.due_at for one in order.fulfilments[0].awaited)
    release = NOON + 3 * DAY
    order = life.release(accepted(recorded(), replace(leg((1, 2)), hand_over_from=release)).order, COOLED).order
    assert seen(order).parcels[0].released_at == release
    assert seen(order, release).parcels[0].released_at is None


def test_money_that_lacks_is_said() -> None:
    asked = life.require_payment_action(recorded(), "https://bank.example/x", NOON).order
    assert (seen(asked).payment, seen(asked).payment_url) == (ToPay.CONFIRM, "https://bank.example/x")
    order = released(leg((1, 2)))
    assert seen(order).payment is None
    assert seen(order, payment_failed=True).payment is ToPay.FAILED
    cancelled = life.request_cancellation(order, "", "", COOLED).order
    assert seen(cancelled, payment_failed=True).payment is None


def test_an_appointment_is_shown_until_the_carrier_has_come_and_nothing_is_promised_who_was_missed() -> None:
    slot = Slot("s-1", PROMISE.start.date(), PROMISE)
    booked = replace(released(leg((1, 2))), appointment=Appointment("bkg_1", slot, PROMISE.start.date()))
    assert seen(booked).appointment == booked.appointment
    missed = replace(booked, appointment=Appointment("bkg_1", slot, PROMISE.start.date(), missed_at=NOON))
    found = seen(missed)
    assert found.appointment
    assert (found.appointment.state, found.expected) == ("missed", None)
    done = replace(scan(shipped(), "delivered").order, appointment=booked.appointment)
    assert seen(done).appointment is None


def test_a_trial_says_what_comes_back_and_what_is_kept() -> None:
    before = seen(sent()).trial
    assert before
    assert (before.days, before.trial) == (7, None)
    order = arrived()
    begun = seen(order, ARRIVED).trial
    assert begun
    assert begun.trial
    assert (begun.trial.ends_at, begun.announced, begun.kept) == (END, (), ())
    order = back(decided(order, l1=2).order, l1=1).order
    halfway = seen(order).trial
    assert halfway
    assert (counts(halfway.announced), counts(halfway.back)) == ({1: 1}, {1: 1})
    over = seen(later(order, END + HOUR).order).trial
    assert over
    assert counts(over.kept) == {1: 2, 2: 2}
    assert seen(released(leg((1, 2)))).trial is None


def test_a_refused_order_has_no_way_to_go() -> None:
    refused = life.refuse(recorded(), Refusal("PAYMENT_DECLINED", "declined"), NOON).order
    assert refused.state is OrderState.REFUSED
    found = seen(refused)
    assert (found.step, found.parcels, found.unplaced, found.may_cancel) == (None, (), (), False)


def test_looking_changes_nothing() -> None:
    order = released(leg((1, 2)))
    assert seen(order) == seen(order)
    assert watch.look(order, COOLED)[0].work == order.fulfilments[0]


def test_what_is_collected_has_its_code_and_its_last_day_while_it_waits_at_its_store() -> None:
    waits = counter.waiting(reserved=True)
    [parcel] = seen(waits, NOON + 3 * HOUR).parcels
    assert (parcel.stage, parcel.point_id) == (Stage.TO_COLLECT, counter.STORE)
    assert parcel.ready == waits.fulfilments[0]
    assert parcel.keep_until == waits.fulfilments[0].collection.keep_until  # type: ignore[union-attr]
    [parcel] = seen(counter.collect(waits).order, NOON + 3 * HOUR).parcels
    assert (parcel.stage, parcel.ready, parcel.keep_until) == (Stage.COLLECTED, None, None)


def test_who_is_asked_what_becomes_of_units_sees_until_when_and_what_there_is_instead() -> None:
    order = counter.refused()
    found = seen(order, NOON + 3 * HOUR)
    [question] = found.questions
    assert (counts(question.units), found.unplaced) == ({1: 1, 2: 2}, ())
    assert question.until == order.choices[0].until
    assert (question.point_ids, question.may_deliver) == (("store-paris",), True)
    chosen = choosing.choose(order, "", choosing.REFUND, "", False, "", NOON + 3 * HOUR).order
    assert seen(chosen, NOON + 3 * HOUR).questions == ()


def test_what_goes_to_a_hub_is_prepared_until_the_hub_has_it() -> None:
    order = shipped(line(1, 2))
    inbound = replace(order.fulfilments[0], joins="ful_hub")
    [parcel] = seen(replace(order, fulfilments=(inbound,))).parcels
    assert (parcel.stage, parcel.carrier_id, parcel.tracking_code) == (Stage.PREPARING, "", "")
    assert parcel.handed_over_at is None
    received = replace(inbound, state=FulfilmentState.DELIVERED)
    assert seen(replace(order, fulfilments=(received,))).parcels == ()
