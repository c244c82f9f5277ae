"""What is measured: one whole system of its own, processes to compare it with, and people who keep it busy.

Owns how a system is made ready (stock that does not run out, a channel without cooling-off). Measures nothing.
"""

import asyncio
import json
import sys
import tempfile
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx

from benchmarks.meter import reading
from cli.client import Api, AsyncApi, Json, body_of
from cli.people import Buyer, Shop
from deploy.local.launcher import ROOT, Stack, StackOptions, random_ports
from deploy.local.process import ManagedProcess, ProcessSpec, free_port, grpc_ready
from deploy.local.tokens import Scope
from kit import rpc
from oms.orders.v1 import orders_service_pb2 as orders_pb
from oms.orders.v1.orders_service_pb2_grpc import OrdersServiceStub
from oms.outbox.v1 import outbox_service_pb2 as outbox_pb
from oms.outbox.v1.outbox_service_pb2_grpc import OutboxServiceStub

# Its cooling-off is half an hour: an accepted order rests.
RESTING_CHANNEL = "web-fr"
# Its orders go to their points at once, on a life cycle of the benchmark's own.
FLOWING_CHANNEL = "app-fr"
_LIFE_CYCLE = orders_pb.LifeCycle(
    life_cycle_id="benchmark",
    cooling_off_seconds=0,
    offer_seconds=3600,
    payment_action_seconds=900,
    reroute_limit=5,
)
_WAREHOUSE = "wh-orleans"
_ARTICLES = 200
_UNITS = 1_000_000
_CONNECTIONS = 128
_FOLLOW_SECONDS = 0.1
_LOOK_SECONDS = 0.5
_QUIET_CORES = 0.2
_EVENT_SECONDS = 120.0
_QUIET_SECONDS = 60.0


@dataclass(frozen=True)
class System:
    """A running system, its gateway as clients see it, and the articles that may be ordered without end."""

    stack: Stack
    api: AsyncApi
    contents: Mapping[str, Sequence[Json]]
    folder: Path

    @property
    def pids(self) -> dict[str, int]:
        """Every process of the system, by name."""
        return self.stack.supervisor.pids()

    async def settle(self) -> None:
        """Returns when the system has done what was left to do, or after a minute on too busy a machine."""
        with suppress(TimeoutError):
            async with asyncio.timeout(_QUIET_SECONDS):
                while await self._cores_used() > _QUIET_CORES:
                    pass

    async def _cores_used(self) -> float:
        pids, began = self.pids, time.perf_counter()
        with reading(pids) as taken:
            await asyncio.sleep(_LOOK_SECONDS)
        return sum(taken.cpu_seconds[name] for name in pids) / (time.perf_counter() - began)

    def shop(self, channel_id: str) -> "Shopper":
        """Customers of a channel."""
        return Shopper(self.api, channel_id, self.contents[channel_id])


@asynccontextmanager
async def running(environment: Mapping[str, str] | None = None) -> AsyncIterator[System]:
    """Starts a system on random ports, with its data in a folder that goes when it ends."""
    with tempfile.TemporaryDirectory(prefix="oms-bench-") as name:
        folder = Path(name)
        state = folder / "state"
        options = StackOptions(state=state, ports=random_ports(), web_ui=False, environment=environment or {})
        async with _started(Stack(options)) as stack:
            await _take_cooling_off_away(stack)
            contents = await asyncio.to_thread(_fill_shelves, stack)
            async with AsyncApi.of(stack.gateway_url, state, _CONNECTIONS) as api:
                system = System(stack, api, contents, folder)
                await system.settle()
                yield system


@asynccontextmanager
async def _started(stack: Stack) -> AsyncIterator[Stack]:
    """On a loop of its own: ours is uvloop's, as in every process, and that starts none as PostgreSQL's user."""
    loop = asyncio.SelectorEventLoop()
    thread = threading.Thread(target=loop.run_forever, name="stack", daemon=True)
    thread.start()

    async def there(work: Coroutine[Any, Any, None]) -> None:
        await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, loop))

    try:
        await there(stack.start())
        yield stack
    finally:
        # Also when the start was cut short: nothing may stay behind.
        await there(stack.stop())
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


async def _take_cooling_off_away(stack: Stack) -> None:
    async with rpc.connect(stack.addresses["orders"]) as channel:
        stub = OrdersServiceStub(channel)
        await stub.PublishLifeCycle(orders_pb.PublishLifeCycleRequest(life_cycle=_LIFE_CYCLE))
        flowing = orders_pb.SalesChannel(
            channel_id=FLOWING_CHANNEL, name="Benchmark", currency="EUR", life_cycle_id=_LIFE_CYCLE.life_cycle_id
        )
        await stub.PutSalesChannels(orders_pb.PutSalesChannelsRequest(channels=[flowing]))


def _fill_shelves(stack: Stack) -> dict[str, list[Json]]:
    """Stock that no benchmark uses up, and one order of each article for each channel."""
    with Api.of(stack.gateway_url, stack.options.state) as api:
        shop = Shop(api, RESTING_CHANNEL)
        # A bundle has no stock: its parts do. What is not out yet waits for its day.
        sold = [row["sku"] for row in shop.items() if not row["parts"] and not row["release_date"]]
        shown = shop.availability(*sold)
        skus = [row["sku"] for row in shown if row["available_now"] > 0][:_ARTICLES]
        deltas = [{"sku": sku, "point_id": _WAREHOUSE, "quantity": _UNITS} for sku in skus]
        api.post(
            "/v1/stock/adjustments",
            "supply_chain",
            {"deltas": deltas, "cause": "receipt", "source": "benchmark"},
            headers={"Idempotency-Key": "benchmark"},
        )
        basket = [(sku, 1) for sku in skus]
        return {
            channel: _line_by_line(Shop(api, channel).order_content(basket, Buyer()))
            for channel in (RESTING_CHANNEL, FLOWING_CHANNEL)
        }


def _line_by_line(order: Json) -> list[Json]:
    """An order of many lines as one order for each of them."""
    return [
        {
            **order,
            "lines": [{**line, "line_number": 1}],
            "total": {
                "amount_minor": line["net_minor"] + line["tax_minor"],
                "currency": order["total"]["currency"],
            },
        }
        for line in order["lines"]
    ]


class Shopper:
    """Customers who order one unit of one article after the other."""

    def __init__(self, api: AsyncApi, channel_id: str, contents: Sequence[Json]) -> None:
        self._api = api
        self._scope = Scope(channels=(channel_id,))
        self._contents = contents
        self._numbers = count()

    async def place(self) -> Json:
        """The accepted order, followed until it is, should it take long. Raises Problem when it is refused."""
        content = self._contents[next(self._numbers) % len(self._contents)]
        headers = {"Idempotency-Key": f"benchmark-{uuid4().hex}"}
        order = await _sent(self._api, "POST", "/v1/orders", "channel", self._scope, json=content, headers=headers)
        while order["status"] == "recorded":
            await asyncio.sleep(_FOLLOW_SECONDS)
            order = await _sent(self._api, "GET", f"/v1/orders/{order['id']}", "channel", self._scope)
        if order["status"] not in ("validated", "released"):
            raise ValueError(f"order {order['id']} is {order['status']}")
        return order


class Feed:
    """What orders tells, to whom waits for it. Polling over REST would be measured instead of the lives."""

    _KINDS = ("fulfilment.offered", "fulfilment.captured", "order.closed")

    def __init__(self) -> None:
        self._told: dict[tuple[str, str], asyncio.Future[Json]] = {}

    async def told(self, order_id: str, kind: str, within_seconds: float = _EVENT_SECONDS) -> Json:
        """The facts of an event of the order, once it has happened. Each may be asked for once."""
        async with asyncio.timeout(within_seconds):
            facts = await self._future(order_id, kind)
        del self._told[order_id, kind]
        return facts

    async def follow(self, address: str) -> None:
        """Reads the events of orders until it is cancelled."""
        async with rpc.connect(address) as channel:
            stub, after = OutboxServiceStub(channel), 0
            while True:
                request = outbox_pb.PullEventsRequest(after_sequence=after, limit=1000, wait_milliseconds=10_000)
                for event in (await stub.PullEvents(request)).events:
                    after = event.sequence
                    kind = event.type.removeprefix("oms.orders.")
                    if kind in self._KINDS:
                        facts = json.loads(event.data_json)
                        self._future(facts["order_id"], kind).set_result(facts)

    def _future(self, order_id: str, kind: str) -> asyncio.Future[Json]:
        return self._told.setdefault((order_id, kind), asyncio.get_running_loop().create_future())


@asynccontextmanager
async def feed(system: System) -> AsyncIterator[Feed]:
    """The events of orders from the first on."""
    made = Feed()
    following = asyncio.create_task(made.follow(system.stack.addresses["orders"]))
    try:
        yield made
    finally:
        following.cancel()
        with suppress(asyncio.CancelledError):
            await following


class People:
    """Everyone around an order of the flowing channel, each acting over REST as soon as he can."""

    def __init__(self, system: System, feed: Feed) -> None:
        self._shopper = system.shop(FLOWING_CHANNEL)
        self._api = system.api
        self._feed = feed

    async def live(self) -> tuple[str, str]:
        """One order from placement until it is closed; its id and that of its fulfilment."""
        order_id: str = (await self._shopper.place())["id"]
        offered = await self._feed.told(order_id, "fulfilment.offered")
        work: str = offered["fulfilment_id"]
        found = [{"line_number": line["line_number"], "quantity": line["quantity"]} for line in offered["lines"]]
        await self._act(work, "accept")
        await self._act(work, "pick", {"found": found})
        await self._act(work, "pack", {"weight_grams": 600})
        await self._feed.told(order_id, "fulfilment.captured")
        gone = await self._act(work, "hand-over", {})
        for status in ("in_transit", "delivered"):
            await self._scan(gone, status)
        await self._feed.told(order_id, "order.closed")
        return order_id, work

    async def _act(self, work: str, action: str, body: Json | None = None) -> Json:
        return await _sent(self._api, "POST", f"/v1/fulfilments/{work}/{action}", "store", json=body)

    async def _scan(self, gone: Json, status: str) -> None:
        event = {
            "event_id": f"{gone['id']}-{status}",
            "carrier_id": gone["carrier_id"],
            "tracking_code": gone["parcel"]["tracking_code"],
            "status": status,
            "occurred_at": gone["hand_over_by"],
        }
        await _sent(self._api, "POST", "/v1/carrier-events", "carrier", json=event)


async def _sent(api: AsyncApi, *request: Any, **options: Any) -> Json:
    """The answer's body. Raises Problem."""
    try:
        return body_of(await api.send(*request, **options))
    except httpx.TransportError:
        # The gateway closed a connection that had been idle. Whatever is asked here may be asked twice.
        return body_of(await api.send(*request, **options))


async def at_once(width: int, times: int, act: Callable[[], Awaitable[object]]) -> float:
    """Does it so often, so many at a time; the seconds that it took."""
    turns = iter(range(times))

    async def one_after_the_other() -> None:
        for _ in turns:
            await act()

    began = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for _ in range(width):
            group.create_task(one_after_the_other())
    return time.perf_counter() - began


@dataclass(frozen=True)
class Peer:
    """A process to compare with."""

    name: str
    address: str
    pid: int


@asynccontextmanager
async def peer(system: System, name: str, environment: Mapping[str, str] | None = None) -> AsyncIterator[Peer]:
    """`python -m benchmarks.peers.<name>` once it says that it is SERVING; stopped at the end."""
    address = f"127.0.0.1:{free_port()}"
    process = ManagedProcess(
        ProcessSpec(
            name=name,
            command=(sys.executable, "-m", f"benchmarks.peers.{name}"),
            log_file=system.folder / f"{name}.log",
            ready=grpc_ready(address),
            environment={"OMS_LISTEN": address, **(environment or {})},
            working_directory=ROOT,
        )
    )
    await process.start()
    try:
        await process.wait_ready()
        assert process.pid is not None, "it is ready"
        yield Peer(name, address, process.pid)
    finally:
        await process.stop()
