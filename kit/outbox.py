"""The outbox: events written in the transaction of the change they tell, read by PullEvents in commit order.

Events hold ids, quantities and amounts, never personal data.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp
from opentelemetry.propagate import inject
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from kit import db, feed
from kit.db import Statement
from kit.values.ids import new_id
from oms.outbox.v1 import outbox_service_pb2 as pb
from oms.outbox.v1.outbox_service_pb2_grpc import OutboxServiceServicer

# For each service's migration: one op.execute for each statement.
DDL = (
    """
CREATE TABLE outbox (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    sequence    bigint UNIQUE,
    event_id    text NOT NULL UNIQUE,
    type        text NOT NULL,
    subject     text NOT NULL,
    order_id    text NOT NULL,
    occurred_at timestamptz NOT NULL,
    traceparent text NOT NULL,
    data        jsonb NOT NULL
)
""",
    "CREATE INDEX outbox_unnumbered ON outbox (id) WHERE sequence IS NULL",
    "CREATE SEQUENCE outbox_sequence",
)


@dataclass(frozen=True, slots=True)
class Event:
    """A fact to tell. `subject` is the aggregate, `order/{id}` or `fulfilment/{id}`: the workflow's id too."""

    type: str
    subject: str
    order_id: str
    occurred_at: datetime
    data: Mapping[str, Any]


_INSERT = text(
    """INSERT INTO outbox (event_id, type, subject, order_id, occurred_at, traceparent, data)
       VALUES (:event_id, :type, :subject, :order_id, :occurred_at, :traceparent, CAST(:data AS jsonb))"""
)


async def write(tx: AsyncConnection, events: Sequence[Event]) -> None:
    """Adds events to the caller's transaction. Ring the service's bell after its commit."""
    if events:
        await db.in_one_trip(tx, *writing(events))


def writing(events: Sequence[Event]) -> list[Statement]:
    """The same, for whoever writes more in the same trip."""
    if not events:
        return []
    carrier: dict[str, str] = {}
    inject(carrier)
    return [
        (
            _INSERT,
            {
                "event_id": new_id("evt"),
                "type": event.type,
                "subject": event.subject,
                "order_id": event.order_id,
                "occurred_at": event.occurred_at,
                "traceparent": carrier.get("traceparent", ""),
                "data": json.dumps(event.data),
            },
        )
        for event in events
    ]


_AFTER = text(
    """SELECT sequence, event_id, type, subject, order_id, occurred_at, traceparent, data
       FROM outbox WHERE sequence > :after ORDER BY sequence LIMIT :limit"""
)


# Numbers are in the order of ids, and so, but for seconds, is time.
_FORGET = text(
    """DELETE FROM outbox WHERE id IN (
           SELECT id FROM (SELECT id, occurred_at FROM outbox WHERE sequence IS NOT NULL
                           ORDER BY id LIMIT :limit) AS oldest
           WHERE occurred_at < :before)"""
)


async def forget(tx: AsyncConnection, before: datetime, limit: int) -> int:
    """Drops those of the `limit` oldest events that are of before, and says how many. Every reader had them."""
    return (await tx.execute(_FORGET, {"before": before, "limit": limit})).rowcount


class OutboxRpc(OutboxServiceServicer):
    """PullEvents over one service's outbox table."""

    def __init__(self, engine: AsyncEngine, bell: feed.Bell, source: str) -> None:
        self._engine = engine
        self._bell = bell
        self._source = source

    async def PullEvents(self, request: pb.PullEventsRequest, context: object) -> pb.PullEventsResponse:
        """Long poll: answers at once when there are events, else when the bell rings."""
        limit = min(max(request.limit or 200, 1), 1000)
        wait_seconds = min(max(request.wait_milliseconds, 0), 20_000) / 1000

        async def read() -> Sequence[pb.Event]:
            return await self._read(request.after_sequence, limit)

        return pb.PullEventsResponse(events=await self._bell.wait_for(read, wait_seconds))

    async def CountEvents(self, request: pb.CountEventsRequest, context: object) -> pb.CountEventsResponse:
        """What a reader has before it, whether numbered or not."""
        async with db.single(self._engine).connect() as connection:
            found = await connection.execute(
                text(
                    """SELECT count(*), min(occurred_at) FROM outbox
                       WHERE sequence > :after OR sequence IS NULL"""
                ),
                {"after": request.after_sequence},
            )
            waiting, oldest_at = found.one()
        response = pb.CountEventsResponse(waiting=waiting)
        if oldest_at:
            response.oldest_at.FromDatetime(oldest_at)
        return response

    async def _read(self, after_sequence: int, limit: int) -> Sequence[pb.Event]:
        async with db.single(self._engine).connect() as connection:
            if not await feed.has_news(connection, "outbox", after_sequence):
                return []
            rows = await connection.execute(_AFTER, {"after": after_sequence, "limit": limit})
            events = rows.all()
        return [self._to_proto(row) for row in events]

    def _to_proto(self, row: Any) -> pb.Event:
        at = Timestamp()
        at.FromDatetime(row.occurred_at)
        return pb.Event(
            sequence=row.sequence,
            id=row.event_id,
            source=self._source,
            type=row.type,
            subject=row.subject,
            time=at,
            order_id=row.order_id,
            traceparent=row.traceparent,
            data_json=json.dumps(row.data),
        )
