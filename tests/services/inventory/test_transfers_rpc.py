"""Lanes, transfers and pauses in the inventory process, over real gRPC and by the real clock."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio

from deploy.local.process import free_port
from kit import rpc
from kit.errors import FailedPrecondition, InvalidArgument, NotFound
from kit.times import from_proto, now, to_proto
from oms.inventory.v1 import inventory_service_pb2 as stock_pb
from oms.inventory.v1 import pause_service_pb2 as pause_pb
from oms.inventory.v1 import transfer_service_pb2 as pb
from oms.inventory.v1.inventory_service_pb2_grpc import InventoryServiceStub
from oms.inventory.v1.pause_service_pb2_grpc import PauseServiceStub
from oms.inventory.v1.transfer_service_pb2_grpc import TransferServiceStub
from oms.type.v1 import type_pb2 as types
from tests.conftest import MakeDatabase
from tests.processes import running
from tests.services.inventory.shop import request_id

if TYPE_CHECKING:
    from oms.inventory.v1.inventory_service_pb2_grpc import InventoryServiceAsyncStub
    from oms.inventory.v1.pause_service_pb2_grpc import PauseServiceAsyncStub
    from oms.inventory.v1.transfer_service_pb2_grpc import TransferServiceAsyncStub

MONDAY = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
LANE = pb.Lane(
    lane_id="lyon-paris",
    origin_id="LYON",
    destination_id="PARIS",
    departures=[pb.LaneDeparture(weekday=1, cut_off_minute=1080)],
    transit_days=1,
    cost=pb.LaneCost(currency="EUR", per_parcel_minor=500, per_unit_minor=2, per_kilogram_minor=30),
)


@dataclass
class Stubs:
    """The three services of the process."""

    stock: "InventoryServiceAsyncStub"
    transfers: "TransferServiceAsyncStub"
    pauses: "PauseServiceAsyncStub"


@pytest_asyncio.fixture
async def stubs(make_database: MakeDatabase) -> AsyncIterator[Stubs]:
    """Two points, one channel, one article with nine units in LYON."""
    database = make_database("inventory")
    database.clean()
    address = f"127.0.0.1:{free_port()}"
    async with (
        running("services.inventory", address, {"OMS_DATABASE_URL": database.url}),
        rpc.connect(address) as channel,
    ):
        found = Stubs(InventoryServiceStub(channel), TransferServiceStub(channel), PauseServiceStub(channel))
        await _furnish(found.stock)
        yield found


async def _furnish(stock: "InventoryServiceAsyncStub") -> None:
    await stock.PutItems(stock_pb.PutItemsRequest(items=[stock_pb.Item(sku="PAN")]))
    points = [
        stock_pb.StockPoint(
            point_id=point_id,
            type=types.POINT_TYPE_STORE,
            position=types.Position(latitude=45.76, longitude=4.84),
            country="FR",
            time_zone="Europe/Paris",
        )
        for point_id in ("LYON", "PARIS")
    ]
    await stock.PutStockPoints(stock_pb.PutStockPointsRequest(points=points))
    channel = stock_pb.Channel(channel_id="web", currency="EUR", activated_points=["LYON", "PARIS"])
    await stock.PutChannels(stock_pb.PutChannelsRequest(channels=[channel]))
    await stock.AdjustStock(
        stock_pb.AdjustStockRequest(
            request_id="receipt",
            deltas=[stock_pb.StockDelta(sku="PAN", point_id="LYON", quantity=9)],
            cause=stock_pb.Cause(cause="receipt", actor="wms"),
        )
    )


async def test_a_transfer_goes_its_way_over_the_wire(stubs: Stubs) -> None:
    road = stubs.transfers
    assert (await road.PutLanes(pb.PutLanesRequest(lanes=[LANE]))).changed == 1
    assert list((await road.ListLanes(pb.ListLanesRequest(point_ids=["PARIS"]))).lanes) == [LANE]
    schedule = await road.GetLaneSchedule(
        pb.GetLaneScheduleRequest(
            lane_id="lyon-paris", as_of=to_proto(MONDAY), parcels=1, units=4, weight_grams=1000
        )
    )
    assert len(schedule.runs) == 5
    assert from_proto(schedule.runs[0].cut_off_at) == MONDAY.replace(hour=17)
    assert schedule.cost == types.Money(amount_minor=538, currency="EUR")

    line = [pb.TransferQuantity(sku="PAN", quantity=4)]
    asking = pb.RequestTransferRequest(
        request_id="r", origin_id="LYON", destination_id="PARIS", lines=line, actor="paul", as_of=to_proto(MONDAY)
    )
    asked = (await road.RequestTransfer(asking)).transfer
    assert (asked.state, asked.lane_id) == (pb.TRANSFER_STATE_REQUESTED, "lyon-paris")
    assert asked.expected == schedule.runs[0].arrives
    too_many = [pb.TransferQuantity(sku="PAN", quantity=6)]
    refused = await road.RequestTransfer(
        pb.RequestTransferRequest(
            request_id="r2", origin_id="LYON", destination_id="PARIS", lines=too_many, actor="paul"
        )
    )
    assert (refused.requested, refused.HasField("transfer"), refused.shortfalls[0].available) == (False, False, 5)

    of, lea = asked.transfer_id, "lea"
    for window, field in ((types.Window(), "start"), (types.Window(start=to_proto(MONDAY)), "end")):
        half = pb.DispatchTransferRequest(request_id="d", transfer_id=of, actor=lea, expected=window)
        with pytest.raises(InvalidArgument) as error:
            await road.DispatchTransfer(half)
        assert error.value.facts["field"] == f"expected.{field}"
    sent = await road.DispatchTransfer(pb.DispatchTransferRequest(request_id="d", transfer_id=of, actor=lea))
    assert (sent.transfer.state, sent.transfer.lines[0].in_transit) == (pb.TRANSFER_STATE_DISPATCHED, 4)
    (travelling,) = (await road.ListInTransit(pb.ListInTransitRequest(point_ids=["PARIS"]))).in_transit
    assert (travelling.sku, travelling.quantity, travelling.expected) == ("PAN", 4, sent.transfer.expected)
    arrived = [pb.TransferReceipt(sku="PAN", quantity=3, damaged=1)]
    await road.ReceiveTransfer(pb.ReceiveTransferRequest(request_id="i", lines=arrived, transfer_id=of, actor=lea))
    for outcome, reason, complaint in (
        (pb.TRANSFER_OUTCOME_UNSPECIFIED, "", "lines[0].outcome"),
        (pb.TRANSFER_OUTCOME_LOST, "", "lines[0].reason"),
    ):
        wrong = pb.TransferSettlement(sku="PAN", quantity=1, outcome=outcome, reason=reason)
        with pytest.raises(InvalidArgument) as error:
            await road.SettleTransfer(
                pb.SettleTransferRequest(request_id="s", lines=[wrong], transfer_id=of, actor=lea)
            )
        assert error.value.facts["field"] == complaint
    lost = pb.TransferSettlement(sku="PAN", quantity=1, outcome=pb.TRANSFER_OUTCOME_LOST, reason="stolen")
    closed = await road.SettleTransfer(
        pb.SettleTransferRequest(request_id="s", lines=[lost], transfer_id=of, actor=lea)
    )
    assert closed.transfer.state == pb.TRANSFER_STATE_CLOSED

    found = (await road.GetTransfer(pb.GetTransferRequest(transfer_id=asked.transfer_id))).transfer
    assert [act.act for act in found.acts] == ["request", "dispatch", "receive", "settle"]
    assert (found.acts[-1].lines[0].outcome, found.acts[-1].lines[0].reason) == ("lost", "stolen")
    with pytest.raises(FailedPrecondition, match="ILLEGAL_TRANSITION"):
        await road.CancelTransfer(pb.CancelTransferRequest(request_id="c", transfer_id=of, actor=lea))
    listed = await road.ListTransfers(pb.ListTransfersRequest(states=[pb.TRANSFER_STATE_CLOSED]))
    assert [one.transfer_id for one in listed.transfers] == [asked.transfer_id]
    assert not (await road.ListTransfers(pb.ListTransfersRequest(states=[pb.TRANSFER_STATE_REQUESTED]))).transfers
    checked = await road.FindTransferDifferences(pb.FindTransferDifferencesRequest())
    assert (checked.checked, list(checked.differences)) == (1, [])
    assert (await road.DeleteLanes(pb.DeleteLanesRequest(lane_ids=["lyon-paris"]))).deleted == 1
    with pytest.raises(NotFound, match="LANE_NOT_FOUND"):
        await road.GetLaneSchedule(pb.GetLaneScheduleRequest(lane_id="lyon-paris"))


async def test_a_pause_begins_and_ends_by_the_clock_and_the_feed_tells_both(stubs: Stubs) -> None:
    await _pause_and_lift(stubs)
    begins = now() + timedelta(seconds=1)
    ends = begins + timedelta(seconds=1.5)
    asking = pause_pb.StartPauseRequest(
        request_id=request_id(),
        point_id="LYON",
        reason="stock-taking",
        from_at=to_proto(begins),
        until_at=to_proto(ends),
        actor="paul",
    )
    watch = stubs.stock.WatchStock(stock_pb.WatchStockRequest())
    sold_on: list[tuple[datetime, bool]] = []
    try:
        async with asyncio.timeout(30):
            started = (await stubs.pauses.StartPause(asking)).pause
            assert not started.in_force
            async for message in watch:
                for number in message.stock.terms_indexes:
                    sold_on.append((now(), bool(message.stock.terms[number].channels)))
                if len(sold_on) >= 3 and sold_on[-1][1]:
                    break
    finally:
        watch.cancel()
    told = [sold for _, sold in sold_on]
    assert told[0] is True
    assert told[-2:] == [False, True]
    first_stop = next(at for at, sold in sold_on if not sold)
    assert begins <= first_stop
    assert ends <= sold_on[-1][0]
    listed = await stubs.pauses.ListPauses(pause_pb.ListPausesRequest(include_ended=True))
    assert [one.in_force for one in listed.pauses] == [False, False]
    assert listed.pauses[-1].pause_id == started.pause_id


async def _pause_and_lift(stubs: Stubs) -> None:
    # A pause of now is seen at once, until it is lifted.
    asking = pause_pb.StartPauseRequest(request_id=request_id(), sku="PAN", reason="recall", actor="paul")
    pause = (await stubs.pauses.StartPause(asking)).pause
    assert pause.in_force
    question = stock_pb.GetAvailabilityRequest(channel_id="web", skus=["PAN"])
    (figure,) = (await stubs.stock.GetAvailability(question)).availabilities
    assert (figure.available_now, figure.zero_reason) == (0, "PAUSED: recall")
    lifted = await stubs.pauses.LiftPause(pause_pb.LiftPauseRequest(pause_id=pause.pause_id, actor="lea"))
    assert (lifted.pause.in_force, lifted.pause.lifted_by) == (False, "lea")
    (figure,) = (await stubs.stock.GetAvailability(question)).availabilities
    assert (figure.available_now, figure.zero_reason) == (9, "")
    assert not (await stubs.pauses.ListPauses(pause_pb.ListPausesRequest())).pauses
