"""Failures of steps, ordered by a test: before the step acts, after it, or the step taken twice."""

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine
from enum import StrEnum
from typing import Any

from temporalio import activity, workflow
from temporalio.exceptions import ApplicationError
from temporalio.worker import (
    ActivityInboundInterceptor,
    ExecuteActivityInput,
    Interceptor,
    StartLocalActivityInput,
    WorkflowInboundInterceptor,
    WorkflowInterceptorClassInput,
    WorkflowOutboundInterceptor,
)

from workflows import policies


class Fault(StrEnum):
    """How a step goes wrong."""

    FAILS_ONCE = "fails once"
    ANSWER_LOST = "acts, but its answer is lost"
    TAKEN_TWICE = "is taken twice"
    TASK_LOST = "acts, and the workflow task is lost: it is run again with all that happened meanwhile"
    ANSWER_LATE = "acts, and much happens before its answer comes"
    TAKES_LONG = "takes longer than a local activity may"
    FAILS_FOR_GOOD = "fails for good"
    ACTS_AND_FAILS_FOR_GOOD = "acts, then fails for good"


class Faults(Interceptor):
    """Installed in the worker; each fault happens to the order it was meant for, as often as it was planned."""

    def __init__(self) -> None:
        self._planned: dict[tuple[str, str], list[Fault]] = {}
        self._meanwhile: dict[str, Callable[[], Coroutine[Any, Any, None]]] = {}
        self._happening: dict[str, asyncio.Task[None]] = {}
        self._losing: set[str] = set()
        self.seen: Counter[tuple[str, str]] = Counter()

    def plan(
        self,
        order_id: str,
        step: str,
        fault: Fault,
        meanwhile: Callable[[], Coroutine[Any, Any, None]] | None = None,
        times: int = 1,
    ) -> None:
        """The next times the order takes this step, it goes wrong; `meanwhile` happens, once, as it has acted."""
        self._planned[order_id, step] = [fault] * times
        if meanwhile:
            self._meanwhile[order_id] = meanwhile

    def is_spent(self, order_id: str) -> bool:
        """Whether every fault planned for the order has happened."""
        return not any(planned == order_id for planned, _ in self._planned)

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:
        return _Faulty(next, self)

    def workflow_interceptor_class(
        self, input: WorkflowInterceptorClassInput
    ) -> type[WorkflowInboundInterceptor] | None:
        input.unsafe_extern_functions["is_task_lost"] = self._is_task_lost
        return _LosesTasks

    def take(self, order_id: str, step: str) -> Fault | None:
        self.seen[order_id, step] += 1
        faults = self._planned.get((order_id, step))
        if faults is None:
            return None
        fault = faults.pop()
        if not faults:
            del self._planned[order_id, step]
        return fault

    async def let_happen(self, order_id: str) -> None:
        """What is planned for the time between the step, of whichever story, and what that knows of it."""
        if meanwhile := self._meanwhile.pop(order_id, None):
            self._happening[order_id] = asyncio.create_task(meanwhile())
        if order_id in self._happening:
            await self._happening[order_id]

    def lose_task(self, workflow_id: str) -> None:
        """Before its next step."""
        self._losing.add(workflow_id)

    def _is_task_lost(self, workflow_id: str) -> bool:
        is_lost = workflow_id in self._losing
        self._losing.discard(workflow_id)
        return is_lost


class _Faulty(ActivityInboundInterceptor):
    def __init__(self, next: ActivityInboundInterceptor, faults: Faults) -> None:
        super().__init__(next)
        self._faults = faults

    async def execute_activity(self, input: ExecuteActivityInput) -> Any:
        step = activity.info().activity_type
        fault = self._faults.take(input.args[0].order_id, step)
        if fault is Fault.FAILS_ONCE:
            raise ApplicationError("planned", type="PLANNED")
        if fault is Fault.FAILS_FOR_GOOD:
            raise ApplicationError("planned", type="PLANNED", non_retryable=True)
        if fault is Fault.TAKES_LONG:
            await asyncio.sleep(policies.LOCAL_TOTAL.total_seconds() + 1)
        answer = await self.next.execute_activity(input)
        if fault is Fault.ANSWER_LOST:
            raise ApplicationError("planned", type="PLANNED")
        if fault is Fault.ACTS_AND_FAILS_FOR_GOOD:
            raise ApplicationError("planned", type="PLANNED", non_retryable=True)
        if fault is Fault.TAKEN_TWICE:
            return await self.next.execute_activity(input)
        if fault in (Fault.TASK_LOST, Fault.ANSWER_LATE):
            await self._faults.let_happen(input.args[0].order_id)
        if fault is Fault.TASK_LOST:
            workflow_id = activity.info().workflow_id
            assert workflow_id
            self._faults.lose_task(workflow_id)
        return answer


class _LosesTasks(WorkflowInboundInterceptor):
    def init(self, outbound: WorkflowOutboundInterceptor) -> None:
        super().init(_LosesTasksAtSteps(outbound))


class _LosesTasksAtSteps(WorkflowOutboundInterceptor):
    def start_local_activity(self, input: StartLocalActivityInput) -> workflow.ActivityHandle[Any]:
        if workflow.extern_functions()["is_task_lost"](workflow.info().workflow_id):
            raise RuntimeError("planned: this workflow task is lost")
        return self.next.start_local_activity(input)
