"""Events leave in commit order, none is hidden from a cursor, and a reader that waits is woken."""

import asyncio
from datetime import UTC, datetime

from sqlalchemy import text

from kit.db import AsyncEngine
from kit.feed import Bell
from kit.outbox import Event, OutboxRpc, write
from oms.outbox.v1 import outbox_service_pb2 as pb

AT = datetime(2027, 3, 1, tzinfo=UTC)


def _event(subject: str, **data: int) -> Event:
    return Event("oms.test.happened", subject, "ord_1", AT, data)


async def _all(rpc: OutboxRpc) -> list[pb.Event]:
    return list((await rpc.PullEvents(pb.PullEventsRequest(), None)).events)


async def test_a_cursor_never_hides_an_event_whose_transaction_was_slow(orders_db: AsyncEngine) -> None:
    rpc = OutboxRpc(orders_db, Bell(), "/test")
    async with orders_db.connect() as slow:
        await write(slow, [_event("order/slow")])
        async with orders_db.begin() as quick:
            await write(quick, [_event("order/quick")])
        seen = await _all(rpc)
        assert [event.subject for event in seen] == ["order/quick"]
        await slow.commit()
    later = await rpc.PullEvents(pb.PullEventsRequest(after_sequence=seen[-1].sequence), None)
    assert [event.subject for event in later.events] == ["order/slow"]


async def test_two_readers_and_many_writers_see_every_event_once_and_each_aggregate_in_order(
    orders_db: AsyncEngine,
) -> None:
    rpc = OutboxRpc(orders_db, Bell(), "/test")

    async def writer(name: int) -> None:
        for step in range(20):
            async with orders_db.begin() as tx:
                await tx.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": name % 3})
                await write(tx, [_event(f"order/{name}", step=step)])

    async def reader() -> list[pb.Event]:
        seen: list[pb.Event] = []
        while len(seen) < 160:
            after = seen[-1].sequence if seen else 0
            reply = await rpc.PullEvents(pb.PullEventsRequest(after_sequence=after, wait_milliseconds=500), None)
            seen += reply.events
        return seen

    readers = asyncio.gather(reader(), reader())
    await asyncio.gather(*(writer(name) for name in range(8)))
    one, other = await readers
    assert [event.id for event in one] == [event.id for event in other]
    assert len({event.id for event in one}) == 160
    for name in range(8):
        steps = [event.data_json for event in one if event.subject == f"order/{name}"]
        assert steps == [f'{{"step": {step}}}' for step in range(20)]


async def test_a_reader_that_waits_is_woken_by_the_bell(orders_db: AsyncEngine) -> None:
    bell = Bell(look_again_seconds=60)
    rpc = OutboxRpc(orders_db, bell, "/test")
    waiting = asyncio.create_task(rpc.PullEvents(pb.PullEventsRequest(wait_milliseconds=20_000), None))
    async with orders_db.begin() as tx:
        await write(tx, [_event("order/1")])
    while not waiting.done():
        bell.ring()
        await asyncio.sleep(0.01)
    assert len(waiting.result().events) == 1
