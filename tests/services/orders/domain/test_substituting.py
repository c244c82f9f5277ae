"""Another article instead of what a pick lacks: who may have it, what is told, and that no cent is lost."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.errors import FailedPrecondition, InvalidArgument
from services.orders import store
from services.orders.codes import Codes
from services.orders.domain import (
    capture,
    collecting,
    customer_view,
    fulfilment,
    invoicing,
    notifications,
    parcels,
    substituting,
)
from services.orders.domain import order as life
from services.orders.domain.capture import Outcome
from services.orders.domain.collecting import AtCounter
from services.orders.domain.customer_view import UnitsSeen
from services.orders.domain.milestones import Milestone, NotificationRule, Way
from services.orders.domain.missing_units import Missing
from services.orders.domain.model import (
    CaptureMoment,
    Decision,
    DeliveryMode,
    FulfilmentLine,
    LostParcel,
    Order,
    Units,
)
from services.orders.domain.notifications import Notification
from services.orders.domain.pricing import goods_minor
from services.orders.domain.states import FulfilmentState, UnitState
from services.orders.domain.substituting import Article, Substitute
from services.orders.links import Links
from services.orders.messaging import letters
from tests.services.orders.builders import BUYER, COOLED, NOON, accepted, leg, line, recorded

LINKS, CODES = Links(["a key"], "https://shop.example.com"), Codes(["a key"])
PEARS = Substitute(1, "PEARS", 1, "Pears")
GIVEN = FulfilmentLine(1, "PEARS", 1, "Pears", ordered_sku="SKU-1")


def allowing(number: int = 1, quantity: int = 3) -> Order:
    """Accepted by its point, and its customer takes something else for each line."""
    lines = [line(one, quantity, allow_substitutes=True) for one in range(1, number + 1)]
    units = [(one.line_number, one.quantity) for one in lines]
    return taken(life.release(accepted(recorded(*lines), leg(*units)).order, COOLED).order)


def taken(order: Order) -> Order:
    order = fulfilment.offer(order, order.fulfilments[0], NOON).order
    return fulfilment.accept_offer(order, order.fulfilments[0], "anna", NOON).order


def pick(order: Order, found: int, *instead: Substitute, reasons: Sequence[Missing] = ()) -> Decision:
    units = [Units(one.line_number, "", found) for one in order.fulfilments[0].lines]
    return fulfilment.record_pick(order, order.fulfilments[0], units, "anna", NOON, reasons, instead)


def packed(order: Order) -> Order:
    order = fulfilment.close_parcel(order, order.fulfilments[0], 500, "anna", NOON).order
    return capture.record(order, order.fulfilments[0], Outcome("captured", "", "", NOON)).order


def in_state(order: Order, state: UnitState) -> int:
    return sum(one.quantity for one in order.ranges if one.state is state)


def rows(*lines: FulfilmentLine) -> list[dict[str, object]]:
    return [
        {"line_number": one.line_number, "sku": one.sku, "quantity": one.quantity}
        | ({"ordered_sku": one.ordered_sku} if one.ordered_sku else {})
        for one in lines
    ]


def test_what_is_given_instead_keeps_its_place_and_the_rest_looks_for_another() -> None:
    after = pick(allowing(), 1, PEARS, reasons=[Missing(1, "damaged")])
    (work,) = after.order.fulfilments
    own = FulfilmentLine(1, "SKU-1", 1, "Title 1")
    assert (work.state, work.lines) == (FulfilmentState.PICKED, (own, GIVEN))
    assert (in_state(after.order, UnitState.PICKED), in_state(after.order, UnitState.UNPLACED)) == (2, 1)
    facts = after.happenings[0].facts
    lost = {"line_number": 1, "sku": "SKU-1", "quantity": 1, "reason": "damaged"}
    assert (facts["short"], facts["replaced"], facts["substituted"]) == ([lost], [lost], rows(GIVEN))
    assert facts["found"] == rows(own, GIVEN)
    assert facts["channel_id"] == after.order.content.channel_id
    assert "1 unit of another article" in after.happenings[0].text


def test_work_of_which_nothing_was_found_is_picked_when_something_else_is_given() -> None:
    after = pick(allowing(), 0, replace(PEARS, quantity=3))
    assert after.order.fulfilments[0].lines == (replace(GIVEN, quantity=3),)
    assert (after.happenings[0].kind, after.happenings[0].facts["short"]) == ("fulfilment.picked", [])


def test_a_pick_without_anything_instead_tells_what_it_always_told() -> None:
    facts = pick(allowing(), 1).happenings[0].facts
    assert not {"substituted", "replaced", "channel_id"} & facts.keys()


def test_nothing_is_given_to_a_customer_who_did_not_say_so() -> None:
    order = taken(life.release(accepted(recorded(line(1, 3)), leg((1, 3))).order, COOLED).order)
    with pytest.raises(FailedPrecondition) as caught:
        pick(order, 2, PEARS)
    assert caught.value.reason == "SUBSTITUTES_NOT_ALLOWED"
    assert substituting.substitutable(order, order.fulfilments[0]) == frozenset()


def on_trial(order: Order) -> Order:
    return replace(order, life_cycle=replace(order.life_cycle, capture_at=CaptureMoment.TRIAL))


def of_work(**changes: object) -> Callable[[Order], Order]:
    return lambda order: replace(order, fulfilments=(replace(order.fulfilments[0], **changes),))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "changed",
    [
        on_trial,
        of_work(joins="ful_hub"),
        of_work(consolidates=True),
        of_work(lines=(FulfilmentLine(1, "SKU-1", 3, "Title 1", ("engraved_name",)),)),
    ],
)
def test_where_units_are_known_by_their_line_alone_nothing_is_given_instead(
    changed: Callable[[Order], Order],
) -> None:
    order = changed(allowing())
    with pytest.raises(FailedPrecondition) as caught:
        pick(order, 2, PEARS)
    assert caught.value.reason == "NOT_SUBSTITUTED"
    assert substituting.substitutable(order, order.fulfilments[0]) == frozenset()


@pytest.mark.parametrize(
    ("instead", "field"),
    [
        ([replace(PEARS, line_number=9)], "substituted[0].line_number"),
        ([replace(PEARS, sku="SKU-1")], "substituted[0].sku"),
        ([replace(PEARS, sku="")], "substituted[0].sku"),
        ([PEARS, PEARS], "substituted[1].sku"),
        ([replace(PEARS, quantity=0)], "substituted[0].quantity"),
        ([replace(PEARS, quantity=3)], "substituted[0].quantity"),
        ([PEARS, replace(PEARS, sku="PLUMS", quantity=2)], "substituted[1].quantity"),
        ([replace(PEARS, title="p" * 501)], "substituted[0].title"),
    ],
)
def test_no_more_is_given_than_is_missing_and_the_field_is_named(instead: list[Substitute], field: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        pick(allowing(), 1, *instead)
    assert caught.value.facts["field"] == field


def test_what_left_is_told_by_the_article_that_was_given() -> None:
    order = packed(pick(allowing(), 2, PEARS).order)
    gone = fulfilment.hand_over(order, order.fulfilments[0], "", "anna", NOON)
    assert gone.happenings[0].facts["lines"] == rows(*order.fulfilments[0].lines)


def test_a_lost_parcel_is_sent_again_with_what_was_ordered() -> None:
    order = packed(pick(allowing(), 2, PEARS).order)
    order = fulfilment.hand_over(order, order.fulfilments[0], "", "anna", NOON).order
    lost = replace(order, life_cycle=replace(order.life_cycle, lost_parcel=LostParcel.RESHIP))
    told = parcels.declare(lost, lost.fulfilments[0], "lost", "it fell off", "carol", NOON)
    (decided,) = [one for one in told.happenings if one.kind == "parcel.loss_decided"]
    assert decided.facts["lines"] == [{"line_number": 1, "sku": "SKU-1", "quantity": 3}]


def test_a_parcel_that_does_not_leave_is_unpacked_by_the_articles_in_it() -> None:
    order = pick(allowing(), 2, PEARS).order
    order = fulfilment.close_parcel(order, order.fulfilments[0], 500, "anna", NOON).order
    asked = life.request_cancellation(order, "changed my mind", "carol", COOLED)
    back = asked.order.fulfilments[0].put_back
    assert back is not None
    assert back.units == (Units(1, "SKU-1", 2), Units(1, "PEARS", 1, ordered_sku="SKU-1"))
    assert asked.happenings[1].facts["put_back"] == rows(*order.fulfilments[0].lines)


def test_the_customer_is_told_once_of_what_is_not_as_ordered() -> None:
    order = allowing()
    rule = NotificationRule(Milestone.SUBSTITUTED, (Way.MAIL,))
    order = replace(order, life_cycle=replace(order.life_cycle, notifications=(rule,)))
    assert notifications.of(order, pick(order, 2)) == []
    (one,) = notifications.of(order, pick(order, 2, PEARS))
    assert (one.milestone, one.facts["work"]) == (Milestone.SUBSTITUTED, order.fulfilments[0].fulfilment_id)


@pytest.mark.parametrize(("language", "said"), [("en", "instead of"), ("fr", "à la place de")])
def test_what_customers_read_names_both_articles(language: str, said: str) -> None:
    order = packed(pick(allowing(), 2, PEARS).order)
    (parcel,) = customer_view.see(order, False, NOON).parcels
    assert parcel.units == (UnitsSeen(1, "Title 1", 2), UnitsSeen(1, "Pears", 1, "Title 1"))
    work = order.fulfilments[0].fulfilment_id
    buyer = replace(BUYER, customer=replace(BUYER.customer, language=language))
    for milestone, both in ((Milestone.SUBSTITUTED, False), (Milestone.SHIPPED, True)):
        one = Notification("ntf_1", order.order_id, milestone, work, Way.MAIL, NOON, {"work": work})
        text = letters.write(one, store.view(order, buyer), "Ondelle", LINKS, CODES, NOON).text
        assert f"1 x Pears ({said} Title 1)" in text
        assert ("2 x Title 1" in text) is both


# -- at the counter ---------------------------------------------------------------------------------------


def at_counter() -> Order:
    lines = (line(1, 3, allow_substitutes=True, shipping_minor=0),)
    order = recorded(*lines, mode=DeliveryMode.CLICK_AND_COLLECT, collect_at_point_id="store-lyon")
    there = replace(leg((1, 3)), carrier_id="", service_id="")
    order = pick(
        taken(life.release(accepted(order, there).order, COOLED).order), 1, replace(PEARS, quantity=2)
    ).order
    return collecting.ready(order, order.fulfilments[0], "A1", "anna", NOON).order


def collected(order: Order, units: tuple[Units, ...]) -> Decision:
    """Its code is right, and its money comes."""
    who = AtCounter(is_code_right=True, document_kind="", collected_by="customer", units=units)
    order = collecting.collect(order, order.fulfilments[0], who, "anna", NOON).order
    work, paid = order.fulfilments[0], Outcome("captured", "", "", NOON)
    return collecting.after_capture(capture.record(order, work, paid), work.fulfilment_id, paid)


def test_what_was_given_instead_may_be_left_at_the_counter_and_costs_nothing() -> None:
    before = at_counter()
    after = collected(before, (Units(1, "", 1),))
    (work,) = after.order.fulfilments
    assert work.lines == (FulfilmentLine(1, "SKU-1", 1, "Title 1"),)
    assert work.collection is not None
    assert work.collection.put_back == (Units(1, "PEARS", 2, ordered_sku="SKU-1"),)
    (told,) = [one for one in after.happenings if one.kind == "fulfilment.collected"]
    assert told.facts["left"] == rows(replace(GIVEN, quantity=2))
    assert work.parcel is not None
    assert work.parcel.amount_minor == goods_minor(before.content.lines, after.order.ranges[:1])


def test_all_of_it_may_be_taken() -> None:
    (work,) = collected(at_counter(), ()).order.fulfilments
    assert [(one.sku, one.quantity) for one in work.lines] == [("SKU-1", 1), ("PEARS", 2)]


# -- money and units --------------------------------------------------------------------------------------


def test_an_invoice_names_the_article_that_was_given_at_the_price_of_the_other() -> None:
    order = packed(pick(allowing(), 2, PEARS).order)
    (bill,) = invoicing.bills(order, [])
    assert [(one.sku, one.title, one.quantity) for one in bill.lines] == [
        ("SKU-1", "Title 1", 2),
        ("PEARS", "Pears", 1),
    ]
    assert bill.amount_minor == order.content.total.amount_minor


@given(
    quantity=st.integers(1, 7),
    shares=st.lists(st.tuples(st.integers(0, 7), st.integers(0, 4), st.integers(0, 4)), min_size=1, max_size=3),
    net=st.integers(0, 9_999),
)
def test_units_and_money_are_exact_whatever_is_found_and_given(
    quantity: int, shares: list[tuple[int, int, int]], net: int
) -> None:
    """As without anything given: the money of a unit that keeps its place is that of the line, to the cent."""
    tax = net // 5
    lines = [
        line(number, quantity, allow_substitutes=True, net_minor=net, tax_minor=tax)
        for number in range(1, len(shares) + 1)
    ]
    order = taken(
        life.release(
            accepted(recorded(*lines), leg(*((one.line_number, quantity) for one in lines))).order, COOLED
        ).order
    )
    found, instead = [], []
    for number, (have, pears, plums) in enumerate(shares, 1):
        have = min(have, quantity)
        pears = min(pears, quantity - have)
        plums = min(plums, quantity - have - pears)
        found.append(Units(number, "", have))
        instead += [Substitute(number, sku, units) for sku, units in (("PEARS", pears), ("PLUMS", plums)) if units]
    kept = sum(one.quantity for one in found) + sum(one.quantity for one in instead)
    after = fulfilment.record_pick(order, order.fulfilments[0], found, "anna", NOON, (), instead).order
    assert in_state(after, UnitState.PICKED) == kept
    assert in_state(after, UnitState.UNPLACED) == quantity * len(lines) - kept
    if not kept:
        return
    (work,) = after.fulfilments
    assert sum(one.quantity for one in work.lines) == kept
    # The same pick with the articles themselves has the same units, and so the same money.
    every = substituting.quantities(work.lines)
    same = [Units(number, "", every[number]) for number in range(1, len(lines) + 1)]
    plain = fulfilment.record_pick(order, order.fulfilments[0], same, "anna", NOON).order
    assert after.ranges == plain.ranges
    paid = packed(after)
    assert paid.fulfilments[0].parcel is not None
    amount = paid.fulfilments[0].parcel.amount_minor
    (bill,) = invoicing.bills(paid, [])
    assert bill.amount_minor == amount
    billed = sorted((one.line_number, one.sku, one.quantity) for one in bill.lines)
    assert billed == sorted((one.line_number, one.sku, one.quantity) for one in work.lines)


@given(
    wanted=st.lists(st.tuples(st.integers(1, 3), st.integers(0, 5)), max_size=6),
    sizes=st.lists(st.tuples(st.integers(1, 3), st.integers(1, 5)), max_size=6),
)
def test_the_first_units_and_the_others_are_all_of_them(
    wanted: list[tuple[int, int]], sizes: list[tuple[int, int]]
) -> None:
    lines = [FulfilmentLine(number, f"S{i}", quantity, "") for i, (number, quantity) in enumerate(sizes)]
    counts = dict(wanted)
    parts = [*substituting.first(lines, counts), *substituting.but_first(lines, counts)]
    assert substituting.quantities(parts) == substituting.quantities(lines)


def test_runs_of_articles_cover_the_units_that_are_asked_for() -> None:
    others = [(2, 4, Article("PEARS", "Pears")), (6, 7, Article("PLUMS", "Plums"))]
    own = Article("SKU-1", "Title 1")
    runs = list(substituting.articles(line(1, 9), 1, 9, others))
    assert runs == [(1, 2, own), others[0], (4, 6, own), others[1], (7, 9, own)]
    assert list(substituting.articles(line(1, 9), 3, 4, others)) == [(3, 4, others[0][2])]
