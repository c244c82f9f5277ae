"""The kept figures that were read lately, in memory: product pages ask for the same ones again and again.

It follows the feeds of the channels that are read, so a figure is as new as the feed. When it could not look for a
while it says so, and whoever asks reads the database. Never writes, and holds nothing that cannot be read again.
"""

import time
from collections.abc import Callable, Sequence

from sqlalchemy.ext.asyncio import AsyncEngine

from kit import db
from kit.feed import Bell
from services.inventory.store import images
from services.inventory.store.images import Kept

# Some 30 MB.
MOST_FIGURES = 100_000
# Looks come four times a second; figures that were not looked after for longer are not given away.
TRUSTED_SECONDS = 1.0
_CHANGES = 1000


class _Reading:
    """Stands for a figure while somebody reads it."""


class ImageMemory:
    """One for each process. `bell` rings when this process has changed an image."""

    def __init__(
        self,
        engine: AsyncEngine,
        bell: Bell,
        most: int = MOST_FIGURES,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._engine = engine
        self._bell = bell
        self._most = most
        self._clock = clock
        # By channel and SKU.
        self._figures: dict[str, dict[str, Kept | _Reading]] = {}
        # By channel: the number up to which its feed was followed.
        self._followed: dict[str, int] = {}
        self._looked_at = float("-inf")

    async def get(self, channel_id: str, skus: Sequence[str]) -> dict[str, Kept]:
        """By SKU; those that the image does not know are left out."""
        if self._clock() - self._looked_at > TRUSTED_SECONDS:
            return await self._read(channel_id, skus)
        if channel_id not in self._followed:
            await self._begin(channel_id)
        figures = self._figures[channel_id]
        found = {sku: kept for sku in skus if isinstance(kept := figures.get(sku), Kept)}
        if len(found) < len(skus):
            found |= await self._fill(channel_id, [sku for sku in skus if sku not in found])
        return found

    async def run(self) -> None:
        """Follows the feeds, for about a second."""
        await self._bell.wait_for(self.follow, TRUSTED_SECONDS)

    async def follow(self) -> Sequence[Kept]:
        """Takes what changed since the last look."""
        looked_at = self._clock()
        changed: list[Kept] = []
        if self._followed:
            async with db.single(self._engine).connect() as connection:
                found = await images.changes_of(connection, self._followed, _CHANGES)
            for channel_id, kept in found:
                figures = self._figures[channel_id]
                known = figures.get(kept.sku)
                # A figure that was read while we looked may be newer than what we found.
                if isinstance(known, _Reading) or (known and known.sequence < kept.sequence):
                    figures[kept.sku] = kept
                self._followed[channel_id] = kept.sequence
                changed.append(kept)
        if len(changed) < _CHANGES:
            self._looked_at = looked_at
        return changed

    async def _begin(self, channel_id: str) -> None:
        async with db.single(self._engine).connect() as connection:
            head = await images.head(connection, channel_id)
        # Somebody else may have begun meanwhile, and be further.
        self._followed.setdefault(channel_id, head)
        self._figures.setdefault(channel_id, {})

    async def _fill(self, channel_id: str, skus: Sequence[str]) -> dict[str, Kept]:
        self._make_room(len(skus))
        figures = self._figures[channel_id]
        ours = _Reading()
        figures.update(dict.fromkeys(skus, ours))
        found = await self._read(channel_id, skus)
        for sku in skus:
            # What the feed told, or another began to read, while we read, is as new as what we read, or newer.
            if figures.get(sku) is not ours:
                continue
            if sku in found:
                figures[sku] = found[sku]
            else:
                del figures[sku]
        return found

    async def _read(self, channel_id: str, skus: Sequence[str]) -> dict[str, Kept]:
        async with db.single(self._engine).connect() as connection:
            return await images.read(connection, channel_id, skus)

    def _make_room(self, needed: int) -> None:
        """Forgets whole channels' figures when there are too many: those that are asked for come back."""
        if sum(map(len, self._figures.values())) + needed > self._most:
            for figures in self._figures.values():
                figures.clear()
