"""What one order of one parcel costs in calls between processes and in events of its histories: counts, no times.

The calls are those that the services count themselves. To be told them, a system that exports its metrics is
started for it: on the one that is timed nothing is exported. Nobody looks at the orders meanwhile; long polls and
sweeps, which run with or without orders, are left out. The events that the payment provider sends count among the
calls of a life, not among those up to the answer of placement: nothing waits for them, they come when they come.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
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
from opentelemetry.proto.metrics.v1.metrics_pb2 import HistogramDataPoint
from temporalio.client import Client

from benchmarks.figures import Result, result
from benchmarks.meter import reading
from benchmarks.system import RESTING_CHANNEL, People, System, feed, running
from kit import temporal
from workflows.starting import order_workflow_id

_EXPORT_MILLISECONDS = 500
_LONGEST_SECONDS = 30
_NOT_OF_AN_ORDER = ("PullEvents", "ListUnstarted")


async def measure(system: System) -> list[Result]:
    """An order that is placed and rests, and one that lives to its end."""
    with reading() as taken:
        async with _counting() as calls:
            environment = {
                "OTEL_EXPORTER_OTLP_ENDPOINT": calls.endpoint,
                "OTEL_METRIC_EXPORT_INTERVAL": str(_EXPORT_MILLISECONDS),
            }
            async with running(environment) as exporting, feed(exporting) as told:
                people = People(exporting, told)
                await people.live()  # what is asked only once, whatever the number of orders, is asked now
                before = await calls.told()
                await exporting.shop(RESTING_CHANNEL).place()
                placed = await calls.told()
                order_id, fulfilment_id = await people.live()
                lived = await calls.told()
                stack = exporting.stack
                client = await temporal.connect(stack.addresses["temporal"], "default", stack.keys.codec_keys)
                of_order = await events(client, order_workflow_id(order_id))
                of_fulfilment = await events(client, f"fulfilment/{fulfilment_id}")
    placement = placed - before
    del placement["ReceiveProviderEvent"]
    figures = {
        "history_events_order": of_order,
        "history_events_fulfilment": of_fulfilment,
        "grpc_calls": (lived - placed).total(),
        "grpc_calls_placement": placement.total(),
    }
    return [result(name, [value], taken.load) for name, value in figures.items()]


async def events(client: Client, workflow_id: str) -> int:
    """How many the history of a story has."""
    return len((await client.get_workflow_handle(workflow_id).fetch_history()).events)


class Calls:
    """How often each method of ours was called, as the processes that answered have told."""

    def __init__(self) -> None:
        self.endpoint = ""
        self._by_process: dict[str, Counter[str]] = {}
        self._exports = Counter[str]()
        self._exported = asyncio.Condition()

    async def told(self) -> Counter[str]:
        """The calls so far, once every process has told twice more and no call was new."""
        while True:
            due, seen = {name: exports + 2 for name, exports in self._exports.items()}, self._total()
            async with self._exported, asyncio.timeout(_LONGEST_SECONDS):
                while any(self._exports[name] < exports for name, exports in due.items()):
                    await self._exported.wait()
            if self._total() == seen:
                return seen

    async def take(self, process: str, calls: Counter[str]) -> None:
        """What a process has answered since it was started."""
        self._by_process[process] = calls
        self._exports[process] += 1
        async with self._exported:
            self._exported.notify_all()

    def _total(self) -> Counter[str]:
        return sum(self._by_process.values(), Counter[str]())


@asynccontextmanager
async def _counting() -> AsyncIterator[Calls]:
    calls, server = Calls(), grpc.aio.server()
    add_MetricsServiceServicer_to_server(_Metrics(calls), server)  # type: ignore[no-untyped-call]
    add_TraceServiceServicer_to_server(_Traces(), server)  # type: ignore[no-untyped-call]
    calls.endpoint = f"http://127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    await server.start()
    try:
        yield calls
    finally:
        await server.stop(0)


class _Metrics(MetricsServiceServicer):
    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    async def Export(
        self, request: metrics_pb.ExportMetricsServiceRequest, context: Any
    ) -> metrics_pb.ExportMetricsServiceResponse:
        for resource in request.resource_metrics:
            calls = Counter[str]()
            for scope in resource.scope_metrics:
                for metric in scope.metrics:
                    if metric.name == "rpc.server.call.duration":
                        calls += _counts(metric.histogram.data_points)
            if calls:
                await self._calls.take(_texts(resource.resource.attributes)["service.name"], calls)
        return metrics_pb.ExportMetricsServiceResponse()


class _Traces(TraceServiceServicer):
    """Thanks for them: who exports metrics exports traces too."""

    async def Export(
        self, request: trace_pb.ExportTraceServiceRequest, context: Any
    ) -> trace_pb.ExportTraceServiceResponse:
        return trace_pb.ExportTraceServiceResponse()


def _counts(points: Iterable[HistogramDataPoint]) -> Counter[str]:
    calls = Counter[str]()
    for point in points:
        labels = _texts(point.attributes)
        if labels["rpc.service"].startswith("oms.") and labels["rpc.method"] not in _NOT_OF_AN_ORDER:
            calls[labels["rpc.method"]] += point.count
    return calls


def _texts(attributes: Iterable[KeyValue]) -> dict[str, str]:
    return {one.key: one.value.string_value for one in attributes}
