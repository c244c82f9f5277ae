"""The SQL of notifications: which are due, who sends them, what became of them. They are recorded in store.py."""

import json
from datetime import datetime
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from kit.errors import NotFound
from services.orders import documents as doc
from services.orders.domain.notifications import Notification, NotificationState

# Whoever claims has them for a while: another sender passes them over, and has them when the while is over.
_CLAIM = text(
    """
    UPDATE notification n SET attempts = n.attempts + 1, next_try_at = :until
    FROM (SELECT notification_id FROM notification WHERE state = 'due' AND next_try_at <= :as_of
          ORDER BY next_try_at LIMIT :limit FOR UPDATE SKIP LOCKED) due
    WHERE n.notification_id = due.notification_id
    RETURNING to_jsonb(n) AS row
    """
)
_LIST = text(
    """SELECT to_jsonb(n) AS row FROM notification n WHERE order_id = :order_id
       ORDER BY happened_at, milestone, subject, way"""
)
_LOCK = text(
    """SELECT to_jsonb(n) AS row FROM notification n
       WHERE notification_id = :notification_id AND order_id = :order_id FOR UPDATE"""
)
# What was sent is sent, whoever claimed it meanwhile; any other outcome is of the claim that it is about.
_SETTLE = text(
    """
    UPDATE notification SET state = :state, reason = :reason, settled_at = :at, next_try_at = NULL
    WHERE notification_id = :notification_id AND resends = :resends AND state = 'due'
      AND (attempts = :attempts OR :state = 'sent')
    """
)
_PUT_OFF = text(
    """
    UPDATE notification SET next_try_at = :until, attempts = :attempts_after, reason = :reason
    WHERE notification_id = :notification_id AND resends = :resends AND state = 'due' AND attempts = :attempts
    """
)
_AGAIN = text(
    """
    UPDATE notification
    SET state = 'due', reason = '', attempts = 0, next_try_at = :as_of, settled_at = NULL,
        resends = resends + 1, resent_by = :actor
    WHERE notification_id = :notification_id
    RETURNING to_jsonb(notification) AS row
    """
)
_TELL_OF_RESEND = text(
    """INSERT INTO timeline (order_id, at, kind, text, actor, fulfilment_id, data)
       VALUES (:order_id, :at, 'notification.resent', :text, :actor, '', CAST(:data AS jsonb))"""
)
# Of a channel whose documents name their seller, that is who writes to its customers.
_SHOP = text(
    """SELECT coalesce(nullif(documents ->> 'seller_name', ''), name) FROM sales_channel
       WHERE channel_id = :channel_id"""
)


async def claim(tx: AsyncConnection, as_of: datetime, until: datetime, limit: int) -> list[Notification]:
    """Due ones that nobody else has claimed, each with this attempt counted."""
    rows = await tx.execute(_CLAIM, {"as_of": as_of, "until": until, "limit": limit})
    return [_notification(row) for row in rows]


async def list_of_order(tx: AsyncConnection, order_id: str) -> list[Notification]:
    """All of an order, oldest first."""
    return [_notification(row) for row in await tx.execute(_LIST, {"order_id": order_id})]


async def lock(tx: AsyncConnection, order_id: str, notification_id: str) -> Notification:
    """One of the order's, which nobody else settles or claims. NotFound / NOTIFICATION_NOT_FOUND."""
    row = (await tx.execute(_LOCK, {"order_id": order_id, "notification_id": notification_id})).one_or_none()
    if row is None:
        raise NotFound("NOTIFICATION_NOT_FOUND", "the order has no such notification", field="notification_id")
    return _notification(row)


async def settle(
    tx: AsyncConnection, one: Notification, state: NotificationState, reason: str, at: datetime
) -> None:
    """due -> sent, failed or dropped."""
    await tx.execute(_SETTLE, _claimed(one) | {"state": state.value, "reason": reason, "at": at})


async def put_off(
    tx: AsyncConnection, one: Notification, until: datetime, reason: str, *, counts: bool = True
) -> None:
    """It is tried again then; an attempt that does not count is as if it had not been."""
    attempts = one.attempts if counts else one.attempts - 1
    await tx.execute(_PUT_OFF, _claimed(one) | {"until": until, "reason": reason, "attempts_after": attempts})


async def send_again(tx: AsyncConnection, one: Notification, actor: str, as_of: datetime) -> Notification:
    """-> due, as a new message; the order's timeline says who wanted it."""
    asked = {"notification_id": one.notification_id, "actor": actor, "as_of": as_of}
    again = _notification((await tx.execute(_AGAIN, asked)).one())
    what = one.milestone.value.replace("_", " ")
    entry = {
        "order_id": one.order_id,
        "at": as_of,
        "text": f"Somebody had the customer told again by {one.way.value}: {what}.",
        "actor": actor,
        "data": json.dumps({"notification_id": one.notification_id, "milestone": one.milestone.value}),
    }
    await tx.execute(_TELL_OF_RESEND, entry)
    return again


async def shop_name(tx: AsyncConnection, channel_id: str) -> str:
    """Whose name customers of a channel know."""
    name: str = (await tx.execute(_SHOP, {"channel_id": channel_id})).scalar_one()
    return name


def _claimed(one: Notification) -> dict[str, Any]:
    return {"notification_id": one.notification_id, "resends": one.resends, "attempts": one.attempts}


def _notification(row: Any) -> Notification:
    return doc.NOTIFICATION.validate_python(row.row)
