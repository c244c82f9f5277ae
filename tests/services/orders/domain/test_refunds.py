"""Who may give what back, and what of it: to the cent, with its taxes, once."""

from dataclasses import replace
from typing import Any

import pytest

from kit.errors import FailedPrecondition, InvalidArgument, NotFound, PermissionDenied
from kit.values.money import Money
from services.orders.domain import capture, refunds
from services.orders.domain import fulfilment as work
from services.orders.domain import order as life
from services.orders.domain.capture import Outcome
from services.orders.domain.model import (
    CaptureMoment,
    GoodwillCap,
    Line,
    Order,
    Refund,
    RefundKind,
    RefundWish,
    TaxPart,
    UnitRange,
    Units,
)
from services.orders.domain.states import FulfilmentState, OrderState, RefundState
from tests.services.orders.builders import COOLED, LIFE_CYCLE, NOON, accepted, leg, line, recorded

CAPS = (GoodwillCap("service", "EUR", 1000), GoodwillCap("manager", "EUR", 5000), GoodwillCap("service", "SEK", 1))
CAPTURED = Outcome("captured", "", "", NOON)
BOOK = line(2, 3, net_minor=1000, tax_minor=55, tax_rate_basis_points=550, shipping_minor=0)


def _paid(*lines: Line, moment: CaptureMoment = CaptureMoment.SHIPMENT, **changes: Any) -> Order:
    """An order that was sent as one parcel and paid."""
    chosen = lines or (line(),)
    life_cycle = replace(LIFE_CYCLE, goodwill_caps=CAPS, capture_at=moment)
    order = recorded(*chosen, life_cycle=life_cycle, **changes)
    units = [(one.line_number, one.quantity) for one in chosen]
    order = life.release(accepted(order, leg(*units)).order, COOLED).order
    if order.charge:
        order = capture.record_of_order(order, CAPTURED).order
    order = work.offer(order, order.fulfilments[0], NOON).order
    order = work.accept_offer(order, order.fulfilments[0], "", NOON).order
    order = work.record_pick(order, order.fulfilments[0], [Units(n, "", q) for n, q in units], "", NOON).order
    order = work.close_parcel(order, order.fulfilments[0], 500, "", NOON).order
    return order if order.charge else capture.record(order, order.fulfilments[0], CAPTURED).order


def _wish(kind: RefundKind = RefundKind.GOODS, **changes: Any) -> RefundWish:
    return replace(RefundWish(kind, "other", "", "carol", ("service",)), **changes)


def _units(*units: tuple[int, int], **changes: Any) -> RefundWish:
    return _wish(lines=tuple(Units(number, "", quantity) for number, quantity in units), **changes)


def _amount(amount_minor: int, kind: RefundKind = RefundKind.GOODWILL, **changes: Any) -> RefundWish:
    return _wish(kind, amount=Money(amount_minor, "EUR"), **changes)


def _refund(order: Order, wish: RefundWish) -> tuple[Order, Refund]:
    after = refunds.request(order, wish, NOON).order
    return after, after.refunds[-1]


def _reason(order: Order, wish: RefundWish) -> str:
    with pytest.raises((FailedPrecondition, PermissionDenied, InvalidArgument)) as caught:
        refunds.request(order, wish, NOON)
    return caught.value.reason


# -- goods ------------------------------------------------------------------------------------------------


def test_units_take_their_share_of_net_and_tax_back() -> None:
    _, refund = _refund(_paid(line(), BOOK), _units((1, 1), (2, 2)))
    assert refund.amount_minor == 3000 + 703
    assert refund.units == (UnitRange(1, 0, 1), UnitRange(2, 0, 2))
    assert refund.taxes == (TaxPart(550, 666, 37), TaxPart(2000, 2500, 500))
    assert (refund.shipping_minor, refund.state, refund.number) == (0, RefundState.PENDING, 1)
    (told,) = refunds.request(_paid(), _units((1, 1), reason="said Zoé"), NOON).happenings
    assert told.refund_id == refund.refund_id
    assert "Zoé" not in str(told.facts)


def test_a_unit_is_refunded_once() -> None:
    order, _ = _refund(_paid(), _units((1, 1)))
    assert _reason(order, _units((1, 2))) == "UNITS_NOT_REFUNDABLE"
    order, second = _refund(order, _units((1, 1)))
    assert second.units == (UnitRange(1, 1, 2),)
    assert _reason(order, _units((1, 1))) == "UNITS_NOT_REFUNDABLE"
    assert _reason(order, _wish(whole=True)) == "NOTHING_TO_REFUND"


@pytest.mark.parametrize(
    ("reason_code", "standard", "fee"),
    [("withdrawal", 300, 300), ("withdrawal", None, 490), ("withdrawal", 900, 490), ("lost", 300, 490)],
)
def test_the_last_goods_take_the_delivery_fee_along_at_the_standard_rate_of_a_withdrawal(
    reason_code: str, standard: int | None, fee: int
) -> None:
    terms = None if standard is None else Money(standard, "EUR")
    order, first = _refund(_paid(standard_shipping=terms), _units((1, 1), reason_code=reason_code))
    assert first.shipping_minor == 0
    order, last = _refund(order, _units((1, 1), reason_code=reason_code))
    assert (last.shipping_minor, last.amount_minor) == (fee, 3000 + fee)
    assert sum(part.gross_minor for part in last.taxes) == last.amount_minor


def test_a_fee_that_was_given_before_is_not_given_with_the_goods() -> None:
    order, _ = _refund(_paid(standard_shipping=Money(300, "EUR")), _amount(200, RefundKind.DELIVERY_FEE))
    order, whole = _refund(order, _wish(whole=True, reason_code="withdrawal"))
    assert whole.shipping_minor == 100
    order, rest = _refund(order, _wish(RefundKind.DELIVERY_FEE, whole=True))
    assert rest.amount_minor == 190
    assert _reason(order, _wish(RefundKind.DELIVERY_FEE, whole=True)) == "NOTHING_TO_REFUND"


def test_nothing_is_given_back_that_was_not_captured() -> None:
    order = recorded()
    assert _reason(order, _wish(whole=True)) == "NOTHING_TO_REFUND"
    released = life.release(accepted(order, leg((1, 2))).order, COOLED).order
    assert _reason(released, _wish(whole=True)) == "NOTHING_TO_REFUND"
    cancelling = life.request_cancellation(_paid(), "", "", NOON).order
    assert _reason(cancelling, _wish(whole=True)) == "NOTHING_TO_REFUND"


def test_free_units_have_no_money_to_give_back() -> None:
    gift = line(2, 1, net_minor=0, tax_minor=0, shipping_minor=0)
    assert _reason(_paid(line(), gift), _units((2, 1))) == "NOTHING_TO_REFUND"


# -- amounts ----------------------------------------------------------------------------------------------


def test_goodwill_leaves_units_unrefunded_and_less_to_give_back() -> None:
    order, gift = _refund(_paid(), _amount(1000))
    assert (gift.units, gift.taxes) == ((), (TaxPart(2000, 833, 167),))
    order, goods = _refund(order, _units((1, 1)))
    assert goods.amount_minor == 3000
    order, rest = _refund(order, _wish(whole=True))
    assert rest.amount_minor == 6490 - 1000 - 3000


def test_goodwill_is_spread_over_the_rates_by_what_is_left_of_each() -> None:
    _, gift = _refund(_paid(line(shipping_minor=0), BOOK), _amount(705))
    assert gift.taxes == (TaxPart(550, 100, 5), TaxPart(2000, 500, 100))


def test_goodwill_ends_at_the_cap_of_the_role_whoever_gave_it() -> None:
    order, _ = _refund(_paid(), _amount(900))
    with pytest.raises(PermissionDenied) as caught:
        refunds.request(order, _amount(101), NOON)
    assert caught.value.reason == "GOODWILL_OVER_CAP"
    assert caught.value.facts == {"field": "amount", "cap_minor": 1000, "given_minor": 900, "currency": "EUR"}
    order, _ = _refund(order, _amount(4100, roles=("service", "manager")))
    assert _reason(order, _amount(1, roles=("manager",))) == "GOODWILL_OVER_CAP"
    assert _reason(_paid(), _amount(1, roles=("cleaner",))) == "GOODWILL_OVER_CAP"
    refunds.request(order, _units((1, 1), roles=()), NOON)


def test_no_more_is_given_than_is_left() -> None:
    order, _ = _refund(_paid(), _units((1, 2)))
    with pytest.raises(FailedPrecondition) as caught:
        refunds.request(order, _amount(491, roles=("manager",)), NOON)
    assert caught.value.reason in ("REFUND_EXCEEDS_CAPTURE",)
    assert caught.value.facts["available_minor"] == 0
    assert _reason(_paid(), _amount(491, RefundKind.DELIVERY_FEE)) == "REFUND_EXCEEDS_CAPTURE"


def test_what_is_left_of_a_rate_is_never_more_tax_than_money() -> None:
    heavy = line(1, 9, net_minor=10, tax_minor=12, shipping_minor=0)
    light = line(2, 11, net_minor=22, tax_minor=0, shipping_minor=0)
    order, _ = _refund(_paid(heavy, light), _amount(22))
    order, _ = _refund(order, _units((2, 10)))
    order, rest = _refund(order, _wish(whole=True))
    assert rest.amount_minor == 2
    assert all(part.net_minor >= 0 for part in rest.taxes)
    parts = [part for one in order.refunds for part in one.taxes]
    assert sum(part.tax_minor for part in parts) == 12


@pytest.mark.parametrize(
    ("wish", "field"),
    [
        (_wish(), "lines"),
        (_units((1, 1), whole=True), "lines"),
        (_amount(5, RefundKind.GOODS), "amount"),
        (_wish(RefundKind.GOODWILL, whole=True), "amount"),
        (_units((1, 1), kind=RefundKind.DELIVERY_FEE), "lines"),
        (_wish(RefundKind.CANCELLED_UNITS, whole=True), "kind"),
        (_wish(whole=True, reason_code="because"), "reason_code"),
        (_units((9, 1)), "lines[0].line_number"),
        (_units((1, 0)), "lines[0].quantity"),
        (_units((1, 1), (1, 1)), "lines[1].line_number"),
        (_amount(0), "amount.amount_minor"),
        (_wish(RefundKind.GOODWILL, amount=Money(5, "SEK")), "amount.currency"),
    ],
)
def test_a_wish_that_says_nothing_is_refused_by_its_field(wish: RefundWish, field: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        refunds.request(_paid(), wish, NOON)
    assert caught.value.facts["field"] == field


# -- orders that were paid as a whole -------------------------------------------------------------------------


def test_units_that_were_paid_and_cancelled_are_refunded_but_those_that_were_before() -> None:
    life_cycle = replace(LIFE_CYCLE, capture_at=CaptureMoment.ORDER)
    order = life.release(accepted(recorded(life_cycle=life_cycle), leg((1, 2))).order, COOLED).order
    order = capture.record_of_order(order, CAPTURED).order
    order, first = _refund(order, _units((1, 1)))
    assert first.amount_minor == 3000
    order = work.offer(order, order.fulfilments[0], NOON).order
    order = work.refuse_offer(order, order.fulfilments[0], "not_found", "", NOON).order
    gone = life.reroute(order, [], [Units(1, "", 2)], "not_found", "", NOON)
    assert gone.no_longer_due_minor == 0
    cancelled = gone.order.refunds[-1]
    assert (cancelled.kind, cancelled.units) == (RefundKind.CANCELLED_UNITS, (UnitRange(1, 1, 2),))
    assert cancelled.amount_minor == 3000 + 490
    assert life.close(gone.order, NOON).order.state == OrderState.CANCELLED


def test_an_order_paid_at_once_and_sent_is_refunded_like_any_other() -> None:
    _, refund = _refund(_paid(moment=CaptureMoment.ORDER), _wish(whole=True))
    assert refund.amount_minor == 6490


# -- outcomes ---------------------------------------------------------------------------------------------


def test_a_refund_that_failed_keeps_its_units_and_is_tried_again() -> None:
    order, refund = _refund(_paid(), _units((1, 2)))
    failed = refunds.record_outcome(order, refund.refund_id, "failed", "card_closed", NOON)
    assert failed.happenings[0].kind == "order.refund_failed"
    assert _reason(failed.order, _units((1, 1))) == "UNITS_NOT_REFUNDABLE"
    again = refunds.retry(failed.order, refund.refund_id, "carol", NOON).order.refunds[0]
    assert (again.state, again.attempts, again.failure) == (RefundState.PENDING, 2, "")
    with pytest.raises(FailedPrecondition) as caught:
        refunds.retry(order, refund.refund_id, "carol", NOON)
    assert caught.value.reason == "REFUND_NOT_FAILED"
    done = refunds.record_outcome(order, refund.refund_id, "succeeded", "", NOON)
    assert done.order.refunds[0].settled_at == NOON
    assert not refunds.record_outcome(done.order, refund.refund_id, "succeeded", "", NOON).happenings
    with pytest.raises(FailedPrecondition) as caught:
        refunds.record_outcome(done.order, refund.refund_id, "failed", "late", NOON)
    assert caught.value.reason == "ILLEGAL_TRANSITION"
    with pytest.raises(NotFound):
        refunds.record_outcome(order, "rfd_other", "succeeded", "", NOON)


def test_what_the_undoing_of_the_order_gave_back_is_superseded() -> None:
    order, refund = _refund(_paid(), _amount(500))
    assert order.fulfilments[0].state == FulfilmentState.PACKED
    cancelling = life.request_cancellation(order, "", "", NOON).order
    declined = refunds.record_outcome(cancelling, refund.refund_id, "failed", "card_closed", NOON).order
    assert declined.refunds[0].state == RefundState.FAILED
    gone = refunds.record_outcome(cancelling, refund.refund_id, "failed", "REFUND_EXCEEDS_CAPTURE", NOON).order
    assert gone.refunds[0].state == RefundState.SUPERSEDED
    assert gone.refunds[0].settled_at == NOON
