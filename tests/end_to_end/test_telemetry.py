"""One order can be followed over every process: one trace, its id on all of it, metrics, logs for machines."""

import json
from typing import Any

import pytest

from cli.client import wait_for
from deploy.local.processes import PROCESSES
from tests.end_to_end.conftest import Delivered
from tests.otlp import Collector, Span
from tests.stack import SharedStack


def test_an_order_is_one_connected_trace(trace: list[Span]) -> None:
    ids = {span.span_id for span in trace}
    assert [span.name for span in trace if not span.parent_id] == ["POST /v1/orders"]
    assert [span for span in trace if span.parent_id and span.parent_id not in ids] == []


def test_the_trace_shows_every_part_that_had_a_share(trace: list[Span]) -> None:
    names = {(span.service, span.name) for span in trace}
    assert {
        ("gateway", "POST /v1/orders"),
        ("gateway", "StartUpdateWithStartWorkflow:OrderWorkflow"),
        ("worker", "RunWorkflow:OrderWorkflow"),
        ("worker", "RunWorkflow:FulfilmentWorkflow"),
        ("worker", "CompleteWorkflow:OrderWorkflow"),
        ("worker", "RunActivity:plan_order"),
        ("worker", "RunActivity:reserve"),
        ("worker", "RunActivity:capture"),
        ("orders", "/oms.orders.v1.OrdersService/RecordOrder"),
        ("promise", "/oms.promise.v1.PromiseService/PlanOrder"),
        ("inventory", "/oms.inventory.v1.InventoryService/Reserve"),
        ("inventory", "/oms.inventory.v1.InventoryService/Issue"),
        ("payments", "/oms.payments.v1.PaymentsService/Authorize"),
        ("payments", "/oms.payments.v1.PaymentsService/Capture"),
    } <= names


@pytest.mark.parametrize("service", ["inventory", "orders", "payments", "promise"])
def test_statements_stand_inside_the_call_that_made_them(trace: list[Span], service: str) -> None:
    by_id = {span.span_id: span for span in trace}
    statements = [span for span in trace if span.service == service and "db.query.text" in span.attributes]
    assert statements
    assert {by_id[span.parent_id].kind for span in statements} == {"SERVER"}


def test_the_orders_id_is_on_every_span(trace: list[Span], delivered: Delivered) -> None:
    without = {
        (span.service, span.name) for span in trace if span.attributes.get("order.id") != delivered.order_id
    }
    assert without == set()


def test_what_people_do_later_carries_the_orders_id_too(spans: list[Span]) -> None:
    signals = [span for span in spans if span.service == "relay" and span.name == "SignalWorkflow:happened"]
    assert len(signals) >= 5  # accepted, picked, packed, handed over, delivered
    for action in ("AcceptOffer", "RecordPick", "CloseParcel", "HandOver", "RecordCarrierEvent"):
        assert any(span.name.endswith(f"/{action}") for span in spans), action
    for act in ("accept", "pick", "pack", "hand-over"):
        assert any(span.name == f"POST /v1/fulfilments/{{fulfilment_id}}/{act}" for span in spans), act


def test_every_service_sends_metrics(collector: Collector, delivered: Delivered) -> None:
    def who_times_its_calls() -> dict[str, Any] | None:
        found = {service for service, name in collector.metrics if name == "rpc.server.call.duration"}
        return {"found": found} if found >= {"inventory", "orders", "payments", "promise"} else None

    wait_for("metrics of the services", who_times_its_calls)
    names = collector.metrics
    assert any(service == "gateway" and name.startswith("http.server") for service, name in names)
    assert any(name.startswith("temporal_workflow_task") for _, name in names)


def test_every_process_writes_its_log_as_json_lines(stack: SharedStack, delivered: Delivered) -> None:
    for process in PROCESSES:
        lines = (stack.logs / f"{process.name}.log").read_text().splitlines()
        for line in lines:
            assert line.startswith("{"), f"{process.name}: {line}"
            entry = json.loads(line)
            assert {"service", "timestamp", "level", "message"} <= set(entry), line
