"""The process that runs bare workflows, made like the worker of the stories."""

import uvloop
from temporalio.worker import Worker

from benchmarks.peers.bare import TASK_QUEUE, Bare, EmptySteps
from kit import rpc, telemetry, temporal
from kit.settings import Settings
from workflows.sandbox import sandbox


class BareSettings(Settings):
    """Where the server is."""

    temporal_address: str
    codec_keys: str


async def run(settings: BareSettings) -> None:
    """Polls until told to stop; health is SERVING while it does."""
    client = await temporal.connect(settings.temporal_address, "default", settings.codec_keys)
    steps = EmptySteps()
    worker = Worker(
        client,
        task_queue=TASK_QUEUE,
        workflows=[Bare],
        activities=[steps.plan_order, steps.reserve, steps.authorize, steps.confirm_hold, steps.accept_order],
        workflow_runner=sandbox(),
        max_concurrent_local_activities=200,
    )
    await rpc.serve(settings.listen, lambda server: None, background=[worker.run], ready=lambda: worker.is_running)


if __name__ == "__main__":
    telemetry.start("bare_worker")
    uvloop.run(run(BareSettings.model_validate({})))
