"""PostgreSQL goes away and comes back while everyone works: nobody else has to be started again for it."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from deploy.local.processes import PROCESSES
from tests.end_to_end.crowd import Crowd
from tests.end_to_end.hooks import Receiver
from tests.stack import SharedStack

ORDERS = 8
# Longer than a connection is waited for, and than most calls may take.
AWAY_SECONDS = 7.0
OURS = [process.name for process in PROCESSES]


async def restart_fast(stack: SharedStack) -> None:
    await stack.restart("postgres")


async def restart_twice(stack: SharedStack) -> None:
    await stack.restart("postgres")
    await stack.restart("postgres")


async def crash(stack: SharedStack) -> None:
    await stack.kill("postgres")
    await stack.wait_ready("postgres")


async def stay_away(stack: SharedStack) -> None:
    await stack.hold("postgres")
    await asyncio.sleep(AWAY_SECONDS)
    await stack.release("postgres")


@asynccontextmanager
async def nobody_dies_or_calls_it_a_defect(stack: SharedStack) -> AsyncIterator[None]:
    """What happens inside is told as an outage and survived."""
    starts = {name: stack.starts(name) for name in OURS}
    sizes = {name: (stack.logs / f"{name}.log").stat().st_size for name in OURS}
    yield
    assert {name: stack.starts(name) for name in OURS} == starts
    told = [entry for name in OURS for entry in entries(stack, name, sizes[name])]
    assert told
    assert [entry for entry in told if "defect" in entry["message"]] == []


def entries(stack: SharedStack, name: str, offset: int) -> list[dict[str, str]]:
    """What a process has logged after this many bytes."""
    with (stack.logs / f"{name}.log").open("rb") as file:
        file.seek(offset)
        return [json.loads(line) for line in file.read().decode().splitlines()]


@pytest.mark.parametrize(
    "happens",
    [
        restart_fast,
        pytest.param(crash, marks=pytest.mark.attack),
        pytest.param(stay_away, marks=pytest.mark.attack),
    ],
)
async def test_the_database_comes_back_under_load_and_every_order_goes_on(
    stack: SharedStack, hooks: Receiver, happens: Callable[[SharedStack], Awaitable[None]]
) -> None:
    async with nobody_dies_or_calls_it_a_defect(stack), Crowd(stack, hooks, seed=300) as crowd:
        placing = asyncio.create_task(crowd.place(ORDERS))
        await crowd.until_placed(2)
        await happens(stack)
        await placing
        await crowd.finish()
        await crowd.verify()


@pytest.mark.attack
async def test_the_database_is_restarted_again_and_again(stack: SharedStack, hooks: Receiver) -> None:
    async with nobody_dies_or_calls_it_a_defect(stack), Crowd(stack, hooks, seed=301) as crowd:
        placing = asyncio.create_task(crowd.place(3 * ORDERS))
        for number in range(6):
            await crowd.until_placed(3 * number + 1)
            await (crash if number % 2 else restart_twice)(stack)
        await placing
        await crowd.finish()
        await crowd.verify()
