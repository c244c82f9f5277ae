"""What the workflow server says of running stories: which run, and which of them cannot go on by themselves.

Reads only. Of a failure it tells the kind and the place in the code, never words that may quote personal data.
"""

import asyncio
import base64
import binascii
import re
import zlib
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar

from temporalio.api.common.v1 import WorkflowExecution as Execution
from temporalio.api.enums.v1 import EventType, WorkflowTaskFailedCause
from temporalio.api.history.v1 import HistoryEvent
from temporalio.api.workflowservice.v1 import (
    DescribeNamespaceRequest,
    GetWorkflowExecutionHistoryReverseRequest,
)
from temporalio.client import Client, WorkflowExecution, WorkflowExecutionStatus
from temporalio.common import SearchAttributeKey
from temporalio.exceptions import FailureError
from temporalio.service import RPCError, RPCStatusCode

from kit.errors import InvalidArgument, Unavailable
from services.gateway.schemas.checks import Which
from workflows.search_attributes import ORDER_ID
from workflows.starting import order_workflow_id

RUNNING = WorkflowExecutionStatus.RUNNING.name
_AT_ONCE = 16
_TIMEOUT = timedelta(seconds=5)
# The server's own: set while the tasks of a workflow fail one after the other, gone with the first that does not.
_PROBLEMS = SearchAttributeKey.for_keyword_list("TemporalReportedProblems")
_NEWEST_EVENTS = 50
_FAILED = EventType.EVENT_TYPE_WORKFLOW_TASK_FAILED
_TASK_ENDS = (
    EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED,
    EventType.EVENT_TYPE_WORKFLOW_TASK_TIMED_OUT,
    _FAILED,
)
_OTHER_WAY = WorkflowTaskFailedCause.WORKFLOW_TASK_FAILED_CAUSE_NON_DETERMINISTIC_ERROR
_FRAME = re.compile(r'File "(?:.*/site-packages/|.*/(?=workflows/))?([^"]+)", line (\d+), in (\S+)')
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class FailingStory:
    """A story whose steps fail in its own code, tried again without end. `order_id` is empty where it has none."""

    workflow_id: str
    order_id: str
    failure: str


async def failing_page(temporal: Client, which: Which) -> tuple[list[FailingStory], bytes | None]:
    """Those that fail, of all or of these orders. Unavailable when the server does not keep them apart."""
    asked = DescribeNamespaceRequest(namespace=temporal.namespace)
    namespace = await _answered(temporal.workflow_service.describe_namespace(asked, timeout=_TIMEOUT))
    if not namespace.namespace_info.capabilities.reported_problems_search_attribute:
        raise Unavailable("PROBLEMS_NOT_REPORTED", f"the workflow server does not set {_PROBLEMS.name}")
    query = f"{_PROBLEMS.name} IS NOT NULL"
    if which.order_id:
        # No id has a quote in it: LongId.
        ids = ", ".join(f"'{one}'" for one in which.order_id)
        query += f" AND {ORDER_ID.name} IN ({ids})"
    page, token = await running_page(temporal, query, which.size, token_of(which))
    gate = asyncio.Semaphore(_AT_ONCE)
    told = await asyncio.gather(*(_failing(temporal, one, gate) for one in page))
    return [one for one in told if one], token


async def _failing(temporal: Client, one: WorkflowExecution, gate: asyncio.Semaphore) -> FailingStory | None:
    """None when it goes on again: the list lags a little behind the histories."""
    asked = GetWorkflowExecutionHistoryReverseRequest(
        namespace=temporal.namespace,
        execution=Execution(workflow_id=one.id, run_id=one.run_id),
        maximum_page_size=_NEWEST_EVENTS,
    )
    async with gate:
        try:
            found = await _answered(
                temporal.workflow_service.get_workflow_execution_history_reverse(asked, timeout=_TIMEOUT)
            )
        except RPCError:
            return None
    # Only the first failure of a row is an event; what came in since then stands above it.
    last = next((event for event in found.history.events if event.event_type in _TASK_ENDS), None)
    if last and last.event_type == EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED:
        return None
    problems = one.typed_search_attributes.get(_PROBLEMS) or ()
    causes = [each.rpartition("Cause")[2] for each in problems if each.startswith("cause=")]
    failure = ", ".join(causes) or "fails"
    if last:
        since = last.event_time.ToDatetime().isoformat(timespec="seconds")
        failure = ": ".join(filter(None, (f"since {since}Z {failure}", await _what_failed(temporal, last))))
    return FailingStory(one.id, one.typed_search_attributes.get(ORDER_ID) or "", failure)


async def _what_failed(temporal: Client, event: HistoryEvent) -> str:
    """Another way than the history's: which step, in the words of the SDK, which knows no values. Else where."""
    if event.event_type != _FAILED:
        return ""
    failed = event.workflow_task_failed_event_attributes
    kind = failed.failure.application_failure_info.type
    try:
        error = await temporal.data_converter.decode_failure(failed.failure)
    except ValueError:
        # Sealed with a key that is not ours.
        return kind
    if failed.cause == _OTHER_WAY:
        return str(error).partition("\n")[0]
    trace = error.failure.stack_trace if isinstance(error, FailureError) and error.failure else ""
    frames = _FRAME.findall(trace)
    return " in ".join(filter(None, (kind, "{}:{} {}".format(*frames[-1]) if frames else "")))


async def states_of(temporal: Client, order_ids: Sequence[str]) -> dict[str, str]:
    """By order: RUNNING, COMPLETED...; NONE where there is no workflow. Asked one by one: a list may lag."""
    gate = asyncio.Semaphore(_AT_ONCE)

    async def state(order_id: str) -> str:
        async with gate:
            handle = temporal.get_workflow_handle(order_workflow_id(order_id))
            try:
                found = await _answered(handle.describe(rpc_timeout=_TIMEOUT))
            except RPCError as error:
                if error.status is RPCStatusCode.NOT_FOUND:
                    return "NONE"
                raise
        return found.status.name if found.status else "NONE"

    return dict(zip(order_ids, await asyncio.gather(*map(state, order_ids)), strict=True))


async def count_running(temporal: Client) -> int:
    """How many stories run."""
    counted = await _answered(temporal.count_workflows("ExecutionStatus = 'Running'", rpc_timeout=_TIMEOUT))
    return counted.count


async def running_page(
    temporal: Client, which: str, size: int, token: bytes | None = None
) -> tuple[Sequence[WorkflowExecution], bytes | None]:
    """The next page of running workflows of which `which` holds, and how to go on."""
    query = f"ExecutionStatus = 'Running' AND {which}"
    listed = temporal.list_workflows(query, page_size=size, next_page_token=token, rpc_timeout=_TIMEOUT)
    try:
        await _answered(listed.fetch_next_page())
    except RPCError:
        raise InvalidArgument("cursor", "not a cursor of this list") from None
    return listed.current_page or (), listed.next_page_token


# The workflow server takes a token that it never gave for a fault of its own: a check sum tells us first.
_SUM_BYTES = 4


def cursor_of(token: bytes | None) -> str | None:
    """What a caller goes on with."""
    return base64.urlsafe_b64encode(token + _sum(token)).decode() if token else None


def token_of(which: Which) -> bytes | None:
    """What the workflow server goes on with. InvalidArgument when the cursor is of another list."""
    if not which.cursor:
        return None
    try:
        whole = base64.b64decode(which.cursor, altchars=b"-_", validate=True)
    except (ValueError, binascii.Error):
        whole = b""
    token, found = whole[:-_SUM_BYTES], whole[-_SUM_BYTES:]
    if not token or found != _sum(token):
        raise InvalidArgument("cursor", "not a cursor of this list")
    return token


def _sum(token: bytes) -> bytes:
    return zlib.crc32(token).to_bytes(_SUM_BYTES, "big")


async def _answered(call: Awaitable[T]) -> T:
    """What the workflow server answers, a refusal of the request included; Unavailable when it does not answer."""
    try:
        return await call
    except RPCError as error:
        if error.status in (RPCStatusCode.NOT_FOUND, RPCStatusCode.INVALID_ARGUMENT):
            raise
        reason = error.status.name
    except RuntimeError:
        # So says the client while it has never been connected.
        reason = "no connection"
    raise Unavailable("WORKFLOWS_UNAVAILABLE", f"the workflow server does not answer: {reason}")
