"""What banks do later is in our books as the provider says it, whatever the order and number of its events."""

import random

import pytest

from kit.errors import FailedPrecondition, InvalidArgument, Unavailable
from services.payments.commands import Resolve
from services.payments.domain.model import Kind, State
from services.payments.domain.tasks import Resolution, Task, TaskKind
from tests.services.payments.test_provider_events import post
from tests.services.payments.world import World, move


async def refunded(world: World, minor: int = 4_000) -> str:
    """The provider's refund of an order that was captured whole."""
    await world.pay(10_000)
    await world.service.capture(move(world.order_id, 10_000))
    done = await world.service.refund(move(world.order_id, minor))
    assert done.state is State.SUCCEEDED
    return done.decisive.provider_reference


async def disputed(world: World, minor: int | None = None) -> str:
    """The provider's dispute of an order that was captured whole."""
    await world.pay(10_000)
    await world.service.capture(move(world.order_id, 10_000))
    opened = world.provider.dispute((await world.tender()).provider_payment_id, minor, "fraudulent")
    return str(opened["id"])


async def hear(world: World, thing_id: str, *, seed: int | None = None) -> None:
    """All events about a thing; with a seed: in any order, some of them twice."""
    events = world.provider.events_about(thing_id)
    if seed is not None:
        events = [*events, events[0], events[-1]]
        random.Random(seed).shuffle(events)
    for event in events:
        await post(world, event)


async def tasks(world: World) -> list[Task]:
    rows, _ = await world.service.tasks.list_tasks(world.order_id, None, None, 50)
    return list(rows)


async def test_a_refund_that_comes_back_is_owed_again(world: World) -> None:
    reference = await refunded(world)
    world.provider.conclude_refund(reference, "lost_or_stolen_card")
    await hear(world, reference, seed=1)
    assert await world.totals() == (10_000, 10_000, 0, 0)
    (task,) = await tasks(world)
    assert (task.kind, task.amount_minor, task.reason) == (TaskKind.REFUND_FAILED, 4_000, "lost_or_stolen_card")
    tender = await world.tender()
    assert (tender.refunded, tender.owed) == (0, 4_000)
    with pytest.raises(FailedPrecondition):
        await world.service.refund(move(world.order_id, 6_001))
    await world.service.tasks.resolve(Resolve("by hand", task.task_id, Resolution.BY_HAND, "transfer 9"))
    assert await world.totals() == (10_000, 10_000, 0, 4_000)
    assert await world.service.differences() == []
    assert (await world.service.checking.compare([world.order_id])).differences == []


async def test_a_refund_that_arrives_changes_nothing(world: World) -> None:
    reference = await refunded(world)
    world.provider.conclude_refund(reference)
    await hear(world, reference)
    assert await tasks(world) == []
    assert await world.totals() == (10_000, 10_000, 0, 4_000)
    await world.assert_books_agree()


async def test_disputed_money_is_not_refunded_too(world: World) -> None:
    dispute = await disputed(world, 6_000)
    await hear(world, dispute)
    tender = await world.tender()
    assert (tender.captured, tender.refunded, tender.disputed) == (10_000, 0, 6_000)
    with pytest.raises(FailedPrecondition) as refusal:
        await world.service.refund(move(world.order_id, 4_001))
    assert refusal.value.facts["available_minor"] == 4_000
    (task,) = await tasks(world)
    assert (task.kind, task.subject, task.reason) == (TaskKind.DISPUTE, dispute, "fraudulent")
    assert task.due_at is not None
    assert await world.event_types() == ["payment.captured", "payment.disputed", "task.opened"]
    await world.assert_books_agree()


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(("decision", "resolution"), [("won", Resolution.WON), ("lost", Resolution.LOST)])
async def test_the_books_end_as_the_bank_decides(
    world: World, seed: int, decision: str, resolution: Resolution
) -> None:
    dispute = await disputed(world)
    world.provider.move_dispute(dispute, decision)
    await hear(world, dispute, seed=seed)
    assert (await world.tender()).disputed == (0 if decision == "won" else 10_000)
    (task,) = await tasks(world)
    assert (task.resolution, task.actor) == (resolution, "provider/stripe")
    await world.assert_books_agree()


async def test_a_dispute_that_is_won_gives_the_money_back_to_us(world: World) -> None:
    dispute = await disputed(world)
    await hear(world, dispute)
    (task,) = await tasks(world)
    with pytest.raises(InvalidArgument) as refusal:
        await world.service.tasks.resolve(Resolve("r1", task.task_id, Resolution.RETRY))
    assert refusal.value.facts["field"] == "resolution"
    done = await world.service.tasks.resolve(
        Resolve("r2", task.task_id, Resolution.ANSWERED, "", "proof of delivery")
    )
    assert (done.resolution, done.note) == (Resolution.ANSWERED, "proof of delivery")
    world.provider.move_dispute(dispute, "won")
    await hear(world, dispute)
    kinds = [one.kind for one in (await world.service.get_payment(world.order_id)).operations]
    assert kinds[-2:] == [Kind.CHARGEBACK, Kind.CHARGEBACK_REVERSAL]
    assert (await tasks(world))[0].resolution is Resolution.ANSWERED
    await world.service.refund(move(world.order_id, 10_000))
    await world.assert_books_agree()


async def test_nothing_is_believed_of_an_event_while_the_provider_is_away(world: World) -> None:
    reference = await refunded(world)
    world.provider.conclude_refund(reference, "lost_or_stolen_card")
    (*_, event) = world.provider.events_about(reference)
    world.provider.fault("retrieve", "down")
    with pytest.raises(Unavailable):
        await post(world, event)
    assert await tasks(world) == []
    world.provider.heal()
    assert await post(world, event) is False
    assert len(await tasks(world)) == 1
