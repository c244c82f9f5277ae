"""The whole relay as processes: two replicas, one of them killed."""

import asyncio
import signal
import time
from collections.abc import Callable

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio.client import Client

from kit import temporal
from kit.values.ids import new_id
from services.relay.service import RelayService
from tests.conftest import MakeDatabase
from tests.processes import running
from tests.services.relay.builders import endpoint, register
from tests.services.relay.conftest import FakeOrders
from tests.services.relay.receiver import Receiver
from tests.services.relay.test_signals import ACCEPTED, CODEC_KEYS, listen, task_queue

__all__ = ["task_queue"]


@pytest.fixture
async def client(temporal_address: str) -> Client:
    return await temporal.connect(temporal_address, "default", CODEC_KEYS)


async def test_events_go_on_when_a_replica_is_killed_and_the_other_stops_cleanly(
    make_database: MakeDatabase,
    relay_db: AsyncEngine,
    temporal_address: str,
    client: Client,
    task_queue: str,
    orders: FakeOrders,
    receiver: Receiver,
    service: RelayService,
    unused_tcp_port_factory: Callable[[], int],
) -> None:
    environment = {
        "OMS_DATABASE_URL": make_database("relay").url,
        "OMS_ORDERS_ADDRESS": orders.address,
        # Sources that are away hold up nobody.
        "OMS_INVENTORY_ADDRESS": f"127.0.0.1:{unused_tcp_port_factory()}",
        "OMS_PAYMENTS_ADDRESS": f"127.0.0.1:{unused_tcp_port_factory()}",
        "OMS_BOOKING_ADDRESS": f"127.0.0.1:{unused_tcp_port_factory()}",
        "OMS_HANDOVER_ADDRESS": f"127.0.0.1:{unused_tcp_port_factory()}",
        "OMS_TEMPORAL_ADDRESS": temporal_address,
        "OMS_CODEC_KEYS": CODEC_KEYS,
    }
    workflow_id = f"fulfilment/{new_id('ful')}"
    await listen(client, task_queue, workflow_id, 10_000)
    await register(relay_db, endpoint(receiver.url))
    async with (
        running("services.relay", f"127.0.0.1:{unused_tcp_port_factory()}", environment) as one,
        running("services.relay", f"127.0.0.1:{unused_tcp_port_factory()}", environment) as other,
    ):
        for n in range(3):
            await orders.tell(ACCEPTED, workflow_id, n=n)
        await heard(service, client, workflow_id, 3)
        one.send_signal(signal.SIGKILL)
        await one.wait()
        for n in range(3, 6):
            await orders.tell(ACCEPTED, workflow_id, n=n)
        await heard(service, client, workflow_id, 6)
        assert [each.event["data"]["n"] for each in receiver.received] == [0, 1, 2, 3, 4, 5]
        other.terminate()
        assert await asyncio.wait_for(other.wait(), 10) == 0


async def heard(service: RelayService, client: Client, workflow_id: str, expected: int) -> None:
    """Waits until that many deliveries are recorded and the workflow has as many signals."""
    deadline = time.monotonic() + 60
    delivered = signals = 0
    while time.monotonic() < deadline:
        delivered = len((await service.list_deliveries("", "", "delivered", 50, "")).deliveries)
        history = await client.get_workflow_handle(workflow_id).fetch_history()
        signals = sum(each.HasField("workflow_execution_signaled_event_attributes") for each in history.events)
        if delivered >= expected and signals >= expected:
            return
        await asyncio.sleep(0.05)
    raise AssertionError(f"{delivered} deliveries and {signals} signals; expected {expected}")
