"""Declarations: read and written under the lock of their position's balance, which guards them too."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.inventory.domain.declarations import Declaration, Ending, Reason
from services.inventory.domain.ledger import Position

_COLUMNS = """declaration_id, sku, point_id, quantity, remaining, reason, actor, source, declared_at,
              ended_at, ended_by"""


async def one(tx: AsyncConnection, declaration_id: str) -> Declaration | None:
    """As committed, or as it stands under the lock of its balance."""
    rows = await tx.execute(
        text(f"SELECT {_COLUMNS} FROM declaration WHERE declaration_id = :declaration_id"),
        {"declaration_id": declaration_id},
    )
    found = rows.first()
    return None if found is None else _declaration(found)


async def open_at(tx: AsyncConnection, positions: Iterable[Position]) -> dict[Position, list[Declaration]]:
    """The open declarations of these positions, whose balances are locked, oldest first."""
    wanted = sorted(set(positions))
    rows = await tx.execute(
        text(
            f"""SELECT {_COLUMNS} FROM declaration
                JOIN unnest(CAST(:skus AS text[]), CAST(:point_ids AS text[])) AS wanted(sku, point_id)
                     USING (sku, point_id)
                WHERE remaining > 0 ORDER BY sku, point_id, declared_at, declaration_id"""
        ),
        {"skus": [p.sku for p in wanted], "point_ids": [p.point_id for p in wanted]},
    )
    found: dict[Position, list[Declaration]] = defaultdict(list)
    for row in rows:
        found[Position(row.sku, row.point_id)].append(_declaration(row))
    return found


async def positions_declared(
    tx: AsyncConnection, point_id: str, reasons: Iterable[Reason], until: datetime
) -> list[Position]:
    """Where a point has open declarations of these reasons that were made up to an instant."""
    rows = await tx.execute(
        text(
            """SELECT DISTINCT sku FROM declaration
               WHERE remaining > 0 AND point_id = :point_id AND declared_at <= :until
                 AND reason = ANY(CAST(:reasons AS text[])) ORDER BY sku"""
        ),
        {"point_id": point_id, "until": until, "reasons": sorted(reasons)},
    )
    return [Position(sku, point_id) for sku in rows.scalars()]


async def save(tx: AsyncConnection, changed: Sequence[Declaration]) -> None:
    """Writes new ones, and what is left of others."""
    if not changed:
        return
    await tx.execute(
        text(
            """INSERT INTO declaration (declaration_id, sku, point_id, quantity, remaining, reason, actor, source,
                                        declared_at, ended_at, ended_by)
               SELECT * FROM unnest(
                   CAST(:ids AS text[]), CAST(:skus AS text[]), CAST(:point_ids AS text[]),
                   CAST(:quantities AS bigint[]), CAST(:remaining AS bigint[]), CAST(:reasons AS text[]),
                   CAST(:actors AS text[]), CAST(:sources AS text[]), CAST(:declared AS timestamptz[]),
                   CAST(:ended AS timestamptz[]), CAST(:endings AS text[]))
               ON CONFLICT (declaration_id) DO UPDATE
               SET remaining = EXCLUDED.remaining, ended_at = EXCLUDED.ended_at, ended_by = EXCLUDED.ended_by"""
        ),
        {
            "ids": [one.declaration_id for one in changed],
            "skus": [one.sku for one in changed],
            "point_ids": [one.point_id for one in changed],
            "quantities": [one.quantity for one in changed],
            "remaining": [one.remaining for one in changed],
            "reasons": [one.reason.value for one in changed],
            "actors": [one.actor for one in changed],
            "sources": [one.source for one in changed],
            "declared": [one.declared_at for one in changed],
            "ended": [one.ended_at for one in changed],
            "endings": [one.ended_by.value if one.ended_by else "" for one in changed],
        },
    )


async def of_point(
    tx: AsyncConnection,
    point_id: str,
    sku: str,
    after: tuple[datetime, str] | None,
    limit: int,
    *,
    with_ended: bool,
) -> list[Declaration]:
    """Oldest first, after one; no SKU means all."""
    state = "true" if with_ended else "remaining > 0"
    rows = await tx.execute(
        text(
            f"""SELECT {_COLUMNS} FROM declaration
                WHERE point_id = :point_id AND {state} AND (:sku = '' OR sku = :sku)
                  AND (CAST(:after_at AS timestamptz) IS NULL
                       OR (declared_at, declaration_id) > (CAST(:after_at AS timestamptz), :after_id))
                ORDER BY declared_at, declaration_id LIMIT :limit"""
        ),
        {
            "point_id": point_id,
            "sku": sku,
            "after_at": after[0] if after else None,
            "after_id": after[1] if after else "",
            "limit": limit,
        },
    )
    return [_declaration(row) for row in rows]


def _declaration(row: Any) -> Declaration:
    return Declaration(
        row.declaration_id,
        row.sku,
        row.point_id,
        row.quantity,
        row.remaining,
        Reason(row.reason),
        row.actor,
        row.source,
        row.declared_at,
        row.ended_at,
        Ending(row.ended_by) if row.ended_by else None,
    )
