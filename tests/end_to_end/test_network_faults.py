"""The lines between the processes are slow, cut, silent or half dead: orders wait, and nothing happens twice.

Every line runs through a proxy here (see `proxy.py`): from the gateway and the worker to each service, from the
services to PostgreSQL and to the payment provider, from everyone to Temporal.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass

import pytest

from deploy.local.launcher import random_ports
from tests.end_to_end.crowd import Crowd
from tests.end_to_end.own import TEST_SECONDS, System, running_system
from tests.end_to_end.proxy import Fault, Proxy, running_proxies

pytestmark = [pytest.mark.attack, pytest.mark.timeout(TEST_SECONDS)]

LINES = ("inventory", "promise", "orders", "payments", "relay", "temporal", "postgres", "payment_provider")
# Each way: an answer takes twice as long.
SLOW, NEAR = Fault(delay_seconds=0.15), Fault(delay_seconds=0.01)
# Longer than most calls may take (5 s).
SILENT_SECONDS = 6.0
LOST_SECONDS = 2.0
# Longer than a step may run inside a workflow task (3 s).
EACH_SECONDS = 4.0
ORDERS = 6


@dataclass(frozen=True)
class Wired:
    """A system and its lines, by the name of whom they lead to."""

    system: System
    lines: dict[str, Proxy]


@pytest.fixture(scope="module")
def wired() -> Iterator[Wired]:
    ports = random_ports()
    with running_proxies({name: ports[name] for name in LINES}) as lines:
        through = {name: line.port for name, line in lines.items()}
        with running_system(ports=ports, through=through) as system:
            yield Wired(system, lines)


@asynccontextmanager
async def orders_under_way(wired: Wired, seed: int, count: int = ORDERS) -> AsyncIterator[Crowd]:
    """Something goes wrong inside the block, once the first order is placed; afterwards all is as it must be."""
    async with wired.system.crowd(seed) as crowd:
        placing = asyncio.create_task(crowd.place(count))
        await crowd.until_placed(1)
        yield crowd
        await placing
        await crowd.finish()
        await crowd.verify()


async def test_lines_may_be_cut_again_and_again(wired: Wired) -> None:
    chance, cut = random.Random(1), 0
    async with orders_under_way(wired, seed=1):
        for _ in range(40):
            cut += wired.lines[chance.choice(LINES)].cut()
            await asyncio.sleep(0.1)
    assert cut > 20


async def test_lines_go_silent_and_come_back(wired: Wired) -> None:
    async with orders_under_way(wired, seed=2):
        with ExitStack() as silent:
            for name in ("orders", "temporal", "postgres"):
                silent.enter_context(wired.lines[name].suffering(Fault(holds=True)))
            await asyncio.sleep(SILENT_SECONDS)


async def test_lost_answers_are_found_again_and_nothing_is_done_twice(wired: Wired) -> None:
    async with orders_under_way(wired, seed=3):
        for names in (("inventory", "payments"), ("orders", "payment_provider"), ("postgres",)):
            with ExitStack() as deaf:
                for name in names:
                    deaf.enter_context(wired.lines[name].suffering(Fault(loses_answers=True)))
                await asyncio.sleep(LOST_SECONDS)


# -- the whole matrix ------------------------------------------------------------------------------------------

FAULTS = {
    "slow": Fault(delay_seconds=0.5),
    "silent": Fault(holds=True),
    "without answers": Fault(loses_answers=True),
    "refused": Fault(refuses=True),
    "cut in the middle of a message": Fault(cut_after_bytes=700),
}


@pytest.mark.parametrize("what", FAULTS)
async def test_every_line_suffers_every_fault(wired: Wired, what: str) -> None:
    async with wired.system.crowd(seed=100 + len(what)) as crowd:
        for line in wired.lines.values():
            placing = asyncio.create_task(crowd.place(4))
            with line.suffering(FAULTS[what]):
                await asyncio.sleep(EACH_SECONDS)
                line.cut()
            await placing
        await crowd.finish()
        await crowd.verify()


async def test_slow_lines_make_orders_slow_and_nothing_else(wired: Wired) -> None:
    with ExitStack() as slow:
        for name, line in wired.lines.items():
            # A database stands beside its services; each call makes many statements.
            slow.enter_context(line.suffering(NEAR if name == "postgres" else SLOW))
        async with orders_under_way(wired, seed=4):
            for line in wired.lines.values():
                line.cut()  # who connects anew meets the slow line too


async def test_connections_that_died_without_a_word_are_given_up(wired: Wired) -> None:
    """As after the loss of a machine. PostgreSQL's are found dead by the kernel, which a proxy cannot play."""
    async with orders_under_way(wired, seed=5):
        stranded = {name: line.strand() for name, line in wired.lines.items() if name != "postgres"}
    assert all(stranded.values()), stranded
