"""What one order may cost: events of its histories, calls between processes (DESIGN, Budgets)."""

import pytest_asyncio
from temporalio.client import Client

from kit import temporal
from tests.end_to_end.conftest import Delivered
from tests.otlp import Span
from tests.stack import SharedStack

ORDER_EVENTS = 40
FULFILMENT_EVENTS = 55
CALLS = 20
PLACEMENT_CALLS = 6


@pytest_asyncio.fixture
async def client(stack: SharedStack) -> Client:
    return await temporal.connect(stack.addresses["temporal"], "default", stack.stack.keys.codec_keys)


async def events_of(client: Client, workflow_id: str) -> int:
    return len((await client.get_workflow_handle(workflow_id).fetch_history()).events)


async def test_the_histories_of_a_one_parcel_order_are_short(client: Client, delivered: Delivered) -> None:
    [work] = delivered.order["fulfilments"]
    assert await events_of(client, f"order/{delivered.order_id}") <= ORDER_EVENTS
    assert await events_of(client, f"fulfilment/{work['id']}") <= FULFILMENT_EVENTS


def test_a_one_parcel_order_needs_few_calls(spans: list[Span], trace: list[Span]) -> None:
    calls = [span.name.rpartition("/")[2] for span in spans if is_call(span)]
    # Whoever looks at the order (this test did, often) is not a part of its life.
    acts = [name for name in calls if not name.startswith(("Get", "List"))]
    assert {"AcceptOffer", "HandOver", "CloseOrder"} <= set(acts)  # to its end, the store's part included
    assert len(acts) <= CALLS, acts

    names = [span.name.rpartition("/")[2] for span in trace if is_call(span)]
    assert len(names) <= CALLS, names
    accepted = names.index("AcceptOrder")
    assert accepted + 1 <= PLACEMENT_CALLS, names[: accepted + 1]


def is_call(span: Span) -> bool:
    service = str(span.attributes.get("rpc.service", ""))
    return span.kind == "SERVER" and service.startswith("oms.") and not span.name.endswith("PullEvents")
