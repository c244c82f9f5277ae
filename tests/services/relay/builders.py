"""Events and endpoints with little to say."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncEngine

from services.relay import store
from services.relay.domain import Endpoint, Event
from services.relay.envelope import secret_of
from services.relay.webhooks import Webhooks

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
SECRET = secret_of(b"k" * 32)


def event(sequence: int, order_id: str = "ord_1", **changes: Any) -> Event:
    """Event `evt_<sequence>` of an order."""
    facts: dict[str, Any] = {
        "sequence": sequence,
        "event_id": f"evt_{sequence}",
        "source": "/orders",
        "type": "oms.orders.order.validated",
        "subject": f"order/{order_id}",
        "occurred_at": NOW,
        "order_id": order_id,
        "traceparent": "",
        "data": {"order_id": order_id, "channel_id": "web-fr"},
    }
    return Event(**{**facts, **changes})


def endpoint(url: str = "https://example.com/hook", **changes: Any) -> Endpoint:
    """Endpoint `whk_1` that wants everything."""
    facts: dict[str, Any] = {
        "endpoint_id": "whk_1",
        "url": url,
        "event_types": (),
        "channel_ids": (),
        "enabled": True,
        "created_at": NOW,
    }
    return Endpoint(**{**facts, **changes})


async def until(holds: Callable[[], bool]) -> None:
    """Waits for what another task, thread or process brings about; the test's own timeout ends a vain wait."""
    while not holds():  # noqa: ASYNC110
        await asyncio.sleep(0.005)


async def register(engine: AsyncEngine, *endpoints: Endpoint) -> None:
    """Writes endpoints with the same secret."""
    async with engine.begin() as tx:
        for each in endpoints:
            await store.add_endpoint(tx, each, SECRET)


async def queue(engine: AsyncEngine, webhooks: Webhooks, *events: Event) -> None:
    """Takes events as if they had been pulled from `orders`."""
    async with engine.begin() as tx:
        after = await store.read_cursor(tx, webhooks.name, "orders")
    await webhooks.take("orders", after, events)
