"""Pauses: start, lift, list, and tell the replicas when the clock begins or ends one."""

from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from kit import requests
from kit.errors import NotFound
from kit.values.ids import new_id
from services.inventory.domain import pause_commands, pauses, validation
from services.inventory.domain.pause_commands import StartPause
from services.inventory.domain.pauses import Pause
from services.inventory.store import catalogue
from services.inventory.store import pauses as store
from services.inventory.usecases import UseCases, check, first_answer

# Pauses told of in one transaction.
BATCH = 200


class Pausing(UseCases):
    """One method per RPC about pauses."""

    async def start(self, command: StartPause) -> Pause:
        """Writes a pause that begins now or later. A repeat gives the pause as it stands."""
        pause = Pause(
            new_id("pau"),
            command.point_id,
            command.sku,
            command.channel_id,
            command.reason,
            command.from_at or command.as_of,
            command.until_at,
            command.actor,
        )
        async with self._change() as tx:
            if (first := await first_answer(tx, command)) is not None:
                return await _must_lock(tx, first["pause_id"])
            check(pause_commands.check(pause, command.as_of))
            skus, points = await catalogue.known(tx, [pause.sku], [pause.point_id])
            channels = await catalogue.known_channels(tx, [pause.channel_id])
            check(pause_commands.check_known(pause, skus, points, channels))
            await _put(tx, pause, command.as_of)
            await requests.remember(tx, command.request_id, {"pause_id": pause.pause_id})
        return pauses.told(pause, command.as_of)

    async def lift(self, pause_id: str, actor: str, as_of: datetime) -> Pause:
        """Ends a pause now, or calls it off; again gives the same."""
        check(validation.identifier("pause_id", pause_id), validation.text("actor", actor, required=True))
        async with self._change() as tx:
            before = await _must_lock(tx, pause_id)
            after = pauses.lift(before, actor, as_of)
            if after != before:
                await _put(tx, after, as_of)
        return pauses.told(after, as_of)

    async def listed(self, as_of: datetime, after: str, limit: int, *, include_ended: bool) -> list[Pause]:
        """In id order after one."""
        async with self._engine.begin() as tx:
            return await store.listed(tx, as_of, after, limit, include_ended=include_ended)

    async def tell(self, as_of: datetime) -> int:
        """Tells the replicas of pauses that the clock has begun or ended; of how many, at most BATCH."""
        async with self._engine.begin() as tx:
            due = await store.lock_due(tx, as_of, BATCH)
            for pause in due:
                await store.put(tx, pauses.told(pause, as_of))
            await store.mark(tx, due)
        if due:
            self._bell.ring()
        return len(due)


async def _put(tx: AsyncConnection, pause: Pause, now: datetime) -> None:
    told = pauses.told(pause, now)
    await store.put(tx, told)
    if told.begun or told.ended:
        await store.mark(tx, [told])


async def _must_lock(tx: AsyncConnection, pause_id: str) -> Pause:
    found = await store.lock(tx, pause_id)
    if found is None:
        raise NotFound("PAUSE_NOT_FOUND", "there is no such pause", pause_id=pause_id)
    return found
