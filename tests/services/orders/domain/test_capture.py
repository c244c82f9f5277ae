"""Money that is taken at its moment, cannot be had, is let go or given up."""

from dataclasses import replace
from datetime import timedelta

import pytest

from kit.errors import FailedPrecondition, InvalidArgument
from services.orders.domain import capture
from services.orders.domain import fulfilment as work
from services.orders.domain import order as life
from services.orders.domain.capture import Outcome
from services.orders.domain.model import CaptureMoment, Decision, Leg, Line, Order, RefundKind, Units
from services.orders.domain.states import CaptureState, FulfilmentState, OrderState, UnitState
from tests.services.orders.builders import COOLED, LIFE_CYCLE, NOON, accepted, leg, line, recorded

HOUR = timedelta(hours=1)
FAILED = Outcome("failed", "declined", "", NOON, NOON + HOUR)


def _released(moment: CaptureMoment, *legs: Leg, lines: tuple[Line, ...] = ()) -> Order:
    order = recorded(*lines, life_cycle=replace(LIFE_CYCLE, capture_at=moment))
    return life.release(accepted(order, *(legs or (leg((1, 2)),))).order, COOLED).order


def _taken(order: Order, number: int = 0) -> Order:
    order = work.offer(order, order.fulfilments[number], NOON).order
    return work.accept_offer(order, order.fulfilments[number], "", NOON).order


def _picked(order: Order, number: int = 0, quantity: int = 2) -> Order:
    order = _taken(order, number)
    return work.record_pick(order, order.fulfilments[number], [Units(1, "", quantity)], "", NOON).order


def _packed(order: Order, number: int = 0, quantity: int = 2) -> Order:
    order = _picked(order, number, quantity)
    return work.close_parcel(order, order.fulfilments[number], 500, "", NOON).order


def _gone(order: Order) -> Decision:
    """The one unit of the parcel that was given up, which is the first, is cancelled."""
    given_up = order.fulfilments[0].fulfilment_id
    return life.reroute(order, [], [Units(1, "", 1)], "payment_failed", "", NOON, given_up=given_up)


def test_an_order_paid_at_once_is_charged_whole_at_its_release() -> None:
    order = _released(CaptureMoment.ORDER)
    assert order.charge is not None
    assert (order.charge.amount_minor, order.charge.state) == (6490, CaptureState.PENDING)
    with pytest.raises(FailedPrecondition) as caught:
        _taken(order)
    assert caught.value.reason == "NOT_CAPTURED"
    order = _packed(capture.record_of_order(order, Outcome("captured", "", "", NOON)).order)
    (parcel,) = [one.parcel for one in order.fulfilments]
    assert parcel is not None
    assert (parcel.amount_minor, parcel.capture_state) == (6490, CaptureState.NOT_NEEDED)
    assert work.hand_over(order, order.fulfilments[0], "", "", NOON).order.fulfilments[0].parcel


@pytest.mark.parametrize("moment", [CaptureMoment.PREPARATION, CaptureMoment.SHIPMENT])
def test_an_order_paid_by_parcel_has_no_charge_of_its_own(moment: CaptureMoment) -> None:
    order = _released(moment)
    assert order.charge is None
    with pytest.raises(FailedPrecondition) as caught:
        capture.record_of_order(order, Outcome("captured", "", "", NOON))
    assert caught.value.reason == "CAPTURED_BY_PARCEL"


def test_nothing_is_charged_for_an_order_that_costs_nothing_or_was_paid_to_its_channel() -> None:
    free = line(net_minor=0, tax_minor=0, shipping_minor=0)
    assert _released(CaptureMoment.ORDER, lines=(free,)).charge is None
    order = recorded(life_cycle=replace(LIFE_CYCLE, capture_at=CaptureMoment.ORDER))
    validated = life.accept(
        order, [leg((1, 2))], accepted(order, leg((1, 2))).order.promise, "", "paid_by_channel", NOON
    )
    assert life.release(validated.order, COOLED).order.charge is None


def test_at_the_preparation_a_parcel_is_opened_with_what_was_picked_and_closed_at_the_pack() -> None:
    picked = _picked(_released(CaptureMoment.PREPARATION), quantity=1)
    parcel = picked.fulfilments[0].parcel
    assert parcel is not None
    assert (parcel.amount_minor, parcel.shipping_minor, parcel.closed_at) == (3000 + 490, 490, None)
    paid = capture.record(picked, picked.fulfilments[0], Outcome("captured", "", "", NOON)).order
    closed = work.close_parcel(paid, paid.fulfilments[0], 500, "", NOON)
    after = closed.order.fulfilments[0].parcel
    assert after == replace(parcel, capture_state=CaptureState.CAPTURED, weight_grams=500, closed_at=NOON)
    assert "to capture" not in closed.happenings[0].text


def test_a_point_that_packs_before_the_bank_answered_hands_over_only_after() -> None:
    order = _picked(_released(CaptureMoment.PREPARATION))
    order = work.close_parcel(order, order.fulfilments[0], 500, "", NOON).order
    with pytest.raises(FailedPrecondition) as caught:
        work.hand_over(order, order.fulfilments[0], "", "", NOON)
    assert caught.value.reason == "NOT_CAPTURED"


def test_a_hold_says_since_when_why_and_until_when() -> None:
    order = _packed(_released(CaptureMoment.SHIPMENT))
    first = capture.record(order, order.fulfilments[0], FAILED)
    again = replace(FAILED, reason="stolen", as_of=NOON + HOUR, next_try_at=None)
    second = capture.record(first.order, first.order.fulfilments[0], again)
    parcel = second.order.fulfilments[0].parcel
    assert parcel is not None
    assert (parcel.capture_failed_since, parcel.capture_reason, parcel.capture_next_try_at) == (
        NOON,
        "stolen",
        None,
    )
    assert "next try" in first.happenings[0].text
    assert "waits for a person" in second.happenings[0].text
    assert capture.failed_since(second.order) == NOON
    paid = capture.record(second.order, second.order.fulfilments[0], Outcome("captured", "", "", NOON)).order
    assert capture.failed_since(paid) is None
    assert paid.fulfilments[0].parcel == replace(
        parcel, capture_state=CaptureState.CAPTURED, capture_reason="", capture_failed_since=None
    )


def test_only_what_failed_is_tried_again_or_given_up() -> None:
    order = _packed(_released(CaptureMoment.SHIPMENT))
    with pytest.raises(FailedPrecondition) as caught:
        capture.retry(order, order.fulfilments[0], "", NOON)
    assert caught.value.reason == "CAPTURE_NOT_FAILED"
    with pytest.raises(FailedPrecondition) as caught:
        capture.give_up(order, order.fulfilments[0], "stolen", "", NOON)
    assert caught.value.reason == "CAPTURE_NOT_FAILED"
    failed = capture.record(order, order.fulfilments[0], FAILED).order
    (told,) = capture.retry(failed, failed.fulfilments[0], "carol", NOON).happenings
    assert (told.kind, told.actor) == ("fulfilment.capture_retry_requested", "carol")
    with pytest.raises(InvalidArgument):
        capture.give_up(failed, failed.fulfilments[0], "", "", NOON)


def test_a_parcel_given_up_brings_the_fee_with_the_next_one() -> None:
    order = _released(CaptureMoment.SHIPMENT, leg((1, 1)), leg((1, 1), point="store-paris"))
    order = _packed(order, 0, 1)
    order = capture.record(order, order.fulfilments[0], FAILED).order
    decision = capture.give_up(order, order.fulfilments[0], "stolen", "carol", NOON)
    (told,) = decision.happenings
    assert (told.facts["reason"], told.notes) == ("payment_failed", {"why": "stolen"})
    order = decision.order
    assert order.fulfilments[0].state == FulfilmentState.CANCELLED
    assert [one.state for one in order.ranges] == [UnitState.UNPLACED, UnitState.ALLOCATED]
    assert capture.failed_since(order) is None
    gone = _gone(order)
    assert gone.no_longer_due_minor == 3000
    after = _packed(gone.order, 1, 1).fulfilments[1].parcel
    assert after is not None
    assert (after.amount_minor, after.shipping_minor) == (3000 + 490, 490)


def test_a_fee_that_no_parcel_can_bring_any_more_is_no_longer_due() -> None:
    order = _released(CaptureMoment.SHIPMENT, leg((1, 1)), leg((1, 1), point="store-paris"))
    order = _packed(_packed(order, 0, 1), 1, 1)
    order = capture.record(order, order.fulfilments[0], FAILED).order
    order = capture.give_up(order, order.fulfilments[0], "stolen", "", NOON).order
    gone = _gone(order)
    assert gone.no_longer_due_minor == 3000 + 490


def test_money_that_came_although_its_parcel_was_given_up_keeps_the_fee() -> None:
    order = _released(CaptureMoment.SHIPMENT, leg((1, 1)), leg((1, 1), point="store-paris"))
    order = _packed(order, 0, 1)
    order = capture.record(order, order.fulfilments[0], FAILED).order
    order = capture.give_up(order, order.fulfilments[0], "stolen", "", NOON).order
    order = capture.record(order, order.fulfilments[0], Outcome("captured", "", "", NOON)).order
    gone = _gone(order)
    assert (gone.captured_minor, gone.no_longer_due_minor) == (3000, 0)
    after = _packed(gone.order, 1, 1).fulfilments[1].parcel
    assert after is not None
    assert after.amount_minor == 3000


def test_a_fee_that_a_given_up_parcel_brought_goes_back_when_nothing_is_sent_at_last() -> None:
    order = _released(CaptureMoment.SHIPMENT, leg((1, 1)), leg((1, 1), point="store-paris"))
    order = _packed(order, 0, 1)
    order = capture.record(order, order.fulfilments[0], FAILED).order
    order = capture.give_up(order, order.fulfilments[0], "stolen", "", NOON).order
    order = capture.record(order, order.fulfilments[0], Outcome("captured", "", "", NOON)).order
    order = _gone(order).order
    assert order.refunds == ()
    order = work.offer(order, order.fulfilments[1], NOON).order
    order = work.refuse_offer(order, order.fulfilments[1], "no_time", "", NOON).order
    gone = life.reroute(order, [], [Units(1, "", 1)], "no_time", "", NOON)
    assert gone.no_longer_due_minor == 3000, "nothing more is authorised: the fee was captured"
    (refund,) = gone.order.refunds
    assert (refund.kind, refund.amount_minor, refund.shipping_minor) == (RefundKind.DELIVERY_FEE, 490, 490)
    assert life.close(gone.order, NOON).order.state == OrderState.CANCELLED
