"""What else happens to an order of which something was taken along: it happens to the rest."""

from dataclasses import replace
from datetime import timedelta

import pytest

from kit.errors import FailedPrecondition, InvalidArgument
from services.orders.domain import amending, capture, changes, fraud, holds, parcels, pricing, replacing
from services.orders.domain import fulfilment as work
from services.orders.domain import order as life
from services.orders.domain.capture import Outcome
from services.orders.domain.fraud_policy import NoEmail
from services.orders.domain.model import (
    Change,
    DeliveryMode,
    HoldDefault,
    HoldKind,
    HoldOutcome,
    LifeCycle,
    Line,
    LostParcel,
    Order,
    Stage,
    Units,
    Wanted,
)
from services.orders.domain.parcels import Scan
from services.orders.domain.states import ChangeState, FulfilmentState, OrderState
from services.orders.domain.status import customer_status
from tests.services.orders.builders import (
    BUYER,
    CHANNEL,
    COOLED,
    LIFE_CYCLE,
    NOON,
    PROMISE,
    content,
    found,
    leg,
    line,
    recorded,
)
from tests.services.orders.domain.test_fraud import NAMELESS, judging, rule

ANYBODY = ("channel",)
ALONG = replace(line(2, 3, shipping_minor=0), taken_at_point_id="st-lyon")


def mixed(life_cycle: LifeCycle = LIFE_CYCLE) -> Order:
    """Two units are sent, three were taken along."""
    order = recorded(line(1, 2), ALONG, life_cycle=life_cycle)
    return life.accept(order, [leg((1, 2))], PROMISE, "dec_1", "authorized", NOON, taken="captured").order


def all_taken(life_cycle: LifeCycle = LIFE_CYCLE) -> Order:
    order = recorded(ALONG, life_cycle=life_cycle)
    check = fraud.assess(order, NAMELESS, {}, NOON)
    return life.accept(order, [], None, "", "authorized", NOON, check=check, taken="captured").order


def sent(order: Order, lost_parcel: LostParcel = LostParcel.ASK) -> Order:
    """Its parcel was paid and is with the carrier."""
    order = replace(order, life_cycle=replace(order.life_cycle, lost_parcel=lost_parcel))
    order = life.release(order, COOLED).order
    order = work.offer(order, order.fulfilments[0], NOON).order
    order = work.accept_offer(order, order.fulfilments[0], "", NOON).order
    order = work.record_pick(order, order.fulfilments[0], found((1, 2)), "", NOON).order
    order = work.close_parcel(order, order.fulfilments[0], 500, "", NOON).order
    order = capture.record(order, order.fulfilments[0], Outcome("captured", "", "", NOON)).order
    return work.hand_over(order, order.fulfilments[0], "T", "", NOON).order


# -- holds ------------------------------------------------------------------------------------------------


def test_an_order_of_which_all_is_taken_along_has_cooled_off_and_is_held_by_nothing() -> None:
    order = all_taken()
    (cooling_off,) = order.holds
    assert (cooling_off.kind, cooling_off.outcome, cooling_off.until) == (
        HoldKind.COOLING_OFF,
        HoldOutcome.LAPSED,
        NOON,
    )
    released = life.release(order, NOON).order
    assert released.state == OrderState.RELEASED
    assert life.close(released, NOON).order.state == OrderState.CLOSED


def test_a_hold_that_cancels_at_its_date_cancels_the_rest() -> None:
    until = COOLED + timedelta(hours=1)
    held, _ = holds.place(mixed(), "", "call the customer", until, HoldDefault.CANCEL, "carol", NOON)
    order = life.lapse_holds(held.order, until).order
    assert order.state == OrderState.CANCELLING
    assert {one.line_number: one.state.value for one in order.ranges} == {1: "cancelled", 2: "delivered"}


def test_a_review_is_of_what_is_sent() -> None:
    suspicious = judging(rule(NoEmail(), 50))
    order = recorded(line(1, 2), ALONG, life_cycle=suspicious)
    check = fraud.assess(order, NAMELESS, {}, NOON)
    order = life.accept(
        order, [leg((1, 2))], PROMISE, "dec_1", "authorized", NOON, check=check, taken="captured"
    ).order
    (review,) = (one for one in order.holds if one.kind is HoldKind.FRAUD)
    refused = life.refuse_hold(order, review.hold_id, "stolen card", "carol", review.roles, NOON).order
    assert life.complete_cancellation(refused, NOON).order.state == OrderState.CLOSED
    gone = all_taken(suspicious)
    assert gone.fraud is not None, "the check is kept"
    assert not holds.open_holds(gone)


# -- changes ----------------------------------------------------------------------------------------------


def cancel_lines(order: Order, *units: tuple[int, int]) -> Order:
    wanted = [Units(number, "", count) for number, count in units]
    return amending.cancel_lines(order, wanted, "too many", "web", ANYBODY, NOON).order


def wanted(*lines: Line) -> Wanted:
    made = content(*lines)
    return Wanted(made.lines, made.total, made.mode)


def test_until_when_it_may_be_changed_is_told_by_what_is_sent() -> None:
    order = mixed()
    assert changes.reached(order) is Stage.NEVER
    assert changes.is_in_time(order, Change.ADDRESS, ANYBODY)
    assert changes.reached(sent(order)) is Stage.HAND_OVER


def test_units_that_are_sent_may_be_cancelled_and_the_last_of_them_cancels_the_rest() -> None:
    less = cancel_lines(mixed(), (1, 1))
    assert (less.state, less.changes[-1].settled) == (OrderState.VALIDATED, False)
    rest = cancel_lines(mixed(), (1, 2))
    assert rest.state == OrderState.CANCELLING
    assert life.complete_cancellation(rest, NOON).order.state == OrderState.CLOSED
    with pytest.raises(FailedPrecondition, match="TOO_LATE_TO_CHANGE"):
        cancel_lines(mixed(), (2, 1))
    with pytest.raises(FailedPrecondition, match="TOO_LATE_TO_CHANGE"):
        cancel_lines(all_taken(), (2, 3))


def test_other_content_leaves_what_was_taken_along_where_it_is() -> None:
    before = mixed()
    new = wanted(line(1, 1), ALONG, line(3, 4))
    proposed = replacing.propose(before, new, "web", ANYBODY, NOON).order
    change_id = proposed.changes[-1].change_id
    legs = [leg((1, 1)), leg((3, 4), point="b")]
    after = replacing.apply(proposed, change_id, legs, PROMISE, "dec_2", NOON).order
    assert after.changes[-1].state is ChangeState.APPLIED
    assert after.taken == before.taken
    assert after.taken_ranges == before.taken_ranges
    assert [(one.line_number, one.state.value) for one in after.ranges] == [
        (1, "allocated"),
        (2, "delivered"),
        (3, "allocated"),
    ]
    assert [one.state for one in after.sent] == [
        FulfilmentState.CANCELLED,
        FulfilmentState.PLANNED,
        FulfilmentState.PLANNED,
    ]


@pytest.mark.parametrize(
    "lines",
    [
        (line(1, 1),),
        (line(1, 1), replace(ALONG, quantity=2, net_minor=4000)),
        (line(1, 1), ALONG, replace(line(3, 1, shipping_minor=0), taken_at_point_id="st-lyon")),
    ],
)
def test_other_content_may_not_touch_what_was_taken_along(lines: tuple[Line, ...]) -> None:
    with pytest.raises(InvalidArgument) as caught:
        replacing.propose(mixed(), wanted(*lines), "web", ANYBODY, NOON)
    assert caught.value.reason == "TAKEN_ALONG"


def test_an_order_without_anything_sent_is_not_what_other_content_makes_of_it() -> None:
    with pytest.raises(InvalidArgument, match="cancelled"):
        replacing.propose(mixed(), wanted(ALONG), "web", ANYBODY, NOON)
    with pytest.raises(FailedPrecondition, match="taken along"):
        replacing.propose(all_taken(), wanted(line(1, 1), ALONG), "web", ANYBODY, NOON)


def test_what_is_taken_along_is_brought_at_no_appointment() -> None:
    alone = content(ALONG, mode=DeliveryMode.APPOINTMENT, booking_id="bkg_1")
    with pytest.raises(InvalidArgument) as caught:
        pricing.check(alone, BUYER, CHANNEL)
    assert caught.value.facts["field"] == "booking_id"


# -- parcels ----------------------------------------------------------------------------------------------


def test_a_lost_parcel_is_refunded_with_the_fee_whatever_was_taken_along() -> None:
    order = sent(mixed(), LostParcel.REFUND)
    scan = Scan("e1", "T", "lost", NOON + timedelta(hours=1))
    order = parcels.carrier_event(order, order.fulfilments[0], scan, NOON + timedelta(hours=1)).order
    (refund,) = order.refunds
    assert (refund.shipping_minor, sum(one.to_unit - one.from_unit for one in refund.units)) == (490, 2)
    assert customer_status(order) == "delivered", "nobody waits for the rest any more"
    assert life.close(order, NOON).order.state == OrderState.CLOSED


def test_the_parcel_of_the_rest_speaks_for_a_mixed_basket() -> None:
    order = sent(mixed())
    assert customer_status(order) == "shipped"
    scan = Scan("e1", "T", "returned", NOON + timedelta(hours=1))
    order = parcels.carrier_event(order, order.fulfilments[0], scan, NOON + timedelta(hours=1)).order
    assert customer_status(order) == "returned"
    assert order.refunds[0].shipping_minor == 490
