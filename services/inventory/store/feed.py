"""What the stock replicas read: marks in commit order, and the values behind them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from kit import db, feed
from services.inventory.domain.ledger import Position

_BOUNDS = text("SELECT coalesce(min(sequence), 0), coalesce(max(sequence), 0) FROM stock_change")
_MARKS = text(
    """SELECT sequence, kind, sku, point_id, channel_id FROM stock_change
       WHERE sequence > :after ORDER BY sequence LIMIT :limit"""
)


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
    [(oldest, newest)] = await db.rows(tx, _BOUNDS, {})
    return oldest, newest


async def marks(tx: AsyncConnection, after: int, limit: int) -> list[Mark]:
    """Numbered marks after a number."""
    return [Mark(*row) for row in await db.rows(tx, _MARKS, {"after": after, "limit": limit})]


async def point_ids(tx: AsyncConnection) -> list[str]:
    """Every point."""
    return list((await tx.execute(text("SELECT point_id FROM stock_point ORDER BY point_id"))).scalars())


async def forget_old(tx: AsyncConnection, keep: int) -> None:
    """Drops all marks but the newest; a replica that was away longer starts from a snapshot."""
    await tx.execute(
        text(
            """DELETE FROM stock_change
               WHERE sequence <= (SELECT max(sequence) FROM stock_change) - CAST(:keep AS bigint)"""
        ),
        {"keep": keep},
    )


async def mark_positions(tx: AsyncConnection, positions: Sequence[Position], kind: str = "position") -> None:
    """Tells replicas, in the transaction of the change, to read positions again; or what is `coming` to them."""
    if positions:
        await tx.execute(
            text(
                """INSERT INTO stock_change (kind, sku, point_id)
                   SELECT CAST(:kind AS text), *
                   FROM unnest(CAST(:skus AS text[]), CAST(:points AS text[]))"""
            ),
            {
                "kind": kind,
                "skus": [one.sku for one in positions],
                "points": [one.point_id for one in positions],
            },
        )


async def mark_coming(tx: AsyncConnection, delivery_ids: Iterable[str] | None = None) -> None:
    """Tells them to read again what comes where these deliveries go; None: wherever anything is expected."""
    await tx.execute(
        text(
            """INSERT INTO stock_change (kind, sku, point_id)
               SELECT DISTINCT 'coming', sku, point_id FROM expected_delivery
               WHERE CASE WHEN CAST(:ids AS text[]) IS NULL THEN state = 'expected'
                          ELSE delivery_id = ANY(CAST(:ids AS text[])) END"""
        ),
        {"ids": None if delivery_ids is None else sorted(set(delivery_ids))},
    )


_MARKED_BY = {"item": "sku", "point": "point_id", "terms": "point_id", "channel": "channel_id"}


async def mark(tx: AsyncConnection, kind: str, keys: Sequence[str]) -> None:
    """Tells replicas, in the transaction of the change, what to read again."""
    if keys:
        await tx.execute(
            text(
                f"""INSERT INTO stock_change (kind, {_MARKED_BY[kind]})
                    SELECT CAST(:kind AS text), key FROM unnest(CAST(:keys AS text[])) AS key"""
            ),
            {"kind": kind, "keys": list(keys)},
        )
