"""Works one simulation from its orders to its result. Whoever does so has the turn: one does at a time.

Runs in a process of its own (simulation_worker.py), so that planning takes no time from quotes.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable

from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from kit import db, times
from kit.errors import Unavailable
from services.promise import past_orders_store
from services.promise import simulation_store as store
from services.promise.domain.compared import Result
from services.promise.domain.network import IsHoliday
from services.promise.domain.past_orders import FileRefused
from services.promise.domain.simulating import Network, Simulation
from services.promise.domain.simulations import Simulation as Job
from services.promise.domain.simulations import State
from services.promise.replica import StockReplica
from services.promise.simulation_sources import open_orders
from services.promise.store import load_terms

_PROGRESS_SECONDS = 1.0
_log = logging.getLogger(__name__)

# The stock of this moment, that no later change reaches. UNAVAILABLE / STOCK_UNKNOWN.
ReadStock = Callable[[], Awaitable[StockReplica]]


class _Stopped(Exception):
    """Somebody cancelled the job."""


class SimulationWork:
    """The oldest job that waits, under the turn of one session."""

    def __init__(self, database: AsyncEngine, read_stock: ReadStock, is_holiday: IsHoliday) -> None:
        self._database = database
        self._at_one_moment = database.execution_options(isolation_level="REPEATABLE READ")
        self._read_stock = read_stock
        self._is_holiday = is_holiday

    async def run(self) -> bool:
        """Works one job; False when none waits."""
        # One session from begin to end: it holds the turn, and the orders of a file. With it, both are gone.
        async with db.single(self._database).connect() as tx:
            await store.take_turn(tx)
            try:
                await store.mark_interrupted(tx, times.now())
                if (job := await store.next_received(tx)) is None:
                    return False
                await self._work(tx, job)
                return True
            finally:
                await store.give_turn_back(tx)

    async def _work(self, tx: AsyncConnection, job: Job) -> None:
        if not await store.begin(tx, job.simulation_id, times.now()):
            return
        try:
            result = await self._simulate(tx, job)
            await store.complete(tx, job.simulation_id, result, times.now())
        except _Stopped:
            return
        except FileRefused as refused:
            await self._fail(tx, job, refused.reason, refused.detail)
        except Unavailable as away:
            await self._fail(tx, job, away.reason, away.detail)
        except Exception as error:
            if _passes(error):
                raise
            # The jobs behind it are not to wait for a defect to be mended.
            _log.exception("simulation %s failed", job.simulation_id)
            await self._fail(tx, job, "INTERNAL", "an internal error; it was logged")

    async def _simulate(self, tx: AsyncConnection, job: Job) -> Result:
        progress = _Progress(tx, job)
        replica = await self._read_stock()
        async with self._at_one_moment.begin() as other:
            terms = await load_terms(other)
        points = replica.slice(()).points
        simulation = Simulation(
            Network(points, terms.carriers, terms.geography, self._is_holiday, terms.boxes),
            job.live,
            job.setup.candidate,
            listed_orders=job.setup.listed_orders,
            deplete=job.setup.deplete,
        )
        await past_orders_store.open_stage(tx)
        try:
            orders = await open_orders(tx, job.setup, replica, job.received_at, progress.tell)
            progress.total = orders.total
            async for order, stock in orders.pairs():
                simulation.take(order, stock)
                progress.planned = simulation.orders
                await progress.tell()
        finally:
            await past_orders_store.close_stage(tx)
        if not simulation.orders:
            skipped = ", ".join(f"{reason} {count}" for reason, count in sorted(orders.skipped.items()) if count)
            raise FileRefused("NO_ORDERS", f"there is no order to simulate; skipped: {skipped or 'nothing'}")
        return simulation.result(orders.skipped, [*orders.notes(), *_notes(job)])

    async def _fail(self, tx: AsyncConnection, job: Job, reason: str, detail: str) -> None:
        await store.end(tx, job.simulation_id, State.FAILED, times.now(), reason, detail)


def _notes(job: Job) -> list[str]:
    """What every result rests on."""
    live, candidate = job.live, job.setup.candidate
    each = "What an order took is gone for those after it; each ruleset depletes its own copy of the stock."
    alone = "Each order is planned as if it were alone: what it took is there for the next."
    return [
        each if job.setup.deplete else alone,
        "Points, carriers, rates, boxes, geography and facts of positions are those of the day of the simulation.",
        f"Real cost is what carriers bill and what preparing costs by the figures of {live.ruleset_id} version "
        f"{live.version}, the ruleset in force, for both rulesets.",
        f"The objective of each ruleset is by its own weights: those of {live.ruleset_id} version {live.version} "
        f"on one side, those of the candidate {candidate.ruleset_id or 'without an id'} on the other. The two are "
        "not comparable.",
        *([_JOINED] if live.consolidation or candidate.consolidation else []),
    ]


_JOINED = (
    "Where a ruleset says so, parcels meet at hubs, whether or not whoever placed the order could carry it out; "
    "joining them counts as preparation."
)


class _Progress:
    """How far a job is, told once a second."""

    def __init__(self, tx: AsyncConnection, job: Job) -> None:
        self._tx = tx
        self._job = job
        self._next = 0.0
        self.planned = 0
        self.total = 0

    async def tell(self) -> None:
        """Raises _Stopped when the job has been cancelled."""
        # Planning waits for nothing: others on this loop have their turn here.
        await asyncio.sleep(0)
        if time.monotonic() < self._next:
            return
        if not await store.tell_progress(self._tx, self._job.simulation_id, self.planned, self.total):
            raise _Stopped
        self._next = time.monotonic() + _PROGRESS_SECONDS


def _passes(error: Exception) -> bool:
    """Whether the database was away: the job is interrupted then, not failed."""
    return isinstance(error, PoolTimeoutError) or (isinstance(error, DBAPIError) and db.is_outage(error))
