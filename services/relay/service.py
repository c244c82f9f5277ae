"""Endpoints and the log of their deliveries: one method for each RPC. Only it commits."""

import base64
import binascii
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncEngine

from kit import db, requests
from kit.errors import FailedPrecondition, InvalidArgument, NotFound
from kit.feed import Bell
from kit.values.ids import new_id
from services.relay import domain, store
from services.relay.domain import Delivery, Endpoint
from services.relay.envelope import SECRET_BYTES, secret_of

MAX_ID_LENGTH = 200
MAX_PAGE_SIZE, DEFAULT_PAGE_SIZE = 500, 50


@dataclass(frozen=True, slots=True)
class Page:
    """A page of the log; `next_cursor` is empty on the last one."""

    deliveries: Sequence[Delivery]
    next_cursor: str


class RelayService:
    """The relay's own data."""

    def __init__(self, engine: AsyncEngine, bell: Bell) -> None:
        """Rings `bell` when deliveries were queued again."""
        self._engine = engine
        self._bell = bell

    async def create_endpoint(
        self,
        request_id: str,
        content: bytes,
        url: str,
        event_types: Sequence[str],
        channel_ids: Sequence[str],
        now: datetime,
    ) -> tuple[Endpoint, str]:
        """The endpoint and its secret. It receives what is pulled from now on.

        Raises InvalidArgument naming url, event_types[i] or channel_ids[i].
        """
        _check_ids(request_id=request_id)
        domain.check_endpoint(url, event_types, channel_ids)
        async with self._engine.begin() as tx:
            answer = await requests.first_answer(tx, request_id, content)
            if answer is not None:
                # The secret is read from where it is kept: a copy among the answers would outlive the endpoint.
                endpoint = await store.find_endpoint(tx, answer["endpoint_id"])
                if endpoint is None:
                    raise _unknown(answer["endpoint_id"])
                return endpoint, await store.read_secret(tx, endpoint.endpoint_id)
            endpoint = Endpoint(new_id("whk"), url, tuple(event_types), tuple(channel_ids), True, now)
            secret = secret_of(secrets.token_bytes(SECRET_BYTES))
            await store.add_endpoint(tx, endpoint, secret)
            await requests.remember(tx, request_id, {"endpoint_id": endpoint.endpoint_id})
        return endpoint, secret

    async def list_endpoints(self) -> Sequence[Endpoint]:
        """All endpoints in id order."""
        async with self._engine.begin() as tx:
            return await store.list_endpoints(tx)

    async def delete_endpoint(self, endpoint_id: str) -> None:
        """Removes an endpoint and what waits for it. Raises NotFound / ENDPOINT_NOT_FOUND."""
        _check_ids(endpoint_id=endpoint_id)
        async with self._engine.begin() as tx:
            if not await store.delete_endpoint(tx, endpoint_id):
                raise _unknown(endpoint_id)

    async def list_deliveries(self, endpoint_id: str, order_id: str, state: str, size: int, cursor: str) -> Page:
        """A page of the log, newest first. Raises InvalidArgument naming state, page.size or page.cursor."""
        _check_ids(endpoint_id=endpoint_id, order_id=order_id)
        if state and state not in domain.STATES:
            raise InvalidArgument("state", f"must be empty or one of {', '.join(domain.STATES)}")
        if not 0 <= size <= MAX_PAGE_SIZE:
            raise InvalidArgument("page.size", f"must be 1 to {MAX_PAGE_SIZE}, or 0 for {DEFAULT_PAGE_SIZE}")
        size = size or DEFAULT_PAGE_SIZE
        before = _position(cursor) if cursor else None
        async with self._engine.begin() as tx:
            # One more than asked for tells whether there is a next page.
            found = await store.list_deliveries(tx, endpoint_id, order_id, state, before, size + 1)
        shown = found[:size]
        return Page(shown, _cursor(shown[-1].position) if len(found) > size else "")

    async def list_cursors(self) -> Sequence[store.Cursor]:
        """How far each consumer has read each source."""
        async with db.single(self._engine).connect() as tx:
            return await store.list_cursors(tx)

    async def list_waiting(self) -> Sequence[store.Waiting]:
        """What each endpoint has before it."""
        async with db.single(self._engine).connect() as tx:
            return await store.list_waiting(tx)

    async def replay(
        self,
        request_id: str,
        content: bytes,
        endpoint_id: str,
        delivery_id: str,
        since: datetime | None,
        now: datetime,
    ) -> int:
        """Queues one delivery, or all created since an instant, again; returns how many.

        Attempts go on counting; lines are delivered in their first order.
        Raises NotFound / ENDPOINT_NOT_FOUND or DELIVERY_NOT_FOUND, FailedPrecondition / ENDPOINT_DISABLED.
        """
        _check_ids(request_id=request_id, endpoint_id=endpoint_id, delivery_id=delivery_id)
        if not delivery_id and since is None:
            raise InvalidArgument("delivery_id", "either delivery_id or since is required")
        if delivery_id and since is not None:
            raise InvalidArgument("since", "must be absent when delivery_id is given")
        async with self._engine.begin() as tx:
            answer = await requests.first_answer(tx, request_id, content)
            if answer is not None:
                return int(answer["queued"])
            endpoint = await store.find_endpoint(tx, endpoint_id)
            if endpoint is None:
                raise _unknown(endpoint_id)
            if not endpoint.enabled:
                raise FailedPrecondition(
                    "ENDPOINT_DISABLED", "the endpoint answered 410 Gone", endpoint_id=endpoint_id
                )
            queued = await store.queue_again(tx, endpoint_id, delivery_id, since, now)
            if delivery_id and not queued:
                raise NotFound("DELIVERY_NOT_FOUND", "no such delivery", delivery_id=delivery_id)
            await requests.remember(tx, request_id, {"queued": queued})
        self._bell.ring()
        return queued


def _check_ids(**ids: str) -> None:
    """What the database could not even look for is refused by name."""
    for field, value in ids.items():
        if len(value) > MAX_ID_LENGTH or "\x00" in value:
            raise InvalidArgument(field, f"must be at most {MAX_ID_LENGTH} characters, without NUL")


def _unknown(endpoint_id: str) -> NotFound:
    return NotFound("ENDPOINT_NOT_FOUND", "no such endpoint", endpoint_id=endpoint_id)


def _cursor(position: int) -> str:
    return base64.urlsafe_b64encode(str(position).encode()).decode()


def _position(cursor: str) -> int:
    try:
        position = int(base64.urlsafe_b64decode(cursor.encode("ascii")))
    except (ValueError, binascii.Error):
        raise InvalidArgument("page.cursor", "is not a cursor of this list") from None
    if not 0 <= position < 2**63:
        raise InvalidArgument("page.cursor", "is not a cursor of this list")
    return position
