"""How well points find what they pick (SPEC STK-15): which picks are kept, and the rates that they give."""

import asyncio
from datetime import datetime, timedelta

import pytest
from sqlalchemy import text

from kit.errors import FailedPrecondition, InvalidArgument
from services.inventory.domain import commands
from services.inventory.domain.picks import Depth, FindRate, Tally
from services.inventory.merchandising import Merchandising, RatesAsked
from tests.services.inventory.shelves import ShelfShop
from tests.services.inventory.shop import EDIT, NOON, Shop, item, line, request_id

DAY = timedelta(days=1)
TICK = timedelta(microseconds=1)


async def picks(shop: Shop) -> list[tuple[str, str, int, int, int]]:
    async with shop.engine.begin() as tx:
        rows = await tx.execute(text("SELECT sku, point_id, on_hand, found, missed FROM pick ORDER BY pick_id"))
        return [(row.sku, row.point_id, row.on_hand, row.found, row.missed) for row in rows]


async def rates(
    shop: Shop,
    *depths: Depth,
    points: tuple[str, ...] = ("LYON",),
    category: str = "",
    days: int = 90,
    at: datetime = NOON,
) -> list[FindRate]:
    return await Merchandising(shop.engine).list_find_rates(RatesAsked(points, category, depths, days), at)


async def hold(shop: Shop, quantity: int, sku: str = "DRESS", point_id: str = "LYON", name: str = "ord_1") -> None:
    await shop.adjust(quantity, sku, point_id)
    assert (await shop.reserve(name, line(sku, quantity, point_id), seconds=0)).done


async def test_a_pick_keeps_what_was_found_and_missed_and_how_much_lay_there(shop: Shop) -> None:
    await hold(shop, 3)
    await shop.adjust(2)
    await shop.issue("ord_1", line("DRESS", 2))
    await shop.report_short("ord_1", line("DRESS", 1))
    assert await picks(shop) == [("DRESS", "LYON", 5, 2, 0), ("DRESS", "LYON", 3, 0, 1)]
    await shop.assert_sound()


async def test_a_pick_of_several_articles_is_kept_line_by_line(shop: Shop) -> None:
    await hold(shop, 1)
    await hold(shop, 7, "PAN")
    await shop.issue("ord_1", line("PAN", 3), line("DRESS", 1), line("PAN", 1))
    assert sorted(await picks(shop)) == [("DRESS", "LYON", 1, 1, 0), ("PAN", "LYON", 7, 4, 0)]


async def test_a_repeated_request_is_one_pick(shop: Shop) -> None:
    await hold(shop, 2)
    issue = commands.Issue(request_id(), "ord_1", (line("DRESS", 1),), "par_1", NOON)
    short = commands.ReportShort(request_id(), "ord_1", (line("DRESS", 1),), "assoc_1", NOON)
    for _ in range(2):
        await shop.service.issue(issue)
        await shop.service.report_short(short)
    assert len(await picks(shop)) == 2


async def test_a_refused_pick_leaves_nothing(shop: Shop) -> None:
    await hold(shop, 1)
    with pytest.raises(FailedPrecondition):
        await shop.issue("ord_1", line("DRESS", 2))
    assert await picks(shop) == []


async def test_a_unit_that_a_count_had_missed_is_no_miss_of_the_pick(shop: Shop) -> None:
    await hold(shop, 2)
    await shop.adjust(-1, cause="count")
    await shop.report_short("ord_1", line("DRESS", 2))
    assert await picks(shop) == [("DRESS", "LYON", 1, 0, 1)]
    assert (await rates(shop, Depth.ONE))[0].tally == Tally(0, 1)


async def test_a_unit_that_somebody_had_declared_is_no_miss_of_the_pick(shop: Shop) -> None:
    await hold(shop, 1)
    await shop.declare(1)
    await shop.report_short("ord_1", line("DRESS", 1))
    assert await picks(shop) == []


async def test_what_a_till_sells_a_count_finds_or_a_holder_gives_back_is_no_pick(shop: Shop) -> None:
    shelf = ShelfShop(shop.engine)
    await hold(shop, 5)
    await shelf.sell(1)
    await shop.adjust(-1, cause="count")
    await shop.release("ord_1", line("DRESS", 2))
    assert await picks(shop) == []


async def test_picks_at_the_same_time_are_each_kept_at_their_own_depth(shop: Shop) -> None:
    for n in range(8):
        await hold(shop, 1, name=f"ord_{n}")
    await asyncio.gather(*(shop.issue(f"ord_{n}", line("DRESS", 1)) for n in range(8)))
    assert sorted(on_hand for _, _, on_hand, *_ in await picks(shop)) == list(range(1, 9))
    found = {one.depth: one.tally for one in await rates(shop)}
    assert found == {
        Depth.ONE: Tally(1, 1),
        Depth.TWO: Tally(1, 1),
        Depth.THREE_TO_FIVE: Tally(3, 3),
        Depth.SIX_OR_MORE: Tally(3, 3),
    }


async def test_a_rate_is_of_a_category_by_any_of_its_names(shop: Shop) -> None:
    await shop.service.put_items([item("PAN", "home", "kitchen"), item("DRESS", "fashion", "women")], EDIT)
    await hold(shop, 1)
    await shop.report_short("ord_1", line("DRESS", 1))
    await hold(shop, 1, "PAN")
    await shop.issue("ord_1", line("PAN", 1))
    for category, tally in (
        ("", Tally(1, 2)),
        ("home", Tally(1, 1)),
        ("home/kitchen", Tally(1, 1)),
        ("kitchen", Tally(1, 1)),
        ("women", Tally(0, 1)),
        ("fashion/kitchen", Tally(0, 0)),
    ):
        (found,) = await rates(shop, Depth.ONE, category=category)
        assert found.tally == tally, category
    (found,) = await rates(shop, Depth.ONE, category="fashion/kitchen")
    assert found.basis_points == 5_000, "nothing of it was picked: the point's own rate at this depth"


async def test_an_article_counts_for_the_category_that_it_has_now(shop: Shop) -> None:
    await hold(shop, 1, "PAN")
    await shop.issue("ord_1", line("PAN", 1))
    await shop.service.put_items([item("PAN", "sale")], EDIT)
    (found,) = await rates(shop, Depth.ONE, category="sale")
    assert found.tally == Tally(1, 1)


async def test_a_window_ends_now_and_begins_so_many_days_before(shop: Shop) -> None:
    await hold(shop, 4)
    for at in (NOON - 90 * DAY, NOON - 90 * DAY + TICK, NOON, NOON + TICK):
        await shop.issue("ord_1", line("DRESS", 1), as_of=at)
    assert sum(one.tally.asked for one in await rates(shop)) == 2
    assert sum(one.tally.asked for one in await rates(shop, days=91)) == 3
    assert sum(one.tally.asked for one in await rates(shop, at=NOON + TICK, days=1)) == 2


async def test_a_point_that_picked_little_leans_on_the_network(shop: Shop) -> None:
    assert {one.basis_points for one in await rates(shop)} == {None}, "nobody picked anything anywhere"
    for n in range(20):
        await hold(shop, 1, point_id="PARIS", name=f"ord_{n}")
        await shop.issue(f"ord_{n}", line("DRESS", 1, "PARIS"))
    await hold(shop, 1)
    await shop.report_short("ord_1", line("DRESS", 1))
    lyon, paris, warehouse = await rates(shop, Depth.ONE, points=())
    assert (lyon.point_id, lyon.tally, paris.tally, warehouse.tally) == (
        "LYON",
        Tally(0, 1),
        Tally(20, 20),
        Tally(0, 0),
    )
    assert warehouse.basis_points == 9_524, "20 of 21"
    assert lyon.basis_points is not None
    assert 8_500 < lyon.basis_points < 9_524, "one miss is not a point that finds nothing"
    assert paris.basis_points is not None
    assert 9_524 < paris.basis_points < 10_000


async def test_rates_come_by_point_with_the_least_depth_first(shop: Shop) -> None:
    found = await rates(shop, points=("PARIS", "LYON", "NICE"))
    assert [(one.point_id, one.depth) for one in found] == [
        (point_id, depth) for point_id in ("LYON", "PARIS") for depth in Depth
    ]
    some = await rates(shop, Depth.SIX_OR_MORE, Depth.ONE)
    assert [one.depth for one in some] == [Depth.ONE, Depth.SIX_OR_MORE]


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        (RatesAsked((), "", (), 0), "window_days"),
        (RatesAsked((), "", (), 367), "window_days"),
        (RatesAsked((), "a\nb", (), 90), "category"),
        (RatesAsked(("a b",), "", (), 90), "point_ids[0]"),
        (RatesAsked(("A",) * 501, "", (), 90), "point_ids"),
    ],
)
async def test_a_wrong_question_names_the_field(shop: Shop, asked: RatesAsked, field: str) -> None:
    with pytest.raises(InvalidArgument) as refused:
        await Merchandising(shop.engine).list_find_rates(asked, NOON)
    assert refused.value.facts["field"] == field
