"""Counts how often connections are sent something and waited for, as the wire itself tells."""

import tempfile
from collections.abc import Awaitable
from contextlib import AsyncExitStack
from typing import Any

from psycopg import pq
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.pool import QueuePool


async def round_trips(engine: AsyncEngine, act: Awaitable[object]) -> int:
    """Of an act that is content with the connections that the engine has, or with one."""
    pool = engine.pool
    assert isinstance(pool, QueuePool)
    known: list[Any] = []
    async with AsyncExitStack() as taken:
        for _ in range(pool.checkedin() or 1):
            connection = await taken.enter_async_context(engine.connect())
            driver: Any = (await connection.get_raw_connection()).driver_connection
            known.append(driver.pgconn)
    with tempfile.TemporaryFile("w+") as wire:
        for one in known:
            one.trace(wire.fileno())
            one.set_trace_flags(pq.Trace.SUPPRESS_TIMESTAMPS)
        try:
            await act
        finally:
            for one in known:
                one.untrace()
        wire.seek(0)
        messages = [line.rstrip().split("\t") for line in wire]
    # What the server waits for before it answers.
    return sum(message[0] == "F" and message[2] in ("Sync", "Query") for message in messages)
