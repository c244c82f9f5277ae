"""The history use cases: pages and files of operations, totals of days. Writes only the sums of ended days."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import date, datetime, timedelta

from kit import db, times
from kit.db import AsyncEngine
from kit.errors import InvalidArgument
from services.payments import history_store as store
from services.payments.domain.model import Operation
from services.payments.domain.reconciling import end_of, start_of
from services.payments.exporting import COLUMNS, Writer
from services.payments.history_store import After, Filter, Total

MOST_DAYS = 400
# No transaction lives so long (see kit.db): after it nothing more is settled in a day that has ended.
_DAY_RESTS = timedelta(minutes=10)


class History:
    """One method per RPC, and the sweep that sums days."""

    def __init__(
        self,
        engine: AsyncEngine,
        clock: Callable[[], datetime] = times.now,
        *,
        walked: int = store.WALKED,
        portion: int = store.PORTION,
    ) -> None:
        self._engine = engine
        self._clock = clock
        self._walked = walked
        self._portion = portion

    async def list_operations(
        self, wanted: Filter, after: After | None, size: int
    ) -> tuple[Sequence[Operation], bool]:
        """A page, newest first, and whether there are more."""
        _check_period(wanted)
        async with db.single(self._engine).connect() as tx:
            rows = await store.page(tx, wanted, after, size + 1, self._walked)
        return rows[:size], len(rows) > size

    async def export(self, wanted: Filter, new_writer: Callable[[], Writer]) -> AsyncIterator[bytes]:
        """The parts of a file. Rows are written beside the event loop, which serves others meanwhile."""
        _check_period(wanted)
        writer = await asyncio.to_thread(new_writer)
        yield writer.begin()
        async with self._engine.connect() as tx:
            async for portion in store.export(tx, wanted, COLUMNS, self._portion):
                yield await asyncio.to_thread(writer.write, portion)
        yield await asyncio.to_thread(writer.end)

    async def totals(self, from_day: date, until_day: date, by: Sequence[str]) -> list[Total]:
        """Of days that have not ended: what was until now."""
        if not from_day < until_day <= from_day + timedelta(days=MOST_DAYS):
            raise InvalidArgument("until_day", f"1 to {MOST_DAYS} days after from_day")
        async with self._engine.connect() as tx:
            # One snapshot: a day must not be summed between the two looks.
            await tx.execution_options(isolation_level="REPEATABLE READ")
            summed = await store.last_summed(tx)
            live_from = max(from_day, summed + timedelta(days=1)) if summed else from_day
            live = start_of(live_from), max(start_of(live_from), start_of(until_day))
            return await store.totals(tx, from_day, until_day, live, by)

    async def sum_ended_days(self, most: int = 100) -> int:
        """Sums the days that have ended, the oldest first; how many."""
        async with db.single(self._engine).connect() as tx:
            summed = await store.last_summed(tx)
            day = summed + timedelta(days=1) if summed else await store.first_day(tx)
        done = 0
        while day is not None and done < most and end_of(day) + _DAY_RESTS <= self._clock():
            async with self._engine.begin() as tx:
                done += await store.sum_day(tx, day, start_of(day), end_of(day), self._clock())
            day += timedelta(days=1)
        return done


def _check_period(wanted: Filter) -> None:
    if wanted.since and wanted.until and wanted.since >= wanted.until:
        raise InvalidArgument("filter.until", "must be after filter.from")
