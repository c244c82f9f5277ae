"""Works import jobs in the background, one after the other, in steps that are each one transaction.

A step reads a file and plans it, or writes one chunk of the plan and moves the job on. A turn is an advisory lock
of the transaction: of several replicas one works, and one that dies leaves nothing half done and nothing locked.
What was done is in the job's row, so any replica goes on where it stands.
"""

import logging
import time
from collections.abc import AsyncIterator

from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from kit import db, outbox, times
from kit.feed import Bell
from services.inventory import events, unpacking
from services.inventory.domain import imports
from services.inventory.domain.import_records import RecordReader
from services.inventory.domain.imports import Counts, FileRefused, ImportJob, Missed
from services.inventory.store import catalogue, import_merge, ledger, looks
from services.inventory.store import imports as store

SNAPSHOT_CHUNK = 5_000
DELTA_CHUNK = 1_000
# Portions that share a COPY.
_STAGED_AT_ONCE = 16
_PROGRESS_SECONDS = 1.0
_log = logging.getLogger(__name__)


class _Stopped(Exception):
    """Somebody cancelled the job while its file was read."""


class ImportRunner:
    """One job at a time, in the order in which they came."""

    def __init__(
        self,
        engine: AsyncEngine,
        bell: Bell,
        *,
        snapshot_chunk: int = SNAPSHOT_CHUNK,
        delta_chunk: int = DELTA_CHUNK,
    ) -> None:
        self._engine = engine
        self._bell = bell
        self._chunks = {"snapshot": snapshot_chunk, "delta": delta_chunk}

    async def run(self) -> None:
        """Steps until there is nothing to do, or another replica has its turn."""
        while await self.step():
            pass

    async def step(self) -> bool:
        """One transaction's worth of work; whether there was any."""
        async with db.single(self._engine).connect() as tx:
            job = await store.next_unfinished(tx)
        if job is None:
            return await self._tidy()
        try:
            async with self._engine.begin() as tx:
                if not await store.take_turn(tx):
                    return False
                # As it stands now that it is our turn.
                job = await store.next_unfinished(tx)
                if job is not None:
                    await (self._write(tx, job) if job.prepared else self._plan(tx, job))
        except _Stopped:
            return True
        except FileRefused as refused:
            await self._fail(job, refused.reason, refused.detail)
        except Exception as error:
            if _passes(error):
                raise
            # The jobs behind it are not to wait for a defect to be mended. Nothing of this step was written.
            _log.exception("import %s failed", job and job.job_id)
            await self._fail(job, "INTERNAL", "an internal error; it was logged")
        self._bell.ring()
        return True

    # -- reading ------------------------------------------------------------------------------------------

    async def _plan(self, tx: AsyncConnection, job: ImportJob) -> None:
        known = frozenset(point.point_id for point in await catalogue.points(tx))
        scope = frozenset(job.point_ids) if job.point_ids else None
        reader = RecordReader(job.kind, job.format, known, scope, job.received_at)
        progress = _Progress(self._engine, job, reader)
        await import_merge.open_stage(tx)
        rows: list[str] = []
        async for portion in unpacking.plain(_pieces(tx, job, progress), job.compression):
            block = reader.feed(portion)
            rows.append(block.rows)
            if len(rows) == _STAGED_AT_ONCE:
                await import_merge.stage(tx, job.kind, "".join(rows))
                rows.clear()
            await store.reject(tx, job.job_id, block.rejections)
            await progress.tell()
        block = reader.end()
        await import_merge.stage(tx, job.kind, "".join((*rows, block.rows)))
        await store.reject(tx, job.job_id, block.rejections)
        reason = detail = ""
        if job.kind == imports.SNAPSHOT:
            zero = job.absent == "zero" and not reader.unreadable
            if job.absent == "zero" and not zero:
                reason = "ABSENT_KEPT"
                detail = (
                    f"{reader.unreadable} records name no position: what seems absent may be theirs, and stays"
                )
            await import_merge.plan_snapshot(tx, job, zero=zero, ordered=reader.ordered)
        else:
            await import_merge.plan_deltas(tx, job)
        if not await store.set_prepared(tx, job.job_id, reader.read, reason, detail):
            raise _Stopped

    # -- writing ------------------------------------------------------------------------------------------

    async def _write(self, tx: AsyncConnection, job: ImportJob) -> None:
        # Locked: somebody may be cancelling it.
        locked = await store.get(tx, job.job_id, lock=True)
        if locked is None or locked.state not in imports.UNFINISHED:
            return
        last = min(locked.worked + self._chunks[locked.kind], locked.planned)
        if locked.worked < last:
            write = self._write_snapshot if locked.kind == imports.SNAPSHOT else self._write_deltas
            await store.move_on(tx, locked.job_id, last, await write(tx, locked, last))
        if last == locked.planned:
            now = times.now()
            await store.end(tx, locked.job_id, "done", now)
            done = await store.get(tx, locked.job_id)
            assert done is not None, "it is locked"
            await outbox.write(tx, [events.import_completed(done, now)])

    async def _write_snapshot(self, tx: AsyncConnection, job: ImportJob, last: int) -> Counts:
        now = times.now()
        counts, missed = await import_merge.merge_snapshot(tx, job, last, now)
        await outbox.write(tx, events.import_missed(job, missed, now))
        return counts

    async def _write_deltas(self, tx: AsyncConnection, job: ImportJob, last: int) -> Counts:
        deltas = await import_merge.deltas(tx, job, last)
        positions = {delta.position for delta in deltas}
        book = await ledger.lock_or_create(tx, positions)
        before = {position: book.balance(position) for position in positions}
        heard = await import_merge.heard(tx, job.source, positions)
        looked_at = await looks.looked_at(tx, positions)
        decided = imports.apply_deltas(job, deltas, book, heard, looked_at)
        await store.reject(tx, job.job_id, decided.rejections)
        await import_merge.remember_heard(tx, job.source, decided.heard)
        missed = [
            Missed(
                after.point_id,
                after.sku,
                after.on_hand - before[after.position].on_hand,
                after.on_hand,
                after.short,
            )
            for after in book.balances(positions)
            if after.short > before[after.position].short
        ]
        await outbox.write(tx, events.import_missed(job, missed, times.now()))
        await ledger.write(tx, movements=decided.movements)
        late = sum(rejection.reason == "LATE" for rejection in decided.rejections)
        return Counts(
            changed=decided.changed,
            unchanged=decided.unchanged,
            late=late,
            rejected=len(decided.rejections) - late,
        )

    # -- ending -------------------------------------------------------------------------------------------

    async def _fail(self, job: ImportJob | None, reason: str, detail: str) -> None:
        if job is not None:
            async with self._engine.begin() as tx:
                await store.end(tx, job.job_id, "failed", times.now(), reason, detail)

    async def _tidy(self) -> bool:
        """Forgets what ended jobs no longer need, some at a time; whether there was any."""
        async with db.single(self._engine).connect() as tx:
            if await store.next_full(tx) is None:
                return False
        async with self._engine.begin() as tx:
            if not await store.take_turn(tx) or (full := await store.next_full(tx)) is None:
                return False
            await store.empty(tx, *full)
        return True


class _Progress:
    """How far a file is read, told once a second in transactions of their own."""

    def __init__(self, engine: AsyncEngine, job: ImportJob, reader: RecordReader) -> None:
        self._engine = engine
        self._job = job
        self._reader = reader
        self._next = 0.0
        self.bytes_read = 0

    async def tell(self) -> None:
        """Raises _Stopped when the job has been cancelled."""
        if time.monotonic() < self._next:
            return
        async with db.single(self._engine).connect() as tx:
            goes_on = await store.tell_progress(
                tx, self._job.job_id, self._reader.read, self.bytes_read, times.now()
            )
        if not goes_on:
            raise _Stopped
        self._next = time.monotonic() + _PROGRESS_SECONDS


async def _pieces(tx: AsyncConnection, job: ImportJob, progress: _Progress) -> AsyncIterator[bytes]:
    """The file as it was sent."""
    nth = 0
    while (piece := await store.content(tx, job.upload_id, nth)) is not None:
        progress.bytes_read += len(piece)
        yield piece
        nth += 1


def _passes(error: Exception) -> bool:
    """Whether trying again later may help."""
    return isinstance(error, PoolTimeoutError) or (isinstance(error, DBAPIError) and db.is_outage(error))
