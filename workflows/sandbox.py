"""Where stories run: what is not deterministic fails there."""

from dataclasses import dataclass
from pkgutil import iter_modules

from temporalio.converter import SerializationContext, StorageDriverStoreContext
from temporalio.worker import WorkflowInstance, WorkflowInstanceDetails
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner, SandboxRestrictions

from workflows import __path__

# Loaded again for each run, under the sandbox's eyes: what holds the stories themselves.
_STORIES = tuple(f"workflows.{name}" for name in ("appointment", "fulfilment", "order", "refund", "restocking"))
# Our other modules are pure, and loaded once: 10 ms of CPU for a run instead of 50.
_PURE = ("kit", *(one.name for one in iter_modules(__path__, "workflows.") if one.name not in _STORIES))


def sandbox() -> SandboxedWorkflowRunner:
    """For a worker or a replayer."""
    return _Sandbox(restrictions=SandboxRestrictions.default.with_passthrough_modules(*_PURE))


@dataclass(frozen=True)
class _Sandbox(SandboxedWorkflowRunner):
    """For a converter that treats every payload alike (ours does).

    The worker enters the sandbox several times for each payload to ask in whose context it is written; with an
    answer of ours it need not: some 4 ms of CPU for an order.
    """

    def create_instance(self, det: WorkflowInstanceDetails) -> WorkflowInstance:
        instance = super().create_instance(det)
        instance.get_serialization_context = _no_context  # type: ignore[method-assign]
        instance.get_external_store_context = _no_store  # type: ignore[method-assign]
        return instance


def _no_context(command_info: object) -> SerializationContext | None:
    return None


def _no_store(command_info: object) -> StorageDriverStoreContext:
    return StorageDriverStoreContext()
