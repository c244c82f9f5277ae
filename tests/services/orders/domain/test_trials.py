"""Goods that are tried at home: what may be, until when, what comes back, and what is kept and paid."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kit.errors import FailedPrecondition, InvalidArgument
from kit.values.money import Money
from services.orders.domain import capture, invoicing, parcels, refunds, trials, watch
from services.orders.domain import order as life
from services.orders.domain import settings as what_may_be
from services.orders.domain.capture import Outcome
from services.orders.domain.model import (
    Buyer,
    CaptureMoment,
    Customer,
    Decision,
    LifeCycle,
    Line,
    LostParcel,
    Order,
    PaymentTerms,
    RefundKind,
    RefundWish,
    TrialTerms,
    Units,
)
from services.orders.domain.money_back import left_of
from services.orders.domain.pricing import goods_minor
from services.orders.domain.ranges import in_state, quantity
from services.orders.domain.states import CaptureState, OrderState, UnitState
from services.orders.domain.status import customer_status, fine_status
from tests.services.orders.builders import (
    BUYER,
    COOLED,
    LIFE_CYCLE,
    NOON,
    PROMISE,
    accepted,
    content,
    leg,
    line,
    recorded,
)
from tests.services.orders.domain.test_parcels import prepared, scan

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
TRIED = replace(LIFE_CYCLE, capture_at=CaptureMoment.TRIAL, trial=TrialTerms(), lost_after_days=7)
LINES = (line(1, 3), line(2, 2, shipping_minor=0))
ARRIVED = NOON + 2 * DAY
END = ARRIVED + 7 * DAY


def sent(*lines: Line, legs: Any = None, life_cycle: LifeCycle = TRIED, **changes: Any) -> Order:
    """An order that is tried, with its parcels on their way."""
    chosen = lines or LINES
    order = recorded(*chosen, life_cycle=life_cycle, **changes)
    legs = legs or [leg(*((one.line_number, one.quantity) for one in chosen))]
    order = life.release(accepted(order, *legs).order, COOLED).order
    for one in order.fulfilments:
        order = prepared(order, one)
    return order


def happened(decision: Decision, now: datetime) -> Decision:
    """What follows of it at once."""
    return watch.judge(decision, now)


def scanned(
    order: Order, status: str, at: int = 0, when: datetime = ARRIVED, now: datetime | None = None
) -> Order:
    return happened(scan(order, status, when - NOON, at, now=now or when), now or when).order


def arrived(*lines: Line, **changes: Any) -> Order:
    return scanned(sent(*lines, **changes), "delivered")


def units(**counts: int) -> list[Units]:
    """By line: l1=2."""
    return [Units(int(name[1:]), "", count) for name, count in counts.items()]


def decided(order: Order, *, when: datetime = ARRIVED + DAY, **counts: int) -> Decision:
    return happened(trials.decide(order, units(**counts), "ada", when), when)


def back(
    order: Order, *, when: datetime = ARRIVED + 2 * DAY, point: str = "store-lyon", **counts: int
) -> Decision:
    return happened(trials.give_back(order, units(**counts), point, "anna", when), when)


def later(order: Order, now: datetime) -> Decision:
    """What time makes of it."""
    return happened(Decision(order), now)


def kinds(decision: Decision) -> list[str]:
    return [one.kind for one in decision.happenings]


def kept_minor(order: Order) -> int:
    return order.charge.amount_minor if order.charge else 0


def taken(order: Order) -> Order:
    return capture.record_of_order(order, Outcome("captured", "", "", END)).order


# -- what may be tried ------------------------------------------------------------------------------------


def test_a_life_cycle_says_for_how_long_and_that_no_parcel_is_waited_for_without_end() -> None:
    what_may_be.check_life_cycle(TRIED)
    for changes, field in (
        ({"trial": None}, "trial"),
        ({"capture_at": CaptureMoment.SHIPMENT}, "trial"),
        ({"trial": TrialTerms(days=1)}, "trial.days"),
        ({"trial": TrialTerms(days=31)}, "trial.days"),
        ({"trial": TrialTerms(days=2, reminder_days=2)}, "trial.reminder_days"),
        ({"trial": TrialTerms(reminder_days=0)}, "trial.reminder_days"),
        ({"lost_after_days": 0}, "lost_after_days"),
    ):
        with pytest.raises(InvalidArgument) as caught:
            what_may_be.check_life_cycle(replace(TRIED, **changes))
        assert caught.value.facts["field"] == f"life_cycle.{field}"
    what_may_be.check_life_cycle(replace(TRIED, trial=TrialTerms(days=2, reminder_days=1)))


@pytest.mark.parametrize(
    ("changes", "buyer", "field", "reason"),
    [
        ({"lines": (line(1, 6), line(2, 5))}, BUYER, "lines", "TRIAL_TOO_MANY_UNITS"),
        ({"lines": (line(1), line(2, 1, taken_at_point_id="store-lyon"))}, BUYER, "lines[1].taken_at_point_id",
         "TRIAL_SENT_ONLY"),
        ({}, Buyer(Customer("", "Zoé"), BUYER.ship_to), "customer.customer_id", "TRIAL_NEEDS_CUSTOMER"),
        ({"payment": PaymentTerms("paid_by_channel_reference", "M-1")}, BUYER, "payment",
         "TRIAL_NEEDS_AUTHORISATION"),
        ({"total": Money(0, "EUR")}, BUYER, "total", "TRIAL_NEEDS_AUTHORISATION"),
    ],
)  # fmt: skip
def test_who_is_refused_a_trial_learns_the_field_and_the_rule(
    changes: dict[str, Any], buyer: Buyer, field: str, reason: str
) -> None:
    wanted = replace(content(*LINES), **changes)
    with pytest.raises(InvalidArgument) as caught:
        trials.check_content(wanted, buyer, TRIED)
    assert (caught.value.facts["field"], caught.value.reason) == (field, reason)
    trials.check_content(wanted, buyer, LIFE_CYCLE)


def test_ten_units_are_tried_by_somebody_who_is_logged_in() -> None:
    trials.check_content(content(line(1, 6), line(2, 4)), BUYER, TRIED)


def test_the_authorisation_lasts_eleven_days_and_until_the_trial_is_over() -> None:
    order = recorded(*LINES, life_cycle=TRIED)
    assert trials.too_short(order, PROMISE, None) is None
    # The promise ends on the third day: eleven days are more than three and seven.
    assert trials.too_short(order, PROMISE, NOON + 11 * DAY) is None
    for until, promise in (
        (NOON + 11 * DAY - HOUR, PROMISE),
        (NOON + 11 * DAY, replace(PROMISE, end=NOON + 5 * DAY)),
    ):
        refusal = trials.too_short(order, promise, until)
        assert refusal is not None
        assert refusal.reason == "AUTHORISATION_TOO_SHORT"
        assert "payment.save_means" in refusal.detail
    assert trials.too_short(recorded(), PROMISE, NOON + HOUR) is None


def test_an_order_on_a_short_authorisation_stays_as_it_is_to_be_refused() -> None:
    order = recorded(*LINES, life_cycle=TRIED)
    legs = [leg((1, 3), (2, 2))]
    decision = life.accept(order, legs, PROMISE, "dec_1", "authorized", NOON, authorised_until=NOON + 7 * DAY)
    assert decision.order == order
    assert decision.refusal is not None
    assert not decision.happenings


# -- the clock --------------------------------------------------------------------------------------------


def test_nothing_is_captured_for_a_parcel_and_it_leaves() -> None:
    order = sent()
    (work,) = order.fulfilments
    assert work.parcel is not None
    assert work.parcel.capture_state is CaptureState.NOT_NEEDED
    assert not left_of(order).units
    assert not invoicing.bills(order, [])


def test_the_clock_runs_from_the_last_parcel() -> None:
    order = sent(legs=[leg((1, 3)), leg((2, 2), point="store-paris")])
    order = scanned(order, "delivered", 0, ARRIVED)
    assert order.trial is None
    with pytest.raises(FailedPrecondition) as caught:
        decided(order, l1=1)
    assert caught.value.reason == "TRIAL_NOT_BEGUN"
    decision = happened(scan(order, "delivered", 3 * DAY, 1, now=NOON + 3 * DAY), NOON + 3 * DAY)
    trial = decision.order.trial
    assert trial is not None
    assert (trial.begun_at, trial.ends_at, trial.remind_at) == (NOON + 3 * DAY, NOON + 10 * DAY, NOON + 8 * DAY)
    assert "order.trial_begun" in kinds(decision)
    assert decision.order.watch_at == trial.remind_at
    assert fine_status(decision.order) == "on trial"
    # Scans come in any order: the last arrival counts, not the last scan.
    first = scanned(sent(legs=[leg((1, 3)), leg((2, 2), point="store-paris")]), "delivered", 1, NOON + 3 * DAY)
    assert scanned(first, "delivered", 0, ARRIVED, now=NOON + 4 * DAY).trial == trial


def test_a_parcel_that_is_lost_keeps_the_trial_only_until_that_is_decided() -> None:
    order = sent(legs=[leg((1, 3)), leg((2, 2), point="store-paris")])
    order = scanned(order, "delivered", 0, ARRIVED)
    order = scanned(order, "lost", 1, ARRIVED + DAY)
    assert order.trial is None
    gone = order.fulfilments[1]
    order = happened(parcels.decide(order, gone, "refund", "carol", ARRIVED + 2 * DAY), ARRIVED + 2 * DAY).order
    assert order.trial is not None
    assert order.trial.begun_at == ARRIVED + 2 * DAY
    order = decided(order, when=ARRIVED + 3 * DAY).order
    assert kept_minor(order) == goods_minor(LINES[:1], order.ranges[:1]) + 490
    assert not order.refunds


def test_a_silent_parcel_is_lost_and_the_trial_begins() -> None:
    order = sent(legs=[leg((1, 3)), leg((2, 2), point="store-paris")], life_cycle=replace(
        TRIED, lost_parcel=LostParcel.REFUND))  # fmt: skip
    order = scanned(order, "delivered", 0, ARRIVED)
    assert order.watch_at is not None
    order = happened(parcels.overdue(order, NOON + 8 * DAY), NOON + 8 * DAY).order
    assert order.trial is not None
    assert order.trial.begun_at == NOON + 8 * DAY


def test_who_is_told_late_has_the_days_of_the_reminder() -> None:
    now = ARRIVED + 20 * DAY
    order = scanned(sent(), "delivered", when=ARRIVED, now=now)
    assert order.trial is not None
    assert (order.trial.ends_at, order.trial.remind_at) == (now + 2 * DAY, now)
    assert order.trial.reminded_at == now


def test_the_reminder_comes_at_its_instant_and_once() -> None:
    order = arrived()
    assert not later(order, END - 2 * DAY - HOUR).happenings
    reminded = later(order, END - 2 * DAY)
    (happening,) = reminded.happenings
    assert (happening.kind, happening.facts["decided"]) == ("order.trial_reminder", False)
    assert [one["quantity"] for one in happening.facts["lines"]] == [3, 2]
    assert reminded.order.watch_at == END
    assert not later(reminded.order, END - HOUR).happenings
    told = later(decided(order, l1=1).order, END - 2 * DAY).happenings
    assert [(one.facts["decided"], one.facts["lines"][0]["quantity"]) for one in told] == [(True, 1)]


def test_nobody_is_reminded_of_what_is_over() -> None:
    assert kinds(later(arrived(), END)) == ["order.trial_settled"]


# -- what comes back --------------------------------------------------------------------------------------


def test_what_is_kept_is_due_once_all_is_known() -> None:
    order = decided(arrived(), l1=1).order
    assert order.charge is None
    assert customer_status(order) == "returning"
    decision = back(order, l1=1)
    order = decision.order
    assert kinds(decision) == ["order.trial_units_back", "order.trial_settled"]
    assert order.trial is not None
    assert order.trial.settled_at == ARRIVED + 2 * DAY
    kept = in_state(order.ranges, UnitState.DELIVERED)
    assert quantity(kept) == 4
    assert kept_minor(order) == goods_minor(LINES, kept) + 490
    assert decision.happenings[0].story.startswith("restock/")
    assert decision.happenings[1].facts["amount_minor"] == kept_minor(order)
    assert not later(order, END + DAY).happenings


def test_who_keeps_all_pays_at_once_and_who_keeps_nothing_owes_nothing() -> None:
    order = decided(arrived()).order
    assert (kept_minor(order), order.trial and quantity(in_state(order.ranges, UnitState.DELIVERED))) == (12490, 5)
    # All came back, and nobody said so before.
    decision = back(arrived(), l1=3, l2=2)
    assert decision.order.charge is None
    assert decision.happenings[-1].facts["amount_minor"] == 0
    assert customer_status(decision.order) == "returned"
    assert life.close(decision.order, END).order.state is OrderState.CLOSED


def test_silence_keeps_all_and_what_was_only_announced_is_kept() -> None:
    assert kept_minor(later(arrived(), END).order) == 12490
    announced = decided(arrived(), l1=3).order
    assert not later(announced, END - HOUR).happenings[1:]
    late = later(announced, END)
    assert kinds(late) == ["order.trial_settled"]
    assert kept_minor(late.order) == 12490
    assert not in_state(late.order.ranges, UnitState.RETURNING)


def test_a_carriers_scan_counts_and_goes_to_no_stock() -> None:
    decision = back(decided(arrived(), l2=2).order, point="", when=END - HOUR, l2=2)
    assert kinds(decision) == ["order.trial_units_scanned", "order.trial_settled"]
    assert not decision.happenings[0].story
    assert kept_minor(decision.order) == 6490


def test_another_decision_replaces_the_first() -> None:
    order = decided(arrived(), l1=3, l2=2).order
    order = decided(order, l2=1).order
    assert quantity(in_state(order.ranges, UnitState.RETURNING)) == 1
    assert quantity(in_state(order.ranges, UnitState.DELIVERED)) == 4
    # What was not announced may come back as well.
    order = back(order, l1=1).order
    assert order.charge is None
    assert (
        kept_minor(back(order, l2=1).order)
        == goods_minor(LINES, in_state(order.ranges, UnitState.DELIVERED)) + 490
    )


def test_units_come_back_before_the_last_parcel_has_arrived() -> None:
    order = sent(legs=[leg((1, 3)), leg((2, 2), point="store-paris")])
    order = scanned(order, "delivered", 0, ARRIVED)
    order = back(order, l1=3).order
    assert order.trial is None
    with pytest.raises(FailedPrecondition) as caught:
        back(order, l2=1)
    assert (caught.value.reason, caught.value.facts["at_home"]) == ("NOT_AT_HOME", 0)
    order = scanned(order, "delivered", 1, ARRIVED + 3 * DAY)
    assert kept_minor(decided(order, when=ARRIVED + 4 * DAY).order) == 6000 + 490


@pytest.mark.parametrize(
    ("returns", "field", "reason"),
    [
        (units(l1=4), "returns[0].quantity", "NOT_AT_HOME"),
        (units(l3=1), "returns[0].line_number", "INVALID_FIELD"),
        ([Units(1, "", 1), Units(1, "", 1)], "returns[1].line_number", "INVALID_FIELD"),
        ([Units(1, "SKU-2", 1)], "returns[0].sku", "INVALID_FIELD"),
        ([Units(1, "", 0)], "returns[0].quantity", "INVALID_FIELD"),
    ],
)
def test_a_decision_names_what_is_wrong(returns: Sequence[Units], field: str, reason: str) -> None:
    with pytest.raises((FailedPrecondition, InvalidArgument)) as caught:
        trials.decide(arrived(), returns, "ada", ARRIVED)
    assert (caught.value.facts["field"], caught.value.reason) == (field, reason)


def test_too_late_is_told_with_the_instant() -> None:
    order = arrived()
    settled = decided(order).order
    for one, when, ended_at in ((order, END, END), (settled, ARRIVED + 2 * DAY, ARRIVED + DAY)):
        for act in (decided, back):
            with pytest.raises(FailedPrecondition) as caught:
                act(one, when=when, l1=1)
            assert (caught.value.reason, caught.value.facts["ended_at"]) == ("TRIAL_OVER", ended_at.isoformat())
    with pytest.raises(FailedPrecondition) as none:
        trials.decide(recorded(), (), "ada", NOON)
    assert none.value.reason == "NO_TRIAL"


def test_a_scan_in_time_that_is_told_late_gives_back_what_was_taken_for_its_units() -> None:
    paid = taken(later(decided(arrived(), l1=2).order, END).order)
    late = back(paid, point="", when=END - HOUR, l1=2)
    assert kinds(late) == ["order.trial_units_scanned", "order.refund_requested"]
    (refund,) = late.order.refunds
    assert (refund.kind, refund.amount_minor, refund.shipping_minor) == (RefundKind.GOODS, 4000, 0)
    assert customer_status(late.order) == "partially returned"
    closed = life.close(paid, END).order
    all_back = back(closed, when=END - HOUR, l1=3, l2=2).order
    assert all_back.refunds[0].amount_minor == kept_minor(paid), "the fee goes with the last"
    assert left_of(all_back).amount_minor == 0
    with pytest.raises(FailedPrecondition, match="NOT_AT_HOME"):
        back(late.order, when=END - HOUR, l1=2)


def test_money_that_is_taken_after_a_late_scan_is_given_back_then_and_what_was_let_go_is_not() -> None:
    due = later(arrived(), END).order
    failed = capture.record_of_order(due, Outcome("failed", "declined", "", END)).order
    scanned_late = back(failed, point="", when=END - HOUR, l2=1)
    assert (kept_minor(scanned_late.order), scanned_late.order.refunds) == (12490, ())
    paid = capture.record_of_order(scanned_late.order, Outcome("captured", "", "", END + DAY))
    assert [one.kind for one in paid.happenings] == ["order.captured", "order.refund_requested"]
    assert paid.order.refunds[0].amount_minor == 3000
    let_go = capture.record_of_order(scanned_late.order, Outcome("overridden", "a gesture", "carol", END)).order
    assert let_go.refunds == ()
    assert back(let_go, point="", when=END - HOUR, l2=1).order.refunds == ()


def test_a_late_scan_is_of_units_whose_money_was_not_given_back_already() -> None:
    paid = taken(later(arrived(), END).order)
    wish = RefundWish(RefundKind.GOODS, "damaged", "", "carol", lines=tuple(units(l1=1)))
    refunded = refunds.request(paid, wish, END).order
    twice = back(refunded, when=END - HOUR, l1=2).order
    assert [one.amount_minor for one in twice.refunds] == [2000, 4000]
    thrice = back(twice, when=END - HOUR, l1=1).order
    assert thrice.refunds == twice.refunds, "the last unit was refunded before"


# -- money ------------------------------------------------------------------------------------------------


def test_of_the_fee_a_customer_who_keeps_nothing_owes_what_was_beyond_standard_delivery() -> None:
    dear = arrived(standard_shipping=Money(300, "EUR"))
    decision = back(dear, l1=3, l2=2)
    assert kept_minor(decision.order) == 190
    (bill,) = invoicing.bills(taken(decision.order), [])
    assert (bill.amount_minor, bill.lines) == (190, ())
    assert kept_minor(back(arrived(), l1=3, l2=2).order) == 0


def test_who_never_got_anything_owes_nothing() -> None:
    order = scanned(sent(standard_shipping=Money(300, "EUR")), "lost")
    order = happened(parcels.decide(order, order.fulfilments[0], "refund", "carol", ARRIVED), ARRIVED).order
    assert order.trial is not None
    assert order.trial.settled_at is not None
    assert (order.charge, order.refunds) == (None, ())
    back_again = scanned(sent(), "returned")
    assert (back_again.charge, back_again.refunds) == (None, ())
    assert life.close(back_again, END).order.state is OrderState.CLOSED


def test_an_order_is_not_closed_before_it_is_known_what_is_kept() -> None:
    with pytest.raises(FailedPrecondition) as caught:
        life.close(arrived(), ARRIVED)
    assert caught.value.reason == "NOT_FINISHED"


def test_only_what_was_kept_can_be_given_back_and_the_fee_with_the_last_of_it() -> None:
    order = taken(back(decided(arrived(), l1=2).order, l1=2).order)
    left = left_of(order)
    assert (left.amount_minor, quantity(left.units)) == (kept_minor(order), 3)
    wish = RefundWish(RefundKind.GOODS, "withdrawal", "", "carol", whole=True)
    after = refunds.request(order, wish, END).order
    assert after.refunds[0].amount_minor == kept_minor(order)
    assert left_of(after).amount_minor == 0


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_whatever_comes_back_the_invoice_the_charge_and_what_may_be_refunded_are_one_amount(
    data: st.DataObject,
) -> None:
    lines = [
        line(number, data.draw(st.integers(1, 5)), shipping_minor=data.draw(st.integers(0, 700)))
        for number in (1, 2)
    ]  # fmt: skip
    order = arrived(*lines)
    for day in (1, 2, 3):
        at_home = dict.fromkeys((1, 2), 0)
        for one in in_state(order.ranges, UnitState.DELIVERED, UnitState.RETURNING):
            at_home[one.line_number] += one.quantity
        counts = {f"l{number}": data.draw(st.integers(0, most)) for number, most in at_home.items()}
        counts = {name: count for name, count in counts.items() if count}
        if order.trial and order.trial.settled_at:
            break
        when = ARRIVED + day * DAY
        if data.draw(st.booleans()):
            order = decided(order, when=when, **counts).order
        elif counts:
            order = happened(trials.give_back(order, units(**counts), "lyon", "anna", when), when).order
    order = later(order, END).order
    kept = in_state(order.ranges, UnitState.DELIVERED)
    assert quantity(kept) + quantity(in_state(order.ranges, UnitState.RETURNED)) == quantity(order.ranges)
    fee = sum(one.shipping_minor for one in lines) if kept else 0
    assert kept_minor(order) == goods_minor(lines, kept) + fee
    if order.charge:
        order = taken(order)
        bills = invoicing.bills(order, [])
        assert sum(one.amount_minor for one in bills) == left_of(order).amount_minor == kept_minor(order)
