"""Declarations: a unit leaves every image at once, and comes back when its declaration ends (SPEC STK-6)."""

import asyncio

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from kit.errors import Conflict, FailedPrecondition, InvalidArgument, NotFound
from services.inventory.domain import commands
from services.inventory.domain.declarations import Ending, Reason
from services.inventory.domain.holds import ShortReason
from services.inventory.domain.ledger import Balance, Cause
from tests.services.inventory.shelves import MINUTE, ShelfShop
from tests.services.inventory.shop import NOON, line


@pytest.fixture
async def shop(inventory_db: AsyncEngine) -> ShelfShop:
    found = ShelfShop(inventory_db)
    await found.open()
    await found.adjust(5)
    return found


async def test_a_declared_unit_leaves_the_image_and_says_who_and_why(shop: ShelfShop) -> None:
    answer = await shop.declare(2, reason=Reason.BEING_SOLD)
    (one,) = answer.declarations
    assert answer.balance == Balance("DRESS", "LYON", on_hand=5, unavailable=2)
    assert (one.quantity, one.remaining, one.reason, one.actor, one.source, one.declared_at, one.ended_by) == (
        2,
        2,
        Reason.BEING_SOLD,
        "assoc_1",
        "terminal 3",
        NOON,
        None,
    )
    assert await shop.shown() == 3
    assert await shop.declared() == [one]
    assert await shop.shelf.get_declaration(one.declaration_id) == one
    await shop.assert_sound()


async def test_the_same_request_declares_once(shop: ShelfShop) -> None:
    first = await shop.declare(1, request="d-1")
    assert await shop.declare(1, request="d-1", as_of=NOON + MINUTE) == first
    with pytest.raises(Conflict, match="IDEMPOTENCY_CONFLICT"):
        await shop.declare(1, request="d-1", reason=Reason.OTHER)
    assert len(await shop.declared()) == 1


async def test_no_more_can_be_declared_than_lies_there(shop: ShelfShop) -> None:
    await shop.declare(4)
    with pytest.raises(FailedPrecondition, match="NOT_ON_HAND"):
        await shop.declare(2)
    assert len(await shop.declared()) == 1
    await shop.assert_sound()


async def test_units_of_a_position_come_back_the_oldest_declaration_first(shop: ShelfShop) -> None:
    younger = (await shop.declare(2, as_of=NOON + MINUTE)).declarations[0]
    older = (await shop.declare(2)).declarations[0]
    answer = await shop.give_back(3)
    assert [(one.declaration_id, one.remaining, one.ended_by) for one in answer.declarations] == [
        (older.declaration_id, 0, Ending.RELEASED),
        (younger.declaration_id, 1, None),
    ]
    assert [one.declaration_id for one in await shop.declared(ended=False)] == [younger.declaration_id]
    assert await shop.shown() == 4
    await shop.assert_sound()


async def test_one_declaration_comes_back_in_part_and_then_whole(shop: ShelfShop) -> None:
    kept = (await shop.declare(1)).declarations[0]
    name = (await shop.declare(3)).declarations[0].declaration_id
    assert (await shop.give_back(1, "", "", name)).balance.unavailable == 3
    with pytest.raises(FailedPrecondition, match="NOT_UNAVAILABLE"):
        await shop.give_back(3, "", "", name)
    assert (await shop.give_back(0, "", "", name)).balance.unavailable == 1
    with pytest.raises(FailedPrecondition, match="DECLARATION_ENDED"):
        await shop.give_back(0, "", "", name)
    assert await shop.declared(ended=False) == [kept]
    await shop.assert_sound()


async def test_what_names_no_declaration_is_refused(shop: ShelfShop) -> None:
    with pytest.raises(NotFound, match="DECLARATION_NOT_FOUND"):
        await shop.give_back(1, "", "", "dec_nobody")
    with pytest.raises(NotFound, match="DECLARATION_NOT_FOUND"):
        await shop.shelf.get_declaration("dec_nobody")
    with pytest.raises(InvalidArgument) as refusal:
        await shop.give_back(1, "DRESS", "", "dec_nobody")
    assert refusal.value.facts["field"] == "sku"
    with pytest.raises(InvalidArgument) as refusal:
        await shop.give_back(0)
    assert refusal.value.facts["field"] == "quantity"


async def test_two_releases_of_the_last_declared_unit_free_it_once(shop: ShelfShop) -> None:
    name = (await shop.declare(1)).declarations[0].declaration_id
    outcomes = await asyncio.gather(*(shop.give_back(0, "", "", name) for _ in range(4)), return_exceptions=True)
    refused = [one for one in outcomes if isinstance(one, FailedPrecondition)]
    assert (len(refused), {one.reason for one in refused}) == (3, {"DECLARATION_ENDED"})
    assert await shop.shown() == 5
    await shop.assert_sound()


async def test_a_short_pick_is_a_declaration_of_the_picker(shop: ShelfShop) -> None:
    await shop.reserve("ord_1", line("DRESS", 3))
    await shop.service.report_short(
        commands.ReportShort("short-1", "ord_1", (line("DRESS", 1), line("DRESS", 1)), "picker_9", NOON)
    )
    (one,) = await shop.declared()
    assert (one.quantity, one.reason, one.actor, one.source) == (2, Reason.NOT_FOUND, "picker_9", "short-1")
    await shop.assert_sound()


async def test_what_a_picker_says_of_missing_units_is_the_reason_of_their_declarations(shop: ShelfShop) -> None:
    await shop.reserve("ord_1", line("DRESS", 4))
    reasons = (ShortReason("DRESS", "LYON", 1, Reason.DAMAGED), ShortReason("DRESS", "LYON", 1, Reason.BEING_SOLD))
    short = commands.ReportShort("short-1", "ord_1", (line("DRESS", 3), line("DRESS", 1)), "p", NOON, reasons)
    for _ in range(2):
        await shop.service.report_short(short)
    assert {(one.reason, one.quantity) for one in await shop.declared()} == {
        (Reason.NOT_FOUND, 2),
        (Reason.DAMAGED, 1),
        (Reason.BEING_SOLD, 1),
    }
    await shop.assert_sound()


@pytest.mark.parametrize(
    ("reason", "field"),
    [
        (ShortReason("DRESS", "LYON", 2, Reason.DAMAGED), "reasons[0].quantity"),
        (ShortReason("DRESS", "PARIS", 1, Reason.DAMAGED), "reasons[0].quantity"),
        (ShortReason("DRESS", "LYON", 0, Reason.DAMAGED), "reasons[0].quantity"),
    ],
)
async def test_a_reason_is_of_no_more_units_than_are_missing(
    shop: ShelfShop, reason: ShortReason, field: str
) -> None:
    await shop.reserve("ord_1", line("DRESS", 2))
    short = commands.ReportShort("short-1", "ord_1", (line("DRESS", 1),), "picker_9", NOON, (reason,))
    with pytest.raises(InvalidArgument) as refusal:
        await shop.service.report_short(short)
    assert refusal.value.facts["field"] == field
    assert not await shop.declared()


async def test_units_that_were_known_to_be_missing_are_not_declared(shop: ShelfShop) -> None:
    await shop.reserve("ord_1", line("DRESS", 5))
    await shop.adjust(-4, cause="count")
    await shop.report_short("ord_1", line("DRESS", 5))
    assert [one.quantity for one in await shop.declared()] == [1]
    assert await shop.balance() == Balance("DRESS", "LYON", on_hand=1, unavailable=1)
    await shop.assert_sound()


async def test_unavailable_units_that_nobody_declared_are_found(shop: ShelfShop) -> None:
    await shop.declare(1)
    async with shop.engine.begin() as tx:
        await tx.execute(text("UPDATE declaration SET quantity = 3, remaining = 3"))
    (found,) = await shop.service.find_differences()
    assert (found.balance.unavailable, found.ledger.unavailable, found.declared) == (1, 1, 3)


async def test_a_free_word_of_a_cause_means_other() -> None:
    assert [Reason.of(word) for word in ("damaged", "not_found", "laid_aside", "")] == [
        Reason.DAMAGED,
        Reason.NOT_FOUND,
        Reason.OTHER,
        Reason.OTHER,
    ]


async def test_lists_go_on_where_a_page_ended(shop: ShelfShop) -> None:
    for n in range(3):
        await shop.declare(1, as_of=NOON + n * MINUTE)
    everything = await shop.declared()
    first = everything[0]
    rest = await shop.shelf.list_declarations(
        "LYON", "DRESS", (first.declared_at, first.declaration_id), 10, with_ended=False
    )
    assert [first, *rest] == everything
    assert await shop.shelf.list_declarations("LYON", "PAN", None, 10, with_ended=True) == []
    assert await shop.declared("PARIS") == []


async def test_a_cause_is_needed(shop: ShelfShop) -> None:
    command = commands.DeclareUnavailable("r", "DRESS", "LYON", 1, Reason.OTHER, Cause("other", ""), NOON)
    with pytest.raises(InvalidArgument) as refusal:
        await shop.service.declare_unavailable(command)
    assert refusal.value.facts["field"] == "cause.actor"
