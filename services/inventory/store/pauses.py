"""Pauses, and the marks that tell the replicas of their begin and end."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.inventory.domain.pauses import Pause
from services.inventory.store import feed

_COLUMNS = """pause_id, point_id, sku, channel_id, reason, from_at, until_at, paused_by, lifted_by, lifted_at,
              begun, ended"""

# The pauses that touch the SKUs that are asked for at :point_ids (null: every point) on :channel_ids (null: every
# channel) and that the replicas do not know to be over: a part of the terms of channels (store/image.py).
TERMS = """
(SELECT jsonb_agg(to_jsonb(pause) ORDER BY pause_id) FROM pause
 WHERE NOT ended
   AND sku = ANY(CAST((SELECT skus FROM asked) AS text[]) || CAST('{""}' AS text[]))
   AND (CAST(:point_ids AS text[]) IS NULL OR point_id = ANY(CAST(:point_ids AS text[]) || CAST('{""}' AS text[])))
   AND (CAST(:channel_ids AS text[]) IS NULL
        OR channel_id = ANY(CAST(:channel_ids AS text[]) || CAST('{""}' AS text[]))))
"""


def to_pauses(value: Sequence[dict[str, Any]] | None) -> list[Pause]:
    """Reads what TERMS gave."""
    return [Pause(**{name: _part(name, value) for name, value in row.items()}) for row in value or ()]


def _part(name: str, value: Any) -> Any:
    return datetime.fromisoformat(value) if value and name.endswith("_at") else value


async def put(tx: AsyncConnection, pause: Pause) -> None:
    """Writes a pause, new or locked, as it must be now."""
    await tx.execute(
        text(
            f"""INSERT INTO pause ({_COLUMNS})
                VALUES (:pause_id, :point_id, :sku, :channel_id, :reason, :from_at, :until_at, :paused_by,
                        :lifted_by, :lifted_at, :begun, :ended)
                ON CONFLICT (pause_id) DO UPDATE SET lifted_by = EXCLUDED.lifted_by,
                    lifted_at = EXCLUDED.lifted_at, begun = EXCLUDED.begun, ended = EXCLUDED.ended"""
        ),
        {name: getattr(pause, name) for name in pause.__slots__},
    )


async def lock(tx: AsyncConnection, pause_id: str) -> Pause | None:
    """The pause under lock, or None."""
    rows = await tx.execute(
        text(f"SELECT {_COLUMNS} FROM pause WHERE pause_id = :id FOR UPDATE"), {"id": pause_id}
    )
    found = rows.first()
    return None if found is None else Pause(*found)


async def lock_due(tx: AsyncConnection, now: datetime, limit: int) -> list[Pause]:
    """Pauses that have begun or ended by the clock and of which the replicas were not told.

    Those under another's lock are left for the next time.
    """
    rows = await tx.execute(
        text(
            f"""SELECT {_COLUMNS} FROM pause
                WHERE NOT ended AND ((NOT begun AND from_at <= :now) OR until_at <= :now)
                ORDER BY pause_id LIMIT :limit FOR UPDATE SKIP LOCKED"""
        ),
        {"now": now, "limit": limit},
    )
    return [Pause(*row) for row in rows]


async def listed(
    tx: AsyncConnection, now: datetime, after: str, limit: int, *, include_ended: bool
) -> list[Pause]:
    """In id order after one."""
    rows = await tx.execute(
        text(
            f"""SELECT {_COLUMNS} FROM pause
                WHERE pause_id > :after
                  AND (:all OR (lifted_at IS NULL AND (until_at IS NULL OR until_at > :now)))
                ORDER BY pause_id LIMIT :limit"""
        ),
        {"after": after, "all": include_ended, "now": now, "limit": limit},
    )
    return [Pause(*row) for row in rows]


async def mark(tx: AsyncConnection, pauses: Sequence[Pause]) -> None:
    """Tells replicas to read again what these pauses name: the positions of a point, of an item, of a channel."""
    points = {pause.point_id for pause in pauses if pause.point_id}
    channels = sorted({pause.channel_id for pause in pauses if not (pause.point_id or pause.sku)})
    if channels:
        rows = await tx.execute(
            text("SELECT point_id FROM channel_point WHERE channel_id = ANY(CAST(:ids AS text[]))"),
            {"ids": channels},
        )
        points.update(rows.scalars())
    await feed.mark(tx, "terms", sorted(points))
    await feed.mark(tx, "item", sorted({pause.sku for pause in pauses if pause.sku and not pause.point_id}))
