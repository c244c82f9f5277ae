"""The history of payments over 5,000,000 operations: a page of filtered ones, and files of 1,000,000.

The operations are drawn by SQL into a database of their own, which a payments process of its own serves. Ten pairs
of filters are asked, the first page and the one after it: frequent together, rare together, never together, only
long ago, one of several values. The figure is the slowest pair's. A file is read from the process as the gateway
reads it; the memory is the greatest that the process has had, after both kinds of file.
"""

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import psycopg

from benchmarks.figures import Result, result
from benchmarks.imports import peak_mb
from benchmarks.meter import reading
from benchmarks.system import System
from deploy.local.launcher import ROOT
from deploy.local.postgres import create_database
from deploy.local.process import ManagedProcess, ProcessSpec, free_port, grpc_ready
from kit import db, rpc
from oms.payments.v1 import finance_service_pb2 as finance
from oms.payments.v1 import payments_service_pb2 as pb
from oms.payments.v1.finance_service_pb2_grpc import FinanceServiceStub
from oms.payments.v1.payments_service_pb2_grpc import PaymentsServiceStub
from oms.type.v1 import type_pb2 as types

if TYPE_CHECKING:
    from oms.payments.v1.finance_service_pb2_grpc import FinanceServiceAsyncStub
    from oms.payments.v1.payments_service_pb2_grpc import PaymentsServiceAsyncStub

_DATABASE = "payments_history"
_OPERATIONS = 5_000_000
_EXPORTED = 1_000_000
_ROUNDS = 7
_PAGE = 50
_CAPTURE, _REFUND, _VOID = pb.OPERATION_KIND_CAPTURE, pb.OPERATION_KIND_REFUND, pb.OPERATION_KIND_VOID
_FAILED, _UNKNOWN, _SUCCEEDED = pb.OPERATION_STATE_FAILED, pb.OPERATION_STATE_UNKNOWN, pb.OPERATION_STATE_SUCCEEDED
_FORMATS = (finance.EXPORT_FORMAT_CSV, finance.EXPORT_FORMAT_PARQUET)
_PAIRS: Mapping[str, dict[str, Any]] = {
    "frequent": {"channel_ids": ["web-fr"], "kinds": [_CAPTURE]},
    "frequent, few together": {"channel_ids": ["web-fr"], "states": [_FAILED]},
    "rare": {"states": [_UNKNOWN], "currencies": ["CHF"]},
    "never together": {"channel_ids": ["app-fr"], "currencies": ["SEK"]},
    "only long ago": {"channel_ids": ["old-shop"], "kinds": [_VOID]},
    "long ago and rare": {"channel_ids": ["old-shop"], "states": [_FAILED]},
    "a store and a tender": {"point_ids": ["st-7"], "tender_kinds": ["paid_by_channel_reference"]},
    "a store and what failed": {"point_ids": ["st-191"], "states": [_UNKNOWN, _FAILED]},
    "either of rare ones": {"states": [_UNKNOWN, _FAILED], "currencies": ["SEK", "NOK"]},
    "a provider and its refunds": {"providers": ["adyen"], "kinds": [_REFUND, _VOID]},
}
# Every drawn figure is another hash of the number: they are independent of each other.
_DRAW = f"""
INSERT INTO operation (operation_id, request_id, order_id, tender_id, kind, state, amount_minor, currency, cause,
                       actor, provider, provider_reference, intended_at, settled_at, asked_at, channel_id,
                       point_id, tender_kind)
SELECT 'pop_' || md5(n::text), 'req_' || n, 'ord_' || md5((n / 3)::text), 'ten_' || md5((n / 3)::text),
       CASE WHEN kind < 40 THEN 'authorize' WHEN kind < 80 THEN 'capture'
            WHEN kind < 88 THEN 'void' ELSE 'refund' END,
       state, 100 + amount,
       CASE WHEN channel = 'web-se' THEN 'SEK' WHEN channel = 'web-ch' THEN 'CHF' ELSE 'EUR' END,
       'parcel/par_' || n, 'workflow', CASE WHEN provider < 80 THEN 'stripe' ELSE 'adyen' END,
       'pi_' || md5((n / 3)::text), at, CASE state WHEN 'unknown' THEN NULL ELSE at + interval '300 ms' END, at,
       channel, CASE WHEN channel = 'stores' OR store < 60 THEN 'st-' || store ELSE '' END,
       CASE WHEN tender < 70 THEN 'payment_method_token' WHEN tender < 90 THEN 'provider_authorisation_id'
            ELSE 'paid_by_channel_reference' END
FROM (SELECT n, timestamptz '2024-11-01' + n * interval '12.6 s' AS at, abs(hashint8extended(n, 1) % 100) AS kind,
             CASE WHEN abs(hashint8extended(n, 2) % 100000) < 2 THEN 'unknown'
                  WHEN abs(hashint8extended(n, 2) % 100000) < 4000 THEN 'failed' ELSE 'succeeded' END AS state,
             abs(hashint8extended(n, 3) % 20000) AS amount, abs(hashint8extended(n, 4) % 100) AS provider,
             abs(hashint8extended(n, 5) % 100) AS tender, abs(hashint8extended(n, 6) % 200) AS store,
             CASE WHEN n < {_OPERATIONS} / 10 AND n % 4 = 0 THEN 'old-shop' WHEN n % 5000 = 1 THEN 'web-se'
                  WHEN n % 29 = 2 THEN 'web-ch' WHEN n % 3 = 0 THEN 'stores' WHEN n % 5 = 0 THEN 'app-fr'
                  ELSE 'web-fr' END AS channel
      FROM generate_series(1::bigint, {_OPERATIONS}) AS n) AS drawn
"""
_FACETS = """
INSERT INTO operation_facet
SELECT DISTINCT facet, channel_id, point_id, provider, tender_kind, kind, state, currency FROM operation
"""


async def measure(system: System) -> list[Result]:
    """Draws, asks, exports, and drops the database."""
    url = system.stack.database_url("payments").rpartition("/")[0] + f"/{_DATABASE}"
    admin = system.stack.database_url("payments").replace("postgresql+psycopg://", "postgresql://", 1)
    await asyncio.to_thread(create_database, admin, _DATABASE)
    try:
        await db.migrate("payments", url)
        await asyncio.to_thread(_draw, url.replace("postgresql+psycopg://", "postgresql://", 1))
        await system.settle()
        async with _serving(system, url) as (address, pid), rpc.connect(address) as channel:
            with reading() as taken:
                pages = await _pages(PaymentsServiceStub(channel))
                stub: FinanceServiceAsyncStub = FinanceServiceStub(channel)
                speeds = [await _export(stub, format) for format in 2 * _FORMATS]
            peak = peak_mb(pid)
    finally:
        await asyncio.to_thread(_drop, admin)
    return [
        result("history_page_ms", [max(times) for times in zip(*pages.values(), strict=True)], taken.load),
        result("history_page_slowest_ms", [max(map(max, pages.values()))], taken.load),
        result("export_rows_per_second", [min(speeds[:2]), min(speeds[2:])], taken.load),
        result("export_csv_rows_per_second", speeds[::2], taken.load),
        result("export_parquet_rows_per_second", speeds[1::2], taken.load),
        result("export_rss_mb", [peak], taken.load),
    ]


async def _pages(stub: "PaymentsServiceAsyncStub") -> dict[str, list[float]]:
    """Milliseconds of the slower of two pages, by pair, round by round."""
    found: dict[str, list[float]] = {name: [] for name in _PAIRS}
    for turn in range(_ROUNDS + 1):
        for name, pair in _PAIRS.items():
            slowest, cursor = 0.0, ""
            for _ in range(2):
                request = pb.ListOperationsRequest(
                    filter=pb.OperationFilter(**pair), page=types.PageRequest(size=_PAGE, cursor=cursor)
                )
                began = time.perf_counter()
                answer = await stub.ListOperations(request)
                slowest, cursor = max(slowest, time.perf_counter() - began), answer.page.next_cursor
                if not cursor:
                    break
            # The first turn brings what it reads into memory.
            if turn:
                found[name].append(slowest * 1000)
    return found


async def _export(stub: "FinanceServiceAsyncStub", format: finance.ExportFormat.ValueType) -> float:
    """Rows a second of the newest million."""
    wanted = pb.OperationFilter()
    # One is drawn each 12.6 seconds, the last one at the end.
    wanted.until.FromJsonString("2026-11-01T00:00:00Z")
    since = getattr(wanted, "from")
    since.FromJsonString("2024-11-01T00:00:00Z")
    since.seconds += int((_OPERATIONS - _EXPORTED) * 12.6)
    began, size = time.perf_counter(), 0
    async for part in stub.ExportOperations(finance.ExportOperationsRequest(filter=wanted, format=format)):
        size += len(part.content)
    took = time.perf_counter() - began
    if size < _EXPORTED * 10:
        raise ValueError(f"a file of {size} bytes has not {_EXPORTED} operations")
    return _EXPORTED / took


@asynccontextmanager
async def _serving(system: System, url: str) -> AsyncIterator[tuple[str, int]]:
    """The address and the process of `python -m services.payments` on this database."""
    address = f"127.0.0.1:{free_port()}"
    environment = {
        "OMS_LISTEN": address,
        "OMS_DATABASE_URL": url,
        "OMS_PAYMENT_PROVIDER_URL": "http://127.0.0.1:1",
        "OMS_PAYMENT_PROVIDER_API_KEY": "none",
        "OMS_PAYMENT_PROVIDER_WEBHOOK_SECRET": "none",
    }
    process = ManagedProcess(
        ProcessSpec(
            name=_DATABASE,
            command=(sys.executable, "-m", "services.payments"),
            log_file=system.folder / f"{_DATABASE}.log",
            ready=grpc_ready(address),
            environment=environment,
            working_directory=ROOT,
        )
    )
    await process.start()
    try:
        await process.wait_ready()
        assert process.pid is not None, "it is ready"
        yield address, process.pid
    finally:
        await process.stop()


def _draw(url: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        # Neither orders nor triggers; indexes are made at the end, at once.
        connection.execute("SET session_replication_role = replica")
        connection.execute("SET maintenance_work_mem = '512MB'")
        found = connection.execute(
            """SELECT indexname, indexdef FROM pg_indexes
               WHERE tablename = 'operation' AND indexname <> 'operation_pkey'"""
        ).fetchall()
        for name, _ in found:
            connection.execute(f"DROP INDEX {name}")
        connection.execute(_DRAW)
        for _, definition in found:
            connection.execute(definition)
        connection.execute(_FACETS)
        connection.execute("VACUUM ANALYZE")


def _drop(admin: str) -> None:
    with psycopg.connect(admin, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {_DATABASE} WITH (FORCE)")
