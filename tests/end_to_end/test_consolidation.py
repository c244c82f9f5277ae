"""Two stores and a warehouse: what only meets at the hub is delivered as one, with every process of the system."""

import asyncio
from uuid import uuid4

from cli.client import Api, Json, Problem, wait_for
from cli.people import Buyer, Shop
from deploy.local.tokens import Scope
from kit import rpc
from oms.inventory.v1 import inventory_service_pb2 as inventory
from oms.inventory.v1.inventory_service_pb2_grpc import InventoryServiceStub
from oms.orders.v1 import orders_service_pb2 as orders
from oms.orders.v1.orders_service_pb2_grpc import OrdersServiceStub
from tests.end_to_end.journeys import carry, prepare
from tests.stack import SharedStack

CHANNEL = "meeting"
HUB = "wh-orleans"
STORES = {"MEET-LYON": "st-lyon", "MEET-PARIS": "st-paris-rivoli"}
_SCOPE = Scope(channels=(CHANNEL,))
BUYER = Buyer()


async def open_channel(stack: SharedStack) -> None:
    """A channel whose parcels may meet, with an article that only Lyon has and one that only Paris has."""
    async with rpc.connect(stack.addresses["inventory"]) as channel:
        stub = InventoryServiceStub(channel)
        shop = inventory.Channel(
            channel_id=CHANNEL, name="Meeting", currency="EUR", activated_points=[*STORES.values(), HUB]
        )
        await stub.PutChannels(inventory.PutChannelsRequest(channels=[shop]))
        items = [inventory.Item(sku=sku, title=sku, brand="Ondelle", weight_grams=900) for sku in STORES]
        await stub.PutItems(inventory.PutItemsRequest(items=items))
        deltas = [inventory.StockDelta(sku=sku, point_id=at, quantity=5) for sku, at in STORES.items()]
        cause = inventory.Cause(cause="receipt", actor="test", source="test")
        await stub.AdjustStock(
            inventory.AdjustStockRequest(request_id=f"meeting/{uuid4().hex}", deltas=deltas, cause=cause)
        )
    async with rpc.connect(stack.addresses["orders"]) as channel:
        selling = OrdersServiceStub(channel)
        life_cycle = orders.LifeCycle(
            life_cycle_id=CHANNEL,
            offer_seconds=3600,
            payment_action_seconds=900,
            reroute_limit=2,
            consolidates=True,
        )
        await selling.PublishLifeCycle(orders.PublishLifeCycleRequest(life_cycle=life_cycle))
        sales = orders.SalesChannel(channel_id=CHANNEL, name="Meeting", currency="EUR", life_cycle_id=CHANNEL)
        await selling.PutSalesChannels(orders.PutSalesChannelsRequest(channels=[sales]))


def content() -> Json:
    """White glove, which comes to the customer once."""
    lines = [
        {
            "line_number": number,
            "sku": sku,
            "brand": "Ondelle",
            "quantity": 1,
            "net_minor": 5000,
            "tax_minor": 0,
            "tax_rate_basis_points": 0,
        }
        for number, sku in enumerate(STORES, 1)
    ]
    return {
        "channel_id": CHANNEL,
        "mode": "white_glove",
        "customer": BUYER.customer,
        "ship_to": BUYER.address,
        "lines": lines,
        "total": {"amount_minor": 10_000, "currency": "EUR"},
        "payment": {"payment_method_token": "pm_card_visa"},
    }


def test_what_two_stores_send_meets_at_the_warehouse_and_comes_to_the_customer_once(stack: SharedStack) -> None:
    asyncio.run(open_channel(stack))
    question = {
        "channel_id": CHANNEL,
        "destination": {"country": BUYER.country, "postcode": BUYER.postcode},
        "lines": [{"sku": sku, "quantity": 1} for sku in STORES],
    }
    with Api.of(stack.gateway_url, stack.state) as api:

        def quoted(may_consolidate: bool) -> Json | None:
            body = question | {"may_consolidate": may_consolidate}
            try:
                options = api.post("/v1/promises", "channel", body, scope=_SCOPE)["options"]
            except Problem as problem:
                # promise is a moment behind inventory, which knows the channel and its articles already.
                if problem.reason not in ("UNKNOWN_CHANNEL", "UNKNOWN_ITEM"):
                    raise
                return None
            return next((one for one in options if one["mode"] == "white_glove"), None)

        option = wait_for("a promise by way of the hub", lambda: quoted(True))
        assert option["parcels"] == 1
        assert quoted(False) is None, "no point has both"
        shop = Shop(api, CHANNEL)
        order_id = shop.place(content())["id"]
        order = shop.wait_status(order_id, "released")
        works = {one["point_id"]: one for one in order["fulfilments"]}
        assert {point: bool(one["joins"]) for point, one in works.items()} == {
            "st-lyon": True,
            "st-paris-rivoli": True,
            HUB: False,
        }
        for point in STORES.values():
            prepare(api, works[point])
        store = Scope(stores=(HUB,))
        arrivals = api.get(f"/v1/points/{HUB}/arrivals", "store", store)["items"]
        mine = [one["fulfilment"] for one in arrivals if one["fulfilment"]["order_id"] == order_id]
        assert {one["point_id"] for one in mine} == set(STORES.values())
        assert shop.order(order_id)["customer_status"] == "validated"
        for one in mine:
            units = [{"line_number": line["line_number"], "quantity": line["quantity"]} for line in one["lines"]]
            api.post(f"/v1/fulfilments/{one['id']}/receive", "store", {"units": units}, scope=store)
        parcel = prepare(api, works[HUB])
        assert parcel["parcel"]["amount"] == {"amount_minor": 10_000, "currency": "EUR"}
        carry(api, parcel)
        shop.wait_status(order_id, "closed")
        for sku, point in STORES.items():
            moved = api.rows("/v1/stock/movements", "supply_chain", sku=sku, size=50)
            assert {one["point_id"] for one in moved} == {point}, "never stock of the hub"
        assert api.get("/v1/checks/stock", "operator")["differences"] == []
