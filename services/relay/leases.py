"""One replica at a time: advisory locks that end with the connection, so a dead holder is replaced at once."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

_ASK_AGAIN_SECONDS = 0.5
_CHECK_SECONDS = 1.0


class Lease:
    """The right to be the only one, as long as its connection lives."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection
        self._checked_at = time.monotonic()

    async def check(self) -> None:
        """Raises DBAPIError when the connection, and with it the lock, is lost. Asks at most once a second: who
        acts for a moment longer than its lease finds that the cursor has moved."""
        if time.monotonic() - self._checked_at > _CHECK_SECONDS:
            await self._connection.execute(text("SELECT 1"))
            self._checked_at = time.monotonic()


@asynccontextmanager
async def only_one(engine: AsyncEngine, name: str) -> AsyncIterator[Lease]:
    """Waits until nobody else holds `name`; holds it until the block ends. Uses a connection of its own."""
    async with engine.connect() as connection:
        try:
            # Autocommit: a lock must not keep a transaction open.
            await connection.execution_options(isolation_level="AUTOCOMMIT")
            # No event of this process can tell that another one has gone.
            while not await _try_lock(connection, name):  # noqa: ASYNC110
                await asyncio.sleep(_ASK_AGAIN_SECONDS)
            yield Lease(connection)
        finally:
            # Closing the connection frees the lock even if it can no longer be asked to.
            await connection.invalidate()


async def _try_lock(connection: AsyncConnection, name: str) -> bool:
    taken = await connection.execute(
        text("SELECT pg_try_advisory_lock(hashtext(:name))"), {"name": f"relay/{name}"}
    )
    return bool(taken.scalar_one())
