"""Every process of ours runs twice: one of the two may die, or a whole half be taken away, and orders go on."""

import asyncio
from collections.abc import Iterator
from contextlib import AsyncExitStack

import psutil
import pytest
from temporalio.api.enums.v1 import TaskQueueType
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest

from deploy.local.processes import GRPC_SERVICES, PROCESSES
from kit import temporal
from tests.end_to_end.crowd import Crowd
from tests.end_to_end.own import TEST_SECONDS, System, running_system
from tests.stack import SharedStack

pytestmark = [pytest.mark.attack, pytest.mark.timeout(TEST_SECONDS)]

DOUBLED = [process.name for process in PROCESSES if process.replicated]
ORDERS = 4


class SecondDoor(SharedStack):
    """The same system for those who use its second gateway."""

    def __init__(self, first: SharedStack) -> None:
        super().__init__(first.stack, first._loop)

    @property
    def gateway_url(self) -> str:
        return f"http://{self.stack.listen_address('gateway-2')}"


@pytest.fixture(scope="module")
def system() -> Iterator[System]:
    with running_system(replicas=2) as running:
        yield running


async def test_orders_go_on_while_one_of_two_dies_and_while_half_of_all_is_away(system: System) -> None:
    stack = system.stack
    first, second = ([stack.stack.replica_names(name)[number] for name in DOUBLED] for number in (0, 1))
    doors = (stack, SecondDoor(stack))
    async with AsyncExitStack() as people:
        crowds = [
            await people.enter_async_context(Crowd(door, system.hooks, seed=500 + number, customers=2))
            for number, door in enumerate(doors)
        ]
        placing = asyncio.gather(*(crowd.place(ORDERS) for crowd in crowds))
        await asyncio.gather(*(crowd.until_placed(1) for crowd in crowds))
        await everyone_is_worked_with(stack)

        for replica in second:
            await asyncio.gather(crowds[0].place(1), stack.kill(replica))
        await asyncio.gather(*(stack.wait_ready(replica) for replica in second))
        await asyncio.gather(*(stack.hold(replica) for replica in first))
        await crowds[1].place(2)  # on the other half alone
        await asyncio.gather(*(stack.release(replica) for replica in first))

        await placing
        for crowd in crowds:
            await crowd.finish()
            await crowd.verify()


async def everyone_is_worked_with(stack: SharedStack) -> None:
    """Not only the first of each: callers hold connections to both services, both workers wait for work."""
    async with asyncio.timeout(30):
        while without := _uncalled(stack) | await _not_polling(stack):
            assert without < set(stack.stack.supervisor.pids())
            await asyncio.sleep(0.2)


def _uncalled(stack: SharedStack) -> set[str]:
    ours = set(stack.stack.supervisor.pids().values())
    called = {
        getattr(connection.raddr, "port", 0)
        for connection in psutil.net_connections("tcp")
        if connection.pid in ours and connection.status == psutil.CONN_ESTABLISHED
    }
    replicas = {replica for name in GRPC_SERVICES for replica in stack.stack.replica_names(name)}
    return {name for name in replicas if int(stack.stack.listen_address(name).rpartition(":")[2]) not in called}


async def _not_polling(stack: SharedStack) -> set[str]:
    client = await temporal.connect(stack.addresses["temporal"], "default", stack.stack.keys.codec_keys)
    request = DescribeTaskQueueRequest(
        namespace=client.namespace,
        task_queue=TaskQueue(name=temporal.TASK_QUEUE),
        task_queue_type=TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW,
    )
    queue = await client.workflow_service.describe_task_queue(request)
    polling = {int(poller.identity.partition("@")[0]) for poller in queue.pollers}
    pids = stack.stack.supervisor.pids()
    return {replica for replica in stack.stack.replica_names("worker") if pids.get(replica) not in polling}
