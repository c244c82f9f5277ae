"""Channel images as they are kept: reads, and the feed of changes. It only reads; `projecting.py` writes."""

from collections.abc import Sequence

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from kit import db
from kit.errors import FailedPrecondition
from kit.feed import Bell
from services.inventory.domain import validation
from services.inventory.domain.validation import Problem
from services.inventory.image_memory import ImageMemory
from services.inventory.store import catalogue, images
from services.inventory.store.images import Kept
from services.inventory.usecases import check, no_channel

MAX_SKUS = 500
MAX_CHANGES = 1000
DEFAULT_CHANGES = 500
MAX_WAIT_SECONDS = 20.0


class Images:
    """One method per RPC. `bell` rings when an image has changed."""

    def __init__(self, engine: AsyncEngine, bell: Bell, memory: ImageMemory) -> None:
        self._engine = engine
        self._bell = bell
        self._memory = memory

    async def get(self, channel_id: str, skus: Sequence[str]) -> dict[str, Kept]:
        """The kept figures by SKU; those that the image does not know are left out."""
        check(
            validation.name("channel_id", channel_id),
            [] if 1 <= len(skus) <= MAX_SKUS else [Problem("skus", f"1 to {MAX_SKUS} are needed")],
            validation.skus(skus),
        )
        found = await self._memory.get(channel_id, skus)
        if not found:
            async with db.single(self._engine).connect() as connection:
                await _must_know(connection, channel_id)
        return found

    async def changes(self, channel_id: str, after: int, limit: int, wait_seconds: float) -> Sequence[Kept]:
        """What changed after a number, oldest change first; waits for the first one at most so long."""
        check(
            validation.name("channel_id", channel_id),
            [] if after >= 0 else [Problem("after_sequence", "negative")],
            [] if 0 <= limit <= MAX_CHANGES else [Problem("limit", f"not between 1 and {MAX_CHANGES}")],
            [] if 0 <= wait_seconds <= MAX_WAIT_SECONDS else [Problem("wait_milliseconds", "not 0 to 20000")],
        )
        async with db.single(self._engine).connect() as connection:
            await _must_know(connection, channel_id)
            if after > await images.head(connection, channel_id):
                raise FailedPrecondition(
                    "CURSOR_AHEAD",
                    "this feed has not come so far; start again from 0",
                    field="after_sequence",
                )

        async def read() -> Sequence[Kept]:
            async with db.single(self._engine).connect() as connection:
                return await images.changes(connection, channel_id, after, limit or DEFAULT_CHANGES)

        return await self._bell.wait_for(read, wait_seconds)


async def _must_know(connection: AsyncConnection, channel_id: str) -> None:
    if channel_id not in await catalogue.known_channels(connection, [channel_id]):
        raise no_channel(channel_id)
