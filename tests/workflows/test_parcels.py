"""Parcels that do not arrive: sent again for the same money, refunded, or back where they came from."""

import asyncio
from collections.abc import Awaitable

import pytest

from kit.errors import FailedPrecondition
from oms.orders.v1 import orders_service_pb2 as orders
from tests.workflows.faults import Fault
from tests.workflows.test_unwind import EACH, EACH_RECOVERABLE, _with_help
from tests.workflows.world import FAR, MID, NEAR, PRICE_MINOR, SHIPPING_MINOR, World

pytestmark = pytest.mark.asyncio(loop_scope="module")
TOTAL = PRICE_MINOR + SHIPPING_MINOR
LOST, DELIVERED = orders.FULFILMENT_STATE_LOST, orders.FULFILMENT_STATE_DELIVERED
AGAIN = ("plan_order", "reserve", "reroute_units")


async def placed(world: World, units: dict[str, int], quantity: int = 1, **options: str) -> tuple[str, str]:
    sku = await world.stock(units)
    recorded = await world.record({sku: quantity}, **options)  # type: ignore[arg-type]
    await world.place(recorded)
    return sku, recorded.order.order_id


async def lost(world: World, order_id: str) -> orders.Fulfilment:
    return await world.scan(await world.hand_over_all(order_id), "lost")


async def closed(world: World, order_id: str) -> orders.Order:
    assert await world.ended(order_id) == "CLOSED"
    return await world.order(order_id)


async def test_what_was_lost_is_sent_again_and_captured_once(world: World) -> None:
    async def live(channel: str) -> None:
        sku, order_id = await placed(world, {NEAR: 1, MID: 1}, channel=channel)
        gone = await lost(world, order_id)
        await world.decide(gone, "reship")
        await world.ship(order_id)
        order = await closed(world, order_id)
        assert [row.state for row in order.fulfilments] == [LOST, DELIVERED]
        again = order.fulfilments[1]
        assert (again.point_id, again.replaces) == (MID, gone.fulfilment_id)
        assert (again.parcel.amount.amount_minor, again.parcel.capture_state) == (0, "not_needed")
        await world.assert_settled(order_id, kept_minor=TOTAL, sold={sku: 2})

    await asyncio.gather(*(live(channel) for channel in ("web", "prepared", "prepaid")))


async def test_what_was_lost_may_come_from_the_same_point_again(world: World) -> None:
    sku, order_id = await placed(world, {NEAR: 2})
    await world.decide(await lost(world, order_id), "reship")
    await world.ship(order_id)
    assert [row.point_id for row in (await closed(world, order_id)).fulfilments] == [NEAR, NEAR]
    await world.assert_settled(order_id, kept_minor=TOTAL, sold={sku: 2})


async def test_what_is_sent_again_goes_on_when_a_point_refuses_or_finds_less(world: World) -> None:
    sku, order_id = await placed(world, {NEAR: 3, MID: 2, FAR: 3}, quantity=2)
    await world.decide(await lost(world, order_id), "reship")
    await world.refuse(order_id)
    await world.ship(order_id, missing=1)
    await world.ship(order_id)
    order = await closed(world, order_id)
    assert {row.replaces for row in order.fulfilments[1:]} == {order.fulfilments[0].fulfilment_id}
    await world.assert_settled(order_id, kept_minor=2 * PRICE_MINOR + SHIPPING_MINOR, sold={sku: 4})


async def test_what_cannot_be_sent_again_is_refunded_with_its_fee(world: World) -> None:
    async def live(channel: str) -> None:
        sku, order_id = await placed(world, {NEAR: 1}, channel=channel)
        await world.decide(await lost(world, order_id), "reship")
        order = await closed(world, order_id)
        assert (order.customer_status, [one.amount.amount_minor for one in order.refunds]) == ("refunded", [TOTAL])
        await world.assert_settled(order_id, kept_minor=0, sold={sku: 1})

    await asyncio.gather(*(live(channel) for channel in ("web", "prepaid")))


async def test_what_can_be_sent_again_only_in_part_is_refunded_for_the_rest(world: World) -> None:
    sku, order_id = await placed(world, {NEAR: 2, MID: 1}, quantity=2)
    await world.decide(await lost(world, order_id), "reship")
    await world.ship(order_id)
    await closed(world, order_id)
    await world.assert_settled(order_id, kept_minor=PRICE_MINOR + SHIPPING_MINOR, sold={sku: 3})


async def test_a_lost_parcel_is_refunded_and_the_order_ends(world: World) -> None:
    sku, order_id = await placed(world, {NEAR: 1})
    await world.decide(await lost(world, order_id), "refund")
    order = await closed(world, order_id)
    assert order.fulfilments[0].parcel.loss.decision == "refund"
    await world.assert_settled(order_id, kept_minor=0, sold={sku: 1})


async def test_a_lost_parcel_that_is_delivered_before_the_decision_is_delivered(world: World) -> None:
    sku, order_id = await placed(world, {NEAR: 1})
    gone = await lost(world, order_id)
    await world.deliver(gone)
    assert (await closed(world, order_id)).customer_status == "delivered"
    with pytest.raises(FailedPrecondition) as caught:
        await world.decide(gone, "refund")
    assert caught.value.reason == "NOT_LOST"
    await world.assert_settled(order_id, kept_minor=TOTAL, sold={sku: 1})


async def test_a_decision_and_a_delivery_at_once_have_one_winner(world: World) -> None:
    async def live(decision: str) -> None:
        sku, order_id = await placed(world, {NEAR: 1})
        gone = await lost(world, order_id)
        decided, _ = await asyncio.gather(
            world.decide(gone, decision), world.deliver(gone), return_exceptions=True
        )
        order = await closed(world, order_id)
        kept = TOTAL if isinstance(decided, FailedPrecondition) else 0
        assert order.customer_status == ("delivered" if kept else "refunded")
        await world.assert_settled(order_id, kept_minor=kept, sold={sku: 1})

    await asyncio.gather(*(live(decision) for decision in ("refund", "reship") * 4))


async def test_a_parcel_that_comes_back_is_refunded_and_the_order_ends(world: World) -> None:
    sku, order_id = await placed(world, {NEAR: 1})
    work = await world.hand_over_all(order_id)
    for status in ("delivery_failed", "returning", "returned"):
        await world.scan(work, status)
    assert (await closed(world, order_id)).customer_status == "returned"
    await world.assert_settled(order_id, kept_minor=0, sold={sku: 1})


async def test_after_a_loss_a_cancellation_comes_too_late(world: World) -> None:
    sku, order_id = await placed(world, {NEAR: 1, MID: 1})
    await world.decide(await lost(world, order_id), "reship")
    await world.work_in(order_id, orders.FULFILMENT_STATE_OFFERED)
    with pytest.raises(FailedPrecondition) as caught:
        await world.cancel(order_id)
    assert caught.value.reason == "TOO_LATE_TO_CANCEL"
    await world.ship(order_id)
    await closed(world, order_id)
    await world.assert_settled(order_id, kept_minor=TOTAL, sold={sku: 2})


async def test_an_order_paid_by_its_channel_is_sent_again_or_refunded_by_the_channel(world: World) -> None:
    async def live(units: dict[str, int], sold: int) -> None:
        sku = await world.stock(units)
        terms = orders.PaymentTerms(paid_by_channel_reference=f"market/{sku}")
        recorded = await world.record({sku: 1}, channel="market", payment=terms)
        await world.place(recorded)
        order_id = recorded.order.order_id
        await world.decide(await lost(world, order_id), "reship")
        if sold > 1:
            await world.ship(order_id)
        order = await closed(world, order_id)
        assert [one.amount.amount_minor for one in order.refunds] == ([] if sold > 1 else [TOTAL])
        await world.assert_settled(order_id, kept_minor=0, sold={sku: sold})

    await asyncio.gather(live({NEAR: 1, MID: 1}, 2), live({NEAR: 1}, 1))


@pytest.mark.parametrize("fault", EACH)
async def test_what_is_sent_again_is_sent_once_whatever_goes_wrong_with_a_step(world: World, fault: Fault) -> None:
    async def live(step: str) -> None:
        sku, order_id = await placed(world, {NEAR: 1, MID: 1})
        gone = await lost(world, order_id)
        world.faults.plan(order_id, step, fault)
        await world.decide(gone, "reship")
        await _with_help(world, order_id, world.ship(order_id))
        await _with_help(world, order_id, _ends(world, order_id))
        assert world.faults.is_spent(order_id), f"{step} was never taken"
        await world.assert_settled(order_id, kept_minor=TOTAL, sold={sku: 2})

    await asyncio.gather(*(live(step) for step in AGAIN))


@pytest.mark.parametrize("fault", EACH_RECOVERABLE)
async def test_a_loss_is_refunded_once_whatever_goes_wrong_with_a_step(world: World, fault: Fault) -> None:
    async def live(step: str, decision: str) -> None:
        sku, order_id = await placed(world, {NEAR: 1})
        gone = await lost(world, order_id)
        world.faults.plan(order_id, step, fault)
        await world.decide(gone, decision)
        await _ends(world, order_id)
        await world.refunds_in(order_id, "succeeded")
        assert world.faults.is_spent(order_id), f"{step} was never taken"
        await world.assert_settled(order_id, kept_minor=0, sold={sku: 1})

    refunds: list[Awaitable[None]] = [
        live(step, "refund") for step in ("give_back", "record_refund", "close_order")
    ]
    await asyncio.gather(*refunds, *(live(step, "reship") for step in ("plan_order", "reroute_units")))


async def _ends(world: World, order_id: str) -> None:
    assert await world.ended(order_id) == "CLOSED"
