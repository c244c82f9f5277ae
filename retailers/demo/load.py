"""Loads the demo retailer: `python -m retailers.demo.load`. Loading again changes nothing.

What is described (items, points, channels, carriers...) is replaced by what the files say. Stock is not described
but moved: the opening stock of a point is received once, and after that its ledger is the truth.
"""

import asyncio
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

import grpc

from kit import rpc
from kit.errors import Conflict, DeadlineExceeded, Unavailable
from kit.settings import Settings
from oms.inventory.v1 import inventory_service_pb2 as inventory_pb
from oms.inventory.v1.inventory_service_pb2_grpc import InventoryServiceStub
from oms.orders.v1 import orders_service_pb2 as orders_pb
from oms.orders.v1.orders_service_pb2_grpc import OrdersServiceStub
from oms.promise.v1 import promise_service_pb2 as promise_pb
from oms.promise.v1.promise_service_pb2_grpc import PromiseServiceStub
from oms.type.v1 import type_pb2 as types
from retailers.demo import data
from retailers.demo.data import Retailer

if TYPE_CHECKING:
    from oms.inventory.v1.inventory_service_pb2_grpc import InventoryServiceAsyncStub

_TIMEOUT_SECONDS = 60
_AGAIN_AFTER_SECONDS = 0.5
_RECEIPT = inventory_pb.Cause(cause="receipt", actor="retailers/demo", source="opening-stock")


class LoadSettings(Settings):
    """Where the services answer."""

    inventory_address: str
    promise_address: str
    orders_address: str


@dataclass(frozen=True, slots=True)
class Summary:
    """How many things the retailer has of each kind, and how many of them this load changed."""

    things: dict[str, int]
    changed: int

    def __str__(self) -> str:
        listed = ", ".join(f"{count} {name}" for name, count in self.things.items())
        return f"demo retailer: {listed}; {self.changed or 'nothing'} changed"


async def load(inventory: str, promise: str, orders: str) -> Summary:
    """Brings the services at these addresses (host:port) to what the files say."""
    retailer = data.read()
    async with AsyncExitStack() as stack:
        channels = [await stack.enter_async_context(rpc.connect(each)) for each in (inventory, promise, orders)]
        changed = await asyncio.gather(
            _load_inventory(channels[0], retailer),
            _load_promise(channels[1], retailer),
            _load_orders(channels[2], retailer),
        )
    units = sum(delta.quantity for deltas in retailer.opening_stock.values() for delta in deltas)
    return Summary(
        things={
            "items": len(retailer.items),
            "stock points": len(retailer.points),
            "units of stock": units,
            "channels": len(retailer.channels),
            "carriers": len(retailer.carriers),
            "postcode areas": len(retailer.areas),
            "life cycles": len(retailer.life_cycles),
        },
        changed=sum(changed),
    )


async def _load_inventory(channel: grpc.aio.Channel, retailer: Retailer) -> int:
    stub = InventoryServiceStub(channel)
    items = await stub.PutItems(inventory_pb.PutItemsRequest(items=retailer.items), timeout=_TIMEOUT_SECONDS)
    points = await stub.PutStockPoints(
        inventory_pb.PutStockPointsRequest(points=retailer.points), timeout=_TIMEOUT_SECONDS
    )
    channels = await stub.PutChannels(
        inventory_pb.PutChannelsRequest(channels=retailer.channels), timeout=_TIMEOUT_SECONDS
    )
    received = [await _receive(stub, point_id, deltas) for point_id, deltas in retailer.opening_stock.items()]
    return items.changed + points.changed + channels.changed + sum(received)


async def _receive(stub: "InventoryServiceAsyncStub", point_id: str, deltas: list[inventory_pb.StockDelta]) -> int:
    """The opening stock of a point, unless it was received before."""
    any_balance = inventory_pb.ListBalancesRequest(point_ids=[point_id], page=types.PageRequest(size=1))
    held = await stub.ListBalances(any_balance, timeout=_TIMEOUT_SECONDS)
    if held.balances:
        return 0
    request = inventory_pb.AdjustStockRequest(
        request_id=f"demo/opening-stock/{point_id}", deltas=deltas, cause=_RECEIPT
    )
    try:
        await stub.AdjustStock(request, timeout=_TIMEOUT_SECONDS)
    except Conflict:
        # Received at another time from other files: the ledger has gone on since, so it is left alone.
        return 0
    return len(deltas)


async def _load_promise(channel: grpc.aio.Channel, retailer: Retailer) -> int:
    stub = PromiseServiceStub(channel)
    carriers = await stub.PutCarriers(
        promise_pb.PutCarriersRequest(carriers=retailer.carriers), timeout=_TIMEOUT_SECONDS
    )
    geography = await stub.PutGeography(
        promise_pb.PutGeographyRequest(zones=retailer.zones, areas=retailer.areas), timeout=_TIMEOUT_SECONDS
    )
    await stub.PublishRuleset(promise_pb.PublishRulesetRequest(ruleset=retailer.ruleset), timeout=_TIMEOUT_SECONDS)
    return carriers.changed + geography.changed


async def _load_orders(channel: grpc.aio.Channel, retailer: Retailer) -> int:
    stub = OrdersServiceStub(channel)
    for life_cycle in retailer.life_cycles:
        await stub.PublishLifeCycle(
            orders_pb.PublishLifeCycleRequest(life_cycle=life_cycle), timeout=_TIMEOUT_SECONDS
        )
    channels = await stub.PutSalesChannels(
        orders_pb.PutSalesChannelsRequest(channels=retailer.sales_channels), timeout=_TIMEOUT_SECONDS
    )
    return channels.changed


async def load_when_there(inventory: str, promise: str, orders: str) -> Summary:
    """As `load`, from the start again while a service is away; raises if it stays so for a minute."""
    deadline = time.monotonic() + _TIMEOUT_SECONDS
    while True:
        try:
            return await load(inventory, promise, orders)
        except (Unavailable, DeadlineExceeded) as away:
            if time.monotonic() > deadline:
                raise
            print(f"{away}; trying again")
        await asyncio.sleep(_AGAIN_AFTER_SECONDS)


async def main() -> None:
    """Loads and says what was loaded."""
    settings = LoadSettings.model_validate({})
    print(await load_when_there(settings.inventory_address, settings.promise_address, settings.orders_address))


if __name__ == "__main__":
    asyncio.run(main())
