"""The work of people on money."""

from typing import Annotated

from fastapi import Query

from kit.errors import InvalidArgument
from oms.payments.v1 import payments_service_pb2 as payments
from services.gateway import access, reading
from services.gateway.guard import CallerIs, ClientsAre
from services.gateway.routes.common import OptionalKey, TaskId, act_id, router
from services.gateway.schemas.base import Page
from services.gateway.schemas.payment_tasks import PaymentTaskView, ResolveTask, TaskFilters
from services.gateway.wire import message, plain

payment_tasks_router = router("payments")


@payment_tasks_router.get("/payment-tasks")
async def list_tasks(
    filters: Annotated[TaskFilters, Query()], caller: CallerIs, clients: ClientsAre
) -> Page[PaymentTaskView]:
    """List what only a person can do about money, newest first: refunds that a provider could not make."""
    if access.brands_seen(caller) is not None:
        if filters.order_id is None:
            raise InvalidArgument("order_id", "a token limited to brands reads the tasks of one order")
        await reading.check_visible(clients, caller, filters.order_id)
    values = {"order_id": filters.order_id, "state": filters.state, "page": filters.page}
    found = await clients.read(clients.payments.ListTasks, message(payments.ListTasksRequest, values))
    return Page(
        items=[PaymentTaskView.model_validate(plain(one)) for one in found.tasks],
        next_cursor=found.page.next_cursor or None,
    )


@payment_tasks_router.post("/payment-tasks/{task_id}/resolve")
async def resolve_task(
    task_id: TaskId, body: ResolveTask, caller: CallerIs, clients: ClientsAre, key: OptionalKey = None
) -> PaymentTaskView:
    """Say how the money was given back, or have the provider asked again. 409 TASK_RESOLVED when somebody did."""
    access.check_all_brands(caller)
    values = {
        "request_id": act_id("resolve-task", task_id, caller, body, key),
        "task_id": task_id,
        "actor": caller.subject,
        **body.model_dump(),
    }
    answer = await clients.act(clients.payments.ResolveTask, message(payments.ResolveTaskRequest, values))
    return PaymentTaskView.model_validate(plain(answer.task))
