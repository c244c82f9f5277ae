"""The work of people on money: what a provider could not give back, and disputes."""

from collections.abc import Callable, Sequence
from datetime import datetime

from kit import db, requests
from kit.db import AsyncConnection, AsyncEngine
from kit.errors import NotFound
from kit.feed import Bell
from kit.values.ids import new_id
from services.payments import books, store
from services.payments.commands import Resolve, content
from services.payments.domain import rules, tasks
from services.payments.domain.model import Operation, Payment
from services.payments.domain.tasks import Task, TaskKind
from services.payments.runner import Runner


class Tasks:
    """Reads tasks and resolves them; only open ones can be."""

    def __init__(self, engine: AsyncEngine, bell: Bell, runner: Runner, clock: Callable[[], datetime]) -> None:
        self._engine = engine
        self._bell = bell
        self._runner = runner
        self._clock = clock

    async def list_tasks(
        self, order_id: str, is_open: bool | None, after: tuple[datetime, str] | None, size: int
    ) -> tuple[Sequence[Task], bool]:
        """A page, newest first, and whether there are more."""
        async with db.single(self._engine).connect() as tx:
            rows = await store.list_tasks(tx, order_id, is_open, after, size + 1)
        return rows[:size], len(rows) > size

    async def resolve(self, asked: Resolve) -> Task:
        """What was not given back is refunded by the operation that this makes.

        Raises TASK_NOT_FOUND, TASK_RESOLVED.
        """
        operations: list[Operation] = []
        async with self._engine.begin() as tx:
            first = await requests.first_answer(tx, asked.request_id, content("resolve_task", asked))
            payment, task = await self._locked(tx, asked.task_id)
            if first is not None:
                return task
            resolution = tasks.check_resolution(task.kind, asked.resolution, asked.reference)
            task = tasks.close(task, resolution, asked.reference, asked.note, asked.actor, self._clock())
            await store.save_task(tx, task)
            await books.tell_of_task(tx, task)
            if task.kind is TaskKind.REFUND_FAILED:
                intent = rules.Intent(new_id("pop"), asked.request_id, "", asked.actor, self._clock())
                tender, operation = tasks.give_back(task, payment.tender(task.tender_id), intent)
                operations.append(operation)
                payment = await books.record(tx, await books.save(tx, payment, tender), operations)
            await requests.remember(tx, asked.request_id, {})
        self._bell.ring()
        await self._runner.run(payment, [one for one in operations if one.unsettled])
        return task

    async def _locked(self, tx: AsyncConnection, task_id: str) -> tuple[Payment, Task]:
        """The task as it is under its payment's lock."""
        known = await store.read_task(tx, task_id)
        if known is None:
            raise NotFound("TASK_NOT_FOUND", "no such task", task_id=task_id)
        payment = await store.lock_payment(tx, known.order_id)
        task = await store.read_task(tx, task_id)
        assert payment is not None  # payments are never deleted
        assert task is not None  # nor are tasks
        return payment, task
