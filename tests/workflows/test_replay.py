"""Stored histories replay: a change of a story that would break orders in flight is found here.

`OMS_KEEP_HISTORIES=v2 pytest tests/workflows/test_replay.py` adds the histories of today's stories to
tests/histories as version 2, beside those of earlier versions, which stay for as long as such orders may be in
flight. Keep those that a change made different.
"""

import asyncio
import os
import re
from pathlib import Path

import pytest
from temporalio.client import WorkflowHistory
from temporalio.worker import Replayer

from kit import temporal
from tests.workflows.lives import LIVES, Life
from tests.workflows.start import CODEC_KEYS
from tests.workflows.world import World
from workflows.fulfilment import FulfilmentWorkflow
from workflows.order import OrderWorkflow
from workflows.refund import RefundWorkflow
from workflows.sandbox import sandbox

pytestmark = pytest.mark.asyncio(loop_scope="module")
FOLDER = Path(__file__).parents[1] / "histories"
STORED = sorted(FOLDER.glob("*.json"))


def _replayer() -> Replayer:
    return Replayer(
        workflows=[OrderWorkflow, FulfilmentWorkflow, RefundWorkflow],
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


async def test_the_histories_of_today_replay(world: World) -> None:
    async def live(life: Life) -> None:
        order_id = await life(world)
        await world.ended(order_id)
        stories = [world.story(order_id)]
        works = (await world.order(order_id)).fulfilments
        # One that was cancelled before its offer never had a story.
        stories += [world.work_story(row.fulfilment_id) for row in works if row.HasField("offer_deadline")]
        of_order = len(stories)
        for refund in await world.refunds_in(order_id, "succeeded"):
            story = world.client.get_workflow_handle(f"refund/{refund.refund_id}")
            await story.result()
            stories.append(story)
        for number, story in enumerate(stories):
            history = await story.fetch_history()
            await _replayer().replay_workflow(history)
            if version := os.environ.get("OMS_KEEP_HISTORIES"):
                kind = f"fulfilment-{number}" if number else "order"
                if number >= of_order:
                    kind = f"refund-{number - of_order + 1}"
                text = re.sub(r'"identity": *"[^"]*"', '"identity": "test"', history.to_json())
                (FOLDER / f"{life.__name__}.{version}.{kind}.json").write_text(text + "\n")

    await asyncio.gather(*(live(life) for life in LIVES))
