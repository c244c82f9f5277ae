"""Queues events for the endpoints that want them, in the transaction that moves the cursor."""

from collections.abc import Sequence

from sqlalchemy.ext.asyncio import AsyncEngine

from kit.feed import Bell
from kit.times import now
from kit.values.ids import derived_id
from services.relay import domain, store
from services.relay.domain import Event
from services.relay.envelope import body_of


class Webhooks:
    """The consumer that fills the delivery queue."""

    name = "webhooks"
    gather_seconds = 0.15

    def __init__(self, engine: AsyncEngine, bell: Bell) -> None:
        """Rings `bell` when there is something to deliver."""
        self._engine = engine
        self._bell = bell

    async def take(self, source: str, after: int, events: Sequence[Event]) -> None:
        """Writes one delivery for each event and endpoint that wants it, and moves the cursor."""
        async with self._engine.begin() as tx:
            await store.advance_cursor(tx, self.name, source, after, events[-1].sequence)
            endpoints = await store.lock_enabled_endpoints(tx)
            wanted = [
                store.Queued(
                    delivery_id=derived_id("dlv", endpoint.endpoint_id, source, event.event_id),
                    endpoint_id=endpoint.endpoint_id,
                    event_id=event.event_id,
                    event_type=event.type,
                    order_id=event.order_id,
                    line=domain.line_of(event),
                    body=body_of(event),
                )
                for event in events
                for endpoint in endpoints
                if domain.wants(endpoint, event)
            ]
            await store.queue(tx, wanted, now())
        if wanted:
            self._bell.ring()
