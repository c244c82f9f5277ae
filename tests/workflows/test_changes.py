"""Orders that are changed while they stand: afterwards stock, room and money are what the order stands for."""

import asyncio

import pytest

from kit.errors import FailedPrecondition
from oms.orders.v1 import orders_service_pb2 as orders
from tests.workflows.faults import Fault
from tests.workflows.test_capacity import takings
from tests.workflows.test_unwind import EACH, _ends, _with_help
from tests.workflows.world import FAR, MID, NEAR, PRICE_MINOR, SHIPPING_MINOR, World, until

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def _placed(world: World, units: dict[str, int], quantity: int, channel: str = "web") -> tuple[str, str]:
    sku = await world.stock(units)
    recorded = await world.record({sku: quantity}, channel=channel)
    await world.place(recorded)
    return sku, recorded.order.order_id


@pytest.mark.parametrize("channel", ["slow", "prepaid-slow", "market"])
async def test_units_that_are_not_wanted_are_given_back_with_their_money(world: World, channel: str) -> None:
    """In cooling-off, or with their points already."""
    sku, order_id = await _placed(world, {NEAR: 3}, 3, channel)
    if channel == "market":
        await world.work_in(order_id, orders.FULFILMENT_STATE_OFFERED)
    await world.cancel_lines(order_id, {1: 1})
    await world.change_in(order_id, "applied")
    assert await world.holds_of(sku) == {NEAR: 2}
    if channel != "market":
        hold = await world.hold(order_id)
        await world.let_go(order_id, hold.hold_id)
        await world.cools_off(order_id)
    work = await world.accept(order_id)
    assert [line.quantity for line in work.lines] == [2]
    work = await world.pack(await world.pick(work))
    await world.parcel_paid(work.fulfilment_id)
    await world.deliver(await world.hand_over(work))
    await _ends(world, order_id, "CLOSED")
    await world.assert_settled(order_id, kept_minor=2 * PRICE_MINOR + SHIPPING_MINOR, sold={sku: 2})


async def test_units_that_were_captured_with_the_order_are_refunded(world: World) -> None:
    sku, order_id = await _placed(world, {NEAR: 2}, 2, "prepaid")
    await world.work_in(order_id, orders.FULFILMENT_STATE_OFFERED)
    await world.cancel_lines(order_id, {1: 1})
    await world.change_in(order_id, "applied")
    await world.ship(order_id)
    await _ends(world, order_id, "CLOSED")
    await world.assert_settled(order_id, kept_minor=PRICE_MINOR + SHIPPING_MINOR, sold={sku: 1})


async def test_work_that_lost_all_its_units_ends_and_its_room_is_free(world: World) -> None:
    sku, order_id = await _placed(world, {NEAR: 1, MID: 2}, 3)
    await until(lambda: _both_offered(world, order_id))
    emptied = (await world.order(order_id)).fulfilments[-1]
    await world.cancel_lines(order_id, {1: sum(line.quantity for line in emptied.lines)})
    await world.change_in(order_id, "applied")
    await world.ship(order_id)
    await _ends(world, order_id, "CLOSED")
    kept = 3 - sum(line.quantity for line in emptied.lines)
    await world.assert_settled(order_id, kept_minor=kept * PRICE_MINOR + SHIPPING_MINOR, sold={sku: kept})


async def test_the_room_of_work_that_lost_all_its_units_is_free_also_where_another_point_won_it(
    world: World,
) -> None:
    """At whatever moment: its room follows its winner after the work itself."""
    one, other = await world.stock({NEAR: 1, MID: 1}), await world.stock({FAR: 1})
    recorded = await world.record({one: 1, other: 1}, channel="contest")
    order_id = recorded.order.order_id
    await world.place(recorded)
    await until(lambda: _both_offered(world, order_id))
    works = {row.lines[0].sku: row.fulfilment_id for row in (await world.order(order_id)).fulfilments}
    assert await world.win(works[one], MID)
    await until(lambda: _has_room_at(world, order_id, MID))
    await world.cancel_lines(order_id, {1: 1})
    await world.change_in(order_id, "applied")
    assert await world.take(works[other], FAR) is None
    await world.prepare(order_id)
    await _ends(world, order_id, "CLOSED")
    await world.assert_settled(order_id, kept_minor=PRICE_MINOR + SHIPPING_MINOR, sold={one: 0, other: 1})


async def _has_room_at(world: World, order_id: str, point: str) -> bool:
    return point in {taking.point_id for taking in await takings(world, order_id)}


async def _both_offered(world: World, order_id: str) -> bool:
    works = (await world.order(order_id)).fulfilments
    return len(works) == 2 and all(work.state == orders.FULFILMENT_STATE_OFFERED for work in works)


async def test_a_point_that_refuses_after_units_were_cancelled_loses_no_more_than_it_had(world: World) -> None:
    """Its story knows the work as it was offered; the units look for a place as they are."""
    sku, order_id = await _placed(world, {NEAR: 2, MID: 2}, 2)
    await world.work_in(order_id, orders.FULFILMENT_STATE_OFFERED)
    await world.cancel_lines(order_id, {1: 1})
    await world.refuse(order_id)
    await world.change_in(order_id, "applied")
    await world.ship(order_id)
    await _ends(world, order_id, "CLOSED")
    await world.assert_settled(order_id, kept_minor=PRICE_MINOR + SHIPPING_MINOR, sold={sku: 1})


async def test_without_a_unit_left_the_order_is_cancelled_and_what_is_picked_is_kept(world: World) -> None:
    sku, order_id = await _placed(world, {NEAR: 2}, 2, "slow")
    await world.cancel_lines(order_id, {1: 2})
    await _ends(world, order_id, "CANCELLED")
    await world.assert_settled(order_id, kept_minor=0, sold={sku: 0})
    sku, order_id = await _placed(world, {NEAR: 2}, 2)
    work = await world.pick(await world.accept(order_id))
    with pytest.raises(FailedPrecondition) as late:
        await world.cancel_lines(order_id, {1: 1})
    assert (late.value.reason, late.value.facts["cancellable"]) == ("TOO_LATE_TO_CHANGE", "0")
    work = await world.pack(work)
    await world.parcel_paid(work.fulfilment_id)
    await world.deliver(await world.hand_over(work))
    await _ends(world, order_id, "CLOSED")
    await world.assert_settled(order_id, kept_minor=2 * PRICE_MINOR + SHIPPING_MINOR, sold={sku: 2})


@pytest.mark.parametrize("fault", EACH)
async def test_units_are_given_back_once_whatever_goes_wrong_with_a_step(world: World, fault: Fault) -> None:
    async def live(step: str) -> None:
        sku, order_id = await _placed(world, {NEAR: 2, MID: 1}, 3)
        await until(lambda: _both_offered(world, order_id))
        emptied = (await world.order(order_id)).fulfilments[-1]
        gone = sum(line.quantity for line in emptied.lines)
        world.faults.plan(order_id, step, fault)
        await world.cancel_lines(order_id, {1: gone})
        await _with_help(world, order_id, _decided(world, order_id))
        assert world.faults.is_spent(order_id), f"{step} was never taken"
        await world.ship(order_id)
        await _with_help(world, order_id, _ends(world, order_id, "CLOSED"))
        kept = 3 - gone
        await world.assert_settled(order_id, kept_minor=kept * PRICE_MINOR + SHIPPING_MINOR, sold={sku: kept})

    await asyncio.gather(*(live(step) for step in ("release_hold", "release_capacity", "void", "settle_change")))


async def _decided(world: World, order_id: str) -> None:
    await world.change_in(order_id, "applied")
