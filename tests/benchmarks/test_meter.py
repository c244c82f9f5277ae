"""What a process spends is told by its own name."""

import os
import subprocess
import sys
from collections.abc import Iterator

import psutil
import pytest

from benchmarks.meter import memory_mb, reading

# Its child holds 64 MB and has spent CPU when it says so.
PARENT = """
import subprocess, sys
child = 'held = bytearray(b"x") * (64 << 20); n = sum(range(10_000_000)); print("ready", flush=True); input()'
subprocess.run([sys.executable, "-c", child])
"""


@pytest.fixture
def family() -> Iterator[subprocess.Popen[str]]:
    """A process that waits for its child, which has worked and holds memory."""
    process = subprocess.Popen(
        [sys.executable, "-c", PARENT], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    yield process
    for child in psutil.Process(process.pid).children():
        child.kill()
    process.communicate()


def ready(process: subprocess.Popen[str]) -> None:
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"


def test_what_children_spend_counts_for_their_parent(family: subprocess.Popen[str]) -> None:
    with reading({"family": family.pid}) as taken:
        ready(family)
    assert set(taken.cpu_seconds) == {"family", "bench", "other"}
    assert taken.cpu_seconds["family"] > 0.02
    assert all(seconds >= 0 for seconds in taken.cpu_seconds.values())


def test_what_children_hold_counts_for_their_parent(family: subprocess.Popen[str]) -> None:
    ready(family)
    assert memory_mb({"family": family.pid})["family"] > 64


def test_a_reading_tells_how_busy_the_machine_was() -> None:
    with reading() as taken:
        pass
    assert taken.load.average == pytest.approx(os.getloadavg()[0], abs=1)
    assert 0 <= taken.load.steal_percent <= 100
    assert set(taken.cpu_seconds) == {"bench", "other"}
