"""Lives of what customers collect at a store, whose histories are kept."""

from typing import Any
from uuid import uuid4

from oms.orders.v1 import collection_service_pb2 as col
from oms.orders.v1 import orders_service_pb2 as orders
from tests.workflows.world import BESIDE, NEAR, World, until


async def collected_in_part(world: World) -> str:
    """Paid at the counter for one of two units; the other one is the store's again."""
    _, order_id = await _collectable(world, {NEAR: 2})
    await _at_the_counter(world, order_id, units=1)
    return order_id


async def collected_at_another_store(world: World) -> str:
    """The store refuses; the customer chooses another one, and is declined there at first."""
    payment = orders.PaymentTerms(payment_method_token="pm_card_captureDeclined")
    _, order_id = await _collectable(world, {NEAR: 2, BESIDE: 2}, payment=payment)
    await world.refuse(order_id, "no_staff")
    await choose(world, order_id, "store", BESIDE)
    work = await _at_the_counter(world, order_id, is_paid=False)
    await world.override(order_id, work.fulfilment_id)
    await show_code(world, work)
    return order_id


async def short_at_the_counter_and_refunded(world: World) -> str:
    """Part of it is not found: the customer wants the money of that, and collects the rest."""
    _, order_id = await _collectable(world, {NEAR: 2})
    work = await world.pick(await world.accept(order_id), missing=1)
    await choose(world, order_id, "refund")
    await put_aside(world, work)
    await show_code(world, work)
    return order_id


async def reserved_and_collected(world: World) -> str:
    """An e-reservation: no payment of ours."""
    _, order_id = await _collectable(world, {NEAR: 1}, 1, reserved=True)
    await _at_the_counter(world, order_id)
    return order_id


async def _collectable(world: World, units: dict[str, int], wanted: int = 2, **options: Any) -> tuple[str, str]:
    sku = await world.stock(units)
    recorded = await world.record({sku: wanted}, collect_at=NEAR, **options)
    await world.place(recorded)
    return sku, recorded.order.order_id


async def put_aside(world: World, work: orders.Fulfilment) -> None:
    request = col.MarkReadyRequest(
        request_id=f"ready/{work.fulfilment_id}", fulfilment_id=work.fulfilment_id, actor="store"
    )
    await world.collections.MarkReady(request)


async def _at_the_counter(
    world: World, order_id: str, units: int = 0, *, is_paid: bool = True
) -> orders.Fulfilment:
    """Picked, put aside, and asked for with its code; unpaid when the money is declined."""
    work = await world.pick(await world.accept(order_id))
    await put_aside(world, work)
    await show_code(world, work, units, is_paid=is_paid)
    return work


async def show_code(world: World, work: orders.Fulfilment, units: int = 0, *, is_paid: bool = True) -> None:
    codes = (
        await world.collections.GetCollectionCodes(col.GetCollectionCodesRequest(order_id=work.order_id))
    ).codes
    request = col.CollectRequest(
        request_id=uuid4().hex,
        fulfilment_id=work.fulfilment_id,
        code=codes[0].code,
        collected_by="customer",
        lines=[orders.PlannedLine(line_number=1, quantity=units)] if units else [],
        actor="store",
    )
    await world.collections.Collect(request)
    if is_paid:
        await world.work_in(work.order_id, orders.FULFILMENT_STATE_DELIVERED)
    else:
        await world.parcel_paid(work.fulfilment_id, "failed")


async def choose(world: World, order_id: str, kind: str, point: str = "") -> None:
    async def is_asked() -> bool:
        return bool((await world.order(order_id)).choices)

    await until(is_asked, f"{order_id}: the customer is asked")
    request = col.ChooseRequest(
        request_id=uuid4().hex, order_id=order_id, kind=kind, point_id=point, actor="customer"
    )
    await world.collections.Choose(request)
