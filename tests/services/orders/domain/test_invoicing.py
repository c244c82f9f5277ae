"""The documents of an order come to what was captured less what was given back, to the cent, for each tax rate."""

import random
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kit.errors import FailedPrecondition, InvalidArgument
from kit.values.money import Money
from services.orders.domain import amending, capture, document, invoicing, refunds
from services.orders.domain import fulfilment as work
from services.orders.domain import order as life
from services.orders.domain.capture import Outcome
from services.orders.domain.document import Document, DocumentContent, DocumentKind, Seller
from services.orders.domain.model import (
    CaptureMoment,
    DiscountShare,
    DocumentTerms,
    GoodwillCap,
    Line,
    Order,
    PaymentTerms,
    PointSeries,
    RefundKind,
    RefundWish,
    TaxPart,
    Units,
)
from services.orders.domain.money_back import left_of, summed
from services.orders.domain.pricing import taken_minor
from services.orders.domain.states import OrderState, RefundState
from tests.services.orders.builders import COOLED, LIFE_CYCLE, NOON, PROMISE, accepted, leg, line, recorded
from tests.services.orders.domain.test_money import BEFORE_IT_LEAVES, Life, give_back

CAPTURED = Outcome("captured", "", "", NOON)
LINES = st.lists(
    st.tuples(
        st.one_of(st.integers(1, 9), st.just(80_000)),
        st.integers(0, 99_999),
        st.sampled_from((0, 210, 550, 2000)),
        st.integers(0, 999),
        st.integers(0, 5_000),
    ),
    min_size=1,
    max_size=5,
)


class Desk:
    """Issues what each change of an order calls for, as the service does, and checks each document."""

    def __init__(self) -> None:
        self.issued: list[Document] = []

    def look(self, before: Order, after: Order) -> None:
        if invoicing.is_touched(before, after):
            self._issue(invoicing.bills(after, self.issued))
            self._issue(invoicing.credits(before, after, self.issued))

    def _issue(self, due: Sequence[DocumentContent]) -> None:
        for one in due:
            sequence = len(self.issued) + 1
            number = document.number_of("WEB", one.kind, 2026, sequence)
            assert one.cause not in {other.content.cause for other in self.issued}
            told = [*(each.part for each in one.lines), *one.shipping, *one.adjustments]
            assert [part for part in one.totals if part.gross_minor] == [
                part for _, part in sorted(summed(told).items()) if part.gross_minor
            ]
            assert all(part.gross_minor >= 0 for part in one.totals)
            assert bool(one.corrects) == (one.kind == DocumentKind.CREDIT_NOTE)
            self.issued.append(Document(number, "WEB", 2026, sequence, NOON, NOON.date(), Seller("Web"), one))

    def books(self) -> dict[int, tuple[int, int]]:
        """Net and tax by rate; nothing for a rate that comes to nothing."""
        sums: dict[int, tuple[int, int]] = {}
        for one in self.issued:
            sign = -1 if one.content.kind == DocumentKind.CREDIT_NOTE else 1
            for part in one.content.totals:
                net, tax = sums.get(part.tax_rate_basis_points, (0, 0))
                sums[part.tax_rate_basis_points] = net + sign * part.net_minor, tax + sign * part.tax_minor
        return {rate: both for rate, both in sums.items() if any(both)}

    def kinds(self) -> list[str]:
        return [one.content.kind.value for one in self.issued]


class Watched(Life):
    """A random life whose every step passes the desk."""

    def __init__(self, *arguments: Any, **more: Any) -> None:
        self.desk = Desk()
        super().__init__(*arguments, **more)

    @property
    def order(self) -> Order:
        return self._order

    @order.setter
    def order(self, after: Order) -> None:
        self.desk.look(getattr(self, "_order", replace(after, fulfilments=(), charge=None)), after)
        self._order = after


def _basket(amounts: list[tuple[int, int, int, int, int]]) -> list[Line]:
    return [
        line(
            i + 1,
            quantity=count,
            net_minor=net,
            tax_minor=net * rate // 10_000,
            tax_rate_basis_points=rate,
            shipping_minor=fee,
            discounts=(DiscountShare("TEN", off),),
        )
        for i, (count, net, rate, fee, off) in enumerate(amounts)
    ]


def _taken(order: Order) -> dict[int, tuple[int, int]]:
    """What was captured and is not given back, by rate."""
    settled = tuple(one for one in order.refunds if one.state == RefundState.SUCCEEDED)
    parts = left_of(replace(order, refunds=settled)).parts
    return {
        rate: (part.net_minor, part.tax_minor) for rate, part in parts.items() if part.net_minor or part.tax_minor
    }


def _settle(one: Watched, outcome: str = "succeeded") -> None:
    for refund in one.order.refunds:
        if refund.state == RefundState.PENDING:
            failure = "" if outcome == "succeeded" else "declined"
            one.order = refunds.record_outcome(one.order, refund.refund_id, outcome, failure, NOON).order


def _some_taken(lines: list[Line], seed: int) -> list[Line]:
    """Some of the lines, or none, or all, are taken along from a store."""
    choose = random.Random(seed)
    share = choose.choice((0, 0, 0.4, 1))
    return [
        replace(one, taken_at_point_id="st-lyon", shipping_minor=0) if choose.random() < share else one
        for one in lines
    ]


def _live_and_give_back(amounts: list[tuple[int, int, int, int, int]], seed: int, moment: CaptureMoment) -> None:
    one = Watched(_some_taken(_basket(amounts), seed), seed, moment, hard=True)
    one.live()
    assert one.desk.books() == _taken(one.order)
    for _ in range(4):
        give_back(one)
        if one.choose.random() < 0.7:
            _settle(one, one.choose.choice(("succeeded", "succeeded", "failed")))
        assert one.desk.books() == _taken(one.order)
    _settle(one)
    if one.is_over():
        one.order = life.close(one.order, NOON).order
    given = sum(each.amount_minor for each in one.order.refunds if each.state == RefundState.SUCCEEDED)
    assert sum(net + tax for net, tax in one.desk.books().values()) == one.captured - one.returned - given
    assert one.desk.books() == _taken(one.order)


def _live_and_cancel(
    amounts: list[tuple[int, int, int, int, int]], seed: int, moment: CaptureMoment, steps: int
) -> None:
    one = Watched(_some_taken(_basket(amounts), seed), seed, moment)
    one.live(steps)
    give_back(one)
    try:
        one.order = life.request_cancellation(one.order, "changed my mind", "", NOON).order
    except FailedPrecondition:
        return
    pending = [refund for refund in one.order.refunds if refund.state == RefundState.PENDING]
    one.order = life.complete_cancellation(one.order, NOON).order
    for refund in pending:
        # It came first, or the undoing of the whole order gave the money back before.
        came_first = one.choose.random() < 0.5 or one.order.state == OrderState.CLOSED
        outcome = ("succeeded", "") if came_first else ("failed", refunds.EXCEEDS_CAPTURE)
        one.order = refunds.record_outcome(one.order, refund.refund_id, *outcome, NOON).order
    if one.order.state == OrderState.CANCELLED:
        assert one.desk.books() == {}
        return
    # What was taken along stays; all else was given back by refunds.
    _settle(one)
    kept = sum(net + tax for net, tax in one.desk.books().values())
    assert kept == one.captured - sum(each.amount_minor for each in one.order.refunds)
    before = sum(each.amount_minor for each in one.order.refunds if each.kind != RefundKind.CANCELLED_UNITS)
    along = taken_minor(one.order.content.taken)
    assert along - before <= kept <= along
    assert one.desk.books() == _taken(one.order)


@settings(max_examples=500, deadline=None)
@given(LINES, st.integers(0, 2**32), st.sampled_from(BEFORE_IT_LEAVES))
def test_documents_come_to_what_was_captured_less_what_was_given_back_for_each_rate(
    amounts: list[tuple[int, int, int, int, int]], seed: int, moment: CaptureMoment
) -> None:
    _live_and_give_back(amounts, seed, moment)


def test_a_parcel_that_brought_nothing_leaves_no_tax_behind() -> None:
    """Thousands of units for less than one minor unit each."""
    amounts = [(80_000, 154, 550, 986, 986), (80_000, 154, 550, 57, 986)]
    _live_and_give_back(amounts, 154, CaptureMoment.SHIPMENT)


@settings(max_examples=200, deadline=None)
@given(LINES, st.integers(0, 2**32), st.sampled_from(BEFORE_IT_LEAVES), st.integers(0, 8))
def test_nothing_stands_of_an_order_that_was_undone(
    amounts: list[tuple[int, int, int, int, int]], seed: int, moment: CaptureMoment, steps: int
) -> None:
    _live_and_cancel(amounts, seed, moment, steps)


@pytest.mark.attack
@pytest.mark.timeout(600)
def test_thousands_of_baskets_come_to_their_documents() -> None:
    for seed in range(6_000):
        choose = random.Random(seed)
        amounts = [
            (
                choose.choice((1, 2, 3, 7, 80_000)),
                choose.randint(0, 99_999),
                choose.choice((0, 210, 550, 2000)),
                choose.randint(0, 999),
                choose.randint(0, 5_000),
            )
            for _ in range(choose.randint(1, 5))
        ]
        moment = choose.choice(BEFORE_IT_LEAVES)
        _live_and_give_back(amounts, seed, moment)
        _live_and_cancel(amounts, seed, moment, choose.randint(0, 8))


# -- what a document says ---------------------------------------------------------------------------------

SOAP = line(2, 3, net_minor=1000, tax_minor=55, tax_rate_basis_points=550, shipping_minor=110)


def _packed(*parcels: tuple[tuple[int, int], ...], lines: Sequence[Line] = (), **terms: Any) -> Order:
    """An order whose parcels are packed; nothing is captured."""
    order = recorded(*(lines or (line(), SOAP)), **terms)
    payment = "paid_by_channel" if order.content.payment.kind == "paid_by_channel_reference" else "authorized"
    order = life.accept(order, [leg(*each) for each in parcels], PROMISE, "dec_1", payment, NOON).order
    order = life.release(order, COOLED).order
    for one in order.fulfilments:
        order = work.offer(order, order.fulfilment(one.fulfilment_id), NOON).order
        order = work.accept_offer(order, order.fulfilment(one.fulfilment_id), "", NOON).order
        found = [Units(each.line_number, "", each.quantity) for each in one.lines]
        order = work.record_pick(order, order.fulfilment(one.fulfilment_id), found, "", NOON).order
        order = work.close_parcel(order, order.fulfilment(one.fulfilment_id), 500, "", NOON).order
    return order


def _record(desk: Desk, order: Order, *states: str) -> Order:
    """The capture of each parcel in turn, as the desk sees it."""
    for one, state in zip(order.fulfilments, states, strict=False):
        before = order
        now = order.fulfilment(one.fulfilment_id)
        order = capture.record(order, now, Outcome(state, "reason", "", NOON)).order
        desk.look(before, order)
    return order


def _refund(desk: Desk, order: Order, wish: RefundWish) -> Order:
    before = refunds.request(order, wish, NOON).order
    order = refunds.record_outcome(before, before.refunds[-1].refund_id, "succeeded", "", NOON).order
    desk.look(before, order)
    return order


def test_an_invoice_has_the_units_of_its_parcel_and_the_first_one_the_delivery_fee() -> None:
    desk = Desk()
    order = _packed(((1, 1), (2, 2)), ((1, 1), (2, 1)))
    _record(desk, order, "captured", "captured")
    first, second = (one.content for one in desk.issued)
    assert [(one.sku, one.title, one.quantity, one.part) for one in first.lines] == [
        ("SKU-1", "Title 1", 1, TaxPart(2000, 2500, 500)),
        ("SKU-2", "Title 2", 2, TaxPart(550, 666, 37)),
    ]
    assert first.shipping == (TaxPart(550, 104, 6), TaxPart(2000, 408, 82))
    assert first.totals == (TaxPart(550, 770, 43), TaxPart(2000, 2908, 582))
    assert (second.shipping, second.totals) == ((), (TaxPart(550, 334, 18), TaxPart(2000, 2500, 500)))
    amounts = [one.parcel.amount_minor for one in order.fulfilments if one.parcel]
    assert [first.amount_minor, second.amount_minor] == amounts
    assert first.cause == f"parcel/{order.fulfilments[0].parcel.parcel_id}"  # type: ignore[union-attr]


def test_a_line_says_what_its_units_bear_of_each_discount() -> None:
    desk = Desk()
    off = line(1, 3, discounts=(DiscountShare("TEN", 100), DiscountShare("CENT", 1)))
    _record(desk, _packed(((1, 1),), ((1, 2),), lines=[off]), "captured", "captured")
    shares = [one.content.lines[0].discounts for one in desk.issued]
    assert shares == [
        (DiscountShare("TEN", 33),),
        (DiscountShare("TEN", 67), DiscountShare("CENT", 1)),
    ]


def test_what_is_sent_without_its_money_is_billed_when_the_money_comes_and_not_before() -> None:
    desk = Desk()
    order = _record(desk, _packed(((1, 2), (2, 3))), "failed")
    order = _record(desk, order, "overridden")
    assert desk.issued == []
    order = _record(desk, order, "captured")
    _record(desk, order, "captured")
    assert desk.kinds() == ["invoice"]


def test_a_parcel_that_brings_nothing_has_no_invoice() -> None:
    desk = Desk()
    free = line(1, 2, net_minor=0, tax_minor=0, shipping_minor=0)
    _record(desk, _packed(((1, 2),), lines=[free]), "not_needed")
    assert desk.issued == []


def test_a_credit_note_takes_units_back_and_names_the_invoices_that_it_corrects() -> None:
    desk = Desk()
    order = _record(desk, _packed(((1, 1), (2, 2)), ((1, 1), (2, 1))), "captured", "captured")
    wish = RefundWish(RefundKind.GOODS, "other", "", "carol", lines=(Units(2, "", 3),))
    order = _refund(desk, order, wish)
    note = desk.issued[-1].content
    assert (note.kind, note.cause) == (DocumentKind.CREDIT_NOTE, f"refund/{order.refunds[0].refund_id}")
    assert [(one.from_unit, one.to_unit, one.part) for one in note.lines] == [(0, 3, TaxPart(550, 1000, 55))]
    assert note.corrects == tuple(one.number for one in desk.issued[:2])
    _refund(desk, order, RefundWish(RefundKind.GOODS, "other", "", "carol", whole=True))
    last = desk.issued[-1].content
    assert (last.shipping, last.adjustments) == ((TaxPart(550, 104, 6), TaxPart(2000, 408, 82)), ())
    assert desk.books() == {}


def test_a_credit_note_of_one_parcel_corrects_its_invoice_alone() -> None:
    desk = Desk()
    order = _record(desk, _packed(((1, 1), (2, 3)), ((1, 1),)), "captured", "captured")
    _refund(desk, order, RefundWish(RefundKind.GOODS, "other", "", "carol", lines=(Units(2, "", 1),)))
    assert desk.issued[-1].content.corrects == (desk.issued[0].number,)


def test_goodwill_is_credited_as_an_amount_and_taken_off_what_goods_bring_back_later() -> None:
    desk = Desk()
    caps = replace(LIFE_CYCLE, goodwill_caps=(GoodwillCap("boss", "EUR", 10_000),))
    order = _record(desk, _packed(((1, 2), (2, 3)), life_cycle=caps), "captured")
    wish = RefundWish(RefundKind.GOODWILL, "gesture", "", "carol", ("boss",), amount=Money(700, "EUR"))
    order = _refund(desk, order, wish)
    given = desk.issued[-1].content
    assert (given.lines, given.shipping, given.amount_minor) == ((), (), 700)
    assert given.adjustments == order.refunds[0].taxes
    _refund(desk, order, RefundWish(RefundKind.GOODS, "other", "", "carol", whole=True))
    rest = desk.issued[-1].content
    assert [one.part for one in rest.lines] == [TaxPart(2000, 5000, 1000), TaxPart(550, 1000, 55)]
    assert [part.gross_minor for part in rest.adjustments] == [-104], "the fee could not bear all of the goodwill"
    assert (given.amount_minor + rest.amount_minor, rest.shipping) == (7655, (TaxPart(550, 4, 0),))
    assert desk.books() == {}


def test_an_order_that_its_channel_was_paid_for_is_billed_parcel_by_parcel() -> None:
    desk = Desk()
    by_channel = PaymentTerms("paid_by_channel_reference", "mp-1")
    order = _packed(((1, 2),), ((2, 3),), payment=by_channel)
    order = _refund(desk, order, RefundWish(RefundKind.GOODS, "other", "", "carol", lines=(Units(2, "", 3),)))
    assert desk.issued == [], "it is credited once it was billed"
    order = _record(desk, order, "not_needed")
    assert desk.kinds() == ["invoice"]
    before = order
    order = capture.record(order, order.fulfilments[1], Outcome("not_needed", "", "", NOON)).order
    desk.look(before, order)
    assert desk.kinds() == ["invoice", "invoice", "credit_note"]


def test_an_order_that_is_paid_at_once_has_one_invoice_and_a_credit_note_for_what_found_no_place() -> None:
    desk = Desk()
    at_once = replace(LIFE_CYCLE, capture_at=CaptureMoment.ORDER)
    before = life.release(
        accepted(recorded(line(), SOAP, life_cycle=at_once), leg((1, 2), (2, 3))).order, COOLED
    ).order
    order = capture.record_of_order(before, CAPTURED).order
    desk.look(before, order)
    order = work.offer(order, order.fulfilments[0], NOON).order
    order = work.refuse_offer(order, order.fulfilments[0], "no_time", "", NOON).order
    order = life.reroute(order, [leg((1, 2))], [Units(2, "", 3)], "NO_STOCK", "dec_2", NOON).order
    (refund,) = order.refunds
    before, order = order, refunds.record_outcome(order, refund.refund_id, "succeeded", "", NOON).order
    desk.look(before, order)
    assert [one.content.cause for one in desk.issued] == ["order/ord_1", f"refund/{refund.refund_id}"]
    assert desk.issued[0].content.amount_minor == order.content.total.amount_minor
    assert desk.books() == {2000: (5000 + 408, 1000 + 82), 550: (104, 6)}


def test_what_was_cancelled_before_an_order_was_paid_at_once_is_neither_billed_nor_given_back() -> None:
    desk = Desk()
    at_once = replace(LIFE_CYCLE, capture_at=CaptureMoment.ORDER)
    order = accepted(recorded(line(), SOAP, life_cycle=at_once), leg((1, 2), (2, 3))).order
    order = amending.cancel_lines(order, [Units(1, "", 1)], "", "web", ("channel",), NOON).order
    order = amending.settle(order, order.changes[-1].change_id, NOON).order
    before = life.release(order, COOLED).order
    order = capture.record_of_order(before, CAPTURED).order
    desk.look(before, order)
    charge, (bill,) = order.charge, desk.issued
    assert charge
    assert bill.content.amount_minor == charge.amount_minor == order.content.total.amount_minor - 3000
    order = _refund(desk, order, RefundWish(RefundKind.GOODS, "other", "", "carol", lines=(Units(1, "", 1),)))
    with pytest.raises(FailedPrecondition) as caught:
        _refund(desk, order, RefundWish(RefundKind.GOODS, "other", "", "carol", lines=(Units(1, "", 1),)))
    assert caught.value.reason == "UNITS_NOT_REFUNDABLE"
    order = _refund(desk, order, RefundWish(RefundKind.GOODS, "other", "", "carol", whole=True))
    assert sum(one.amount_minor for one in order.refunds) == charge.amount_minor
    assert desk.books() == {}


def test_of_a_parcel_given_up_before_its_money_came_only_the_fee_is_billed() -> None:
    desk = Desk()
    order = _record(desk, _packed(((1, 1),), ((1, 1),), lines=[line()]), "failed")
    order = capture.give_up(order, order.fulfilments[0], "stolen", "carol", NOON).order
    order = _record(desk, order, "captured")
    (bill,) = (one.content for one in desk.issued)
    assert (bill.lines, bill.shipping) == ((), (TaxPart(2000, 408, 82),))
    given_up = order.fulfilments[0].fulfilment_id
    units = [Units(1, "", 1)]
    before = life.reroute(order, [], units, "payment_failed", "", NOON, given_up=given_up).order
    order = capture.record(before, before.fulfilments[1], CAPTURED).order
    desk.look(before, order)
    assert desk.books() == {2000: (2500 + 408, 500 + 82)}


# -- numbers ----------------------------------------------------------------------------------------------


def test_a_series_is_the_channels_or_the_points_and_made_of_ids_where_none_is_set() -> None:
    bill = DocumentContent(DocumentKind.INVOICE, "ord_1", "web_fr.2", "st-lyon", "order/1", "EUR", (), ())
    receipt = replace(bill, kind=DocumentKind.SALES_RECEIPT)
    terms = DocumentTerms("ACME", points=(PointSeries("st-lyon", "L1"),))
    assert document.series_of(DocumentTerms(), bill) == "WEB-FR-2"
    assert document.series_of(DocumentTerms(), receipt) == "ST-LYON"
    assert document.series_of(terms, bill) == "ACME"
    assert document.series_of(terms, receipt) == "L1"
    assert document.series_of(terms, replace(receipt, point_id="st-nice")) == "ST-NICE"
    assert document.series_of(DocumentTerms(), replace(bill, channel_id="é")) == "S"
    assert document.number_of("L1", DocumentKind.SALES_RECEIPT, 2026, 7) == "L1-SR-2026-000007"


@pytest.mark.parametrize(
    ("terms", "field"),
    [
        (DocumentTerms(series="acme"), "series"),
        (DocumentTerms(series="-A"), "series"),
        (DocumentTerms(series="A" * 21), "series"),
        (DocumentTerms(time_zone="Europe/Lyon"), "time_zone"),
        (DocumentTerms(time_zone="../etc"), "time_zone"),
        (DocumentTerms(time_zone="Europe"), "time_zone"),
        (DocumentTerms(seller_lines=("1 rue",)), "seller_name"),
        (DocumentTerms(seller_name="A", seller_lines=("x",) * 13), "seller_lines"),
        (DocumentTerms(points=(PointSeries("", "A"),)), "points[0].point_id"),
        (DocumentTerms(points=(PointSeries("p", "A"), PointSeries("p", "B"))), "points[1].point_id"),
        (DocumentTerms(points=(PointSeries("p", ""),)), "points[0].series"),
    ],
)
def test_terms_that_cannot_number_are_refused_by_their_field(terms: DocumentTerms, field: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        document.check_terms("documents", terms)
    assert caught.value.facts["field"] == f"documents.{field}"
    document.check_terms("documents", DocumentTerms("ACME-1", "Europe/Paris", "Acme", ("1 rue",)))
