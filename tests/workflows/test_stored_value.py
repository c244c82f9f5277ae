"""Orders that are paid with a gift card, from the placement to the door."""

import pytest

from oms.orders.v1 import orders_service_pb2 as orders
from oms.payments.v1 import stored_value_service_pb2 as pb
from oms.type.v1 import type_pb2 as types
from tests.workflows.world import NEAR, PRICE_MINOR, SHIPPING_MINOR, World

pytestmark = pytest.mark.asyncio(loop_scope="module")
TOTAL = PRICE_MINOR + SHIPPING_MINOR


async def _card(world: World, minor: int) -> tuple[str, orders.PaymentTerms]:
    asked = pb.IssueStoredValueRequest(
        request_id=f"card/{minor}",
        kind=pb.STORED_VALUE_KIND_GIFT_CARD,
        amount=types.Money(amount_minor=minor, currency="EUR"),
        reason="sold",
        actor="finance",
    )
    issued = await world.stored_value.IssueStoredValue(asked)
    return issued.stored_value.instrument_id, orders.PaymentTerms(stored_value_code=issued.code)


async def _books(world: World, instrument_id: str) -> tuple[int, int]:
    found = await world.stored_value.GetStoredValue(pb.GetStoredValueRequest(instrument_id=instrument_id))
    return found.stored_value.balance.amount_minor, found.stored_value.held.amount_minor


async def test_a_gift_card_pays_an_order_and_keeps_its_rest(world: World) -> None:
    sku = await world.stock({NEAR: 2})
    card, payment = await _card(world, 2 * TOTAL + 1)
    kept = await world.record({sku: 1}, payment=payment)
    undone = await world.record({sku: 1}, payment=payment)
    for recorded in (kept, undone):
        placement = await world.place(recorded)
        assert placement is not None
        assert placement.state == "validated"
    assert await _books(world, card) == (2 * TOTAL + 1, 2 * TOTAL)
    await world.cancel(undone.order.order_id)
    assert await world.ended(undone.order.order_id) == "CANCELLED"
    await world.ship(kept.order.order_id)
    assert await world.ended(kept.order.order_id) == "CLOSED"
    assert await _books(world, card) == (TOTAL + 1, 0)


async def test_a_card_that_is_worth_too_little_refuses_the_order(world: World) -> None:
    sku = await world.stock({NEAR: 1})
    card, payment = await _card(world, TOTAL - 1)
    placement = await world.place(await world.record({sku: 1}, payment=payment))
    assert placement is not None
    assert placement.refusal is not None
    assert (placement.refusal.reason, placement.refusal.detail) == (
        "PAYMENT_DECLINED",
        "stored_value_insufficient",
    )
    assert await _books(world, card) == (TOTAL - 1, 0)


async def test_a_gift_card_pays_first_and_a_bank_card_the_rest(world: World) -> None:
    sku = await world.stock({NEAR: 2})
    card, payment = await _card(world, PRICE_MINOR - 100)
    code = payment.stored_value_code
    first = orders.PaymentShare(stored_value_code=code, amount_minor=PRICE_MINOR - 100)
    terms = orders.PaymentTerms(payment_method_token="pm_card_visa", first=[first], save_means=True)
    recorded = await world.record({sku: 1}, payment=terms)
    placement = await world.place(recorded)
    assert placement is not None
    assert placement.state == "validated"
    tenders = (await world.payment(recorded.order.order_id)).tenders
    assert [(one.means, one.amount.amount_minor, one.renewable) for one in tenders] == [
        ("stored_value_code", PRICE_MINOR - 100, False),
        ("payment_method_token", SHIPPING_MINOR + 100, True),
    ]
    await world.ship(recorded.order.order_id)
    assert await world.ended(recorded.order.order_id) == "CLOSED"
    assert await _books(world, card) == (0, 0)
    payment_after = await world.payment(recorded.order.order_id)
    assert payment_after.captured.amount_minor == TOTAL


async def test_a_bank_card_that_is_declined_gives_the_gift_card_back(world: World) -> None:
    sku = await world.stock({NEAR: 1})
    card, payment = await _card(world, 100)
    first = orders.PaymentShare(stored_value_code=payment.stored_value_code, amount_minor=100)
    terms = orders.PaymentTerms(payment_method_token="pm_card_visa_chargeDeclined", first=[first])
    placement = await world.place(await world.record({sku: 1}, payment=terms))
    assert placement is not None
    assert placement.refusal is not None
    assert placement.refusal.reason == "PAYMENT_DECLINED"
    assert await _books(world, card) == (100, 0)
