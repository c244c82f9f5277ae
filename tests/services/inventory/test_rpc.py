"""The inventory process over real gRPC: wiring, translation, errors, the sweep, the two feeds."""

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import grpc
import pytest
import pytest_asyncio
from google.protobuf.timestamp_pb2 import Timestamp
from grpc_health.v1 import health_pb2, health_pb2_grpc

from deploy.local.process import free_port
from kit import rpc
from kit.errors import Conflict, FailedPrecondition, InvalidArgument, NotFound
from oms.inventory.v1 import inventory_service_pb2 as pb
from oms.inventory.v1 import shelf_service_pb2 as shelf_pb
from oms.inventory.v1.inventory_service_pb2_grpc import InventoryServiceStub
from oms.inventory.v1.shelf_service_pb2_grpc import ShelfServiceStub
from oms.outbox.v1 import outbox_service_pb2 as outbox_pb
from oms.outbox.v1.outbox_service_pb2_grpc import OutboxServiceStub
from oms.type.v1 import type_pb2 as types
from tests.conftest import MakeDatabase
from tests.infra import Database

if TYPE_CHECKING:
    from oms.inventory.v1.inventory_service_pb2_grpc import InventoryServiceAsyncStub
    from oms.outbox.v1.outbox_service_pb2_grpc import OutboxServiceAsyncStub

ITEMS = [
    pb.Item(
        sku="PAN",
        gtin="4006381333931",
        title="Poêle",
        category_path=["home", "kitchen"],
        weight_grams=900,
        tags=["iron"],
        prices=[pb.ChannelPrice(channel_id="web", price=types.Money(amount_minor=4990, currency="EUR"))],
    ),
    pb.Item(sku="SOFA", category_path=["home"]),
]
POINTS = [
    pb.StockPoint(
        point_id="LYON",
        name="Lyon",
        type=types.POINT_TYPE_STORE,
        position=types.Position(latitude=45.76, longitude=4.84),
        country="FR",
        time_zone="Europe/Paris",
        opening_hours=[pb.OpeningHours(weekday=1, opens_minute=600, closes_minute=1140)],
        closed_dates=["2026-12-24"],
        collections=[pb.Collection(carrier_id="colis", weekday=1, cut_off_minute=960)],
        capabilities=["ship_from_store"],
        ownership="owned",
    )
]
CHANNELS = [
    pb.Channel(
        channel_id="web",
        name="Web",
        currency="EUR",
        activated_points=["LYON"],
        exclusions=[pb.Exclusion(sku="SOFA", reason="too big")],
        safety_stock=[pb.SafetyStockRule(point_type=types.POINT_TYPE_STORE, quantity=1)],
    )
]


@pytest.fixture(scope="module")
def database(make_database: MakeDatabase) -> Database:
    return make_database("inventory")


@pytest.fixture(scope="module")
def address(database: Database, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """One process for the module; each test finds its tables empty."""
    listen = f"127.0.0.1:{free_port()}"
    log = tmp_path_factory.mktemp("inventory") / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "services.inventory"],
            env={
                **os.environ,
                "OMS_LISTEN": listen,
                "OMS_DATABASE_URL": database.url,
                "PYTHONPATH": ".:protos/gen",
            },
            cwd=Path(__file__).parents[3],
            stdout=output,
            stderr=output,
        )
    with grpc.insecure_channel(listen) as channel:
        checker = health_pb2_grpc.HealthStub(channel)
        answer = checker.Check(health_pb2.HealthCheckRequest(), timeout=30, wait_for_ready=True)
        deadline = time.monotonic() + 10
        while answer.status != health_pb2.HealthCheckResponse.SERVING and time.monotonic() < deadline:
            time.sleep(0.05)
            answer = checker.Check(health_pb2.HealthCheckRequest())
    yield listen
    process.terminate()
    assert process.wait(10) == 0, log.read_text()


@pytest_asyncio.fixture
async def channel(address: str, database: Database) -> AsyncIterator[grpc.aio.Channel]:
    database.clean()
    async with rpc.connect(address) as connected:
        yield connected


@pytest_asyncio.fixture
async def inventory(channel: grpc.aio.Channel) -> "InventoryServiceAsyncStub":
    stub: Any = InventoryServiceStub(channel)
    await stub.PutItems(pb.PutItemsRequest(items=ITEMS))
    await stub.PutStockPoints(pb.PutStockPointsRequest(points=POINTS))
    await stub.PutChannels(pb.PutChannelsRequest(channels=CHANNELS))
    return stub  # type: ignore[no-any-return]


def adjustment(quantity: int, request_id: str = "adjust", sku: str = "PAN") -> pb.AdjustStockRequest:
    return pb.AdjustStockRequest(
        request_id=request_id,
        deltas=[pb.StockDelta(sku=sku, point_id="LYON", quantity=quantity)],
        cause=pb.Cause(cause="receipt", actor="wms", source="wms/1"),
    )


def reserve(quantity: int, reservation_id: str = "ord_1", **fields: Any) -> pb.ReserveRequest:
    return pb.ReserveRequest(
        request_id=f"{reservation_id}/hold",
        reservation_id=reservation_id,
        channel_id="web",
        lines=[pb.HoldLine(sku="PAN", point_id="LYON", quantity=quantity)],
        **{"time_to_live_seconds": 600, **fields},
    )


LINE = [pb.HoldLine(sku="PAN", point_id="LYON", quantity=1)]


async def test_the_catalogue_crosses_the_wire_unchanged(inventory: "InventoryServiceAsyncStub") -> None:
    assert list((await inventory.ListItems(pb.ListItemsRequest())).items) == ITEMS
    assert list((await inventory.ListStockPoints(pb.ListStockPointsRequest())).points) == POINTS
    assert list((await inventory.ListChannels(pb.ListChannelsRequest())).channels) == CHANNELS
    assert (await inventory.PutItems(pb.PutItemsRequest(items=ITEMS))).changed == 0


async def test_a_life_of_a_hold(inventory: "InventoryServiceAsyncStub") -> None:
    adjusted = await inventory.AdjustStock(adjustment(5))
    assert list(adjusted.balances) == [pb.Balance(sku="PAN", point_id="LYON", on_hand=5)]
    refused = await inventory.Reserve(reserve(5, "ord_0"))
    assert (refused.reserved, refused.HasField("reservation")) == (False, False)
    assert list(refused.shortfalls) == [pb.Shortfall(sku="PAN", point_id="LYON", requested=5, available=4, free=5)]
    held = await inventory.Reserve(reserve(4))
    assert held.reserved
    assert held.reservation.state == pb.RESERVATION_STATE_HELD
    assert await inventory.Reserve(reserve(4)) == held, "the first answer"
    confirmed = (await inventory.Confirm(pb.ConfirmRequest(reservation_id="ord_1"))).reservation
    assert confirmed.state == pb.RESERVATION_STATE_CONFIRMED
    assert not confirmed.HasField("expires_at")
    released = await inventory.Release(pb.ReleaseRequest(request_id="r", reservation_id="ord_1", lines=LINE))
    assert list(released.released) == LINE
    short = await inventory.ReportShort(
        pb.ReportShortRequest(request_id="s", reservation_id="ord_1", lines=LINE, actor="assoc_1")
    )
    assert short.balances[0].unavailable == 1
    issued = await inventory.Issue(
        pb.IssueRequest(request_id="i", reservation_id="ord_1", lines=LINE, reference="par_1")
    )
    assert issued.balances[0] == pb.Balance(sku="PAN", point_id="LYON", on_hand=4, reserved=1, unavailable=1)
    found = await inventory.GetReservation(pb.GetReservationRequest(reservation_id="ord_1"))
    assert list(found.reservation.lines) == LINE
    moved = await inventory.MoveReservation(
        pb.MoveReservationRequest(
            request_id="m",
            reservation_id="ord_1",
            moves=[pb.HoldMove(sku="PAN", from_point_id="LYON", to_point_id="PARIS", quantity=1)],
        )
    )
    assert not moved.moved
    assert moved.shortfalls[0].available == 0


async def test_units_are_released_by_the_request_that_declared_them(
    inventory: "InventoryServiceAsyncStub",
) -> None:
    await inventory.AdjustStock(adjustment(5))
    for request_id, word in (("first", "damaged"), ("second", "packed")):
        cause = pb.Cause(cause=word, actor="workflows")
        await inventory.DeclareUnavailable(
            pb.DeclareUnavailableRequest(
                request_id=request_id, sku="PAN", point_id="LYON", quantity=2, cause=cause
            )
        )
    asked = pb.ReleaseUnavailableRequest(
        request_id="u",
        declared_by="second",
        sku="PAN",
        point_id="LYON",
        cause=pb.Cause(cause="unpacked", actor="a"),
    )
    released = await inventory.ReleaseUnavailable(asked)
    assert released.balance.unavailable == 2
    (declared,) = released.declarations
    assert (declared.reason, declared.remaining) == (pb.DECLARATION_REASON_PACKED, 0)
    asked.request_id, asked.declared_by = "v", "third"
    with pytest.raises(NotFound, match="DECLARATION_NOT_FOUND"):
        await inventory.ReleaseUnavailable(asked)


async def test_the_image_and_its_reasons(inventory: "InventoryServiceAsyncStub") -> None:
    await inventory.AdjustStock(adjustment(5))
    await inventory.DeclareUnavailable(
        pb.DeclareUnavailableRequest(
            request_id="d", sku="PAN", point_id="LYON", quantity=2, cause=pb.Cause(cause="damaged", actor="a")
        )
    )
    released = await inventory.ReleaseUnavailable(
        pb.ReleaseUnavailableRequest(
            request_id="u", sku="PAN", point_id="LYON", quantity=1, cause=pb.Cause(cause="found", actor="a")
        )
    )
    assert released.balance.unavailable == 1
    (declared,) = released.declarations
    assert (declared.reason, declared.remaining) == (pb.DECLARATION_REASON_DAMAGED, 1)
    answer = await inventory.GetAvailability(
        pb.GetAvailabilityRequest(channel_id="web", skus=["SOFA", "PAN"], explain=True)
    )
    sofa, pan = answer.availabilities
    assert sofa.zero_reason == "EXCLUDED: too big"
    assert pan.available_now == 3
    assert pan.points[0].safety_stock_rule == "point type store: 1"
    assert pan.inputs == pb.ImageInputs(physical=5, unavailable=1, safety_stock=1)
    assert not sofa.points
    for purpose, shown in ((pb.STOCK_PURPOSE_SHIP, 3), (pb.STOCK_PURPOSE_SHOW, 3)):
        answer = await inventory.GetAvailability(
            pb.GetAvailabilityRequest(channel_id="web", skus=["PAN"], purpose=purpose)
        )
        assert answer.availabilities[0].available_now == shown


async def test_rules_of_every_kind_go_over_the_wire_and_back(inventory: "InventoryServiceAsyncStub") -> None:
    begins = Timestamp(seconds=1_800_000_000)
    channel = pb.Channel(
        channel_id="web",
        name="Web",
        currency="EUR",
        brands=["Cairn"],
        activations=[
            pb.Activation(point_id="LYON", purposes=[pb.STOCK_PURPOSE_COLLECT, pb.STOCK_PURPOSE_SHOW]),
        ],
        exclusions=[
            pb.Exclusion(tag="fragile", brand="Cairn", point_type=types.POINT_TYPE_STORE, from_at=begins),
            pb.Exclusion(category="home", point_id="LYON", until_at=begins, reason="moved"),
        ],
        safety_stock=[pb.SafetyStockRule(category="home", percent=20)],
        routing_buffers=[pb.SafetyStockRule(point_id="LYON", quantity=2)],
    )
    await inventory.PutChannels(pb.PutChannelsRequest(channels=[channel], actor="user_1"))
    assert list((await inventory.ListChannels(pb.ListChannelsRequest())).channels) == [channel]
    request = pb.ListVersionsRequest(kind=pb.SETTING_KIND_CHANNEL, key="web", page=types.PageRequest(size=1))
    newest = await inventory.ListVersions(request)
    assert [(one.version, one.actor) for one in newest.versions] == [(2, "user_1")]
    assert json.loads(newest.versions[0].content_json)["brands"] == ["Cairn"]
    request.page.cursor = newest.page.next_cursor
    older = await inventory.ListVersions(request)
    assert [(one.version, one.actor) for one in older.versions] == [(1, "unnamed")]
    with pytest.raises(InvalidArgument, match="not item, point or channel"):
        await inventory.ListVersions(pb.ListVersionsRequest(key="web"))


async def test_an_activation_for_everything_is_an_activated_point(inventory: "InventoryServiceAsyncStub") -> None:
    everything = [pb.STOCK_PURPOSE_SHOW, pb.STOCK_PURPOSE_SHIP, pb.STOCK_PURPOSE_COLLECT]
    channel = pb.Channel(channel_id="app", name="App", currency="EUR")
    channel.activations.add(point_id="LYON", purposes=everything)
    await inventory.PutChannels(pb.PutChannelsRequest(channels=[channel]))
    found = {one.channel_id: one for one in (await inventory.ListChannels(pb.ListChannelsRequest())).channels}
    assert (list(found["app"].activated_points), list(found["app"].activations)) == (["LYON"], [])
    channel.activations[0].purposes.append(99)  # type: ignore[arg-type]
    with pytest.raises(InvalidArgument, match="not a purpose"):
        await inventory.PutChannels(pb.PutChannelsRequest(channels=[channel]))


async def test_the_process_serves_shelves_too(
    inventory: "InventoryServiceAsyncStub", channel: grpc.aio.Channel
) -> None:
    await inventory.AdjustStock(adjustment(5))
    await inventory.DeclareUnavailable(
        pb.DeclareUnavailableRequest(
            request_id="d",
            sku="PAN",
            point_id="LYON",
            quantity=2,
            reason=pb.DECLARATION_REASON_NOT_FOUND,
            cause=pb.Cause(cause="looked_twice", actor="a"),
        )
    )
    shelf: Any = ShelfServiceStub(channel)
    found = await shelf.ListDeclarations(shelf_pb.ListDeclarationsRequest(point_id="LYON"))
    assert [one.reason for one in found.declarations] == [pb.DECLARATION_REASON_NOT_FOUND]


async def test_lists_come_in_pages(inventory: "InventoryServiceAsyncStub") -> None:
    for n, sku in enumerate(["PAN", "SOFA", "PAN"]):
        await inventory.AdjustStock(adjustment(1, f"a{n}", sku))
    one = types.PageRequest(size=1)
    first = await inventory.ListBalances(pb.ListBalancesRequest(page=one))
    rest = types.PageRequest(size=1, cursor=first.page.next_cursor)
    second = await inventory.ListBalances(pb.ListBalancesRequest(page=rest))
    assert [b.sku for b in (*first.balances, *second.balances)] == ["PAN", "SOFA"]
    assert second.page.next_cursor == ""
    oldest = await inventory.ListMovements(pb.ListMovementsRequest(sku="PAN", page=one))
    rest = types.PageRequest(cursor=oldest.page.next_cursor)
    newest = await inventory.ListMovements(pb.ListMovementsRequest(sku="PAN", page=rest))
    assert [len(oldest.movements), len(newest.movements)] == [1, 1]
    assert oldest.movements[0].cause == pb.Cause(cause="receipt", actor="wms", source="wms/1")
    for page, field in (
        (types.PageRequest(size=501), "page.size"),
        (types.PageRequest(cursor="?"), "page.cursor"),
        (rest, "page.cursor"),
    ):
        with pytest.raises(InvalidArgument) as error:
            await inventory.ListItems(pb.ListItemsRequest(page=page))
        assert error.value.facts["field"] == field


async def test_errors_cross_the_wire_with_reason_and_facts(inventory: "InventoryServiceAsyncStub") -> None:
    with pytest.raises(InvalidArgument) as invalid:
        await inventory.PutItems(pb.PutItemsRequest(items=[ITEMS[1], pb.Item(sku="HAT", gtin="1")]))
    assert invalid.value.facts["field"] == "items[1].gtin"
    with pytest.raises(InvalidArgument) as invalid:
        await inventory.PutStockPoints(pb.PutStockPointsRequest(points=[pb.StockPoint(point_id="P")]))
    assert invalid.value.facts["field"] == "points[0].type"
    with pytest.raises(InvalidArgument) as invalid:
        await inventory.Reserve(pb.ReserveRequest(reservation_id="o", channel_id="web", lines=LINE))
    assert invalid.value.facts["field"] == "request_id"
    with pytest.raises(NotFound, match="RESERVATION_NOT_FOUND"):
        await inventory.GetReservation(pb.GetReservationRequest(reservation_id="ord_9"))
    with pytest.raises(FailedPrecondition, match="STOCK_BELOW_ZERO") as refused:
        await inventory.AdjustStock(adjustment(-1))
    assert refused.value.facts["field"] == "deltas[0].quantity"
    await inventory.AdjustStock(adjustment(1))
    with pytest.raises(Conflict, match="IDEMPOTENCY_CONFLICT") as conflict:
        await inventory.AdjustStock(adjustment(2))
    assert conflict.value.facts["request_id"] == "adjust"


async def test_the_sweep_ends_what_nobody_confirmed_and_the_event_can_be_pulled(
    inventory: "InventoryServiceAsyncStub", channel: grpc.aio.Channel
) -> None:
    await inventory.AdjustStock(adjustment(5))
    await inventory.Reserve(reserve(1, time_to_live_seconds=1))
    outbox: OutboxServiceAsyncStub = OutboxServiceStub(channel)
    cursor, types_seen = 0, []
    async with asyncio.timeout(15):
        while "oms.inventory.reservation.expired" not in types_seen:
            pull = outbox_pb.PullEventsRequest(after_sequence=cursor, wait_milliseconds=5000)
            events = (await outbox.PullEvents(pull)).events
            types_seen += [event.type for event in events]
            cursor = events[-1].sequence if events else cursor
    assert types_seen[0] == "oms.inventory.stock.adjusted"
    found = await inventory.GetReservation(pb.GetReservationRequest(reservation_id="ord_1"))
    assert found.reservation.state == pb.RESERVATION_STATE_EXPIRED
    gone = await inventory.ExpireReservations(pb.ExpireReservationsRequest())
    assert list(gone.reservation_ids) == []


async def test_a_replica_is_told_of_a_change_at_once(inventory: "InventoryServiceAsyncStub") -> None:
    await inventory.AdjustStock(adjustment(5))
    feed = inventory.WatchStock(pb.WatchStockRequest())
    items: list[pb.Item] = []
    stock: list[pb.StockBlock] = []
    async for message in feed:
        items += message.items
        stock += [message.stock] if message.HasField("stock") else []
        if message.snapshot_complete:
            break
    assert items == ITEMS
    everything = [pb.STOCK_PURPOSE_SHIP, pb.STOCK_PURPOSE_COLLECT, pb.STOCK_PURPOSE_SHOW]
    terms = pb.PositionTerms(channels=[pb.ChannelTerms(channel_id="web", safety_stock=1, purposes=everything)])
    one = pb.StockBlock(
        skus=["PAN"],
        rows=[1],
        point_ids=["LYON"],
        terms=[terms],
        point_indexes=[0],
        terms_indexes=[0],
        free=[5],
    )
    assert stock == [one]
    await inventory.Reserve(reserve(2))
    async with asyncio.timeout(5):
        async for change in feed:
            if change.HasField("stock"):
                break
    assert list(change.stock.free) == [3]
    assert change.HasField("sent_at")
    feed.cancel()
