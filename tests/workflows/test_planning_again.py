"""Work that is taken from its point: another one has it, or it stays; what is needed is held all the while."""

import asyncio

import pytest

from oms.orders.v1 import orders_service_pb2 as orders
from tests.workflows.faults import Fault
from tests.workflows.test_unwind import EACH_RECOVERABLE, _ends, _with_help
from tests.workflows.world import MID, NEAR, PRICE_MINOR, SHIPPING_MINOR, World, until

pytestmark = pytest.mark.asyncio(loop_scope="module")
TOTAL = PRICE_MINOR + SHIPPING_MINOR


async def _offered(world: World, units: dict[str, int], channel: str = "web") -> tuple[str, str]:
    """An order of one unit that the nearest point is offered, and its article."""
    sku = await world.stock(units)
    recorded = await world.record({sku: 1}, channel=channel)
    await world.place(recorded)
    order_id = recorded.order.order_id
    await world.work_in(order_id, orders.FULFILMENT_STATE_OFFERED)
    return order_id, sku


async def _moved(world: World, order_id: str, sku: str) -> None:
    await world.work_at(order_id, MID)
    assert await world.holds_of(sku) == {MID: 1}
    await world.ship(order_id)
    await _ends(world, order_id, "CLOSED")
    await world.assert_settled(order_id, kept_minor=TOTAL, sold={sku: 1})


async def test_another_point_has_it_whether_it_was_offered_accepted_or_competed_for(world: World) -> None:
    async def offered() -> None:
        order_id, sku = await _offered(world, {NEAR: 1, MID: 1})
        await world.plan_again(order_id, NEAR)
        await world.change_in(order_id, "applied")
        await _moved(world, order_id, sku)

    async def accepted() -> None:
        order_id, sku = await _offered(world, {NEAR: 1, MID: 1})
        await world.accept(order_id)
        await world.plan_again(order_id, NEAR)
        await world.change_in(order_id, "applied")
        await _moved(world, order_id, sku)

    async def competed_for() -> None:
        order_id, sku = await _offered(world, {NEAR: 1, MID: 1}, channel="contest")
        work = await world.asked_for(order_id, NEAR, MID)
        assert await world.win(work, NEAR)
        await world.plan_again(order_id, NEAR)
        await world.change_in(order_id, "applied")
        assert await world.holds_of(sku) == {MID: 1}
        assert await world.win(await world.asked_for(order_id, MID), MID)
        await world.prepare(order_id)
        await _ends(world, order_id, "CLOSED")
        await world.assert_settled(order_id, kept_minor=TOTAL, sold={sku: 1})

    await asyncio.gather(offered(), accepted(), competed_for())


async def test_what_nobody_else_has_or_the_point_begins_meanwhile_stays(world: World) -> None:
    async def nobody_has_it() -> None:
        order_id, sku = await _offered(world, {NEAR: 1})
        await world.plan_again(order_id, NEAR)
        refused = await world.change_in(order_id, "refused")
        assert refused.refusal.reason == "STOCK_UNAVAILABLE"
        await stays(order_id, sku)

    async def it_was_picked() -> None:
        order_id, sku = await _offered(world, {NEAR: 1, MID: 1})
        work = await world.accept(order_id)
        await asyncio.gather(world.plan_again(order_id, NEAR), world.pick(work), return_exceptions=True)

        async def decided() -> bool:
            return all(one.settled and one.state != "proposed" for one in (await world.order(order_id)).changes)

        await until(decided, "one of both was faster")
        if any(one.state == "applied" for one in (await world.order(order_id)).changes):
            await _moved(world, order_id, sku)
            return
        work = await world.pack(await world.work_at(order_id, NEAR, orders.FULFILMENT_STATE_PICKED))
        await world.parcel_paid(work.fulfilment_id)
        await world.deliver(await world.hand_over(work))
        await _ends(world, order_id, "CLOSED")
        await world.assert_settled(order_id, kept_minor=TOTAL, sold={sku: 1})

    async def stays(order_id: str, sku: str) -> None:
        assert await world.holds_of(sku) == {NEAR: 1}
        await world.ship(order_id)
        await _ends(world, order_id, "CLOSED")
        await world.assert_settled(order_id, kept_minor=TOTAL, sold={sku: 1})

    await asyncio.gather(nobody_has_it(), it_was_picked())


@pytest.mark.parametrize("fault", EACH_RECOVERABLE)
async def test_it_survives_failures_of_its_steps(world: World, fault: Fault) -> None:
    async def live(step: str) -> None:
        order_id, sku = await _offered(world, {NEAR: 1, MID: 1})
        world.faults.plan(order_id, step, fault)
        await world.plan_again(order_id, NEAR)
        await _with_help(world, order_id, _moved(world, order_id, sku))
        assert world.faults.is_spent(order_id), f"{step} was never taken"

    steps = ("read_proposal", "plan_order", "reserve", "apply_change", "release_hold", "settle_change")
    await asyncio.gather(*map(live, steps))
