"""The whole system stops and starts again: nothing is lost, what was under way goes on; webhooks tell it."""

import asyncio
from typing import Any

import psycopg

from cli.client import Api, wait_for
from cli.people import Buyer, Office, Shop
from tests.end_to_end.conftest import Delivered
from tests.end_to_end.hooks import Receiver
from tests.end_to_end.journeys import CHANNEL, deliver, well_stocked
from tests.otlp import Collector
from tests.stack import SharedStack


def told_of(hooks: Receiver, order_id: str) -> list[dict[str, Any]]:
    """The order's events from orders, once its closing has been told. The relay's other sources have no order."""

    def look() -> dict[str, Any] | None:
        events = [event for event in hooks.of_order(order_id) if event["type"].startswith("oms.orders.")]
        closed = any(event["type"] == "oms.orders.order.closed" for event in events)
        return {"events": events} if closed else None

    events: list[dict[str, Any]] = wait_for(f"the webhook of the closing of {order_id}", look)["events"]
    return events


def committed(stack: SharedStack, order_id: str) -> list[str]:
    """The ids of the order's events in the order of their commits."""
    url = stack.database_url("orders").replace("postgresql+psycopg://", "postgresql://")
    with psycopg.connect(url) as connection:
        query = "SELECT event_id FROM outbox WHERE order_id = %s ORDER BY sequence"
        return [event_id for (event_id,) in connection.execute(query, (order_id,))]


def test_webhooks_arrive_signed_and_in_order(stack: SharedStack, hooks: Receiver, delivered: Delivered) -> None:
    events = told_of(hooks, delivered.order_id)
    assert [event["id"] for event in events] == committed(stack, delivered.order_id)
    types = [event["type"].removeprefix("oms.orders.") for event in events]
    milestones = [
        "order.recorded",
        "order.validated",
        "order.released",
        "fulfilment.accepted",
        "fulfilment.packed",
    ]
    milestones += ["fulfilment.handed_over", "fulfilment.delivered", "order.closed"]
    assert [kind for kind in types if kind in milestones] == milestones


async def test_an_order_in_cooling_off_goes_on_after_a_restart_of_everything(
    stack: SharedStack, hooks: Receiver, delivered: Delivered, collector: Collector
) -> None:
    with Api.of(stack.gateway_url, stack.state) as api:
        shop, office = Shop(api, CHANNEL), Office(api)
        sku = well_stocked(shop)
        content = shop.order_content([(sku, 1)], Buyer(), shipping_minor=490)
        placed = shop.place(content, "placed-before-the-restart")
        assert placed["status"] == "validated"
        before = office.order(delivered.order_id), office.timeline(delivered.order_id)

    await stack.restart_all()

    with Api.of(stack.gateway_url, stack.state) as api:
        shop, office = Shop(api, CHANNEL), Office(api)
        assert (office.order(delivered.order_id), office.timeline(delivered.order_id)) == before
        assert shop.place(content, "placed-before-the-restart")["id"] == placed["id"]
        order = await asyncio.to_thread(deliver, api, placed["id"])
        assert order["customer_status"] == "delivered"
        payment = office.payment(placed["id"])
        assert payment is not None
        assert payment["captured"] == order["total"]
        assert office.moved(sku, placed["id"]) == {"on_hand": -1, "reserved": 0, "unavailable": 0, "short": 0}
    events = await asyncio.to_thread(told_of, hooks, placed["id"])
    assert [event["id"] for event in events] == committed(stack, placed["id"])

    # Its trace goes on too: what the new processes did hangs on what the old ones had sent.
    spans = await asyncio.to_thread(
        collector.settled, lambda span: span.attributes.get("order.id") == placed["id"]
    )
    placement, _repeated = [span for span in spans if span.name == "POST /v1/orders"]
    trace = collector.find(lambda span: span.trace_id == placement.trace_id)
    assert "CompleteWorkflow:OrderWorkflow" in {span.name for span in trace}
    assert {span.parent_id for span in trace} - {span.span_id for span in trace} == {""}


async def test_a_killed_service_comes_back_on_its_own(stack: SharedStack) -> None:
    before = stack.starts("inventory")
    await stack.kill("inventory")
    await stack.wait_ready("inventory")
    assert stack.starts("inventory") == before + 1
