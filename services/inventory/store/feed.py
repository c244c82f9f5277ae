"""What the stock replicas read: marks in commit order, and the values behind them."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from kit import feed
from services.inventory.domain.ledger import Position


@dataclass(frozen=True, slots=True)
class Mark:
    """Something to read again. `kind` says which of the keys is set."""

    sequence: int
    kind: str
    sku: str
    point_id: str
    channel_id: str


async def has_news(connection: AsyncConnection, after: int) -> bool:
    """Whether there are marks after a number; committed ones that have none yet are given theirs."""
    return await feed.has_news(connection, "stock_change", after)


async def bounds(tx: AsyncConnection) -> tuple[int, int]:
    """The oldest and the newest number that is kept; zeros when nothing ever changed."""
    row = (
        await tx.execute(text("SELECT coalesce(min(sequence), 0), coalesce(max(sequence), 0) FROM stock_change"))
    ).one()
    return row[0], row[1]


async def marks(tx: AsyncConnection, after: int, limit: int) -> list[Mark]:
    """Numbered marks after a number."""
    rows = await tx.execute(
        text(
            """SELECT sequence, kind, sku, point_id, channel_id FROM stock_change
               WHERE sequence > :after ORDER BY sequence LIMIT :limit"""
        ),
        {"after": after, "limit": limit},
    )
    return [Mark(*row) for row in rows]


async def positions_of(tx: AsyncConnection, skus: Sequence[str], point_ids: Sequence[str]) -> list[Position]:
    """Every position of these items and of these points."""
    rows = await tx.execute(
        text(
            """SELECT sku, point_id FROM balance WHERE sku = ANY(CAST(:skus AS text[]))
               UNION
               SELECT sku, point_id FROM balance WHERE point_id = ANY(CAST(:point_ids AS text[]))"""
        ),
        {"skus": list(skus), "point_ids": list(point_ids)},
    )
    return [Position(*row) for row in rows]


async def forget_old(tx: AsyncConnection, keep: int) -> None:
    """Drops all marks but the newest; a replica that was away longer starts from a snapshot."""
    await tx.execute(
        text(
            """DELETE FROM stock_change
               WHERE sequence <= (SELECT max(sequence) FROM stock_change) - CAST(:keep AS bigint)"""
        ),
        {"keep": keep},
    )
