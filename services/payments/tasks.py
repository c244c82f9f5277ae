"""The work of people on money: what a provider could not give back, and how somebody did."""

from collections.abc import Callable, Sequence
from datetime import datetime

from kit import db, requests
from kit.db import AsyncEngine
from kit.errors import NotFound
from kit.feed import Bell
from kit.values.ids import new_id
from services.payments import books, store
from services.payments.commands import Resolve, content
from services.payments.domain import rules, tasks
from services.payments.domain.tasks import Task
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
        """The amount is refunded by the operation that this makes. Raises TASK_NOT_FOUND, TASK_RESOLVED."""
        resolution = tasks.check_resolution(asked.resolution, asked.reference)
        async with self._engine.begin() as tx:
            first = await requests.first_answer(tx, asked.request_id, content("resolve_task", asked))
            known = await store.read_task(tx, asked.task_id)
            if known is None:
                raise NotFound("TASK_NOT_FOUND", "no such task", task_id=asked.task_id)
            payment = await store.lock_payment(tx, known.order_id)
            assert payment is not None  # tasks reference their payment
            task = await store.read_task(tx, asked.task_id)
            assert task is not None  # tasks are never deleted
            if first is not None:
                return task
            intent = rules.Intent(new_id("pop"), asked.request_id, "", asked.actor, self._clock())
            task, tender, operation = tasks.resolve(
                task, payment.tender(task.tender_id), resolution, asked.reference, asked.note, intent
            )
            await store.save_task(tx, task)
            payment = await books.save(tx, payment, tender)
            payment = await books.record(tx, payment, [operation])
            await books.tell_of_task(tx, task)
            await requests.remember(tx, asked.request_id, {"operation_ids": [operation.operation_id]})
        self._bell.ring()
        if operation.unsettled:
            await self._runner.run(payment, [operation])
        return task
