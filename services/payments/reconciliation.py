"""Works settlement files in the background, one after the other, in the order in which they came.

A step is one transaction: it reads a whole file, or judges some of its lines, or looks for what the file left out.
A turn is an advisory lock of the transaction: of several replicas one works, and one that dies leaves nothing half
done. What was done is in the rows, so any replica goes on where it stands.
"""

import logging
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from kit import db, times
from kit.db import AsyncConnection, AsyncEngine
from services.payments import settlement_store as store
from services.payments.domain.reconciling import DifferenceState, Verdict, awaits, end_of, judge, start_of
from services.payments.domain.settlement_file import FileRefused, Line, SettlementReader
from services.payments.settlement_store import Settlement

JUDGED_AT_ONCE = 2_000
_log = logging.getLogger(__name__)


class Reconciliation:
    """One file at a time."""

    def __init__(
        self, engine: AsyncEngine, clock: Callable[[], datetime] = times.now, *, at_once: int = JUDGED_AT_ONCE
    ) -> None:
        self._engine = engine
        self._clock = clock
        self._at_once = at_once

    async def run(self) -> None:
        """Steps until there is nothing to do, or another replica has its turn; then what was awaited too long."""
        while await self.step():
            pass
        async with db.single(self._engine).connect() as tx:
            await self._raise_alarms(tx)

    async def step(self) -> bool:
        """One transaction's worth of work; whether there was any."""
        async with db.single(self._engine).connect() as tx:
            settlement = await store.next_unfinished(tx)
        if settlement is None:
            return False
        try:
            async with self._engine.begin() as tx:
                if not await store.take_turn(tx):
                    return False
                # As it stands now that it is our turn.
                settlement = await store.next_unfinished(tx)
                if settlement is not None:
                    await (self._read if settlement.state == "received" else self._judge)(tx, settlement)
        except FileRefused as refused:
            await self._fail(settlement, refused.reason, refused.detail)
        except Exception as error:
            if isinstance(error, PoolTimeoutError) or (isinstance(error, DBAPIError) and db.is_outage(error)):
                raise
            # The files behind it are not to wait for a defect to be mended. Nothing of this step was written.
            _log.exception("settlement %s failed", settlement and settlement.settlement_id)
            await self._fail(settlement, "INTERNAL", "an internal error; it was logged")
        return True

    async def _read(self, tx: AsyncConnection, settlement: Settlement) -> None:
        """All lines of the file, or none."""
        reader, nth = SettlementReader(), 0
        while (portion := await store.content(tx, settlement.upload_id, nth)) is not None:
            await self._keep(tx, settlement, reader.feed(portion))
            nth += 1
        await self._keep(tx, settlement, reader.close())
        await store.start(tx, settlement.settlement_id, self._clock())
        await store.forget_content(tx, settlement.upload_id)

    async def _keep(self, tx: AsyncConnection, settlement: Settlement, lines: list[Line]) -> None:
        known = await store.told_before(tx, settlement.provider, lines)
        for line in lines:
            before = known.get(line.transaction_id)
            if before is not None and replace(before, number=line.number) != line:
                raise FileRefused(
                    "TRANSACTION_CHANGED",
                    f"line {line.number}: transaction_id: an earlier file told {line.transaction_id} differently",
                )
        new = [line for line in lines if line.transaction_id not in known]
        await store.add_lines(tx, settlement.settlement_id, settlement.provider, new)

    async def _judge(self, tx: AsyncConnection, settlement: Settlement) -> None:
        """Some lines; when none is left, what was not ours before, and what is missing."""
        lines = await store.unjudged(tx, settlement.settlement_id, self._at_once)
        if lines:
            judged = judge(lines, await store.booked_for(tx, settlement.provider, lines))
            await store.judge(tx, settlement, judged, self._clock())
            return
        await self._judge_extra_again(tx, settlement)
        begin, end = start_of(settlement.day), end_of(settlement.day)
        await store.add_missing(tx, settlement, begin, end, self._clock())
        await store.end(tx, settlement.settlement_id, "done", self._clock())
        await self._raise_alarms(tx)

    async def _judge_extra_again(self, tx: AsyncConnection, settlement: Settlement) -> None:
        """What we did not know when its line came (our answer was lost), and know now."""
        # Each has a number in a file of its own: here they need one each.
        extra = await store.extra_lines(tx, settlement.provider)
        lines = [replace(line, number=number) for number, line in enumerate(extra)]
        judged = judge(lines, await store.booked_for(tx, settlement.provider, lines))
        found = [one for one in judged if one.verdict is not Verdict.EXTRA]
        await store.judge(tx, settlement, found, self._clock())

    async def _raise_alarms(self, tx: AsyncConnection) -> None:
        for provider, day, later in await store.waiting_days(tx):
            if awaits(day, later, self._clock()) is DifferenceState.OPEN:
                await store.wait_no_longer(tx, provider, day)

    async def _fail(self, settlement: Settlement | None, reason: str, detail: str) -> None:
        assert settlement is not None, "only a settlement's step fails"
        async with self._engine.begin() as tx:
            await store.end(tx, settlement.settlement_id, "failed", self._clock(), reason, detail)
            await store.forget_unjudged(tx, settlement.settlement_id)
            await store.forget_content(tx, settlement.upload_id)
