"""Orders paid with stored value, cash or a card at a till, through the payments service."""

import pytest

from kit.db import AsyncEngine
from kit.errors import FailedPrecondition, InvalidArgument
from kit.feed import Bell
from kit.values.ids import new_id
from kit.values.money import Money
from services.payments.commands import Authorize, Move, Part, Settle
from services.payments.domain.model import Kind, Means, MeansKind, State, Status
from services.payments.providers import Provider
from services.payments.providers.till import CARD_NEEDS_A_TILL, CASH_NEEDS_A_TILL, TillProvider
from services.payments.service import PaymentsService
from tests.services.payments.cards import NOON, Cards
from tests.services.payments.world import change, move, unwind


@pytest.fixture
def cards(payments_db: AsyncEngine) -> Cards:
    return Cards(payments_db)


@pytest.fixture
def service(cards: Cards) -> PaymentsService:
    providers: dict[str, Provider] = {"stored_value": cards.provider, "till": TillProvider()}
    return PaymentsService(cards.engine, Bell(), providers, "stored_value", lambda: cards.now)


def order(minor: int, *parts: Part) -> Authorize:
    order_id = new_id("ord")
    return Authorize(f"{order_id}/authorize", order_id, "web", Money(minor, "EUR"), parts, cause="placement")


def stored_value(code: str, minor: int | None = None) -> Part:
    return Part(Means(MeansKind.STORED_VALUE, code), None if minor is None else Money(minor, "EUR"))


def at_till(kind: MeansKind, reference: str, minor: int | None = None) -> Part:
    means = Means(kind, reference, point_id="st-lyon")
    return Part(means, None if minor is None else Money(minor, "EUR"))


def back(order_id: str, minor: int, point_id: str = "") -> Move:
    """A refund, in a shop if one is named."""
    return Move(new_id("req"), order_id, Money(minor, "EUR"), "return", "store", point_id=point_id)


async def open_tasks(service: PaymentsService, order_id: str) -> set[tuple[str, int]]:
    """Why and how much of them."""
    tasks, _ = await service.tasks.list_tasks(order_id, True, None, 10)
    return {(one.reason, one.amount_minor) for one in tasks}


async def test_an_order_is_paid_by_one_gift_card_whose_code_is_forgotten(
    cards: Cards, service: PaymentsService
) -> None:
    card, code = await cards.issue(5_000)
    asked = order(3_000, stored_value(code))
    paid = await service.authorize(asked)
    (tender,) = paid.payment.tenders
    assert (paid.payment.status, tender.provider, tender.means.reference) == (
        Status.AUTHORIZED,
        "stored_value",
        "",
    )
    assert (await service.authorize(asked)).payment == paid.payment
    await service.capture(move(asked.order_id, 1_000))
    await service.capture(move(asked.order_id, 1_500))
    await service.void(move(asked.order_id))
    assert await cards.books(card) == (2_500, 0)
    await service.refund(move(asked.order_id, 2_500))
    assert await cards.books(card) == (5_000, 0)
    compared = await service.checking.compare([asked.order_id])
    assert (list(compared.differences), await service.checking.find_differences(NOON)) == ([], (1, []))


async def test_an_order_that_is_undone_gives_everything_back(cards: Cards, service: PaymentsService) -> None:
    card, code = await cards.issue(5_000)
    asked = order(4_000, stored_value(code))
    await service.authorize(asked)
    await service.capture(move(asked.order_id, 1_000))
    _, complete = await service.unwind(unwind(asked.order_id))
    assert complete
    assert await cards.books(card) == (5_000, 0)
    await cards.assert_books_agree()


async def test_two_cards_pay_one_order_or_neither_does(cards: Cards, service: PaymentsService) -> None:
    first, code = await cards.issue(3_000)
    _, other = await cards.issue(1_000)
    declined = await service.authorize(order(4_500, stored_value(code, 3_000), stored_value(other)))
    assert declined.payment.status is Status.DECLINED
    assert {one.decline_code for one in declined.payment.tenders} == {"", "stored_value_insufficient"}
    assert await cards.books(first) == (3_000, 0)
    paid = await service.authorize(order(4_000, stored_value(code, 3_000), stored_value(other)))
    assert paid.payment.status is Status.AUTHORIZED


async def test_a_card_is_bound_to_its_customer_also_when_the_intent_is_carried_out_later(
    cards: Cards, service: PaymentsService
) -> None:
    _, code = await cards.issue(3_000, customer_ref="c-1")
    asked = order(3_000, Part(Means(MeansKind.STORED_VALUE, code, "c-1")))
    payment, (operation,), _ = await service.authorising.intend(asked)
    assert operation.state is State.INTENDED
    cards.later(minutes=5)
    assert await service.resolve_unknown(cards.now) == (1, 0)
    assert (await service.get_payment(payment.order_id)).payment.status is Status.AUTHORIZED


async def test_money_taken_at_a_till_is_captured_and_paid_out_where_there_is_a_till(
    service: PaymentsService,
) -> None:
    asked = order(5_000, at_till(MeansKind.CASH, "R-1", 2_000), at_till(MeansKind.TILL_CARD, "T-1"))
    paid = await service.authorize(asked)
    assert paid.payment.status is Status.AUTHORIZED
    await service.capture(move(asked.order_id, 5_000))
    by_card = await service.refund(back(asked.order_id, 2_800, "st-lyon"))
    assert [one.state for one in by_card.operations] == [State.SUCCEEDED]
    nowhere = await service.refund(back(asked.order_id, 700))
    assert [one.failure_code for one in nowhere.operations] == [CARD_NEEDS_A_TILL, CASH_NEEDS_A_TILL]
    paid_out = await service.refund(back(asked.order_id, 1_000, "st-lyon"))
    assert [(one.state, one.point_id) for one in paid_out.operations] == [(State.SUCCEEDED, "st-lyon")]
    assert (await service.checking.compare([asked.order_id])).differences == []


async def test_a_gift_card_cash_and_a_card_at_the_till_are_used_as_said_and_given_back_in_reverse(
    cards: Cards, service: PaymentsService
) -> None:
    card, code = await cards.issue(1_000)
    cash, by_card = at_till(MeansKind.CASH, "R-8", 2_000), at_till(MeansKind.TILL_CARD, "R-8")
    asked = order(5_000, stored_value(code, 1_000), cash, by_card)
    await service.authorize(asked)
    for minor, captured in ((2_500, [1_000, 1_500, 0]), (2_500, [1_000, 2_000, 2_000])):
        await service.capture(move(asked.order_id, minor))
        tenders = (await service.get_payment(asked.order_id)).payment.tenders
        assert [one.captured for one in tenders] == captured
    await service.refund(back(asked.order_id, 4_500, "st-lyon"))
    tenders = (await service.get_payment(asked.order_id)).payment.tenders
    assert [one.refunded for one in tenders] == [500, 2_000, 2_000]
    assert await cards.books(card) == (500, 0)
    assert await open_tasks(service, asked.order_id) == set()


async def test_what_a_till_took_for_an_order_that_is_undone_is_somebodys_task(service: PaymentsService) -> None:
    asked = order(5_000, at_till(MeansKind.CASH, "R-4", 2_000), at_till(MeansKind.TILL_CARD, "T-4"))
    await service.authorize(asked)
    await service.void(move(asked.order_id, 1_000))
    statement, complete = await service.unwind(unwind(asked.order_id))
    assert statement is not None
    assert (complete, statement.payment.status) == (True, Status.CLOSED)
    assert [(one.captured, one.voided, one.refunded, one.owed) for one in statement.payment.tenders] == [
        (2_000, 0, 0, 2_000),
        (3_000, 0, 0, 3_000),
    ]
    assert await open_tasks(service, asked.order_id) == {
        (CASH_NEEDS_A_TILL, 2_000),
        (CARD_NEEDS_A_TILL, 1_000),
        (CARD_NEEDS_A_TILL, 2_000),
    }
    assert (await service.checking.find_differences(NOON))[1] == []


async def test_what_a_till_took_is_given_back_when_another_means_is_declined(
    cards: Cards, service: PaymentsService
) -> None:
    _, code = await cards.issue(1_000)
    asked = order(5_000, at_till(MeansKind.CASH, "R-5", 2_000), stored_value(code))
    declined = await service.authorize(asked)
    assert (declined.payment.status, declined.payment.tenders[0].owed) == (Status.DECLINED, 2_000)
    assert await open_tasks(service, asked.order_id) == {(CASH_NEEDS_A_TILL, 2_000)}


async def test_settling_keeps_of_cash_what_the_customer_keeps(service: PaymentsService) -> None:
    asked = order(5_000, at_till(MeansKind.CASH, "R-6"))
    await service.authorize(asked)
    for _ in range(2):
        await service.settle(
            Settle(new_id("req"), asked.order_id, Money(3_000, "EUR"), cause="kept", actor="workflow")
        )
    payment = (await service.get_payment(asked.order_id)).payment
    assert (payment.captured, payment.refunded, payment.tenders[0].owed) == (5_000, 0, 2_000)
    assert await open_tasks(service, asked.order_id) == {(CASH_NEEDS_A_TILL, 2_000)}


async def test_settling_gives_back_of_cash_what_was_captured_and_what_was_not_as_one(
    service: PaymentsService,
) -> None:
    asked = order(5_000, at_till(MeansKind.CASH, "R-7"))
    await service.authorize(asked)
    await service.capture(move(asked.order_id, 4_000))
    await service.settle(
        Settle(new_id("req"), asked.order_id, Money(3_000, "EUR"), cause="kept", actor="workflow")
    )
    payment = (await service.get_payment(asked.order_id)).payment
    assert (payment.captured, payment.uncaptured, payment.tenders[0].owed) == (5_000, 0, 2_000)
    assert await open_tasks(service, asked.order_id) == {(CASH_NEEDS_A_TILL, 2_000)}


async def test_a_receipt_pays_one_order(service: PaymentsService) -> None:
    await service.authorize(order(2_000, at_till(MeansKind.CASH, "R-2")))
    with pytest.raises(FailedPrecondition) as twice:
        await service.authorize(order(2_000, at_till(MeansKind.CASH, "R-2")))
    assert twice.value.reason == "AUTHORISATION_ALREADY_USED"


async def test_a_receipt_names_its_shop(service: PaymentsService) -> None:
    with pytest.raises(InvalidArgument) as refused:
        await service.authorize(order(2_000, Part(Means(MeansKind.CASH, "R-3"))))
    assert refused.value.facts["field"] == "tenders[0].cash.point_id"


async def test_what_a_till_took_for_nothing_is_given_back_and_does_not_count(service: PaymentsService) -> None:
    asked = order(10_000, at_till(MeansKind.CASH, new_id("receipt")))
    await service.authorize(asked)
    less = await service.change_amount(change(asked.order_id, 7_000))
    assert less.status is Status.AUTHORIZED
    assert [(one.kind, one.state, one.amount_minor) for one in less.operations] == [
        (Kind.CAPTURE, State.SUCCEEDED, 3_000),
        (Kind.REFUND, State.FAILED, 3_000),
    ]
    assert await open_tasks(service, asked.order_id) == {(CASH_NEEDS_A_TILL, 3_000)}
    await service.change_amount(change(asked.order_id, 6_000))
    assert (await service.get_payment(asked.order_id)).payment.uncaptured == 6_000
    more = await service.change_amount(change(asked.order_id, 6_500))
    assert (more.status, more.decline_code) == (Status.DECLINED, "no_means_for_more")
    receipt = Means(MeansKind.CASH, new_id("receipt"), point_id="st-lyon")
    assert (await service.change_amount(change(asked.order_id, 6_500, means=receipt))).status is Status.AUTHORIZED
    assert await service.differences() == []


async def test_a_gift_card_gives_what_was_given_up_in_part_and_another_pays_the_rest(
    cards: Cards, service: PaymentsService
) -> None:
    card, code = await cards.issue(5_000)
    _, other = await cards.issue(5_000)
    asked = order(4_000, stored_value(code))
    await service.authorize(asked)
    await service.change_amount(change(asked.order_id, 3_000))
    assert (await service.change_amount(change(asked.order_id, 3_500))).status is Status.AUTHORIZED
    assert await cards.books(card) == (5_000, 4_000)
    brought = Means(MeansKind.STORED_VALUE, other)
    assert (await service.change_amount(change(asked.order_id, 6_000, means=brought))).status is Status.AUTHORIZED
    await service.capture(move(asked.order_id, 6_000))
    assert await cards.books(card) == (1_500, 0)
    assert await service.differences() == []
    await cards.assert_books_agree()
