"""How long a delivery promise takes: of a basket over REST, and of a page of articles at the promise service.

On a network of its own: 500 points, 60 articles, four carriers that sell eight modes. `quote`: a basket of 10
lines, every mode, POST /v1/promises, alone and with 8 in flight. `quote_engine_share`: the engine by itself, asked
the same in this process, over the whole call alone. `listing`: 50 articles, QuoteListing over gRPC.
"""

import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable
from random import Random
from typing import TYPE_CHECKING

import grpc
import psycopg

from benchmarks.figures import Result, result
from benchmarks.meter import reading
from benchmarks.system import System, at_once
from cli.client import Json, body_of
from kit import rpc, times
from kit.errors import InvalidArgument
from oms.inventory.v1 import inventory_service_pb2 as inventory_pb
from oms.inventory.v1.inventory_service_pb2_grpc import InventoryServiceStub
from oms.promise.v1 import promise_service_pb2 as pb
from oms.promise.v1.promise_service_pb2_grpc import PromiseServiceStub
from oms.type.v1 import type_pb2 as types
from services.promise.domain import network as n
from services.promise.domain import quoting
from services.promise.domain.geography import Geography
from services.promise.domain.rulesets import Ruleset
from services.promise.domain.snapshot import Snapshot
from services.promise.public_holidays import is_public_holiday
from services.promise.translate import to_carriers, to_item, to_point

if TYPE_CHECKING:
    from oms.promise.v1.promise_service_pb2_grpc import PromiseServiceAsyncStub

_POINTS, _SKUS, _LINES, _LISTED = 500, 60, 10, 50
_CHANNEL = "benchmark-quotes"
_DESTINATION = {"country": "FR", "postcode": "69003"}
_WARM_UP = 40
_TIMES = 200
_IN_FLIGHT = 8
_TOLD_SECONDS = 60.0
# What each carrier sells.
_SOLD = {
    "bench-a": ("HOME_STANDARD", "RELAY_POINT", "LOCKER", "SHIP_TO_STORE"),
    "bench-b": ("HOME_STANDARD", "HOME_EXPRESS"),
    "bench-c": ("WHITE_GLOVE", "APPOINTMENT"),
    "bench-d": ("SAME_DAY",),
}
_RATES = {500: 498, 1_000: 572, 2_000: 664, 5_000: 892, 10_000: 1_315, 30_000: 2_690}


async def measure(system: System) -> list[Result]:
    """Fills the network, waits until the planner knows it, then asks."""
    network = _Network(Random(11))
    async with (
        rpc.connect(system.stack.addresses["inventory"]) as to_inventory,
        rpc.connect(system.stack.addresses["promise"]) as to_promise,
    ):
        await network.put(system, to_inventory, to_promise)
        baskets = _Baskets(system, to_promise, Random(12))
        await at_once(1, _WARM_UP, baskets.quote)
        with reading() as taken:
            await system.settle()
            alone = await _milliseconds(1, _TIMES, baskets.quote)
            together = await _milliseconds(_IN_FLIGHT, _TIMES * 2, baskets.quote)
            await system.settle()
            await at_once(1, _WARM_UP, baskets.page)
            pages = await _milliseconds(1, _TIMES, baskets.page)
            engine = [network.engine_milliseconds(Random(seed)) for seed in range(60)]
    share = statistics.median(engine) / statistics.median(alone)
    return [
        result("quote_p95_ms_1", [_percentile(alone, 95)], taken.load),
        result("quote_p95_ms_8", [_percentile(together, 95)], taken.load),
        result("quote_p50_ms_1", [_percentile(alone, 50)], taken.load),
        result("quote_engine_share", [share], taken.load),
        result("listing_p99_ms", [_percentile(pages, 99)], taken.load),
        result("listing_p50_ms", [_percentile(pages, 50)], taken.load),
    ]


class _Baskets:
    """What customers ask for."""

    def __init__(self, system: System, to_promise: grpc.aio.Channel, random: Random) -> None:
        self._api = system.api
        self._promise = PromiseServiceStub(to_promise)
        self._random = random

    async def quote(self) -> None:
        """A basket, over REST."""
        lines = [{"sku": sku, "quantity": units} for sku, units in _basket(self._random).items()]
        body: Json = {"channel_id": _CHANNEL, "destination": _DESTINATION, "lines": lines}
        answer = body_of(await self._api.send("POST", "/v1/promises", "supply_chain", json=body))
        if len(answer["options"]) < 3:
            raise ValueError(f"too little is offered: {answer}")

    async def page(self) -> None:
        """A page of articles, at the service itself."""
        skus = self._random.sample([_sku(number) for number in range(_SKUS)], _LISTED)
        destination = types.Destination(**_DESTINATION)
        request = pb.QuoteListingRequest(channel_id=_CHANNEL, destination=destination, skus=skus)
        answer = await self._promise.QuoteListing(request)
        if not all(item.options for item in answer.items):
            raise ValueError("an article has no option")


class _Network:
    """Points all over France; the stores have an article in three."""

    def __init__(self, random: Random) -> None:
        self._points = [_point(random, number) for number in range(_POINTS)]
        self._items = [
            inventory_pb.Item(sku=_sku(number), weight_grams=random.randint(100, 1_500), length_millimetres=300)
            for number in range(_SKUS)
        ]
        self._stock = {
            (item.sku, point.point_id): random.choice((1, 2, 5, 20))
            for item in self._items
            for point in self._points
            if point.type == types.POINT_TYPE_WAREHOUSE or random.random() < 0.4
        }
        self._carriers = [_carrier(carrier_id, modes) for carrier_id, modes in _SOLD.items()]

    async def put(self, system: System, to_inventory: grpc.aio.Channel, to_promise: grpc.aio.Channel) -> None:
        """Returns when the planner knows it all."""
        inventory, promise = InventoryServiceStub(to_inventory), PromiseServiceStub(to_promise)
        await inventory.PutStockPoints(inventory_pb.PutStockPointsRequest(points=self._points, actor="benchmark"))
        await inventory.PutItems(inventory_pb.PutItemsRequest(items=self._items, actor="benchmark"))
        url = system.stack.database_url("inventory").replace("postgresql+psycopg://", "postgresql://", 1)
        await asyncio.to_thread(self._stock_up, url)
        channel = inventory_pb.Channel(
            channel_id=_CHANNEL,
            name="Benchmark",
            currency="EUR",
            activated_points=[point.point_id for point in self._points],
        )
        await inventory.PutChannels(inventory_pb.PutChannelsRequest(channels=[channel], actor="benchmark"))
        others = (await promise.ListCarriers(pb.ListCarriersRequest())).carriers
        for other in others:
            # Those of the demo retailer do not collect here: they would only be looked at.
            del other.services[:]
        await promise.PutCarriers(pb.PutCarriersRequest(carriers=[*others, *self._carriers]))
        await self._seen(to_promise)

    def _stock_up(self, url: str) -> None:
        rows = [(sku, point_id, units) for (sku, point_id), units in self._stock.items()]
        with psycopg.connect(url, autocommit=True) as connection, connection.cursor() as cursor:
            cursor.executemany("INSERT INTO balance (sku, point_id, on_hand) VALUES (%s, %s, %s)", rows)
            cursor.execute("VACUUM ANALYZE")

    async def _seen(self, to_promise: grpc.aio.Channel) -> None:
        stub = PromiseServiceStub(to_promise)
        request = pb.QuoteListingRequest(
            channel_id=_CHANNEL,
            destination=types.Destination(**_DESTINATION),
            skus=[item.sku for item in self._items[-_LISTED:]],
        )
        async with asyncio.timeout(_TOLD_SECONDS):
            while not await _is_told(stub, request):  # noqa: ASYNC110 - another process
                await asyncio.sleep(0.2)

    def engine_milliseconds(self, random: Random) -> float:
        """Of one basket, asked of the engine in this process."""
        basket = _basket(random)
        items = {item.sku: to_item(item) for item in self._items if item.sku in basket}
        positions: dict[str, dict[str, n.StockPosition]] = {sku: {} for sku in basket}
        for (sku, point_id), units in self._stock.items():
            if sku in basket:
                positions[sku][point_id] = n.StockPosition(units, {_CHANNEL: 0})
        now = times.now()
        snapshot = Snapshot(
            stock=n.StockSlice(
                n.StockView(1, now, stale=False),
                items,
                {point.point_id: to_point(point) for point in self._points},
                positions,
            ),
            carriers=tuple(to_carriers(self._carriers)),
            geography=Geography(
                [n.Zone("fr-metropole", "FR", ("",), "Europe/Paris")],
                [n.PostcodeArea("FR", "69", n.Position(45.76, 4.84), "FR-69")],
            ),
            is_holiday=is_public_holiday,
        )
        lines = tuple(n.BasketLine(i, sku, units) for i, (sku, units) in enumerate(basket.items(), start=1))
        asked = n.PlanRequest(_CHANNEL, n.Destination(**_DESTINATION), lines, n.Mode.HOME_STANDARD, now)
        quoting.all_modes(snapshot, asked, _RULES)  # Calendars are known to a service that runs.
        began = time.perf_counter()
        quoting.all_modes(snapshot, asked, _RULES)
        return (time.perf_counter() - began) * 1000


_RULES = Ruleset(
    ruleset_id="benchmark",
    version=1,
    currency="EUR",
    split_cost_minor=300,
    preparation_costs=(),
    distance_cost_minor_per_kilometre=0.1,
    lateness_cost_minor_per_day=0,
    max_parcels=5,
    alternatives=3,
)


async def _is_told(stub: "PromiseServiceAsyncStub", request: pb.QuoteListingRequest) -> bool:
    try:
        answer = await stub.QuoteListing(request)
    except InvalidArgument:
        return False  # Not even the channel is known yet.
    return all(len(item.options) > 2 for item in answer.items)


def _point(random: Random, number: int) -> inventory_pb.StockPoint:
    """One in twenty is a warehouse; each is visited by most of the carriers."""
    is_warehouse = number % 20 == 0
    return inventory_pb.StockPoint(
        point_id=f"quote-{number:03d}",
        name=f"quote-{number:03d}",
        type=types.POINT_TYPE_WAREHOUSE if is_warehouse else types.POINT_TYPE_STORE,
        position=types.Position(latitude=43.5 + 6 * random.random(), longitude=6 * random.random()),
        country="FR",
        postcode="69003",
        time_zone="Europe/Paris",
        ownership="owned",
        handling_minutes=random.choice((60, 120, 180)),
        capabilities=["ship_from_store", "click_and_collect", "e_reservation"],
        opening_hours=[
            inventory_pb.OpeningHours(weekday=day, opens_minute=600, closes_minute=1_140) for day in range(1, 7)
        ],
        collections=[
            inventory_pb.Collection(carrier_id=carrier_id, weekday=day, cut_off_minute=cut_off)
            for carrier_id in _SOLD
            if random.random() < 0.7
            for cut_off in [random.choice((960, 1_020, 1_080))]
            for day in range(1, 7)
        ],
    )


def _carrier(carrier_id: str, modes: tuple[str, ...]) -> pb.Carrier:
    return pb.Carrier(
        carrier_id=carrier_id, name=carrier_id, services=[_service(carrier_id, mode) for mode in modes]
    )


def _service(carrier_id: str, mode: str) -> pb.CarrierService:
    is_today = mode == "SAME_DAY"
    price = types.Money(amount_minor=490, currency="EUR")
    zone = pb.ZoneTerms(
        zone_id="fr-metropole",
        transit_days_min=0 if is_today else 1,
        transit_days_max=0 if is_today else 3,
        rates=[
            pb.RateStep(up_to_grams=grams, price=types.Money(amount_minor=cents, currency="EUR"))
            for grams, cents in _RATES.items()
        ],
        customer_price=price,
    )
    return pb.CarrierService(
        service_id=f"{carrier_id}-{mode.lower()}",
        name=mode,
        mode=types.DeliveryMode.Value(f"DELIVERY_MODE_{mode}"),
        max_weight_grams=30_000,
        max_length_millimetres=1_500,
        max_distance_kilometres=15 if is_today else 0,
        delivery_weekdays=range(1, 7),
        delivery_from_minute=1_080 if is_today else 480,
        delivery_until_minute=1_260,
        zones=[zone],
    )


def _basket(random: Random) -> dict[str, int]:
    return {_sku(number): random.randint(1, 3) for number in random.sample(range(_SKUS), _LINES)}


def _sku(number: int) -> str:
    return f"QUOTE-{number:03d}"


async def _milliseconds(width: int, count: int, act: Callable[[], Awaitable[None]]) -> list[float]:
    """Of each call, so many at a time."""
    took: list[float] = []

    async def timed() -> None:
        began = time.perf_counter()
        await act()
        took.append((time.perf_counter() - began) * 1000)

    await at_once(width, count, timed)
    return took


def _percentile(values: list[float], percent: int) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, len(ordered) * percent // 100)]
