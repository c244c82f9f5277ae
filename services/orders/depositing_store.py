"""The SQL of work in lockers."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

# That of the index `fulfilment_locker`: a bank may keep a compartment for it.
_KEPT = text(
    """SELECT fulfilment_id, order_id, point_id FROM fulfilment
       WHERE locker ->> 'asked_at' IS NOT NULL AND locker ->> 'released_at' IS NULL
         AND point_id = ANY(:point_ids)
       ORDER BY fulfilment_id"""
)


@dataclass(frozen=True, slots=True)
class Kept:
    """Work for which the bank of its point may keep a compartment."""

    fulfilment_id: str
    order_id: str
    point_id: str


async def kept(tx: AsyncConnection, point_ids: Collection[str]) -> Sequence[Kept]:
    """At these points."""
    rows = await tx.execute(_KEPT, {"point_ids": list(point_ids)})
    return [Kept(row.fulfilment_id, row.order_id, row.point_id) for row in rows]
