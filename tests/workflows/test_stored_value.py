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


async def test_a_gift_card_and_a_till_pay_an_order_and_the_till_pays_it_out(world: World) -> None:
    """In the order in which they are said; given back in the reverse one, where there is a till."""
    taken, sent = await world.stock({NEAR: 1}), await world.stock({NEAR: 1})
    total = TOTAL + PRICE_MINOR
    card, code = await _card(world, 1_000)
    receipt = orders.TillReceipt(reference=f"R-{taken}", point_id=NEAR)
    payment = orders.PaymentTerms(
        first=[
            orders.PaymentShare(stored_value_code=code.stored_value_code, amount_minor=1_000),
            orders.PaymentShare(cash=receipt, amount_minor=2_000),
        ],
        till_card=receipt,
        amount_minor=total - 3_000,
    )
    recorded = await world.record({sent: 1}, taken={taken: 1}, channel="till", payment=payment)
    order_id = recorded.order.order_id
    placement = await world.place(recorded)
    assert placement is not None
    assert placement.state == "validated"
    assert await _captured(world, order_id) == [1_000, 1_500, 0]
    await world.ship(order_id)
    assert await world.ended(order_id) == "CLOSED"
    assert await _captured(world, order_id) == [1_000, 2_000, total - 3_000]
    some = orders.PlannedLine(line_number=1, quantity=1)
    await world.refund(order_id, kind="goods", lines=[some], point_id=NEAR)
    (paid_out,) = await world.refunds_in(order_id, "succeeded")
    assert paid_out.point_id == NEAR
    await world.refund(order_id, kind="goods", whole=True)
    _, waits = await world.refunds_in(order_id, "succeeded", "failed")
    assert (waits.state, waits.failure) == ("failed", "cash_needs_a_till")
    await world.assert_money(order_id, PRICE_MINOR - 1_000)
    assert await _books(world, card) == (1_000, 0)


async def test_what_a_till_took_pays_one_order(world: World) -> None:
    sku = await world.stock({NEAR: 2})
    receipt = orders.TillReceipt(reference=f"R-{sku}", point_id=NEAR)
    payment = orders.PaymentTerms(cash=receipt, amount_minor=TOTAL)
    placements = [
        await world.place(await world.record({sku: 1}, channel="till", payment=payment)) for _ in range(2)
    ]
    first, second = (one for one in placements if one is not None)
    assert first.state == "validated"
    assert second.refusal is not None
    assert second.refusal.reason == "AUTHORISATION_ALREADY_USED"
    assert await world.holds_of(sku) == {NEAR: 1}


async def _captured(world: World, order_id: str) -> list[int]:
    """By means, in their order of use."""
    payment = await world.payment(order_id)
    return [one.captured.amount_minor for one in sorted(payment.tenders, key=lambda one: one.position)]
