"""Simulations as jobs: files are kept, jobs are made, looked at, stopped and run again. Works no job itself."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from kit import db
from kit.errors import Conflict, FailedPrecondition, InvalidArgument, NotFound
from kit.requests import digest
from kit.values.ids import derived_id, new_id
from services.promise import checks
from services.promise import simulation_store as store
from services.promise.domain import simulations
from services.promise.domain.rulesets import Ruleset
from services.promise.domain.simulations import UNFINISHED, Setup, Simulation, State, StoredFile
from services.promise.replica import StockReplica
from services.promise.rulesets import Content, Rulesets
from services.promise.store import load_terms

MAX_SENT_BYTES = 1024**3
FILE_LIFE = timedelta(days=30)
UPLOAD_LIFE = timedelta(days=1)
_PIECE_BYTES = 1024**2


@dataclass(frozen=True, slots=True)
class DraftOf:
    """The draft of a ruleset, named instead of sent."""

    ruleset_id: str


class SimulationService:
    """One method per RPC."""

    def __init__(self, database: AsyncEngine, replica: StockReplica) -> None:
        self._database = database
        self._rulesets = Rulesets(database)
        self._single = db.single(database)
        self._at_one_moment = database.execution_options(isolation_level="REPEATABLE READ")
        self._replica = replica

    # -- files ------------------------------------------------------------------------------------------------

    async def keep_file(
        self, file_name: str, content: AsyncIterator[bytes], now: datetime, *, gzip: bool
    ) -> StoredFile:
        """Keeps a file; the same bytes are the same file."""
        if not simulations.is_text(file_name):
            raise InvalidArgument("header.file_name", "a name is one line of at most 200 characters")
        upload_id = new_id("upl")
        try:
            sha256, size = await self._keep(upload_id, content)
            file_id = derived_id("sfl", sha256, "gzip" if gzip else "plain")
            async with self._database.begin() as tx:
                kept = await store.add_file(tx, StoredFile(file_id, file_name, upload_id, gzip, size), now)
        except BaseException:
            # Also when the sender has gone: what came of the file is of no use. What is left by a death is swept.
            await asyncio.shield(self._forget(upload_id))
            raise
        if kept.upload_id != upload_id:
            await self._forget(upload_id)
        return kept

    async def forget_files(self, now: datetime) -> int:
        """Removes files that nobody used for long, and what never became one; how many files."""
        async with self._database.begin() as tx:
            return await store.forget_files(tx, now - FILE_LIFE, now - UPLOAD_LIFE)

    async def _keep(self, upload_id: str, content: AsyncIterator[bytes]) -> tuple[str, int]:
        """The SHA-256 in hex, and the size. Each piece is a transaction of its own: senders may be slow."""
        sha256, size, pieces = hashlib.sha256(), 0, 0
        waiting = bytearray()
        async for part in content:
            sha256.update(part)
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
        return sha256.hexdigest(), size

    async def _keep_piece(self, upload_id: str, nth: int, piece: bytearray) -> None:
        async with self._single.connect() as tx:
            await store.keep_content(tx, upload_id, nth, bytes(piece))

    async def _forget(self, upload_id: str) -> None:
        async with self._single.connect() as tx:
            await store.forget_content(tx, upload_id)

    # -- jobs -------------------------------------------------------------------------------------------------

    async def create(
        self,
        request_id: str,
        candidate: Content | DraftOf,
        setup_with: Callable[[Ruleset], Setup],
        actor: str,
        content: bytes,
        now: datetime,
    ) -> Simulation:
        """Makes a job. `content`: what a repeat of `request_id` must have too."""
        checks.required(request_id, "request_id")
        async with self._single.connect() as tx:
            if (earlier := await store.find_request(tx, request_id)) is not None:
                return await _same(tx, earlier, request_id, content)
        if isinstance(candidate, DraftOf):
            ruleset = await self._rulesets.draft(candidate.ruleset_id)
        else:
            ruleset = await self._rulesets.judged(candidate, now)
        async with self._at_one_moment.connect() as tx:
            live = (await load_terms(tx)).judge(now)
        setup = setup_with(ruleset)
        self._check(setup, live)
        simulation_id = new_id("sim")
        async with self._database.begin() as tx:
            await _use_files(tx, setup, now)
            if await store.add(tx, simulation_id, request_id, digest(content), setup, live, actor, now):
                return _found(await store.get(tx, simulation_id), simulation_id)
            earlier = await store.find_request(tx, request_id)
            assert earlier is not None, "the request id is kept"
            return await _same(tx, earlier, request_id, content)

    def _check(self, setup: Setup, live: Ruleset) -> None:
        for problem in simulations.problems(setup, live):
            raise InvalidArgument(problem.field, f"{problem.field}: {problem.detail}", problem.reason)
        if setup.orders is not None and not self._replica.knows_channel(setup.orders.channel_id):
            detail = f"there is no channel {setup.orders.channel_id}"
            raise InvalidArgument("orders.channel_id", detail, "UNKNOWN_CHANNEL")

    async def get(self, simulation_id: str) -> Simulation:
        """As it stands. NOT_FOUND / SIMULATION_NOT_FOUND."""
        checks.required(simulation_id, "simulation_id")
        async with self._single.connect() as tx:
            return _found(await store.get(tx, simulation_id), simulation_id)

    async def list_newest(self, before: int, limit: int) -> list[Simulation]:
        """Newest first, those with a number below one, without their results."""
        async with self._single.connect() as tx:
            return await store.newest(tx, before, limit)

    async def cancel(self, simulation_id: str, now: datetime) -> Simulation:
        """Stops a job that waits or runs."""
        checks.required(simulation_id, "simulation_id")
        async with self._database.begin() as tx:
            found = _found(await store.get(tx, simulation_id, lock=True), simulation_id)
            if found.state is State.CANCELLED:
                return found
            if found.state not in UNFINISHED:
                detail = f"the simulation is {found.state}"
                raise FailedPrecondition("SIMULATION_ENDED", detail, simulation_id=simulation_id)
            await store.end(tx, simulation_id, State.CANCELLED, now, "CANCELLED", "stopped by a person")
            return _found(await store.get(tx, simulation_id), simulation_id)

    async def restart(self, simulation_id: str, now: datetime) -> Simulation:
        """A job that ended without a result begins anew; one that waits or runs is left as it is."""
        checks.required(simulation_id, "simulation_id")
        async with self._database.begin() as tx:
            found = _found(await store.get(tx, simulation_id, lock=True), simulation_id)
            if found.state in UNFINISHED:
                return found
            if found.state is State.DONE:
                detail = "the simulation has its result; make another to have a new one"
                raise FailedPrecondition("SIMULATION_DONE", detail, simulation_id=simulation_id)
            await _use_files(tx, found.setup, now)
            await store.restart(tx, simulation_id)
            return _found(await store.get(tx, simulation_id), simulation_id)


async def _use_files(tx: AsyncConnection, setup: Setup, now: datetime) -> None:
    """Files that a setup names are there, and stay for a while."""
    named = {
        "orders.file_id": setup.orders.file_id if setup.orders else "",
        "stock_file_id": setup.stock_file_id,
    }
    for field, file_id in sorted(named.items(), key=lambda one: one[1]):
        if file_id and await store.use_file(tx, file_id, now) is None:
            detail = f"there is no file {file_id}, or it was forgotten: send it again"
            raise NotFound("SIMULATION_FILE_NOT_FOUND", detail, field=field, file_id=file_id)


async def _same(tx: AsyncConnection, earlier: tuple[str, bytes], request_id: str, content: bytes) -> Simulation:
    """The first answer, if the request is the first one."""
    simulation_id, first = earlier
    if first != digest(content):
        raise Conflict(
            "IDEMPOTENCY_CONFLICT",
            "request_id was used before with other content",
            field="request_id",
            request_id=request_id,
        )
    return _found(await store.get(tx, simulation_id), simulation_id)


def _found(simulation: Simulation | None, simulation_id: str) -> Simulation:
    if simulation is None:
        detail = f"there is no simulation {simulation_id}"
        raise NotFound("SIMULATION_NOT_FOUND", detail, simulation_id=simulation_id)
    return simulation
