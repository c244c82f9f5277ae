"""A story that nobody helps: it asks, and tries again later each time, so that its history stays short."""

from datetime import timedelta
from functools import partial

import pytest
from temporalio.api.enums.v1 import EventType

from tests.workflows.faults import Fault
from tests.workflows.world import NEAR, World, until
from workflows import policies

pytestmark = pytest.mark.asyncio(loop_scope="module")
HOUR = policies.ATTENTION_RETRY


async def test_who_is_not_helped_asks_each_time_an_hour_later(world: World) -> None:
    sku = await world.stock({NEAR: 1})
    recorded = await world.record({sku: 1})
    order_id = recorded.order.order_id
    world.faults.plan(order_id, "issue_stock", Fault.FAILS_FOR_GOOD)
    await world.place(recorded)
    await world.ship(order_id)
    (work,) = (await world.order(order_id)).fulfilments
    story = world.work_story(work.fulfilment_id)

    async def waits(pause: timedelta) -> bool:
        started = EventType.EVENT_TYPE_TIMER_STARTED
        timers = [one async for one in story.fetch_history_events() if one.event_type == started]
        lasts = timers[-1].timer_started_event_attributes.start_to_fire_timeout.ToTimedelta() if timers else None
        return lasts == pause

    await until(partial(waits, HOUR))
    for number in (2, 3):
        world.faults.plan(order_id, "issue_stock", Fault.FAILS_FOR_GOOD)
        await world.clock.fast_forward(story, HOUR * (number - 1))
        await until(partial(waits, HOUR * number))
    await story.signal("resume")
    assert await world.ended(order_id) == "CLOSED"
