"""All SQL of erasing: which orders are due, which are a person's, and what is emptied of them."""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.orders import archiving_store
from services.orders.domain.erasing import UNDONE_REFUNDS, Retention
from services.orders.domain.states import ENDED
from services.orders.reading import Position

_STATES = {"ended": sorted(ENDED), "undone": sorted(UNDONE_REFUNDS)}
_UNDONE_REFUND = """
    EXISTS (SELECT 1 FROM refund r WHERE r.order_id = o.order_id AND r.state = ANY(CAST(:undone AS text[])))
"""
# The states are those of the index, word for word.
_DUE = text(
    f"""SELECT o.updated_at, o.order_id
        FROM orders o JOIN order_customer c ON c.order_id = o.order_id
        WHERE o.erased_at IS NULL AND o.state IN ('refused', 'cancelled', 'closed')
          AND o.updated_at < :before
          AND o.updated_at < :as_of
              - make_interval(days => coalesce(CAST(CAST(:by_country AS jsonb) ->> c.country AS integer), :days))
          AND (CAST(:at AS timestamptz) IS NULL OR (o.updated_at, o.order_id) > (CAST(:at AS timestamptz), :after))
          AND NOT {_UNDONE_REFUND}
        ORDER BY o.updated_at, o.order_id LIMIT :limit"""
)
_OPEN = text(
    f"""SELECT o.order_id FROM orders o
        WHERE o.order_id = ANY(CAST(:order_ids AS text[]))
          AND (NOT o.state = ANY(CAST(:ended AS text[])) OR {_UNDONE_REFUND})
        ORDER BY o.placed_at, o.order_id"""
)
_EMAILS = text(
    "SELECT DISTINCT email FROM order_customer WHERE order_id = ANY(CAST(:order_ids AS text[])) AND email <> ''"
)
_OF_NO_CUSTOMER = text(
    "SELECT order_id FROM order_customer WHERE order_id = ANY(CAST(:order_ids AS text[])) AND customer_id = ''"
)
# The name and the address of a document's buyer: left of an order only where its documents have to be kept.
_NOBODY = "name = '', ship_to_name = '', street_lines = '{}', postcode = '', city = ''"
# What people wrote for each other stands at the end of these.
_WORDED = ["order.held", "order.hold_released", "order.hold_extended", "order.hold_refused"]
_FORGET = text(
    """
    WITH known AS (
        DELETE FROM order_trait t USING orders o
        WHERE o.order_id = :order_id AND t.recorded_at = o.recorded_at AND t.order_id = o.order_id
    ), sent AS (
        UPDATE orders SET content_digest = '' WHERE order_id = :order_id
    ), told AS (
        UPDATE timeline
        SET text = CASE WHEN kind = ANY(CAST(:worded AS text[])) THEN regexp_replace(text, ': .*', '.')
                        ELSE text END,
            data = (CASE WHEN jsonb_typeof(data -> 'why') = 'string' THEN data - 'why' ELSE data END)
                   - (CASE WHEN kind = 'order.refund_requested' THEN 'reason' ELSE '' END)
        WHERE order_id = :order_id AND actor <> ''
    ), billed AS (
        SELECT max(issued_at) + make_interval(days => :days) AS until FROM document WHERE order_id = :order_id
    )
    UPDATE order_customer c
    SET customer_id = '', email = '', phone = '', language = '', notify_by = '{}', personalisations = '[]',
        gift_message = '', proposed_ship_to = NULL, proposed_texts = NULL,
        documents_until = coalesce(billed.until, :as_of)
    FROM billed WHERE c.order_id = :order_id
    """
)
_FORGET_BUYER = text(
    f"""
    UPDATE order_customer SET {_NOBODY}, documents_until = NULL
    WHERE order_id = :order_id AND documents_until <= :as_of
    """
)
_FORGET_BUYERS = text(
    f"""
    UPDATE order_customer SET {_NOBODY}, documents_until = NULL
    WHERE order_id IN (SELECT order_id FROM order_customer WHERE documents_until <= :as_of
                       ORDER BY documents_until LIMIT :limit FOR UPDATE SKIP LOCKED)
    """
)
_KEPT_UNTIL = text("SELECT documents_until FROM order_customer WHERE order_id = :order_id")


async def due(
    tx: AsyncConnection, retention: Retention, as_of: datetime, limit: int, after: Position | None
) -> list[Position]:
    """At most `limit` orders that were kept long enough, those that changed longest ago first."""
    at, last = after or (None, "")
    asked: dict[str, Any] = {
        "as_of": as_of,
        "before": as_of - retention.shortest,
        "days": retention.days,
        "by_country": json.dumps(dict(retention.by_country)),
        "undone": _STATES["undone"],
        "at": at,
        "after": last,
        "limit": limit,
    }
    return [(row.updated_at, row.order_id) for row in await tx.execute(_DUE, asked)]


async def still_open(tx: AsyncConnection, order_ids: Sequence[str]) -> list[str]:
    """Those of them that still need their customer, oldest first."""
    rows = await tx.execute(_OPEN, {"order_ids": list(order_ids), **_STATES})
    return list(rows.scalars())


async def emails_of(tx: AsyncConnection, order_ids: Sequence[str]) -> list[str]:
    """The e-mail addresses that these orders were placed with."""
    return list((await tx.execute(_EMAILS, {"order_ids": list(order_ids)})).scalars())


async def of_no_customer(tx: AsyncConnection, order_ids: Sequence[str]) -> list[str]:
    """Those of them whose channel named no customer."""
    return list((await tx.execute(_OF_NO_CUSTOMER, {"order_ids": list(order_ids)})).scalars())


async def forget(tx: AsyncConnection, order_id: str, document_days: int, as_of: datetime) -> datetime | None:
    """Empties all that tells whose a locked order was; until when its documents keep name and address, if so."""
    asked = {"order_id": order_id, "as_of": as_of}
    await archiving_store.unpack(tx, order_id)
    await tx.execute(_FORGET, {**asked, "days": document_days, "worded": _WORDED})
    await tx.execute(_FORGET_BUYER, asked)
    found: datetime | None = (await tx.execute(_KEPT_UNTIL, {"order_id": order_id})).scalar_one_or_none()
    return found


async def forget_buyers(tx: AsyncConnection, as_of: datetime, limit: int) -> int:
    """Empties at most `limit` buyers whose documents were kept long enough, and says how many."""
    return (await tx.execute(_FORGET_BUYERS, {"as_of": as_of, "limit": limit})).rowcount
