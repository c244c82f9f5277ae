"""Archiving what ended long ago, bit by bit. Nothing that anybody reads of an order is lost or looks different.

Any number of processes may do it at once; whoever dies in between goes on with the rest.
"""

from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncEngine

from kit import outbox
from services.orders import archiving_store


class Archiving:
    """The use cases. `after`: how long after its last change an order that has ended is archived."""

    def __init__(self, engine: AsyncEngine, after: timedelta) -> None:
        self._engine = engine
        self._after = after

    async def archive_due(self, as_of: datetime, limit: int) -> int:
        """Packs the next timelines, and says of how many orders."""
        async with self._engine.begin() as tx:
            return await archiving_store.archive(tx, as_of - self._after, as_of, limit)

    async def forget_due(self, as_of: datetime, limit: int) -> int:
        """Drops the next first answers and events that are as old; how many, of which there were more."""
        before = as_of - self._after
        async with self._engine.begin() as tx:
            answers = await archiving_store.forget_answers(tx, before, limit)
            return max(answers, await outbox.forget(tx, before, limit))
