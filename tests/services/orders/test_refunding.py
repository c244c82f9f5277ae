"""Refunds and holds for want of money, on a real database."""

import asyncio
import importlib
from collections import Counter
from dataclasses import replace
from datetime import timedelta

import pytest
import pytest_asyncio
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from kit.errors import InvalidArgument
from kit.feed import Bell
from kit.values.money import Money
from services.orders.domain.capture import Outcome
from services.orders.domain.model import CaptureMoment, GoodwillCap, RefundKind, RefundWish, Units
from services.orders.domain.states import CaptureState, FulfilmentState, RefundState, UnitState
from services.orders.reading import OrderFilter
from services.orders.refunding import Refunds
from services.orders.service import OrdersService
from services.orders.tracking import Tracking
from tests.services.orders.builders import COOLED, IDENTITIES, LIFE_CYCLE, NOON, Shop, leg, line, outcome, rows

CAP = GoodwillCap("service", "EUR", 1000)
UNIT = RefundWish(RefundKind.GOODS, "withdrawal", "said Zoé", "carol", ("service",), lines=(Units(1, "", 1),))
GIFT = RefundWish(RefundKind.GOODWILL, "gesture", "", "carol", ("service",), amount=Money(200, "EUR"))
FAILED = Outcome("failed", "declined", "", NOON, NOON + timedelta(hours=1))


@pytest.fixture
def refunds(orders_db: AsyncEngine) -> Refunds:
    return Refunds(orders_db, Bell())


@pytest_asyncio.fixture
async def generous(orders_db: AsyncEngine) -> Shop:
    """A shop whose customer service may give goodwill."""
    shop = Shop(OrdersService(orders_db, Bell(), IDENTITIES), Tracking(orders_db, Bell(), {}))
    await shop.open()
    await shop.service.publish_life_cycle(replace(LIFE_CYCLE, goodwill_caps=(CAP,)))
    return shop


async def _paid(shop: Shop, key: str = "key-1") -> str:
    order_id, (work,) = await shop.release(key, leg((1, 2)))
    await shop.pack(work)
    return order_id


# -- refunds ----------------------------------------------------------------------------------------------


async def test_a_refund_is_kept_as_it_was_decided_and_starts_its_story(
    generous: Shop, refunds: Refunds, orders_db: AsyncEngine
) -> None:
    order_id = await _paid(generous)
    asked = generous.asked()
    refund = await refunds.request(asked, order_id, UNIT, NOON)
    assert await refunds.request(asked, order_id, UNIT, NOON) == refund
    order = (await generous.service.get_order(order_id)).order
    assert order.refunds == (refund,)
    assert refund.amount_minor == 3000
    ((subject, data),) = await rows(
        orders_db, "SELECT subject, data FROM outbox WHERE type = 'oms.orders.order.refund_requested'"
    )
    assert subject == f"refund/{refund.refund_id}"
    assert (
        data.items()
        >= {
            "refund_id": refund.refund_id,
            "order_id": order_id,
            "amount_minor": 3000,
            "currency": "EUR",
        }.items()
    )
    assert "Zoé" not in str(data)
    failed = await refunds.record_outcome(
        generous.asked(), order_id, refund.refund_id, "failed", "card_closed", NOON
    )
    assert (failed.state, failed.failure) == (RefundState.FAILED, "card_closed")
    again = await refunds.retry(generous.asked(), order_id, refund.refund_id, "carol", NOON)
    done = await refunds.record_outcome(generous.asked(), order_id, refund.refund_id, "succeeded", "", NOON)
    assert (again.attempts, done.state, done.settled_at) == (2, RefundState.SUCCEEDED, NOON)
    assert (await generous.service.get_order(order_id)).order.refunds == (done,)


async def test_a_unit_that_two_want_back_at_once_is_refunded_once(generous: Shop, refunds: Refunds) -> None:
    order_id = await _paid(generous)
    both = replace(UNIT, lines=(Units(1, "", 2),))
    answers = await asyncio.gather(
        *(outcome(refunds.request(generous.asked(), order_id, both, NOON)) for _ in range(6))
    )
    assert Counter(answers) == {"done": 1, "UNITS_NOT_REFUNDABLE": 5}


async def test_goodwill_given_by_many_at_once_stays_within_the_cap(generous: Shop, refunds: Refunds) -> None:
    order_id = await _paid(generous)
    answers = await asyncio.gather(
        *(outcome(refunds.request(generous.asked(), order_id, GIFT, NOON)) for _ in range(8))
    )
    assert Counter(answers) == {"done": 5, "GOODWILL_OVER_CAP": 3}


# -- what cannot be captured ------------------------------------------------------------------------------


async def test_orders_whose_money_cannot_be_had_are_a_work_list(shop: Shop) -> None:
    order_id, (work,) = await shop.release("key-1", leg((1, 2)))
    await _paid(shop, "key-2")
    await shop.pack(work, captured=False)
    await shop.service.record_capture(shop.asked(), work, FAILED)
    unpaid = await shop.service.list_orders(OrderFilter(payment_failed=True), 10, None)
    assert [one.order.order_id for one in unpaid] == [order_id]
    parcel = (await shop.service.get_order(order_id)).order.fulfilment(work).parcel
    assert parcel is not None
    assert (parcel.capture_failed_since, parcel.capture_next_try_at) == (NOON, FAILED.next_try_at)
    given_up = await shop.service.give_up_parcel(shop.asked(), work, "stolen", "carol", NOON)
    assert given_up.state == FulfilmentState.CANCELLED
    assert await shop.service.list_orders(OrderFilter(payment_failed=True), 10, None) == []
    order = (await shop.service.get_order(order_id)).order
    assert [one.state for one in order.ranges] == [UnitState.UNPLACED]


async def test_the_money_of_a_whole_order_is_kept_with_it(shop: Shop) -> None:
    await shop.service.publish_life_cycle(replace(LIFE_CYCLE, capture_at=CaptureMoment.ORDER))
    order_id = await shop.record()
    (work,) = await shop.accept(order_id)
    await shop.service.release_order(shop.asked(), order_id, COOLED)
    await shop.service.record_capture_of_order(shop.asked(), order_id, FAILED)
    unpaid = await shop.service.list_orders(OrderFilter(payment_failed=True), 10, None)
    assert [one.order.order_id for one in unpaid] == [order_id]
    await shop.service.retry_capture_of_order(shop.asked(), order_id, "carol", NOON)
    await shop.service.record_capture_of_order(shop.asked(), order_id, Outcome("captured", "", "", NOON))
    order = (await shop.service.get_order(order_id)).order
    assert order.charge is not None
    assert (order.charge.state, order.charge.failed_since) == (CaptureState.CAPTURED, None)
    (obligation,) = await shop.service.list_obligations([order_id], "", 10)
    assert obligation.captured_minor == order.charge.amount_minor
    await shop.service.offer_fulfilment(shop.asked(), work, NOON)
    await shop.pack(work, captured=False)
    await shop.service.hand_over(shop.asked(), work, "", "", NOON)


# -- settings and what was before -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("caps", "field"),
    [
        ((GoodwillCap("", "EUR", 1),), "life_cycle.goodwill_caps[0].role"),
        ((GoodwillCap("service", "euro", 1),), "life_cycle.goodwill_caps[0].currency"),
        ((GoodwillCap("service", "EUR", -1),), "life_cycle.goodwill_caps[0].amount_minor"),
        ((CAP, CAP), "life_cycle.goodwill_caps[1].role"),
    ],
)
async def test_a_cap_that_says_nothing_is_refused(shop: Shop, caps: tuple[GoodwillCap, ...], field: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        await shop.service.publish_life_cycle(replace(LIFE_CYCLE, goodwill_caps=caps))
    assert caught.value.facts["field"] == field


async def test_the_standard_rate_is_in_the_currency_of_the_order(shop: Shop) -> None:
    with pytest.raises(InvalidArgument) as caught:
        await shop.record(standard_shipping=Money(300, "SEK"))
    assert caught.value.facts["field"] == "standard_shipping.currency"
    order_id = await shop.record(standard_shipping=Money(300, "EUR"))
    order = (await shop.service.get_order(order_id)).order
    assert order.content.standard_shipping == Money(300, "EUR")


async def test_parcels_of_before_are_told_what_of_them_is_delivery_fee(shop: Shop, orders_db: AsyncEngine) -> None:
    odd = line(1, 3, net_minor=1000, tax_minor=55, tax_rate_basis_points=550)
    _, works = await shop.release("key-1", leg((1, 2)), leg((1, 1)), lines=(odd,))
    for work in works:
        await shop.pack(work)
    kept = "SELECT parcel_id, shipping_minor FROM parcel ORDER BY parcel_id"
    before = await rows(orders_db, kept)
    assert sorted(row.shipping_minor for row in before) == [0, 490]
    migration = importlib.import_module("services.orders.migrations.versions.0006_money")
    async with orders_db.begin() as tx:
        await tx.execute(text("UPDATE parcel SET shipping_minor = 0"))
        await tx.execute(text(migration.FEE_OF_PARCELS))
    assert await rows(orders_db, kept) == before
