"""What a store does not have is sent there and collected: paid at the counter, given up, or sent by others."""

import asyncio

import pytest

from kit.times import now
from oms.inventory.v1 import inventory_service_pb2 as inv
from oms.orders.v1 import orders_service_pb2 as orders
from oms.type.v1 import type_pb2 as types
from tests.workflows.faults import Fault
from tests.workflows.test_collecting import LATER, aside, asked, captures, choose, collected
from tests.workflows.test_consolidation import _balance, _comes_to_stock
from tests.workflows.test_unwind import EACH_RECOVERABLE, _with_help
from tests.workflows.world import ACROSS, BESIDE, FAR, MID, NEAR, PRICE_MINOR, SHIPPING_MINOR, World

pytestmark = pytest.mark.asyncio(loop_scope="module")
PICKED = orders.FULFILMENT_STATE_PICKED
BOTH = 2 * PRICE_MINOR + SHIPPING_MINOR
ONE = PRICE_MINOR + SHIPPING_MINOR


async def _placed(world: World, *articles: dict[str, int], channel: str = "web") -> tuple[list[str], str]:
    """Articles that lie at these points, and an order of one of each that is collected at NEAR."""
    skus = [await world.stock(units) for units in articles]
    recorded = await world.record(dict.fromkeys(skus, 1), collect_at=NEAR, sent=True, channel=channel)
    placement = await world.place(recorded)
    assert placement is not None
    assert placement.state == "validated", placement
    return skus, recorded.order.order_id


async def _refuse(world: World, order_id: str, point: str) -> None:
    work = await world.work_at(order_id, point)
    request = orders.RefuseOfferRequest(
        request_id=f"refuse/{work.fulfilment_id}",
        fulfilment_id=work.fulfilment_id,
        reason="no_time",
        actor="store",
    )
    await world.orders.RefuseOffer(request)


async def _comes(world: World, order_id: str, point: str = MID) -> None:
    """The point sends it, and the store puts it aside."""
    await world.arrive(await world.send_on(order_id, point))
    await aside(world, await world.work_at(order_id, NEAR, PICKED))


async def _ends(world: World, order_id: str, state: str) -> None:
    assert await world.ended(order_id) == state


async def test_it_is_sent_to_the_store_put_aside_and_paid_at_the_counter(world: World) -> None:
    async def all_of_it(channel: str) -> None:
        (sku,), order_id = await _placed(world, {MID: 1}, channel=channel)
        await _comes(world, order_id)
        await collected(world, order_id)
        await _ends(world, order_id, "CLOSED")
        assert await captures(world, order_id) == [ONE]
        await world.assert_settled(order_id, kept_minor=ONE, sold={sku: 1})
        moved = (await world.inventory.ListMovements(inv.ListMovementsRequest(sku=sku))).movements
        assert {row.point_id for row in moved} == {MID}, "it was never stock of the store"

    async def with_what_the_store_has() -> None:
        (here, there), order_id = await _placed(world, {NEAR: 1}, {MID: 1})
        await world.arrive(await world.send_on(order_id, MID))
        await aside(world, await world.pick(await world.accept(order_id)))
        await collected(world, order_id)
        await _ends(world, order_id, "CLOSED")
        await world.assert_settled(order_id, kept_minor=BOTH, sold={here: 1, there: 1})

    await asyncio.gather(with_what_the_store_has(), *(all_of_it(one) for one in ("web", "prepared", "prepaid")))


async def test_what_nobody_collects_is_stock_of_the_store(world: World) -> None:
    (here, there), order_id = await _placed(world, {NEAR: 1}, {MID: 1})
    await world.arrive(await world.send_on(order_id, MID))
    await aside(world, await world.pick(await world.accept(order_id)))
    await world.watch(now() + LATER)
    await _ends(world, order_id, "CANCELLED")
    await _comes_to_stock(world, there)
    assert await _balance(world, here, NEAR) == (1, 0)
    assert await captures(world, order_id) == []


async def test_what_a_point_does_not_send_another_one_does_or_the_customer_says(world: World) -> None:
    async def another_point() -> None:
        (sku,), order_id = await _placed(world, {MID: 1, FAR: 1})
        await _refuse(world, order_id, MID)
        await _comes(world, order_id, FAR)
        await collected(world, order_id)
        await _ends(world, order_id, "CLOSED")
        assert not (await world.order(order_id)).choices
        await world.assert_settled(order_id, kept_minor=ONE, sold={sku: 1})

    async def lost_on_the_way() -> None:
        (sku,), order_id = await _placed(world, {MID: 1, FAR: 1})
        await world.arrive(await world.send_on(order_id, MID), missing=1)
        await _comes(world, order_id, FAR)
        await collected(world, order_id)
        await _ends(world, order_id, "CLOSED")
        await world.assert_settled(order_id, kept_minor=ONE, sold={sku: 2})

    async def nobody() -> None:
        (here, there), order_id = await _placed(world, {NEAR: 1}, {MID: 1})
        await _refuse(world, order_id, MID)
        question = await asked(world, order_id)
        assert (question.point_id, [one.sku for one in question.lines]) == (NEAR, [there])
        await choose(world, order_id, "refund")
        await aside(world, await world.pick(await world.accept(order_id)))
        await collected(world, order_id)
        await _ends(world, order_id, "CLOSED")
        await world.assert_settled(order_id, kept_minor=ONE, sold={here: 1, there: 0})

    async def the_store_itself() -> None:
        (sku,), order_id = await _placed(world, {NEAR: 1, MID: 1})
        await _refuse(world, order_id, NEAR)
        question = await asked(world, order_id)
        assert NEAR not in {one.point_id for one in question.options}
        await choose(world, order_id, "store", BESIDE)
        await world.arrive(await world.send_on(order_id, MID))
        await aside(world, await world.work_at(order_id, BESIDE, PICKED))
        await collected(world, order_id)
        await _ends(world, order_id, "CLOSED")
        await world.assert_settled(order_id, kept_minor=ONE, sold={sku: 1})

    async def a_store_that_has_it() -> None:
        (sku,), order_id = await _placed(world, {NEAR: 1, ACROSS: 1})
        await _refuse(world, order_id, NEAR)
        modes = {one.point_id: one.mode for one in (await asked(world, order_id)).options}
        assert modes[ACROSS] == types.DELIVERY_MODE_CLICK_AND_COLLECT
        await choose(world, order_id, "store", ACROSS)
        await aside(world, await world.pick(await world.accept(order_id)))
        await collected(world, order_id)
        await _ends(world, order_id, "CLOSED")
        assert (await world.order(order_id)).fulfilments[-1].point_id == ACROSS
        await world.assert_settled(order_id, kept_minor=ONE, sold={sku: 1})

    await asyncio.gather(another_point(), lost_on_the_way(), nobody(), the_store_itself(), a_store_that_has_it())


async def test_a_cancelled_order_gives_back_what_is_there_and_what_comes(world: World) -> None:
    async def put_aside() -> None:
        (sku,), order_id = await _placed(world, {MID: 1})
        await _comes(world, order_id)
        await world.cancel(order_id)
        await _ends(world, order_id, "CANCELLED")
        await _comes_to_stock(world, sku)

    async def under_way() -> None:
        (sku,), order_id = await _placed(world, {MID: 1})
        parcel = await world.send_on(order_id, MID)
        await world.cancel(order_id)
        await _ends(world, order_id, "CANCELLED")
        await world.arrive(parcel)
        await _comes_to_stock(world, sku)

    await asyncio.gather(put_aside(), under_way())


@pytest.mark.parametrize("fault", EACH_RECOVERABLE)
async def test_a_step_that_fails_and_comes_back_changes_nothing(world: World, fault: Fault) -> None:
    async def live(step: str) -> None:
        sku = await world.stock({MID: 1})
        recorded = await world.record({sku: 1}, collect_at=NEAR, sent=True)
        order_id = recorded.order.order_id
        world.faults.plan(order_id, step, fault)
        await world.place(recorded)

        async def life() -> None:
            await _comes(world, order_id)
            await collected(world, order_id)
            await _ends(world, order_id, "CLOSED")

        await _with_help(world, order_id, life())
        assert world.faults.is_spent(order_id), f"{step} was never taken"
        await world.assert_settled(order_id, kept_minor=ONE, sold={sku: 1})

    await asyncio.gather(*(live(step) for step in ("accept_order", "offer_fulfilment", "set_collection_dates")))
