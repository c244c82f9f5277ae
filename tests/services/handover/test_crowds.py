"""Several replicas at once: an event is taken in once, a look is one's, and what comes meanwhile is seen."""

import asyncio

from kit import times
from services.handover.domain.model import State
from services.handover.store import CursorMoved
from tests.services.handover.messages import posted
from tests.services.handover.world import World


async def test_events_that_several_replicas_read_begin_one_hand_over_each(world: World) -> None:
    works = [await world.offer(1) for _ in range(3)]
    steps = await asyncio.gather(*(world.follower.step(0) for _ in range(5)), return_exceptions=True)
    assert [one for one in steps if not isinstance(one, int | CursorMoved)] == []
    await asyncio.gather(*(world.advancer.look_at_due(times.now()) for _ in range(5)))
    assert [(await world.handover(work)).state for work in works] == [State.SENT] * 3
    assert len(world.warehouse.preparations()) == 3


async def test_the_same_message_from_many_sides_is_kept_once_and_acted_on_once(world: World) -> None:
    work = await world.offer(2)
    await world.until(work, State.SENT)
    payload, headers = posted(work, "acknowledged")
    taken = await asyncio.gather(*(world.service.receive("wms", payload, headers, times.now()) for _ in range(6)))
    assert sorted(taken) == [(0, 1)] * 5 + [(1, 0)]
    await asyncio.gather(*(world.advancer.look_at_due(times.now()) for _ in range(6)))
    assert await world.state(work) == "accepted"


async def test_a_message_that_comes_during_a_look_is_looked_at_after_it(world: World) -> None:
    work = await world.offer(2)
    await world.until(work, State.SENT)
    await world.service.receive("wms", *posted(work, "acknowledged"), times.now())
    payload, headers = posted(work, "picked", message_id="msg_2", lines=[{"line_number": 1, "quantity": 2}])
    await asyncio.gather(
        world.advancer.look_at_due(times.now()), world.service.receive("wms", payload, headers, times.now())
    )
    await world.look()
    assert (await world.handover(work)).state is State.PICKED


async def test_one_system_does_not_take_every_place(world: World) -> None:
    works = [await world.offer(1) for _ in range(10)]
    await world.follower.step(0)
    assert [await world.advancer.look_at_due(times.now()) for _ in range(3)] == [8, 2, 0]
    assert {(await world.handover(work)).state for work in works} == {State.SENT}
