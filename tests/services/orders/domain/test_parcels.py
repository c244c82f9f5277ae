"""Parcels on their way: what carriers say, in any order, and what becomes of what never arrives."""

from dataclasses import replace
from datetime import datetime, timedelta
from itertools import permutations
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kit.errors import FailedPrecondition, InvalidArgument
from kit.values.money import Money
from services.orders.domain import amending, parcels, refunds, watch
from services.orders.domain import fulfilment as work
from services.orders.domain import order as life
from services.orders.domain.capture import Outcome, record
from services.orders.domain.model import (
    CaptureMoment,
    Decision,
    Fulfilment,
    Line,
    LostParcel,
    Order,
    Proof,
    RefundKind,
    RefundWish,
    Units,
)
from services.orders.domain.money_back import left_of
from services.orders.domain.parcels import CarrierStatus, Scan
from services.orders.domain.plan import unplaced
from services.orders.domain.pricing import goods_minor
from services.orders.domain.ranges import in_state, quantity
from services.orders.domain.states import CaptureState, FulfilmentState, OrderState, UnitState
from services.orders.domain.status import customer_status
from tests.services.orders.builders import COOLED, LIFE_CYCLE, NOON, PROMISE, accepted, leg, line, recorded
from tests.services.orders.domain.test_money import _NEXT, BEFORE_IT_LEAVES, LINES, Life, _lines

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
F, U = FulfilmentState, UnitState


def prepared(order: Order, one: Fulfilment) -> Order:
    """Everything found, packed, paid, handed over at noon."""
    id_ = one.fulfilment_id
    order = work.offer(order, order.fulfilment(id_), NOON).order
    order = work.accept_offer(order, order.fulfilment(id_), "", NOON).order
    found = [Units(part.line_number, "", part.quantity) for part in one.lines]
    order = work.record_pick(order, order.fulfilment(id_), found, "", NOON).order
    order = work.close_parcel(order, order.fulfilment(id_), 500, "", NOON).order
    packed = order.fulfilment(id_)
    if packed.parcel and packed.parcel.capture_state == CaptureState.PENDING:
        order = record(order, packed, Outcome("captured", "", "", NOON)).order
    return work.hand_over(order, order.fulfilment(id_), f"T{one.round}{one.position}", "", NOON).order


def shipped(*lines: Line, rule: LostParcel = LostParcel.ASK, legs: Any = None, **changes: Any) -> Order:
    """An order whose parcels are on their way."""
    chosen = lines or (line(),)
    content = {name: changes.pop(name) for name in ("standard_shipping",) if name in changes}
    life_cycle = replace(LIFE_CYCLE, lost_parcel=rule, **changes)
    order = recorded(*chosen, life_cycle=life_cycle, **content)
    legs = legs or [leg(*((one.line_number, one.quantity) for one in chosen))]
    order = life.release(accepted(order, *legs).order, COOLED).order
    for one in order.fulfilments:
        order = prepared(order, one)
    return order


def scan(order: Order, status: str, after: timedelta = HOUR, at: int = 0, **more: Any) -> Decision:
    now = more.pop("now", NOON + 9 * DAY)
    said = Scan(f"e-{status}-{after}", "T", status, NOON + after, **more)
    return parcels.carrier_event(order, order.fulfilments[at], said, now)


def kinds(decision: Decision) -> list[str]:
    return [one.kind for one in decision.happenings if one.told]


def parcel_of(order: Order, at: int = 0) -> Any:
    return order.fulfilments[at].parcel


def resent(order: Order, *quantities: tuple[int, int], lost: tuple[tuple[int, int], ...] = ()) -> Decision:
    """The units of the first parcel find this place; those in `lost` find none."""
    legs = [leg(*quantities, point="store-paris")] if quantities else []
    gone = [Units(number, "", count) for number, count in lost]
    return life.reroute(order, legs, gone, "parcel_lost", "dec_2", NOON, order.fulfilments[0].fulfilment_id)


# -- what carriers say ------------------------------------------------------------------------------------


def test_each_step_of_a_parcel_is_told_once() -> None:
    order = shipped()
    told = []
    for status, after in (
        ("in_transit", 1),
        ("out_for_delivery", 2),
        ("delivery_failed", 3),
        ("out_for_delivery", 26),
        ("delivered", 27),
    ):
        for _ in range(2):
            decision = scan(order, status, after * HOUR)
            order = decision.order
            told += kinds(decision)
    assert told == [
        "fulfilment.in_transit",
        "parcel.out_for_delivery",
        "parcel.delivery_failed",
        "parcel.out_for_delivery",
        "fulfilment.delivered",
    ]
    assert parcel_of(order).failed_deliveries == 1


def test_scans_in_any_order_lead_to_the_same_end() -> None:
    said = [("in_transit", 1), ("out_for_delivery", 2), ("delivery_failed", 3), ("lost", 4), ("delivered", 5)]
    for order_of_coming in permutations(said):
        order = shipped()
        for status, after in order_of_coming:
            order = scan(order, status, after * HOUR).order
        assert order.fulfilments[0].state == F.DELIVERED, order_of_coming
        assert parcel_of(order).delivered_at == NOON + 5 * HOUR
        assert parcel_of(order).loss is None
        assert {one.state for one in order.ranges} == {U.DELIVERED}
        assert not order.refunds


def test_a_failed_delivery_says_why_and_counts() -> None:
    decision = scan(shipped(), "delivery_failed", reason="recipient_absent")
    (told,) = decision.happenings
    assert (told.facts["reason"], told.facts["attempt"]) == ("recipient_absent", 1)
    assert parcel_of(decision.order).failure_reason == "recipient_absent"
    assert decision.order.fulfilments[0].state == F.HANDED_OVER


def test_a_delivery_is_proven_without_the_name_of_who_signed() -> None:
    decision = scan(shipped(), "delivered", proof=Proof(True, "photo-1"))
    assert parcel_of(decision.order).proof == Proof(True, "photo-1")
    assert decision.happenings[0].facts["signed"] is True
    later = scan(scan(shipped(), "delivered").order, "delivered", 2 * HOUR, proof=Proof(False, "photo-2"))
    assert parcel_of(later.order).proof == Proof(False, "photo-2")
    assert not kinds(later)


def test_a_clock_that_is_ahead_makes_nothing_happen_in_the_future() -> None:
    now = NOON + HOUR
    order = scan(shipped(), "in_transit", 5 * DAY, now=now).order
    assert parcel_of(order).in_transit_at == parcel_of(order).heard_at == now


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"status": "sorted"}, "status"),
        ({"event_id": ""}, "request_id"),
        ({"status": "delivered", "reason": "refused"}, "reason"),
        ({"status": "returning", "reason": "tired"}, "reason"),
        ({"status": "lost", "proof": Proof(True)}, "proof"),
        ({"status": "delivered", "proof": Proof(False, "x" * 256)}, "proof.photo_reference"),
    ],
)
def test_a_scan_that_says_nothing_is_refused_by_its_field(changes: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        parcels.check_scan("colis", replace(Scan("e1", "T1", "in_transit", NOON), **changes))
    assert caught.value.facts["field"] == field


# -- lost -------------------------------------------------------------------------------------------------


def test_a_lost_parcel_waits_for_a_decision_and_holds_the_order_open() -> None:
    decision = scan(shipped(), "lost", DAY, now=NOON + DAY)
    order = decision.order
    assert kinds(decision) == ["parcel.lost"]
    assert order.fulfilments[0].state == F.LOST
    assert parcel_of(order).loss.decide_by == NOON + 4 * DAY
    assert parcels.undecided_since(order) == NOON + DAY
    assert customer_status(order) == "lost"
    with pytest.raises(FailedPrecondition) as caught:
        life.close(order, NOON)
    assert caught.value.reason == "NOT_FINISHED"


def test_what_nobody_decides_is_refunded_with_the_fee_when_time_is_up() -> None:
    order = scan(shipped(), "damaged", DAY, now=NOON + DAY).order
    assert parcels.next_deadline(order) == NOON + 4 * DAY
    assert not parcels.overdue(order, NOON + 4 * DAY - HOUR).happenings
    decision = parcels.overdue(order, NOON + 4 * DAY)
    assert kinds(decision) == ["parcel.loss_decided", "order.refund_requested"]
    (refund,) = decision.order.refunds
    assert (refund.amount_minor, refund.shipping_minor) == (6490, 490)
    assert (refund.reason_code, refund.kind) == ("damaged", RefundKind.GOODS)
    assert parcels.next_deadline(decision.order) is None
    closed = life.close(decision.order, NOON + 5 * DAY).order
    assert (closed.state, customer_status(closed)) == (OrderState.CLOSED, "refunded")


def test_the_fee_stays_when_another_parcel_arrives() -> None:
    order = shipped(line(1, 3), legs=[leg((1, 1)), leg((1, 2), point="store-paris")])
    order = scan(order, "delivered", at=1).order
    order = scan(order, "lost").order
    order = parcels.decide(order, order.fulfilments[0], "refund", "carol", NOON + DAY).order
    (refund,) = order.refunds
    assert (refund.amount_minor, refund.shipping_minor) == (2000, 0)
    assert customer_status(life.close(order, NOON + DAY).order) == "delivered"


def test_silence_makes_a_lost_parcel_after_the_days_of_the_life_cycle() -> None:
    order = scan(shipped(lost_after_days=7), "in_transit", DAY, now=NOON + DAY).order
    assert parcels.next_deadline(order) == NOON + 8 * DAY
    assert not parcels.overdue(order, NOON + 7 * DAY).happenings
    decision = parcels.overdue(order, NOON + 8 * DAY)
    assert kinds(decision) == ["parcel.lost"]
    loss = parcel_of(decision.order).loss
    assert (loss.source, loss.at, loss.decide_by) == ("silence", NOON + DAY, NOON + 11 * DAY)
    assert not parcels.overdue(shipped(), NOON + 999 * DAY).happenings, "without days it never is"


def test_a_word_of_a_parcel_that_was_only_silent_finds_it() -> None:
    order = parcels.overdue(shipped(lost_after_days=7), NOON + 7 * DAY).order
    decision = scan(order, "out_for_delivery", 3 * DAY)
    assert kinds(decision) == ["parcel.found", "parcel.out_for_delivery"]
    assert decision.order.fulfilments[0].state == F.HANDED_OVER
    assert {one.state for one in decision.order.ranges} == {U.SHIPPED}
    assert parcels.undecided_since(decision.order) is None


def test_what_was_seen_before_it_was_lost_does_not_find_it() -> None:
    order = scan(shipped(), "lost", 2 * DAY).order
    assert scan(order, "in_transit", DAY).order.fulfilments[0].state == F.LOST
    assert scan(order, "delivered", DAY).order.fulfilments[0].state == F.DELIVERED, "what is there is there"


def test_what_was_seen_after_it_was_lost_is_not_lost() -> None:
    order = scan(shipped(), "in_transit", 2 * DAY).order
    assert scan(order, "lost", DAY).order.fulfilments[0].state == F.HANDED_OVER


def test_customer_service_declares_what_it_knows() -> None:
    order = shipped()
    decision = parcels.declare(order, order.fulfilments[0], "lost", "the carrier called", "carol", NOON)
    (told,) = decision.happenings
    assert (told.kind, told.actor, told.notes) == ("parcel.lost", "carol", {"why": "the carrier called"})
    assert "carrier called" not in str(told.facts), "what people write is in no event"
    with pytest.raises(FailedPrecondition) as caught:
        parcels.declare(decision.order, decision.order.fulfilments[0], "lost", "again", "", NOON)
    assert caught.value.reason == "NOT_ON_ITS_WAY"
    with pytest.raises(InvalidArgument):
        parcels.declare(order, order.fulfilments[0], "lost", "", "", NOON)
    with pytest.raises(InvalidArgument):
        parcels.declare(order, order.fulfilments[0], "stolen", "so they say", "", NOON)


def test_a_decision_stands_and_is_taken_once() -> None:
    order = shipped()
    with pytest.raises(FailedPrecondition) as caught:
        parcels.decide(order, order.fulfilments[0], "refund", "", NOON)
    assert caught.value.reason == "NOT_LOST"
    order = scan(order, "lost").order
    with pytest.raises(InvalidArgument):
        parcels.decide(order, order.fulfilments[0], "ask", "", NOON)
    order = parcels.decide(order, order.fulfilments[0], "refund", "carol", NOON).order
    with pytest.raises(FailedPrecondition) as caught:
        parcels.decide(order, order.fulfilments[0], "reship", "carl", NOON)
    assert (caught.value.reason, caught.value.facts["decision"]) == ("ALREADY_DECIDED", "refund")


def test_a_parcel_that_turns_up_after_the_decision_is_told_to_people_once() -> None:
    order = scan(shipped(), "lost").order
    order = parcels.decide(order, order.fulfilments[0], "refund", "carol", NOON).order
    assert not kinds(scan(order, "in_transit", 2 * DAY))
    decision = scan(order, "delivered", 3 * DAY)
    assert kinds(decision) == ["parcel.turned_up"]
    assert decision.order.fulfilments[0].state == F.LOST
    assert not kinds(scan(decision.order, "delivered", 4 * DAY))
    assert len(decision.order.refunds) == 1


def test_units_that_were_refunded_before_are_not_sent_again_nor_refunded_twice() -> None:
    order = shipped()
    wish = RefundWish(RefundKind.GOODS, "lost", "", "carol", lines=(Units(1, "", 1),))
    order = scan(refunds.request(order, wish, NOON).order, "lost").order
    with pytest.raises(FailedPrecondition) as caught:
        parcels.decide(order, order.fulfilments[0], "reship", "carol", NOON)
    assert caught.value.reason == "UNITS_REFUNDED"
    order = parcels.decide(order, order.fulfilments[0], "refund", "carol", NOON).order
    assert sum(one.amount_minor for one in order.refunds) == 6490
    by_rule = scan(replace(order, refunds=()), "lost").order
    assert by_rule.refunds == ()


def test_what_was_sent_without_its_money_has_none_to_give_back() -> None:
    order = shipped()
    unpaid = replace(parcel_of(order), capture_state=CaptureState.OVERRIDDEN)
    order = replace(order, fulfilments=(replace(order.fulfilments[0], parcel=unpaid),))
    order = scan(order, "lost").order
    decision = parcels.decide(order, order.fulfilments[0], "refund", "carol", NOON)
    assert kinds(decision) == ["parcel.loss_decided"]
    assert life.close(decision.order, NOON).order.state == OrderState.CLOSED


# -- sent again -------------------------------------------------------------------------------------------


def test_units_are_sent_again_without_being_paid_again() -> None:
    decision = scan(shipped(rule=LostParcel.RESHIP), "lost")
    assert kinds(decision) == ["parcel.lost", "parcel.loss_decided"]
    order = decision.order
    first = order.fulfilments[0].fulfilment_id
    assert unplaced(order, first) == {1: 2}
    assert not unplaced(order, "")
    decision = resent(order, (1, 2))
    assert decision.no_longer_due_minor == 0
    (again,) = decision.created
    assert again.replaces == first
    order = prepared(decision.order, again)
    parcel = parcel_of(order, 1)
    assert (parcel.amount_minor, parcel.shipping_minor, parcel.capture_state) == (0, 0, CaptureState.NOT_NEEDED)
    assert left_of(order).amount_minor == 6490, "the money of the lost parcel is that of these units now"
    order = scan(order, "delivered", 3 * DAY, at=1).order
    assert customer_status(order) == "delivered"
    assert life.close(order, NOON).order.state == OrderState.CLOSED
    wish = RefundWish(RefundKind.GOODS, "withdrawal", "", "carol", whole=True)
    assert refunds.request(order, wish, NOON).order.refunds[0].amount_minor == 6490


def test_a_replacement_that_loses_its_place_is_still_that_of_the_lost_parcel() -> None:
    order = scan(shipped(line(1, 3), rule=LostParcel.RESHIP), "lost").order
    first = order.fulfilments[0].fulfilment_id
    order = resent(order, (1, 3)).order
    again = order.fulfilments[1].fulfilment_id
    order = work.offer(order, order.fulfilment(again), NOON).order
    refused = work.refuse_offer(order, order.fulfilment(again), "no_time", "", NOON).order
    assert (unplaced(refused, first), unplaced(refused, "")) == ({1: 3}, {})
    order = work.accept_offer(order, order.fulfilment(again), "", NOON).order
    order = work.record_pick(order, order.fulfilment(again), [Units(1, "", 2)], "", NOON).order
    assert unplaced(order, first) == {1: 1}
    with pytest.raises(FailedPrecondition) as caught:
        life.reroute(order, [leg((1, 1))], [], "short_pick", "dec_3", NOON)
    assert caught.value.reason == "PLAN_MISMATCH"


def test_units_that_find_no_place_to_be_sent_from_are_refunded_once() -> None:
    order = scan(shipped(line(1, 3), rule=LostParcel.RESHIP), "lost").order
    order = resent(order, (1, 2), lost=((1, 1),)).order
    (refund,) = order.refunds
    assert (refund.amount_minor, refund.shipping_minor, refund.reason_code) == (2000, 0, "lost")
    order = work.offer(order, order.fulfilments[1], NOON).order
    order = work.refuse_offer(order, order.fulfilments[1], "no_time", "", NOON).order
    order = resent(order, lost=((1, 2),)).order
    assert [one.amount_minor for one in order.refunds] == [2000, 4490], "the last ones take the fee along"
    closed = life.close(order, NOON).order
    assert (closed.state, customer_status(closed)) == (OrderState.CLOSED, "refunded")


def test_a_replacement_may_be_lost_too() -> None:
    order = scan(shipped(rule=LostParcel.RESHIP), "lost").order
    order = resent(order, (1, 2)).order
    order = prepared(order, order.fulfilments[1])
    order = scan(order, "lost", at=1).order
    second = order.fulfilments[1].fulfilment_id
    order = life.reroute(order, [leg((1, 2))], [], "parcel_lost", "dec_3", NOON, second).order
    assert order.fulfilments[2].replaces == second
    order = prepared(order, order.fulfilments[2])
    order = scan(order, "returned", at=2).order
    assert [one.amount_minor for one in order.refunds] == [6490]
    assert life.close(order, NOON).order.state == OrderState.CLOSED


def test_what_is_sent_again_was_paid_and_a_customer_who_does_not_want_it_any_more_has_it_back() -> None:
    order = scan(shipped(line(1, 2)), "lost").order
    order = parcels.decide(order, order.fulfilments[0], "reship", "carol", NOON).order
    lost = order.fulfilments[0].fulfilment_id
    order = life.reroute(order, [leg((1, 1)), leg((1, 1))], [], "parcel_lost", "dec_2", NOON, lost).order
    order = scan(prepared(order, order.fulfilments[1]), "delivered", at=1).order
    decision = amending.cancel_lines(order, [Units(1, "", 1)], "", "web", ("channel",), NOON)
    (refund,) = decision.order.refunds
    assert (refund.kind, refund.amount_minor) == (RefundKind.CANCELLED_UNITS, 3000)
    assert decision.happenings[0].facts["no_longer_due_minor"] == 0
    order = amending.settle(decision.order, decision.order.changes[-1].change_id, NOON).order
    assert life.close(order, NOON).order.state == OrderState.CLOSED
    assert left_of(order).amount_minor == 6490 - 3000
    wish = RefundWish(RefundKind.GOODS, "other", "", "carol", whole=True)
    assert [one.amount_minor for one in refunds.request(order, wish, NOON).order.refunds] == [3000, 3490]


def test_what_was_given_back_already_is_no_longer_authorised_when_it_is_cancelled() -> None:
    order = scan(shipped(line(1, 2)), "lost").order
    order = parcels.decide(order, order.fulfilments[0], "reship", "carol", NOON).order
    lost = order.fulfilments[0].fulfilment_id
    order = life.reroute(order, [leg((1, 1)), leg((1, 1))], [], "parcel_lost", "dec_2", NOON, lost).order
    wish = RefundWish(RefundKind.GOODS, "other", "", "carol", whole=True)
    order = refunds.request(order, wish, NOON).order
    decision = amending.cancel_lines(order, [Units(1, "", 1)], "", "web", ("channel",), NOON)
    assert decision.order.refunds == order.refunds, "once"
    assert decision.happenings[0].facts["no_longer_due_minor"] == 0


def test_all_of_what_is_sent_again_may_be_cancelled_before_it_is_picked() -> None:
    order = scan(shipped(line(1, 2)), "lost").order
    order = parcels.decide(order, order.fulfilments[0], "reship", "carol", NOON).order
    lost = order.fulfilments[0].fulfilment_id
    order = life.reroute(order, [leg((1, 2))], [], "parcel_lost", "dec_2", NOON, lost).order
    with pytest.raises(FailedPrecondition) as caught:
        life.request_cancellation(order, "", "web", NOON)
    assert caught.value.reason == "TOO_LATE_TO_CANCEL"
    order = amending.cancel_lines(order, [Units(1, "", 2)], "", "web", ("channel",), NOON).order
    assert [one.amount_minor for one in order.refunds] == [6490], "with the fee: nothing came"
    order = amending.settle(order, order.changes[-1].change_id, NOON).order
    assert life.close(order, NOON).order.state == OrderState.CANCELLED


def test_a_lost_parcel_is_late_until_its_replacement_is_planned() -> None:
    order = watch.judge(scan(shipped(), "lost", now=NOON + HOUR), NOON + HOUR).order
    assert order.late_since == NOON + HOUR
    assert order.watch_at == NOON + HOUR + 3 * DAY, "the decision is waited for, and no delivery"
    decided = parcels.decide(order, order.fulfilments[0], "reship", "carol", NOON + 2 * HOUR)
    order = watch.judge(decided, NOON + 2 * HOUR).order
    assert order.late_since == NOON + HOUR
    assert order.promise_changes == ()
    late = replace(leg((1, 2), point="store-paris"), window=replace(PROMISE, end=PROMISE.end + 2 * DAY))
    first = order.fulfilments[0].fulfilment_id
    decision = life.reroute(order, [late], [], "parcel_lost", "dec_2", NOON + 3 * HOUR, first)
    decision = watch.judge(decision, NOON + 3 * HOUR)
    assert [one.kind for one in decision.happenings][-1] == "order.promise_changed"
    assert decision.order.current_promise == late.window
    in_time = life.reroute(order, [leg((1, 2))], [], "parcel_lost", "dec_2", NOON + 3 * HOUR, first)
    assert watch.judge(in_time, NOON + 3 * HOUR).order.late_since is None


def test_a_parcel_that_comes_back_is_not_waited_for() -> None:
    order = watch.judge(scan(shipped(), "returning", now=NOON + HOUR), NOON + HOUR).order
    assert (order.late_since, order.watch_at) == (None, None)


# -- returned ---------------------------------------------------------------------------------------------


def test_a_parcel_that_comes_back_is_refunded_when_it_is_there() -> None:
    going = scan(shipped(), "returning", DAY, reason="refused")
    assert kinds(going) == ["parcel.returning"]
    assert going.happenings[0].facts["reason"] == "refused"
    assert (customer_status(going.order), going.order.refunds) == ("returning", ())
    back = scan(going.order, "returned", 3 * DAY)
    assert kinds(back) == ["parcel.returned", "order.refund_requested"]
    assert back.happenings[0].facts["lines"] == [{"line_number": 1, "sku": "SKU-1", "quantity": 2}]
    assert back.order.refunds[0].amount_minor == 6490
    closed = life.close(back.order, NOON).order
    assert (closed.state, customer_status(closed)) == (OrderState.CLOSED, "returned")


def test_what_comes_back_takes_the_fee_along_at_the_standard_rate() -> None:
    order = scan(shipped(standard_shipping=Money(190, "EUR")), "returned").order
    assert (order.refunds[0].amount_minor, order.refunds[0].shipping_minor) == (6190, 190)


def test_what_is_lost_on_its_way_back_is_refunded_and_never_sent_again() -> None:
    order = scan(shipped(rule=LostParcel.RESHIP), "returning", DAY).order
    decision = scan(order, "lost", 2 * DAY)
    assert kinds(decision) == ["parcel.lost", "parcel.loss_decided", "order.refund_requested"]
    assert parcel_of(decision.order).loss.decision == "refund"


def test_a_parcel_that_was_to_go_back_and_is_delivered_is_delivered() -> None:
    order = scan(shipped(), "returning", DAY).order
    order = scan(order, "delivered", 2 * DAY).order
    assert (order.fulfilments[0].state, customer_status(order)) == (F.DELIVERED, "delivered")
    assert order.refunds == ()


# -- whatever becomes of them -----------------------------------------------------------------------------


class Travels(Life):
    """A life whose parcels come to harm: in the end every unit has one fate, and every cent one place."""

    def deliver(self, id_: str) -> None:
        for _ in range(self.choose.randint(0, 3)):
            self.scan(id_, self.choose.choice(list(CarrierStatus)))
        one = self.order.fulfilment(id_)
        if one.state in (F.LOST, F.DAMAGED) and one.parcel and one.parcel.loss and not one.parcel.loss.decision:
            choice = self.choose.choice(("refund", "reship"))
            self.order = parcels.decide(self.order, one, choice, "", self.now()).order
        elif one.state in (F.HANDED_OVER, F.RETURNING):
            self.scan(id_, "delivered")

    def now(self) -> datetime:
        self.hours = getattr(self, "hours", 0) + 1
        return NOON + self.hours * HOUR

    def scan(self, id_: str, status: str) -> None:
        now = self.now()
        at = self.choose.choice([now, now - 5 * HOUR, now + 5 * HOUR])
        said = Scan(f"e{now}", "T", status, at)
        self.order = parcels.carrier_event(self.order, self.order.fulfilment(id_), said, now).order

    def live(self, steps: int = 40) -> Order:
        for _ in range(steps):
            super().live()
            lost = {one.fulfilment_id for one in in_state(self.order.ranges, U.UNPLACED) if one.fulfilment_id}
            for id_ in sorted(lost):
                self.resend(id_)
            if not lost:
                break
        return self.order

    def resend(self, id_: str) -> None:
        waiting = unplaced(self.order, id_)
        kept = {number: self.choose.choice([0, count // 2, count]) for number, count in waiting.items()}
        gone = [Units(number, "", count - kept[number]) for number, count in waiting.items()]
        self.order = life.reroute(
            self.order,
            self.legs({number: count for number, count in kept.items() if count}),
            [one for one in gone if one.quantity],
            "parcel_lost",
            "dec",
            NOON,
            id_,
        ).order

    def is_over(self) -> bool:
        return super().is_over() and not in_state(self.order.ranges, U.UNPLACED)

    def check_sum(self) -> None:
        """No unit is made or lost sight of, and no more goes back than came."""
        assert quantity(self.order.ranges) == sum(one.quantity for one in self.order.content.lines)
        assert self.refunded() <= self.captured
        assert self.refunded() + left_of(self.order).amount_minor == self.captured


@settings(max_examples=150, deadline=None)
@given(LINES, st.integers(0, 2**32), st.sampled_from(BEFORE_IT_LEAVES))
def test_what_is_kept_is_what_was_delivered_whatever_became_of_the_parcels(
    amounts: list[tuple[int, int, int, int]], seed: int, moment: CaptureMoment
) -> None:
    one = Travels(_lines(amounts), seed, moment)
    order = one.live()
    if not one.is_over():
        return
    assert all(work.state not in _NEXT for work in order.fulfilments)
    assert life.close(order, NOON).order.state in (OrderState.CLOSED, OrderState.CANCELLED)
    delivered = goods_minor(order.content.lines, in_state(order.ranges, U.DELIVERED))
    fee = left_of(order).fee_minor
    assert one.captured - one.refunded() == delivered + fee
    if not delivered and not in_state(order.ranges, U.DELIVERED):
        assert fee == 0
