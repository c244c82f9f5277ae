"""Pre-orders."""

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.inventory.domain.preorder import Preorder

_COLUMNS = "preorder_id, sku, channel_id, quantity, opens_at, closes_at, release_at, converted"


async def create(tx: AsyncConnection, preorders: Iterable[Preorder]) -> set[str]:
    """Writes those that are not known; which ones."""
    written = await tx.execute(
        text(
            f"""INSERT INTO preorder ({_COLUMNS}) SELECT * FROM {_GIVEN}
                ORDER BY preorder_id COLLATE "C" ON CONFLICT DO NOTHING RETURNING preorder_id"""
        ),
        _values(preorders),
    )
    return set(written.scalars())


async def lock(tx: AsyncConnection, preorder_ids: Iterable[str]) -> dict[str, Preorder]:
    """By id, locked in the order of the ids; those that do not exist are left out."""
    rows = await tx.execute(
        text(
            f"""SELECT {_COLUMNS} FROM preorder WHERE preorder_id = ANY(CAST(:ids AS text[]))
                ORDER BY preorder_id FOR UPDATE"""
        ),
        {"ids": sorted(set(preorder_ids))},
    )
    return {row.preorder_id: Preorder(*row) for row in rows}


async def write(tx: AsyncConnection, preorders: Iterable[Preorder]) -> None:
    """Replaces locked pre-orders."""
    await tx.execute(
        text(
            f"""UPDATE preorder AS known SET
                    quantity = given.quantity, opens_at = given.opens_at, closes_at = given.closes_at,
                    release_at = given.release_at, converted = given.converted
                FROM {_GIVEN} WHERE known.preorder_id = given.preorder_id"""
        ),
        _values(preorders),
    )


async def read(
    tx: AsyncConnection, skus: Sequence[str], channel_id: str, after: str = "", limit: int | None = None
) -> list[Preorder]:
    """In the order of their ids after one: of these items, on this channel or on all; empty filters mean all."""
    rows = await tx.execute(
        text(
            f"""SELECT {_COLUMNS} FROM preorder
                WHERE preorder_id > :after
                  AND (:any_sku OR sku = ANY(CAST(:skus AS text[])))
                  AND (CAST(:channel_id AS text) = '' OR channel_id IN (:channel_id, ''))
                ORDER BY preorder_id LIMIT :limit"""
        ),
        {"after": after, "any_sku": not skus, "skus": list(skus), "channel_id": channel_id, "limit": limit},
    )
    return [Preorder(*row) for row in rows]


_GIVEN = f"""unnest(
    CAST(:ids AS text[]), CAST(:skus AS text[]), CAST(:channels AS text[]), CAST(:quantities AS bigint[]),
    CAST(:opens AS timestamptz[]), CAST(:closes AS timestamptz[]), CAST(:releases AS timestamptz[]),
    CAST(:converted AS bigint[])
) AS given({_COLUMNS})"""


def _values(preorders: Iterable[Preorder]) -> dict[str, list[Any]]:
    rows = list(preorders)
    return {
        "ids": [one.preorder_id for one in rows],
        "skus": [one.sku for one in rows],
        "channels": [one.channel_id for one in rows],
        "quantities": [one.quantity for one in rows],
        "opens": [one.opens_at for one in rows],
        "closes": [one.closes_at for one in rows],
        "releases": [one.release_at for one in rows],
        "converted": [one.converted for one in rows],
    }
