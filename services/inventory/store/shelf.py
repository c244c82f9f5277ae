"""What tills told, what the end of a day wrote off, and what arrived."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import date, datetime
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.inventory.domain.business_day import AdjustmentLine, AdjustmentReport, OpenDays, filled
from services.inventory.domain.declarations import Reason
from services.inventory.domain.ledger import Position
from services.inventory.domain.receiving import Receipt, ReceiptLine
from services.inventory.domain.till import Effect

# -- till lines -------------------------------------------------------------------------------------------


async def match_written_off(
    tx: AsyncConnection, position: Position, quantity: int, sold_at: datetime, looked_at: datetime | None
) -> int:
    """Takes a sale for units that were written off as being sold after it, the oldest first; how many.

    What was declared up to the newest look (`looked_at`) does not count: the look has set the books right since.
    The position's balance is locked.
    """
    matched = await tx.execute(
        text(
            """WITH waiting AS (
                   SELECT a.report_id, a.sku, a.declaration_id, a.quantity - a.sold_late AS units,
                          sum(a.quantity - a.sold_late) OVER (ORDER BY r.declared_until, a.declaration_id)
                              - (a.quantity - a.sold_late) AS before
                   FROM adjustment_line AS a
                   JOIN adjustment_report AS r ON r.report_id = a.report_id
                   JOIN declaration AS d ON d.declaration_id = a.declaration_id
                   WHERE a.sku = :sku AND a.point_id = :point_id AND a.reason = 'being_sold'
                     AND a.sold_late < a.quantity AND r.declared_until >= :sold_at
                     AND (CAST(:looked_at AS timestamptz) IS NULL OR d.declared_at > :looked_at)
               )
               UPDATE adjustment_line AS line
               SET sold_late = line.sold_late + least(waiting.units, CAST(:quantity AS bigint) - waiting.before)
               FROM waiting
               WHERE waiting.before < CAST(:quantity AS bigint) AND line.report_id = waiting.report_id
                 AND line.sku = waiting.sku AND line.declaration_id = waiting.declaration_id
               RETURNING CAST(least(waiting.units, CAST(:quantity AS bigint) - waiting.before) AS bigint)"""
        ),
        {**position._asdict(), "quantity": quantity, "sold_at": sold_at, "looked_at": looked_at},
    )
    return sum(matched.scalars())


async def add_till_line(
    tx: AsyncConnection,
    kind: str,
    position: Position,
    effect: Effect,
    receipt: str,
    actor: str,
    happened_at: datetime,
    recorded_at: datetime,
) -> None:
    """Keeps a sale or a return with what it did."""
    await tx.execute(
        text(
            """INSERT INTO till_line (kind, sku, point_id, taken, declared, known, unknown, receipt, actor,
                                      happened_at, recorded_at)
               VALUES (:kind, :sku, :point_id, :taken, :declared, :known, :unknown, :receipt, :actor,
                       :happened_at, :recorded_at)"""
        ),
        {
            "kind": kind,
            **position._asdict(),
            "taken": effect.taken,
            "declared": effect.declared,
            "known": effect.known,
            "unknown": effect.unknown,
            "receipt": receipt,
            "actor": actor,
            "happened_at": happened_at,
            "recorded_at": recorded_at,
        },
    )


# -- adjustment reports -----------------------------------------------------------------------------------


async def open_report(tx: AsyncConnection, report: AdjustmentReport) -> bool:
    """Claims the point's date for this transaction; False when another has closed it (it is waited for)."""
    claimed = await tx.execute(
        text(
            """INSERT INTO adjustment_report (report_id, point_id, business_date, created_at, declared_until)
               VALUES (:report_id, :point_id, :business_date, :created_at, :declared_until)
               ON CONFLICT DO NOTHING RETURNING report_id"""
        ),
        {
            "report_id": report.report_id,
            "point_id": report.point_id,
            "business_date": report.business_date,
            "created_at": report.created_at,
            "declared_until": report.declared_until,
        },
    )
    return claimed.first() is not None


async def add_lines(tx: AsyncConnection, report: AdjustmentReport) -> None:
    """The lines of a report that was opened in this transaction."""
    lines = report.lines
    await tx.execute(
        text(
            """INSERT INTO adjustment_line (report_id, point_id, sku, reason, declaration_id, declared, quantity)
               SELECT :report_id, :point_id, * FROM unnest(
                   CAST(:skus AS text[]), CAST(:reasons AS text[]), CAST(:declarations AS text[]),
                   CAST(:declared AS bigint[]), CAST(:quantities AS bigint[]))"""
        ),
        {
            "report_id": report.report_id,
            "point_id": report.point_id,
            "skus": [line.sku for line in lines],
            "reasons": [line.reason.value for line in lines],
            "declarations": [line.declaration_id for line in lines],
            "declared": [line.declared for line in lines],
            "quantities": [line.quantity for line in lines],
        },
    )


async def report(tx: AsyncConnection, report_id: str) -> AdjustmentReport | None:
    """With its lines."""
    found = (
        await tx.execute(
            text(
                """SELECT report_id, point_id, business_date, created_at, declared_until
                   FROM adjustment_report WHERE report_id = :report_id"""
            ),
            {"report_id": report_id},
        )
    ).first()
    if found is None:
        return None
    rows = await tx.execute(
        text(
            """SELECT sku, reason, declaration_id, declared, quantity FROM adjustment_line
               WHERE report_id = :report_id ORDER BY sku, declaration_id"""
        ),
        {"report_id": report_id},
    )
    lines = tuple(
        AdjustmentLine(row.sku, Reason(row.reason), row.declaration_id, row.declared, row.quantity) for row in rows
    )
    return filled(AdjustmentReport(*found), lines)


async def reports(tx: AsyncConnection, point_id: str, before: date | None, limit: int) -> list[AdjustmentReport]:
    """Without their lines, the newest date first, before one."""
    rows = await tx.execute(
        text(
            """SELECT r.report_id, r.point_id, r.business_date, r.created_at, r.declared_until,
                      count(l.sku) AS lines, CAST(coalesce(sum(l.quantity), 0) AS bigint) AS units
               FROM adjustment_report AS r LEFT JOIN adjustment_line AS l USING (report_id)
               WHERE r.point_id = :point_id
                 AND (CAST(:before AS date) IS NULL OR r.business_date < CAST(:before AS date))
               GROUP BY r.report_id ORDER BY r.business_date DESC LIMIT :limit"""
        ),
        {"point_id": point_id, "before": before, "limit": limit},
    )
    return [AdjustmentReport(*row) for row in rows]


async def open_days(tx: AsyncConnection, reasons: Iterable[Reason]) -> list[OpenDays]:
    """The points where units of these reasons are declared."""
    rows = await tx.execute(
        text(
            """SELECT point_id, time_zone, since,
                      ARRAY(SELECT business_date FROM adjustment_report AS r
                            WHERE r.point_id = waiting.point_id
                              -- Somewhere it is a day earlier than in UTC.
                              AND r.business_date >= CAST(since AT TIME ZONE 'UTC' AS date) - 1) AS closed
               FROM (SELECT point_id, min(declared_at) AS since FROM declaration
                     WHERE remaining > 0 AND reason = ANY(CAST(:reasons AS text[]))
                     GROUP BY point_id) AS waiting
               JOIN stock_point USING (point_id) ORDER BY point_id"""
        ),
        {"reasons": sorted(reasons)},
    )
    return [OpenDays(row.point_id, row.time_zone, row.since, frozenset(row.closed)) for row in rows]


# -- receipts ---------------------------------------------------------------------------------------------


async def add_receipt(tx: AsyncConnection, receipt: Receipt) -> None:
    """Keeps it with its lines."""
    await tx.execute(
        text(
            """INSERT INTO receipt (receipt_id, point_id, reference, actor, received_at, recorded_at)
               VALUES (:receipt_id, :point_id, :reference, :actor, :received_at, :recorded_at)"""
        ),
        {
            "receipt_id": receipt.receipt_id,
            "point_id": receipt.point_id,
            "reference": receipt.reference,
            "actor": receipt.actor,
            "received_at": receipt.received_at,
            "recorded_at": receipt.recorded_at,
        },
    )
    await tx.execute(
        text(
            """INSERT INTO receipt_line (receipt_id, nth, sku, expected, received, damaged)
               SELECT :receipt_id, nth, sku, expected, received, damaged
               FROM unnest(CAST(:skus AS text[]), CAST(:expected AS bigint[]), CAST(:received AS bigint[]),
                           CAST(:damaged AS bigint[]))
                    WITH ORDINALITY AS line(sku, expected, received, damaged, nth)"""
        ),
        {
            "receipt_id": receipt.receipt_id,
            "skus": [line.sku for line in receipt.lines],
            "expected": [line.expected for line in receipt.lines],
            "received": [line.received for line in receipt.lines],
            "damaged": [line.damaged for line in receipt.lines],
        },
    )


async def receipt(tx: AsyncConnection, receipt_id: str) -> Receipt:
    """One that is known to be there."""
    rows = await tx.execute(
        text(
            """SELECT number, receipt_id, point_id, reference, actor, received_at, recorded_at FROM receipt
               WHERE receipt_id = :receipt_id"""
        ),
        {"receipt_id": receipt_id},
    )
    return (await _with_lines(tx, list(rows)))[0][1]


async def receipts(tx: AsyncConnection, point_id: str, before: int, limit: int) -> list[tuple[int, Receipt]]:
    """The newest first, before a number: number, receipt."""
    rows = await tx.execute(
        text(
            """SELECT number, receipt_id, point_id, reference, actor, received_at, recorded_at FROM receipt
               WHERE point_id = :point_id AND number < :before ORDER BY number DESC LIMIT :limit"""
        ),
        {"point_id": point_id, "before": before, "limit": limit},
    )
    return await _with_lines(tx, list(rows))


async def _with_lines(tx: AsyncConnection, rows: Sequence[Any]) -> list[tuple[int, Receipt]]:
    lines: dict[str, list[ReceiptLine]] = defaultdict(list)
    found = await tx.execute(
        text(
            """SELECT receipt_id, sku, expected, received, damaged FROM receipt_line
               WHERE receipt_id = ANY(CAST(:ids AS text[])) ORDER BY receipt_id, nth"""
        ),
        {"ids": [row.receipt_id for row in rows]},
    )
    for line in found:
        lines[line.receipt_id].append(ReceiptLine(line.sku, line.expected, line.received, line.damaged))
    return [
        (
            row.number,
            Receipt(
                row.receipt_id,
                row.point_id,
                row.reference,
                row.actor,
                row.received_at,
                row.recorded_at,
                tuple(lines[row.receipt_id]),
            ),
        )
        for row in rows
    ]
