"""Settlement use cases: a provider's file is kept whole before it is worked; differences are resolved by people.

Works no file: that is reconciliation.py.
"""

import asyncio
import hashlib
import re
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime

from kit import db, requests, times
from kit.db import AsyncConnection, AsyncEngine
from kit.errors import Conflict, FailedPrecondition, InvalidArgument, NotFound, Unavailable
from kit.values.ids import new_id
from services.payments import settlement_store as store
from services.payments.domain.reconciling import DifferenceState
from services.payments.settlement_store import Counts, Difference, Settlement

MAX_BYTES = 256 * 1024**2
_PIECE_BYTES = 1024**2
_ONE_LINE = re.compile(r"[^\x00-\x1f\x7f]{1,1000}")


@dataclass(frozen=True, slots=True)
class Header:
    """Whose file it is."""

    request_id: str
    provider: str
    day: date
    file_name: str
    actor: str


class Settlements:
    """One method per RPC. `providers`: those that operations may have."""

    def __init__(
        self, engine: AsyncEngine, providers: Collection[str], clock: Callable[[], datetime] = times.now
    ) -> None:
        self._engine = engine
        self._providers = providers
        self._clock = clock

    async def start(self, header: Header, content: AsyncIterator[bytes]) -> tuple[Settlement, Counts]:
        """Keeps a file; the same file of a provider is the same settlement."""
        if header.provider not in self._providers:
            raise InvalidArgument("provider", f"one of {', '.join(sorted(self._providers))}")
        if header.day > self._clock().date():
            raise InvalidArgument("day", "the day is in the future")
        upload_id = new_id("upl")
        try:
            digest, size = await self._keep(upload_id, content)
            async with self._engine.begin() as tx:
                found = await self._accept(tx, header, upload_id, digest, size)
        except BaseException:
            # Also when the sender has gone: what came of the file is of no use. What is left by a death is swept.
            await asyncio.shield(self._forget(upload_id))
            raise
        if found.upload_id != upload_id:
            await self._forget(upload_id)
        return await self.get(found.settlement_id)

    async def get(self, settlement_id: str) -> tuple[Settlement, Counts]:
        """As it stands. Raises NotFound / SETTLEMENT_NOT_FOUND."""
        async with db.single(self._engine).connect() as tx:
            found = await store.get(tx, settlement_id)
            if found is None:
                raise NotFound(
                    "SETTLEMENT_NOT_FOUND", f"there is no settlement {settlement_id}", settlement_id=settlement_id
                )
            return found, (await store.counts(tx, [settlement_id]))[settlement_id]

    async def list(self, provider: str, before: int, limit: int) -> Sequence[tuple[Settlement, Counts]]:
        """Newest first, those with a number below one."""
        async with db.single(self._engine).connect() as tx:
            found = await store.newest(tx, provider, before, limit)
            counts = await store.counts(tx, [one.settlement_id for one in found])
        return [(one, counts[one.settlement_id]) for one in found]

    async def differences(
        self, states: Sequence[DifferenceState], provider: str, settlement_id: str, before: int, limit: int
    ) -> Sequence[Difference]:
        """Newest first, those with a number below one."""
        async with db.single(self._engine).connect() as tx:
            return await store.differences(tx, states, provider, settlement_id, before, limit)

    async def resolve(self, difference_id: str, reason: str, actor: str) -> Difference:
        """Closes a difference. Raises DIFFERENCE_NOT_FOUND, DIFFERENCE_CLOSED."""
        if not _ONE_LINE.fullmatch(reason) or not reason.strip():
            raise InvalidArgument("reason", "1 to 1000 characters on one line")
        if not actor:
            raise InvalidArgument("actor", "who resolves it is required")
        async with self._engine.begin() as tx:
            found = await store.lock_difference(tx, difference_id)
            if found is None:
                raise NotFound(
                    "DIFFERENCE_NOT_FOUND", f"there is no difference {difference_id}", difference_id=difference_id
                )
            if found.state is DifferenceState.CLOSED:
                if (found.closed_by, found.reason) == (actor, reason):
                    return found
                raise FailedPrecondition(
                    "DIFFERENCE_CLOSED",
                    f"closed before: {found.reason}",
                    difference_id=difference_id,
                )
            closed = replace(
                found,
                state=DifferenceState.CLOSED,
                closed_at=self._clock(),
                closed_by=actor,
                reason=reason,
            )
            await store.close_difference(tx, closed)
        return closed

    async def forget_orphans(self, before: datetime) -> None:
        """Files that began to come before an instant and never became a settlement."""
        async with self._engine.begin() as tx:
            await store.forget_orphans(tx, before)

    async def _accept(
        self, tx: AsyncConnection, header: Header, upload_id: str, digest: bytes, size: int
    ) -> Settlement:
        meant = f"{header.provider}/{header.day}/".encode() + digest
        first = await requests.first_answer(tx, header.request_id, meant)
        if first is not None:
            found = await store.get(tx, str(first["settlement_id"]))
            assert found is not None, "settlements are never deleted"
            return found
        new = Settlement(
            number=0,
            settlement_id=new_id("stl"),
            upload_id=upload_id,
            provider=header.provider,
            day=header.day,
            file_name=header.file_name,
            digest=digest,
            bytes=size,
            actor=header.actor,
            state="received",
            reason="",
            detail="",
            received_at=self._clock(),
            ended_at=None,
        )
        found = await store.add(tx, new) or await store.of_file(tx, header.provider, digest)
        if found is None:
            raise Unavailable("SETTLEMENT_ENDING", "the same file has just been refused; send it again")
        if found.day != header.day:
            raise Conflict(
                "IDEMPOTENCY_CONFLICT",
                f"this file was taken as that of {found.day}",
                field="day",
                settlement_id=found.settlement_id,
            )
        await requests.remember(tx, header.request_id, {"settlement_id": found.settlement_id})
        return found

    async def _keep(self, upload_id: str, content: AsyncIterator[bytes]) -> tuple[bytes, int]:
        """The SHA-256 and the size. Each piece is a transaction of its own: senders may be slow."""
        digest, size, pieces = hashlib.sha256(), 0, 0
        waiting = bytearray()
        async for part in content:
            digest.update(part)
            size += len(part)
            if size > MAX_BYTES:
                raise InvalidArgument("content", f"larger than {MAX_BYTES} bytes", "FILE_TOO_LARGE")
            waiting += part
            if len(waiting) >= _PIECE_BYTES:
                await self._keep_piece(upload_id, pieces, waiting)
                pieces += 1
                waiting = bytearray()
        if waiting:
            await self._keep_piece(upload_id, pieces, waiting)
        if size == 0:
            raise InvalidArgument("content", "the file is empty", "EMPTY_FILE")
        return digest.digest(), size

    async def _keep_piece(self, upload_id: str, nth: int, piece: bytearray) -> None:
        async with self._engine.begin() as tx:
            await store.keep_content(tx, upload_id, nth, bytes(piece))

    async def _forget(self, upload_id: str) -> None:
        async with self._engine.begin() as tx:
            await store.forget_content(tx, upload_id)
