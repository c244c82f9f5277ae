"""Memory of each process at rest: after some lives of orders, and again after many more of them (`--orders`).

It is the private memory of a process and its children. The first reading comes after a warm-up, when pools, caches
of statements and of code are filled; the second may be a tenth larger, for what allocators keep. What grows more
grows with the number of orders. Only closed orders count: one that is open is held by right.
"""

import asyncio
from collections import defaultdict

from benchmarks.figures import Result, result
from benchmarks.meter import memory_mb, reading
from benchmarks.system import People, System, at_once, feed

_ALIVE = 16
_WARM_UP = 1_000
_SAMPLES = 5
_GROWTH_ALLOWED = 1.1


async def measure(system: System, orders: int) -> list[Result]:
    """Lives, a reading, more lives, a reading."""
    async with feed(system) as told:
        people = People(system, told)
        await at_once(_ALIVE, min(_WARM_UP, orders), people.live)
        at_first = await _at_rest(system)
        with reading() as taken:
            await at_once(_ALIVE, orders, people.live)
        at_last = await _at_rest(system)
    found = [result("memory_orders", [orders], taken.load)]
    for name, values in at_first.items():
        rest = result(f"memory_mb_rest.{name}", values, taken.load)
        limit = rest.value * _GROWTH_ALLOWED
        found += [rest, result(f"memory_mb_after.{name}", at_last[name], taken.load, limit=limit)]
    return found


async def _at_rest(system: System) -> dict[str, list[float]]:
    await system.settle()
    samples: dict[str, list[float]] = defaultdict(list)
    for _ in range(_SAMPLES):
        for name, megabytes in memory_mb(system.pids).items():
            samples[name].append(megabytes)
        await asyncio.sleep(1)
    return samples
