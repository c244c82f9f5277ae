"""Stores that are always open and a channel whose work they compete for: for whoever watches them take it."""

from collections.abc import Mapping
from typing import Any
from uuid import uuid4

from kit import rpc
from oms.inventory.v1 import inventory_service_pb2 as inventory
from oms.inventory.v1.inventory_service_pb2_grpc import InventoryServiceStub
from oms.orders.v1 import orders_service_pb2 as orders
from oms.orders.v1.orders_service_pb2_grpc import OrdersServiceStub
from oms.type.v1 import type_pb2 as types

CHANNEL = "contest"
_SKU = "OFFERED-TO-ALL"
_EVERY_DAY = range(1, 8)


def question(channel_id: str = CHANNEL, sku: str = _SKU) -> dict[str, Any]:
    """What promise is asked until it has heard of all that."""
    return {
        "channel_id": channel_id,
        "destination": {"country": "FR", "postcode": "69002"},
        "lines": [{"sku": sku, "quantity": 1}],
    }


async def open_contest(addresses: Mapping[str, str], stores: int, units: int) -> None:
    """So many stores, each with so many units, all asked at once; one that nobody takes is the planned one's."""
    points = [store(number) for number in range(stores)]
    async with rpc.connect(addresses["inventory"]) as channel:
        stub = InventoryServiceStub(channel)
        await stub.PutStockPoints(inventory.PutStockPointsRequest(points=points))
        ids = [one.point_id for one in points]
        shop = inventory.Channel(channel_id=CHANNEL, name="Contest", currency="EUR", activated_points=ids)
        await stub.PutChannels(inventory.PutChannelsRequest(channels=[shop]))
        item = inventory.Item(sku=_SKU, title="Scarf", brand="Ondelle", weight_grams=200)
        await stub.PutItems(inventory.PutItemsRequest(items=[item]))
        cause = inventory.Cause(cause="receipt", actor="benchmark", source="benchmark")
        deltas = [inventory.StockDelta(sku=_SKU, point_id=one, quantity=units) for one in ids]
        await stub.AdjustStock(
            inventory.AdjustStockRequest(request_id=f"offers/{uuid4().hex}", deltas=deltas, cause=cause)
        )
    async with rpc.connect(addresses["orders"]) as channel:
        selling = OrdersServiceStub(channel)
        life_cycle = orders.LifeCycle(
            life_cycle_id=CHANNEL,
            offer_seconds=3600,
            payment_action_seconds=900,
            reroute_limit=1,
            competition=orders.Competition(rings=[stores], ring_seconds=3600, fallback="planned"),
        )
        await selling.PublishLifeCycle(orders.PublishLifeCycleRequest(life_cycle=life_cycle))
        sales = orders.SalesChannel(channel_id=CHANNEL, name="Contest", currency="EUR", life_cycle_id=CHANNEL)
        await selling.PutSalesChannels(orders.PutSalesChannelsRequest(channels=[sales]))


def store(number: int) -> inventory.StockPoint:
    """One around Lyon that is always open."""
    return inventory.StockPoint(
        point_id=f"st-contest-{number:02}",
        name=f"Store {number}",
        type=types.POINT_TYPE_STORE,
        position=types.Position(latitude=45.75 + number / 100, longitude=4.85),
        country="FR",
        postcode="69002",
        city="Lyon",
        time_zone="Europe/Paris",
        opening_hours=[
            inventory.OpeningHours(weekday=day, opens_minute=0, closes_minute=1440) for day in _EVERY_DAY
        ],
        open_on_public_holidays=True,
        collections=[
            inventory.Collection(carrier_id="hexagone", weekday=day, cut_off_minute=1439) for day in _EVERY_DAY
        ],
        capabilities=["ship_from_store"],
        handling_minutes=1,
        ownership="owned",
    )


def content(channel_id: str = CHANNEL, sku: str = _SKU) -> dict[str, Any]:
    """An order of one unit."""
    return {
        "channel_id": channel_id,
        "mode": "home_standard",
        "customer": {"name": "Camille Exemple", "email": "camille@example.org"},
        "ship_to": {
            "name": "Camille Exemple",
            "street_lines": ["3 rue de la Barre"],
            "postcode": "69002",
            "city": "Lyon",
            "country": "FR",
        },
        "lines": [
            {
                "line_number": 1,
                "sku": sku,
                "brand": "Ondelle",
                "quantity": 1,
                "net_minor": 5000,
                "tax_minor": 0,
                "tax_rate_basis_points": 0,
            }
        ],
        "total": {"amount_minor": 5000, "currency": "EUR"},
        "payment": {"payment_method_token": "pm_card_visa"},
    }
