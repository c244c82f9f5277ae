"""What became of a refund, as payments' operations and tasks tell.

Each operation that failed is a task; one that was resolved is an operation again, with the task as its cause.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from kit.errors import Unavailable
from oms.payments.v1 import payments_service_pb2 as pb
from workflows.messages import RefundAnswer

_UNSETTLED = (pb.OPERATION_STATE_INTENDED, pb.OPERATION_STATE_UNKNOWN)


@dataclass(frozen=True)
class RefundOperations:
    """The operations and tasks of an order, looked at for one cause."""

    cause: str
    operations: Iterable[pb.Operation]
    tasks: Iterable[pb.Task]

    def open_tasks(self) -> list[pb.Task]:
        """What of it waits for a person."""
        tasks = {task.operation_id: task for task in self.tasks}
        return [tasks[one.operation_id] for one in self._last() if one.operation_id in tasks]

    def outcome(self) -> RefundAnswer:
        """`succeeded` when all of it was given back. Raises Unavailable while something is under way."""
        last = list(self._last())
        if any(one.state in _UNSETTLED for one in last):
            raise Unavailable("REFUND_PENDING", "the provider's answer is not known yet")
        failed = [one for one in last if one.state == pb.OPERATION_STATE_FAILED]
        return RefundAnswer("failed", failed[0].failure_code) if failed else RefundAnswer("succeeded")

    def _last(self, cause: str = "") -> Iterator[pb.Operation]:
        """The operations that stand for it now: of a failed one whose task was resolved, what that made."""
        resolved = {task.operation_id: task for task in self.tasks if task.resolution}
        for one in self.operations:
            if one.cause != (cause or self.cause):
                continue
            if task := resolved.get(one.operation_id):
                yield from self._last(f"task/{task.task_id}")
            else:
                yield one
