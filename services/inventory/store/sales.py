"""What positions sold, out of the ledger and of what tills told. Reads only."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.inventory.domain import sales
from services.inventory.domain.ledger import Position
from services.inventory.domain.sales import Sold

# Written out, so that the planner sees that the partial index of sales answers.
_IS_SALE = "cause IN ({})".format(", ".join(f"'{cause}'" for cause in sales.CAUSES))
# One look into an index for each figure of each position. A till line's own movement is in the ledger; what it
# sold beyond (units written off, counted away or unknown to the books) is only in the line.
SOLD = text(
    f"""SELECT asked.sku, asked.point_id, CAST(moved.units + told.units AS bigint) AS units,
               least(arrived.at, moved.first_at, told.first_at) AS since
        FROM unnest(CAST(:skus AS text[]), CAST(:points AS text[])) AS asked(sku, point_id)
        CROSS JOIN LATERAL (
            SELECT coalesce(-sum(on_hand_delta), 0) AS units,
                   min(recorded_at) FILTER (WHERE on_hand_delta < 0) AS first_at
            FROM movement
            WHERE sku = asked.sku AND point_id = asked.point_id AND {_IS_SALE}
              AND recorded_at > :since AND recorded_at <= :until
        ) AS moved
        CROSS JOIN LATERAL (
            SELECT coalesce(sum(CASE kind WHEN 'sale' THEN known + unknown ELSE -known - unknown END), 0) AS units,
                   min(happened_at) FILTER (WHERE kind = 'sale') AS first_at
            FROM till_line
            WHERE sku = asked.sku AND point_id = asked.point_id AND known + unknown > 0
              AND happened_at > :since AND happened_at <= :until
        ) AS told
        CROSS JOIN LATERAL (
            SELECT min(recorded_at) AS at FROM movement
            WHERE sku = asked.sku AND point_id = asked.point_id AND on_hand_delta > 0 AND recorded_at <= :until
        ) AS arrived"""
)


async def sold(tx: AsyncConnection, positions: Sequence[Position], now: datetime) -> dict[Position, Sold]:
    """What each position sold in the window that ends now, and since when it had anything to sell.

    A first sale before the window is not looked for: what sold then had come before.
    """
    rows = await tx.execute(
        SOLD,
        {
            "skus": [position.sku for position in positions],
            "points": [position.point_id for position in positions],
            "since": now - sales.WINDOW,
            "until": now,
        },
    )
    return {Position(row.sku, row.point_id): Sold(row.units, row.since) for row in rows}
