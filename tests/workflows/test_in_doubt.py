"""What a store says that it cannot give is declared unavailable there, with the reason that the store gave."""

import asyncio

import pytest

from oms.inventory.v1 import inventory_service_pb2 as inv
from oms.inventory.v1 import shelf_service_pb2 as shelf
from oms.orders.v1 import orders_service_pb2 as orders
from tests.workflows.test_order import _placed
from tests.workflows.world import FAR, NEAR, World, until

pytestmark = pytest.mark.asyncio(loop_scope="module")
_NOT_FOUND = inv.DECLARATION_REASON_NOT_FOUND
_DAMAGED = inv.DECLARATION_REASON_DAMAGED


async def _declared(world: World, sku: str) -> inv.Declaration:
    async def look() -> inv.Declaration | None:
        asked = shelf.ListDeclarationsRequest(point_id=NEAR, sku=sku)
        found = (await world.shelf.ListDeclarations(asked)).declarations
        return found[0] if found else None

    found = await until(look, "declared unavailable")
    assert found
    return found


@pytest.mark.parametrize(("word", "reason"), [("damaged", _DAMAGED), ("not_found", _NOT_FOUND)])
async def test_units_in_doubt_are_declared_with_the_reason_that_was_given(
    world: World, word: str, reason: int
) -> None:
    async def refused() -> None:
        sku = await world.stock({NEAR: 2, FAR: 2})
        order_id = await _placed(world, {sku: 2})
        await world.refuse(order_id, word)
        one = await _declared(world, sku)
        assert (one.quantity, one.reason) == (2, reason)

    async def missed() -> None:
        sku = await world.stock({NEAR: 2, FAR: 2})
        order_id = await _placed(world, {sku: 2})
        work = await world.accept(order_id)
        request = orders.RecordPickRequest(
            request_id=f"pick/{work.fulfilment_id}",
            fulfilment_id=work.fulfilment_id,
            found=[orders.PlannedLine(line_number=1, quantity=1)],
            missing=[orders.MissingUnits(line_number=1, reason=word)],
            actor="store",
        )
        await world.orders.RecordPick(request)
        one = await _declared(world, sku)
        assert (one.quantity, one.reason) == (1, reason)

    await asyncio.gather(refused(), missed())
