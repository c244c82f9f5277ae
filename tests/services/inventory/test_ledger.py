"""Balances and movements: STK-3 and STK-6."""

import asyncio

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from kit.errors import Conflict, FailedPrecondition, InvalidArgument
from services.inventory.domain import commands
from services.inventory.domain.ledger import Balance, Cause
from tests.services.inventory.shop import NOON, Shop, line


async def test_a_receipt_is_a_balance_and_a_movement_with_its_cause(shop: Shop) -> None:
    assert await shop.adjust(5) == Balance("DRESS", "LYON", on_hand=5)
    ((_, movement, recorded_at),) = await shop.service.list_movements("DRESS", "", 0, 10)
    assert (movement.on_hand, movement.cause, recorded_at) == (5, Cause("receipt", "wms", "doc/1"), NOON)
    await shop.assert_sound()


@pytest.mark.parametrize("statement", ["UPDATE movement SET on_hand_delta = 1", "DELETE FROM movement"])
async def test_the_ledger_never_forgets(shop: Shop, statement: str) -> None:
    await shop.adjust(5)
    with pytest.raises(DBAPIError, match="append-only"):
        async with shop.engine.begin() as tx:
            await tx.execute(text(statement))


@pytest.mark.parametrize(
    "change", ["on_hand = -1", "reserved = -1", "unavailable = -1", "short = -1", "reserved = 6"]
)
async def test_the_database_itself_refuses_an_impossible_balance(shop: Shop, change: str) -> None:
    await shop.adjust(5)
    with pytest.raises(DBAPIError, match="check constraint"):
        async with shop.engine.begin() as tx:
            await tx.execute(text(f"UPDATE balance SET {change}"))


async def test_a_balance_changed_behind_the_ledgers_back_is_found(shop: Shop) -> None:
    await shop.adjust(5)
    async with shop.engine.begin() as tx:
        await tx.execute(text("UPDATE balance SET on_hand = 7"))
    (difference,) = await shop.service.find_differences()
    assert (difference.balance.on_hand, difference.ledger.on_hand) == (7, 5)


async def test_more_cannot_leave_than_there_is_and_the_line_is_named(shop: Shop) -> None:
    await shop.adjust(1)
    deltas = (commands.StockDelta("PAN", "LYON", 4), commands.StockDelta("DRESS", "LYON", -2))
    with pytest.raises(FailedPrecondition) as refusal:
        await shop.service.adjust_stock(commands.AdjustStock("r", deltas, Cause("correction", "wms"), NOON))
    assert refusal.value.reason == "STOCK_BELOW_ZERO"
    assert refusal.value.facts["field"] == "deltas[1].quantity"
    assert (await shop.balance("PAN")).on_hand == 0, "all lines or none"


async def test_a_count_may_find_reserved_units_missing_and_a_receipt_heals_it(shop: Shop) -> None:
    await shop.adjust(3)
    await shop.reserve("ord_1", line("DRESS", 3))
    assert await shop.adjust(-2, cause="count") == Balance("DRESS", "LYON", on_hand=1, reserved=3, short=2)
    assert await shop.adjust(1) == Balance("DRESS", "LYON", on_hand=2, reserved=3, short=1)
    assert await shop.adjust(5) == Balance("DRESS", "LYON", on_hand=7, reserved=3, short=0)
    await shop.assert_sound()


async def test_a_correction_never_takes_units_that_are_reserved(shop: Shop) -> None:
    await shop.adjust(3)
    await shop.reserve("ord_1", line("DRESS", 3))
    with pytest.raises(FailedPrecondition, match="STOCK_RESERVED"):
        await shop.adjust(-1, cause="correction")


async def test_a_shortage_ends_when_its_reservation_is_given_back(shop: Shop) -> None:
    await shop.adjust(2)
    await shop.reserve("ord_1", line("DRESS", 2))
    await shop.adjust(-2, cause="count")
    await shop.release("ord_1")
    assert await shop.balance() == Balance("DRESS", "LYON")


async def test_a_unit_declared_unavailable_leaves_the_image_and_comes_back(shop: Shop) -> None:
    await shop.adjust(2)
    await shop.declare(1)
    assert await shop.shown() == 1
    assert (await shop.give_back(1)).balance == Balance("DRESS", "LYON", on_hand=2)
    assert await shop.shown() == 2


async def test_what_is_not_there_cannot_be_declared_nor_given_back(shop: Shop) -> None:
    await shop.adjust(1)
    with pytest.raises(FailedPrecondition, match="NOT_ON_HAND"):
        await shop.declare(2)
    with pytest.raises(FailedPrecondition, match="NOT_UNAVAILABLE"):
        await shop.give_back(1)


async def test_stock_needs_an_item_and_a_point_that_exist(shop: Shop) -> None:
    with pytest.raises(InvalidArgument) as no_item:
        await shop.adjust(1, sku="GHOST")
    assert (no_item.value.reason, no_item.value.facts["field"]) == ("UNKNOWN_ITEM", "deltas[0].sku")
    with pytest.raises(InvalidArgument) as no_point:
        await shop.adjust(1, point_id="MARS")
    assert (no_point.value.reason, no_point.value.facts["field"]) == ("UNKNOWN_POINT", "deltas[0].point_id")


async def test_a_repeated_adjustment_counts_once_even_fifty_at_once(shop: Shop) -> None:
    command = commands.AdjustStock(
        "same", (commands.StockDelta("DRESS", "LYON", 4),), Cause("receipt", "wms"), NOON
    )
    answers = await asyncio.gather(*(shop.service.adjust_stock(command) for _ in range(50)))
    assert set(answers) == {(Balance("DRESS", "LYON", on_hand=4),)}
    assert (await shop.balance()).on_hand == 4


async def test_a_request_id_used_with_other_content_is_an_error_that_names_it(shop: Shop) -> None:
    await shop.reserve("ord_1", line("DRESS", 1), request="once")
    with pytest.raises(Conflict) as conflict:
        await shop.reserve("ord_1", line("DRESS", 2), request="once")
    assert conflict.value.reason == "IDEMPOTENCY_CONFLICT"
    assert conflict.value.facts["field"] == "request_id"
    with pytest.raises(Conflict):
        await shop.release("ord_1", request="once")


async def test_an_adjustment_tells_an_event_of_each_point(shop: Shop) -> None:
    deltas = tuple(commands.StockDelta("PAN", point_id, 2) for point_id in ("LYON", "PARIS"))
    await shop.service.adjust_stock(commands.AdjustStock("r", deltas, Cause("receipt", "wms", "wms/9"), NOON))
    async with shop.engine.begin() as tx:
        rows = (await tx.execute(text("SELECT type, subject, data FROM outbox ORDER BY id"))).all()
    assert [(row.type, row.subject) for row in rows] == [
        ("oms.inventory.stock.adjusted", "point/LYON"),
        ("oms.inventory.stock.adjusted", "point/PARIS"),
    ]
    assert rows[0].data == {
        "point_id": "LYON",
        "cause": "receipt",
        "source": "wms/9",
        "lines": [{"sku": "PAN", "quantity": 2, "on_hand": 2, "short": 0}],
    }
