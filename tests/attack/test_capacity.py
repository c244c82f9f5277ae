"""A crowd at points with little room: no limit is passed, every order is somewhere, all of it is given back."""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from oms.promise.v1 import capacity_service_pb2 as cap
from tests.conftest import MakeDatabase
from tests.simulators.payment_provider import running as running_provider
from tests.workflows.start import running
from tests.workflows.world import FAR, MID, NEAR, World

pytestmark = [pytest.mark.attack, pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(1500)]
SEED = 20270302
ORDERS = 150
ROOM = {NEAR: 40, MID: 25}
TOKENS = ("pm_card_visa",) * 4 + ("pm_card_visa_chargeDeclined",)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(
    make_database: MakeDatabase, temporal_address: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[World]:
    with running_provider(tmp_path_factory.mktemp("provider")) as provider:
        async with running(make_database, temporal_address, provider) as started:
            yield started


async def test_a_crowd_never_passes_a_limit_and_leaves_nothing_behind(world: World) -> None:
    chance = random.Random(SEED)
    sku = await world.stock(dict.fromkeys((NEAR, MID, FAR), ORDERS))
    limits = [cap.CapacityLimit(point_id=point_id, most=most) for point_id, most in ROOM.items()]
    await world.capacity.PutLimits(cap.PutLimitsRequest(limits=limits, actor="test"))
    recorded = [await world.record({sku: 1}, channel="slow", token=chance.choice(TOKENS)) for _ in range(ORDERS)]
    order_ids = [one.order.order_id for one in recorded]
    placements = await asyncio.gather(*(world.place(one) for one in recorded))
    placed = [
        order_id for order_id, one in zip(order_ids, placements, strict=True) if one and one.state == "validated"
    ]
    declined = set(order_ids) - set(placed)
    assert {one.refusal.reason for one in placements if one and one.refusal} == {"PAYMENT_DECLINED"}
    held = Counter[tuple[str, str]]()
    for order_id in order_ids:
        takings = (await world.capacity.ListTakings(cap.ListTakingsRequest(order_id=order_id))).takings
        assert len(takings) == (order_id not in declined)
        held.update((one.point_id, one.prepared_on) for one in takings)
    assert held.total() == len(placed)
    # Places that declined orders gave back may be empty; no day has more than its room.
    assert all(taken <= ROOM.get(point_id, ORDERS) for (point_id, _), taken in held.items())
    assert len({day for point_id, day in held if point_id == NEAR}) > 1
    await asyncio.gather(*(world.cancel(order_id) for order_id in placed))
    assert {await world.ended(order_id) for order_id in placed} == {"CANCELLED"}
    for order_id in order_ids:
        assert not (await world.capacity.ListTakings(cap.ListTakingsRequest(order_id=order_id))).takings
    for point_id, day in held:
        asked = cap.ListFiguresRequest(point_id=point_id, from_date=day, until_date=day)
        assert not any(one.taken for one in (await world.capacity.ListFigures(asked)).figures)
