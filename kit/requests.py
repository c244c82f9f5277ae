"""Idempotency of state-changing RPCs: one table, one rule.

The same request id with the same content gives the first answer; with other content it is an error. The row is
written in the caller's own transaction, so an answer is remembered exactly when its effect is.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from kit import db
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

# In one order, so that two callers with the same requests wait for each other and not for ever.
_BEGIN = text(
    """INSERT INTO request (request_id, digest)
       SELECT * FROM unnest(CAST(:ids AS text[]), CAST(:digests AS bytea[])) AS asked(id, digest)
       ORDER BY id COLLATE "C"
       ON CONFLICT DO NOTHING RETURNING request_id"""
)
_FIRST = text("SELECT request_id, digest, answer FROM request WHERE request_id = ANY(CAST(:ids AS text[]))")
_FORGET = text("DELETE FROM request WHERE request_id = ANY(CAST(:ids AS text[]))")
_REMEMBER = text("UPDATE request SET answer = CAST(:answer AS jsonb) WHERE request_id = :request_id")


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
    first = (await first_answers(tx, {request_id: content}))[request_id]
    if isinstance(first, Conflict):
        raise first
    return first


async def first_answers(
    tx: AsyncConnection, asked: Mapping[str, bytes]
) -> dict[str, Mapping[str, Any] | Conflict | None]:
    """Like `first_answer`, for several requests at once: by request id, and a Conflict is given, not raised."""
    digests = {request_id: digest(content) for request_id, content in asked.items()}
    written = await db.rows(tx, _BEGIN, {"ids": list(digests), "digests": list(digests.values())})
    new = {request_id for (request_id,) in written}
    given: dict[str, Mapping[str, Any] | Conflict | None] = dict.fromkeys(digests)
    if repeated := [request_id for request_id in digests if request_id not in new]:
        for request_id, first_digest, answer in await db.rows(tx, _FIRST, {"ids": repeated}):
            same = bytes(first_digest) == digests[request_id]
            given[request_id] = (answer or {}) if same else _conflict(request_id)
    return given


async def forget(tx: AsyncConnection, request_ids: Sequence[str]) -> None:
    """Requests that turned out to be wrong: they may be asked again, and are judged again."""
    await tx.execute(_FORGET, {"ids": list(request_ids)})


def _conflict(request_id: str) -> Conflict:
    return Conflict(
        "IDEMPOTENCY_CONFLICT",
        "request_id was used before with other content",
        field="request_id",
        request_id=request_id,
    )


async def remember(tx: AsyncConnection, request_id: str, answer: Mapping[str, Any]) -> None:
    """Keeps the answer for whoever repeats the request."""
    await tx.execute(_REMEMBER, {"request_id": request_id, "answer": json.dumps(answer)})
