"""Twenty stores that take the same work at once, over REST, as often as there are orders.

`offer_single_winner`: the share of rounds in which one store has the work, nineteen are told that it is gone, and
the units are held at the winner alone. `offer_p95_ms`: how long a store waits for its answer, all twenty at once.
"""

import asyncio
import statistics
import time
from collections import Counter
from uuid import uuid4

from benchmarks.figures import Result, result
from benchmarks.meter import reading
from benchmarks.system import System
from cli.client import Json, body_of
from deploy.local.tokens import Scope
from kit import rpc
from oms.inventory.v1 import inventory_service_pb2 as inventory
from oms.inventory.v1.inventory_service_pb2_grpc import InventoryServiceStub
from oms.orders.v1 import orders_service_pb2 as orders
from oms.orders.v1.orders_service_pb2_grpc import OrdersServiceStub
from oms.type.v1 import type_pb2 as types

STORES = 20
_CHANNEL = "contest"
_SKU = "OFFERED-TO-ALL"
_SCOPE = Scope(channels=(_CHANNEL,))
_EVERY_DAY = range(1, 8)
_LIFE_CYCLE = orders.LifeCycle(
    life_cycle_id="contest",
    offer_seconds=3600,
    payment_action_seconds=900,
    reroute_limit=1,
    competition=orders.Competition(rings=[STORES], ring_seconds=3600, fallback="planned"),
)
_PATIENCE_SECONDS = 30.0
_LOOK_SECONDS = 0.05


async def measure(system: System, rounds: int) -> list[Result]:
    """Rounds one after the other; each is a new order."""
    await _open(system, rounds)
    single, took = list[bool](), list[float]()
    with reading() as taken:
        for _ in range(rounds):
            order_id = await _place(system)
            work = await _offered(system, order_id)
            answers = await asyncio.gather(*(_take(system, one) for one in work))
            took += [seconds * 1000 for _, seconds in answers]
            single.append(await _is_single(system, order_id, Counter(told for told, _ in answers)))
    p95 = statistics.quantiles(took, n=20)[-1]
    return [
        result("offer_single_winner", [sum(single) / len(single)], taken.load),
        result("offer_p95_ms", [p95], taken.load),
        result("offer_p50_ms", [statistics.median(took)], taken.load),
        result("offer_rounds", [rounds], taken.load),
    ]


async def _open(system: System, rounds: int) -> None:
    """Stores that are always open, with units for each round, and a channel whose work they compete for."""
    stores = [_store(number) for number in range(STORES)]
    async with rpc.connect(system.stack.addresses["inventory"]) as channel:
        stub = InventoryServiceStub(channel)
        await stub.PutStockPoints(inventory.PutStockPointsRequest(points=stores))
        ids = [one.point_id for one in stores]
        shop = inventory.Channel(channel_id=_CHANNEL, name="Contest", currency="EUR", activated_points=ids)
        await stub.PutChannels(inventory.PutChannelsRequest(channels=[shop]))
        item = inventory.Item(sku=_SKU, title="Scarf", brand="Ondelle", weight_grams=200)
        await stub.PutItems(inventory.PutItemsRequest(items=[item]))
        cause = inventory.Cause(cause="receipt", actor="benchmark", source="benchmark")
        deltas = [inventory.StockDelta(sku=_SKU, point_id=one, quantity=rounds) for one in ids]
        await stub.AdjustStock(
            inventory.AdjustStockRequest(request_id=f"offers/{uuid4().hex}", deltas=deltas, cause=cause)
        )
    async with rpc.connect(system.stack.addresses["orders"]) as channel:
        selling = OrdersServiceStub(channel)
        await selling.PublishLifeCycle(orders.PublishLifeCycleRequest(life_cycle=_LIFE_CYCLE))
        sales = orders.SalesChannel(
            channel_id=_CHANNEL, name="Contest", currency="EUR", life_cycle_id=_LIFE_CYCLE.life_cycle_id
        )
        await selling.PutSalesChannels(orders.PutSalesChannelsRequest(channels=[sales]))
    await _promised(system)


def _store(number: int) -> inventory.StockPoint:
    """Around Lyon."""
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


async def _promised(system: System) -> None:
    """Returns when the planner has heard of all that."""
    question = {
        "channel_id": _CHANNEL,
        "destination": {"country": "FR", "postcode": "69002"},
        "lines": [{"sku": _SKU, "quantity": 1}],
    }
    until = time.monotonic() + _PATIENCE_SECONDS
    while True:
        answer = await system.api.send("POST", "/v1/promises", "channel", _SCOPE, json=question)
        if answer.is_success and answer.json()["options"]:
            return
        if time.monotonic() > until:
            raise TimeoutError(f"nothing is promised: {answer.text}")
        await asyncio.sleep(_LOOK_SECONDS)


async def _place(system: System) -> str:
    content = {
        "channel_id": _CHANNEL,
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
                "sku": _SKU,
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
    headers = {"Idempotency-Key": f"offers-{uuid4().hex}"}
    answer = await system.api.send("POST", "/v1/orders", "channel", _SCOPE, json=content, headers=headers)
    order_id: str = body_of(answer)["id"]
    return order_id


async def _offered(system: System, order_id: str) -> list[Json]:
    """The offers of an order, once all stores have theirs."""
    until = time.monotonic() + _PATIENCE_SECONDS
    while True:
        answer = await system.api.send(
            "GET", "/v1/offers", "supply_chain", params={"order_id": order_id, "status": "open", "size": STORES}
        )
        offers: list[Json] = answer.json()["items"]
        if len(offers) == STORES:
            return offers
        if time.monotonic() > until:
            raise TimeoutError(f"{order_id} was offered to {len(offers)} stores")
        await asyncio.sleep(_LOOK_SECONDS)


async def _take(system: System, offer: Json) -> tuple[str, float]:
    """What the store is told, and after how many seconds."""
    address = f"/v1/fulfilments/{offer['fulfilment_id']}/accept"
    began = time.perf_counter()
    answer = await system.api.send("POST", address, "store", Scope(stores=(offer["point_id"],)))
    seconds = time.perf_counter() - began
    return ("won" if answer.is_success else answer.json()["reason"]), seconds


async def _is_single(system: System, order_id: str, told: Counter[str]) -> bool:
    order = (await system.api.send("GET", f"/v1/orders/{order_id}", "customer_service")).json()
    [work] = order["fulfilments"]
    [line] = work["lines"]
    asked = {"sku": line["sku"], "size": 500}
    moved = await system.api.send("GET", "/v1/stock/movements", "supply_chain", params=asked)
    held: Counter[str] = Counter()
    for one in moved.json()["items"]:
        if one["reservation_id"] == order_id:
            held[one["point_id"]] += one["reserved_delta"]
    is_told = told == {"won": 1, "OFFER_GONE": STORES - 1}
    return is_told and +held == {work["point_id"]: line["quantity"]}
