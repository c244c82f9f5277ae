"""A process dies after each statement of each act in turn: once it is asked again, all is as if it had not.

What died here is the line to the database, at which both ends see what they would see of a dead process.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass

import pytest
import pytest_asyncio
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from kit import db
from kit.errors import NotFound
from services.inventory.domain import commands
from services.inventory.domain.holds import HoldMove
from services.inventory.domain.ledger import Cause, Position
from services.inventory.domain.receiving import ReceiptLine
from tests.conftest import MakeDatabase
from tests.services.inventory.shelves import ShelfShop
from tests.services.inventory.shop import EDIT, NOON, item, line
from tests.services.inventory.wire import Wire, wire_to

pytestmark = [pytest.mark.attack, pytest.mark.timeout(300)]
# No act has more: an act that is not over by then is a defect of the test.
_MOST_STATEMENTS = 40
Act = Callable[[ShelfShop, str], Awaitable[object]]
"""Its request, and its reservation, bear the name of the SKU."""


async def _adjust(shop: ShelfShop, sku: str) -> object:
    delta = commands.StockDelta(sku, "LYON", 3)
    return await shop.service.adjust_stock(commands.AdjustStock(sku, (delta,), Cause("receipt", "wms"), NOON))


async def _move(shop: ShelfShop, sku: str) -> object:
    moves = (HoldMove(sku, "LYON", "PARIS", 1),)
    return await shop.service.move_reservation(commands.MoveReservation(sku, f"ord-{sku}", moves, NOON))


async def _issue(shop: ShelfShop, sku: str) -> object:
    return await shop.service.issue(commands.Issue(sku, f"ord-{sku}", (line(sku, 1),), "par_1", NOON))


async def _report_short(shop: ShelfShop, sku: str) -> object:
    return await shop.service.report_short(
        commands.ReportShort(sku, f"ord-{sku}", (line(sku, 1),), "assoc_1", NOON)
    )


ACTS: dict[str, Act] = {
    "reserve": lambda shop, sku: shop.reserve(f"new-{sku}", line(sku, 2), request=sku),
    "reserve_more": lambda shop, sku: shop.reserve(f"ord-{sku}", line(sku, 1), request=sku),
    "confirm": lambda shop, sku: shop.service.confirm(f"ord-{sku}", NOON),
    "release": lambda shop, sku: shop.release(f"ord-{sku}", line(sku, 1), request=sku),
    "issue": _issue,
    "move": _move,
    "report_short": _report_short,
    "adjust": _adjust,
    "declare": lambda shop, sku: shop.declare(1, sku, request=sku),
    "till_sale": lambda shop, sku: shop.sell(1, sku, request=sku),
    "till_return": lambda shop, sku: shop.take_back(1, sku, request=sku),
    "receipt": lambda shop, sku: shop.receive(ReceiptLine(sku, expected=3, received=4, damaged=1), request=sku),
}


@dataclass(frozen=True)
class Mortal:
    """A shop whose line to the database may be cut, and one that looks at what is left."""

    shop: ShelfShop
    wire: Wire
    witness: ShelfShop


@pytest_asyncio.fixture
async def mortal(inventory_db: AsyncEngine, make_database: MakeDatabase) -> AsyncIterator[Mortal]:
    witness = ShelfShop(inventory_db)
    await witness.open()
    async with wire_to(make_database("inventory").url) as wire:
        engine = db.connect(wire.url)
        try:
            yield Mortal(ShelfShop(engine), wire, witness)
        finally:
            await engine.dispose()


@pytest.mark.parametrize("unsaid", [False, True], ids=["answer lost", "never arrived"])
@pytest.mark.parametrize("name", ACTS)
async def test_an_act_that_died_at_any_statement_is_done_once_when_it_is_asked_again(
    mortal: Mortal, name: str, unsaid: bool
) -> None:
    act = ACTS[name]
    await _stock(mortal.witness, "SOUND")
    sound = _renamed(await act(mortal.shop, "SOUND"), "SOUND")
    expected = await _left(mortal.witness, "SOUND")
    died = 0
    for statement in range(1, _MOST_STATEMENTS):
        sku = f"CUT-{statement:02d}"
        await _stock(mortal.witness, sku)
        await act(mortal.shop, "SOUND")  # a repeat: there is a connection that is in order
        mortal.wire.arm(statement, unsaid=unsaid)
        try:
            async with asyncio.timeout(20):
                answer = await act(mortal.shop, sku)
        except DBAPIError as error:
            if not db.is_outage(error):
                raise
        else:
            assert _renamed(answer, sku) == sound
        if not mortal.wire.heal():
            break
        died += 1
        assert _renamed(await act(mortal.shop, sku), sku) == sound, f"statement {statement}"
        assert await _left(mortal.witness, sku) == expected, f"statement {statement}"
    assert 2 <= died < _MOST_STATEMENTS - 1
    await mortal.witness.assert_sound()


async def _stock(shop: ShelfShop, sku: str) -> None:
    """Five units at two points, of which two are held."""
    await shop.service.put_items([item(sku)], EDIT)
    for point_id in ("LYON", "PARIS"):
        await shop.adjust(5, sku, point_id)
    await shop.reserve(f"ord-{sku}", line(sku, 2), request=f"hold-{sku}")


async def _left(shop: ShelfShop, sku: str) -> str:
    """All that there is of a SKU: balances, ledger, holds, declarations, and what was told of it."""
    found: list[object] = [
        await shop.service.list_balances([sku], [], Position("", ""), 10),
        [(movement, at) for _, movement, at in await shop.service.list_movements(sku, "", 0, 100)],
    ]
    for reservation_id in (f"ord-{sku}", f"new-{sku}"):
        try:
            found.append(await shop.service.get_reservation(reservation_id))
        except NotFound as nobody:
            found.append(nobody.reason)
    found += [one for one in await shop.declared() if one.sku == sku]
    async with shop.engine.begin() as tx:
        told = await tx.execute(
            text("SELECT type, data FROM outbox WHERE CAST(data AS text) LIKE :named ORDER BY id"),
            {"named": f'%"{sku}"%'},
        )
        found += [tuple(row) for row in told]
    return _renamed(found, sku)


def _renamed(value: object, sku: str) -> str:
    """The same for any SKU: ids are made of the request's."""
    return re.sub(r"[a-z]+_[0-9a-f]{32}", "an id", repr(value).replace(sku, "SKU"))
