"""Random lives with a fixed seed: whatever people and points do, at the end nothing is left behind.

`make attack ARGS="-k random_lives --lives 500 --lives-seed 7"` looks where no run has looked before.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager

import pytest
import pytest_asyncio

from oms.inventory.v1 import inventory_service_pb2 as inv
from services.relay.signals import Signals
from tests.attack.lives import drawn, failure_of, shrunk
from tests.conftest import MakeDatabase
from tests.simulators.payment_provider import running as running_provider
from tests.workflows.start import running
from tests.workflows.world import NEAR, World, until

pytestmark = [pytest.mark.attack, pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(1500)]
AT_ONCE = 12
LAST_UNITS = 6
# Then a story often hears of several things at once.
TOLD_LATE_SECONDS = 0.8

Start = Callable[[float], AbstractAsyncContextManager[World]]


@pytest.fixture(scope="module")
def start(
    make_database: MakeDatabase, temporal_address: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Start]:
    with running_provider(tmp_path_factory.mktemp("provider")) as provider:
        yield lambda told_after: running(make_database, temporal_address, provider, told_after)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(start: Start) -> AsyncIterator[World]:
    async with start(Signals.gather_seconds) as started:
        yield started


async def test_random_lives_end_with_holds_at_zero_and_money_equal_to_what_was_kept(
    world: World, pytestconfig: pytest.Config
) -> None:
    await _live(world, pytestconfig, "told at once")


async def test_random_lives_of_which_the_stories_hear_late_end_so_too(
    start: Start, pytestconfig: pytest.Config
) -> None:
    async with start(TOLD_LATE_SECONDS) as late:
        await _live(late, pytestconfig, "told late")


async def _live(world: World, config: pytest.Config, kind: str) -> None:
    chance = random.Random(f"{config.getoption('--lives-seed')}/{kind}")
    seeds = [chance.getrandbits(32) for _ in range(config.getoption("--lives"))]
    for first in range(0, len(seeds), AT_ONCE):
        lives = map(drawn, seeds[first : first + AT_ONCE])
        for failure in filter(None, await asyncio.gather(*(failure_of(world, one) for one in lives))):
            smallest = await shrunk(world, failure)
            pytest.fail(f"{failure}\n\nand the smallest that fails as well:\n{smallest}")


async def test_the_last_unit_is_sold_once_again_and_again(world: World) -> None:
    async def buy(sku: str) -> str:
        placement = await world.place(await world.record({sku: 1}))
        assert placement is not None
        return placement.state

    for _ in range(LAST_UNITS):
        sku = await world.stock({NEAR: 1})
        outcomes = await asyncio.gather(*(buy(sku) for _ in range(50)))
        assert sorted(outcomes) == ["refused"] * 49 + ["validated"]
        await until(lambda sku=sku: _one_is_held(world, sku))  # type: ignore[misc]


async def _one_is_held(world: World, sku: str) -> bool:
    (row,) = (await world.inventory.ListBalances(inv.ListBalancesRequest(skus=[sku]))).balances
    assert row.reserved <= row.on_hand == 1
    return row.reserved == 1
