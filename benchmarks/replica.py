"""Promise's replica of stock: what five million positions weigh, how long they load, and quotes while it changes.

10,000 articles at 500 points, told as inventory's feed tells them: messages of 200 positions in the order of their
articles, six safety stocks, sales of one position in three, a markdown of one in fifty. They are made here,
without a database. What is timed is all that the follower does with their bytes: parse, translate, take. What is
weighed is the private memory of this process, before the positions and after.

The quote asks for 10 articles that lie at 500 points, again and again, while the same thread takes 500 changes of
stock a second; as in the service it plans in another thread. Its time is from the question to the plan.
"""

import asyncio
import gc
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from random import Random

import psutil

from benchmarks import shelves
from benchmarks.figures import Result, result
from benchmarks.meter import reading
from benchmarks.system import System
from oms.inventory.v1 import inventory_service_pb2 as pb
from services.promise.domain import engine
from services.promise.domain import network as n
from services.promise.domain.snapshot import Snapshot
from services.promise.feed_translate import to_change
from services.promise.replica import Change, StockReplica

_SKUS, _POINTS = 10_000, 500
_IN_A_MESSAGE = 200
_LINES = 10
_QUOTES = 200
_CHANGES_PER_SECOND = 500
_TURN_SECONDS = 0.1


async def measure(_system: System) -> list[Result]:
    """A load, then quotes."""
    network = shelves.network([], points=_POINTS)
    with reading() as taken:
        replica, bytes_per_position, seconds = _load(network.stock.points)
        quotes = await _quotes(replica, network)
    return [
        result("snapshot_bytes_per_position", [bytes_per_position], taken.load),
        result("snapshot_load_s", [seconds], taken.load),
        result("quote_p95_ms_under_changes", [1000 * sorted(quotes)[int(0.95 * len(quotes))]], taken.load),
        result("snapshot_positions", [replica.status(shelves.NOW).positions], taken.load),
    ]


def _load(points: Mapping[str, n.Point]) -> tuple[StockReplica, float, float]:
    replica, random, spent = StockReplica(), Random(3), 0.0
    replica.opened()
    items = tuple(n.Item(_sku(number), "", 400, 300) for number in range(_SKUS))
    replica.take(Change(0, items=items, points=tuple(points.values()), is_snapshot=True), shelves.NOW)
    before = _own_bytes()
    for content in _snapshot(random, list(points)):
        begun = time.perf_counter()
        replica.take(to_change(pb.WatchStockResponse.FromString(content)), shelves.NOW)
        spent += time.perf_counter() - begun
    return replica, (_own_bytes() - before) / (_SKUS * len(points)), spent


def _own_bytes() -> int:
    gc.collect()
    return psutil.Process().memory_full_info().uss


def _snapshot(random: Random, point_ids: Sequence[str]) -> Iterator[bytes]:
    positions = [(number, at) for number in range(_SKUS) for at in range(len(point_ids))]
    for start in range(0, len(positions), _IN_A_MESSAGE):
        block = _block(random, point_ids, positions[start : start + _IN_A_MESSAGE])
        yield pb.WatchStockResponse(snapshot=True, stock=block).SerializeToString()
    yield pb.WatchStockResponse(sequence=1, snapshot=True, snapshot_complete=True).SerializeToString()


def _block(random: Random, point_ids: Sequence[str], positions: Sequence[tuple[int, int]]) -> pb.StockBlock:
    rows = Counter(number for number, _ in positions)
    places = {at: place for place, at in enumerate(dict.fromkeys(at for _, at in positions))}
    return pb.StockBlock(
        skus=[_sku(number) for number in rows],
        rows=rows.values(),
        point_ids=[point_ids[at] for at in places],
        terms=_TERMS,
        point_indexes=[places[at] for _, at in positions],
        terms_indexes=[6 if random.random() < 0.02 else random.randrange(6) for _ in positions],
        free=[random.randrange(5) for _ in positions],
        daily_sales_thousandths=[random.randrange(3_000) if random.random() < 0.33 else 0 for _ in positions],
    )


def _sku(number: int) -> str:
    return f"ARTICLE-{number:06}"


def _terms(safety_stock: int, markdown_from_date: str = "") -> pb.PositionTerms:
    purposes = (pb.STOCK_PURPOSE_SHIP, pb.STOCK_PURPOSE_COLLECT)
    channels = [
        pb.ChannelTerms(channel_id=channel_id, safety_stock=safety_stock, purposes=purposes)
        for channel_id in (shelves.CHANNEL, "marketplace")
    ]
    return pb.PositionTerms(channels=channels, markdown_from_date=markdown_from_date, markdown_basis_points=3_000)


_TERMS = [*(_terms(safety_stock) for safety_stock in range(6)), _terms(0, "2026-12-27")]


async def _quotes(replica: StockReplica, network: Snapshot) -> list[float]:
    random, found = Random(5), list[float]()
    changing = asyncio.create_task(_change(replica, random, list(network.stock.points)))
    for _ in range(_QUOTES):
        basket = {_sku(number): 1 for number in random.sample(range(_SKUS), _LINES)}
        begun = time.perf_counter()
        seen = replace(network, stock=replica.slice(basket))
        await asyncio.to_thread(engine.plan, seen, shelves.question(basket), shelves.RULESET)
        found.append(time.perf_counter() - begun)
    changing.cancel()
    await asyncio.gather(changing, return_exceptions=True)
    return found


async def _change(replica: StockReplica, random: Random, point_ids: Sequence[str]) -> None:
    """As the feed does when much changes: what came in a tenth of a second is one message."""
    sequence = 1
    while True:
        sequence += 1
        count = int(_CHANGES_PER_SECOND * _TURN_SECONDS)
        positions = sorted((random.randrange(_SKUS), random.randrange(len(point_ids))) for _ in range(count))
        message = pb.WatchStockResponse(sequence=sequence, stock=_block(random, point_ids, positions))
        replica.take(to_change(message), shelves.NOW)
        await asyncio.sleep(_TURN_SECONDS)
