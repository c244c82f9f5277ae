"""A refund that the provider cannot make is somebody's task, and stays owed until it is done."""

import asyncio

import pytest

from kit.errors import FailedPrecondition, InvalidArgument, NotFound
from kit.values.ids import new_id
from services.payments.commands import Resolve
from services.payments.domain.model import State
from services.payments.domain.tasks import Resolution, Task, TaskKind
from tests.services.payments.world import World, move, unwind


async def refused(world: World, minor: int = 6_000) -> Task:
    """The task of a refund of an order of 100 of which 60 were captured."""
    await world.pay(10_000)
    await world.service.capture(move(world.order_id, 6_000))
    world.provider.fault("refund", "decline", order_id=world.order_id)
    done = await world.service.refund(move(world.order_id, minor))
    assert (done.state, done.failure_code) == (State.FAILED, "refund_refused")
    return await only(world)


async def only(world: World, *, is_open: bool | None = True) -> Task:
    ((task,), more) = await world.service.tasks.list_tasks(world.order_id, is_open, None, 50)
    assert not more
    return task


def by(task: Task, resolution: Resolution | None, reference: str = "", key: str = "") -> Resolve:
    return Resolve(key or new_id("req"), task.task_id, resolution, reference, "card closed", "anna")


async def test_what_could_not_be_given_back_stays_owed(world: World) -> None:
    task = await refused(world, 4_000)
    assert (task.kind, task.amount_minor, task.reason) == (TaskKind.REFUND_FAILED, 4_000, "refund_refused")
    assert (await world.tender()).owed == 4_000
    with pytest.raises(FailedPrecondition) as refusal:
        await world.service.refund(move(world.order_id, 2_001))
    assert (refusal.value.reason, refusal.value.facts["available_minor"]) == ("REFUND_EXCEEDS_CAPTURE", 2_000)
    assert await world.event_types() == ["payment.captured", "task.opened"]
    await world.assert_books_agree()


async def test_the_provider_is_asked_once_more(world: World) -> None:
    task = await refused(world)
    done = await world.service.tasks.resolve(by(task, Resolution.RETRY))
    assert (done.resolution, done.actor) == (Resolution.RETRY, "anna")
    assert await world.totals() == (10_000, 6_000, 0, 6_000)
    assert (await world.tender()).owed == 0
    await world.assert_books_agree()


async def test_a_retry_that_fails_again_is_another_task(world: World) -> None:
    task = await refused(world)
    world.provider.fault("refund", "decline", order_id=world.order_id)
    await world.service.tasks.resolve(by(task, Resolution.RETRY))
    assert (await only(world)).task_id != task.task_id
    assert (await world.tender()).owed == 6_000
    await world.assert_books_agree()


async def test_somebody_gave_it_back_in_another_way(world: World) -> None:
    task = await refused(world)
    asked = by(task, Resolution.CREDIT_NOTE, "cn-4711")
    done = await world.service.tasks.resolve(asked)
    assert await world.service.tasks.resolve(asked) == done
    assert (done.reference, done.note) == ("cn-4711", "card closed")
    assert await world.totals() == (10_000, 6_000, 0, 6_000)
    tender = await world.tender()
    assert (tender.owed, tender.elsewhere) == (0, 6_000)
    operation = (await world.service.get_payment(world.order_id)).operations[-1]
    assert (operation.provider, operation.provider_reference) == ("credit_note", "cn-4711")
    assert world.provider.book(world.order_id)["refunded"] == 0
    assert await world.service.differences() == []
    assert (await world.service.checking.compare([world.order_id])).differences == []


async def test_a_task_is_resolved_once(world: World) -> None:
    task = await refused(world)
    answers = await asyncio.gather(
        *(world.service.tasks.resolve(by(task, Resolution.BY_HAND, f"transfer {n}")) for n in range(6)),
        return_exceptions=True,
    )
    refusals = [one.reason for one in answers if isinstance(one, FailedPrecondition)]
    assert refusals == ["TASK_RESOLVED"] * 5
    assert await world.totals() == (10_000, 6_000, 0, 6_000)
    assert (await only(world, is_open=False)).resolution is Resolution.BY_HAND


async def test_how_it_was_given_back_must_be_said(world: World) -> None:
    task = await refused(world)
    for resolution, field in ((None, "resolution"), (Resolution.BY_HAND, "reference")):
        with pytest.raises(InvalidArgument) as refusal:
            await world.service.tasks.resolve(by(task, resolution))
        assert refusal.value.facts["field"] == field
    with pytest.raises(NotFound) as unknown:
        await world.service.tasks.resolve(Resolve("r", "ptk_none", Resolution.RETRY))
    assert unknown.value.reason == "TASK_NOT_FOUND"
    assert (await only(world)).resolution is None


async def test_an_order_is_undone_but_for_what_somebody_owes(world: World) -> None:
    await world.pay(10_000)
    await world.service.capture(move(world.order_id, 6_000))
    world.provider.fault("refund", "decline", order_id=world.order_id)
    _, done = await world.service.unwind(unwind(world.order_id))
    assert done, "the rest of it is a person's"
    assert await world.totals() == (10_000, 6_000, 4_000, 0)
    await world.service.tasks.resolve(by(await only(world), Resolution.BY_HAND, "cheque 12"))
    assert await world.totals() == (10_000, 6_000, 4_000, 6_000)
    assert await world.service.differences() == []
