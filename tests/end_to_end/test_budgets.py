"""What one order may cost: events of its histories, calls between processes (DESIGN, Budgets)."""

import pytest_asyncio
from temporalio.client import Client

from kit import temporal
from tests.end_to_end.conftest import Delivered
from tests.otlp import Collector, Span
from tests.stack import SharedStack

ORDER_EVENTS = 40
FULFILMENT_EVENTS = 55
CALLS = 20
PROVIDER_EVENTS = 2
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


def test_a_one_parcel_order_needs_few_calls(collector: Collector, spans: list[Span], trace: list[Span]) -> None:
    # Whoever only looks at the order (these tests did, often) is not a part of its life: those traces begin with
    # a GET. Of all others every call counts, the reads that an act causes included. The events of the payment
    # provider name no order: they are counted by their number.
    looks = {span.trace_id for span in collector.find(lambda span: span.name.startswith("GET /"))}
    life = {span.trace_id for span in spans} - looks
    calls = [name_of(span) for span in collector.find(lambda span: span.trace_id in life and is_call(span))]
    assert {"RecordOrder", "AcceptOffer", "HandOver", "RecordCarrierEvent", "CloseOrder"} <= set(calls)
    assert len(calls) + PROVIDER_EVENTS <= CALLS, calls

    names = [name_of(span) for span in trace if is_call(span)]
    accepted = names.index("AcceptOrder")
    assert accepted + 1 <= PLACEMENT_CALLS, names[: accepted + 1]


def name_of(span: Span) -> str:
    return span.name.rpartition("/")[2]


def is_call(span: Span) -> bool:
    service = str(span.attributes.get("rpc.service", ""))
    return span.kind == "SERVER" and service.startswith("oms.") and not span.name.endswith("PullEvents")
