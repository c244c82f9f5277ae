"""Snapshots and counts look at the same shelf: the newer look is right, whichever is told first."""

from datetime import datetime, timedelta

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from services.inventory.domain.counts import Count
from services.inventory.domain.declarations import Reason
from services.inventory.domain.ledger import Position
from services.inventory.store import looks
from tests.services.inventory.files import MORNING, NOW, Desk, snapshot
from tests.services.inventory.shelves import ShelfShop
from tests.services.inventory.shop import NOON

MINUTE = timedelta(minutes=1)


@pytest.fixture
async def shop(inventory_db: AsyncEngine) -> ShelfShop:
    shop = ShelfShop(inventory_db)
    await shop.open()
    await shop.adjust(10)
    return shop


async def counting(shop: ShelfShop, units: int, at: datetime) -> Count:
    """A count that is still open, with what was counted at an instant."""
    count = await shop.open_count("DRESS", as_of=at - MINUTE)
    return await shop.count(count.count_id, units, at=at, as_of=at)


async def counted(shop: ShelfShop, units: int, at: datetime) -> None:
    count = await counting(shop, units, at)
    await shop.close_count(count.count_id, as_of=at + MINUTE)


@pytest.fixture
def desk(shop: ShelfShop) -> Desk:
    return Desk(shop)


async def test_a_snapshot_taken_before_a_count_is_late(shop: ShelfShop, desk: Desk) -> None:
    await counted(shop, 8, MORNING + MINUTE)
    job = await desk.work(snapshot(("DRESS", "LYON", 9)))
    assert (job.counts.late, job.counts.changed) == (1, 0)
    assert (await shop.balance()).on_hand == 8


async def test_a_snapshot_taken_after_a_count_counts(shop: ShelfShop, desk: Desk) -> None:
    await counted(shop, 8, MORNING - MINUTE)
    await desk.work(snapshot(("DRESS", "LYON", 9)))
    assert (await shop.balance()).on_hand == 9


async def test_an_absent_article_that_was_counted_since_is_not_zeroed(shop: ShelfShop, desk: Desk) -> None:
    await counted(shop, 8, MORNING + MINUTE)
    job = await desk.work(snapshot(("PAN", "LYON", 1)), absent="zero")
    assert job.counts.zeroed == 0
    assert (await shop.balance()).on_hand == 8


@pytest.mark.parametrize(("told", "left"), [(9, 8), (10, 8)])
async def test_an_older_snapshot_does_not_overrule_a_count_that_is_still_open(
    shop: ShelfShop, desk: Desk, told: int, left: int
) -> None:
    count = await counting(shop, 8, MORNING + MINUTE)
    await desk.work(snapshot(("DRESS", "LYON", told)))
    await shop.close_count(count.count_id, as_of=NOW)
    assert (await shop.balance()).on_hand == left


@pytest.mark.parametrize("told", [9, 10])
async def test_a_newer_snapshot_overrules_a_count_that_is_still_open_even_if_it_changed_nothing(
    shop: ShelfShop, desk: Desk, told: int
) -> None:
    count = await counting(shop, 8, MORNING - MINUTE)
    await desk.work(snapshot(("DRESS", "LYON", told)))
    await shop.close_count(count.count_id, as_of=NOW)
    assert (await shop.balance()).on_hand == told


@pytest.mark.parametrize(("sold_at", "left"), [(MORNING - MINUTE, 9), (MORNING, 9), (MORNING + MINUTE, 7)])
async def test_a_sale_that_is_told_late_is_deducted_unless_a_snapshot_has_seen_it(
    shop: ShelfShop, desk: Desk, sold_at: datetime, left: int
) -> None:
    await desk.work(snapshot(("DRESS", "LYON", 9)))
    await shop.sell(2, at=sold_at, as_of=NOW)
    assert (await shop.balance()).on_hand == left
    await shop.assert_sound()


async def test_a_look_is_known_by_position_whoever_looked(shop: ShelfShop, desk: Desk) -> None:
    dress, pan, sofa = (Position(sku, "LYON") for sku in ("DRESS", "PAN", "SOFA"))
    await counted(shop, 8, MORNING - MINUTE)
    await desk.work(snapshot(("PAN", "LYON", 1)))
    async with shop.engine.begin() as tx:
        assert await looks.looked_at(tx, [dress, pan, sofa]) == {dress: MORNING - MINUTE, pan: MORNING}
    await desk.work(snapshot(("PAN", "LYON", 1)), absent="zero", effective_at=MORNING + MINUTE)
    async with shop.engine.begin() as tx:
        assert await looks.looked_since(tx, [dress, pan, sofa], MORNING + MINUTE) == {dress, pan, sofa}


async def test_units_sold_since_that_the_books_did_not_have_do_not_come_back_with_a_snapshot(
    shop: ShelfShop, desk: Desk
) -> None:
    sold = await shop.sell(2, sku="SOFA", at=MORNING + MINUTE, as_of=NOW)
    assert sold.effect.unknown == 2
    await desk.work(snapshot(("SOFA", "LYON", 5)))
    assert (await shop.balance("SOFA")).on_hand == 3


async def test_a_count_that_closes_while_a_snapshot_is_worked_is_not_overruled(
    shop: ShelfShop, desk: Desk
) -> None:
    await shop.adjust(6, "PAN")
    job = await desk.send(snapshot(("DRESS", "LYON", 9)), absent="zero", point_ids=("LYON",))
    assert await desk.runner().step(), "planned"
    await counted(shop, 8, MORNING + MINUTE)
    pan = await shop.open_count("PAN", as_of=MORNING)
    await shop.count(pan.count_id, 4, "PAN", at=MORNING + MINUTE, as_of=MORNING + MINUTE)
    await shop.close_count(pan.count_id, as_of=NOW)
    await desk.runner().run()
    ended = await desk.ended(job.job_id)
    assert (ended.counts.late, ended.counts.changed, ended.counts.zeroed) == (1, 0, 0)
    assert ((await shop.balance()).on_hand, (await shop.balance("PAN")).on_hand) == (8, 4)
    await shop.assert_sound()


async def test_a_position_whose_record_was_rejected_was_not_looked_at(shop: ShelfShop, desk: Desk) -> None:
    await desk.work(snapshot(("DRESS", "LYON", "many"), ("PAN", "LYON", 3)), absent="zero")
    await shop.sell(2, at=MORNING - MINUTE, as_of=NOW)
    await shop.sell(1, sku="PAN", at=MORNING - MINUTE, as_of=NOW)
    assert (await shop.balance()).on_hand == 8, "nobody has seen it"
    assert (await shop.balance("PAN")).on_hand == 3, "it is in the snapshot"


async def test_a_write_off_that_a_snapshot_undid_uses_up_no_later_sale(shop: ShelfShop, desk: Desk) -> None:
    await shop.declare(1, reason=Reason.BEING_SOLD, as_of=NOON)
    await shop.close_day(as_of=NOON + MINUTE)
    assert (await shop.balance()).on_hand == 9
    await desk.work(snapshot(("DRESS", "LYON", 10)), effective_at=NOON + 5 * MINUTE)
    await shop.sell(1, at=NOON + 6 * MINUTE, as_of=NOW)
    assert (await shop.balance()).on_hand == 9
