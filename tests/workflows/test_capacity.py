"""Room at points: orders that come together share it out, and whatever is not prepared gives it back."""

import asyncio

import pytest

from oms.inventory.v1 import inventory_service_pb2 as inv
from oms.orders.v1 import orders_service_pb2 as orders
from oms.promise.v1 import capacity_service_pb2 as cap
from tests.workflows.world import MID, NEAR, World

pytestmark = pytest.mark.asyncio(loop_scope="module")
ROOM = 3
ORDERS = 10


async def put_limit(world: World, most: int | None) -> None:
    """How many orders the nearest point starts a day."""
    limit = cap.CapacityLimit(point_id=NEAR, most=most)
    await world.capacity.PutLimits(cap.PutLimitsRequest(limits=[limit], actor="test"))


async def takings(world: World, order_id: str) -> list[cap.CapacityTaking]:
    return list((await world.capacity.ListTakings(cap.ListTakingsRequest(order_id=order_id))).takings)


async def test_orders_that_come_together_share_out_a_days_room_and_give_it_back_when_cancelled(
    world: World,
) -> None:
    sku = await world.stock({NEAR: ORDERS})
    await put_limit(world, ROOM)
    try:
        recorded = [await world.record({sku: 1}, channel="slow") for _ in range(ORDERS)]
        placements = await asyncio.gather(*(world.place(one) for one in recorded))
        assert [one.state for one in placements if one] == ["validated"] * ORDERS
        order_ids = [one.order.order_id for one in recorded]
        taken = [one for order_id in order_ids for one in await takings(world, order_id)]
        days = sorted(one.prepared_on for one in taken)
        assert len(days) == ORDERS
        assert [days.count(day) for day in sorted(set(days))] == [3, 3, 3, 1]
        # Who is prepared days later is promised a later window.
        promises = [(await world.order(order_id)).promise.end.ToDatetime() for order_id in order_ids]
        assert max(promises) > min(promises)
        await asyncio.gather(*(world.cancel(order_id) for order_id in order_ids))
        assert set(await asyncio.gather(*(world.ended(order_id) for order_id in order_ids))) == {"CANCELLED"}
        assert [await takings(world, order_id) for order_id in order_ids] == [[]] * ORDERS
    finally:
        await put_limit(world, None)


async def test_a_point_that_refused_has_its_place_back_and_the_one_that_was_short_keeps_it(world: World) -> None:
    async def refused() -> list[str]:
        sku = await world.stock({NEAR: 1, MID: 1})
        recorded = await world.record({sku: 1})
        await world.place(recorded)
        order_id = recorded.order.order_id
        await world.refuse(order_id)
        await world.work_in(order_id, orders.FULFILMENT_STATE_OFFERED)
        return [one.point_id for one in await takings(world, order_id)]

    async def short() -> list[str]:
        sku = await world.stock({NEAR: 2, MID: 1})
        recorded = await world.record({sku: 2})
        await world.place(recorded)
        order_id = recorded.order.order_id
        await world.pick(await world.accept(order_id), missing=1)
        await world.work_in(order_id, orders.FULFILMENT_STATE_OFFERED)
        return sorted(one.point_id for one in await takings(world, order_id))

    after_refusal, after_short = await asyncio.gather(refused(), short())
    assert (after_refusal, after_short) == ([MID], [MID, NEAR])


async def test_a_leg_that_is_not_planned_again_gives_its_place_back(world: World) -> None:
    """The life cycle lets a point refuse, and looks for no other one."""
    await world.inventory.PutChannels(
        inv.PutChannelsRequest(
            channels=[inv.Channel(channel_id="once", name="once", currency="EUR", activated_points=[NEAR, MID])]
        )
    )
    await world.orders.PublishLifeCycle(
        orders.PublishLifeCycleRequest(
            life_cycle=orders.LifeCycle(life_cycle_id="once", offer_seconds=3600, payment_action_seconds=900)
        )
    )
    await world.orders.PutSalesChannels(
        orders.PutSalesChannelsRequest(
            channels=[orders.SalesChannel(channel_id="once", name="once", currency="EUR", life_cycle_id="once")]
        )
    )
    sku = await world.stock({NEAR: 1, MID: 1})
    recorded = await world.record({sku: 1}, channel="once")
    await world.place(recorded)
    order_id = recorded.order.order_id
    assert [one.point_id for one in await takings(world, order_id)] == [NEAR]
    await world.refuse(order_id)
    assert await world.ended(order_id) == "CANCELLED"
    assert await takings(world, order_id) == []
