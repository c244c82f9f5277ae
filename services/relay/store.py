"""All SQL of the relay. Rows of one line are locked in order of position."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, insert, select, text, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncConnection

from services.relay.domain import Delivery, Endpoint
from services.relay.tables import cursor, delivery, endpoint


class CursorMoved(Exception):
    """Another replica has read on: what this one was doing has been done."""


@dataclass(frozen=True, slots=True)
class Queued:
    """An event to deliver to an endpoint."""

    delivery_id: str
    endpoint_id: str
    event_id: str
    event_type: str
    order_id: str
    line: str
    body: str


@dataclass(frozen=True, slots=True)
class Claim:
    """A delivery that this process alone attempts until the claim runs out."""

    claim: str
    delivery_id: str
    endpoint_id: str
    event_id: str
    line: str
    position: int
    tries: int
    body: str
    url: str
    secret: str


# -- cursors ----------------------------------------------------------------------------------------------


async def read_cursor(tx: AsyncConnection, consumer: str, source: str) -> int:
    """The number of the last event that the consumer is done with; 0 at the beginning."""
    await tx.execute(upsert(cursor).values(consumer=consumer, source=source, sequence=0).on_conflict_do_nothing())
    found = await tx.execute(
        select(cursor.c.sequence).where(cursor.c.consumer == consumer, cursor.c.source == source)
    )
    return int(found.scalar_one())


async def advance_cursor(tx: AsyncConnection, consumer: str, source: str, after: int, to: int) -> None:
    """Moves the cursor from `after` to `to`. Raises CursorMoved if it is not at `after`."""
    moved = await tx.execute(
        update(cursor)
        .where(cursor.c.consumer == consumer, cursor.c.source == source, cursor.c.sequence == after)
        .values(sequence=to)
        .returning(cursor.c.sequence)
    )
    if moved.first() is None:
        raise CursorMoved(f"{consumer} of {source} is no longer at {after}")


@dataclass(frozen=True, slots=True)
class Cursor:
    """How far a consumer has read a source."""

    consumer: str
    source: str
    sequence: int


async def list_cursors(tx: AsyncConnection) -> list[Cursor]:
    """All of them."""
    columns = (cursor.c.consumer, cursor.c.source, cursor.c.sequence)
    return [Cursor(*row) for row in await tx.execute(select(*columns).order_by(*columns))]


# -- endpoints --------------------------------------------------------------------------------------------

_ENDPOINT = (
    endpoint.c.endpoint_id,
    endpoint.c.url,
    endpoint.c.event_types,
    endpoint.c.channel_ids,
    endpoint.c.enabled,
    endpoint.c.created_at,
)


async def add_endpoint(tx: AsyncConnection, new: Endpoint, secret: str) -> None:
    """Writes a new endpoint."""
    await tx.execute(
        insert(endpoint).values(
            endpoint_id=new.endpoint_id,
            url=new.url,
            secret=secret,
            event_types=list(new.event_types),
            channel_ids=list(new.channel_ids),
            enabled=new.enabled,
            created_at=new.created_at,
        )
    )


async def list_endpoints(tx: AsyncConnection) -> list[Endpoint]:
    """All endpoints in id order."""
    rows = await tx.execute(select(*_ENDPOINT).order_by(endpoint.c.endpoint_id))
    return [Endpoint(*row) for row in rows]


async def find_endpoint(tx: AsyncConnection, endpoint_id: str) -> Endpoint | None:
    """One endpoint."""
    row = (await tx.execute(select(*_ENDPOINT).where(endpoint.c.endpoint_id == endpoint_id))).first()
    return Endpoint(*row) if row else None


async def read_secret(tx: AsyncConnection, endpoint_id: str) -> str:
    """The signing secret of an endpoint that exists."""
    found = await tx.execute(select(endpoint.c.secret).where(endpoint.c.endpoint_id == endpoint_id))
    return str(found.scalar_one())


async def lock_enabled_endpoints(tx: AsyncConnection) -> list[Endpoint]:
    """The endpoints that take events; none of them is deleted or disabled before the caller commits."""
    rows = await tx.execute(
        select(*_ENDPOINT).where(endpoint.c.enabled).order_by(endpoint.c.endpoint_id).with_for_update(read=True)
    )
    return [Endpoint(*row) for row in rows]


async def delete_endpoint(tx: AsyncConnection, endpoint_id: str) -> bool:
    """Removes an endpoint with its deliveries; says whether it was there."""
    gone = await tx.execute(
        delete(endpoint).where(endpoint.c.endpoint_id == endpoint_id).returning(endpoint.c.endpoint_id)
    )
    return gone.first() is not None


async def disable_endpoint(tx: AsyncConnection, endpoint_id: str, reason: str) -> None:
    """Stops an endpoint: nothing is queued for it any more, and what waits is given up."""
    await tx.execute(update(endpoint).where(endpoint.c.endpoint_id == endpoint_id).values(enabled=False))
    await tx.execute(
        text(
            """UPDATE delivery SET state = 'failed', last_error = :reason
               FROM (SELECT position FROM delivery WHERE endpoint_id = :endpoint_id AND state = 'pending'
                     ORDER BY position FOR UPDATE) AS waiting
               WHERE delivery.position = waiting.position"""
        ),
        {"endpoint_id": endpoint_id, "reason": reason},
    )


# -- the queue --------------------------------------------------------------------------------------------


async def queue(tx: AsyncConnection, deliveries: Sequence[Queued], at: datetime) -> None:
    """Adds deliveries behind those of their lines, in the order given; one that exists is left as it is."""
    if not deliveries:
        return
    await tx.execute(
        upsert(delivery).on_conflict_do_nothing(),
        [
            {
                "delivery_id": new.delivery_id,
                "endpoint_id": new.endpoint_id,
                "event_id": new.event_id,
                "event_type": new.event_type,
                "order_id": new.order_id,
                "line": new.line,
                "body": new.body,
                "state": "pending",
                "next_attempt_at": at,
                "created_at": at,
            }
            for new in deliveries
        ],
    )


async def claim_due(
    tx: AsyncConnection, claim: str, as_of: datetime, until: datetime, limit: int, per_endpoint: int
) -> list[Claim]:
    """Claims due heads of lines: at most `limit`, and no endpoint has more than `per_endpoint` in the air.

    The conditions on the row stand twice: the outer ones are judged again after its lock was taken.
    """
    rows = await tx.execute(
        text(
            """
            WITH head AS (
                SELECT d.position, d.endpoint_id, row_number() OVER (
                           PARTITION BY d.endpoint_id ORDER BY d.next_attempt_at, d.position) AS place
                FROM delivery d JOIN endpoint e USING (endpoint_id)
                WHERE d.state = 'pending' AND e.enabled AND d.next_attempt_at <= :as_of
                  AND (d.claimed_until IS NULL OR d.claimed_until <= :as_of)
                  AND NOT EXISTS (
                      SELECT 1 FROM delivery earlier
                      WHERE earlier.endpoint_id = d.endpoint_id AND earlier.line = d.line
                        AND earlier.state = 'pending' AND earlier.position < d.position)
            ), busy AS (
                SELECT endpoint_id, count(*) AS in_the_air FROM delivery
                WHERE state = 'pending' AND claim IS NOT NULL AND claimed_until > :as_of GROUP BY endpoint_id
            ), free AS (
                SELECT d.position FROM delivery d
                WHERE d.position IN (
                        SELECT head.position FROM head LEFT JOIN busy USING (endpoint_id)
                        WHERE head.place <= :per_endpoint - coalesce(busy.in_the_air, 0)
                        ORDER BY head.place, head.position LIMIT :limit)
                  AND d.state = 'pending' AND (d.claimed_until IS NULL OR d.claimed_until <= :as_of)
                FOR UPDATE SKIP LOCKED
            )
            UPDATE delivery d SET claim = :claim, claimed_until = :until
            FROM free, endpoint e
            WHERE d.position = free.position AND e.endpoint_id = d.endpoint_id
            RETURNING d.claim, d.delivery_id, d.endpoint_id, d.event_id, d.line, d.position, d.tries, d.body,
                      e.url, e.secret
            """
        ),
        {"claim": claim, "as_of": as_of, "until": until, "limit": limit, "per_endpoint": per_endpoint},
    )
    return sorted((Claim(*row) for row in rows), key=lambda claimed: claimed.position)


@dataclass(frozen=True, slots=True)
class Waiting:
    """How many deliveries wait for an endpoint, and since when the oldest does."""

    endpoint_id: str
    deliveries: int
    oldest_at: datetime | None


async def list_waiting(tx: AsyncConnection) -> list[Waiting]:
    """For each endpoint that takes events."""
    rows = await tx.execute(
        text(
            """SELECT e.endpoint_id, count(d.position), min(d.created_at)
               FROM endpoint e LEFT JOIN delivery d ON d.endpoint_id = e.endpoint_id AND d.state = 'pending'
               WHERE e.enabled GROUP BY e.endpoint_id ORDER BY e.endpoint_id"""
        )
    )
    return [Waiting(*row) for row in rows]


async def settle(
    tx: AsyncConnection, claimed: Claim, state: str, status_code: int, error: str, at: datetime
) -> None:
    """The attempt was the last one: `delivered` or `failed`. Whoever waits behind is due at once."""
    settled = await tx.execute(
        update(delivery)
        .where(delivery.c.delivery_id == claimed.delivery_id, delivery.c.claim == claimed.claim)
        .values(
            state=state,
            attempts=delivery.c.attempts + 1,
            tries=0,
            last_status_code=status_code,
            last_error=error,
            delivered_at=at if state == "delivered" else None,
            claim=None,
            claimed_until=None,
        )
        .returning(delivery.c.position)
    )
    if settled.first() is None:
        return
    behind = (
        select(delivery.c.position)
        .where(
            delivery.c.endpoint_id == claimed.endpoint_id,
            delivery.c.line == claimed.line,
            delivery.c.state == "pending",
        )
        .order_by(delivery.c.position)
        .limit(1)
        .scalar_subquery()
    )
    await tx.execute(
        update(delivery)
        .where(delivery.c.position == behind, delivery.c.next_attempt_at > at)
        .values(next_attempt_at=at)
    )


async def postpone(
    tx: AsyncConnection, claimed: Claim, status_code: int, error: str, next_attempt_at: datetime
) -> None:
    """The attempt failed and another will follow; the line behind waits as long."""
    postponed = await tx.execute(
        update(delivery)
        .where(
            delivery.c.delivery_id == claimed.delivery_id,
            delivery.c.claim == claimed.claim,
            delivery.c.state == "pending",
        )
        .values(
            attempts=delivery.c.attempts + 1,
            tries=delivery.c.tries + 1,
            last_status_code=status_code,
            last_error=error,
            next_attempt_at=next_attempt_at,
            claim=None,
            claimed_until=None,
        )
        .returning(delivery.c.position)
    )
    if postponed.first() is None:
        return
    # Those behind cannot go before it: they need not be looked at before it either.
    await tx.execute(
        text(
            """UPDATE delivery SET next_attempt_at = :next
               FROM (SELECT position FROM delivery
                     WHERE endpoint_id = :endpoint_id AND line = :line AND state = 'pending'
                       AND position > :position AND next_attempt_at < :next
                     ORDER BY position FOR UPDATE) AS behind
               WHERE delivery.position = behind.position"""
        ),
        {
            "next": next_attempt_at,
            "endpoint_id": claimed.endpoint_id,
            "line": claimed.line,
            "position": claimed.position,
        },
    )


async def queue_again(
    tx: AsyncConnection, endpoint_id: str, delivery_id: str, since: datetime | None, at: datetime
) -> int:
    """Makes one delivery (or all created since) due now, whatever became of it; returns how many."""
    rows = await tx.execute(
        text(
            """UPDATE delivery SET state = 'pending', tries = 0, next_attempt_at = :at, delivered_at = NULL
               FROM (SELECT position FROM delivery
                     WHERE endpoint_id = :endpoint_id
                       AND (delivery_id = :delivery_id OR :delivery_id = '')
                       AND (created_at >= CAST(:since AS timestamptz) OR CAST(:since AS timestamptz) IS NULL)
                     ORDER BY position FOR UPDATE) AS chosen
               WHERE delivery.position = chosen.position
               RETURNING delivery.position"""
        ),
        {"endpoint_id": endpoint_id, "delivery_id": delivery_id, "since": since, "at": at},
    )
    return len(rows.all())


# -- the log ----------------------------------------------------------------------------------------------

_DELIVERY = (
    delivery.c.position,
    delivery.c.delivery_id,
    delivery.c.endpoint_id,
    delivery.c.event_id,
    delivery.c.event_type,
    delivery.c.order_id,
    delivery.c.state,
    delivery.c.attempts,
    delivery.c.last_status_code,
    delivery.c.last_error,
    delivery.c.next_attempt_at,
    delivery.c.delivered_at,
    delivery.c.created_at,
)


async def list_deliveries(
    tx: AsyncConnection, endpoint_id: str, order_id: str, state: str, before: int | None, size: int
) -> list[Delivery]:
    """At most `size` deliveries before a position, newest first; an empty filter filters nothing."""
    query = select(*_DELIVERY).order_by(delivery.c.position.desc()).limit(size)
    for column, value in (
        (delivery.c.endpoint_id, endpoint_id),
        (delivery.c.order_id, order_id),
        (delivery.c.state, state),
    ):
        if value:
            query = query.where(column == value)
    if before is not None:
        query = query.where(delivery.c.position < before)
    return [Delivery(**row._mapping) for row in await tx.execute(query)]


async def forget(tx: AsyncConnection, before: datetime, limit: int) -> int:
    """Removes at most `limit` old deliveries that are settled; returns how many."""
    old = (
        select(delivery.c.position)
        .where(delivery.c.created_at < before, delivery.c.state != "pending")
        .order_by(delivery.c.position)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    rows = await tx.execute(delete(delivery).where(delivery.c.position.in_(old)).returning(delivery.c.position))
    return len(rows.all())
