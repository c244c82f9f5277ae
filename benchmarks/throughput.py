"""Orders accepted a second with 32 in flight, over bare workflows on the same server: the same steps and messages,
where no step does anything.

`cpu_ms_per_order` is where the cores went meanwhile and until the system was idle again: by process, `bench` being
the channels that order, `other` what the machine did for nobody of ours.
"""

from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping

from benchmarks.bare import bare_workflows
from benchmarks.figures import Result, result
from benchmarks.meter import Load, reading
from benchmarks.system import RESTING_CHANNEL, System, at_once

_IN_FLIGHT = 32
_ROUNDS = 5
_TIMES = 320
_WARM_UP = 200


async def measure(system: System) -> list[Result]:
    """Rounds of both in turn."""
    shopper = system.shop(RESTING_CHANNEL)
    async with bare_workflows(system) as bare:
        await at_once(_IN_FLIGHT, _WARM_UP, shopper.place)
        await at_once(_IN_FLIGHT, _WARM_UP, bare.run)
        bare_pids = {"temporal": system.pids["temporal"], bare.worker.name: bare.worker.pid}
        orders, bares = Rounds(), Rounds()
        with reading() as taken:
            for _ in range(_ROUNDS):
                await bares.add(system, bare_pids, _IN_FLIGHT, _TIMES, bare.run)
                await orders.add(system, system.pids, _IN_FLIGHT, _TIMES, shopper.place)
    ratios = [mine / theirs for mine, theirs in zip(orders.per_second, bares.per_second, strict=True)]
    return [
        result("acceptance_ratio", ratios, taken.load),
        result("accepted_per_second", orders.per_second, taken.load),
        result("bare_per_second", bares.per_second, taken.load),
        *orders.cpu("cpu_ms_per_order", taken.load),
        *bares.cpu("cpu_ms_per_bare", taken.load),
    ]


class Rounds:
    """Repeats of the same work: how fast each was, and what each process spent for one unit of it."""

    def __init__(self) -> None:
        self.per_second: list[float] = []
        self._cpu_ms: dict[str, list[float]] = defaultdict(list)

    async def add(
        self,
        system: System,
        pids: Mapping[str, int],
        width: int,
        times: int,
        act: Callable[[], Awaitable[object]],
    ) -> None:
        """One more, on an idle system and until it is idle again."""
        await system.settle()
        with reading(pids) as taken:
            self.per_second.append(times / await at_once(width, times, act))
            await system.settle()
        for name, seconds in taken.cpu_seconds.items():
            self._cpu_ms[name].append(seconds * 1000 / times)

    def cpu(self, figure: str, load: Load) -> list[Result]:
        """What one unit costs in all but `other`, then by process, the dearest first."""
        ours = [values for name, values in self._cpu_ms.items() if name != "other"]
        whole = [sum(of_round) for of_round in zip(*ours, strict=True)]
        parts = [result(f"{figure}.{name}", values, load) for name, values in self._cpu_ms.items()]
        return [result(figure, whole, load), *sorted(parts, key=lambda one: -one.value)]
