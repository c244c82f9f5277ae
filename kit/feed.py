"""Numbered feeds: rows read in commit order by a cursor that never hides one.

A writer inserts rows with `sequence` NULL. A reader first numbers what is committed, under an advisory lock, so
there is one writer of numbers at a time and a number is only given to a row that every later reader can see.
Rows of one aggregate keep their order because their writers hold its lock: the later insert has the greater id.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from functools import cache
from typing import TypeVar

from sqlalchemy import TextClause, text
from sqlalchemy.ext.asyncio import AsyncConnection

from kit import db

T = TypeVar("T")


async def has_news(connection: AsyncConnection, table: str, after: int) -> bool:
    """Whether `table` has rows after a number; those that have no number yet are given theirs.

    `table` has the columns id and sequence, and its numbers come from `<table>_sequence`. Made for a connection
    without a transaction: the block below is one by itself, and each statement in it sees what was committed
    before it, the update therefore all that was committed before the lock was had. Rows without a number are
    nobody else's to change, so their place (ctid) names them: no statistics make PostgreSQL read all the others.
    """
    look, number = _statements(table)
    [(unnumbered, numbered)] = await db.rows(connection, look, {"after": after})
    if unnumbered:
        await db.rows(connection, number, {})
    return bool(unnumbered or numbered)


@cache
def _statements(table: str) -> tuple[TextClause, TextClause]:
    """To look for news, and to give numbers."""
    return (
        # Not EXISTS: what there is stands at the table's end, and the planner would look for it from the start.
        text(
            f"""SELECT (SELECT min(id) FROM {table} WHERE sequence IS NULL) IS NOT NULL,
                       coalesce((SELECT max(sequence) FROM {table}) > :after, false)"""
        ),
        text(
            f"""DO $$ BEGIN
                PERFORM pg_advisory_xact_lock(hashtext('feed/{table}'));
                UPDATE {table} SET sequence = numbered.next
                FROM (SELECT ctid, nextval('{table}_sequence') AS next
                      FROM (SELECT ctid FROM {table} WHERE sequence IS NULL ORDER BY id) AS waiting) AS numbered
                WHERE {table}.ctid = numbered.ctid;
            END $$"""
        ),
    )


class Bell:
    """Wakes the readers of a feed in this process when a writer of this process has committed.

    Writers in other replicas are found by looking again every `look_again_seconds`. A reader that found nothing
    rests for `rest_seconds` before it looks again, however often the bell rings: else a crowd of writers, most of
    whom have nothing for it, would be kept busy with its looking.
    """

    def __init__(self, look_again_seconds: float = 0.25, rest_seconds: float = 0.05) -> None:
        self._event = asyncio.Event()
        self._look_again_seconds = look_again_seconds
        self._rest_seconds = rest_seconds

    def ring(self) -> None:
        """Something was committed."""
        self._event.set()
        self._event = asyncio.Event()

    async def wait_for(self, read: Callable[[], Awaitable[Sequence[T]]], wait_seconds: float) -> Sequence[T]:
        """The first non-empty answer of `read`, or an empty one after `wait_seconds`."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + wait_seconds
        while True:
            rung, looked_at = self._event, loop.time()
            rows = await read()
            remaining = deadline - loop.time()
            if rows or remaining <= 0:
                return rows
            # Not asyncio.wait_for: until Python 3.12 it forgets a cancellation that comes with the ring.
            with suppress(TimeoutError):
                async with asyncio.timeout(min(remaining, self._look_again_seconds)):
                    await rung.wait()
            await asyncio.sleep(min(looked_at + self._rest_seconds, deadline) - loop.time())
