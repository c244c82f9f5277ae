"""Tells workflows what happened, and starts those that carry out what was decided. Knows nothing of what they do.

In order within one workflow, in parallel over workflows. A signal carries the event's id, so that a workflow
that is told twice acts once; one that is started twice is started once, by its id.
"""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import timedelta

from opentelemetry import context, metrics, propagate
from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio.client import Client
from temporalio.common import SearchAttributeKey, SearchAttributePair, TypedSearchAttributes, WorkflowIDReusePolicy
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.service import RPCError, RPCStatusCode

from kit import telemetry, times
from kit.temporal import TASK_QUEUE
from services.relay import routes, store
from services.relay.domain import Event

_PARALLEL = 50
_TIMEOUT = timedelta(seconds=5)
_FIRST_BACKOFF_SECONDS, _LAST_BACKOFF_SECONDS = 0.1, 5.0
# Asking again would give the same answer.
_HOPELESS = frozenset({RPCStatusCode.NOT_FOUND, RPCStatusCode.INVALID_ARGUMENT})
# As in workflows/search_attributes.py.
ORDER_ID = SearchAttributeKey.for_keyword("OrderId")
_log = logging.getLogger(__name__)
_delay = metrics.get_meter("oms.relay").create_histogram(
    "oms.relay.signal.delay", unit="s", description="From an event to the workflow that was told of it"
)


class Signals:
    """The consumer that starts and wakes workflows."""

    name = "signals"
    gather_seconds = 0.03

    def __init__(self, engine: AsyncEngine, client: Client, task_queue: str = TASK_QUEUE) -> None:
        self._engine = engine
        self._client = client
        self._task_queue = task_queue
        self._slots = asyncio.Semaphore(_PARALLEL)

    async def take(self, source: str, after: int, events: Sequence[Event]) -> None:
        """Starts and wakes whom events are for, then moves the cursor. Returns only when all were told."""
        by_workflow: dict[str, list[Event]] = defaultdict(list)
        for event in events:
            if workflow_id := routes.workflow_of(event.type, event.subject, event.order_id):
                by_workflow[workflow_id].append(event)
        async with asyncio.TaskGroup() as group:
            for workflow_id, its_events in by_workflow.items():
                group.create_task(self._tell_all(workflow_id, its_events))
        async with self._engine.begin() as tx:
            await store.advance_cursor(tx, self.name, source, after, events[-1].sequence)

    async def _tell_all(self, workflow_id: str, events: Sequence[Event]) -> None:
        for event in events:
            with _in_the_trace_of(event):
                await self._tell(workflow_id, event)

    async def _tell(self, workflow_id: str, event: Event) -> None:
        backoff = _FIRST_BACKOFF_SECONDS
        while True:
            try:
                async with self._slots:
                    await self._start_or_signal(workflow_id, event)
                _delay.record((times.now() - event.occurred_at).total_seconds(), {"type": event.type})
                return
            except RPCError as error:
                if error.status in _HOPELESS and not _is_namespace_missing(error):
                    # Closed, or not started yet: a workflow asks for the state of its order before it acts, and
                    # the sweeper starts those that are missing. So nothing is lost.
                    _log.info("%s not told of %s: %s", workflow_id, event.type, error.status.name)
                    return
                _log.warning("%s not told of %s yet: %s", workflow_id, event.type, error.status.name)
            except RuntimeError:
                # So says the client while it has never been connected.
                _log.warning("%s not told of %s yet: no connection", workflow_id, event.type)
            await asyncio.sleep(backoff)
            backoff = min(backoff * 2, _LAST_BACKOFF_SECONDS)

    async def _start_or_signal(self, workflow_id: str, event: Event) -> None:
        if workflow := routes.STARTING.get(event.type):
            with suppress(WorkflowAlreadyStartedError):
                await self._client.start_workflow(
                    workflow,
                    dict(event.data),
                    id=workflow_id,
                    task_queue=self._task_queue,
                    id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE,
                    search_attributes=TypedSearchAttributes([SearchAttributePair(ORDER_ID, event.order_id)]),
                    rpc_timeout=_TIMEOUT,
                )
            return
        happening = {"event_id": event.event_id, "type": event.type, "data": dict(event.data)}
        handle = self._client.get_workflow_handle(workflow_id)
        await handle.signal(routes.SIGNAL, happening, rpc_timeout=_TIMEOUT)


def _is_namespace_missing(error: RPCError) -> bool:
    """A server that is still being set up says NOT_FOUND too."""
    return any(detail.type_url.endswith("NamespaceNotFoundFailure") for detail in error.grpc_status.details)


@contextmanager
def _in_the_trace_of(event: Event) -> Iterator[None]:
    """What is done inside belongs to the trace of the transaction that wrote the event."""
    token = context.attach(propagate.extract({"traceparent": event.traceparent}))
    try:
        with telemetry.about_order(event.order_id):
            yield
    finally:
        context.detach(token)
