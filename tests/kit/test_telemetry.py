"""Spans of statements and lines of logs, on real PostgreSQL: what they show, and what they must not."""

import json
import logging
import sys

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode
from psycopg.errors import CheckViolation
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncEngine

from kit import telemetry

# A row that breaks a CHECK: PostgreSQL quotes it whole in the error's detail.
BAD_ROW = text("INSERT INTO guest (name, age) VALUES (:name, :age)")
ROW = {"name": "Quillfeather", "age": -1}


async def break_a_rule(engine: AsyncEngine) -> IntegrityError:
    async with engine.begin() as tx:
        await tx.execute(text("CREATE TEMPORARY TABLE guest (name text, age integer CHECK (age > 0))"))
        with pytest.raises(IntegrityError) as raised:
            await tx.execute(BAD_ROW, ROW)
        await tx.rollback()
    assert "Quillfeather" in str(raised.value.orig)
    return raised.value


async def test_a_statement_is_a_span_inside_the_one_that_made_it(orders_db: AsyncEngine) -> None:
    kept = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(kept))
    tracer = provider.get_tracer("test")
    telemetry.trace_statements(orders_db.sync_engine, tracer)
    async with orders_db.connect() as tx:
        await tx.execute(text("SELECT 1"))  # a poll: nobody asked
    with tracer.start_as_current_span("call") as call:
        async with orders_db.connect() as tx:
            await tx.execute(text("SELECT :secret"), {"secret": "Quillfeather"})
        await break_a_rule(orders_db)

    *statements, outer = kept.get_finished_spans()
    assert outer.name == "call"
    assert [span.name.split()[0] for span in statements] == ["SELECT", "CREATE", "INSERT"]
    assert {span.parent.span_id for span in statements if span.parent} == {call.get_span_context().span_id}
    assert "Quillfeather" not in "".join(span.to_json() for span in statements)
    assert statements[-1].status.status_code is StatusCode.ERROR
    assert "23514" in (statements[-1].status.description or "")


def test_a_statement_that_goes_to_the_driver_itself_is_the_same_span() -> None:
    kept = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(kept))
    tracer = provider.get_tracer("test")
    with telemetry.about_statement("SELECT 1", "orders", tracer):
        pass  # a poll: nobody asked
    with tracer.start_as_current_span("call") as call:
        with telemetry.about_statement("SELECT %(secret)s", "orders", tracer):
            pass
        with pytest.raises(CheckViolation), telemetry.about_statement("INSERT INTO guest", "orders", tracer):
            raise CheckViolation("Quillfeather is -1")
    good, bad, _ = kept.get_finished_spans()
    assert [span.name for span in (good, bad)] == ["SELECT orders", "INSERT orders"]
    assert {span.parent.span_id for span in (good, bad) if span.parent} == {call.get_span_context().span_id}
    assert bad.status.description == "CheckViolation 23514"


async def test_a_log_line_tells_where_an_error_came_from_but_not_the_row(orders_db: AsyncEngine) -> None:
    try:
        raise RuntimeError("cannot go on") from await break_a_rule(orders_db)
    except RuntimeError:
        record = logging.LogRecord("x", logging.ERROR, __file__, 1, "defect", (), sys.exc_info())
    line = telemetry.json_formatter("orders").format(record)
    entry = json.loads(line)
    assert (entry["service"], entry["level"], entry["message"]) == ("orders", "error", "defect")
    assert "RuntimeError: cannot go on" in entry["exception"]
    assert "IntegrityError 23514" in entry["exception"]
    assert __file__ in entry["exception"]
    assert "Quillfeather" not in line


def test_the_order_id_stands_on_every_log_line_about_the_order() -> None:
    record = logging.LogRecord("x", logging.INFO, __file__, 1, "taken", (), None)
    with telemetry.about_order("ord_1"):
        inside = json.loads(telemetry.json_formatter("orders").format(record))
    outside = json.loads(telemetry.json_formatter("orders").format(record))
    assert (inside["order_id"], "order_id" in outside) == ("ord_1", False)
