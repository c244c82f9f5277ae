"""Traces, metrics and logs. Export goes to OTEL_EXPORTER_OTLP_ENDPOINT (gRPC); without it nothing is sent.

The order id travels as W3C baggage, so every span and every log line of every process carries it.
"""

import logging
import os
import sys
import traceback
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from typing import Any

import structlog
from opentelemetry import baggage, context, metrics, trace
from opentelemetry.context import Context
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Span, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import SpanKind, Status, StatusCode
from sqlalchemy import Engine, event
from sqlalchemy.exc import DBAPIError

ORDER_ID = "order.id"
_METRIC_MILLISECONDS = 10_000
_MAX_CAUSES = 10
_tracer = trace.get_tracer(__name__)


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
    # Imported here: they are slow to load, and a process that exports nothing starts sooner without them.
    from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter
    from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter

    resource = Resource.create({"service.name": service, "service.namespace": "oms"})
    tracer_provider = TracerProvider(resource=resource)
    tracer_provider.add_span_processor(_OrderIdOnSpans())
    tracer_provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(), schedule_delay_millis=500))
    trace.set_tracer_provider(tracer_provider)
    reader = PeriodicExportingMetricReader(OTLPMetricExporter(), export_interval_millis=metric_milliseconds())
    metrics.set_meter_provider(MeterProvider(resource=resource, metric_readers=[reader]))


def metric_milliseconds() -> float:
    """How often metrics are sent."""
    return float(os.environ.get("OTEL_METRIC_EXPORT_INTERVAL", _METRIC_MILLISECONDS))


def is_exporting() -> bool:
    """Whether this process sends traces: instrumentation costs nothing when it does not."""
    return isinstance(trace.get_tracer_provider(), TracerProvider)


def flush(seconds: float = 2.0) -> None:
    """Sends what is still here. For a process whose server ends it by a signal, before Python's own exit."""
    provider = trace.get_tracer_provider()
    if isinstance(provider, TracerProvider):
        provider.force_flush(int(seconds * 1000))


@contextmanager
def about_order(order_id: str) -> Iterator[None]:
    """Whatever happens inside, here and in the processes it calls, is about this order."""
    trace.get_current_span().set_attribute(ORDER_ID, order_id)
    token = context.attach(baggage.set_baggage(ORDER_ID, order_id))
    try:
        yield
    finally:
        context.detach(token)


def trace_statements(engine: Engine, tracer: trace.Tracer = _tracer) -> None:
    """A span for each statement that runs inside another span, so that sweeps and polls stay out of sight.

    It shows the text, in which values are placeholders. Of an error it shows the class and SQLSTATE: messages of
    the database quote rows.
    """

    def before(conn: Any, cursor: Any, statement: str, values: Any, execution: Any, many: bool) -> None:
        execution.oms_span = _start_statement(statement, engine.url.database, tracer)

    def after(conn: Any, cursor: Any, statement: str, values: Any, execution: Any, many: bool) -> None:
        if span := getattr(execution, "oms_span", None):
            span.end()

    def failed(failure: Any) -> None:
        if span := getattr(failure.execution_context, "oms_span", None):
            _end_failed(span, failure.original_exception)

    event.listen(engine, "before_cursor_execute", before)
    event.listen(engine, "after_cursor_execute", after)
    event.listen(engine, "handle_error", failed)


@contextmanager
def about_statement(statement: str, database: str | None, tracer: trace.Tracer = _tracer) -> Iterator[None]:
    """The same span, for a statement that goes to the driver itself."""
    span = _start_statement(statement, database, tracer)
    if span is None:
        yield
        return
    try:
        yield
    except BaseException as error:
        _end_failed(span, error)
        raise
    span.end()


def _start_statement(statement: str, database: str | None, tracer: trace.Tracer) -> trace.Span | None:
    if not trace.get_current_span().is_recording():
        return None
    return tracer.start_span(
        f"{statement.split(maxsplit=1)[0].upper()} {database}",
        kind=SpanKind.CLIENT,
        attributes={
            "db.system.name": "postgresql",
            "db.namespace": database or "",
            "db.query.text": statement,
        },
    )


def _end_failed(span: trace.Span, error: BaseException) -> None:
    span.set_status(Status(StatusCode.ERROR, _say_briefly(error)))
    span.end()


def _say_briefly(error: BaseException) -> str:
    """An error's class and message; of a database's error only what cannot quote a row."""
    state = getattr(error.orig if isinstance(error, DBAPIError) else error, "sqlstate", "")
    if isinstance(error, DBAPIError) or state:
        return f"{type(error).__name__} {state or ''}".rstrip()
    return f"{type(error).__name__}: {error}"


def _add_error(_logger: Any, _method: str, entry: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Where an error came from, and from what, without the values that a database quotes."""
    found = entry.pop("exc_info", None)
    if found is True:
        found = sys.exc_info()
    error = found[1] if isinstance(found, tuple) else found
    told: list[str] = []
    while isinstance(error, BaseException) and len(told) < _MAX_CAUSES:
        told.append("".join(traceback.format_tb(error.__traceback__)) + _say_briefly(error))
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if told:
        entry["exception"] = "\ncaused by\n".join(told)
    return entry


def _add_trace(_logger: Any, _method: str, entry: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    entry.pop("temporal_log", None)  # an object that says what the message says
    span = trace.get_current_span().get_span_context()
    if span.is_valid:
        entry["trace_id"] = f"{span.trace_id:032x}"
    if order_id := baggage.get_baggage(ORDER_ID):
        entry["order_id"] = order_id
    return entry


def json_formatter(service: str) -> logging.Formatter:
    """One line of JSON for each record of `logging` and of structlog."""
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=_ENTRY,
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            _add_error,
            structlog.processors.EventRenamer("message"),
            lambda _l, _m, entry: {"service": service, **entry},
            structlog.processors.JSONRenderer(),
        ],
    )


_ENTRY: list[Any] = [
    structlog.stdlib.add_log_level,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
    structlog.stdlib.ExtraAdder(),
    _add_trace,
]


def _start_logs(service: str) -> None:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(json_formatter(service))
    logging.basicConfig(level=os.environ.get("OMS_LOG_LEVEL", "INFO"), handlers=[handler], force=True)
    logging.captureWarnings(True)  # a library's warning is a line of JSON too
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
            *_ENTRY,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
