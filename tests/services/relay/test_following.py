"""The pull loops: from the cursor, by one replica at a time, whatever happens to the source."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from kit import db, rpc
from oms.outbox.v1.outbox_service_pb2_grpc import OutboxServiceStub
from services.relay import store
from services.relay.domain import Event
from services.relay.following import Follower, Source
from tests.conftest import MakeDatabase
from tests.services.relay.builders import until
from tests.services.relay.conftest import FakeOrders

VALIDATED = "oms.orders.order.validated"


class Notebook:
    """A consumer that writes down what it was told, then moves the cursor."""

    name = "notebook"
    gather_seconds = 0.0

    def __init__(self, engine: AsyncEngine, dies_at: int = 0) -> None:
        self.engine = engine
        self.told: list[int] = []
        self.done: list[int] = []
        self.dies_at = dies_at

    async def take(self, source: str, after: int, events: Sequence[Event]) -> None:
        self.told += [event.data["n"] for event in events]
        if self.dies_at in self.told:
            self.dies_at = 0
            raise ConnectionError("between the effect and the cursor")
        async with self.engine.begin() as tx:
            await store.advance_cursor(tx, self.name, source, after, events[-1].sequence)
        self.done += [event.data["n"] for event in events]

    async def heard(self, n: int) -> None:
        """Waits until it was told of n."""
        await until(lambda: n in self.told)


@pytest.fixture
async def locks(make_database: MakeDatabase) -> AsyncIterator[AsyncEngine]:
    engine = db.connect(make_database("relay").url, pool_size=4)
    yield engine
    await engine.dispose()


@asynccontextmanager
async def running(follower: Follower) -> AsyncIterator[asyncio.Task[None]]:
    task = asyncio.create_task(follower.run())
    yield task
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_events_are_handed_over_in_order_as_they_come(
    relay_db: AsyncEngine, locks: AsyncEngine, orders: FakeOrders
) -> None:
    notebook = Notebook(relay_db)
    await orders.tell(VALIDATED, "order/ord_1", n=1)
    async with running(Follower(relay_db, locks, orders.source, notebook)):
        await notebook.heard(1)
        for n in range(2, 20):
            await orders.tell(VALIDATED, "order/ord_1", n=n)
        await notebook.heard(19)
    assert notebook.told == list(range(1, 20))


async def test_a_restart_goes_on_from_the_cursor(
    relay_db: AsyncEngine, locks: AsyncEngine, orders: FakeOrders
) -> None:
    first, second = Notebook(relay_db), Notebook(relay_db)
    await orders.tell(VALIDATED, "order/ord_1", n=1)
    async with running(Follower(relay_db, locks, orders.source, first)):
        await first.heard(1)
        # The cursor moves after the effect.
        await until(lambda: 1 in first.done)
    await orders.tell(VALIDATED, "order/ord_1", n=2)
    async with running(Follower(relay_db, locks, orders.source, second)):
        await second.heard(2)
    assert second.told == [2]


async def test_what_was_done_before_a_death_is_done_again(
    relay_db: AsyncEngine, locks: AsyncEngine, orders: FakeOrders
) -> None:
    notebook = Notebook(relay_db, dies_at=2)
    for n in (1, 2):
        await orders.tell(VALIDATED, "order/ord_1", n=n)
    async with running(Follower(relay_db, locks, orders.source, notebook)):
        await notebook.heard(2)
        await orders.tell(VALIDATED, "order/ord_1", n=3)
        await notebook.heard(3)
    assert notebook.told[:2] == [1, 2]
    assert notebook.told[-3:] == [1, 2, 3]


async def test_two_replicas_never_follow_at_once_and_the_other_takes_over(
    relay_db: AsyncEngine, locks: AsyncEngine, orders: FakeOrders
) -> None:
    one, other = Notebook(relay_db), Notebook(relay_db)
    async with running(Follower(relay_db, locks, orders.source, one)) as leader:
        await orders.tell(VALIDATED, "order/ord_1", n=1)
        await one.heard(1)
        async with running(Follower(relay_db, locks, orders.source, other)):
            for n in range(2, 30):
                await orders.tell(VALIDATED, "order/ord_1", n=n)
            await one.heard(29)
            assert other.told == []
            leader.cancel()
            await orders.tell(VALIDATED, "order/ord_1", n=30)
            await other.heard(30)
    assert one.told == list(range(1, 30))


async def test_a_leader_whose_connection_died_stops_and_asks_again(
    relay_db: AsyncEngine, locks: AsyncEngine, orders: FakeOrders
) -> None:
    notebook = Notebook(relay_db)
    async with running(Follower(relay_db, locks, orders.source, notebook)):
        await orders.tell(VALIDATED, "order/ord_1", n=1)
        await notebook.heard(1)
        async with relay_db.begin() as tx:
            await tx.execute(
                text(
                    """SELECT pg_terminate_backend(pid) FROM pg_locks JOIN pg_database d ON d.oid = database
                       WHERE locktype = 'advisory' AND datname = current_database()"""
                )
            )
        for n in (2, 3):
            await orders.tell(VALIDATED, "order/ord_1", n=n)
            await notebook.heard(n)
    assert sorted(set(notebook.told)) == [1, 2, 3]


async def test_a_source_that_was_away_is_followed_when_it_is_back(
    relay_db: AsyncEngine, locks: AsyncEngine, orders: FakeOrders, unused_tcp_port: int
) -> None:
    notebook = Notebook(relay_db)
    await orders.tell(VALIDATED, "order/ord_1", n=1)
    async with rpc.connect(f"127.0.0.1:{unused_tcp_port}") as channel:
        source = Source("orders", OutboxServiceStub(channel))
        async with running(Follower(relay_db, locks, source, notebook)):
            host, _, port = orders.address.partition(":")

            async def forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
                there_reader, there_writer = await asyncio.open_connection(host, int(port))
                await asyncio.gather(pump(reader, there_writer), pump(there_reader, writer))

            await asyncio.sleep(0)
            async with await asyncio.start_server(forward, "127.0.0.1", unused_tcp_port):
                await notebook.heard(1)
                await channel.close(0)


async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while chunk := await reader.read(65536):
        writer.write(chunk)
        await writer.drain()
    writer.close()
