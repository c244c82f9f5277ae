"""All SQL of archiving: timelines packed and unpacked, and first answers that nobody asks for any more."""

from datetime import datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.orders.domain.erasing import UNDONE_REFUNDS
from services.orders.domain.states import ENDED

# Entries that figures and the sums of customers count: these stay rows, so that no figure changes with age.
COUNTED = (
    "fulfilment.accepted",
    "fulfilment.lapsed",
    "fulfilment.offered",
    "fulfilment.picked",
    "fulfilment.refused",
    "fulfilment.short",
    "order.appointment_missed",
)
# One trip. Whoever changes the order meanwhile holds its row, or has made it too young. The states are those of
# the index, word for word.
_ARCHIVE = text(
    """
    WITH due AS (
        SELECT o.order_id FROM orders o
        WHERE o.archived_at IS NULL AND o.state IN ('refused', 'cancelled', 'closed') AND o.updated_at < :before
          AND NOT EXISTS (SELECT 1 FROM refund r
                          WHERE r.order_id = o.order_id AND r.state = ANY(CAST(:undone AS text[])))
        ORDER BY o.updated_at, o.order_id LIMIT :limit FOR UPDATE SKIP LOCKED
    ), taken AS (
        DELETE FROM timeline t USING due d
        WHERE t.order_id = d.order_id AND t.kind <> ALL(CAST(:counted AS text[]))
        RETURNING t.order_id, t.entry_id, to_jsonb(t) - 'order_id' AS entry
    ), packed AS (
        INSERT INTO archived_timeline AS a (order_id, entries, archived_at)
        SELECT order_id, jsonb_agg(entry ORDER BY entry_id), :as_of FROM taken GROUP BY order_id
        ON CONFLICT (order_id) DO UPDATE
        SET entries = a.entries || excluded.entries, archived_at = excluded.archived_at
    )
    UPDATE orders o SET archived_at = :as_of FROM due d WHERE o.order_id = d.order_id
    """
)
_UNPACK = text(
    """
    WITH packed AS (
        DELETE FROM archived_timeline WHERE order_id = :order_id RETURNING order_id, entries
    )
    INSERT INTO timeline (entry_id, order_id, at, kind, text, actor, fulfilment_id, data) OVERRIDING SYSTEM VALUE
    SELECT one.entry_id, packed.order_id, one.at, one.kind, one.text, one.actor, one.fulfilment_id, one.data
    FROM packed, jsonb_populate_recordset(NULL::timeline, packed.entries) one
    """
)
# A story repeats its steps as long as its order is open, however long that is.
_FORGET_ANSWERS = text(
    """
    DELETE FROM request WHERE request_id IN (
        SELECT q.request_id FROM request q
        WHERE q.recorded_at < :before
          AND NOT EXISTS (
              SELECT 1 FROM orders o
              WHERE o.state <> ALL(CAST(:ended AS text[])) AND o.order_id = CASE split_part(q.request_id, '/', 1)
                  WHEN 'order' THEN split_part(q.request_id, '/', 2)
                  WHEN 'fulfilment' THEN (SELECT f.order_id FROM fulfilment f
                                          WHERE f.fulfilment_id = split_part(q.request_id, '/', 2)) END)
        ORDER BY q.recorded_at LIMIT :limit)
    """
)


async def archive(tx: AsyncConnection, before: datetime, as_of: datetime, limit: int) -> int:
    """Packs the timelines of at most `limit` orders that ended and did not change since then; of how many."""
    asked = {"before": before, "as_of": as_of, "limit": limit}
    lists = {"counted": list(COUNTED), "undone": sorted(UNDONE_REFUNDS)}
    return (await tx.execute(_ARCHIVE, {**asked, **lists})).rowcount


async def unpack(tx: AsyncConnection, order_id: str) -> None:
    """The timeline of a locked order as rows again, for whoever changes what stands in them."""
    await tx.execute(_UNPACK, {"order_id": order_id})


async def forget_answers(tx: AsyncConnection, before: datetime, limit: int) -> int:
    """Drops at most `limit` first answers of before, but those to the stories of open orders; how many."""
    asked = {"before": before, "limit": limit, "ended": sorted(ENDED)}
    return (await tx.execute(_FORGET_ANSWERS, asked)).rowcount
