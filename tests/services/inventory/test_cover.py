"""Mean daily sales out of the ledger, and cover (SPEC STK-15): what a sale is, in which window, over how long."""

from datetime import datetime, timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from services.inventory.domain.declarations import Reason
from services.inventory.domain.facts import FactKind, Record, SalesRate
from services.inventory.domain.ledger import Position
from services.inventory.domain.sales import Cover, NoCover, RateSource
from services.inventory.merchandising import Merchandising
from services.inventory.store import sales as store
from tests.services.inventory.shelves import NIGHT, ShelfShop
from tests.services.inventory.shop import NOON, line

DAY = timedelta(days=1)
TICK = timedelta(microseconds=1)
LONG_AGO = NOON - 60 * DAY
FIRST = Position("", "")


@pytest.fixture
async def shop(inventory_db: AsyncEngine) -> ShelfShop:
    """A hundred dresses at Lyon, for longer than the window."""
    shop = ShelfShop(inventory_db)
    await shop.open()
    await shop.adjust(100, as_of=LONG_AGO)
    return shop


async def cover(shop: ShelfShop, sku: str = "DRESS", point_id: str = "LYON", at: datetime = NOON) -> Cover:
    (found,) = await Merchandising(shop.engine).list_cover([sku], [point_id], FIRST, 10, at)
    return found


async def sold(shop: ShelfShop, at: datetime = NOON) -> int:
    return (await cover(shop, at=at)).sold


async def test_till_sales_and_issues_are_sales_and_what_comes_back_is_taken_off(shop: ShelfShop) -> None:
    await shop.sell(5, as_of=NOON - 3 * DAY)
    await shop.reserve("ord_1", line("DRESS", 4), as_of=NOON - 2 * DAY)
    await shop.issue("ord_1", line("DRESS", 3), as_of=NOON - DAY)
    assert await sold(shop) == 8, "what is only held has not been sold"
    await shop.take_back(2, as_of=NOON)
    found = await cover(shop)
    assert (found.sold, found.days, found.rate_source) == (6, 28, RateSource.COMPUTED)
    assert found.daily_thousandths == 214
    assert (found.available, found.cover_days_tenths) == (93, 4345), "100 - 8 + 2, and 1 is held"


async def test_more_brought_back_than_sold_is_nothing_sold(shop: ShelfShop) -> None:
    await shop.sell(2, as_of=NOON - 40 * DAY)
    await shop.take_back(2, as_of=NOON - DAY)
    found = await cover(shop)
    assert (found.sold, found.daily_thousandths, found.no_cover) == (0, 0, NoCover.NO_SALES)
    assert found.cover_days_tenths is None


@pytest.mark.parametrize("cause", ["correction", "receipt", "damaged", "count"])
async def test_other_movements_are_no_sales(shop: ShelfShop, cause: str) -> None:
    await shop.adjust(-5, cause=cause)
    await shop.declare(2)
    assert await sold(shop) == 0


async def test_sales_that_come_as_adjustments_with_their_cause_count(shop: ShelfShop) -> None:
    await shop.adjust(-5, cause="till_sale")
    await shop.adjust(1, cause="till_return")
    assert await sold(shop) == 4


async def test_a_till_sale_of_reserved_units_is_sold_once(shop: ShelfShop) -> None:
    await shop.reserve("ord_1", line("DRESS", 100))
    await shop.sell(10)
    assert (await shop.balance()).short == 10
    assert await sold(shop) == 10
    await shop.issue("ord_1", line("DRESS", 90))
    await shop.report_short("ord_1", line("DRESS", 10))
    assert await sold(shop) == 100
    assert (await cover(shop)).available == 0


async def test_a_sale_that_moved_nothing_is_a_sale_all_the_same(shop: ShelfShop) -> None:
    """Written off before it was told, counted away before it was told, or unknown to the books."""
    await shop.declare(1, reason=Reason.BEING_SOLD, as_of=NOON - DAY)
    await shop.close_day(as_of=NIGHT)
    late = await shop.sell(1, at=NIGHT - 10 * timedelta(hours=1), as_of=NIGHT + DAY)
    assert (late.effect.taken, late.effect.known) == (0, 1)
    assert await sold(shop, NIGHT + DAY) == 1
    unknown = await shop.sell(120, as_of=NIGHT + DAY)
    assert (unknown.effect.taken, unknown.effect.unknown) == (99, 21)
    assert await sold(shop, NIGHT + DAY) == 121


async def test_a_return_that_a_count_had_seen_is_taken_off_too(shop: ShelfShop) -> None:
    await shop.sell(5, as_of=NOON - 2 * DAY)
    count = await shop.open_count("DRESS", as_of=NOON - DAY)
    await shop.count(count.count_id, 96, as_of=NOON - DAY)
    await shop.close_count(count.count_id, as_of=NOON - DAY)
    late = await shop.take_back(1, at=NOON - 2 * DAY, as_of=NOON)
    assert (late.effect.taken, late.effect.known) == (0, 1)
    assert await sold(shop) == 4


@pytest.mark.parametrize("sku", ["DRESS", "PAN"])
async def test_the_window_is_28_times_24_hours_to_the_instant(shop: ShelfShop, sku: str) -> None:
    """For units that the ledger moved, and for those that it never had."""
    for n, at in enumerate((NOON - 28 * DAY, NOON - 28 * DAY + TICK, NOON, NOON + TICK)):
        await shop.sell(2**n, sku, as_of=at)
    assert (await cover(shop, sku, at=NOON)).sold == 2 + 4
    assert (await cover(shop, sku, at=NOON - TICK)).sold == 1 + 2
    assert (await cover(shop, sku, at=NOON + TICK)).sold == 4 + 8


async def test_a_change_of_the_clock_moves_no_edge_of_the_window(shop: ShelfShop) -> None:
    """Paris leaves summer time on 2026-10-25: 28 days of its wall would be an hour longer."""
    now = datetime.fromisoformat("2026-11-10T12:00:00+01:00")
    await shop.sell(1, as_of=datetime.fromisoformat("2026-10-13T12:30:00+02:00"))
    await shop.sell(2, as_of=datetime.fromisoformat("2026-10-13T13:00:01+02:00"))
    assert await sold(shop, now) == 2


async def test_a_sale_is_dated_by_when_it_was_not_by_when_it_was_told(shop: ShelfShop) -> None:
    await shop.sell(3, at=NOON - 30 * DAY, as_of=NOON)
    assert await sold(shop, NOON) == 0
    assert await sold(shop, NOON - 10 * DAY) == 3


async def test_a_new_position_is_measured_over_its_days(shop: ShelfShop) -> None:
    await shop.adjust(10, "PAN", as_of=NOON - 3 * DAY - timedelta(hours=2))
    await shop.sell(2, "PAN", as_of=NOON - DAY)
    found = await cover(shop, "PAN")
    assert (found.sold, found.days, found.daily_thousandths) == (2, 4, 500)
    assert found.cover_days_tenths == 160


async def test_a_position_that_was_emptied_and_filled_again_is_not_new(shop: ShelfShop) -> None:
    await shop.adjust(-100, cause="correction", as_of=NOON - 50 * DAY)
    await shop.adjust(7, as_of=NOON - DAY)
    await shop.sell(7, as_of=NOON)
    assert (await cover(shop)).days == 28


async def test_a_position_that_never_had_a_unit_has_no_rate(shop: ShelfShop) -> None:
    await shop.reserve("ord_1", line("PAN", 1), partial=True)
    await shop.adjust(5, "PAN", as_of=NOON + DAY)
    found = await cover(shop, "PAN")
    assert (found.daily_thousandths, found.rate_source, found.no_cover) == (None, None, NoCover.NO_RATE)
    assert found.days == 0


async def test_units_that_only_the_till_knew_of_begin_a_position(shop: ShelfShop) -> None:
    await shop.sell(4, "PAN", as_of=NOON - DAY - TICK)
    found = await cover(shop, "PAN")
    assert (found.sold, found.days, found.daily_thousandths) == (4, 2, 2_000)


async def test_another_point_and_another_article_are_not_counted(shop: ShelfShop) -> None:
    await shop.adjust(9, point_id="PARIS", as_of=LONG_AGO)
    await shop.adjust(9, "PAN", as_of=LONG_AGO)
    await shop.sell(1)
    await shop.sell(2, point_id="PARIS")
    await shop.sell(4, "PAN")
    found = await Merchandising(shop.engine).list_cover([], [], FIRST, 10, NOON)
    assert [(one.sku, one.point_id, one.sold) for one in found] == [
        ("DRESS", "LYON", 1),
        ("DRESS", "PARIS", 2),
        ("PAN", "LYON", 4),
    ]


async def test_an_imported_rate_counts_while_it_is_fresh(shop: ShelfShop) -> None:
    await shop.sell(28)
    merchandising = Merchandising(shop.engine)
    position = Position("DRESS", "LYON")
    record = Record(position, {FactKind.SALES_RATE: SalesRate(4_000)}, "bi", 1, NOON)
    await merchandising.put_facts([record], "bi", NOON)
    found = await cover(shop)
    assert (found.rate_source, found.daily_thousandths, found.cover_days_tenths) == (
        RateSource.IMPORTED,
        4_000,
        180,
    )
    found = await cover(shop, at=NOON + 28 * DAY - TICK)
    assert found.rate_source is RateSource.IMPORTED
    found = await cover(shop, at=NOON + 28 * DAY)
    assert (found.rate_source, found.no_cover) == (RateSource.COMPUTED, NoCover.NO_SALES)


async def test_a_rate_that_is_taken_back_or_said_again_is_so_at_once(shop: ShelfShop) -> None:
    await shop.sell(28)
    merchandising, position = Merchandising(shop.engine), Position("DRESS", "LYON")
    for content, at, source in (
        (SalesRate(4_000), NOON - 30 * DAY, RateSource.COMPUTED),
        (SalesRate(4_000), NOON - DAY, RateSource.IMPORTED),
        (None, NOON, RateSource.COMPUTED),
    ):
        await merchandising.put_facts([Record(position, {FactKind.SALES_RATE: content})], "bi", at)
        assert (await cover(shop)).rate_source is source


async def test_cover_is_read_page_by_page(shop: ShelfShop) -> None:
    for sku in ("PAN", "SOFA"):
        await shop.adjust(1, sku)
    merchandising = Merchandising(shop.engine)
    first = await merchandising.list_cover([], [], FIRST, 2, NOON)
    rest = await merchandising.list_cover([], [], Position(first[-1].sku, first[-1].point_id), 2, NOON)
    assert [one.sku for one in (*first, *rest)] == ["DRESS", "PAN", "SOFA"]


async def test_sales_are_read_from_the_indexes_made_for_them(shop: ShelfShop) -> None:
    """Lines of the ledger are mostly reservations, and are never read through."""
    async with shop.engine.begin() as tx:
        await tx.execute(
            text(
                """INSERT INTO movement (sku, point_id, on_hand_delta, reserved_delta, unavailable_delta,
                                         short_delta, cause, actor, source, reservation_id, recorded_at)
                   SELECT 'DRESS', 'LYON', CASE WHEN n % 10 = 0 THEN -1 ELSE 0 END, 1, 0, 0,
                          CASE WHEN n % 10 = 0 THEN 'issue' ELSE 'reserve' END, '', '', '', now()
                   FROM generate_series(1, 5000) AS n"""
            )
        )
        await tx.execute(text("ANALYZE movement"))
        await tx.execute(text("SET LOCAL enable_seqscan = off"))
        explained = await tx.execute(
            text(f"EXPLAIN {store.SOLD.text}"),
            {"skus": ["DRESS"], "points": ["LYON"], "since": LONG_AGO, "until": NOON},
        )
        plan = "\n".join(explained.scalars())
        await tx.rollback()
    for index in ("movement_sale", "movement_arrival", "till_line_unmoved"):
        assert index in plan, plan
