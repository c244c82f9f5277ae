"""Traces, metrics and logs. Export goes to OTEL_EXPORTER_OTLP_ENDPOINT (gRPC); without it nothing is sent.

The order id travels as W3C baggage, so every span and every log line of every process carries it.
"""

import logging
import os
import sys
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from typing import Any

import structlog
from opentelemetry import baggage, context, metrics, trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Span, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

ORDER_ID = "order.id"


class _OrderIdOnSpans(SpanProcessor):
    """Copies the order id from baggage to each span that starts."""

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        if order_id := baggage.get_baggage(ORDER_ID, parent_context):
            span.set_attribute(ORDER_ID, str(order_id))


def start(service: str) -> None:
    """Sets up the process: JSON logs on standard error, and export when an endpoint is given."""
    _start_logs(service)
    if not os.environ.get("OTEL_EXPORTER_OTLP_ENDPOINT"):
        return
    resource = Resource.create({"service.name": service, "service.namespace": "oms"})
    tracer_provider = TracerProvider(resource=resource)
    tracer_provider.add_span_processor(_OrderIdOnSpans())
    tracer_provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(), schedule_delay_millis=500))
    trace.set_tracer_provider(tracer_provider)
    reader = PeriodicExportingMetricReader(OTLPMetricExporter(), export_interval_millis=10_000)
    metrics.set_meter_provider(MeterProvider(resource=resource, metric_readers=[reader]))


def is_exporting() -> bool:
    """Whether this process sends traces: instrumentation costs nothing when it does not."""
    return isinstance(trace.get_tracer_provider(), TracerProvider)


@contextmanager
def about_order(order_id: str) -> Iterator[None]:
    """Whatever happens inside, here and in the processes it calls, is about this order."""
    trace.get_current_span().set_attribute(ORDER_ID, order_id)
    token = context.attach(baggage.set_baggage(ORDER_ID, order_id))
    try:
        yield
    finally:
        context.detach(token)


def _add_trace(_logger: Any, _method: str, entry: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    span = trace.get_current_span().get_span_context()
    if span.is_valid:
        entry["trace_id"] = f"{span.trace_id:032x}"
    if order_id := baggage.get_baggage(ORDER_ID):
        entry["order_id"] = order_id
    return entry


def _start_logs(service: str) -> None:
    shared: list[Any] = [
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.stdlib.ExtraAdder(),
        _add_trace,
    ]
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                structlog.processors.EventRenamer("message"),
                lambda _l, _m, entry: {"service": service, **entry},
                structlog.processors.JSONRenderer(),
            ],
        )
    )
    logging.basicConfig(level=os.environ.get("OMS_LOG_LEVEL", "INFO"), handlers=[handler], force=True)
    for noisy in (
        "httpx",
        "stripe",
        "alembic",
        "uvicorn.access",
        "temporalio.activity",
        "temporalio.workflow",
    ):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
