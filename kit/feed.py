"""Numbered feeds: rows read in commit order by a cursor that never hides one.

A writer inserts rows with `sequence` NULL. A reader first numbers what is committed, under an advisory lock, so
there is one writer of numbers at a time and a number is only given to a row that every later reader can see.
Rows of one aggregate keep their order because their writers hold its lock: the later insert has the greater id.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import TypeVar

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

T = TypeVar("T")


async def has_news(connection: AsyncConnection, table: str, after: int) -> bool:
    """Whether `table` has rows after a number; those that have no number yet are given theirs.

    `table` has the columns id and sequence, and its numbers come from `<table>_sequence`. Made for a connection
    without a transaction: the block below is one by itself, and each statement in it sees what was committed
    before it, the update therefore all that was committed before the lock was had.
    """
    found = await connection.execute(
        text(
            f"""SELECT EXISTS (SELECT 1 FROM {table} WHERE sequence IS NULL) AS unnumbered,
                       EXISTS (SELECT 1 FROM {table} WHERE sequence > :after) AS numbered"""
        ),
        {"after": after},
    )
    unnumbered, numbered = found.one()
    if unnumbered:
        await connection.execute(
            text(
                f"""DO $$ BEGIN
                    PERFORM pg_advisory_xact_lock(hashtext('feed/{table}'));
                    UPDATE {table} SET sequence = numbered.next
                    FROM (SELECT id, nextval('{table}_sequence') AS next
                          FROM (SELECT id FROM {table} WHERE sequence IS NULL ORDER BY id) AS waiting) AS numbered
                    WHERE {table}.id = numbered.id;
                END $$"""
            )
        )
    return bool(unnumbered or numbered)


class Bell:
    """Wakes the readers of a feed in this process when a writer of this process has committed.

    Writers in other replicas are found by looking again every `look_again_seconds`.
    """

    def __init__(self, look_again_seconds: float = 0.25) -> None:
        self._event = asyncio.Event()
        self._look_again_seconds = look_again_seconds

    def ring(self) -> None:
        """Something was committed."""
        self._event.set()
        self._event = asyncio.Event()

    async def wait_for(self, read: Callable[[], Awaitable[Sequence[T]]], wait_seconds: float) -> Sequence[T]:
        """The first non-empty answer of `read`, or an empty one after `wait_seconds`."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + wait_seconds
        while True:
            rung = self._event
            rows = await read()
            remaining = deadline - loop.time()
            if rows or remaining <= 0:
                return rows
            # Not asyncio.wait_for: until Python 3.12 it forgets a cancellation that comes with the ring.
            with suppress(TimeoutError):
                async with asyncio.timeout(min(remaining, self._look_again_seconds)):
                    await rung.wait()
