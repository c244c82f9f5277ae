"""Competitive allocation over the wire: who could do the work, and room that follows whoever took it."""

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio
from sqlalchemy.ext.asyncio import AsyncEngine

from kit import rpc
from kit.errors import InvalidArgument
from kit.times import from_proto, to_proto
from oms.promise.v1 import allocation_service_pb2 as pb
from oms.promise.v1 import promise_service_pb2 as prm
from oms.promise.v1.allocation_service_pb2_grpc import (
    AllocationServiceStub,
    add_AllocationServiceServicer_to_server,
)
from oms.promise.v1.promise_service_pb2_grpc import PromiseServiceStub, add_PromiseServiceServicer_to_server
from services.promise.allocation_rpc import AllocationRpc
from services.promise.capacities import Capacities
from services.promise.domain.network import Window
from services.promise.replica import StockReplica
from services.promise.rpc import PromiseRpc
from services.promise.service import PromiseService
from tests.services.promise.network import NOW
from tests.services.promise.test_capacities_rpc import question

if TYPE_CHECKING:
    from oms.promise.v1.allocation_service_pb2_grpc import AllocationServiceAsyncStub
    from oms.promise.v1.promise_service_pb2_grpc import PromiseServiceAsyncStub

    Stubs = tuple[PromiseServiceAsyncStub, AllocationServiceAsyncStub]

PROMISED = Window(NOW, NOW.replace(day=5)).end


@pytest_asyncio.fixture
async def stubs(promise: PromiseService) -> "AsyncIterator[Stubs]":
    server = rpc.build_server()
    add_PromiseServiceServicer_to_server(PromiseRpc(promise), server)
    add_AllocationServiceServicer_to_server(AllocationRpc(promise), server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    channel = rpc.connect(f"127.0.0.1:{port}")
    yield PromiseServiceStub(channel), AllocationServiceStub(channel)
    await channel.close(None)
    await server.stop(None)


@pytest.fixture
def capacities(promise_db: AsyncEngine, replica: StockReplica) -> Capacities:
    return Capacities(promise_db, replica)


async def planned(promise: "PromiseServiceAsyncStub") -> prm.Leg:
    [leg] = (await promise.PlanOrder(question("r1", 1))).plans[0].legs
    assert leg.point_id == "lille"
    return leg


def room_of(leg: prm.Leg, to: prm.Leg) -> pb.MoveRoomRequest:
    return pb.MoveRoomRequest(
        order_id="ord_1",
        from_leg=prm.LegPlace(point_id=leg.point_id, lines=leg.lines),
        to_point_id=to.point_id,
        carrier_id=to.carrier_id,
        service_id=to.service_id,
        hand_over_by=to.hand_over_by,
        as_of=to_proto(NOW),
    )


async def test_points_are_ranked_with_the_leg_that_each_would_have(stubs: "Stubs") -> None:
    promise, allocation = stubs
    leg = await planned(promise)
    asked = question("", 1)
    asked.promised_until.CopyFrom(to_proto(PROMISED))
    asked.replaced_legs.add(point_id=leg.point_id, lines=leg.lines)
    ranked = (await allocation.RankPoints(pb.RankPointsRequest(question=asked, answer_seconds=600))).points
    assert [one.leg.point_id for one in ranked] == ["lille", "lyon"]
    assert ranked[0].leg == leg
    assert [(from_proto(one.answer_by) - NOW).total_seconds() for one in ranked] == [600, 600]
    assert ranked[0].cost_minor < ranked[1].cost_minor


async def test_a_time_to_answer_is_required(stubs: "Stubs") -> None:
    with pytest.raises(InvalidArgument) as refused:
        await stubs[1].RankPoints(pb.RankPointsRequest(question=question("", 1)))
    assert refused.value.facts["field"] == "answer_seconds"


async def test_room_follows_the_work_once_and_no_counter_is_wrong(stubs: "Stubs", capacities: Capacities) -> None:
    promise, allocation = stubs
    leg = await planned(promise)
    asked = question("", 1)
    ranked = (await allocation.RankPoints(pb.RankPointsRequest(question=asked, answer_seconds=600))).points
    lyon = next(one.leg for one in ranked if one.leg.point_id == "lyon")
    assert (await allocation.MoveRoom(room_of(leg, lyon))).moved
    assert not (await allocation.MoveRoom(room_of(leg, lyon))).moved
    [taking] = await capacities.of_order("ord_1")
    assert (taking.place.point_id, taking.place.lines, taking.parcels) == ("lyon", {1: 1}, 1)
    assert (taking.prepared_on, taking.collected_on, taking.cut_off_minute) == (NOW.date(), NOW.date(), 19 * 60)
    _, differences = await capacities.differences()
    assert differences == []
    figures = await capacities.figures("lille", NOW.date(), NOW.date())
    assert [one.taken for one in figures] == [0]


async def test_room_goes_to_a_point_that_exists(stubs: "Stubs") -> None:
    leg = await planned(stubs[0])
    to = prm.Leg(point_id="atlantis", carrier_id="post", service_id="home", hand_over_by=leg.hand_over_by)
    with pytest.raises(InvalidArgument) as refused:
        await stubs[1].MoveRoom(room_of(leg, to))
    assert refused.value.reason == "UNKNOWN_POINT"
