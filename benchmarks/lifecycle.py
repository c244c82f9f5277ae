"""Lives of orders a second: placed, offered, accepted, picked, packed, captured, handed over, delivered, closed.

Everyone acts over REST as soon as he can, with so many orders alive at a time, on a channel without cooling-off.
`cpu_ms_per_life` is where the cores went, by process.
"""

from benchmarks.figures import Result, result
from benchmarks.meter import reading
from benchmarks.system import People, System, feed
from benchmarks.throughput import Rounds

_ALIVE = 16
_ROUNDS = 3
_TIMES = 96
_WARM_UP = 64


async def measure(system: System) -> list[Result]:
    """Rounds of the same number of lives."""
    async with feed(system) as told:
        people = People(system, told)
        warming, lives = Rounds(), Rounds()
        await warming.add(system, system.pids, _ALIVE, _WARM_UP, people.live)
        with reading() as taken:
            for _ in range(_ROUNDS):
                await lives.add(system, system.pids, _ALIVE, _TIMES, people.live)
    return [
        result("order_lifecycle_per_second", lives.per_second, taken.load),
        *lives.cpu("cpu_ms_per_life", taken.load),
    ]
