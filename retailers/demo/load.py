"""Loads the demo retailer: `python -m retailers.demo.load`. Loading again changes nothing.

What is described (items, points, channels, carriers...) is replaced by what the files say. Stock is not described
but moved: the opening stock of a point is received once, and after that its ledger is the truth.
"""

import asyncio
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

import grpc

from kit import rpc, times
from kit.errors import Conflict, DeadlineExceeded, InvalidArgument, Unavailable
from kit.settings import Settings
from oms.booking.v1 import booking_service_pb2 as booking_pb
from oms.booking.v1.booking_service_pb2_grpc import BookingServiceStub
from oms.inventory.v1 import inventory_service_pb2 as inventory_pb
from oms.inventory.v1 import merchandising_service_pb2 as merchandising_pb
from oms.inventory.v1 import supply_service_pb2 as supply_pb
from oms.inventory.v1 import transfer_service_pb2 as transfers_pb
from oms.inventory.v1.inventory_service_pb2_grpc import InventoryServiceStub
from oms.inventory.v1.merchandising_service_pb2_grpc import MerchandisingServiceStub
from oms.inventory.v1.supply_service_pb2_grpc import SupplyServiceStub
from oms.inventory.v1.transfer_service_pb2_grpc import TransferServiceStub
from oms.orders.v1 import orders_service_pb2 as orders_pb
from oms.orders.v1.orders_service_pb2_grpc import OrdersServiceStub
from oms.promise.v1 import capacity_service_pb2 as capacity_pb
from oms.promise.v1 import promise_service_pb2 as promise_pb
from oms.promise.v1 import ruleset_service_pb2 as rules_pb
from oms.promise.v1.capacity_service_pb2_grpc import CapacityServiceStub
from oms.promise.v1.promise_service_pb2_grpc import PromiseServiceStub
from oms.promise.v1.ruleset_service_pb2_grpc import RulesetServiceStub
from oms.type.v1 import type_pb2 as types
from retailers.demo import cards, data, handover
from retailers.demo.data import Coming, Retailer

if TYPE_CHECKING:
    from oms.inventory.v1.inventory_service_pb2_grpc import InventoryServiceAsyncStub

_TIMEOUT_SECONDS = 60
_AGAIN_AFTER_SECONDS = 0.5
_ACTOR = "retailers/demo"
# What inventory takes in one call.
_FACTS_AT_ONCE = 1_000
_RECEIPT = inventory_pb.Cause(cause="receipt", actor=_ACTOR, source="opening-stock")


class LoadSettings(Settings):
    """Where the services answer."""

    inventory_address: str
    promise_address: str
    orders_address: str
    payments_address: str
    handover_address: str
    booking_address: str


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
        limits = await _load_capacity(channels[1], retailer)
    units = sum(delta.quantity for deltas in retailer.opening_stock.values() for delta in deltas)
    return Summary(
        things={
            "items": len(retailer.items),
            "stock points": len(retailer.points),
            "units of stock": units,
            "lanes": len(retailer.lanes),
            "channels": len(retailer.channels),
            "expected deliveries": len(retailer.deliveries),
            "positions with facts": len(retailer.facts),
            "articles with a shelf": len(retailer.locations),
            "carriers": len(retailer.carriers),
            "boxes": len(retailer.boxes),
            "limits of capacity": len(retailer.capacity),
            "postcode areas": len(retailer.areas),
            "life cycles": len(retailer.life_cycles),
        },
        changed=sum(changed) + limits,
    )


async def _load_inventory(channel: grpc.aio.Channel, retailer: Retailer) -> int:
    stub = InventoryServiceStub(channel)
    items = await stub.PutItems(
        inventory_pb.PutItemsRequest(items=retailer.items, actor=_ACTOR), timeout=_TIMEOUT_SECONDS
    )
    points = await stub.PutStockPoints(
        inventory_pb.PutStockPointsRequest(points=retailer.points, actor=_ACTOR), timeout=_TIMEOUT_SECONDS
    )
    channels = await stub.PutChannels(
        inventory_pb.PutChannelsRequest(channels=retailer.channels, actor=_ACTOR), timeout=_TIMEOUT_SECONDS
    )
    received = [await _receive(stub, point_id, deltas) for point_id, deltas in retailer.opening_stock.items()]
    lanes = await _load_lanes(channel, retailer)
    to_come = await _load_supply(channel, retailer)
    facts = await _load_facts(channel, retailer)
    return items.changed + points.changed + channels.changed + sum(received) + lanes + to_come + facts


async def _load_lanes(channel: grpc.aio.Channel, retailer: Retailer) -> int:
    stub = TransferServiceStub(channel)
    lanes = await stub.PutLanes(transfers_pb.PutLanesRequest(lanes=retailer.lanes), timeout=_TIMEOUT_SECONDS)
    return lanes.changed


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


async def _load_supply(channel: grpc.aio.Channel, retailer: Retailer) -> int:
    """Rules and pre-orders as they stand; a delivery is put only if it never was, its days counted from now."""
    stub = SupplyServiceStub(channel)
    rules = [await stub.PutFutureRules(one, timeout=_TIMEOUT_SECONDS) for one in retailer.future_rules]
    preorders = await stub.PutPreorders(
        supply_pb.PutPreordersRequest(preorders=retailer.preorders), timeout=_TIMEOUT_SECONDS
    )
    ids = [one.delivery.delivery_id for one in retailer.deliveries]
    known = await stub.ListExpectedDeliveries(
        supply_pb.ListExpectedDeliveriesRequest(delivery_ids=ids, page=types.PageRequest(size=500)),
        timeout=_TIMEOUT_SECONDS,
    )
    missing = set(ids) - {one.delivery_id for one in known.deliveries}
    if missing:
        coming = [_dated(one) for one in retailer.deliveries if one.delivery.delivery_id in missing]
        request = supply_pb.PutExpectedDeliveriesRequest(deliveries=coming)
        await stub.PutExpectedDeliveries(request, timeout=_TIMEOUT_SECONDS)
    return sum(one.changed for one in rules) + preorders.changed + len(missing)


async def _load_facts(channel: grpc.aio.Channel, retailer: Retailer) -> int:
    """What stands in the files is said again: it changes nothing, and rates are as fresh as the load."""
    stub = MerchandisingServiceStub(channel)
    places = retailer.locations
    starts = range(0, len(places), _FACTS_AT_ONCE)
    changed = 0
    for facts in (retailer.facts, *(places[start : start + _FACTS_AT_ONCE] for start in starts)):
        request = merchandising_pb.PutPositionFactsRequest(facts=facts, actor=_ACTOR)
        answer = await stub.PutPositionFacts(request, timeout=_TIMEOUT_SECONDS)
        changed += sum(one.outcome == merchandising_pb.FACTS_OUTCOME_CHANGED for one in answer.results)
    return changed


def _dated(coming: Coming) -> supply_pb.ExpectedDelivery:
    today = times.now().date()
    first, last = (today + timedelta(days=days) for days in coming.in_days)
    dated = supply_pb.ExpectedDelivery(from_date=first.isoformat(), until_date=last.isoformat())
    dated.MergeFrom(coming.delivery)
    return dated


async def _load_promise(channel: grpc.aio.Channel, retailer: Retailer) -> int:
    stub = PromiseServiceStub(channel)
    carriers = await stub.PutCarriers(
        promise_pb.PutCarriersRequest(carriers=retailer.carriers), timeout=_TIMEOUT_SECONDS
    )
    boxes = await stub.PutBoxes(promise_pb.PutBoxesRequest(boxes=retailer.boxes), timeout=_TIMEOUT_SECONDS)
    geography = await stub.PutGeography(
        promise_pb.PutGeographyRequest(zones=retailer.zones, areas=retailer.areas), timeout=_TIMEOUT_SECONDS
    )
    return carriers.changed + boxes.changed + geography.changed + await _load_ruleset(channel, retailer)


async def _load_ruleset(channel: grpc.aio.Channel, retailer: Retailer) -> int:
    """Published once: after that it belongs to the people who change it."""
    stub = RulesetServiceStub(channel)
    if (await stub.ListRulesets(rules_pb.ListRulesetsRequest(), timeout=_TIMEOUT_SECONDS)).rulesets:
        return 0
    content = rules_pb.RulesetContent(text=retailer.ruleset)
    request = rules_pb.PublishRulesetRequest(content=content, actor=_ACTOR, reason="the demo retailer's rules")
    await stub.PublishRuleset(request, timeout=_TIMEOUT_SECONDS)
    return 1


async def _load_capacity(channel: grpc.aio.Channel, retailer: Retailer) -> int:
    """Set once: after that they belong to the people who change them."""
    stub = CapacityServiceStub(channel)
    if (await stub.ListLimits(capacity_pb.ListLimitsRequest(), timeout=_TIMEOUT_SECONDS)).limits:
        return 0
    request = capacity_pb.PutLimitsRequest(limits=retailer.capacity, actor=_ACTOR)
    deadline = time.monotonic() + _TIMEOUT_SECONDS
    while True:
        try:
            return (await stub.PutLimits(request, timeout=_TIMEOUT_SECONDS)).changed
        except InvalidArgument as error:
            # promise hears of new points a moment after inventory.
            if error.reason != "UNKNOWN_POINT" or time.monotonic() > deadline:
                raise
        await asyncio.sleep(_AGAIN_AFTER_SECONDS)


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


async def load_slots(booking: str) -> int:
    """Patterns of slots, put once into the service at this address: after that they belong to who changes them."""
    async with rpc.connect(booking) as channel:
        stub = BookingServiceStub(channel)
        known = await stub.ListSlotPatterns(booking_pb.ListSlotPatternsRequest(), timeout=_TIMEOUT_SECONDS)
        if known.patterns:
            return len(known.patterns)
        request = booking_pb.PutSlotPatternsRequest(patterns=data.read().slots, actor=_ACTOR)
        return (await stub.PutSlotPatterns(request, timeout=_TIMEOUT_SECONDS)).changed


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
    print(f"demo retailer: {await load_slots(settings.booking_address)} patterns of delivery slots")
    print(f"demo retailer: {await cards.load(settings.payments_address)} gift cards and vouchers")
    print(f"demo retailer: {await handover.load(settings.handover_address)} system that does work of points")


if __name__ == "__main__":
    asyncio.run(main())
