"""A snapshot of which one position in twenty changed, over the least that PostgreSQL can do with the file.

The least is a COPY of the same bytes into a temporary table and one MERGE into the balances, in one transaction
that is rolled back. Ours is from the file's acceptance until the job is done, with all that keeps it correct.
Beside the ratio: the peak memory of the inventory process since its start, and how many rows came and changed.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import grpc
import psycopg

from benchmarks.figures import Result, result
from benchmarks.meter import reading
from benchmarks.system import System
from kit import rpc, times
from kit.values.ids import new_id
from oms.inventory.v1 import import_service_pb2 as pb
from oms.inventory.v1 import inventory_service_pb2 as inventory_pb
from oms.inventory.v1.import_service_pb2_grpc import ImportServiceStub
from oms.inventory.v1.inventory_service_pb2_grpc import InventoryServiceStub
from oms.type.v1 import type_pb2 as types

if TYPE_CHECKING:
    from oms.inventory.v1.inventory_service_pb2_grpc import InventoryServiceAsyncStub

POINTS = 20
_CHANGED_ONE_IN = 20
_ITEMS_AT_ONCE = 1_000
_PORTION_BYTES = 1024**2
_LOOK_SECONDS = 0.05
_MERGE = """
MERGE INTO balance AS b USING raw AS r ON b.sku = r.sku AND b.point_id = r.point_id
WHEN MATCHED AND b.on_hand <> r.quantity THEN UPDATE SET on_hand = r.quantity
WHEN NOT MATCHED THEN INSERT (sku, point_id, on_hand) VALUES (r.sku, r.point_id, r.quantity)
"""


async def measure(system: System, rows: int) -> list[Result]:
    """Fills a network of its own, then both in turn on the same file."""
    url = system.stack.database_url("inventory").replace("postgresql+psycopg://", "postgresql://", 1)
    skus = max(1, rows // POINTS)
    async with rpc.connect(system.stack.addresses["inventory"]) as channel:
        await _put_network(channel, skus)
    await asyncio.to_thread(_stock_up, url)
    await system.settle()
    content = _file(skus)
    with reading() as taken:
        raw = await asyncio.to_thread(_raw, url, content)
        await system.settle()
        async with rpc.connect(system.stack.addresses["inventory"]) as channel:
            stub = ImportServiceStub(channel)
            job = (await stub.StartImport(_sent(content))).job
            began = time.perf_counter()
            while job.state in (pb.IMPORT_STATE_RECEIVED, pb.IMPORT_STATE_RUNNING):
                await asyncio.sleep(_LOOK_SECONDS)
                job = (await stub.GetImport(pb.GetImportRequest(job_id=job.job_id))).job
            ours = time.perf_counter() - began
    if (job.state, job.read, job.rejected) != (pb.IMPORT_STATE_DONE, skus * POINTS, 0):
        raise ValueError(f"the import came to {job}")
    return [
        result("snapshot_import_ratio", [ours / raw], taken.load),
        result("snapshot_import_rss_mb", [peak_mb(system.pids["inventory"])], taken.load),
        result("snapshot_import_rows", [job.read], taken.load),
        result("snapshot_import_changed", [job.changed], taken.load),
        result("snapshot_import_seconds", [ours], taken.load),
        result("raw_import_seconds", [raw], taken.load),
    ]


async def _put_network(channel: grpc.aio.Channel, skus: int) -> None:
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
        for number in range(POINTS)
    ]
    await stub.PutStockPoints(inventory_pb.PutStockPointsRequest(points=points))
    for start in range(0, skus, _ITEMS_AT_ONCE):
        numbers = range(start, min(start + _ITEMS_AT_ONCE, skus))
        items = [inventory_pb.Item(sku=_sku(number), weight_grams=100) for number in numbers]
        await stub.PutItems(inventory_pb.PutItemsRequest(items=items))


def _stock_up(url: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        with connection.transaction():
            connection.execute(
                """INSERT INTO balance (sku, point_id, on_hand)
                   SELECT sku, point_id, 10 FROM item, stock_point
                   WHERE sku LIKE 'IMPORT-%' AND point_id LIKE 'import-%'"""
            )
            connection.execute(
                """INSERT INTO movement (sku, point_id, on_hand_delta, reserved_delta, unavailable_delta,
                                         short_delta, cause, actor, source, reservation_id, recorded_at)
                   SELECT sku, point_id, on_hand, 0, 0, 0, 'receipt', 'benchmark', '', '', now() - interval '1 day'
                   FROM balance WHERE point_id LIKE 'import-%'"""
            )
        connection.execute("VACUUM ANALYZE")


def _sku(number: int) -> str:
    return f"IMPORT-{number:06d}"


def _point(number: int) -> str:
    return f"import-{number:02d}"


def _file(skus: int) -> bytes:
    lines = ["sku,point_id,quantity"]
    for n in range(skus * POINTS):
        quantity = 11 if n % _CHANGED_ONE_IN == 0 else 10
        lines.append(f"{_sku(n // POINTS)},{_point(n % POINTS)},{quantity}")
    return ("\n".join(lines) + "\n").encode()


def _raw(url: str, content: bytes) -> float:
    with psycopg.connect(url) as connection:
        began = time.perf_counter()
        connection.execute(
            """CREATE TEMPORARY TABLE raw (sku text COLLATE "C", point_id text COLLATE "C", quantity bigint)
               ON COMMIT DROP"""
        )
        with connection.cursor().copy("COPY raw FROM STDIN (FORMAT csv, HEADER)") as copy:
            for start in range(0, len(content), _PORTION_BYTES):
                copy.write(content[start : start + _PORTION_BYTES])
        connection.execute(_MERGE)
        took = time.perf_counter() - began
        connection.rollback()
    return took


async def _sent(content: bytes) -> AsyncIterator[pb.StartImportRequest]:
    header = pb.ImportHeader(
        request_id=new_id("req"),
        kind=pb.IMPORT_KIND_SNAPSHOT,
        format=pb.IMPORT_FORMAT_CSV,
        point_ids=[_point(number) for number in range(POINTS)],
        absent=pb.ABSENT_RULE_ZERO,
        actor="benchmark",
        effective_at=times.to_proto(datetime.now(UTC)),
    )
    yield pb.StartImportRequest(header=header)
    for start in range(0, len(content), _PORTION_BYTES):
        yield pb.StartImportRequest(content=content[start : start + _PORTION_BYTES])


def peak_mb(pid: int) -> float:
    """The largest resident size that the process has had (VmHWM)."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    raise ValueError("the kernel tells no peak")
