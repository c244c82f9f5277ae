"""Placements without services on the server of a system: what Temporal alone costs, to compare with."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import uuid4

from temporalio.client import Client, WithStartWorkflowOperation
from temporalio.common import WorkflowIDConflictPolicy
from temporalio.service import RPCError

from benchmarks.peers.bare import TASK_QUEUE, Bare, order
from benchmarks.system import Peer, System, peer
from kit import temporal


class BareWorkflows:
    """Starts them, as the gateway starts stories: update-with-start, waiting for the outcome."""

    def __init__(self, client: Client, worker: Peer) -> None:
        self._client = client
        self.worker = worker

    async def run(self) -> None:
        """One, until its steps are done."""
        start = WithStartWorkflowOperation(
            Bare.run,
            order(f"ord_{(workflow_id := uuid4().hex)}"),
            id=workflow_id,
            task_queue=TASK_QUEUE,
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
        )
        try:
            await self._client.execute_update_with_start_workflow(Bare.placed, start_workflow_operation=start)
        except RPCError:
            # Asked twice by the client, a busy server says so, as it does to the gateway: it runs all the same.
            await self._client.get_workflow_handle_for(Bare.run, workflow_id).result()


@asynccontextmanager
async def bare_workflows(system: System) -> AsyncIterator[BareWorkflows]:
    """A worker process for them, and a client with the same codec as ours."""
    address, keys = system.stack.addresses["temporal"], system.stack.keys.codec_keys
    environment = {"OMS_TEMPORAL_ADDRESS": address, "OMS_CODEC_KEYS": keys}
    async with peer(system, "bare_worker", environment) as worker:
        client = await temporal.connect(address, "default", keys)
        yield BareWorkflows(client, worker)
