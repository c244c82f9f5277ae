"""Workflows are told what happened: encrypted, in order, once for each event, however long Temporal was away."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio import workflow
from temporalio.api.enums.v1 import EventType
from temporalio.client import Client, WorkflowHandle
from temporalio.contrib.opentelemetry import TracingInterceptor
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from kit import temporal
from kit.values.ids import new_id
from services.relay import routes, store
from services.relay.domain import Event
from services.relay.signals import Signals
from tests.services.relay.builders import event, until
from tests.services.relay.conftest import FakeOrders

CODEC_KEYS = "k1:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"
ACCEPTED = "oms.orders.fulfilment.accepted"
DELIVERED = "oms.orders.fulfilment.delivered"


# As workflows.messages.Happening: the wire is what must agree.
@dataclass(frozen=True)
class Told:
    event_id: str
    type: str
    data: dict[str, Any] = field(default_factory=dict)


@workflow.defn(name="Listener")
class Listener:
    """Remembers what it was told until it was told enough."""

    def __init__(self) -> None:
        self._told: list[Told] = []

    @workflow.run
    async def run(self, enough: int) -> list[Told]:
        await workflow.wait_condition(lambda: len(self._told) >= enough)
        return self._told

    @workflow.signal
    async def happened(self, told: Told) -> None:
        self._told.append(told)


@workflow.defn(name="RefundWorkflow")
class Refund:
    """Answers what it was started with."""

    @workflow.run
    async def run(self, refund: dict[str, Any]) -> dict[str, Any]:
        return refund


@pytest.fixture
async def client(temporal_address: str) -> Client:
    return await temporal.connect(temporal_address, "default", CODEC_KEYS)


@pytest.fixture
async def task_queue(client: Client) -> AsyncIterator[str]:
    name = new_id("queue")
    async with Worker(client, task_queue=name, workflows=[Listener], workflow_runner=UnsandboxedWorkflowRunner()):
        yield name


async def listen(client: Client, task_queue: str, workflow_id: str, enough: int) -> WorkflowHandle[Any, Any]:
    return await client.start_workflow("Listener", enough, id=workflow_id, task_queue=task_queue, result_type=list)


async def take(engine: AsyncEngine, signals: Signals, *events: Event) -> None:
    async with engine.begin() as tx:
        after = await store.read_cursor(tx, signals.name, "orders")
    await signals.take("orders", after, events)


def about(workflow_id: str, sequence: int, **changes: Any) -> Event:
    return event(sequence, subject=workflow_id, **{"type": ACCEPTED, **changes})


async def test_a_workflow_is_told_in_order_with_the_event_s_data(
    relay_db: AsyncEngine, client: Client, task_queue: str
) -> None:
    workflow_id = f"fulfilment/{new_id('ful')}"
    handle = await listen(client, task_queue, workflow_id, 20)
    events = [about(workflow_id, n, data={"order_id": "ord_1", "n": n}) for n in range(1, 21)]
    await take(relay_db, Signals(relay_db, client), *events)
    told = await handle.result()
    assert [each["data"]["n"] for each in told] == list(range(1, 21))
    assert told[0] == {"event_id": "evt_1", "type": ACCEPTED, "data": {"order_id": "ord_1", "n": 1}}


async def test_the_signal_is_encrypted_in_the_history(
    relay_db: AsyncEngine, client: Client, task_queue: str
) -> None:
    workflow_id = f"fulfilment/{new_id('ful')}"
    handle = await listen(client, task_queue, workflow_id, 1)
    await take(relay_db, Signals(relay_db, client), about(workflow_id, 1))
    await handle.result()
    history = await handle.fetch_history()
    (signal,) = [
        each.workflow_execution_signaled_event_attributes
        for each in history.events
        if each.event_type == EventType.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED
    ]
    assert signal.signal_name == routes.SIGNAL
    assert [payload.metadata["encoding"] for payload in signal.input.payloads] == [b"binary/encrypted"]


async def test_only_events_that_wake_somebody_are_told(
    relay_db: AsyncEngine, client: Client, task_queue: str
) -> None:
    workflow_id = f"order/{new_id('ord')}"
    handle = await listen(client, task_queue, workflow_id, 1)
    await take(
        relay_db,
        Signals(relay_db, client),
        about(workflow_id, 1, type="oms.orders.order.validated"),
        about(workflow_id, 2, type="oms.orders.order.cancellation_requested"),
    )
    assert [each["event_id"] for each in await handle.result()] == ["evt_2"]


async def test_an_event_that_decides_something_starts_its_story_once(
    relay_db: AsyncEngine, client: Client
) -> None:
    data = {"order_id": "ord_1", "refund_id": "rfd_1", "amount_minor": 500, "currency": "EUR"}
    workflow_id, queue = f"refund/{new_id('rfd')}", new_id("queue")
    decided = about(workflow_id, 1, type="oms.orders.order.refund_requested", data=data)
    async with Worker(client, task_queue=queue, workflows=[Refund], workflow_runner=UnsandboxedWorkflowRunner()):
        await take(relay_db, Signals(relay_db, client, queue), decided)
        handle = client.get_workflow_handle(workflow_id)
        assert await handle.result() == data
        first = (await handle.describe()).run_id
        await take(relay_db, Signals(relay_db, client, queue), replace(decided, sequence=2))
    assert (await handle.describe()).run_id == first


async def test_a_workflow_that_is_not_there_is_passed_over(
    relay_db: AsyncEngine, client: Client, task_queue: str
) -> None:
    workflow_id = f"order/{new_id('ord')}"
    handle = await listen(client, task_queue, workflow_id, 1)
    await take(relay_db, Signals(relay_db, client), about(f"order/{new_id('ord')}", 1), about(workflow_id, 2))
    assert [each["event_id"] for each in await handle.result()] == ["evt_2"]
    await take(relay_db, Signals(relay_db, client), about(workflow_id, 3))
    async with relay_db.begin() as tx:
        assert await store.read_cursor(tx, "signals", "orders") == 3


@asynccontextmanager
async def forwarding(port: int, address: str) -> AsyncIterator[None]:
    """Makes the server at `address` answer on `port` too."""
    host, _, there = address.partition(":")

    async def forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there_reader, there_writer = await asyncio.open_connection(host, int(there))
        await asyncio.gather(pump(reader, there_writer), pump(there_reader, writer))

    server = await asyncio.start_server(forward, "127.0.0.1", port)
    try:
        yield
    finally:
        server.close()


async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while chunk := await reader.read(65536):
        writer.write(chunk)
        await writer.drain()
    writer.close()


async def test_while_temporal_is_away_signals_wait_and_lose_neither_event_nor_order(
    relay_db: AsyncEngine,
    client: Client,
    task_queue: str,
    temporal_address: str,
    unused_tcp_port: int,
    caplog: pytest.LogCaptureFixture,
) -> None:
    workflow_id = f"fulfilment/{new_id('ful')}"
    handle = await listen(client, task_queue, workflow_id, 3)
    lazy = await temporal.connect(f"127.0.0.1:{unused_tcp_port}", "default", CODEC_KEYS, lazy=True)
    telling = asyncio.create_task(
        take(relay_db, Signals(relay_db, lazy), *(about(workflow_id, n) for n in (1, 2, 3)))
    )
    await until(lambda: "not told" in caplog.text)
    assert not telling.done()
    async with forwarding(unused_tcp_port, temporal_address):
        assert [each["event_id"] for each in await handle.result()] == ["evt_1", "evt_2", "evt_3"]
        await telling


async def test_a_namespace_that_is_still_missing_is_waited_for(
    relay_db: AsyncEngine, temporal_address: str, caplog: pytest.LogCaptureFixture
) -> None:
    nowhere = await temporal.connect(temporal_address, new_id("ns"), CODEC_KEYS, lazy=True)
    telling = asyncio.create_task(take(relay_db, Signals(relay_db, nowhere), about("order/ord_1", 1)))
    await until(lambda: "not told" in caplog.text)
    assert not telling.done()
    telling.cancel()
    async with relay_db.begin() as tx:
        assert await store.read_cursor(tx, "signals", "orders") == 0


async def test_a_signal_belongs_to_the_trace_of_its_event(
    relay_db: AsyncEngine, temporal_address: str, client: Client, task_queue: str
) -> None:
    spans = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(spans))
    traced = await Client.connect(
        temporal_address,
        data_converter=temporal.data_converter(CODEC_KEYS),
        interceptors=[TracingInterceptor(provider.get_tracer("test"))],
    )
    workflow_id = f"fulfilment/{new_id('ful')}"
    handle = await listen(client, task_queue, workflow_id, 1)
    trace_id = "0af7651916cd43dd8448eb211c80319c"
    traceparent = f"00-{trace_id}-b7ad6b7169203331-01"
    await take(relay_db, Signals(relay_db, traced), about(workflow_id, 1, traceparent=traceparent))
    await handle.result()
    (span,) = spans.get_finished_spans()
    assert span.name == f"SignalWorkflow:{routes.SIGNAL}"
    assert f"{span.context.trace_id:032x}" == trace_id


async def test_what_is_told_twice_carries_the_same_id(
    relay_db: AsyncEngine, client: Client, task_queue: str, orders: FakeOrders
) -> None:
    """A relay that died before its cursor moved tells again: the workflow can see it."""
    workflow_id = f"fulfilment/{new_id('ful')}"
    handle = await listen(client, task_queue, workflow_id, 3)
    signals = Signals(relay_db, client)
    async with relay_db.begin() as tx:
        after = await store.read_cursor(tx, "signals", "orders")
    await signals.take("orders", after, [about(workflow_id, 1)])
    with pytest.raises(store.CursorMoved):
        await signals.take("orders", after, [about(workflow_id, 1), about(workflow_id, 2, type=DELIVERED)])
    assert [each["event_id"] for each in await handle.result()] == ["evt_1", "evt_1", "evt_2"]
