"""Cycle counts: blind, true at the moment of counting, and once (SPEC STK-16)."""

import asyncio

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from kit.errors import Conflict, FailedPrecondition, InvalidArgument, NotFound
from services.inventory.domain.counts import CountState
from services.inventory.domain.declarations import Ending, Reason
from services.inventory.domain.ledger import Balance
from tests.services.inventory.shelves import HOUR, MINUTE, NIGHT, ShelfShop
from tests.services.inventory.shop import EDIT, NOON, item, line


@pytest.fixture
async def shop(inventory_db: AsyncEngine) -> ShelfShop:
    found = ShelfShop(inventory_db)
    await found.open()
    await found.adjust(5)
    return found


async def test_a_difference_becomes_a_movement_and_a_line_of_the_report(shop: ShelfShop) -> None:
    await shop.adjust(2, "PAN")
    opened = await shop.open_count("PAN", "DRESS", "SOFA")
    assert [(one.sku, one.expected) for one in opened.lines] == [("DRESS", 5), ("PAN", 2), ("SOFA", 0)]
    await shop.count(opened.count_id, 4)
    await shop.count(opened.count_id, 2, "PAN")
    closed = await shop.close_count(opened.count_id)
    assert (closed.state, closed.ended_by) == (CountState.CLOSED, "manager_1")
    assert [(one.sku, one.counted, one.moved, one.difference, one.adjusted) for one in closed.lines] == [
        ("DRESS", 4, 0, -1, -1),
        ("PAN", 2, 0, 0, 0),
        ("SOFA", None, None, None, None),
    ]
    assert await shop.counting.get_count(opened.count_id) == closed
    assert (await shop.balance()).on_hand == 4
    (told,) = await shop.told("oms.inventory.count.closed")
    assert (told["differences"], told["units"], told["line_count"]) == (1, -1, 3)
    last = (await shop.service.list_movements("DRESS", "LYON", 0, 10))[-1][1]
    assert (last.cause.cause, last.cause.actor, last.cause.source) == ("count", "assoc_2", opened.count_id)
    await shop.assert_sound()


async def test_what_was_moved_while_counting_is_applied_again_on_top(shop: ShelfShop) -> None:
    opened = await shop.open_count("DRESS")
    await shop.sell(1, at=NOON + MINUTE, as_of=NOON + MINUTE)
    await shop.count(opened.count_id, 3, at=NOON + 2 * MINUTE, as_of=NOON + 3 * MINUTE)
    await shop.sell(1, at=NOON + 4 * MINUTE, as_of=NOON + 4 * MINUTE)
    closed = await shop.close_count(opened.count_id, as_of=NOON + HOUR)
    (found,) = closed.lines
    assert (found.expected, found.moved, found.difference, found.adjusted) == (5, -1, -1, -1)
    assert (await shop.balance()).on_hand == 2, "three counted, one sold since"
    await shop.assert_sound()


async def test_a_sale_before_the_counting_that_is_told_late_is_not_applied_again(shop: ShelfShop) -> None:
    opened = await shop.open_count("DRESS")
    await shop.count(opened.count_id, 4, at=NOON + 10 * MINUTE, as_of=NOON + 10 * MINUTE)
    await shop.sell(1, at=NOON + MINUTE, as_of=NOON + HOUR)
    (found,) = (await shop.close_count(opened.count_id, as_of=NOON + HOUR)).lines
    assert (found.moved, found.difference) == (-1, 0)
    assert (await shop.balance()).on_hand == 4


async def test_sold_units_that_the_books_did_not_know_do_not_come_back_to_life(shop: ShelfShop) -> None:
    await shop.adjust(-4)
    opened = await shop.open_count("DRESS")
    await shop.count(opened.count_id, 5, at=NOON, as_of=NOON)
    await shop.sell(3, at=NOON + MINUTE, as_of=NOON + MINUTE)
    (found,) = (await shop.close_count(opened.count_id, as_of=NOON + HOUR)).lines
    assert (found.difference, found.adjusted) == (4, 2)
    assert (await shop.balance()).on_hand == 2


async def test_a_count_never_goes_below_zero(shop: ShelfShop) -> None:
    opened = await shop.open_count("DRESS")
    await shop.count(opened.count_id, 1)
    await shop.sell(3, as_of=NOON + MINUTE)
    (found,) = (await shop.close_count(opened.count_id, as_of=NOON + HOUR)).lines
    assert (found.difference, found.adjusted) == (-4, -2)
    assert (await shop.balance()).on_hand == 0
    await shop.assert_sound()


async def test_fewer_units_than_are_reserved_leave_an_order_short(shop: ShelfShop) -> None:
    await shop.reserve("ord_1", line("DRESS", 4))
    opened = await shop.open_count("DRESS")
    await shop.count(opened.count_id, 1)
    await shop.close_count(opened.count_id)
    assert await shop.balance() == Balance("DRESS", "LYON", on_hand=1, reserved=4, short=3)
    (told,) = await shop.told("oms.inventory.count.closed")
    assert told["short"] == 3
    await shop.assert_sound()


async def test_a_count_ends_what_was_declared_before_it_and_declares_what_is_damaged(shop: ShelfShop) -> None:
    await shop.declare(1, reason=Reason.DAMAGED)
    await shop.declare(1, reason=Reason.NOT_FOUND)
    opened = await shop.open_count("DRESS")
    await shop.count(opened.count_id, 4, damaged=1, at=NOON + MINUTE, as_of=NOON + MINUTE)
    later = (await shop.declare(1, as_of=NOON + 2 * MINUTE)).declarations[0]
    await shop.close_count(opened.count_id, as_of=NOON + HOUR)
    assert await shop.balance() == Balance("DRESS", "LYON", on_hand=4, unavailable=2)
    first, second, found, last = await shop.declared()
    assert {first.ended_by, second.ended_by} == {Ending.COUNT}
    assert (found.reason, found.remaining, found.source) == (Reason.DAMAGED, 1, opened.count_id)
    assert last == later
    assert await shop.shown() == 2
    await shop.assert_sound()


async def test_a_unit_written_off_while_counting_is_not_taken_twice(shop: ShelfShop) -> None:
    await shop.declare(1, reason=Reason.NOT_FOUND)
    opened = await shop.open_count("DRESS")
    await shop.count(opened.count_id, 4, at=NOON + MINUTE, as_of=NOON + MINUTE)
    await shop.days.close_ended(NIGHT + 3 * HOUR)
    await shop.close_count(opened.count_id, as_of=NIGHT + 4 * HOUR)
    assert await shop.balance() == Balance("DRESS", "LYON", on_hand=4)
    await shop.assert_sound()


async def test_a_later_look_at_the_shelf_is_not_overruled(shop: ShelfShop) -> None:
    await shop.declare(1, reason=Reason.OTHER)
    opened = await shop.open_count("DRESS")
    await shop.count(opened.count_id, 3, at=NOON, as_of=NOON + HOUR)
    looked = await shop.adjust(-1, cause="count", as_of=NOON + MINUTE)
    (found,) = (await shop.close_count(opened.count_id, as_of=NOON + HOUR)).lines
    assert (found.difference, found.adjusted) == (-2, 0)
    assert await shop.balance() == looked
    await shop.assert_sound()


async def test_an_article_is_in_one_open_count_of_a_point_at_a_time(shop: ShelfShop) -> None:
    opened = await shop.open_count("DRESS", "PAN")
    with pytest.raises(FailedPrecondition) as refusal:
        await shop.open_count("SOFA", "PAN")
    assert (refusal.value.reason, refusal.value.facts["sku"]) == ("ALREADY_COUNTING", "PAN")
    await shop.open_count("PAN", point_id="PARIS")
    await shop.cancel_count(opened.count_id)
    assert [one.sku for one in (await shop.open_count("SOFA", "PAN")).lines] == ["PAN", "SOFA"]


async def test_counts_that_are_opened_at_once_are_one(shop: ShelfShop) -> None:
    outcomes = await asyncio.gather(
        *(shop.open_count(*skus) for skus in (("DRESS", "PAN"), ("PAN", "DRESS"), ("PAN",))),
        return_exceptions=True,
    )
    assert sum(isinstance(one, FailedPrecondition) for one in outcomes) == 2


async def test_a_category_means_the_articles_that_the_point_has(shop: ShelfShop) -> None:
    await shop.service.put_items([item("SOFA", "home", "living"), item("PAN", "home", "kitchen")], EDIT)
    await shop.adjust(1, "SOFA")
    await shop.adjust(1, "PAN", "PARIS")
    assert [one.sku for one in (await shop.open_count(categories=("home/living",))).lines] == ["SOFA"]
    with pytest.raises(FailedPrecondition, match="NOTHING_TO_COUNT"):
        await shop.open_count(categories=("garden",))


async def test_a_recount_replaces_and_an_ended_count_stays(shop: ShelfShop) -> None:
    opened = await shop.open_count("DRESS")
    with pytest.raises(FailedPrecondition, match="NOTHING_COUNTED"):
        await shop.close_count(opened.count_id)
    await shop.count(opened.count_id, 9)
    await shop.count(opened.count_id, 5)
    closed = await shop.close_count(opened.count_id, request="close-1")
    assert await shop.close_count(opened.count_id, request="close-1") == closed
    for act in (
        shop.close_count(opened.count_id),
        shop.cancel_count(opened.count_id),
        shop.count(opened.count_id, 1),
    ):
        with pytest.raises(FailedPrecondition, match="COUNT_NOT_OPEN"):
            await act
    assert (await shop.balance()).on_hand == 5


async def test_a_cancelled_count_changes_no_stock(shop: ShelfShop) -> None:
    opened = await shop.open_count("DRESS")
    await shop.count(opened.count_id, 1)
    assert (await shop.cancel_count(opened.count_id)).state is CountState.CANCELLED
    with pytest.raises(FailedPrecondition, match="COUNT_NOT_OPEN"):
        await shop.close_count(opened.count_id)
    assert (await shop.balance()).on_hand == 5
    assert [(one.state, one.line_count) for _, one in await shop.counting.list_counts("LYON", 2**62, 10)] == [
        (CountState.CANCELLED, 1)
    ]


async def test_what_cannot_be_counted_is_refused_by_its_field(shop: ShelfShop) -> None:
    opened = await shop.open_count("DRESS", request="open-1")
    assert await shop.open_count("DRESS", request="open-1") == opened
    with pytest.raises(Conflict):
        await shop.open_count("PAN", request="open-1")
    for act, field in (
        (shop.count(opened.count_id, 1, "PAN"), "lines[0].sku"),
        (shop.count(opened.count_id, -1), "lines[0].counted"),
        (shop.count(opened.count_id, 1, damaged=2), "lines[0].damaged"),
        (shop.count(opened.count_id, 1, at=NOON - MINUTE), "lines[0].counted_at"),
        (shop.count(opened.count_id, 1, at=NOON + MINUTE), "lines[0].counted_at"),
        (shop.open_count(), "skus"),
        (shop.open_count("NOTHING"), "skus[0]"),
        (shop.open_count("DRESS", point_id="NOWHERE"), "point_id"),
    ):
        with pytest.raises(InvalidArgument) as refusal:
            await act
        assert refusal.value.facts["field"] == field
    with pytest.raises(NotFound, match="COUNT_NOT_FOUND"):
        await shop.close_count("cnt_nothing")
    assert (await shop.balance()).on_hand == 5


async def test_a_count_closed_by_many_at_once_is_closed_once(shop: ShelfShop) -> None:
    opened = await shop.open_count("DRESS")
    await shop.count(opened.count_id, 3)
    outcomes = await asyncio.gather(
        *(shop.close_count(opened.count_id) for _ in range(3)),
        *(shop.sell(1, as_of=NOON + MINUTE) for _ in range(2)),
        return_exceptions=True,
    )
    assert sum(isinstance(one, FailedPrecondition) for one in outcomes) == 2
    assert (await shop.balance()).on_hand == 1
    assert len(await shop.told("oms.inventory.count.closed")) == 1
    await shop.assert_sound()
