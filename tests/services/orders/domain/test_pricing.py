"""A channel's amounts are checked, never recomputed, and apportioned to the cent."""

from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kit.errors import InvalidArgument
from kit.values.money import Money
from services.orders.domain.model import (
    Address,
    Buyer,
    Content,
    DiscountShare,
    PaymentKind,
    PaymentShare,
    PaymentTerms,
)
from services.orders.domain.pricing import check, goods_minor
from services.orders.domain.ranges import LineRange
from services.orders.domain.states import UnitState
from tests.services.orders.builders import BUYER, CHANNEL, content, line


def refusal(sent: Content, buyer: Buyer = BUYER, **channel: Any) -> InvalidArgument:
    with pytest.raises(InvalidArgument) as caught:
        check(sent, buyer, replace(CHANNEL, **channel))
    return caught.value


def test_a_plausible_order_is_taken() -> None:
    check(content(line(1), line(2, 80_000)), BUYER, CHANNEL)


def test_a_free_line_is_taken() -> None:
    check(content(line(1), line(2, net_minor=0, tax_minor=0, shipping_minor=0)), BUYER, CHANNEL)


@pytest.mark.parametrize(
    ("sent", "field", "reason"),
    [
        (content(lines=()), "lines", "INVALID_FIELD"),
        (content(line(1), line(1)), "lines[1].line_number", "INVALID_FIELD"),
        (content(line(0)), "lines[0].line_number", "INVALID_FIELD"),
        (content(line(sku="")), "lines[0].sku", "INVALID_FIELD"),
        (content(line(quantity=0)), "lines[0].quantity", "INVALID_FIELD"),
        (content(line(1), line(2, quantity=-1)), "lines[1].quantity", "RETURN_NOT_SUPPORTED"),
        (content(line(net_minor=-1)), "lines[0].net_minor", "INVALID_FIELD"),
        (content(line(shipping_minor=-490)), "lines[0].shipping_minor", "INVALID_FIELD"),
        (content(line(tax_rate_basis_points=10_001)), "lines[0].tax_rate_basis_points", "INVALID_FIELD"),
        (
            content(line(discounts=(DiscountShare("A", 1), DiscountShare("B", -1)))),
            "lines[0].discounts[1].amount_minor",
            "INVALID_FIELD",
        ),
        (content(line(1), line(2, tax_minor=1004)), "lines[1].tax_minor", "TAX_MISMATCH"),
        (content(line(tax_minor=996)), "lines[0].tax_minor", "TAX_MISMATCH"),
        (content(total=Money(6491, "EUR")), "total", "TOTAL_MISMATCH"),
        (content(total=Money(6490, "USD")), "total.currency", "CURRENCY_MISMATCH"),
        (content(total=Money(6490, "")), "total.currency", "INVALID_FIELD"),
        (content(mode=""), "mode", "INVALID_FIELD"),
        (content(payment=PaymentTerms("", "")), "payment", "INVALID_FIELD"),
        (
            content(payment=PaymentTerms("payment_method_token", "")),
            "payment.payment_method_token",
            "INVALID_FIELD",
        ),
    ],
)
def test_a_bad_order_is_refused_naming_the_field(sent: Content, field: str, reason: str) -> None:
    error = refusal(sent)
    assert (error.facts["field"], error.reason) == (field, reason)


def test_the_tax_may_be_off_by_a_minor_unit_for_each_unit_and_one_for_the_line() -> None:
    for off in (-3, 3):
        check(content(line(quantity=2, tax_minor=1000 + off)), BUYER, CHANNEL)


def test_a_brand_that_the_channel_does_not_sell_is_refused() -> None:
    error = refusal(content(line(1), line(2, brand="other")), brands=("maison",))
    assert (error.facts["field"], error.reason) == ("lines[1].brand", "BRAND_NOT_ALLOWED")


@pytest.mark.parametrize("field", ["name", "street_lines", "city", "country"])
def test_a_parcel_needs_an_address(field: str) -> None:
    empty: Any = getattr(Address(), field)
    error = refusal(content(), replace(BUYER, ship_to=replace(BUYER.ship_to, **{field: empty})))
    assert error.facts["field"] == f"ship_to.{field}"


@settings(deadline=None)
@given(st.integers(0, 10**9), st.integers(0, 10**7), st.integers(1, 80_000), st.data())
def test_any_cut_of_a_line_sums_to_its_goods(net: int, tax: int, quantity: int, data: st.DataObject) -> None:
    one = line(quantity=quantity, net_minor=net, tax_minor=tax)
    cuts = sorted({0, quantity, *data.draw(st.lists(st.integers(0, quantity), max_size=8))})
    parts = [LineRange(1, start, end, UnitState.PACKED, "f") for start, end in pairwise(cuts)]
    assert sum(goods_minor([one], [part]) for part in parts) == net + tax


GIFT_CARD = PaymentShare("stored_value_code", "code", 500)


@pytest.mark.parametrize(
    ("first", "field"),
    [
        ((replace(GIFT_CARD, amount_minor=0),), "payment.first[0].amount_minor"),
        ((GIFT_CARD, replace(GIFT_CARD, value="")), "payment.first[1]"),
        ((GIFT_CARD, replace(GIFT_CARD, amount_minor=10**9)), "payment.first[1].amount_minor"),
    ],
)
def test_what_other_means_pay_first_is_less_than_the_order(first: tuple[PaymentShare, ...], field: str) -> None:
    check(content(payment=PaymentTerms("payment_method_token", "t", (GIFT_CARD,))), BUYER, CHANNEL)
    assert refusal(content(payment=PaymentTerms("payment_method_token", "t", first))).facts["field"] == field


def test_what_its_channel_was_paid_has_no_other_means() -> None:
    terms = PaymentTerms("paid_by_channel_reference", "MKT-1", (GIFT_CARD,))
    assert refusal(content(payment=terms)).facts["field"] == "payment.first"


def _at_till(kind: PaymentKind = "cash", amount_minor: int = 6490, **more: Any) -> PaymentTerms:
    return PaymentTerms(kind, "R-1", point_id="st-lyon", amount_minor=amount_minor, **more)


CASH_FIRST = PaymentShare("cash", "R-1", 1_000, "st-lyon")
TILLS = ("cash", "till_card")


def test_what_a_till_took_pays_an_order_alone_or_with_other_means() -> None:
    channel = replace(CHANNEL, till_payments=TILLS)
    for payment in (
        _at_till(),
        _at_till("till_card", 4_990, first=(GIFT_CARD, CASH_FIRST)),
        PaymentTerms("stored_value_code", "c", (CASH_FIRST,)),
    ):
        check(content(payment=payment), BUYER, channel)


@pytest.mark.parametrize(
    ("payment", "tills", "field", "reason"),
    [
        (_at_till(), (), "payment.cash", "TENDER_NOT_ALLOWED"),
        (_at_till("till_card"), ("cash",), "payment.till_card", "TENDER_NOT_ALLOWED"),
        (PaymentTerms("stored_value_code", "c", (CASH_FIRST,)), (), "payment.first[0].cash", "TENDER_NOT_ALLOWED"),
        (replace(_at_till(), value=""), TILLS, "payment.cash", "INVALID_FIELD"),
        (replace(_at_till(), point_id=""), TILLS, "payment.cash.point_id", "INVALID_FIELD"),
        (_at_till(amount_minor=0), TILLS, "payment.amount_minor", "TENDERS_MISMATCH"),
        (_at_till(amount_minor=6489), TILLS, "payment.amount_minor", "TENDERS_MISMATCH"),
        (_at_till(first=(GIFT_CARD,)), TILLS, "payment.amount_minor", "TENDERS_MISMATCH"),
        (
            PaymentTerms("payment_method_token", "t", amount_minor=1),
            TILLS,
            "payment.amount_minor",
            "TENDERS_MISMATCH",
        ),
        (_at_till(amount_minor=5490, first=(CASH_FIRST,)), TILLS, "payment.cash", "RECEIPT_USED_TWICE"),
        (_at_till(save_means=True), TILLS, "payment.save_means", "INVALID_FIELD"),
    ],
)
def test_what_a_till_took_is_refused_naming_the_field(
    payment: PaymentTerms, tills: tuple[str, ...], field: str, reason: str
) -> None:
    caught = refusal(content(payment=payment), till_payments=tills)
    assert (caught.facts["field"], caught.reason) == (field, reason)
