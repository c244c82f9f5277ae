"""What inventory is told changes what promise plans: the real feed, the real follower, the real engine."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta

import pytest
import pytest_asyncio
from sqlalchemy.ext.asyncio import AsyncEngine

from kit import rpc, times
from oms.inventory.v1.inventory_service_pb2_grpc import add_InventoryServiceServicer_to_server
from services.inventory.domain.catalogue import Activation, Purpose
from services.inventory.domain.facts import Content, FactKind, Markdown, Record, SalesRate
from services.inventory.domain.ledger import Position
from services.inventory.merchandising import Merchandising
from services.inventory.rpc import InventoryRpc
from services.inventory.watch import StockWatch
from services.promise.domain import engine, rulesets
from services.promise.domain import network as n
from services.promise.follower import StockFollower
from services.promise.replica import StockReplica
from tests.services.inventory.shop import EDIT, Shop, line, with_rules
from tests.services.promise.network import CHANNEL, NOW, euros, point, request, ruleset, snapshot

RULESET = ruleset(
    low_cover=rulesets.LowCover(14, 500),
    markdown=rulesets.Markdown(21, 100),
    short_pick_cost_minor=1_000,
)
NETWORK = snapshot(
    [point("LYON"), point("PARIS")],
    {},
    items=[n.Item("DRESS", "maison", 400, 300, prices={CHANNEL: euros(5_000)})],
)


@pytest_asyncio.fixture
async def shop(inventory_db: AsyncEngine) -> Shop:
    """Five dresses at each of two points that are alike: LYON comes first."""
    opened = await Shop(inventory_db).open(with_rules(channel_id=CHANNEL))
    for point_id in ("LYON", "PARIS"):
        await opened.adjust(5, point_id=point_id, as_of=times.now())
    return opened


@asynccontextmanager
async def following(shop: Shop) -> AsyncIterator[StockReplica]:
    """A replica that follows the shop's inventory."""
    server, replica = rpc.build_server(), StockReplica()
    add_InventoryServiceServicer_to_server(InventoryRpc(shop.service, StockWatch(shop.engine, shop.bell)), server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with rpc.connect(f"127.0.0.1:{port}") as channel:
        follower = asyncio.create_task(StockFollower(channel, replica).run())
        try:
            await until(lambda: replica.is_ready)
            yield replica
        finally:
            follower.cancel()
            await asyncio.gather(follower, return_exceptions=True)
            await server.stop(0)


async def until(condition: Callable[[], bool]) -> None:
    """Waits for a condition; the time-out of the test is its own."""
    while not condition():  # noqa: ASYNC110 - what is awaited has no event.
        await asyncio.sleep(0.01)


def planned_from(replica: StockReplica, by: rulesets.Ruleset = RULESET) -> str:
    """Where the engine ships one dress from; empty: from nowhere."""
    stock = replace(NETWORK.stock, positions=replica.slice(["DRESS"]).positions)
    plans = engine.plan(replace(NETWORK, stock=stock), request(("DRESS", 1)), by).plans
    return plans[0].legs[0].point_id if plans else ""


@pytest.mark.parametrize(
    ("point_id", "kind", "content"),
    [
        ("PARIS", FactKind.MARKDOWN, Markdown((NOW + timedelta(days=3)).date(), 3_000)),
        ("LYON", FactKind.SALES_RATE, SalesRate(2_000)),
    ],
    ids=["a markdown soon draws it", "what sells fast is spared"],
)
async def test_a_fact_that_inventory_is_told_changes_the_plan(
    shop: Shop, point_id: str, kind: FactKind, content: Content
) -> None:
    async with following(shop) as replica:
        assert planned_from(replica) == "LYON"
        said: Mapping[FactKind, Content | None] = {kind: content}
        record = Record(Position("DRESS", point_id), said)
        await Merchandising(shop.engine).put_facts([record], "planner", times.now())
        await until(lambda: planned_from(replica) == "PARIS")
        await Merchandising(shop.engine).put_facts([replace(record, said={kind: None})], "planner", times.now())
        await until(lambda: planned_from(replica) == "LYON")


async def test_a_point_that_often_finds_nothing_is_spared_by_whoever_follows(shop: Shop) -> None:
    await shop.adjust(4, as_of=times.now())
    await shop.reserve("ord_1", line("DRESS", 4), seconds=0)
    await shop.report_short("ord_1", line("DRESS", 4), as_of=times.now())
    await shop.reserve("ord_2", line("DRESS", 3, "PARIS"), seconds=0)
    await shop.issue("ord_2", line("DRESS", 3, "PARIS"), as_of=times.now())
    await shop.adjust(3, point_id="PARIS", as_of=times.now())
    async with following(shop) as replica:
        positions = replica.slice(["DRESS"]).positions["DRESS"]
        assert positions["LYON"].free == positions["PARIS"].free == 5
        assert 0 < positions["LYON"].facts.find_rate < positions["PARIS"].facts.find_rate < 1
        # What Paris sold today would be spared there.
        assert planned_from(replica, replace(RULESET, low_cover=None)) == "PARIS"


async def test_nothing_is_shipped_from_where_the_channel_may_only_collect(shop: Shop) -> None:
    async with following(shop) as replica:
        assert planned_from(replica) == "LYON"
        for at, expected in ((("LYON",), "PARIS"), (("LYON", "PARIS"), "")):
            collecting = tuple(Activation(point_id, frozenset({Purpose.COLLECT})) for point_id in at)
            ships = tuple(point_id for point_id in ("LYON", "PARIS") if point_id not in at)
            rules = with_rules(channel_id=CHANNEL, activated_points=ships, activations=collecting)
            await shop.service.put_channels([rules], EDIT)
            await until(lambda expected=expected: planned_from(replica) == expected)  # type: ignore[misc]
        position = replica.slice(["DRESS"]).positions["DRESS"]["LYON"]
        assert position.allows(CHANNEL, n.COLLECT)
