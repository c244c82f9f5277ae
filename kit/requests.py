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
from kit.db import Rows, Statement
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

_BEGIN = text(
    "INSERT INTO request (request_id, digest) VALUES (:id, :digest) ON CONFLICT DO NOTHING RETURNING true"
)
_FIRST = text("SELECT request_id, digest, answer FROM request WHERE request_id = ANY(CAST(:ids AS text[]))")
_REMEMBER = text("UPDATE request SET answer = CAST(:answer AS jsonb) WHERE request_id = :request_id")


def digest(content: bytes) -> bytes:
    """Of a request's deterministic serialisation."""
    return hashlib.sha256(content).digest()


async def first_answer(tx: AsyncConnection, request_id: str, content: bytes) -> Mapping[str, Any] | None:
    """The answer given before to this request, or None if it is new: then the caller acts and calls `remember`.

    A twin that is in flight is waited for (the unique key blocks until it commits or rolls back).
    Raises Conflict / IDEMPOTENCY_CONFLICT when the id was used with other content.
    """
    return await begun(tx, await db.rows(tx, *beginning(request_id, content)), request_id, content)


def beginning(request_id: str, content: bytes) -> Statement:
    """`first_answer` for whoever reads more in the same trip; what it gave is for `begun`."""
    if not request_id:
        raise InvalidArgument("request_id", "a request id is required")
    return _BEGIN, {"id": request_id, "digest": digest(content)}


async def begun(tx: AsyncConnection, gave: Rows, request_id: str, content: bytes) -> Mapping[str, Any] | None:
    """See `first_answer`."""
    if gave:
        return None
    given = told(await db.rows(tx, *asking([request_id])), {request_id: digest(content)})[request_id]
    if isinstance(given, Conflict):
        raise given
    return given


def asking(request_ids: Sequence[str]) -> Statement:
    """For `told`: several requests at once, by whoever writes them with their answers, at the end.

    A twin in flight is not seen: it shows when they are written, as a duplicate.
    """
    return _FIRST, {"ids": list(request_ids)}


def told(gave: Rows, digests: Mapping[str, bytes]) -> dict[str, Mapping[str, Any] | Conflict]:
    """The answers given before, by the ids of those requests that are not new: a Conflict is given, not raised."""
    return {
        request_id: (answer or {}) if bytes(first) == digests[request_id] else _conflict(request_id)
        for request_id, first, answer in gave
    }


def _conflict(request_id: str) -> Conflict:
    return Conflict(
        "IDEMPOTENCY_CONFLICT",
        "request_id was used before with other content",
        field="request_id",
        request_id=request_id,
    )


async def remember(tx: AsyncConnection, request_id: str, answer: Mapping[str, Any]) -> None:
    """Keeps the answer for whoever repeats the request."""
    await db.rows(tx, *remembering(request_id, answer))


def remembering(request_id: str, answer: Mapping[str, Any]) -> Statement:
    """The same, for whoever writes more in the same trip."""
    return _REMEMBER, {"request_id": request_id, "answer": json.dumps(answer)}
