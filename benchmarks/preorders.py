"""Thousands of orders whose goods come out at one instant, and the ordinary orders that are placed meanwhile.

`preorder_release_ratio`: how many of them reach their point a second, from that instant on, over bare workflows a
second on the same server. `preorder_interference_ratio`: how long an ordinary order waits for its acceptance
meanwhile, one at a time (p95), over the same while nothing comes out. Nobody can wait here for a real release:
once they are accepted, the end of their holds is brought forward in the database of orders.
"""

import asyncio
import statistics
import time
from datetime import timedelta
from uuid import uuid4

import psycopg

from benchmarks.bare import bare_workflows
from benchmarks.contest import content, store
from benchmarks.figures import Result, result
from benchmarks.meter import reading
from benchmarks.offers import promised
from benchmarks.system import RESTING_CHANNEL, Shopper, System, at_once, feed
from kit import rpc, times
from oms.inventory.v1 import inventory_service_pb2 as inventory
from oms.inventory.v1.inventory_service_pb2_grpc import InventoryServiceStub
from oms.orders.v1 import orders_service_pb2 as orders
from oms.orders.v1.orders_service_pb2_grpc import OrdersServiceStub

_CHANNEL = "midnight"
_SKU = "OUT-AT-MIDNIGHT"
# Far enough to be waited for, near enough for the authorisations to hold.
_DAYS = 3
_IN_FLIGHT = 20
_ORDINARY = 100
_FEW = 320
# For each of them; the last one waits for all.
_PATIENCE_SECONDS = 1.0
_RELEASE_NOW = """
UPDATE orders SET hold_until = now(), holds = (
    SELECT jsonb_agg(CASE WHEN hold->>'kind' = 'release_date'
                          THEN hold || jsonb_build_object('until', to_jsonb(now())) ELSE hold END)
    FROM jsonb_array_elements(holds) AS hold)
WHERE channel_id = %s AND hold_until IS NOT NULL
"""


async def measure(system: System, many: int) -> list[Result]:
    """One release of so many."""
    await _announce(system, many)
    await promised(system, _CHANNEL, sku=_SKU)
    waiting = Shopper(system.api, _CHANNEL, [content(_CHANNEL, _SKU)])
    ordinary = system.shop(RESTING_CHANNEL)
    async with bare_workflows(system) as bare, feed(system) as told:
        placed = list[str]()

        async def wait() -> None:
            placed.append((await waiting.place())["id"])

        await at_once(_IN_FLIGHT, many, wait)
        await at_once(_IN_FLIGHT, _FEW // 2, bare.run)
        with reading() as taken:
            await system.settle()
            alone = _FEW / await at_once(_IN_FLIGHT, _FEW, bare.run)
            await system.settle()
            at_rest = [await _acceptance_ms(ordinary) for _ in range(_ORDINARY)]
            await system.settle()
            began = time.perf_counter()
            await _come_out(system, many)
            offered = asyncio.gather(
                *(told.told(one, "fulfilment.offered", many * _PATIENCE_SECONDS) for one in placed)
            )
            meanwhile = list[float]()
            while not offered.done():
                meanwhile.append(await _acceptance_ms(ordinary))
            await offered
            released = many / (time.perf_counter() - began)
    return [
        result("preorder_release_ratio", [released / alone], taken.load),
        result("preorder_interference_ratio", [_p95(meanwhile) / _p95(at_rest)], taken.load),
        result("preorders_released_per_second", [released], taken.load),
        result("preorders_released", [many], taken.load),
    ]


async def _announce(system: System, units: int) -> None:
    """An article that is on the shelf and comes out in some days, and the channel that takes orders for it."""
    point = store(0)
    release = (times.now() + timedelta(days=_DAYS)).date().isoformat()
    async with rpc.connect(system.stack.addresses["inventory"]) as channel:
        stub = InventoryServiceStub(channel)
        await stub.PutStockPoints(inventory.PutStockPointsRequest(points=[point]))
        shop = inventory.Channel(
            channel_id=_CHANNEL, name="Midnight", currency="EUR", activated_points=[point.point_id]
        )
        await stub.PutChannels(inventory.PutChannelsRequest(channels=[shop]))
        item = inventory.Item(sku=_SKU, title="Game", brand="Ondelle", weight_grams=200, release_date=release)
        await stub.PutItems(inventory.PutItemsRequest(items=[item]))
        cause = inventory.Cause(cause="receipt", actor="benchmark", source="benchmark")
        delta = inventory.StockDelta(sku=_SKU, point_id=point.point_id, quantity=units)
        await stub.AdjustStock(
            inventory.AdjustStockRequest(request_id=f"preorders/{uuid4().hex}", deltas=[delta], cause=cause)
        )
    async with rpc.connect(system.stack.addresses["orders"]) as channel:
        selling = OrdersServiceStub(channel)
        life_cycle = orders.LifeCycle(
            life_cycle_id=_CHANNEL, offer_seconds=3600, payment_action_seconds=900, reroute_limit=1
        )
        await selling.PublishLifeCycle(orders.PublishLifeCycleRequest(life_cycle=life_cycle))
        sales = orders.SalesChannel(channel_id=_CHANNEL, name="Midnight", currency="EUR", life_cycle_id=_CHANNEL)
        await selling.PutSalesChannels(orders.PutSalesChannelsRequest(channels=[sales]))


async def _come_out(system: System, many: int) -> None:
    url = system.stack.database_url("orders").replace("postgresql+psycopg://", "postgresql://", 1)
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
        changed = await connection.execute(_RELEASE_NOW, (_CHANNEL,))
    if changed.rowcount != many:
        raise ValueError(f"{changed.rowcount} of {many} orders wait for the release")


async def _acceptance_ms(shopper: Shopper) -> float:
    began = time.perf_counter()
    await shopper.place()
    return (time.perf_counter() - began) * 1000


def _p95(took: list[float]) -> float:
    return statistics.quantiles(took, n=20)[-1]
