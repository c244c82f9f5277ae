"""Queueing events for endpoints, once, with the cursor."""

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from services.relay import store
from services.relay.service import RelayService
from services.relay.store import CursorMoved
from services.relay.webhooks import Webhooks
from tests.services.relay.builders import endpoint, event, queue, register


async def queued(service: RelayService) -> list[tuple[str, str]]:
    page = await service.list_deliveries("", "", "", 500, "")
    return sorted((each.endpoint_id, each.event_id) for each in page.deliveries)


async def test_each_endpoint_gets_what_it_wants(
    relay_db: AsyncEngine, webhooks: Webhooks, service: RelayService
) -> None:
    await register(
        relay_db,
        endpoint(endpoint_id="whk_all"),
        endpoint(endpoint_id="whk_app", channel_ids=["app-fr"]),
        endpoint(endpoint_id="whk_closed", event_types=["oms.orders.order.closed"]),
        endpoint(endpoint_id="whk_off", enabled=False),
    )
    await queue(
        relay_db,
        webhooks,
        event(1),
        event(2, data={"channel_id": "app-fr"}),
        event(3, type="oms.orders.order.closed"),
    )
    assert await queued(service) == [
        ("whk_all", "evt_1"),
        ("whk_all", "evt_2"),
        ("whk_all", "evt_3"),
        ("whk_app", "evt_2"),
        ("whk_closed", "evt_3"),
    ]


async def test_a_batch_taken_twice_is_queued_once(
    relay_db: AsyncEngine, webhooks: Webhooks, service: RelayService
) -> None:
    await register(relay_db, endpoint())
    batch = [event(1), event(2)]
    await queue(relay_db, webhooks, *batch)
    with pytest.raises(CursorMoved):
        await webhooks.take("orders", 0, batch)
    assert await queued(service) == [("whk_1", "evt_1"), ("whk_1", "evt_2")]


async def test_an_event_that_comes_again_after_its_source_was_restored_is_not_queued_again(
    relay_db: AsyncEngine, webhooks: Webhooks, service: RelayService
) -> None:
    await register(relay_db, endpoint())
    await queue(relay_db, webhooks, event(1))
    await queue(relay_db, webhooks, event(2, event_id="evt_1"))
    assert await queued(service) == [("whk_1", "evt_1")]


async def test_cursors_of_sources_and_consumers_are_their_own(relay_db: AsyncEngine, webhooks: Webhooks) -> None:
    await queue(relay_db, webhooks, event(7))
    async with relay_db.begin() as tx:
        assert await store.read_cursor(tx, "webhooks", "orders") == 7
        assert await store.read_cursor(tx, "webhooks", "payments") == 0
        assert await store.read_cursor(tx, "signals", "orders") == 0
