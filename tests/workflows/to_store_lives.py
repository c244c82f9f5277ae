"""Lives of what is sent to the store where it is collected, whose histories are kept."""

from oms.orders.v1 import orders_service_pb2 as orders
from tests.workflows.collected_lives import choose, put_aside, show_code
from tests.workflows.world import FAR, MID, NEAR, World


async def sent_to_its_store_by_another_point(world: World) -> str:
    """The point that was to send it refuses: another one does, and all of it is put aside as it came."""
    order_id = await _placed(world, {MID: 1, FAR: 1})
    await world.work_at(order_id, MID)
    await world.refuse(order_id)
    await world.arrive(await world.send_on(order_id, FAR))
    await _collected(world, await world.work_at(order_id, NEAR, orders.FULFILMENT_STATE_PICKED))
    return order_id


async def not_sent_to_its_store_by_anybody(world: World) -> str:
    """Its customer wants the money of what nobody sends, and collects what the store has."""
    order_id = await _placed(world, {NEAR: 1}, {MID: 1})
    work = await world.work_at(order_id, MID)
    request = orders.RefuseOfferRequest(
        request_id=f"refuse/{work.fulfilment_id}",
        fulfilment_id=work.fulfilment_id,
        reason="no_time",
        actor="store",
    )
    await world.orders.RefuseOffer(request)
    await choose(world, order_id, "refund")
    await _collected(world, await world.pick(await world.accept(order_id)))
    return order_id


async def _placed(world: World, *articles: dict[str, int]) -> str:
    skus = [await world.stock(units) for units in articles]
    recorded = await world.record(dict.fromkeys(skus, 1), collect_at=NEAR, sent=True)
    await world.place(recorded)
    return recorded.order.order_id


async def _collected(world: World, work: orders.Fulfilment) -> None:
    await put_aside(world, work)
    await show_code(world, work)
