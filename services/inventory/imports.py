"""Import use cases: a file is kept whole before it becomes a job; jobs are looked at and stopped.

Works no job: that is importing.py.
"""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Iterable
from datetime import datetime
from itertools import chain

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from kit import db, requests
from kit.errors import FailedPrecondition, InvalidArgument, NotFound
from kit.values.ids import new_id
from services.inventory.domain import imports, validation
from services.inventory.domain.imports import ImportHeader, ImportJob, Rejection
from services.inventory.domain.validation import Problem
from services.inventory.store import catalogue
from services.inventory.store import imports as store

MAX_SENT_BYTES = 1024**3
_PIECE_BYTES = 1024**2


class ImportService:
    """One method per RPC."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def start_import(self, header: ImportHeader, content: AsyncIterator[bytes]) -> tuple[ImportJob, bool]:
        """Keeps a file and makes a job of it; whether the same file was taken before."""
        _check(imports.check(header))
        async with db.single(self._engine).connect() as tx:
            point_ids = await _scope(tx, header)
        upload_id = new_id("upl")
        try:
            digest, size = await self._keep(upload_id, content)
            async with self._engine.begin() as tx:
                job, repeated = await _accept(tx, header, point_ids, upload_id, digest, size)
        except BaseException:
            # Also when the sender has gone: what came of the file is of no use. What is left by a death is swept.
            await asyncio.shield(self._forget(upload_id))
            raise
        if job.upload_id != upload_id:
            await self._forget(upload_id)
        return job, repeated

    async def get_import(self, job_id: str) -> ImportJob:
        """As it stands."""
        _check(validation.identifier("job_id", job_id))
        async with db.single(self._engine).connect() as tx:
            return _found(await store.get(tx, job_id), job_id)

    async def list_imports(self, before: int, limit: int) -> list[ImportJob]:
        """Newest first, those with a number below one."""
        async with db.single(self._engine).connect() as tx:
            return await store.newest(tx, before, limit)

    async def list_rejections(self, job_id: str, after: int, limit: int) -> list[Rejection]:
        """Records that were not applied, in the order of their lines."""
        await self.get_import(job_id)
        async with db.single(self._engine).connect() as tx:
            return await store.rejections(tx, job_id, after, limit)

    async def cancel_import(self, job_id: str, as_of: datetime) -> ImportJob:
        """Stops a job between two of its chunks; what was written stays."""
        _check(validation.identifier("job_id", job_id))
        async with self._engine.begin() as tx:
            job = _found(await store.get(tx, job_id, lock=True), job_id)
            if job.state == "cancelled":
                return job
            if job.state not in imports.UNFINISHED:
                raise FailedPrecondition("IMPORT_ENDED", f"the import is {job.state}", job_id=job_id)
            await store.end(tx, job_id, "cancelled", as_of, "CANCELLED", "stopped by a person")
            return _found(await store.get(tx, job_id), job_id)

    async def forget_orphans(self, before: datetime) -> None:
        """Files that began to come before an instant and never became a job."""
        async with self._engine.begin() as tx:
            await store.forget_orphans(tx, before)

    async def _keep(self, upload_id: str, content: AsyncIterator[bytes]) -> tuple[bytes, int]:
        """The SHA-256 and the size. Each piece is a transaction of its own: senders may be slow."""
        digest, size, pieces = hashlib.sha256(), 0, 0
        waiting = bytearray()
        async for part in content:
            digest.update(part)
            size += len(part)
            if size > MAX_SENT_BYTES:
                raise InvalidArgument("content", f"larger than {MAX_SENT_BYTES} bytes", "FILE_TOO_LARGE")
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


async def _scope(tx: AsyncConnection, header: ImportHeader) -> list[str]:
    """The points that the file speaks of, by name."""
    if header.point_type:
        of_type = [point.point_id for point in await catalogue.points(tx) if point.type.value == header.point_type]
        if not of_type:
            raise InvalidArgument("point_type", f"there is no point of type {header.point_type}", "UNKNOWN_POINT")
        return of_type
    _, known = await catalogue.known(tx, [], header.point_ids)
    for i, point_id in enumerate(header.point_ids):
        if point_id not in known:
            raise InvalidArgument(f"point_ids[{i}]", f"there is no point {point_id}", "UNKNOWN_POINT")
    return sorted(header.point_ids)


async def _accept(
    tx: AsyncConnection, header: ImportHeader, point_ids: list[str], upload_id: str, digest: bytes, size: int
) -> tuple[ImportJob, bool]:
    meant = imports.content(header) + digest
    if (first := await requests.first_answer(tx, header.request_id, meant)) is not None:
        return _found(await store.get(tx, first["job_id"]), first["job_id"]), True
    job, new = await store.add(
        tx,
        header,
        job_id=new_id("imp"),
        upload_id=upload_id,
        fingerprint=requests.digest(meant),
        digest=digest,
        size=size,
        point_ids=point_ids,
        cause=imports.SNAPSHOT if header.kind == imports.SNAPSHOT else header.cause or imports.DEFAULT_CAUSE,
    )
    await requests.remember(tx, header.request_id, {"job_id": job.job_id})
    return job, not new


def _found(job: ImportJob | None, job_id: str) -> ImportJob:
    if job is None:
        raise NotFound("IMPORT_NOT_FOUND", f"there is no import {job_id}", job_id=job_id)
    return job


def _check(*problems: Iterable[Problem]) -> None:
    for problem in chain(*problems):
        raise InvalidArgument(problem.field, problem.detail, problem.reason)
