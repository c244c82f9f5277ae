"""Stored histories replay: a change of a story that would break orders in flight is found here.

`OMS_KEEP_HISTORIES=v2 pytest tests/workflows/test_replay.py` adds the histories of today's stories to
tests/histories as version 2, beside those of earlier versions, which stay for as long as such orders may be in
flight. Keep those that a change made different.
"""

import asyncio
import json
import os
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import WorkflowHandle, WorkflowHistory
from temporalio.worker import Replayer

from kit import temporal
from oms.orders.v1 import orders_service_pb2 as orders
from tests.workflows.lives import LIVES, Life
from tests.workflows.start import CODEC_KEYS
from tests.workflows.world import World, until
from workflows.sandbox import sandbox
from workflows.worker import STORIES

pytestmark = pytest.mark.asyncio(loop_scope="module")
DELIVERED = orders.FULFILMENT_STATE_DELIVERED
FOLDER = Path(__file__).parents[1] / "histories"
_TASK = ("SCHEDULED", "STARTED", "COMPLETED")
_UNITS_BACK = ("order.trial_units_back", "order.inbound_units_back")
# All lives at once take longer than a test may.
_GROUPS = 8
STORED = sorted(FOLDER.glob("*.json"))


def _replayer() -> Replayer:
    return Replayer(
        workflows=STORIES,
        data_converter=temporal.data_converter(CODEC_KEYS),
        workflow_runner=sandbox(),
    )


def _read(path: Path) -> WorkflowHistory:
    return WorkflowHistory.from_json(path.stem, path.read_text())


@pytest.mark.parametrize("path", STORED, ids=lambda path: path.stem)
async def test_a_stored_history_replays(path: Path) -> None:
    await _replayer().replay_workflow(_read(path))


def test_every_way_through_the_stories_is_stored() -> None:
    stored = {path.stem.partition(".")[0] for path in STORED}
    assert stored >= {life.__name__ for life in LIVES}


def _cut(history: WorkflowHistory) -> WorkflowHistory:
    """The same as a busy worker leaves it: each task ends at once when a step answers, and another one goes on."""
    events: list[dict[str, Any]] = []
    ids: dict[str, str] = {}
    for event in json.loads(history.to_json())["events"]:
        ids[event["eventId"]] = str(len(events) + 1)
        events.append(event)
        if event.get("markerRecordedEventAttributes", {}).get("markerName") == "core_local_activity":
            events += [{"eventType": f"EVENT_TYPE_WORKFLOW_TASK_{name}"} for name in _TASK]
    known = {old: new for old, new in ids.items() if old != "0"}
    for number, event in enumerate(events, start=1):
        if "eventId" not in event:
            event |= {"eventTime": events[number - 2]["eventTime"], _attributes(event): {}}
        event["eventId"] = str(number)
        for attributes in (value for name, value in event.items() if name.endswith("Attributes")):
            attributes |= {
                name: known.get(value, value) for name, value in attributes.items() if name.endswith("EventId")
            }
        if not event[_attributes(event)]:
            event[_attributes(event)] = {
                "scheduledEventId": str(number - _TASK.index(event["eventType"].rpartition("_")[2])),
                "startedEventId": str(number - 1),
            }
    return WorkflowHistory.from_json(history.workflow_id, {"events": events})


def _attributes(event: dict[str, Any]) -> str:
    words = event["eventType"].removeprefix("EVENT_TYPE_").title().replace("_", "")
    return f"{words[0].lower()}{words[1:]}EventAttributes"


async def _of_appointment(world: World, order_id: str) -> AsyncIterator[WorkflowHandle[Any, Any]]:
    """The stories of its moves, and of the times that the customer was not met."""
    query = f"OrderId = '{order_id}' AND WorkflowType IN ('AppointmentMoveWorkflow', 'MissedAppointmentWorkflow')"
    if not (await world.order(order_id)).content.booking_id:
        return

    async def found() -> list[str]:
        return [one.id async for one in world.client.list_workflows(query)]

    for workflow_id in sorted(await found()):
        story = world.client.get_workflow_handle(workflow_id)
        await story.result()
        yield story


async def _of_trial(world: World, order_id: str) -> AsyncIterator[WorkflowHandle[Any, Any]]:
    """The stories of what was given back at a point, where something was."""
    entries = (await world.orders.GetTimeline(orders.GetTimelineRequest(order_id=order_id))).entries
    if not any(entry.kind in _UNITS_BACK for entry in entries):
        return
    query = f"OrderId = '{order_id}' AND WorkflowType = 'RestockWorkflow'"

    async def found() -> list[str]:
        return [one.id async for one in world.client.list_workflows(query)]

    for workflow_id in sorted(await until(found, f"{order_id}: what came back")):
        story = world.client.get_workflow_handle(workflow_id)
        await story.result()
        yield story


@pytest.mark.parametrize("first", range(_GROUPS))
async def test_the_histories_of_today_replay(world: World, first: int) -> None:
    async def live(life: Life) -> None:
        order_id = await life(world)
        await world.ended(order_id)
        stories = [world.story(order_id)]
        works = (await world.order(order_id)).fulfilments
        # One that was cancelled before its offer never had a story.
        begun = [
            row for row in works if row.HasField("offer_deadline") or (row.collected and row.state == DELIVERED)
        ]
        stories += [world.work_story(row.fulfilment_id) for row in begun]
        of_order = len(stories)
        for refund in await world.refunds_in(order_id, "succeeded"):
            story = world.client.get_workflow_handle(f"refund/{refund.refund_id}")
            await story.result()
            stories.append(story)
        of_refunds = len(stories)
        stories += [story async for story in _of_appointment(world, order_id)]
        of_appointments = len(stories)
        stories += [story async for story in _of_trial(world, order_id)]
        for number, story in enumerate(stories):
            history = await story.fetch_history()
            await _replayer().replay_workflow(history)
            await _replayer().replay_workflow(_cut(history))
            if version := os.environ.get("OMS_KEEP_HISTORIES"):
                kind = f"fulfilment-{number}" if number else "order"
                if number >= of_order:
                    kind = f"refund-{number - of_order + 1}"
                if number >= of_refunds:
                    kind = f"appointment-{number - of_refunds + 1}"
                if number >= of_appointments:
                    kind = f"restock-{number - of_appointments + 1}"
                text = re.sub(r'"identity": *"[^"]*"', '"identity": "test"', history.to_json())
                (FOLDER / f"{life.__name__}.{version}.{kind}.json").write_text(text + "\n")

    await asyncio.gather(*(live(life) for life in LIVES[first::_GROUPS]))
