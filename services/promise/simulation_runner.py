"""Starts a process for each simulation that waits, one at a time, and tells which were interrupted."""

import asyncio
import sys

from sqlalchemy.ext.asyncio import AsyncEngine

from kit import db, times
from services.promise import simulation_store as store

_WORKER = "services.promise.simulation_worker"


class WorkerFailed(Exception):
    """The process of a simulation ended by a defect, a signal or an outage."""


class SimulationRunner:
    """Looks again and again: of several replicas of this process one works, and one that dies leaves no lock."""

    def __init__(self, database: AsyncEngine, command: tuple[str, ...] = (sys.executable, "-m", _WORKER)) -> None:
        self._database = database
        self._command = command

    async def run(self) -> None:
        """Returns when nothing waits, or another replica has its turn. Raises WorkerFailed."""
        while await self._is_work_here():
            await self._work()

    async def _is_work_here(self) -> bool:
        async with db.single(self._database).connect() as tx:
            if not await store.is_anything_left(tx):
                return False
        async with self._database.begin() as tx:
            if not await store.is_nobodys_turn(tx):
                return False
            await store.mark_interrupted(tx, times.now())
            return await store.next_received(tx) is not None

    async def _work(self) -> None:
        # It ends when the pipe to its standard input does: also when this process is killed.
        worker = await asyncio.create_subprocess_exec(*self._command, stdin=asyncio.subprocess.PIPE)
        try:
            code = await worker.wait()
        finally:
            if worker.returncode is None:
                worker.kill()
                await worker.wait()
        if code:
            raise WorkerFailed(f"the process of a simulation ended with {code}")
