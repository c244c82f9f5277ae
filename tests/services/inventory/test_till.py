"""Till sales and returns: facts, recorded whatever the books say (SPEC STK-6)."""

import asyncio

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from kit.errors import Conflict, InvalidArgument
from services.inventory.domain.declarations import Ending, Reason
from services.inventory.domain.ledger import Balance
from services.inventory.domain.till import Effect
from tests.services.inventory.shelves import HOUR, MINUTE, NIGHT, ShelfShop
from tests.services.inventory.shop import NOON, line


@pytest.fixture
async def shop(inventory_db: AsyncEngine) -> ShelfShop:
    found = ShelfShop(inventory_db)
    await found.open()
    await found.adjust(5)
    return found


async def test_a_sale_takes_units_off_the_shelf(shop: ShelfShop) -> None:
    answer = await shop.sell(2)
    assert (answer.balance, answer.effect) == (Balance("DRESS", "LYON", on_hand=3), Effect(2, 0, 0, 0))
    (told,) = await shop.told("oms.inventory.till_sale.recorded")
    assert (told["sku"], told["taken"], told["on_hand"], told["receipt"]) == ("DRESS", 2, 3, "ticket 4711")


async def test_a_line_told_twice_counts_once(shop: ShelfShop) -> None:
    first = await shop.sell(1, request="ticket-1/1")
    assert await shop.sell(1, request="ticket-1/1", as_of=NOON + HOUR) == first
    with pytest.raises(Conflict):
        await shop.sell(2, request="ticket-1/1")
    assert (await shop.balance()).on_hand == 4


async def test_a_unit_that_is_being_sold_is_not_deducted_twice(shop: ShelfShop) -> None:
    await shop.declare(1, reason=Reason.BEING_SOLD)
    assert await shop.shown() == 4
    assert (await shop.sell(1)).effect == Effect(1, 1, 0, 0)
    assert await shop.balance() == Balance("DRESS", "LYON", on_hand=4)
    assert await shop.shown() == 4
    (one,) = await shop.declared()
    assert (one.remaining, one.ended_by) == (0, Ending.TILL_SALE)
    await shop.assert_sound()


async def test_what_is_being_sold_goes_first_and_then_the_oldest(shop: ShelfShop) -> None:
    other = (await shop.declare(1, reason=Reason.OTHER)).declarations[0]
    lost = (await shop.declare(1, reason=Reason.NOT_FOUND, as_of=NOON + MINUTE)).declarations[0]
    sold = (await shop.declare(1, reason=Reason.BEING_SOLD, as_of=NOON + 2 * MINUTE)).declarations[0]
    await shop.sell(1)
    assert [one.declaration_id for one in await shop.declared(ended=False)] == [
        other.declaration_id,
        lost.declaration_id,
    ]
    await shop.sell(1)
    assert [one.declaration_id for one in await shop.declared(ended=False)] == [lost.declaration_id]
    assert sold.declaration_id not in {one.declaration_id for one in await shop.declared(ended=False)}
    await shop.assert_sound()


@pytest.mark.parametrize("reason", [Reason.DAMAGED, Reason.PACKED])
async def test_a_damaged_or_packed_unit_is_not_sold_while_a_whole_one_is_left(
    shop: ShelfShop, reason: Reason
) -> None:
    await shop.declare(2, reason=reason)
    assert (await shop.sell(3)).balance == Balance("DRESS", "LYON", on_hand=2, unavailable=2)
    assert await shop.shown() == 0
    assert (await shop.sell(1)).balance == Balance("DRESS", "LYON", on_hand=1, unavailable=1)
    await shop.assert_sound()


async def test_a_sale_of_reserved_units_is_a_fact_and_leaves_the_order_short(shop: ShelfShop) -> None:
    await shop.reserve("ord_1", line("DRESS", 5))
    answer = await shop.sell(2)
    assert answer.balance == Balance("DRESS", "LYON", on_hand=3, reserved=5, short=2)
    (told,) = await shop.told("oms.inventory.till_sale.recorded")
    assert told["short"] == 2
    await shop.assert_sound()


async def test_what_the_books_did_not_know_is_sold_all_the_same(shop: ShelfShop) -> None:
    answer = await shop.sell(7)
    assert (answer.balance, answer.effect) == (Balance("DRESS", "LYON"), Effect(5, 0, 0, 2))
    never_stocked = await shop.sell(1, "SOFA")
    assert (never_stocked.balance, never_stocked.effect.unknown) == (Balance("SOFA", "LYON"), 1)
    await shop.assert_sound()


async def test_a_return_puts_units_back_and_heals_a_shortage(shop: ShelfShop) -> None:
    await shop.reserve("ord_1", line("DRESS", 5))
    await shop.sell(2)
    answer = await shop.take_back(1, request="back-1")
    assert answer.balance == Balance("DRESS", "LYON", on_hand=4, reserved=5, short=1)
    assert await shop.take_back(1, request="back-1") == answer
    assert [told["taken"] for told in await shop.told("oms.inventory.till_return.recorded")] == [1]
    await shop.assert_sound()


@pytest.mark.parametrize(
    ("sku", "point_id", "quantity", "field"),
    [("NOTHING", "LYON", 1, "sku"), ("DRESS", "NOWHERE", 1, "point_id"), ("DRESS", "LYON", 0, "quantity")],
)
async def test_a_sale_of_what_does_not_exist_is_refused(
    shop: ShelfShop, sku: str, point_id: str, quantity: int, field: str
) -> None:
    for act in (shop.sell, shop.take_back):
        with pytest.raises(InvalidArgument) as refusal:
            await act(quantity, sku, point_id)
        assert refusal.value.facts["field"] == field


async def test_sales_that_race_for_one_declaration_use_it_once(shop: ShelfShop) -> None:
    await shop.declare(1, reason=Reason.BEING_SOLD)
    sales = await asyncio.gather(*(shop.sell(1) for _ in range(4)))
    assert sum(sale.effect.declared for sale in sales) == 1
    assert await shop.balance() == Balance("DRESS", "LYON", on_hand=1)
    await shop.assert_sound()


async def test_one_line_told_by_many_at_once_counts_once(shop: ShelfShop) -> None:
    sales = await asyncio.gather(*(shop.sell(1, request="ticket-9/1") for _ in range(5)))
    assert len(set(sales)) == 1
    assert (await shop.balance()).on_hand == 4


async def test_a_sale_is_dated_when_it_happened_and_never_in_the_future(shop: ShelfShop) -> None:
    await shop.sell(1, at=NOON - HOUR)
    await shop.sell(1, at=NOON + HOUR)
    rows = await shop.service.list_movements("DRESS", "LYON", 0, 10)
    assert [(moved.cause.cause, at) for _, moved, at in rows[1:]] == [
        ("till_sale", NOON - HOUR),
        ("till_sale", NOON),
    ]


async def test_a_sale_told_after_its_unit_was_written_off_is_known(shop: ShelfShop) -> None:
    await shop.declare(2, reason=Reason.BEING_SOLD)
    await shop.days.close_ended(NIGHT + 2 * HOUR)
    assert (await shop.balance()).on_hand == 3
    morning = NIGHT + 9 * HOUR
    late = await shop.sell(3, at=NOON + MINUTE, as_of=morning)
    assert late.effect == Effect(taken=1, declared=0, known=2, unknown=0)
    assert (await shop.sell(1, at=NOON + MINUTE, as_of=morning)).effect == Effect(1, 0, 0, 0)
    assert (await shop.balance()).on_hand == 1
    await shop.assert_sound()


async def test_a_sale_after_the_day_was_closed_is_another_unit(shop: ShelfShop) -> None:
    await shop.declare(1, reason=Reason.BEING_SOLD)
    await shop.days.close_ended(NIGHT + 2 * HOUR)
    assert (await shop.sell(1, at=NIGHT + 9 * HOUR, as_of=NIGHT + 9 * HOUR)).effect == Effect(1, 0, 0, 0)


async def test_a_sale_or_a_return_that_a_count_has_seen_changes_nothing(shop: ShelfShop) -> None:
    count = await shop.open_count("DRESS")
    await shop.count(count.count_id, 4, at=NOON + HOUR, as_of=NOON + HOUR)
    await shop.close_count(count.count_id, as_of=NOON + HOUR)
    later = NOON + 2 * HOUR
    assert (await shop.sell(1, at=NOON + MINUTE, as_of=later)).effect == Effect(0, 0, 1, 0)
    assert (await shop.take_back(1, at=NOON + MINUTE, as_of=later)).effect == Effect(0, 0, 1, 0)
    assert (await shop.balance()).on_hand == 4
    assert (await shop.sell(1, at=later, as_of=later)).effect == Effect(1, 0, 0, 0)
