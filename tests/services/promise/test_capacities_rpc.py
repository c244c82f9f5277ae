"""Capacity over the wire: limits, figures, what a plan takes and what is given back."""

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from kit import rpc
from kit.errors import InvalidArgument
from kit.times import to_proto
from oms.promise.v1 import capacity_service_pb2 as pb
from oms.promise.v1 import promise_service_pb2 as prm
from oms.promise.v1.capacity_service_pb2_grpc import CapacityServiceStub, add_CapacityServiceServicer_to_server
from oms.promise.v1.promise_service_pb2_grpc import PromiseServiceStub, add_PromiseServiceServicer_to_server
from oms.type.v1 import type_pb2 as types
from services.promise.capacities import Capacities
from services.promise.capacities_rpc import CapacityRpc
from services.promise.replica import StockReplica
from services.promise.rpc import PromiseRpc
from services.promise.service import PromiseService
from tests.services.promise.network import CHANNEL, NOW

if TYPE_CHECKING:
    from oms.promise.v1.capacity_service_pb2_grpc import CapacityServiceAsyncStub
    from oms.promise.v1.promise_service_pb2_grpc import PromiseServiceAsyncStub

    Stubs = tuple[PromiseServiceAsyncStub, CapacityServiceAsyncStub]


@pytest_asyncio.fixture
async def stubs(promise: PromiseService, promise_db: AsyncEngine, replica: StockReplica) -> "AsyncIterator[Stubs]":
    server = rpc.build_server()
    add_PromiseServiceServicer_to_server(PromiseRpc(promise), server)
    add_CapacityServiceServicer_to_server(CapacityRpc(Capacities(promise_db, replica)), server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    channel = rpc.connect(f"127.0.0.1:{port}")
    yield PromiseServiceStub(channel), CapacityServiceStub(channel)
    await channel.close(None)
    await server.stop(None)


def question(request_id: str, quantity: int) -> prm.PlanOrderRequest:
    return prm.PlanOrderRequest(
        request_id=request_id,
        order_id="ord_1",
        channel_id=CHANNEL,
        destination=types.Destination(country="FR", postcode="75011"),
        lines=[prm.BasketLine(line_number=1, sku="x", quantity=quantity)],
        mode=types.DELIVERY_MODE_HOME_STANDARD,
        as_of=to_proto(NOW),
    )


async def test_those_who_have_taken_something_are_told_page_by_page(stubs: "Stubs") -> None:
    promise, capacity = stubs
    for number in (1, 2, 3):
        asked = question(f"r{number}", 1)
        asked.order_id = f"ord_{number}"
        await promise.PlanOrder(asked)
    first = await capacity.ListTakers(pb.ListTakersRequest(page=types.PageRequest(size=2)))
    assert [(one.order_id, list(one.point_ids)) for one in first.takers] == [
        ("ord_1", ["lille"]),
        ("ord_2", ["lille"]),
    ]
    after = types.PageRequest(size=2, cursor=first.page.next_cursor)
    rest = await capacity.ListTakers(pb.ListTakersRequest(page=after))
    assert ([one.order_id for one in rest.takers], rest.page.next_cursor) == (["ord_3"], "")
    some = await capacity.ListTakers(pb.ListTakersRequest(order_ids=["ord_2", "ord_9"]))
    assert [one.order_id for one in some.takers] == ["ord_2"]
    with pytest.raises(InvalidArgument, match="at most 500"):
        await capacity.ListTakers(pb.ListTakersRequest(order_ids=[f"ord_{n}" for n in range(501)]))


async def test_a_counter_that_is_not_what_legs_took_is_found(stubs: "Stubs", promise_db: AsyncEngine) -> None:
    promise, capacity = stubs
    await promise.PlanOrder(question("r1", 1))
    asked = pb.FindCapacityDifferencesRequest()
    sound = await capacity.FindCapacityDifferences(asked)
    assert (sound.checked, list(sound.differences)) == (5, []), "the point's day, and four of its collection"
    async with promise_db.begin() as tx:
        await tx.execute(text("UPDATE capacity_count SET taken = taken + 2 WHERE carrier_id = ''"))
        await tx.execute(text("DELETE FROM capacity_count WHERE service_id <> '' AND cut_off_minute <> -1"))
    found = (await capacity.FindCapacityDifferences(asked)).differences
    assert [(one.carrier_id, one.counted, one.taken) for one in found] == [("", 3, 1), ("post", 0, 1)]


async def test_limits_keep_absent_apart_from_zero(stubs: "Stubs") -> None:
    _, capacity = stubs
    limits = [
        pb.CapacityLimit(point_id="lille", most=0, date="2026-12-24"),
        pb.CapacityLimit(point_id="lille", weekday=1),
        pb.CapacityLimit(carrier_id="post", service_id="home", cut_off_minute=0, most=7),
    ]
    request = pb.PutLimitsRequest(limits=limits, actor="anna", as_of=to_proto(NOW))
    assert (await capacity.PutLimits(request)).changed == 3
    listed = (await capacity.ListLimits(pb.ListLimitsRequest())).limits
    assert {one.limit.SerializeToString(deterministic=True) for one in listed} == {
        limit.SerializeToString(deterministic=True) for limit in limits
    }
    assert {(one.set_by, one.set_at.ToSeconds()) for one in listed} == {("anna", int(NOW.timestamp()))}
    assert len((await capacity.ListLimits(pb.ListLimitsRequest(carrier_id="post"))).limits) == 1
    assert (await capacity.RemoveLimits(pb.RemoveLimitsRequest(limits=limits[:2]))).changed == 2


async def test_a_plan_takes_room_and_gives_it_back_leg_by_leg(stubs: "Stubs") -> None:
    promise, capacity = stubs
    plan = (await promise.PlanOrder(question("r1", 5))).plans[0]
    held = (await capacity.ListTakings(pb.ListTakingsRequest(order_id="ord_1"))).takings
    assert [
        (one.point_id, one.prepared_on, one.collected_on, one.cut_off_minute, one.parcels) for one in held
    ] == [
        ("lille", "2026-06-01", "2026-06-01", 1020, 1),
        ("lyon", "2026-06-01", "2026-06-01", 1140, 1),
    ]
    lost, kept = plan.legs
    again = question("r2", 3)
    again.promised_until.CopyFrom(to_proto(NOW))
    again.excluded_points.add(point_id=lost.point_id, reason="no_time")
    again.replaced_legs.add(point_id=lost.point_id, lines=lost.lines)
    await promise.PlanOrder(again)
    days = pb.ListFiguresRequest(point_id="lyon", from_date="2026-06-01", until_date="2026-06-01")
    (orders, *_) = (await capacity.ListFigures(days)).figures
    assert (orders.taken, orders.HasField("most"), orders.HasField("left")) == (2, False, False)
    release = pb.ReleaseCapacityRequest(order_id="ord_1")
    release.legs.add(point_id=kept.point_id, lines=kept.lines)
    assert [(await capacity.ReleaseCapacity(release)).released for _ in range(2)] == [1, 0]
    assert (await capacity.ReleaseCapacity(pb.ReleaseCapacityRequest(order_id="ord_1"))).released == 1


@pytest.mark.parametrize(
    ("first", "last", "field"), [("1.6.2026", "", "from_date"), ("2026-06-01", "", "until_date")]
)
async def test_a_day_that_is_none_is_named(stubs: "Stubs", first: str, last: str, field: str) -> None:
    _, capacity = stubs
    with pytest.raises(InvalidArgument) as caught:
        await capacity.ListFigures(pb.ListFiguresRequest(point_id="lyon", from_date=first, until_date=last))
    assert caught.value.facts["field"] == field
    limit = pb.CapacityLimit(point_id="lyon", date="tomorrow", most=1)
    with pytest.raises(InvalidArgument) as caught:
        await capacity.PutLimits(pb.PutLimitsRequest(limits=[limit], actor="anna"))
    assert caught.value.facts["field"] == "limits[0].date"
