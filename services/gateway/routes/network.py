"""Network data of the supply chain: items, points, channels, carriers, physical stock."""

import json
from typing import Annotated

from fastapi import Query

from oms.inventory.v1 import inventory_service_pb2 as inventory
from oms.orders.v1 import orders_service_pb2 as orders
from oms.promise.v1 import promise_service_pb2 as promise
from services.gateway.guard import CallerIs, ClientsAre
from services.gateway.routes.common import RequiredKey, act_id, router
from services.gateway.schemas.base import Changed, Listed, Page
from services.gateway.schemas.network import (
    Adjustment,
    BalanceFilters,
    Boxes,
    Carriers,
    Channels,
    ItemFilters,
    Items,
    MovementFilters,
    StockPoints,
    VersionFilters,
)
from services.gateway.schemas.network_views import (
    BalanceView,
    BoxView,
    CarrierView,
    ChannelView,
    ItemView,
    MovementView,
    StockPointView,
    VersionView,
)
from services.gateway.wire import message, plain, sent, shown

network_router = router("network")


@network_router.put("/items")
async def put_items(body: Items, caller: CallerIs, clients: ClientsAre) -> Changed:
    """Create or replace items by SKU."""
    request = sent(inventory.PutItemsRequest, body, actor=caller.subject)
    answer = await clients.act(clients.inventory.PutItems, request)
    return Changed(changed=answer.changed)


@network_router.get("/items")
async def list_items(filters: Annotated[ItemFilters, Query()], clients: ClientsAre) -> Page[ItemView]:
    """List items in SKU order: all, some, or the formats of one article."""
    request = message(
        inventory.ListItemsRequest,
        {"page": filters.page, "skus": filters.sku, "reference": filters.reference, "gtins": filters.gtin},
    )
    found = await clients.read(clients.inventory.ListItems, request)
    items = [shown(item, ItemView) for item in found.items]
    return Page(items=items, next_cursor=found.page.next_cursor or None)


@network_router.put("/stock-points")
async def put_stock_points(body: StockPoints, caller: CallerIs, clients: ClientsAre) -> Changed:
    """Create or replace stock points by id."""
    points = {"points": body.model_dump()["stock_points"], "actor": caller.subject}
    request = message(inventory.PutStockPointsRequest, points)
    return Changed(changed=(await clients.act(clients.inventory.PutStockPoints, request)).changed)


@network_router.get("/stock-points")
async def list_stock_points(clients: ClientsAre) -> Listed[StockPointView]:
    """List stock points in id order."""
    found = await clients.read(clients.inventory.ListStockPoints, inventory.ListStockPointsRequest())
    return Listed(items=[shown(point, StockPointView) for point in found.points])


@network_router.put("/channels")
async def put_channels(body: Channels, caller: CallerIs, clients: ClientsAre) -> Changed:
    """Create or replace channels: what they may sell (orders) and what they may show (inventory).

    Two services keep the two parts. When the second refuses, the first part is kept: send the whole again.
    """
    channels = body.model_dump()["channels"]
    only_sold = ("life_cycle_id", "trades", "documents", "till_payments")
    selling = ("channel_id", "name", "currency", "brands", *only_sold)
    terms = [{name: channel[name] for name in selling} for channel in channels]
    images = [{name: channel[name] for name in channel if name not in only_sold} for channel in channels]
    sold = await clients.act(
        clients.orders.PutSalesChannels, message(orders.PutSalesChannelsRequest, {"channels": terms})
    )
    request = message(inventory.PutChannelsRequest, {"channels": images, "actor": caller.subject})
    stocked = await clients.act(clients.inventory.PutChannels, request)
    return Changed(changed=max(sold.changed, stocked.changed))


@network_router.get("/channels")
async def list_channels(clients: ClientsAre) -> Listed[ChannelView]:
    """List channels in id order, as stock sees them."""
    found = await clients.read(clients.inventory.ListChannels, inventory.ListChannelsRequest())
    return Listed(items=[shown(channel, ChannelView) for channel in found.channels])


@network_router.get("/setting-versions")
async def list_setting_versions(
    filters: Annotated[VersionFilters, Query()], clients: ClientsAre
) -> Page[VersionView]:
    """List what an item, a point or a channel was, and who changed it, newest first."""
    values = {"kind": filters.kind, "key": filters.key, "page": filters.page}
    found = await clients.read(clients.inventory.ListVersions, message(inventory.ListVersionsRequest, values))
    items = [shown(one, VersionView, content=json.loads(one.content_json)) for one in found.versions]
    return Page(items=items, next_cursor=found.page.next_cursor or None)


@network_router.put("/carriers")
async def put_carriers(body: Carriers, clients: ClientsAre) -> Changed:
    """Create or replace carriers with their services."""
    answer = await clients.act(clients.promise.PutCarriers, sent(promise.PutCarriersRequest, body))
    return Changed(changed=answer.changed)


@network_router.get("/carriers")
async def list_carriers(clients: ClientsAre) -> Listed[CarrierView]:
    """List carriers in id order."""
    found = await clients.read(clients.promise.ListCarriers, promise.ListCarriersRequest())
    return Listed(items=[shown(carrier, CarrierView) for carrier in found.carriers])


@network_router.put("/boxes")
async def put_boxes(body: Boxes, clients: ClientsAre) -> Changed:
    """Replace the catalogue of boxes: goods that fit into one are planned in boxes, the others as they are."""
    answer = await clients.act(clients.promise.PutBoxes, sent(promise.PutBoxesRequest, body))
    return Changed(changed=answer.changed)


@network_router.get("/boxes")
async def list_boxes(clients: ClientsAre) -> Listed[BoxView]:
    """List the boxes in id order."""
    found = await clients.read(clients.promise.ListBoxes, promise.ListBoxesRequest())
    return Listed(items=[shown(box, BoxView) for box in found.boxes])


@network_router.post("/stock/adjustments")
async def adjust_stock(
    body: Adjustment, key: RequiredKey, caller: CallerIs, clients: ClientsAre
) -> Listed[BalanceView]:
    """Move physical stock: receipts, corrections, counts. All lines or none; answers the balances after it."""
    request = message(
        inventory.AdjustStockRequest,
        {
            "request_id": act_id("adjust-stock", "", caller, None, key),
            "deltas": [delta.model_dump() for delta in body.deltas],
            "cause": {"cause": body.cause, "actor": caller.subject, "source": body.source},
        },
    )
    answer = await clients.act(clients.inventory.AdjustStock, request)
    return Listed(items=[shown(balance, BalanceView) for balance in answer.balances])


@network_router.get("/stock/balances")
async def list_balances(filters: Annotated[BalanceFilters, Query()], clients: ClientsAre) -> Page[BalanceView]:
    """List balances by SKU and point."""
    values = {"skus": filters.sku, "point_ids": filters.point_id, "page": filters.page}
    found = await clients.read(clients.inventory.ListBalances, message(inventory.ListBalancesRequest, values))
    items = [shown(balance, BalanceView) for balance in found.balances]
    return Page(items=items, next_cursor=found.page.next_cursor or None)


@network_router.get("/stock/movements")
async def list_movements(filters: Annotated[MovementFilters, Query()], clients: ClientsAre) -> Page[MovementView]:
    """List the stock ledger of an item, oldest first."""
    values = {"sku": filters.sku, "point_id": filters.point_id, "page": filters.page}
    found = await clients.read(clients.inventory.ListMovements, message(inventory.ListMovementsRequest, values))
    items = [
        MovementView.model_validate(plain(one) | {"reservation_id": one.reservation_id or None})
        for one in found.movements
    ]
    return Page(items=items, next_cursor=found.page.next_cursor or None)
