"""What waits at a counter: put aside, collected in whole or in part, or not; and what customers are asked."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kit.errors import FailedPrecondition, InvalidArgument
from services.orders.codes import ALPHABET, LENGTH, Codes
from services.orders.domain import (
    capture,
    choosing,
    collecting,
    collection_terms,
    fulfilment,
    invoicing,
    notifications,
    pricing,
    watch,
)
from services.orders.domain import order as life
from services.orders.domain.capture import Outcome
from services.orders.domain.collecting import AtCounter
from services.orders.domain.milestones import Milestone, NotificationRule, Way
from services.orders.domain.model import (
    Buyer,
    CaptureMoment,
    CollectionTerms,
    Customer,
    Decision,
    DeliveryMode,
    DeliveryOption,
    Fulfilment,
    Leg,
    LifeCycle,
    Order,
    PaymentTerms,
    Units,
    Window,
)
from services.orders.domain.ranges import in_state, quantity
from services.orders.domain.states import CaptureState, FulfilmentState, OrderState, UnitState
from services.orders.domain.status import customer_status
from tests.services.orders.builders import BUYER, CHANNEL, LIFE_CYCLE, NOON, content, found, line

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
STORE = "store-lyon"
LINES = (line(1, 3), line(2, 2, shipping_minor=0))
# The store closes six hours after noon.
READY_FROM = Window(NOON + HOUR, NOON + 6 * HOUR)
BY_CODE = AtCounter(True, "", "customer")
CODES = Codes(["a key of tests"])
NOTHING = PaymentTerms("", "")
UNPAID = (line(1, 3, shipping_minor=0), line(2, 2, shipping_minor=0))


def placed(
    *, life_cycle: LifeCycle = LIFE_CYCLE, payment: str = "authorized", reserved: bool = False, **changes: Any
) -> Order:
    """An order of five units, with its store, which has taken the work."""
    mode = DeliveryMode.E_RESERVATION if reserved else DeliveryMode.CLICK_AND_COLLECT
    if reserved:
        changes, payment = {"payment": NOTHING, **changes}, collecting.IN_STORE
    lines = UNPAID if reserved else LINES
    made = content(*lines, mode=mode, collect_at_point_id=STORE, **changes)
    order = life.record("ord_1", made, life_cycle, NOON, NOON).order
    units = (Units(1, "SKU-1", 3), Units(2, "SKU-2", 2))
    leg = Leg(STORE, "", "", units, READY_FROM, NOON + 6 * HOUR)
    order = life.accept(order, [leg], READY_FROM, "dec_1", payment, NOON).order
    order = life.release(order, NOON + HOUR).order
    if order.charge:
        order = capture.record_of_order(order, Outcome("captured", "", "", NOON + HOUR)).order
    order = fulfilment.offer(order, work(order), NOON + HOUR).order
    return fulfilment.accept_offer(order, work(order), "anna", NOON + HOUR).order


def picked(order: Order, first: int = 3, second: int = 2) -> Order:
    order = fulfilment.record_pick(order, work(order), found((1, first), (2, second)), "anna", NOON + HOUR).order
    parcel = work(order).parcel
    if parcel and parcel.capture_state is CaptureState.PENDING:
        state = "not_needed" if order.payment_outcome == "paid_by_channel" else "captured"
        order = capture.record(order, work(order), Outcome(state, "", "", NOON + HOUR)).order
    return order


def waiting(**options: Any) -> Order:
    """The same, put aside two hours after noon."""
    order = picked(placed(**options))
    return happened(collecting.ready(order, work(order), "B-12", "anna", NOON + 2 * HOUR), NOON + 2 * HOUR).order


def work(order: Order, at: int = 0) -> Fulfilment:
    return order.fulfilments[at]


def happened(decision: Decision, now: datetime) -> Decision:
    """What follows of it at once."""
    return watch.judge(decision, now)


def collect(order: Order, who: AtCounter = BY_CODE, at: datetime = NOON + 3 * HOUR) -> Decision:
    return happened(collecting.collect(order, work(order), who, "bob", at), at)


def paid(order: Order, state: str = "captured", at: datetime = NOON + 3 * HOUR) -> Decision:
    """What became of the money that was asked for at the counter."""
    outcome = Outcome(state, "insufficient_funds" if state == "failed" else "", "", at)
    decision = capture.record(order, work(order), outcome)
    return happened(collecting.after_capture(decision, work(order).fulfilment_id, outcome), at)


def units(order: Order, state: UnitState) -> int:
    return quantity(in_state(order.ranges, state))


def facts(decision: Decision, kind: str) -> Any:
    return next(one.facts for one in decision.happenings if one.kind == kind)


def kinds(decision: Decision) -> list[str]:
    return [one.kind for one in decision.happenings]


def reason(error: Any) -> str:
    return str(error.value.reason)


# -- placement --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"collect_at_point_id": ""}, "collect_at_point_id"),
        ({"mode": DeliveryMode.HOME_STANDARD}, "collect_at_point_id"),
        ({"may_wait": True}, "may_wait"),
        ({"mode": DeliveryMode.E_RESERVATION, "payment": NOTHING}, "lines"),
    ],
)
def test_what_is_collected_names_its_store_and_lies_there(changes: Any, field: str) -> None:
    made = content(*LINES, **{"mode": DeliveryMode.CLICK_AND_COLLECT, "collect_at_point_id": STORE, **changes})
    with pytest.raises(InvalidArgument) as caught:
        pricing.check(made, BUYER, CHANNEL)
    assert caught.value.facts["field"] == field


def test_a_customer_who_collects_has_a_name_and_needs_no_address() -> None:
    made = content(*LINES, mode=DeliveryMode.CLICK_AND_COLLECT, collect_at_point_id=STORE)
    pricing.check(made, Buyer(Customer(name="Zoé Plantée")), CHANNEL)
    with pytest.raises(InvalidArgument) as caught:
        pricing.check(made, Buyer(), CHANNEL)
    assert caught.value.facts["field"] == "customer.name"


def test_an_e_reservation_has_no_payment_here_and_no_cooling_off() -> None:
    made = content(*UNPAID, mode=DeliveryMode.E_RESERVATION, collect_at_point_id=STORE)
    with pytest.raises(InvalidArgument, match="till of the store"):
        pricing.check(made, BUYER, CHANNEL)
    made = replace(made, payment=NOTHING)
    pricing.check(made, BUYER, CHANNEL)
    order = life.record("ord_1", made, LIFE_CYCLE, NOON, NOON).order
    assert order.cooling_off_seconds == 0
    leg = Leg(STORE, "", "", (Units(1, "SKU-1", 3), Units(2, "SKU-2", 2)), READY_FROM, READY_FROM.end)
    with pytest.raises(InvalidArgument, match="e-reservation"):
        life.accept(order, [leg], READY_FROM, "dec_1", "authorized", NOON)


def test_only_of_what_is_collected_a_leg_has_no_carrier() -> None:
    order = life.record("ord_1", content(*LINES), LIFE_CYCLE, NOON, NOON).order
    leg = Leg(STORE, "", "", (Units(1, "SKU-1", 3), Units(2, "SKU-2", 2)), READY_FROM, READY_FROM.end)
    with pytest.raises(InvalidArgument, match="carrier"):
        life.accept(order, [leg], READY_FROM, "dec_1", "authorized", NOON)


@pytest.mark.parametrize(
    ("terms", "field"),
    [
        (CollectionTerms(keep_days=0), "keep_days"),
        (CollectionTerms(keep_days=61), "keep_days"),
        (CollectionTerms(keep_days=2, reminder_days=2), "reminder_days"),
        (CollectionTerms(reservation_hours=721), "reservation_hours"),
        (CollectionTerms(choice_hours=0), "choice_hours"),
        (CollectionTerms(code_attempts=21), "code_attempts"),
    ],
)
def test_terms_that_cannot_be_kept_are_refused_by_name(terms: CollectionTerms, field: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        collection_terms.check_terms(terms)
    assert caught.value.facts["field"] == f"life_cycle.collection.{field}"


# -- ready ------------------------------------------------------------------------------------------------


def test_what_is_put_aside_waits_for_days_and_keeps_the_promise() -> None:
    order = waiting()
    waits = work(order).collection
    assert waits is not None
    assert (work(order).state, waits.shelf, units(order, UnitState.PACKED)) == (FulfilmentState.READY, "B-12", 5)
    assert (waits.keep_until, waits.remind_at) == (READY_FROM.end + 7 * DAY, READY_FROM.end + 5 * DAY)
    assert customer_status(order) == "ready for collection"
    # Nobody is late while the customer takes his time.
    assert (order.late_since, order.watch_at) == (None, waits.remind_at)


def test_a_store_that_is_late_to_have_it_ready_breaks_the_promise() -> None:
    order = picked(placed())
    late = happened(Decision(order), READY_FROM.end + HOUR).order
    assert late.late_since
    order = happened(collecting.ready(late, work(late), "", "anna", READY_FROM.end + 2 * HOUR), NOON + DAY).order
    assert (order.late_since, watch.look(order, NOON + DAY)[0].is_late) == (None, True)


def test_the_opening_days_of_the_store_say_until_when() -> None:
    order = waiting()
    closings = [NOON + 6 * HOUR + days * DAY for days in (0, 3, 4, 5, 6, 7, 10, 11)]
    decision = collecting.set_dates(order, work(order), closings, NOON + 2 * HOUR)
    waits = work(decision.order).collection
    assert waits
    assert (waits.keep_until, waits.remind_at) == (closings[7], closings[5])
    assert not decision.happenings[0].told
    # Too few are known: what was said stands. So does what somebody promised.
    assert not collecting.set_dates(order, work(order), closings[:7], NOON).happenings
    extended = collecting.extend(order, work(order), NOON + 20 * DAY, "carol", NOON + DAY).order
    assert not collecting.set_dates(extended, work(extended), closings, NOON).happenings


def test_an_e_reservation_is_kept_until_the_next_day_ends_or_for_hours() -> None:
    order = waiting(reserved=True)
    waits = work(order).collection
    assert waits
    assert (waits.keep_until, waits.remind_at) == (READY_FROM.end + DAY, None)
    hours = replace(LIFE_CYCLE, collection=CollectionTerms(reservation_hours=4))
    waits = work(waiting(reserved=True, life_cycle=hours)).collection
    assert waits
    assert waits.keep_until == NOON + 6 * HOUR


def test_what_a_carrier_takes_is_packed_and_what_is_collected_is_not() -> None:
    order = picked(placed())
    with pytest.raises(FailedPrecondition) as caught:
        fulfilment.close_parcel(order, work(order), 100, "anna", NOON)
    assert reason(caught) == "COLLECTED"
    sent = replace(work(order), carrier_id="colis")
    with pytest.raises(FailedPrecondition) as caught:
        collecting.ready(order, sent, "", "anna", NOON)
    assert reason(caught) == "NOT_COLLECTED"
    with pytest.raises(InvalidArgument):
        collecting.ready(order, work(order), "x" * 41, "anna", NOON)


# -- the code ---------------------------------------------------------------------------------------------


def test_a_code_is_of_one_work_and_read_as_people_type_it() -> None:
    order = waiting()
    code = CODES.of(work(order))
    assert len(code) == LENGTH
    assert set(code) <= set(ALPHABET)
    assert CODES.is_of(work(order), f" {code[:3].lower()} {code[3:].lower()} ")
    assert not CODES.is_of(work(order), code[:-1])
    assert not CODES.is_of(replace(work(order), fulfilment_id="ful_2"), code)
    # A new key makes new codes, and those that customers have are still good.
    changed = Codes(["a new key", "a key of tests"])
    assert changed.is_of(work(order), code)
    assert not Codes(["a new key"]).is_of(work(order), code)


def test_wrong_codes_are_counted_then_locked_until_somebody_unlocks_or_sees_a_document() -> None:
    order = waiting(life_cycle=replace(LIFE_CYCLE, collection=CollectionTerms(code_attempts=2)))
    wrong = AtCounter(False, "", "other")
    first = collect(order, wrong)
    assert first.refusal
    assert (first.refusal.reason, kinds(first)) == ("WRONG_CODE", ["fulfilment.wrong_code"])
    assert not first.happenings[0].told
    second = collect(first.order, wrong)
    assert kinds(second) == ["fulfilment.collection_locked"]
    locked = second.order
    for who in (wrong, BY_CODE):
        with pytest.raises(FailedPrecondition) as caught:
            collect(locked, who)
        assert reason(caught) == "CODE_LOCKED"
    assert kinds(collect(locked, AtCounter(None, "passport", "customer"))) == ["fulfilment.collecting"]
    unlocked = collecting.unlock(locked, work(locked), "carol", NOON).order
    assert kinds(collect(unlocked)) == ["fulfilment.collecting"]
    with pytest.raises(FailedPrecondition) as caught:
        collecting.unlock(unlocked, work(unlocked), "carol", NOON)
    assert reason(caught) == "NOT_LOCKED"


@pytest.mark.parametrize(
    ("who", "field"),
    [
        (AtCounter(True, "passport", "customer"), "code"),
        (AtCounter(None, "", "customer"), "code"),
        (AtCounter(None, "library_card", "customer"), "document_kind"),
        (AtCounter(None, "passport", "other"), "code"),
        (AtCounter(True, "", "neighbour"), "collected_by"),
        (AtCounter(True, "", "customer", (Units(3, "", 1),)), "lines[0].line_number"),
        (AtCounter(True, "", "customer", (Units(1, "", 4),)), "lines[0].quantity"),
        (AtCounter(True, "", "customer", (Units(1, "", 1), Units(1, "", 1))), "lines[1].line_number"),
    ],
)
def test_who_collects_shows_one_proof_and_takes_what_waits(who: AtCounter, field: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        collect(waiting(), who)
    assert caught.value.facts["field"] == field


# -- the money --------------------------------------------------------------------------------------------


def test_goods_leave_the_counter_when_their_money_is_there() -> None:
    asked = collect(waiting())
    assert facts(asked, "fulfilment.collecting")["amount_minor"] == 12_490
    assert work(asked.order).state is FulfilmentState.READY
    with pytest.raises(FailedPrecondition) as caught:
        collect(asked.order)
    assert reason(caught) == "COLLECTING"
    done = paid(asked.order)
    assert kinds(done) == ["fulfilment.captured", "fulfilment.collected"]
    told = facts(done, "fulfilment.collected")
    assert (told["proof"], told["collected_by"], told["no_longer_due_minor"]) == ("code", "customer", 0)
    assert (customer_status(done.order), units(done.order, UnitState.DELIVERED)) == ("delivered", 5)
    (bill,) = invoicing.bills(done.order, [])
    assert bill.amount_minor == 12_490
    assert life.close(done.order, NOON).order.state is OrderState.CLOSED


def test_a_decline_leaves_everything_at_the_counter_for_another_try() -> None:
    asked = collect(waiting(), replace(BY_CODE, units=(Units(1, "", 1),)))
    failed = paid(asked.order, "failed").order
    waits = work(failed).collection
    assert waits
    assert (waits.handing, work(failed).state) == (None, FulfilmentState.READY)
    # The second try is for other units, and brings the fee that the first one did not.
    again = collect(failed)
    assert facts(again, "fulfilment.collecting")["amount_minor"] == 12_490
    assert kinds(paid(again.order))[-1] == "fulfilment.collected"


def test_somebody_may_let_the_money_go() -> None:
    failed = paid(collect(waiting()).order, "failed").order
    let_go = capture.record(failed, work(failed), Outcome("overridden", "good customer", "fay", NOON)).order
    assert kinds(collect(let_go)) == ["fulfilment.collected"]


def test_money_that_comes_when_nobody_is_there_any_more_leaves_the_goods_there_paid() -> None:
    asked = collect(waiting(), replace(BY_CODE, units=(Units(1, "", 2),)))
    late = paid(asked.order, at=NOON + 4 * HOUR)
    assert kinds(late) == ["fulfilment.captured"]
    with pytest.raises(FailedPrecondition) as caught:
        collect(late.order)
    assert reason(caught) == "PAID_FOR_OTHERS"
    done = collect(late.order, replace(BY_CODE, units=(Units(1, "SKU-1", 2),)))
    assert facts(done, "fulfilment.collected")["no_longer_due_minor"] == 2_000 + 6_000
    # Or nobody ever comes: what was paid is refunded, what was authorised is let go.
    keep_until = work(late.order).collection
    assert keep_until
    gone = happened(Decision(late.order), keep_until.keep_until)
    assert facts(gone, "fulfilment.cancelled")["no_longer_due_minor"] == 2_000 + 6_000
    assert facts(gone, "order.refund_requested")["amount_minor"] == 4_000 + 490


@settings(max_examples=60, deadline=None)
@given(
    first=st.integers(0, 3),
    second=st.integers(0, 2),
    moment=st.sampled_from([CaptureMoment.SHIPMENT, CaptureMoment.PREPARATION, CaptureMoment.ORDER]),
    payment=st.sampled_from(["authorized", "paid_by_channel", collecting.IN_STORE]),
)
def test_what_is_left_is_given_up_whenever_the_money_was_taken(
    first: int, second: int, moment: CaptureMoment, payment: str
) -> None:
    """Taken and given back, captured or not, come to what the customer has; every unit is in one place."""
    if not first + second:
        return
    reserved = payment == collecting.IN_STORE
    order = waiting(life_cycle=replace(LIFE_CYCLE, capture_at=moment), payment=payment, reserved=reserved)
    lines = tuple(Units(number, "", count) for number, count in ((1, first), (2, second)) if count)
    decision = collect(order, replace(BY_CODE, units=lines))
    if kinds(decision) == ["fulfilment.collecting"]:
        decision = paid(decision.order)
    after = decision.order
    assert units(after, UnitState.DELIVERED) == first + second
    assert units(after, UnitState.CANCELLED) == 5 - first - second
    told = facts(decision, "fulfilment.collected")
    refunded = sum(one.amount_minor for one in after.refunds)
    left = (3 - first) * 2_000 + (2 - second) * 3_000
    by_refund = payment == "authorized" and moment is not CaptureMoment.SHIPMENT
    assert refunded == (left if by_refund else 0)
    assert told["no_longer_due_minor"] == (0 if by_refund or reserved else left)
    waits = work(after).collection
    assert waits
    assert sum(one.quantity for one in waits.put_back) == 5 - first - second
    assert (waits.put_back_since is None) == (first + second == 5)


# -- time -------------------------------------------------------------------------------------------------


def test_the_customer_is_reminded_once_and_then_it_is_given_up() -> None:
    order = waiting()
    waits = work(order).collection
    assert waits
    assert waits.remind_at
    assert kinds(happened(Decision(order), waits.remind_at - HOUR)) == []
    reminded = happened(Decision(order), waits.remind_at)
    assert kinds(reminded) == ["fulfilment.collection_reminder"]
    assert kinds(happened(Decision(reminded.order), waits.remind_at + HOUR)) == []
    over = happened(Decision(reminded.order), waits.keep_until)
    assert kinds(over) == ["fulfilment.cancelled", "order.units_cancelled"]
    told = facts(over, "fulfilment.cancelled")
    assert (told["reason"], told["no_longer_due_minor"], told["no_show"]) == ("not_collected", 12_490, False)
    assert life.close(over.order, NOON).order.state is OrderState.CANCELLED
    back = collecting.confirm_put_back(over.order, work(over.order), "anna", NOON)
    assert facts(back, "fulfilment.put_back")["lines"][0]["quantity"] == 3
    with pytest.raises(FailedPrecondition) as caught:
        collecting.confirm_put_back(back.order, work(back.order), "anna", NOON)
    assert reason(caught) == "NOTHING_TO_PUT_BACK"


@pytest.mark.parametrize("is_declined", [False, True])
def test_nobody_s_goods_are_given_up_while_their_money_is_under_way(is_declined: bool) -> None:
    order = placed(life_cycle=replace(LIFE_CYCLE, capture_at=CaptureMoment.PREPARATION))
    order = fulfilment.record_pick(order, work(order), found((1, 3), (2, 2)), "anna", NOON + HOUR).order
    if is_declined:
        order = paid(order, "failed", NOON + HOUR).order
    order = happened(collecting.ready(order, work(order), "", "anna", NOON + HOUR), NOON + HOUR).order
    waits = work(order).collection
    assert waits
    over = happened(Decision(order), waits.keep_until + DAY)
    assert work(over.order).state == FulfilmentState.READY
    gone = paid(over.order, "captured", waits.keep_until + 2 * DAY)
    assert work(gone.order).state == FulfilmentState.CANCELLED
    assert [refund.amount_minor for refund in gone.order.refunds] == [order.content.total.amount_minor]
    assert facts(gone, "fulfilment.cancelled")["no_longer_due_minor"] == 0


@pytest.mark.parametrize("moment", [CaptureMoment.ORDER, CaptureMoment.PREPARATION])
def test_what_was_paid_and_is_not_collected_is_refunded_with_its_fee(moment: CaptureMoment) -> None:
    order = waiting(life_cycle=replace(LIFE_CYCLE, capture_at=moment))
    over = happened(Decision(order), NOON + 20 * DAY)
    assert facts(over, "order.refund_requested")["amount_minor"] == 12_490
    assert facts(over, "fulfilment.cancelled")["no_longer_due_minor"] == 0


def test_nobody_comes_for_an_e_reservation_and_it_costs_nothing() -> None:
    over = happened(Decision(waiting(reserved=True)), NOON + 20 * DAY)
    told = facts(over, "fulfilment.cancelled")
    assert (told["no_show"], told["no_longer_due_minor"], over.order.refunds) == (True, 0, ())


def test_nothing_is_given_up_under_the_hands_of_who_collects_it() -> None:
    asked = collect(waiting())
    over = NOON + 20 * DAY
    assert kinds(happened(Decision(asked.order), over)) == []
    failed = paid(asked.order, "failed")
    assert "fulfilment.cancelled" in kinds(happened(Decision(failed.order), over))


def test_customer_service_may_keep_it_longer() -> None:
    order = waiting()
    waits = work(order).collection
    assert waits
    later = waits.keep_until + 3 * DAY
    extended = collecting.extend(order, work(order), later, "carol", NOON + DAY).order
    kept = work(extended).collection
    assert kept
    assert (kept.keep_until, kept.remind_at) == (later, later - 2 * DAY)
    assert "fulfilment.cancelled" not in kinds(happened(Decision(extended), waits.keep_until))
    for wrong in (waits.keep_until, NOON + 200 * DAY):
        with pytest.raises(InvalidArgument):
            collecting.extend(order, work(order), wrong, "carol", NOON + DAY)


def test_an_order_that_is_cancelled_while_it_waits_is_put_back() -> None:
    order = waiting()
    cancelled = life.request_cancellation(order, "changed my mind", "customer", NOON + 3 * HOUR).order
    waits = work(cancelled).collection
    assert waits
    assert (sum(one.quantity for one in waits.put_back), waits.put_back_since) == (5, NOON + 3 * HOUR)
    assert not happened(Decision(cancelled), NOON + 20 * DAY).happenings


def test_what_was_collected_is_too_late_to_cancel() -> None:
    done = paid(collect(waiting()).order).order
    with pytest.raises(FailedPrecondition) as caught:
        life.request_cancellation(done, "", "customer", NOON + 4 * HOUR)
    assert reason(caught) == "TOO_LATE_TO_CANCEL"


# -- the choice -------------------------------------------------------------------------------------------

OPTIONS = (
    DeliveryOption(DeliveryMode.CLICK_AND_COLLECT, READY_FROM, None, 1, "store-paris"),
    DeliveryOption(DeliveryMode.HOME_STANDARD, READY_FROM, None, 1),
)


def refused() -> Order:
    """The store finds two of five units, and says so."""
    order = fulfilment.record_pick(placed(), work(placed()), found((1, 2), (2, 0)), "anna", NOON + HOUR).order
    missing = [Units(1, "SKU-1", 1), Units(2, "SKU-2", 2)]
    return choosing.ask(order, work(order).fulfilment_id, missing, "short_pick", OPTIONS, NOON + HOUR).order


def choose(
    order: Order, kind: str, point: str = "", *, address: bool = True, at: datetime = NOON + DAY
) -> Decision:
    return choosing.choose(order, "", kind, point, address, "customer", at)


def test_what_a_store_has_goes_on_and_for_the_rest_the_customer_is_asked() -> None:
    order = refused()
    (choice,) = order.choices
    assert (choice.until, customer_status(order)) == (NOON + HOUR + timedelta(hours=48), "choice required")
    assert work(order).state is FulfilmentState.PICKED
    chosen = choose(order, "store", "store-paris")
    assert facts(chosen, "order.collection_chosen")["point_id"] == "store-paris"
    assert sum(one.quantity for one in choosing.still_homeless(chosen.order, choice)) == 3
    with pytest.raises(FailedPrecondition) as caught:
        choose(chosen.order, "refund")
    assert reason(caught) == "NOT_ASKED"
    with pytest.raises(FailedPrecondition) as caught:
        choosing.choose(chosen.order, choice.choice_id, "refund", "", True, "customer", NOON + DAY)
    assert reason(caught) == "CHOICE_OVER"


@pytest.mark.parametrize(
    ("kind", "point", "address", "why"),
    [
        ("store", "store-lille", True, "OPTION_NOT_OFFERED"),
        ("store", "", True, "INVALID_FIELD"),
        ("refund", "store-paris", True, "INVALID_FIELD"),
        ("delivery", "", False, "ADDRESS_NEEDED"),
        ("gift", "", True, "INVALID_FIELD"),
    ],
)
def test_only_what_was_offered_can_be_chosen(kind: str, point: str, address: bool, why: str) -> None:
    with pytest.raises((FailedPrecondition, InvalidArgument)) as caught:
        choose(refused(), kind, point, address=address)
    assert reason(caught) == why


def test_who_says_nothing_is_refunded_at_the_deadline() -> None:
    order = refused()
    until = order.choices[0].until
    with pytest.raises(FailedPrecondition) as caught:
        choose(order, "refund", at=until)
    assert reason(caught) == "CHOICE_OVER"
    assert happened(Decision(order), NOON + HOUR).order.watch_at
    lapsed = happened(Decision(order), until)
    told = facts(lapsed, "order.collection_chosen")
    assert (told["kind"], lapsed.order.choices[0].actor) == ("refund", "")


def test_nobody_is_asked_about_an_order_that_is_undone() -> None:
    order = life.request_cancellation(placed(), "", "customer", NOON).order
    asked = choosing.ask(order, work(order).fulfilment_id, [Units(1, "SKU-1", 1)], "lapsed", (), NOON)
    assert not asked.happenings


# -- what its customer is told ----------------------------------------------------------------------------


def told(decision: Decision, before: Order) -> list[tuple[str, bool]]:
    """What is said of it, and whether it still stands."""
    return [
        (one.milestone.value, notifications.stands(decision.order, one.milestone, one.subject, one.facts))
        for one in notifications.of(before, decision)
    ]


def test_a_customer_is_told_that_it_is_ready_waits_and_was_collected_each_while_it_is_true() -> None:
    talks = replace(LIFE_CYCLE, notifications=tuple(NotificationRule(one, (Way.MAIL,)) for one in Milestone))
    before = picked(placed(life_cycle=talks, reserved=True))
    ready = happened(collecting.ready(before, work(before), "", "anna", NOON), NOON)
    assert told(ready, before) == [("ready", True)]
    waits = work(ready.order).collection
    assert waits is not None
    reminding = replace(waits, remind_at=NOON + HOUR)
    order = replace(ready.order, fulfilments=(replace(work(ready.order), collection=reminding),))
    reminded = happened(Decision(order), NOON + HOUR)
    assert told(reminded, order) == [("collection_reminder", True)]
    collected = collect(reminded.order)
    assert told(collected, reminded.order) == [("collected", True)]
    said = notifications.of(before, ready)[0]
    assert not notifications.stands(collected.order, said.milestone, said.subject, said.facts)
    late = happened(Decision(reminded.order), waits.keep_until)
    assert told(late, reminded.order) == [("not_collected", True)]


def test_a_customer_is_told_of_a_question_as_long_as_it_is_open() -> None:
    talks = replace(LIFE_CYCLE, notifications=tuple(NotificationRule(one, (Way.MAIL,)) for one in Milestone))
    before = placed(life_cycle=talks)
    short = fulfilment.record_pick(before, work(before), found((1, 3), (2, 0)), "anna", NOON + HOUR).order
    asked = choosing.ask(short, work(short).fulfilment_id, [Units(2, "SKU-2", 2)], "short_pick", OPTIONS, NOON)
    assert told(asked, short) == [("customer_asked", True)]
    [said] = notifications.of(short, asked)
    answered = choose(asked.order, "refund", at=NOON + HOUR).order
    assert not notifications.stands(answered, said.milestone, said.subject, said.facts)


def test_what_is_ready_days_before_its_window_is_kept_from_the_closing_of_that_day_on() -> None:
    order = placed()
    early = NOON - 2 * DAY
    reminder, end = collection_terms.usual_dates(order, work(order), early)
    assert end == READY_FROM.end - 2 * DAY + LIFE_CYCLE.collection.keep_days * DAY
    assert reminder == end - LIFE_CYCLE.collection.reminder_days * DAY
