"""A bell wakes those who wait for rows, and never keeps one who was told to stop."""

import asyncio
from collections.abc import Sequence

import pytest

from kit.feed import Bell


async def nothing() -> Sequence[int]:
    return []


async def test_a_ring_makes_the_reader_look_at_once() -> None:
    rows: list[int] = []

    async def read() -> Sequence[int]:
        return rows

    bell = Bell(look_again_seconds=60)
    reading = asyncio.create_task(bell.wait_for(read, 60))
    await asyncio.sleep(0)
    rows.append(7)
    bell.ring()
    assert await asyncio.wait_for(reading, 5) == [7]


async def test_a_reader_looks_again_without_a_ring_and_gives_up_in_time() -> None:
    looks = 0

    async def read() -> Sequence[int]:
        nonlocal looks
        looks += 1
        return []

    assert await Bell(look_again_seconds=0.01).wait_for(read, 0.1) == []
    assert looks > 2


async def test_a_reader_that_found_nothing_rests_however_often_the_bell_rings() -> None:
    looks = 0

    async def read() -> Sequence[int]:
        nonlocal looks
        looks += 1
        return [looks] if looks == 3 else []

    bell = Bell(look_again_seconds=60, rest_seconds=0.05)
    loop = asyncio.get_running_loop()
    began = loop.time()
    reading = asyncio.create_task(bell.wait_for(read, 60))
    while not reading.done():
        bell.ring()
        await asyncio.sleep(0)
    assert await reading == [3]
    # A loop may count in milliseconds.
    assert loop.time() - began >= 0.098


@pytest.mark.parametrize("ticks", range(6))
async def test_a_reader_that_is_stopped_while_the_bell_rings_stops(ticks: int) -> None:
    bell = Bell(look_again_seconds=60)
    reading = asyncio.create_task(bell.wait_for(nothing, 60))
    await asyncio.sleep(0)
    bell.ring()
    for _ in range(ticks):
        await asyncio.sleep(0)
    reading.cancel()
    await asyncio.wait([reading], timeout=5)
    assert reading.cancelled()
