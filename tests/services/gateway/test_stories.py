"""Stories whose own code fails, on a real Temporal: which order's, how and where, and nothing of its customer."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any
from uuid import uuid4

import httpx
import pytest
from temporalio import workflow
from temporalio.client import Client, WorkflowHandle
from temporalio.common import SearchAttributePair, TypedSearchAttributes
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from kit import temporal
from services.gateway.auth import Role
from tests.services.gateway.conftest import CODEC_KEYS
from tests.services.gateway.tokens import Issuer
from workflows.search_attributes import ORDER_ID

BUYER = "Camille Exemple"


@workflow.defn(name="StoryThatChanged")
class AsItBegan:
    @workflow.run
    async def run(self, _buyer: str) -> None:
        self._sleeps = True
        await workflow.sleep(3_600)

    @workflow.query
    def sleeps(self) -> bool:
        return self._sleeps

    @workflow.signal
    def woken(self) -> None:
        pass


@workflow.defn(name="StoryThatChanged")
class AsItIsNow:
    @workflow.run
    async def run(self, buyer: str) -> None:
        await workflow.execute_activity("carry", buyer, start_to_close_timeout=timedelta(seconds=1))

    @workflow.signal
    def woken(self) -> None:
        pass


@workflow.defn(name="StoryWithABug")
class WithABug:
    @workflow.run
    async def run(self, buyer: str) -> None:
        raise LookupError(f"{buyer} has no address")


@pytest.fixture
async def temporal_client(temporal_address: str) -> Client:
    return await temporal.connect(temporal_address, "default", CODEC_KEYS)


@pytest.fixture
def operator(issuer: Issuer) -> dict[str, str]:
    return issuer.bearer(Role.OPERATOR)


@pytest.fixture
async def order_id(temporal_client: Client) -> AsyncIterator[str]:
    """Its story is over when the test is."""
    order_id = f"ord_{uuid4().hex}"
    yield order_id
    await story_of(temporal_client, order_id).terminate()


def worker(client: Client, queue: str, story: type) -> Worker:
    # Without a cache each task is a replay.
    return Worker(
        client,
        task_queue=queue,
        workflows=[story],
        workflow_runner=UnsandboxedWorkflowRunner(),
        max_cached_workflows=0,
    )


def story_of(client: Client, order_id: str) -> WorkflowHandle[Any, Any]:
    return client.get_workflow_handle(f"order/{order_id}")


async def begin(client: Client, queue: str, story: Any, order_id: str) -> None:
    attributes = TypedSearchAttributes([SearchAttributePair(ORDER_ID, order_id)])
    await client.start_workflow(
        story.run, BUYER, id=f"order/{order_id}", task_queue=queue, search_attributes=attributes
    )


async def told(http: httpx.AsyncClient, operator: dict[str, str], **asked: str) -> dict[str, Any]:
    """The answer of the check, as soon as it has found something."""
    async with asyncio.timeout(20):
        while True:
            answer = (await http.get("/v1/checks/stories", params=asked, headers=operator)).raise_for_status()
            if (found := answer.json())["differences"]:
                return dict(found)
            await asyncio.sleep(0.1)


async def test_a_bug_is_told_with_its_order_and_its_place_but_without_its_words(
    http: httpx.AsyncClient, operator: dict[str, str], temporal_client: Client, order_id: str
) -> None:
    queue = uuid4().hex
    async with worker(temporal_client, queue, WithABug):
        await begin(temporal_client, queue, WithABug, order_id)
        found = await told(http, operator, order_id=order_id)
    (bug,) = found["differences"]
    assert (bug["kind"], bug["subject"], bug["order_id"]) == ("STORY_FAILS", f"order/{order_id}", order_id)
    assert "LookupError in " in bug["found"]
    assert bug["found"].endswith("run")
    assert "test_stories.py:" in bug["found"]
    assert BUYER not in str(found)
    other = await http.get("/v1/checks/stories", params={"order_id": "ord_other"}, headers=operator)
    assert other.json() == {"checked": 1, "differences": [], "notes": [], "next_cursor": None}
    again = await told(http, operator)
    assert bug in again["differences"], "said the same at the next look, of all stories"


async def test_code_that_went_another_way_is_told_with_the_step_at_which_it_did(
    http: httpx.AsyncClient, operator: dict[str, str], temporal_client: Client, order_id: str
) -> None:
    queue = uuid4().hex
    handle = story_of(temporal_client, order_id)
    async with worker(temporal_client, queue, AsItBegan):
        await begin(temporal_client, queue, AsItBegan, order_id)
        assert await handle.query(AsItBegan.sleeps), "its first task is done"
    answer = await http.get("/v1/checks/stories", params={"order_id": order_id}, headers=operator)
    assert answer.json()["differences"] == [], "it only waits"
    async with worker(temporal_client, queue, AsItIsNow):
        await handle.signal("woken")
        (changed,) = (await told(http, operator, order_id=order_id))["differences"]
    assert "NonDeterministicError: " in changed["found"]
    assert "TimerStarted" in changed["found"]
    assert BUYER not in str(changed)


async def test_an_order_id_that_would_end_its_quotes_is_refused(
    http: httpx.AsyncClient, operator: dict[str, str]
) -> None:
    answer = await http.get("/v1/checks/stories", params={"order_id": "x') OR ('a' = 'a"}, headers=operator)
    assert answer.status_code == 422
