"""The relay's parts on a real database, a receiver, and a source of events."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import grpc
import httpx
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from kit import outbox, rpc
from kit.feed import Bell
from kit.values.ids import new_id
from oms.outbox.v1.outbox_service_pb2_grpc import OutboxServiceStub, add_OutboxServiceServicer_to_server
from services.relay.delivering import Deliverer
from services.relay.following import Source
from services.relay.service import RelayService
from services.relay.webhooks import Webhooks
from tests.conftest import MakeDatabase
from tests.services.relay.builders import NOW
from tests.services.relay.receiver import Receiver, listening

if TYPE_CHECKING:
    from oms.outbox.v1.outbox_service_pb2_grpc import OutboxServiceAsyncStub


@pytest.fixture
def bell() -> Bell:
    return Bell(look_again_seconds=0.05)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with listening() as receiver:
        yield receiver


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(timeout=5, trust_env=False) as client:
        yield client


@pytest.fixture
def webhooks(relay_db: AsyncEngine, bell: Bell) -> Webhooks:
    return Webhooks(relay_db, bell)


@pytest.fixture
def deliverer(relay_db: AsyncEngine, http: httpx.AsyncClient, bell: Bell) -> Deliverer:
    return Deliverer(relay_db, http, bell)


@pytest.fixture
def service(relay_db: AsyncEngine, bell: Bell) -> RelayService:
    return RelayService(relay_db, bell)


@dataclass
class FakeOrders:
    """A service with a real outbox, over real gRPC. The only thing missing is orders."""

    engine: AsyncEngine
    bell: Bell
    address: str
    stub: "OutboxServiceAsyncStub"
    pulls: list[int] = field(default_factory=list)

    @property
    def source(self) -> Source:
        return Source("orders", self.stub)

    async def tell(self, event_type: str, subject: str, order_id: str = "ord_1", **data: Any) -> None:
        """Commits an event."""
        facts = {"order_id": order_id, "channel_id": "web-fr", **data}
        async with self.engine.begin() as tx:
            await outbox.write(tx, [outbox.Event(event_type, subject, order_id, NOW, facts)])
        self.bell.ring()


@pytest.fixture
async def orders(make_database: MakeDatabase, relay_db: AsyncEngine) -> AsyncIterator[FakeOrders]:
    """Its outbox stands in a schema of its own beside the relay's tables."""
    schema = new_id("source")
    async with relay_db.begin() as tx:
        await tx.execute(text(f"CREATE SCHEMA {schema}"))
    options = {"options": f"-c search_path={schema}"}
    engine = create_async_engine(make_database("relay").url, connect_args=options)
    async with engine.begin() as tx:
        for statement in outbox.DDL:
            await tx.execute(text(statement))
    bell = Bell()
    server = grpc.aio.server()
    add_OutboxServiceServicer_to_server(outbox.OutboxRpc(engine, bell, "/orders"), server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    address = f"127.0.0.1:{port}"
    async with rpc.connect(address) as channel:
        yield FakeOrders(engine, bell, address, OutboxServiceStub(channel))
    await server.stop(0)
    async with relay_db.begin() as tx:
        await tx.execute(text(f"DROP SCHEMA {schema} CASCADE"))
    await engine.dispose()
