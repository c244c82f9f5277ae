"""What the machine and its processes spend: load, stolen time, CPU and memory by process. Knows no benchmark."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

_TICK = os.sysconf("SC_CLK_TCK")
_STEAL = 7
_IDLE = (3, 4)
_MB = 1024 * 1024
_NOBODY: Mapping[str, int] = {}


@dataclass(frozen=True)
class Load:
    """How busy the machine was: the one-minute load average at the end, and the part of time that a host took."""

    average: float
    steal_percent: float


class Reading:
    """Between its begin and its end; both values are there once the reading is over."""

    def __init__(self, pids: Mapping[str, int]) -> None:
        self._pids = pids
        self._ticks_before = _machine_ticks()
        self._cpu_before = _cpu_seconds(pids)
        self.load = Load(0.0, 0.0)
        self.cpu_seconds: dict[str, float] = {}

    def end(self) -> None:
        """Takes the differences. `other` is what the machine did for nobody we know."""
        spent = [after - before for before, after in zip(self._ticks_before, _machine_ticks(), strict=True)]
        total = sum(spent) or 1
        self.load = Load(os.getloadavg()[0], 100 * spent[_STEAL] / total)
        after = _cpu_seconds(self._pids)
        self.cpu_seconds = {name: seconds - self._cpu_before[name] for name, seconds in after.items()}
        busy = (total - spent[_STEAL] - sum(spent[i] for i in _IDLE)) / _TICK
        self.cpu_seconds["other"] = max(0.0, busy - sum(self.cpu_seconds.values()))


@contextmanager
def reading(pids: Mapping[str, int] = _NOBODY) -> Iterator[Reading]:
    """What is spent inside, by these processes (their children included) and by this one, called `bench`."""
    taken = Reading({**pids, "bench": os.getpid()})
    yield taken
    taken.end()


def memory_mb(pids: Mapping[str, int]) -> dict[str, float]:
    """The private memory (USS) of each process and its children: what would be free again without it."""
    return {name: sum(one.memory_full_info().uss for one in _family(pid)) / _MB for name, pid in pids.items()}


def _cpu_seconds(pids: Mapping[str, int]) -> dict[str, float]:
    return {name: _cpu_of_family(pid) for name, pid in pids.items()}


def _cpu_of_family(pid: int) -> float:
    # A child that ended counts in its parent's children_*: PostgreSQL's come and go.
    root = psutil.Process(pid)
    if pid == os.getpid():
        own = root.cpu_times()
        return own.user + own.system
    ended = root.cpu_times()
    lived = []
    for one in _family(pid):
        with suppress(psutil.NoSuchProcess):  # it ended since
            lived.append(one.cpu_times())
    return ended.children_user + ended.children_system + sum(times.user + times.system for times in lived)


def _family(pid: int) -> list[psutil.Process]:
    root = psutil.Process(pid)
    return [root, *root.children(recursive=True)]


def _machine_ticks() -> list[int]:
    """The counters of /proc/stat: user, nice, system, idle, iowait, irq, softirq, steal."""
    first = Path("/proc/stat").read_text().partition("\n")[0].split()
    return [int(field) for field in first[1:9]]
