"""Reserve over gRPC on many SKUs, over an empty echo of the same messages: what holding costs beyond the call.

Both are asked by one client with so many calls in flight that it is never idle; each server is one process.
"""

import asyncio
from collections.abc import Sequence
from itertools import count
from typing import TYPE_CHECKING

import psycopg

from benchmarks.figures import Result, result
from benchmarks.meter import reading
from benchmarks.system import System, at_once, peer
from kit import rpc, times
from kit.values.ids import new_id
from oms.inventory.v1 import inventory_service_pb2 as pb
from oms.inventory.v1.inventory_service_pb2_grpc import InventoryServiceStub

if TYPE_CHECKING:
    from oms.inventory.v1.inventory_service_pb2_grpc import InventoryServiceAsyncStub

_IN_FLIGHT = 64
_ROUNDS = 7
_TIMES = 3_000
_WARM_UP = 1_000
_SKUS = 2_000
_POINT = "wh-orleans"
_CHANNEL = "web-fr"


async def measure(system: System) -> list[Result]:
    """Rounds of both in turn."""
    async with (
        peer(system, "echo") as echo,
        rpc.connect(system.stack.addresses["inventory"]) as to_inventory,
        rpc.connect(echo.address) as to_echo,
    ):
        skus = spread_skus()
        await stock_up(InventoryServiceStub(to_inventory), skus)
        holding = Asker(InventoryServiceStub(to_inventory), skus)
        empty = Asker(InventoryServiceStub(to_echo), skus)
        held, echoed = [], []
        for asker in (holding, empty):
            await at_once(_IN_FLIGHT, _WARM_UP, asker.reserve)
        await asyncio.to_thread(analyze, system.stack.database_url("inventory"))
        with reading() as taken:
            for _ in range(_ROUNDS):
                await system.settle()
                echoed.append(_TIMES / await at_once(_IN_FLIGHT, _TIMES, empty.reserve))
                held.append(_TIMES / await at_once(_IN_FLIGHT, _TIMES, holding.reserve))
    ratios = [mine / theirs for mine, theirs in zip(held, echoed, strict=True)]
    return [
        result("reserve_spread_ratio", ratios, taken.load),
        result("reserve_per_second", held, taken.load),
        result("echo_per_second", echoed, taken.load),
    ]


async def stock_up(stub: "InventoryServiceAsyncStub", skus: Sequence[str]) -> None:
    """Articles with units that no benchmark uses up."""
    items = [pb.Item(sku=sku, title=sku, brand="Benchmark", weight_grams=100) for sku in skus]
    await stub.PutItems(pb.PutItemsRequest(items=items))
    deltas = [pb.StockDelta(sku=sku, point_id=_POINT, quantity=1_000_000) for sku in skus]
    cause = pb.Cause(cause="receipt", actor="benchmark", source="benchmark")
    await stub.AdjustStock(pb.AdjustStockRequest(request_id=new_id("req"), deltas=deltas, cause=cause))


def analyze(url: str) -> None:
    """Statistics as a shop has them a minute after it has opened. `url` is SQLAlchemy's."""
    with psycopg.connect(url.replace("postgresql+psycopg://", "postgresql://", 1), autocommit=True) as connection:
        connection.execute("ANALYZE")


def spread_skus() -> list[str]:
    """So many that those asked for at one moment have no row in common."""
    return [f"BENCHMARK-{number:05d}" for number in range(_SKUS)]


class Asker:
    """Holds one unit of one SKU after the other, as the story of an order does."""

    def __init__(self, stub: "InventoryServiceAsyncStub", skus: Sequence[str]) -> None:
        self._stub = stub
        self._skus = skus
        self._numbers = count()

    async def reserve(self) -> None:
        """Raises ValueError when the unit is refused."""
        order_id = new_id("ord")
        # A step that shares no factor with the number of SKUs: neighbours in time are no neighbours in the table.
        sku = self._skus[next(self._numbers) * 701 % len(self._skus)]
        answer = await self._stub.Reserve(
            pb.ReserveRequest(
                request_id=f"order/{order_id}/reserve/1",
                reservation_id=order_id,
                channel_id=_CHANNEL,
                lines=[pb.HoldLine(sku=sku, point_id=_POINT, quantity=1)],
                time_to_live_seconds=600,
                as_of=times.to_proto(times.now()),
            )
        )
        if not answer.reserved:
            raise ValueError(f"{sku} was refused")
