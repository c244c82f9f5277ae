"""The end of the business day: once for each point and date, by its people or by the process (SPEC STK-6)."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from kit import outbox, requests
from kit.errors import InvalidArgument, NotFound
from kit.feed import Bell
from kit.values.ids import derived_id
from services.inventory import shelf_events
from services.inventory.domain import business_day, validation
from services.inventory.domain.business_day import AdjustmentReport, WriteOffRules
from services.inventory.domain.ledger import Cause
from services.inventory.domain.shelf_commands import CloseBusinessDay
from services.inventory.reserving import ACTOR
from services.inventory.store import catalogue, declarations, ledger
from services.inventory.store import shelf as store
from services.inventory.usecases import UseCases, check, first_answer

OLDEST = timedelta(days=366)


class BusinessDays(UseCases):
    """Writes off what is declared unavailable, and tells the stock master."""

    def __init__(self, engine: AsyncEngine, bell: Bell, rules: WriteOffRules | None = None) -> None:
        super().__init__(engine, bell)
        self._rules = rules or WriteOffRules()

    async def close(self, command: CloseBusinessDay) -> AdjustmentReport:
        """Closes a point's date; one that is closed gives its report."""
        check(
            validation.identifier("request_id", command.request_id),
            validation.name("point_id", command.point_id),
            validation.text("actor", command.actor, required=True),
        )
        async with self._change() as tx:
            first = await first_answer(tx, command)
            if first is not None:
                return await _must_read(tx, first["report_id"])
            points = await catalogue.points(tx, [command.point_id])
            if not points:
                raise InvalidArgument("point_id", f"there is no point {command.point_id}", "UNKNOWN_POINT")
            zone = points[0].time_zone
            today = business_day.date_at(zone, command.as_of)
            day = command.business_date or today
            if not today - OLDEST <= day <= today:
                raise InvalidArgument("business_date", f"not in the year before {today}, which it is at the point")
            report = await self._close(tx, command.point_id, zone, day, command.actor, command.as_of)
            await requests.remember(tx, command.request_id, {"report_id": report.report_id})
        return report

    async def close_ended(self, as_of: datetime) -> list[AdjustmentReport]:
        """Closes every date that has ended and has something to write off, the oldest first; the reports."""
        made: list[AdjustmentReport] = []
        while due := await self._due(as_of):
            for point_id, zone, day in due:
                async with self._change() as tx:
                    made.append(await self._close(tx, point_id, zone, day, ACTOR, as_of))
        return made

    async def _due(self, as_of: datetime) -> list[tuple[str, str, date]]:
        """The oldest date to close of each point, with its zone. The next one shows once that is closed."""
        async with self._still.begin() as tx:
            waiting = await store.open_days(tx, self._rules.reasons)
        return [
            (point.point_id, point.time_zone, day)
            for point in waiting
            if (day := business_day.first_due(point, as_of, self._rules)) is not None
        ]

    async def _close(
        self, tx: AsyncConnection, point_id: str, zone: str, day: date, actor: str, as_of: datetime
    ) -> AdjustmentReport:
        until = min(as_of, business_day.end_of(zone, day))
        report = AdjustmentReport(derived_id("adj", point_id, day.isoformat()), point_id, day, as_of, until)
        if not await store.open_report(tx, report):
            return await _must_read(tx, report.report_id)
        positions = await declarations.positions_declared(tx, point_id, self._rules.reasons, until)
        book = await ledger.lock(tx, positions)
        declared = [one for some in (await declarations.open_at(tx, positions)).values() for one in some]
        before = sum(balance.short for balance in book.balances(positions))
        cause = Cause("end_of_day", actor, report.report_id)
        lines, ended = business_day.write_off(book, declared, self._rules, until, cause, as_of)
        report = business_day.filled(report, lines)
        short = sum(balance.short for balance in book.balances(positions)) - before
        await declarations.save(tx, ended)
        await store.add_lines(tx, report)
        await outbox.write(tx, [shelf_events.adjustments_reported(report, short)])
        # The unit left when it was declared: a count or a snapshot between then and now did not see it.
        moved = [(m, one.declared_at) for m, one in zip(book.movements, ended, strict=True)]
        await ledger.write(tx, movements=moved)
        return report

    async def get_report(self, report_id: str) -> AdjustmentReport:
        """With its lines."""
        check(validation.identifier("report_id", report_id))
        async with self._still.begin() as tx:
            return await _must_read(tx, report_id)

    async def list_reports(self, point_id: str, before: date | None, limit: int) -> Sequence[AdjustmentReport]:
        """Of a point without their lines, the newest date first, before one."""
        check(validation.name("point_id", point_id))
        async with self._engine.begin() as tx:
            return await store.reports(tx, point_id, before, limit)


async def _must_read(tx: AsyncConnection, report_id: str) -> AdjustmentReport:
    found = await store.report(tx, report_id)
    if found is None:
        raise NotFound("ADJUSTMENT_REPORT_NOT_FOUND", "there is no such report", report_id=report_id)
    return found
