"""Reading kept images, and how long a change takes to the reader of a channel's feed.

On a network of its own: 20,000 SKUs at 200 points, a position each, and a channel that sells from all of them.
`image_read`: 50 SKUs a call over gRPC, 16 calls in flight; the ratio is to an empty echo of the same messages.
`feed_lag`: delta imports write 500 changes a second, each of another SKU. A change's lag is from the begin of the
transaction that wrote it (its commit is later) until a reader of the feed, by long poll over gRPC, has the figure.
`image_round`: how long it takes to work out the whole image after a rule has changed.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from datetime import datetime
from itertools import count, islice
from typing import TYPE_CHECKING

import grpc
import psycopg

from benchmarks.figures import Result, result
from benchmarks.meter import reading
from benchmarks.system import System, at_once, peer
from kit import rpc, times
from kit.values.ids import new_id
from oms.inventory.v1 import image_service_pb2 as pb
from oms.inventory.v1 import import_service_pb2 as import_pb
from oms.inventory.v1 import inventory_service_pb2 as inventory_pb
from oms.inventory.v1.image_service_pb2_grpc import ImageServiceStub
from oms.inventory.v1.import_service_pb2_grpc import ImportServiceStub
from oms.inventory.v1.inventory_service_pb2_grpc import InventoryServiceStub
from oms.promise.v1 import promise_service_pb2 as promise_pb
from oms.promise.v1.promise_service_pb2_grpc import PromiseServiceStub
from oms.type.v1 import type_pb2 as types

if TYPE_CHECKING:
    from oms.inventory.v1.image_service_pb2_grpc import ImageServiceAsyncStub
    from oms.inventory.v1.import_service_pb2_grpc import ImportServiceAsyncStub
    from oms.inventory.v1.inventory_service_pb2_grpc import InventoryServiceAsyncStub
    from oms.promise.v1.promise_service_pb2_grpc import PromiseServiceAsyncStub

_SKUS, _POINTS = 20_000, 200
_CHANNEL = "benchmark-images"
_READ_AT_ONCE = 50
_IN_FLIGHT = 16
_ROUNDS = 7
_TIMES = 2_000
_WARM_UP = 500
_ITEMS_AT_ONCE = 1_000
_CHANGES_A_SECOND = 500
_FILES_A_SECOND = 2
_SECONDS = 20
_LATE_SECONDS = 60.0
_TOLD_SECONDS = 600.0


async def measure(system: System) -> list[Result]:
    """Fills the network, waits for its image, reads it, then changes it."""
    url = system.stack.database_url("inventory").replace("postgresql+psycopg://", "postgresql://", 1)
    async with (
        peer(system, "echo") as echo,
        rpc.connect(system.stack.addresses["inventory"]) as to_inventory,
        rpc.connect(echo.address) as to_echo,
    ):
        await _put_network(to_inventory)
        await asyncio.to_thread(_stock_up, url)
        kept: ImageServiceAsyncStub = ImageServiceStub(to_inventory)
        with reading() as taken:
            round_seconds = await _open_channel(to_inventory, kept)
            await _told_to_the_planner(system, url)
            await system.settle()
            read = await _read(system, kept, ImageServiceStub(to_echo))
            await system.settle()
            lags = await _lags(to_inventory, kept, url)
    ours, echoed, milliseconds = read
    ratios = [mine / theirs for mine, theirs in zip(ours, echoed, strict=True)]
    return [
        result("image_read_p99_ms", [_percentile(milliseconds, 99)], taken.load),
        result("image_read_ratio", ratios, taken.load),
        result("image_read_per_second", ours, taken.load),
        result("feed_lag_p95_ms", [_percentile(lags, 95)], taken.load),
        result("feed_lag_p50_ms", [_percentile(lags, 50)], taken.load),
        result("image_round_seconds", [round_seconds], taken.load),
    ]


async def _put_network(channel: grpc.aio.Channel) -> None:
    stub: InventoryServiceAsyncStub = InventoryServiceStub(channel)
    points = [
        inventory_pb.StockPoint(
            point_id=_point(number),
            name=_point(number),
            type=types.POINT_TYPE_STORE,
            position=types.Position(latitude=45.76, longitude=4.84),
            country="FR",
            time_zone="Europe/Paris",
            ownership="owned",
        )
        for number in range(_POINTS)
    ]
    await stub.PutStockPoints(inventory_pb.PutStockPointsRequest(points=points, actor="benchmark"))
    for start in range(0, _SKUS, _ITEMS_AT_ONCE):
        items = [inventory_pb.Item(sku=_sku(number)) for number in range(start, start + _ITEMS_AT_ONCE)]
        await stub.PutItems(inventory_pb.PutItemsRequest(items=items, actor="benchmark"))


def _stock_up(url: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(
            """INSERT INTO balance (sku, point_id, on_hand)
               SELECT sku, point_id, 10 FROM item, stock_point
               WHERE sku LIKE 'IMAGE-%' AND point_id LIKE 'image-%'"""
        )
        connection.execute("VACUUM ANALYZE")


async def _open_channel(channel: grpc.aio.Channel, kept: "ImageServiceAsyncStub") -> float:
    """The seconds from the channel's begin until its whole image is there."""
    points = [_point(number) for number in range(_POINTS)]
    one = inventory_pb.Channel(
        channel_id=_CHANNEL,
        name="Benchmark",
        currency="EUR",
        activated_points=points,
        safety_stock=[inventory_pb.SafetyStockRule(quantity=1)],
    )
    stub: InventoryServiceAsyncStub = InventoryServiceStub(channel)
    await stub.PutChannels(inventory_pb.PutChannelsRequest(channels=[one], actor="benchmark"))
    began, seen = time.perf_counter(), set[str]()
    async for page in _follow(kept, 0):
        seen.update(figure.sku for figure in page if figure.available)
        if len(seen) == _SKUS:
            return time.perf_counter() - began
    raise AssertionError("a feed does not end")


async def _told_to_the_planner(system: System, url: str) -> None:
    """The channel changed the terms of every position: the process that is to be read tells a replica of each."""
    with psycopg.connect(url, autocommit=True) as connection:
        found = connection.execute("SELECT coalesce(max(sequence), 0) FROM stock_change").fetchone()
    assert found
    async with rpc.connect(system.stack.addresses["promise"]) as channel, asyncio.timeout(_TOLD_SECONDS):
        stub: PromiseServiceAsyncStub = PromiseServiceStub(channel)
        status = promise_pb.GetReplicaStatusRequest()
        while (await stub.GetReplicaStatus(status)).stock.sequence < found[0]:  # noqa: ASYNC110 - another process
            await asyncio.sleep(1)


async def _read(
    system: System, kept: "ImageServiceAsyncStub", empty: "ImageServiceAsyncStub"
) -> tuple[list[float], list[float], list[float]]:
    """Rounds of both in turn: our calls a second, those of the echo, and how long each of ours took."""
    milliseconds: list[float] = []
    numbers = count()

    def request() -> pb.GetImageRequest:
        # Neighbours in time are no neighbours in the table.
        first = next(numbers) * 7_001
        skus = [_sku((first + step * 397) % _SKUS) for step in range(_READ_AT_ONCE)]
        return pb.GetImageRequest(channel_id=_CHANNEL, skus=skus)

    async def ask() -> None:
        began = time.perf_counter()
        answer = await kept.GetImage(request())
        milliseconds.append((time.perf_counter() - began) * 1000)
        if not all(figure.available for figure in answer.figures):
            raise ValueError("a figure is missing")

    async def ask_nobody() -> None:
        await empty.GetImage(request())

    ours, echoed = [], []
    await at_once(_IN_FLIGHT, _WARM_UP, ask_nobody)
    await at_once(_IN_FLIGHT, _WARM_UP, ask)
    milliseconds.clear()
    for _ in range(_ROUNDS):
        await system.settle()
        echoed.append(_TIMES / await at_once(_IN_FLIGHT, _TIMES, ask_nobody))
        ours.append(_TIMES / await at_once(_IN_FLIGHT, _TIMES, ask))
    return ours, echoed, milliseconds


async def _lags(channel: grpc.aio.Channel, kept: "ImageServiceAsyncStub", url: str) -> list[float]:
    """Milliseconds of each change."""
    wanted = {_sku(number) for number in range(_CHANGES_A_SECOND * _SECONDS)}
    arrived: dict[str, datetime] = {}
    start = await _last(kept)

    async def hear() -> None:
        async for page in _follow(kept, start):
            now = times.now()
            arrived.update((figure.sku, now) for figure in page)
            if arrived.keys() >= wanted:
                return

    async with asyncio.timeout(_SECONDS + _LATE_SECONDS), asyncio.TaskGroup() as group:
        group.create_task(hear())
        await _import(channel)
    written = await asyncio.to_thread(_written, url)
    return [(arrived[sku] - written[sku]).total_seconds() * 1000 for sku in wanted]


async def _import(channel: grpc.aio.Channel) -> None:
    """A file each half second, as a till system would send them."""
    stub: ImportServiceAsyncStub = ImportServiceStub(channel)
    numbers = iter(range(_CHANGES_A_SECOND * _SECONDS))
    began = time.perf_counter()
    for turn in range(_SECONDS * _FILES_A_SECOND):
        await asyncio.sleep(max(0, began + turn / _FILES_A_SECOND - time.perf_counter()))
        rows = [f"{_sku(number)},{_point(0)},1,{turn + 1}" for number in islice(numbers, _CHANGES_A_SECOND // 2)]
        await stub.StartImport(_sent("\n".join(["sku,point_id,delta,sequence", *rows]).encode()))


async def _sent(content: bytes) -> AsyncIterator[import_pb.StartImportRequest]:
    header = import_pb.ImportHeader(
        request_id=new_id("req"),
        kind=import_pb.IMPORT_KIND_DELTA,
        format=import_pb.IMPORT_FORMAT_CSV,
        source="benchmark",
        actor="benchmark",
    )
    yield import_pb.StartImportRequest(header=header)
    yield import_pb.StartImportRequest(content=content)


def _written(url: str) -> dict[str, datetime]:
    """When the transaction of each SKU's newest mark began."""
    with psycopg.connect(url) as connection:
        rows = connection.execute(
            """SELECT sku, max(recorded_at) FROM stock_change
               WHERE kind = 'position' AND point_id = %s GROUP BY sku""",
            (_point(0),),
        )
        return dict(rows.fetchall())


async def _follow(kept: "ImageServiceAsyncStub", after: int) -> AsyncIterator[list[pb.ImageFigure]]:
    while True:
        request = pb.ListImageChangesRequest(
            channel_id=_CHANNEL, after_sequence=after, limit=1000, wait_milliseconds=10_000
        )
        found = await kept.ListImageChanges(request)
        after = found.sequence
        yield list(found.figures)


async def _last(kept: "ImageServiceAsyncStub") -> int:
    """Where the feed is."""
    after = 0
    while True:
        request = pb.ListImageChangesRequest(channel_id=_CHANNEL, after_sequence=after, limit=1000)
        found = await kept.ListImageChanges(request)
        after = found.sequence
        if not found.figures:
            return after


def _percentile(values: list[float], percent: int) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, len(ordered) * percent // 100)]


def _sku(number: int) -> str:
    return f"IMAGE-{number:05d}"


def _point(number: int) -> str:
    return f"image-{number:03d}"
