"""A workflow that does nothing, in a file of its own: the sandbox loads it without the benchmark around it."""

from temporalio import activity, workflow

with workflow.unsafe.imports_passed_through():
    from workflows import policies

# plan, reserve, authorise, confirm, accept
STEPS_OF_PLACEMENT = 5
TASK_QUEUE = "bare"


@activity.defn
async def nothing(step: int) -> int:
    """A step that costs nothing."""
    return step


@workflow.defn
class Bare:
    """What Temporal alone costs for a placement."""

    def __init__(self) -> None:
        self._done = False

    @workflow.run
    async def run(self) -> None:
        """The steps, one after the other."""
        for step in range(STEPS_OF_PLACEMENT):
            await workflow.execute_local_activity(nothing, step, schedule_to_close_timeout=policies.LOCAL_TOTAL)
        self._done = True
        await workflow.wait_condition(workflow.all_handlers_finished)

    @workflow.update
    async def placed(self) -> bool:
        """Waits for the steps."""
        await workflow.wait_condition(lambda: self._done)
        return True
