"""Orders paid with stored value, cash or a card at a till, through the payments service."""

import pytest

from kit.db import AsyncEngine
from kit.errors import FailedPrecondition, InvalidArgument
from kit.feed import Bell
from kit.values.ids import new_id
from kit.values.money import Money
from services.payments.commands import Authorize, Move, Part
from services.payments.domain.model import Means, MeansKind, State, Status
from services.payments.providers import Provider
from services.payments.providers.till import CASH_NEEDS_A_TILL, TillProvider
from services.payments.service import PaymentsService
from tests.services.payments.cards import NOON, Cards
from tests.services.payments.world import move, unwind


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
    payment, (operation,), _ = await service._intend_authorize(asked)
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
    by_card = await service.refund(move(asked.order_id, 3_000))
    assert [one.state for one in by_card.operations] == [State.SUCCEEDED]
    nowhere = await service.refund(move(asked.order_id, 500))
    assert [one.failure_code for one in nowhere.operations] == [CASH_NEEDS_A_TILL]
    paid_out = await service.refund(
        Move(new_id("req"), asked.order_id, Money(1_000, "EUR"), "return", "store", point_id="st-lyon")
    )
    assert [(one.state, one.point_id) for one in paid_out.operations] == [(State.SUCCEEDED, "st-lyon")]
    assert (await service.checking.compare([asked.order_id])).differences == []


async def test_a_receipt_pays_one_order(service: PaymentsService) -> None:
    await service.authorize(order(2_000, at_till(MeansKind.CASH, "R-2")))
    with pytest.raises(FailedPrecondition) as twice:
        await service.authorize(order(2_000, at_till(MeansKind.CASH, "R-2")))
    assert twice.value.reason == "AUTHORISATION_ALREADY_USED"


async def test_a_receipt_names_its_shop(service: PaymentsService) -> None:
    with pytest.raises(InvalidArgument) as refused:
        await service.authorize(order(2_000, Part(Means(MeansKind.CASH, "R-3"))))
    assert refused.value.facts["field"] == "tenders[0].cash.point_id"
