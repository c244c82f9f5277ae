"""Idempotency of state-changing RPCs: one table, one rule.

The same request id with the same content gives the first answer; with other content it is an error. The row is
written in the caller's own transaction, so an answer is remembered exactly when its effect is.
"""

import hashlib
from collections.abc import Mapping
from typing import Any

from sqlalchemy import Column, DateTime, LargeBinary, MetaData, String, Table, func, select, update
from sqlalchemy.dialects.postgresql import JSONB, insert
from sqlalchemy.ext.asyncio import AsyncConnection

from kit.errors import Conflict, InvalidArgument

# For each service's migration: op.execute(kit.requests.DDL).
DDL = """
CREATE TABLE request (
    request_id  text PRIMARY KEY,
    digest      bytea NOT NULL,
    answer      jsonb,
    recorded_at timestamptz NOT NULL DEFAULT now()
)
"""

_request = Table(
    "request",
    MetaData(),
    Column("request_id", String, primary_key=True),
    Column("digest", LargeBinary, nullable=False),
    Column("answer", JSONB),
    Column("recorded_at", DateTime(timezone=True), server_default=func.now()),
)


def digest(content: bytes) -> bytes:
    """Of a request's deterministic serialisation."""
    return hashlib.sha256(content).digest()


async def first_answer(tx: AsyncConnection, request_id: str, content: bytes) -> Mapping[str, Any] | None:
    """The answer given before to this request, or None if it is new: then the caller acts and calls `remember`.

    A twin that is in flight is waited for (the unique key blocks until it commits or rolls back).
    Raises Conflict / IDEMPOTENCY_CONFLICT when the id was used with other content.
    """
    if not request_id:
        raise InvalidArgument("request_id", "a request id is required")
    mine = digest(content)
    written = await tx.execute(
        insert(_request)
        .values(request_id=request_id, digest=mine)
        .on_conflict_do_nothing()
        .returning(_request.c.request_id)
    )
    if written.first() is not None:
        return None
    row = (
        await tx.execute(select(_request.c.digest, _request.c.answer).where(_request.c.request_id == request_id))
    ).one()
    if bytes(row.digest) != mine:
        raise Conflict(
            "IDEMPOTENCY_CONFLICT",
            "request_id was used before with other content",
            field="request_id",
            request_id=request_id,
        )
    answer: Mapping[str, Any] = row.answer or {}
    return answer


async def remember(tx: AsyncConnection, request_id: str, answer: Mapping[str, Any]) -> None:
    """Keeps the answer for whoever repeats the request."""
    await tx.execute(update(_request).where(_request.c.request_id == request_id).values(answer=dict(answer)))
