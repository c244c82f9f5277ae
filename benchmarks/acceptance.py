"""How long a channel waits for its order to be accepted: POST /v1/orders to 201, one at a time.

`bare_p50_ms` is the same for a workflow with the same steps and messages, where no step does anything: the
difference is what services, databases and gateway cost.
"""

import statistics
import time
from collections.abc import Awaitable, Callable

from benchmarks.bare import bare_workflows
from benchmarks.figures import Result, result
from benchmarks.meter import reading
from benchmarks.system import RESTING_CHANNEL, System

_ROUNDS = 5
_TIMES = 60
_WARM_UP = 40


async def measure(system: System) -> list[Result]:
    """Rounds of both in turn."""
    shopper = system.shop(RESTING_CHANNEL)
    async with bare_workflows(system) as bare:
        await _p50_ms(shopper.place, _WARM_UP)
        await _p50_ms(bare.run, _WARM_UP)
        accepted, alone = [], []
        with reading() as taken:
            for _ in range(_ROUNDS):
                await system.settle()
                accepted.append(await _p50_ms(shopper.place, _TIMES))
                await system.settle()
                alone.append(await _p50_ms(bare.run, _TIMES))
    return [result("acceptance_p50_ms", accepted, taken.load), result("bare_p50_ms", alone, taken.load)]


async def _p50_ms(act: Callable[[], Awaitable[object]], times: int) -> float:
    took = []
    for _ in range(times):
        began = time.perf_counter()
        await act()
        took.append((time.perf_counter() - began) * 1000)
    return statistics.median(took)
