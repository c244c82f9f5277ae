"""An OTLP collector inside the test process: real exporters send to it, tests look at what came."""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import grpc
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2 as metrics_pb
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2_grpc import (
    MetricsServiceServicer,
    add_MetricsServiceServicer_to_server,
)
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2 as trace_pb
from opentelemetry.proto.collector.trace.v1.trace_service_pb2_grpc import (
    TraceServiceServicer,
    add_TraceServiceServicer_to_server,
)
from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span as SpanMessage


@dataclass(frozen=True)
class Span:
    """A span as it arrived. `parent_id` is empty for a root; `kind` is "SERVER", "CLIENT", "INTERNAL"..."""

    trace_id: str
    span_id: str
    parent_id: str
    name: str
    kind: str
    service: str
    scope: str
    attributes: dict[str, Any]
    started_nanoseconds: int


class Collector:
    """Keeps everything that it receives: `spans` by content, `metrics` by (service, name), all of it `raw`."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._spans: list[Span] = []
        self._metrics: set[tuple[str, str]] = set()
        self._raw: list[bytes] = []
        self.endpoint = ""

    @property
    def raw(self) -> list[bytes]:
        """Every message as it arrived."""
        with self._lock:
            return list(self._raw)

    @property
    def metrics(self) -> set[tuple[str, str]]:
        """Which service sent which metric."""
        with self._lock:
            return set(self._metrics)

    def find(self, wanted: Callable[[Span], bool]) -> list[Span]:
        """The spans so far that are wanted, oldest first."""
        with self._lock:
            found = [span for span in self._spans if wanted(span)]
        return sorted(found, key=lambda span: span.started_nanoseconds)

    def settled(self, wanted: Callable[[Span], bool], quiet_seconds: float = 1.5) -> list[Span]:
        """The same once something came and nothing more has come for a while: exporters send in batches."""
        deadline, seen, since = time.monotonic() + 20, -1, time.monotonic()
        while time.monotonic() < deadline:
            found = self.find(wanted)
            if len(found) != seen:
                seen, since = len(found), time.monotonic()
            elif seen and time.monotonic() - since > quiet_seconds:
                break
            time.sleep(0.1)
        return self.find(wanted)

    def take_spans(self, request: trace_pb.ExportTraceServiceRequest) -> None:
        """Called by the server's threads."""
        spans = [
            _span(span, service, scope.scope.name)
            for resource in request.resource_spans
            for service in [str(_values(resource.resource.attributes).get("service.name", ""))]
            for scope in resource.scope_spans
            for span in scope.spans
        ]
        with self._lock:
            self._raw.append(request.SerializeToString())
            self._spans += spans

    def take_metrics(self, request: metrics_pb.ExportMetricsServiceRequest) -> None:
        """Called by the server's threads."""
        names = {
            (str(_values(resource.resource.attributes).get("service.name", "")), metric.name)
            for resource in request.resource_metrics
            for scope in resource.scope_metrics
            for metric in scope.metrics
        }
        with self._lock:
            self._raw.append(request.SerializeToString())
            self._metrics |= names


class _Traces(TraceServiceServicer):
    def __init__(self, collector: Collector) -> None:
        self._collector = collector

    def Export(
        self, request: trace_pb.ExportTraceServiceRequest, context: grpc.ServicerContext
    ) -> trace_pb.ExportTraceServiceResponse:
        self._collector.take_spans(request)
        return trace_pb.ExportTraceServiceResponse()


class _Metrics(MetricsServiceServicer):
    def __init__(self, collector: Collector) -> None:
        self._collector = collector

    def Export(
        self, request: metrics_pb.ExportMetricsServiceRequest, context: grpc.ServicerContext
    ) -> metrics_pb.ExportMetricsServiceResponse:
        self._collector.take_metrics(request)
        return metrics_pb.ExportMetricsServiceResponse()


@contextmanager
def running_collector() -> Iterator[Collector]:
    """A collector that listens; `endpoint` is for OTEL_EXPORTER_OTLP_ENDPOINT."""
    collector = Collector()
    server = grpc.server(ThreadPoolExecutor(4))
    add_TraceServiceServicer_to_server(_Traces(collector), server)  # type: ignore[no-untyped-call]
    add_MetricsServiceServicer_to_server(_Metrics(collector), server)  # type: ignore[no-untyped-call]
    collector.endpoint = f"http://127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    server.start()
    try:
        yield collector
    finally:
        server.stop(grace=None)


def _span(span: SpanMessage, service: str, scope: str) -> Span:
    return Span(
        trace_id=span.trace_id.hex(),
        span_id=span.span_id.hex(),
        parent_id=span.parent_span_id.hex(),
        name=span.name,
        kind=SpanMessage.SpanKind.Name(span.kind).removeprefix("SPAN_KIND_"),
        service=service,
        scope=scope,
        attributes=_values(span.attributes),
        started_nanoseconds=span.start_time_unix_nano,
    )


def _values(pairs: Any) -> dict[str, Any]:
    def value(pair: KeyValue) -> Any:
        kind = pair.value.WhichOneof("value")
        return getattr(pair.value, kind) if kind else None

    return {pair.key: value(pair) for pair in pairs}
