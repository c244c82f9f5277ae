"""What is taken along from a store: in the customer's hands at once, and out of every cancellation."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from kit.errors import FailedPrecondition, InvalidArgument
from services.orders.domain import capture, pricing, refunds
from services.orders.domain import fulfilment as work
from services.orders.domain import order as life
from services.orders.domain.capture import Outcome
from services.orders.domain.document import DocumentKind
from services.orders.domain.model import (
    Address,
    Buyer,
    CaptureMoment,
    Line,
    Order,
    PaymentTerms,
    RefundKind,
    RefundWish,
    TaxPart,
    Units,
)
from services.orders.domain.states import FulfilmentState, OrderState, RefundState, UnitState
from services.orders.domain.status import customer_status, fine_status
from tests.services.orders.builders import (
    BUYER,
    CHANNEL,
    COOLED,
    LIFE_CYCLE,
    NOON,
    PROMISE,
    content,
    leg,
    line,
    recorded,
)
from tests.services.orders.domain.test_invoicing import Desk

CAPTURED = Outcome("captured", "", "", NOON)
ALONG = line(2, 3, net_minor=1000, tax_minor=55, tax_rate_basis_points=550, shipping_minor=0)
ALONG = replace(ALONG, taken_at_point_id="st-lyon")
SENT = line(1, 2)


class Story:
    """An order whose every change passes the desk of documents."""

    def __init__(self, *lines: Line, moment: CaptureMoment = CaptureMoment.SHIPMENT, **changes: Any) -> None:
        self.desk = Desk()
        self.order = recorded(
            *(lines or (SENT, ALONG)), life_cycle=replace(LIFE_CYCLE, capture_at=moment), **changes
        )

    def now(self, after: Order) -> Order:
        self.desk.look(self.order, after)
        self.order = after
        return after

    def accept(self, *legs: Any, taken: str = "captured") -> Order:
        by_channel = self.order.content.payment.kind == "paid_by_channel_reference"
        payment = "paid_by_channel" if by_channel else "authorized"
        chosen = legs or ((leg((1, 2)),) if self.order.content.sent else ())
        promise = PROMISE if chosen else None
        return self.now(life.accept(self.order, chosen, promise, "dec_1", payment, NOON, taken=taken).order)

    def release(self) -> Order:
        self.now(life.release(self.order, COOLED).order)
        if self.order.charge:
            self.now(capture.record_of_order(self.order, CAPTURED).order)
        return self.order

    def pack(self, number: int = 0) -> str:
        """The id of the fulfilment, packed."""
        id_ = self.order.fulfilments[number].fulfilment_id
        self.now(work.offer(self.order, self.order.fulfilment(id_), NOON).order)
        self.now(work.accept_offer(self.order, self.order.fulfilment(id_), "", NOON).order)
        found = [Units(each.line_number, "", each.quantity) for each in self.order.fulfilment(id_).lines]
        self.now(work.record_pick(self.order, self.order.fulfilment(id_), found, "", NOON).order)
        self.now(work.close_parcel(self.order, self.order.fulfilment(id_), 500, "", NOON).order)
        return id_

    def capture(self, id_: str, state: str = "captured") -> None:
        self.now(capture.record(self.order, self.order.fulfilment(id_), replace(CAPTURED, state=state)).order)

    def cancel(self) -> None:
        self.now(life.request_cancellation(self.order, "changed my mind", "", NOON).order)

    def end(self) -> Order:
        """The cancellation is completed and every refund has succeeded."""
        self.now(life.complete_cancellation(self.order, NOON).order)
        for refund in self.order.refunds:
            self.now(refunds.record_outcome(self.order, refund.refund_id, "succeeded", "", NOON).order)
        return self.order


def _states(order: Order) -> dict[int, str]:
    return {one.line_number: one.state.value for one in order.ranges}


def test_what_is_taken_along_is_delivered_with_the_acceptance_and_has_its_receipt() -> None:
    story = Story()
    order = story.accept()
    taken = order.taken
    assert taken is not None
    assert (taken.point_id, taken.state, taken.carrier_id) == ("st-lyon", FulfilmentState.DELIVERED, "")
    assert taken.parcel is not None
    assert (taken.parcel.amount_minor, taken.parcel.shipping_minor, taken.parcel.delivered_at) == (1055, 0, NOON)
    assert _states(order) == {1: "allocated", 2: "delivered"}
    (receipt,) = (one.content for one in story.desk.issued)
    assert (receipt.kind, receipt.point_id, receipt.cause) == (
        DocumentKind.SALES_RECEIPT,
        "st-lyon",
        "receipt/ord_1",
    )
    assert receipt.totals == (TaxPart(550, 1000, 55),)
    assert (customer_status(order), fine_status(order)) == ("validated", "waiting")
    order = story.release()
    assert (customer_status(order), fine_status(order)) == ("validated", "to prepare")
    assert order.cooling_off_until is not None
    assert order.cooling_off_until > NOON


def test_an_order_of_which_all_is_taken_along_is_closed_at_once() -> None:
    story = Story(ALONG)
    order = story.accept()
    assert (order.promise, order.cooling_off_until) == (None, NOON)
    story.release()
    order = story.now(life.close(story.order, NOON).order)
    assert (order.state, customer_status(order)) == (OrderState.CLOSED, "delivered")
    assert [one.content.kind.value for one in story.desk.issued] == ["sales_receipt"]


@pytest.mark.parametrize("taken", ["", "pending", "failed", "overridden"])
def test_nothing_is_taken_along_unpaid(taken: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        Story().accept(taken=taken)
    assert caught.value.facts["field"] == "taken"


def test_a_plan_is_of_what_is_sent_and_of_nothing_else() -> None:
    for legs in ([leg((1, 2), (2, 3))], [leg((1, 1))], [leg((2, 3))]):
        with pytest.raises(InvalidArgument) as caught:
            Story().accept(*legs)
        assert caught.value.reason == "PLAN_MISMATCH"


@pytest.mark.parametrize(
    ("lines", "buyer", "field"),
    [
        ((SENT, replace(ALONG, shipping_minor=1)), BUYER, "lines[1].shipping_minor"),
        ((ALONG, replace(ALONG, line_number=3, taken_at_point_id="st-nice")), BUYER, "lines[0].taken_at_point_id"),
        ((SENT, ALONG), Buyer(), "ship_to.country"),
    ],
)
def test_what_cannot_be_taken_along_is_refused_by_its_field(
    lines: Sequence[Line], buyer: Buyer, field: str
) -> None:
    with pytest.raises(InvalidArgument) as caught:
        pricing.check(content(*lines), buyer, CHANNEL)
    assert caught.value.facts["field"] == field


def test_what_is_only_taken_along_needs_no_address() -> None:
    pricing.check(content(ALONG), Buyer(ship_to=Address()), CHANNEL)


# -- cancelling the rest ----------------------------------------------------------------------------------


def test_a_cancellation_leaves_what_was_taken_along() -> None:
    story = Story()
    story.accept()
    story.cancel()
    assert (story.order.state, _states(story.order)) == (OrderState.CANCELLING, {1: "cancelled", 2: "delivered"})
    order = story.end()
    assert (order.state, customer_status(order), order.refunds) == (OrderState.CLOSED, "delivered", ())
    assert life.complete_cancellation(order, NOON).order is order
    assert story.desk.books() == {550: (1000, 55)}


def test_a_parcel_that_was_paid_and_not_sent_is_given_back_to_the_cent_with_the_delivery_fee() -> None:
    story = Story()
    story.accept()
    story.release()
    story.capture(story.pack())
    story.cancel()
    (refund,) = story.order.refunds
    assert (refund.kind, refund.amount_minor, refund.shipping_minor) == (RefundKind.CANCELLED_UNITS, 6490, 490)
    story.end()
    assert story.desk.kinds() == ["sales_receipt", "invoice", "credit_note"]
    assert story.desk.books() == {550: (1000, 55)}


def test_of_two_parcels_only_what_was_captured_is_given_back() -> None:
    story = Story()
    story.accept(leg((1, 1)), leg((1, 1), point="store-paris"))
    story.release()
    story.capture(story.pack(0))
    story.pack(1)
    story.cancel()
    (refund,) = story.order.refunds
    assert refund.amount_minor == 3490
    story.end()
    assert story.desk.books() == {550: (1000, 55)}


def test_money_that_comes_after_the_cancellation_goes_back_too() -> None:
    story = Story()
    story.accept()
    story.release()
    id_ = story.pack()
    story.cancel()
    assert not story.order.refunds
    for _ in range(2):
        story.capture(id_)
        assert [one.amount_minor for one in story.order.refunds] == [6490]
    story.end()
    assert story.desk.books() == {550: (1000, 55)}


def test_of_an_order_that_is_paid_at_once_the_charge_is_of_the_rest() -> None:
    story = Story(moment=CaptureMoment.ORDER)
    story.accept()
    order = story.release()
    assert order.charge is not None
    assert order.charge.amount_minor == 6490
    assert story.desk.kinds() == ["sales_receipt", "invoice"]
    story.cancel()
    (refund,) = story.order.refunds
    assert (refund.amount_minor, refund.shipping_minor) == (6490, 490)
    story.end()
    assert story.desk.books() == {550: (1000, 55)}


@pytest.mark.parametrize("packed", [False, True])
def test_a_channel_that_was_paid_is_asked_for_the_rest(packed: bool) -> None:
    story = Story(payment=PaymentTerms("paid_by_channel_reference", "till-1"))
    story.accept(leg((1, 1)), leg((1, 1), point="store-paris"), taken="not_needed")
    story.release()
    if packed:
        story.capture(story.pack(), "not_needed")
    story.cancel()
    (refund,) = story.order.refunds
    assert (refund.amount_minor, refund.shipping_minor) == (6490, 490)
    story.end()
    assert story.desk.books() == {550: (1000, 55)}
    with pytest.raises(FailedPrecondition):
        refunds.request(story.order, RefundWish(RefundKind.DELIVERY_FEE, "other", "", "", whole=True), NOON)


def test_what_was_given_back_before_is_not_given_back_again() -> None:
    story = Story()
    story.accept()
    story.release()
    story.capture(story.pack())
    for wish in (
        RefundWish(RefundKind.GOODS, "damaged", "", "carol", lines=(Units(2, "", 1),)),
        RefundWish(RefundKind.GOODS, "damaged", "", "carol", lines=(Units(1, "", 1),)),
    ):
        order = refunds.request(story.order, wish, NOON).order
        story.now(refunds.record_outcome(order, order.refunds[-1].refund_id, "succeeded", "", NOON).order)
    story.cancel()
    story.end()
    assert [one.amount_minor for one in story.order.refunds] == [351, 3000, 3490]
    assert all(one.state == RefundState.SUCCEEDED for one in story.order.refunds)
    assert sum(net + tax for net, tax in story.desk.books().values()) == 1055 - 351


def test_when_nothing_is_left_but_what_was_taken_along_it_is_too_late_to_cancel() -> None:
    story = Story(ALONG)
    story.accept()
    with pytest.raises(FailedPrecondition) as caught:
        story.cancel()
    assert caught.value.reason == "TOO_LATE_TO_CANCEL"
    mixed = Story()
    mixed.accept()
    mixed.release()
    id_ = mixed.pack()
    mixed.capture(id_)
    mixed.now(work.hand_over(mixed.order, mixed.order.fulfilment(id_), "", "", NOON).order)
    with pytest.raises(FailedPrecondition) as caught:
        mixed.cancel()
    assert caught.value.facts["state"] == "released"


def test_before_the_acceptance_a_cancellation_is_of_everything() -> None:
    story = Story()
    story.cancel()
    assert set(_states(story.order).values()) == {UnitState.CANCELLED.value}
    assert story.accept().state == OrderState.CANCELLING
    assert story.order.taken is None
    assert story.end().state == OrderState.CANCELLED


def test_the_last_of_what_is_sent_takes_the_delivery_fee_along_whatever_was_taken_along() -> None:
    story = Story()
    story.accept()
    story.release()
    id_ = story.pack()
    story.capture(id_)
    story.now(work.hand_over(story.order, story.order.fulfilment(id_), "", "", NOON).order)
    wish = RefundWish(RefundKind.GOODS, "withdrawal", "", "carol", lines=(Units(1, "", 2),))
    order = refunds.request(story.order, wish, NOON).order
    assert (order.refunds[0].amount_minor, order.refunds[0].shipping_minor) == (6490, 490)


def test_units_that_find_no_place_leave_no_fee_due_for_what_was_taken_along() -> None:
    story = Story()
    story.accept()
    story.release()
    id_ = story.order.fulfilments[0].fulfilment_id
    order = work.offer(story.order, story.order.fulfilment(id_), NOON).order
    order = work.refuse_offer(order, order.fulfilment(id_), "no_time", "", NOON).order
    decision = life.reroute(order, [], [Units(1, "", 2)], "NO_STOCK", "", NOON)
    assert decision.no_longer_due_minor == 6490
    closed = life.close(decision.order, NOON).order
    assert (closed.state, customer_status(closed)) == (OrderState.CLOSED, "delivered")
