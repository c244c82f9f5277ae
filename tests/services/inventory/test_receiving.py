"""Receiving at a point: what came is on hand, differences are kept and told (SPEC STK-16)."""

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from kit.errors import Conflict, InvalidArgument
from services.inventory.domain.declarations import Reason
from services.inventory.domain.ledger import Balance
from services.inventory.domain.receiving import ReceiptLine
from tests.services.inventory.shelves import HOUR, ShelfShop
from tests.services.inventory.shop import NOON, line


@pytest.fixture
async def shop(inventory_db: AsyncEngine) -> ShelfShop:
    found = ShelfShop(inventory_db)
    await found.open()
    return found


async def test_what_came_is_on_hand_and_the_damaged_is_declared(shop: ShelfShop) -> None:
    lines = (
        ReceiptLine("DRESS", 10, 8, 1),
        ReceiptLine("PAN", None, 3, 0),
        ReceiptLine("DRESS", 2, 3, 1),
        ReceiptLine("SOFA", 1, 0, 0),
    )
    receipt, balances = await shop.receive(*lines)
    assert receipt.lines == lines
    assert balances == (
        Balance("DRESS", "LYON", on_hand=11, unavailable=2),
        Balance("PAN", "LYON", on_hand=3),
        Balance("SOFA", "LYON"),
    )
    (one,) = await shop.declared()
    assert (one.quantity, one.reason, one.source) == (2, Reason.DAMAGED, "asn/9")
    (told,) = await shop.told("oms.inventory.receipt.recorded")
    assert (told["line_count"], told["differences"], told["reference"]) == (4, 3, "asn/9")
    await shop.assert_sound()


async def test_a_receipt_told_twice_is_received_once(shop: ShelfShop) -> None:
    first = await shop.receive(ReceiptLine("DRESS", 2, 2, 0), request="r-1")
    await shop.sell(1)
    assert await shop.receive(ReceiptLine("DRESS", 2, 2, 0), request="r-1", as_of=NOON + HOUR) == first
    with pytest.raises(Conflict):
        await shop.receive(ReceiptLine("DRESS", 2, 3, 0), request="r-1")
    assert (await shop.balance()).on_hand == 1


async def test_a_receipt_heals_a_shortage(shop: ShelfShop) -> None:
    await shop.adjust(2)
    await shop.reserve("ord_1", line("DRESS", 2))
    await shop.sell(2)
    await shop.receive(ReceiptLine("DRESS", None, 1, 0))
    assert await shop.balance() == Balance("DRESS", "LYON", on_hand=1, reserved=2, short=1)


async def test_what_a_count_has_seen_since_it_arrived_is_not_put_on_the_books_again(shop: ShelfShop) -> None:
    count = await shop.open_count("DRESS")
    await shop.count(count.count_id, 3, damaged=1)
    await shop.close_count(count.count_id)
    late = NOON + HOUR
    receipt, balances = await shop.receive(
        ReceiptLine("DRESS", 3, 3, 1), ReceiptLine("PAN", 1, 1, 0), at=NOON - HOUR, as_of=late
    )
    assert balances == (
        Balance("DRESS", "LYON", on_hand=3, unavailable=1),
        Balance("PAN", "LYON", on_hand=1),
    )
    assert len(receipt.lines) == 2
    await shop.receive(ReceiptLine("DRESS", None, 2, 0), as_of=late)
    assert (await shop.balance()).on_hand == 5
    await shop.assert_sound()


async def test_receipts_are_listed_the_newest_first(shop: ShelfShop) -> None:
    first, _ = await shop.receive(ReceiptLine("DRESS", None, 1, 0))
    second, _ = await shop.receive(ReceiptLine("PAN", 2, 1, 1))
    await shop.receive(ReceiptLine("PAN", 2, 1, 1), point_id="PARIS")
    rows = await shop.shelf.list_receipts("LYON", 2**62, 10)
    assert [one for _, one in rows] == [second, first]
    assert [one for _, one in await shop.shelf.list_receipts("LYON", rows[0][0], 10)] == [first]


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        (ReceiptLine("NOTHING", 1, 1, 0), "lines[1].sku"),
        (ReceiptLine("", 1, 1, 0), "lines[1].sku"),
        (ReceiptLine("PAN", -1, 1, 0), "lines[1].expected"),
        (ReceiptLine("PAN", 1, -1, 0), "lines[1].received"),
        (ReceiptLine("PAN", 1, 1, 2), "lines[1].damaged"),
        (ReceiptLine("PAN", None, 0, 0), "lines[1].received"),
    ],
)
async def test_a_wrong_line_is_named_and_nothing_is_received(
    shop: ShelfShop, wrong: ReceiptLine, field: str
) -> None:
    with pytest.raises(InvalidArgument) as refusal:
        await shop.receive(ReceiptLine("DRESS", 1, 1, 0), wrong)
    assert refusal.value.facts["field"] == field
    assert (await shop.balance()).on_hand == 0
    assert await shop.shelf.list_receipts("LYON", 2**62, 10) == []
