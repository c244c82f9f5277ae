"""Counts how often a connection is sent something and waited for, as the wire itself tells."""

import tempfile
from collections.abc import Awaitable

from psycopg import pq
from sqlalchemy.ext.asyncio import AsyncEngine


async def round_trips(engine: AsyncEngine, act: Awaitable[object]) -> int:
    """Of an act that uses one connection of an engine that has no more than one."""
    async with engine.connect() as connection:
        driver = (await connection.get_raw_connection()).driver_connection
    assert driver is not None
    with tempfile.TemporaryFile("w+") as wire:
        driver.pgconn.trace(wire.fileno())
        driver.pgconn.set_trace_flags(pq.Trace.SUPPRESS_TIMESTAMPS)
        try:
            await act
        finally:
            driver.pgconn.untrace()
        wire.seek(0)
        messages = [line.rstrip().split("\t") for line in wire]
    # What the server waits for before it answers.
    return sum(message[0] == "F" and message[2] in ("Sync", "Query") for message in messages)
