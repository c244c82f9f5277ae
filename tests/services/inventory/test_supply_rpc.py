"""SupplyService in the inventory process over real gRPC: wiring, translation, errors, the sweep."""

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from kit import rpc
from kit.errors import FailedPrecondition, InvalidArgument, NotFound
from kit.times import to_proto
from oms.inventory.v1 import inventory_service_pb2 as stock
from oms.inventory.v1 import supply_service_pb2 as pb
from oms.inventory.v1.inventory_service_pb2_grpc import InventoryServiceStub
from oms.inventory.v1.supply_service_pb2_grpc import SupplyServiceStub
from oms.type.v1 import type_pb2 as types
from tests.conftest import MakeDatabase
from tests.processes import running

if TYPE_CHECKING:
    from oms.inventory.v1.inventory_service_pb2_grpc import InventoryServiceAsyncStub
    from oms.inventory.v1.supply_service_pb2_grpc import SupplyServiceAsyncStub

NOW = datetime.now(UTC)
RULES = pb.FutureRules(
    kinds=[pb.EXPECTED_KIND_ON_ORDER],
    longest_promise_days=30,
    grace_days=1,
    protection=[stock.SafetyStockRule(point_type=types.POINT_TYPE_STORE, quantity=2)],
)


def day(days: int) -> str:
    return (NOW + timedelta(days=days)).date().isoformat()


def delivery(**changes: Any) -> pb.ExpectedDelivery:
    fields: dict[str, Any] = {
        "delivery_id": "po-1",
        "document": "po",
        "sku": "PAN",
        "point_id": "LYON",
        "kind": pb.EXPECTED_KIND_ON_ORDER,
        "quantity": 10,
        "from_date": day(2),
        "until_date": day(4),
        "source": "erp",
        "source_sequence": 3,
        "source_updated_at": to_proto(NOW),
    }
    return pb.ExpectedDelivery(**fields | changes)


def presale() -> pb.Preorder:
    return pb.Preorder(
        preorder_id="pre-1",
        sku="PAN",
        channel_id="web",
        quantity=5,
        opens_at=to_proto(NOW - timedelta(days=1)),
        closes_at=to_proto(NOW + timedelta(days=1)),
        release_at=to_proto(NOW + timedelta(days=9)),
    )


@pytest.fixture
async def stubs(
    make_database: MakeDatabase, unused_tcp_port_factory: Callable[[], int]
) -> AsyncIterator[tuple["SupplyServiceAsyncStub", "InventoryServiceAsyncStub"]]:
    """The process with an item under embargo, a store and a channel that opted in."""
    address = f"127.0.0.1:{unused_tcp_port_factory()}"
    database = make_database("inventory")
    database.clean()
    environment = {"OMS_DATABASE_URL": database.url}
    async with running("services.inventory", address, environment), rpc.connect(address) as channel:
        inventory: InventoryServiceAsyncStub = InventoryServiceStub(channel)
        supply: SupplyServiceAsyncStub = SupplyServiceStub(channel)
        await inventory.PutItems(stock.PutItemsRequest(items=[stock.Item(sku="PAN", release_date=day(9))]))
        point = stock.StockPoint(
            point_id="LYON",
            name="Lyon",
            type=types.POINT_TYPE_STORE,
            position=types.Position(latitude=45.76, longitude=4.84),
            country="FR",
            time_zone="Europe/Paris",
        )
        await inventory.PutStockPoints(stock.PutStockPointsRequest(points=[point]))
        web = stock.Channel(channel_id="web", name="Web", currency="EUR", activated_points=["LYON"])
        await inventory.PutChannels(stock.PutChannelsRequest(channels=[web]))
        await supply.PutFutureRules(pb.PutFutureRulesRequest(channel_id="web", rules=RULES))
        yield supply, inventory


async def test_units_to_come_live_from_order_to_shelf(
    stubs: tuple["SupplyServiceAsyncStub", "InventoryServiceAsyncStub"],
) -> None:
    supply, inventory = stubs
    assert (await supply.GetFutureRules(pb.GetFutureRulesRequest(channel_id="web"))).rules == RULES
    put = await supply.PutExpectedDeliveries(pb.PutExpectedDeliveriesRequest(deliveries=[delivery()]))
    assert [(one.delivery_id, one.outcome) for one in put.results] == [("po-1", pb.PUT_OUTCOME_CREATED)]
    await supply.PutPreorders(pb.PutPreordersRequest(preorders=[presale()]))

    asked = pb.GetFutureAvailabilityRequest(channel_id="web", skus=["PAN"], explain=True)
    (figures,) = (await supply.GetFutureAvailability(asked)).availabilities
    assert [(one.delivery_id, one.quantity, one.until_date) for one in figures.future] == [("po-1", 8, day(4))]
    assert (figures.available_now, figures.preorder, figures.under_embargo) == (0, 5, True)
    assert (figures.inputs[0].protected, figures.inputs[0].protection_rule) == (2, "point type store: 2")
    assert (figures.release_date, figures.preorders[0].preorder_id) == (day(9), "pre-1")

    lines = [pb.FutureLine(delivery_id="po-1", quantity=3), pb.FutureLine(preorder_id="pre-1", quantity=2)]
    held = await supply.ReserveFuture(
        pb.ReserveFutureRequest(
            request_id="r-1", reservation_id="ord_1", channel_id="web", lines=lines, time_to_live_seconds=600
        )
    )
    assert (held.reserved, list(held.reservation.lines)) == (True, lines)
    confirmed = await supply.ConfirmFuture(pb.ConfirmFutureRequest(reservation_id="ord_1"))
    assert confirmed.reservation.state == stock.RESERVATION_STATE_CONFIRMED

    received = await supply.ReceiveExpectedDelivery(
        pb.ReceiveExpectedDeliveryRequest(
            request_id="r-2", delivery_id="po-1", quantity=8, damaged=1, close=True, actor="assoc_1"
        )
    )
    assert list(received.served) == [pb.FutureShare(reservation_id="ord_1", quantity=3)]
    assert (received.balance.on_hand, received.balance.reserved, received.balance.unavailable) == (9, 3, 1)
    assert received.delivery.state == pb.EXPECTED_STATE_RECEIVED
    converted = await supply.ConvertPreorder(
        pb.ConvertPreorderRequest(
            request_id="r-3",
            reservation_id="ord_1",
            lines=[stock.HoldLine(sku="PAN", point_id="LYON", quantity=1)],
        )
    )
    assert (converted.converted, converted.reservation.lines[0].quantity) == (True, 4)
    assert list(converted.waiting.lines) == [pb.FutureLine(preorder_id="pre-1", quantity=1)]
    released = await supply.ReleaseFuture(pb.ReleaseFutureRequest(request_id="r-4", reservation_id="ord_1"))
    assert list(released.released) == [pb.FutureLine(preorder_id="pre-1", quantity=1)]
    (listed,) = (await supply.ListPreorders(pb.ListPreordersRequest())).preorders
    assert (listed.held, listed.converted) == (0, 1)
    assert not (await supply.FindSupplyDifferences(pb.FindSupplyDifferencesRequest())).differences
    assert not (await inventory.FindDifferences(stock.FindDifferencesRequest())).differences


async def test_refusals_errors_and_sweeps_cross_the_wire(
    stubs: tuple["SupplyServiceAsyncStub", "InventoryServiceAsyncStub"],
) -> None:
    supply, _ = stubs
    for wrong, field in (
        (delivery(kind=0), "deliveries[0].kind"),
        (delivery(from_date="soon"), "deliveries[0].from_date"),
        (delivery(quantity=-1), "deliveries[0].quantity"),
    ):
        with pytest.raises(InvalidArgument) as refused:
            await supply.PutExpectedDeliveries(pb.PutExpectedDeliveriesRequest(deliveries=[wrong]))
        assert refused.value.facts["field"] == field
    with pytest.raises(InvalidArgument, match="an instant is required"):
        await supply.PutPreorders(pb.PutPreordersRequest(preorders=[pb.Preorder(preorder_id="x", sku="PAN")]))

    await supply.PutExpectedDeliveries(pb.PutExpectedDeliveriesRequest(deliveries=[delivery()]))

    def wish(quantity: int, seconds: int = 0, **of: str) -> pb.ReserveFutureRequest:
        return pb.ReserveFutureRequest(
            request_id=f"w-{quantity}-{seconds}",
            reservation_id="ord_2",
            channel_id="web",
            lines=[pb.FutureLine(quantity=quantity, **of)],
            time_to_live_seconds=seconds,
        )

    with pytest.raises(InvalidArgument) as nothing:
        await supply.ReserveFuture(wish(1))
    assert nothing.value.facts["field"] == "lines[0].delivery_id"
    short = await supply.ReserveFuture(wish(9, delivery_id="po-1"))
    assert not short.reserved
    assert not short.HasField("reservation")
    assert list(short.shortfalls) == [pb.FutureShortfall(delivery_id="po-1", requested=9, available=8)]
    assert (await supply.ReserveFuture(wish(8, 1, delivery_id="po-1"))).reserved
    asked = pb.GetFutureReservationRequest(reservation_id="ord_2")
    async with asyncio.timeout(20):  # the process sweeps every second
        found = await supply.GetFutureReservation(asked)
        while found.reservation.state != stock.RESERVATION_STATE_EXPIRED:
            await asyncio.sleep(0.1)
            found = await supply.GetFutureReservation(asked)
    with pytest.raises(FailedPrecondition, match="RESERVATION_EXPIRED"):
        await supply.ConfirmFuture(pb.ConfirmFutureRequest(reservation_id="ord_2"))
    ended = await supply.ExpireFuture(pb.ExpireFutureRequest())
    assert list(ended.reservation_ids) == []

    late = to_proto(NOW + timedelta(days=40))
    assert list((await supply.TellOverdue(pb.TellOverdueRequest(as_of=late))).delivery_ids) == ["po-1"]
    listing = pb.ListExpectedDeliveriesRequest(states=[pb.EXPECTED_STATE_EXPECTED], document="po", as_of=late)
    (listed,) = (await supply.ListExpectedDeliveries(listing)).deliveries
    assert (listed.overdue, listed.held) == (True, 0)
    assert (listed.source_sequence, listed.source_updated_at) == (3, to_proto(NOW))
    cancelled = await supply.CancelExpectedDelivery(
        pb.CancelExpectedDeliveryRequest(request_id="c-1", delivery_id="po-1", reason="lost")
    )
    assert cancelled.delivery.state == pb.EXPECTED_STATE_CANCELLED
    with pytest.raises(NotFound, match="DELIVERY_NOT_FOUND"):
        await supply.CancelExpectedDelivery(
            pb.CancelExpectedDeliveryRequest(request_id="c-2", delivery_id="ghost")
        )
