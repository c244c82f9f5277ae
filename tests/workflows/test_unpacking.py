"""A parcel that was packed and does not leave: its units are sold to nobody before they lie on their shelf."""

import pytest

from oms.inventory.v1 import inventory_service_pb2 as inv
from oms.orders.v1 import collection_service_pb2 as col
from oms.orders.v1 import orders_service_pb2 as orders
from tests.workflows.world import NEAR, World, until

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def _at(world: World, sku: str) -> tuple[int, int, int]:
    """On hand, reserved and unavailable at NEAR."""
    rows = (await world.inventory.ListBalances(inv.ListBalancesRequest(skus=[sku]))).balances
    row = next(one for one in rows if one.point_id == NEAR)
    return row.on_hand, row.reserved, row.unavailable


async def _packed(world: World) -> tuple[str, str, orders.Fulfilment]:
    sku = await world.stock({NEAR: 3})
    recorded = await world.record({sku: 2})
    assert await world.place(recorded)
    work = await world.pack(await world.pick(await world.accept(recorded.order.order_id)))
    return sku, recorded.order.order_id, work


async def _put_back(world: World, work: orders.Fulfilment, sku: str) -> None:
    await world.collections.ConfirmPutBack(
        col.ConfirmPutBackRequest(
            request_id=f"back/{work.fulfilment_id}", fulfilment_id=work.fulfilment_id, actor="anna"
        )
    )

    async def is_sold_again() -> bool:
        return await _at(world, sku) == (3, 0, 0)

    await until(is_sold_again, "for sale again")


async def test_a_cancelled_parcel_is_for_sale_when_it_is_unpacked(world: World) -> None:
    sku, order_id, work = await _packed(world)
    await world.parcel_paid(work.fulfilment_id)
    await world.cancel(order_id)
    assert await world.ended(order_id) == "CANCELLED"
    await world.assert_settled(order_id, kept_minor=0, sold={sku: 0})
    assert await _at(world, sku) == (3, 0, 2)
    await _put_back(world, work, sku)


async def test_so_is_one_that_was_never_paid(world: World) -> None:
    sku = await world.stock({NEAR: 3})
    recorded = await world.record({sku: 2})
    assert await world.place(recorded)
    order_id = recorded.order.order_id
    world.provider.fault("capture", "decline", order_id=order_id)
    work = await world.pack(await world.pick(await world.accept(order_id)))
    await world.parcel_paid(work.fulfilment_id, "failed")
    await world.give_up(work.fulfilment_id)
    assert await world.ended(order_id) == "CANCELLED"
    assert await _at(world, sku) == (3, 0, 2)
    await _put_back(world, work, sku)
