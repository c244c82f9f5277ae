"""Whether an order placed now would be worked on: every service serves, and workers poll the task queue."""

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from temporalio.api.enums.v1 import TaskQueueType
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest
from temporalio.service import RPCError

from services.gateway.clients import Clients

_KEPT_SECONDS = 1.0
# A worker that waits for work asks again at least once a minute; the server remembers dead ones longer.
_POLLER_FRESH = timedelta(seconds=90)


class Readiness:
    """Looks at most once a second, however often it is asked."""

    def __init__(self, clients: Clients, task_queue: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._clients = clients
        self._task_queue = task_queue
        self._clock = clock
        self._lock = asyncio.Lock()
        self._missing: list[str] = []
        self._looked_at = float("-inf")

    async def missing(self) -> list[str]:
        """What keeps the system from working; empty when it is ready."""
        async with self._lock:
            if self._clock() - self._looked_at >= _KEPT_SECONDS:
                away, polled = await asyncio.gather(self._clients.not_serving(), self._polled())
                self._missing = away + ([] if polled else ["worker"])
                self._looked_at = self._clock()
        return self._missing

    async def _polled(self) -> bool:
        temporal = self._clients.temporal
        request = DescribeTaskQueueRequest(
            namespace=temporal.namespace,
            task_queue=TaskQueue(name=self._task_queue),
            task_queue_type=TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW,
        )
        try:
            queue = await temporal.workflow_service.describe_task_queue(request, timeout=timedelta(seconds=1))
        except (RPCError, RuntimeError):  # RuntimeError: the lazy client could not connect
            return False
        oldest = datetime.now(UTC) - _POLLER_FRESH
        return any(poller.last_access_time.ToDatetime(UTC) >= oldest for poller in queue.pollers)
