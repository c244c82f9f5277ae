"""The hand-over service beside the real orders service and a warehouse, each on its own side of a real wire."""

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler
from itertools import count
from pathlib import Path
from typing import Any

from sqlalchemy.ext.asyncio import AsyncEngine

from kit import outbox, rpc, times
from kit.errors import OmsError
from kit.feed import Bell
from oms.orders.v1.orders_service_pb2_grpc import OrdersServiceStub, add_OrdersServiceServicer_to_server
from oms.outbox.v1.outbox_service_pb2 import PullEventsRequest
from oms.outbox.v1.outbox_service_pb2_grpc import OutboxServiceStub, add_OutboxServiceServicer_to_server
from services.handover.advancing import Advancer
from services.handover.domain.model import Alert, Handover, Heard, State, System
from services.handover.following import Follower
from services.handover.orders import Orders
from services.handover.service import Filters, HandoverService
from services.handover.systems import Connection
from services.handover.systems.warehouse import Warehouse
from services.orders.appointing import Appointments
from services.orders.changing import Asked
from services.orders.domain.capture import Outcome
from services.orders.domain.model import Fulfilment, PersonalText, Window
from services.orders.holding import Holding
from services.orders.identities import Identities
from services.orders.refunding import Refunds
from services.orders.rpc import OrdersRpc
from services.orders.service import OrdersService
from services.orders.tracking import Tracking
from tests.http_server import HttpServer
from tests.services.orders.builders import BUYER, CHANNEL, LIFE_CYCLE, content, leg, line
from tests.simulators.warehouse import API_KEY, WEBHOOK_SECRET, RunningWarehouse
from tests.simulators.warehouse import running as running_warehouse

WMS = "wms"
POINT = "wh-orleans"
POLL = timedelta(minutes=5)
SYSTEM = System(WMS, "Warehouse Orléans", (POINT,), True, 600, 3600)
_PATIENCE_SECONDS = 20


@dataclass(kw_only=True)
class Shop:
    """The orders service with work to offer."""

    orders: OrdersService
    now: datetime = field(default_factory=times.now)
    _numbers: Iterator[int] = field(default_factory=count)

    def asked(self) -> Asked:
        return Asked(f"req-{next(self._numbers)}", b"")

    async def open_shop(self) -> None:
        """One channel, one life cycle."""
        await self.orders.publish_life_cycle(
            replace(LIFE_CYCLE, cooling_off_seconds=0, promise_tolerance_seconds=0)
        )
        await self.orders.put_sales_channels([CHANNEL])

    async def offer(self, *quantities: int, point: str = POINT, engraved: str = "") -> str:
        """An order of lines of so many units, offered to the point; the fulfilment's id.

        `engraved`: on the units of the first line.
        """
        lines = [line(number, quantity) for number, quantity in enumerate(quantities or (2,), start=1)]
        buyer = BUYER
        if engraved:
            lines[0] = replace(lines[0], personalisations=("name",))
            buyer = replace(BUYER, personalisations=(PersonalText(1, "name", engraved),))
        key, now = f"key-{next(self._numbers)}", self.now
        view, _ = await self.orders.record_order(key, content(*lines), buyer, now, now)
        order_id = view.order.order_id
        window = Window(now + timedelta(days=2), now + timedelta(days=3))
        way = replace(
            leg(*((one.line_number, one.quantity) for one in lines), point=point),
            window=window,
            hand_over_by=now + timedelta(hours=6),
            latest_start=now + timedelta(minutes=10),
        )
        accepted = await self.orders.accept_order(
            self.asked(), order_id, [way], window, "dec_1", "authorized", now
        )
        await self.orders.release_order(self.asked(), order_id, now)
        [work] = accepted.fulfilments
        await self.orders.offer_fulfilment(self.asked(), work.fulfilment_id, now)
        return work.fulfilment_id

    async def capture(self, fulfilment_id: str, state: str = "captured") -> None:
        """What became of the parcel's money."""
        reason = {"failed": "card_declined", "overridden": "a good customer"}.get(state, "")
        outcome = Outcome(state, reason, "", self.now)
        await self.orders.record_capture(self.asked(), fulfilment_id, outcome)

    async def lapse(self, fulfilment_id: str) -> None:
        """Nobody answered in time."""
        await self.orders.lapse_offer(self.asked(), fulfilment_id, self.now + timedelta(days=1))

    async def work(self, fulfilment_id: str) -> Fulfilment:
        """The fulfilment as orders has it."""
        return (await self.orders.get_fulfilment(fulfilment_id)).fulfilment

    async def state(self, fulfilment_id: str) -> str:
        """The fulfilment's state."""
        return (await self.work(fulfilment_id)).state.value


@dataclass(kw_only=True)
class World(Shop):
    """A shop and a warehouse, and the service between them: nothing of it moves unless a test has it look."""

    service: HandoverService
    follower: Follower
    advancer: Advancer
    warehouse: RunningWarehouse
    engine: AsyncEngine

    async def cancel(self, fulfilment_id: str) -> None:
        """The customer cancels the whole order."""
        order_id = (await self.handover(fulfilment_id)).order_id
        await self.orders.request_cancellation(self.asked(), order_id, "changed my mind", "zoe", self.now)

    async def look(self, after: timedelta = timedelta()) -> None:
        """Takes in the news, and looks at what is due so long after now, until nothing is."""
        while await self.follower.step(wait_milliseconds=0):
            pass
        for _ in range(50):
            if not await self.advancer.look_at_due(times.now() + after):
                return
        raise AssertionError("it is due for ever")

    async def until(self, fulfilment_id: str, state: State, after: timedelta = timedelta()) -> None:
        """Looks until the hand-over has come so far."""

        async def there() -> bool:
            await self.look(after)
            return (await self.handover(fulfilment_id)).state is state

        await eventually(there)

    async def heard(self, fulfilment_id: str, messages: int) -> None:
        """Waits until so many messages came."""

        async def came() -> bool:
            return len(await self.messages(fulfilment_id)) >= messages

        await eventually(came)

    async def told(self, fulfilment_id: str, *steps: str, **data: Any) -> None:
        """The warehouse takes steps and says so; the service has heard them, and not looked yet."""
        before = len(await self.messages(fulfilment_id))
        for step in steps:
            await asyncio.to_thread(self.warehouse.step, fulfilment_id, step, **data)
        await self.heard(fulfilment_id, before + len(steps))

    async def handover(self, fulfilment_id: str) -> Handover:
        return (await self.service.get_handover(fulfilment_id))[0].handover

    async def messages(self, fulfilment_id: str) -> list[Heard]:
        return list((await self.service.get_handover(fulfilment_id))[1])

    async def alerts(self, fulfilment_id: str) -> list[Alert]:
        return list((await self.service.get_handover(fulfilment_id))[0].alerts)

    async def alarming(self) -> list[str]:
        """The hand-overs that a person has to look at."""
        page = await self.service.list_handovers(Filters(alert=True), 0, "")
        return [one.handover.fulfilment_id for one in page.handovers]


async def eventually(condition: Callable[[], Awaitable[bool]], seconds: float = _PATIENCE_SECONDS) -> None:
    async with asyncio.timeout(seconds):
        while not await condition():  # noqa: ASYNC110 - what it waits for is in other threads and in the database
            await asyncio.sleep(0.02)


@asynccontextmanager
async def serving_orders(engine: AsyncEngine) -> AsyncIterator[tuple[OrdersService, str]]:
    """The orders service, and where it answers."""
    bell = Bell()
    service = OrdersService(engine, bell, Identities("a key of tests"))
    server = rpc.build_server()
    add_OrdersServiceServicer_to_server(
        OrdersRpc(
            service,
            Refunds(engine, bell),
            Holding(engine, bell),
            Tracking(engine, bell, {}),
            Appointments(engine, bell),
        ),
        server,
    )
    add_OutboxServiceServicer_to_server(outbox.OutboxRpc(engine, bell, "/orders"), server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        yield service, f"127.0.0.1:{port}"
    finally:
        await server.stop(0)


Receive = Callable[[bytes, dict[str, str]], Awaitable[object]]


@contextmanager
def listening(receive: Callable[[], Receive], loop: asyncio.AbstractEventLoop) -> Iterator[str]:
    """An address that takes in what the warehouse posts, as the gateway does."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            status = 200
            try:
                asyncio.run_coroutine_threadsafe(_await(receive()(body, headers)), loop).result(10)
            except OmsError as error:
                status = error.http_status
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Says nothing."""

    server = HttpServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()


async def _await(receiving: Awaitable[object]) -> object:
    return await receiving


@asynccontextmanager
async def a_world(
    orders_db: AsyncEngine, handover_db: AsyncEngine, folder: Path, pace_seconds: float
) -> AsyncIterator[World]:
    """Everything, wired."""
    worlds: list[World] = []

    def receive() -> Receive:
        return lambda body, headers: worlds[0].service.receive(WMS, body, headers, times.now())

    async with serving_orders(orders_db) as (orders, address), rpc.connect(address) as channel:
        with (
            listening(receive, asyncio.get_running_loop()) as ear,
            running_warehouse(folder, ear, pace_seconds) as warehouse,
        ):
            connection = Connection("warehouse", warehouse.url, API_KEY, WEBHOOK_SECRET)
            systems = {WMS: Warehouse(connection, timeout_seconds=1.0)}
            bell = Bell()
            advancer = Advancer(handover_db, Orders(OrdersServiceStub(channel)), systems, bell, poll_every=POLL)
            world = World(
                orders=orders,
                service=HandoverService(handover_db, systems, bell),
                follower=Follower(handover_db, OutboxServiceStub(channel), bell),
                advancer=advancer,
                warehouse=warehouse,
                engine=handover_db,
            )
            worlds.append(world)
            await world.open_shop()
            await world.service.put_systems([SYSTEM], "anna", world.now)
            yield world
            await systems[WMS].close()


async def events(engine: AsyncEngine) -> list[tuple[str, dict[str, Any]]]:
    """What the service told: types and data."""
    found = await outbox.OutboxRpc(engine, Bell(), "/handover").PullEvents(PullEventsRequest(), object())
    return [(one.type, json.loads(one.data_json)) for one in found.events]
