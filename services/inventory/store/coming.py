"""Stock to come as the stock feed tells it: what is expected where, by whose rules, and what to tell anew."""

from collections.abc import Sequence
from datetime import date, datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from kit import db
from services.inventory.domain.ledger import Position
from services.inventory.domain.supply import ExpectedDelivery, FutureRules
from services.inventory.store.supply import COLUMNS, read_rules, to_delivery


async def expected_at(tx: AsyncConnection, positions: Sequence[Position]) -> list[ExpectedDelivery]:
    """All that is still expected at these positions."""
    rows = await tx.execute(
        text(
            f"""SELECT {COLUMNS} FROM expected_delivery
                WHERE state = 'expected' AND (sku, point_id) IN (
                    SELECT * FROM unnest(CAST(:skus AS text[]), CAST(:points AS text[])))"""
        ),
        {"skus": [one.sku for one in positions], "points": [one.point_id for one in positions]},
    )
    return [to_delivery(row) for row in rows]


async def positions(
    tx: AsyncConnection,
    skus: Sequence[str] | None,
    point_ids: Sequence[str] | None,
    after: Position,
    limit: int,
) -> list[Position]:
    """Where anything is expected of one of these items, or at one of these points; None: everywhere. In order."""
    rows = await db.rows(
        tx,
        text(
            """SELECT DISTINCT sku, point_id FROM expected_delivery
               WHERE state = 'expected' AND (sku, point_id) > (:sku, :point_id)
                 AND (:all OR sku = ANY(CAST(:skus AS text[])) OR point_id = ANY(CAST(:points AS text[])))
               ORDER BY sku, point_id LIMIT :limit"""
        ),
        {
            "sku": after.sku,
            "point_id": after.point_id,
            "all": skus is None and point_ids is None,
            "skus": list(skus or ()),
            "points": list(point_ids or ()),
            "limit": limit,
        },
    )
    return [Position(*row) for row in rows]


async def all_rules(tx: AsyncConnection) -> dict[str, FutureRules]:
    """Of each channel that has any."""
    channels = await tx.execute(text("SELECT channel_id FROM future_rules ORDER BY channel_id"))
    return {channel_id: await read_rules(tx, channel_id) for channel_id in list(channels.scalars())}


# -- days that begin ---------------------------------------------------------------------------------------


async def mark_turned(tx: AsyncConnection, days: Sequence[tuple[str, date, date]]) -> None:
    """Tells replicas to read again what comes to positions where the clock alone changed something.

    `days`: zone, the day up to which it was told there, today. A delivery turns the day after its last
    one, the day after a channel's grace, and the day on which it comes into a channel's longest promise.
    """
    await tx.execute(
        text(
            """INSERT INTO stock_change (kind, sku, point_id)
               SELECT DISTINCT 'coming', sku, point_id
               FROM expected_delivery AS delivery
               JOIN stock_point USING (point_id)
               JOIN unnest(CAST(:zones AS text[]), CAST(:told AS date[]), CAST(:days AS date[]))
                    AS turned(zone, told, day) ON turned.zone = stock_point.time_zone
               WHERE delivery.state = 'expected'
                 AND EXISTS (
                     SELECT FROM future_rules AS rules,
                         unnest(ARRAY[until_date + 1, until_date + 1 + rules.grace_days,
                                      until_date - rules.longest_promise_days]) AS turn
                     WHERE turn > turned.told AND turn <= turned.day)"""
        ),
        {
            "zones": [zone for zone, _, _ in days],
            "told": [told for _, told, _ in days],
            "days": [today for _, _, today in days],
        },
    )


async def told_until(tx: AsyncConnection) -> datetime | None:
    """Up to when the turns of days have been told; None: never."""
    return (await tx.execute(text("SELECT told_until FROM coming_clock"))).scalar_one_or_none()


async def tell_until(tx: AsyncConnection, now: datetime) -> None:
    """Notes it."""
    await tx.execute(
        text(
            """INSERT INTO coming_clock (told_until) VALUES (:now)
               ON CONFLICT (is_only) DO UPDATE SET told_until = greatest(coming_clock.told_until, :now)"""
        ),
        {"now": now},
    )
