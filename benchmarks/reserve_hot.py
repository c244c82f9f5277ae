"""Reserve over gRPC on one SKU that everybody wants, over Reserve on many, an empty echo, and bare SQL.

The same clients in the same rounds, so many calls in flight that none is ever idle. `reserve_hot_vs_pgbench` is to
so many sessions that update one row, a transaction each. `cpu_us_per_reserve` is what inventory and PostgreSQL
spend for a hot one.
"""

import asyncio

from benchmarks import pgbench
from benchmarks.figures import Result, result
from benchmarks.meter import reading
from benchmarks.reserve import Asker, analyze, spread_skus, stock_up
from benchmarks.system import System, at_once, peer
from kit import rpc
from oms.inventory.v1.inventory_service_pb2_grpc import InventoryServiceStub

_IN_FLIGHT = 32
_ROUNDS = 7
_TIMES = 2_000
_WARM_UP = 1_000
_PGBENCH_SECONDS = 3
_HOT = "BENCHMARK-HOT"


async def measure(system: System) -> list[Result]:
    """Rounds of all in turn."""
    spenders = {name: system.pids[name] for name in ("inventory", "postgres")}
    async with (
        peer(system, "echo") as echo,
        rpc.connect(system.stack.addresses["inventory"]) as to_inventory,
        rpc.connect(echo.address) as to_echo,
    ):
        stub = InventoryServiceStub(to_inventory)
        await stock_up(stub, [*spread_skus(), _HOT])
        askers = (Asker(InventoryServiceStub(to_echo), [_HOT]), Asker(stub, spread_skus()), Asker(stub, [_HOT]))
        for asker in askers:
            await at_once(_IN_FLIGHT, _WARM_UP, asker.reserve)
        url = system.stack.database_url("inventory")
        await asyncio.to_thread(analyze, url)
        rounds, sql, cpu_us = [], [], []
        with reading() as taken:
            for _ in range(_ROUNDS):
                per_second = []
                for asker in askers:
                    await system.settle()
                    with reading(spenders) as spent:
                        per_second.append(_TIMES / await at_once(_IN_FLIGHT, _TIMES, asker.reserve))
                rounds.append(per_second)
                # Of the last one, the hot.
                cpu_us.append(sum(spent.cpu_seconds[name] for name in spenders) * 1e6 / _TIMES)
                await system.settle()
                sql.append(await asyncio.to_thread(pgbench.one_hot_row, url, _IN_FLIGHT, _PGBENCH_SECONDS))
    hot = [of_hot for _, _, of_hot in rounds]
    return [
        result("reserve_hot_vs_spread", [of_hot / spread for _, spread, of_hot in rounds], taken.load),
        result("reserve_hot_vs_echo", [of_hot / echoed for echoed, _, of_hot in rounds], taken.load),
        result("reserve_hot_vs_pgbench", [mine / bare for mine, bare in zip(hot, sql, strict=True)], taken.load),
        result("cpu_us_per_reserve", cpu_us, taken.load),
        result("reserve_hot_per_second", hot, taken.load),
        result("pgbench_per_second", sql, taken.load),
    ]
