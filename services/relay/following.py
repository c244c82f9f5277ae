"""Reads a source's events in order and hands them to one consumer, which moves its own cursor.

Each (consumer, source) has its own loop: when Temporal is away, webhooks go on. At least once: what was handed
over before a crash is handed over again, and both consumers make that harmless.
"""

import asyncio
import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from kit import failpoints
from kit.errors import OmsError
from kit.times import from_proto
from oms.outbox.v1 import outbox_service_pb2 as pb
from services.relay import leases, store
from services.relay.domain import Event

if TYPE_CHECKING:
    from oms.outbox.v1.outbox_service_pb2_grpc import OutboxServiceAsyncStub

LIMIT = 200
WAIT_MILLISECONDS = 10_000
_PULL_TIMEOUT_SECONDS = WAIT_MILLISECONDS / 1000 + 5
_FIRST_BACKOFF_SECONDS, _LAST_BACKOFF_SECONDS = 0.1, 2.0
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Source:
    """A service that answers PullEvents."""

    name: str
    stub: "OutboxServiceAsyncStub"


class Consumer(Protocol):
    """Does something with events, then moves its cursor."""

    @property
    def name(self) -> str:
        """Names the consumer's cursors."""

    @property
    def gather_seconds(self) -> float:
        """The first event is taken at once; those that follow closely wait so long, and are taken together."""

    async def take(self, source: str, after: int, events: Sequence[Event]) -> None:
        """Acts on all events, then moves the cursor from `after` to the last one.

        Raises store.CursorMoved when another replica was faster.
        """


class Follower:
    """One consumer on one source, in at most one replica at a time."""

    def __init__(self, engine: AsyncEngine, locks: AsyncEngine, source: Source, consumer: Consumer) -> None:
        """`locks` lends the connection that the lease lives on: one for each follower of the process."""
        self._engine = engine
        self._locks = locks
        self._source = source
        self._consumer = consumer

    async def run(self) -> None:
        """Follows for ever; whatever goes wrong is logged and tried again."""
        backoff = _FIRST_BACKOFF_SECONDS
        while True:
            try:
                async with leases.only_one(self._locks, f"{self._consumer.name}/{self._source.name}") as lease:
                    after = await self._read_cursor()
                    while True:
                        await lease.check()
                        after = await self.step(after)
                        backoff = _FIRST_BACKOFF_SECONDS
            except (OmsError, store.CursorMoved, SQLAlchemyError) as error:
                # The text of a database error may quote a row: the class, or our own reason, is enough.
                what = error.reason if isinstance(error, OmsError) else type(error).__name__
                _log.warning("%s of %s interrupted: %s", self._consumer.name, self._source.name, what)
            except Exception:
                # A defect: kept in sight, and out of the way of the other loops.
                _log.exception("%s of %s failed", self._consumer.name, self._source.name)
            await asyncio.sleep(backoff)
            backoff = min(backoff * 2, _LAST_BACKOFF_SECONDS)

    async def step(self, after: int) -> int:
        """Waits for events after a number and hands them over; returns the new number."""
        request = pb.PullEventsRequest(after_sequence=after, limit=LIMIT, wait_milliseconds=WAIT_MILLISECONDS)
        answer = await self._source.stub.PullEvents(request, timeout=_PULL_TIMEOUT_SECONDS)
        if not answer.events:
            return after
        with failpoints.acting(f"{self._consumer.name}.{self._source.name}"):
            # Its one commit moves the cursor, after the workflows were told.
            await self._consumer.take(self._source.name, after, [_from_proto(event) for event in answer.events])
        await asyncio.sleep(self._consumer.gather_seconds)
        return answer.events[-1].sequence

    async def _read_cursor(self) -> int:
        async with self._engine.begin() as tx:
            return await store.read_cursor(tx, self._consumer.name, self._source.name)


def _from_proto(event: pb.Event) -> Event:
    return Event(
        sequence=event.sequence,
        event_id=event.id,
        source=event.source,
        type=event.type,
        subject=event.subject,
        occurred_at=from_proto(event.time),
        order_id=event.order_id,
        traceparent=event.traceparent,
        data=json.loads(event.data_json),
    )
