"""Where stories run: what is not deterministic fails there."""

from dataclasses import dataclass

from temporalio.converter import SerializationContext, StorageDriverStoreContext
from temporalio.worker import WorkflowInstance, WorkflowInstanceDetails
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner, SandboxRestrictions

# Our own pure modules are not loaded again for each run: 10 ms of CPU for a run instead of 50.
_PURE = (
    "kit",
    "workflows.amending",
    "workflows.attention",
    "workflows.calls",
    "workflows.capturing",
    "workflows.collecting",
    "workflows.collection_messages",
    "workflows.messages",
    "workflows.offer_messages",
    "workflows.offering",
    "workflows.paying_ahead",
    "workflows.policies",
    "workflows.refusing",
    "workflows.search_attributes",
    "workflows.supply_messages",
    "workflows.taking",
    "workflows.trying",
    "workflows.waiting",
)


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
