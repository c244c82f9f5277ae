"""A locker at a store from the order to the opening, or to what nobody opened: money and stock come out right."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta

import pytest
import pytest_asyncio

from kit.times import now
from oms.orders.v1 import collection_service_pb2 as col
from oms.orders.v1 import orders_service_pb2 as orders
from oms.type.v1 import type_pb2 as types
from services.orders.changing import Asked
from services.orders.depositing import Depositing
from services.orders.lockers.signed_json import SignedJsonBank
from tests.simulators.locker import API_KEY, WEBHOOK_SECRET, RunningLocker, running
from tests.workflows.test_collecting import READY, asked, captures, choose, code_of, placed
from tests.workflows.world import MID, NEAR, PRICE_MINOR, SHIPPING_MINOR, World

pytestmark = pytest.mark.asyncio(loop_scope="module")
LATER = timedelta(days=9)
TOTAL = 2 * PRICE_MINOR + SHIPPING_MINOR


@dataclass
class Lockers:
    """Those at NEAR, and what orders asks of them."""

    doors: RunningLocker
    asked: Depositing

    async def deposit(self, world: World, order_id: str) -> orders.Fulfilment:
        """The store picks it; once it is paid it is put into a compartment."""
        return await self.put_in(world, await world.pick(await world.accept(order_id)))

    async def put_in(self, world: World, work: orders.Fulfilment) -> orders.Fulfilment:
        """What was picked, once it is paid."""
        reference = work.fulfilment_id
        if work.HasField("parcel"):
            # Else the order was paid before its work began.
            await world.parcel_paid(reference)
        await self.asked.book(Asked(f"book/{reference}", b""), reference, "store", now())
        await self.asked.tell_code(Asked(f"ready/{reference}", b""), reference, now())
        request = col.MarkReadyRequest(request_id=f"ready/{reference}", fulfilment_id=reference, actor="store")
        return (await world.collections.MarkReady(request)).fulfilment


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def lockers(world: World, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Lockers]:
    with running(tmp_path_factory.mktemp("locker"), compartments=12) as doors:
        bank = SignedJsonBank(url=f"{doors.url}/near", api_key=API_KEY, webhook_secret=WEBHOOK_SECRET)
        yield Lockers(doors, world.lockers({NEAR: bank}))
        await bank.end()


async def test_it_is_paid_when_it_is_picked_and_sold_when_its_customer_opens_it(
    world: World, lockers: Lockers
) -> None:
    async def deposited(channel: str) -> tuple[str, str]:
        sku, order_id = await placed(world, {NEAR: 3}, channel=channel, locker=True)
        work = await lockers.deposit(world, order_id)
        assert (work.state, work.locker.holds) == (READY, True)
        assert await captures(world, order_id) == [TOTAL]
        code = await code_of(world, order_id)
        assert lockers.doors.enter("near", work.locker.compartment, code)
        return sku, order_id

    lives = await asyncio.gather(*(deposited(channel) for channel in ("web", "prepared", "prepaid")))
    await lockers.asked.sweep(now())
    for sku, order_id in lives:
        assert await world.ended(order_id) == "CLOSED"
        await world.assert_settled(order_id, kept_minor=TOTAL, sold={sku: 2})


async def test_what_nobody_opens_is_given_back_in_full_and_sold_to_others(world: World, lockers: Lockers) -> None:
    sku, order_id = await placed(world, {NEAR: 2}, locker=True)
    await lockers.deposit(world, order_id)
    await world.watch(now() + LATER)
    assert (await world.work_in(order_id, READY)).locker.holds
    await lockers.asked.sweep(now() + LATER)
    assert await world.ended(order_id) == "CANCELLED"
    await world.refunds_in(order_id, "succeeded")
    await world.assert_settled(order_id, kept_minor=0, sold={sku: 0})


async def test_what_its_store_lacks_comes_to_its_locker_where_its_customer_says_so(
    world: World, lockers: Lockers
) -> None:
    sku, order_id = await placed(world, {NEAR: 2, MID: 1}, locker=True)
    here = await lockers.put_in(world, await world.pick(await world.accept(order_id), missing=1))
    options = {one.point_id: one.mode for one in (await asked(world, order_id)).options}
    assert options[NEAR] == types.DELIVERY_MODE_SHIP_TO_STORE
    await choose(world, order_id, "store", NEAR)
    await world.arrive(await world.send_on(order_id, MID))
    came = await lockers.put_in(world, await world.work_at(order_id, NEAR, orders.FULFILMENT_STATE_PICKED))
    assert (came.point_id, came.locker.holds) == (NEAR, True)
    codes = await world.collections.GetCollectionCodes(col.GetCollectionCodesRequest(order_id=order_id))
    for one in codes.codes:
        (work,) = [work for work in (here, came) if work.fulfilment_id == one.fulfilment_id]
        assert lockers.doors.enter("near", work.locker.compartment, one.code)
    await lockers.asked.sweep(now())
    assert await world.ended(order_id) == "CLOSED"
    await world.assert_settled(order_id, kept_minor=TOTAL, sold={sku: 2})


async def test_what_its_store_does_not_want_is_not_sent_there(world: World, lockers: Lockers) -> None:
    sku, order_id = await placed(world, {NEAR: 2, MID: 2}, locker=True)
    await world.work_at(order_id, NEAR)
    await world.refuse(order_id, "no_staff")
    assert NEAR not in {one.point_id for one in (await asked(world, order_id)).options}
    await choose(world, order_id, "refund")
    assert await world.ended(order_id) == "CANCELLED"
    await world.assert_settled(order_id, kept_minor=0, sold={sku: 0})
