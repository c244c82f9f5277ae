"""Two replicas and a crowd: whoever comes when, no unit is sold twice and nobody waits for ever."""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
import pytest_asyncio
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from kit import db
from kit.errors import FailedPrecondition
from services.inventory.domain.holds import HoldLine, HoldMove
from services.inventory.domain.ledger import Position
from services.inventory.domain.receiving import ReceiptLine
from tests.conftest import MakeDatabase
from tests.services.inventory.shelves import ShelfShop
from tests.services.inventory.shop import POINTS, SKUS, Shop, line

pytestmark = [pytest.mark.attack, pytest.mark.timeout(300)]
BUYERS, ROUNDS = 200, 50
CLIENTS, ACTS = 32, 60
# What may be so when somebody else was faster, or there are not so many units.
LOST = {"NOT_HELD", "RESERVATION_NOT_FOUND", "STOCK_BELOW_ZERO", "STOCK_RESERVED", "ALREADY_COUNTING"}


@pytest_asyncio.fixture
async def replicas(
    inventory_db: AsyncEngine, make_database: MakeDatabase
) -> AsyncIterator[tuple[ShelfShop, ShelfShop]]:
    """Two processes' worth of the service on one database."""
    second = db.connect(make_database("inventory").url)
    yield await _opened(inventory_db), ShelfShop(second)
    await second.dispose()


async def _opened(engine: AsyncEngine) -> ShelfShop:
    shop = ShelfShop(engine)
    await shop.open()
    return shop


async def test_the_last_unit_is_sold_once_in_every_round(replicas: tuple[ShelfShop, ShelfShop]) -> None:
    shop, _ = replicas
    await shop.adjust(1)
    # The pools open their connections first: else the first buyers are done before the others are let in.
    await asyncio.gather(*(replica.shown() for replica in replicas for _ in range(20)))
    for number in range(ROUNDS):
        answers = await asyncio.gather(
            *(replicas[n % 2].reserve(f"ord_{number}_{n}", line("DRESS", 1)) for n in range(BUYERS))
        )
        [winner] = [n for n, answer in enumerate(answers) if answer.done]
        assert (await shop.balance()).reserved == 1
        await shop.release(f"ord_{number}_{winner}")
    await shop.assert_sound()


async def test_whatever_people_do_at_once_nobody_deadlocks_and_nothing_leaks(
    replicas: tuple[ShelfShop, ShelfShop],
) -> None:
    shop, _ = replicas
    for sku in SKUS:
        for point_id in POINTS:
            await shop.adjust(40, sku, point_id)
    before = await _deadlocks(shop)
    chances = [random.Random(f"20270301/{n}") for n in range(CLIENTS)]
    await asyncio.gather(
        *(_Client(replicas[n % 2], f"ord_{n}", chance).live() for n, chance in enumerate(chances))
    )
    await asyncio.gather(*(shop.release(f"ord_{n}") for n in range(CLIENTS)))
    assert await _deadlocks(shop) == before
    balances = await shop.service.list_balances([], [], Position("", ""), 100)
    assert [balance.reserved for balance in balances] == [0] * len(SKUS) * len(POINTS)
    await shop.assert_sound()


async def _deadlocks(shop: Shop) -> int:
    async with shop.engine.connect() as tx:
        # What the sessions have counted is told when they are idle, or asked to.
        await tx.execute(text("SELECT pg_stat_force_next_flush()"))
        await tx.commit()
        found = await tx.execute(text("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"))
        return int(found.scalar_one())


class _Client:
    """Somebody who does one thing after the other, with baskets in no order."""

    def __init__(self, shop: ShelfShop, holder: str, chance: random.Random) -> None:
        self._shop = shop
        self._holder = holder
        self._chance = chance

    async def live(self) -> None:
        acts: list[Callable[[], Awaitable[object]]] = [
            self._reserve, self._reserve, self._move, self._release, self._issue, self._report_short,
            self._adjust, self._sell, self._count, self._receive,
        ]  # fmt: skip
        for _ in range(ACTS):
            try:
                await self._chance.choice(acts)()
            except FailedPrecondition as lost:
                if lost.reason not in LOST:
                    raise

    def _position(self) -> Position:
        return Position(self._chance.choice(SKUS), self._chance.choice(POINTS))

    def _basket(self) -> list[HoldLine]:
        return [HoldLine(*self._position(), 1) for _ in range(self._chance.randint(1, 8))]

    async def _held(self) -> list[HoldLine]:
        found = await self._shop.service.list_holds([self._holder])
        lines = [one for reservation in found for one in reservation.lines]
        return self._chance.sample(lines, len(lines))

    async def _reserve(self) -> None:
        await self._shop.reserve(self._holder, *self._basket(), partial=True)

    async def _move(self) -> None:
        if lines := await self._held():
            moves = [
                HoldMove(one.sku, one.point_id, to, one.quantity)
                for one in lines
                if (to := self._chance.choice(POINTS)) != one.point_id
            ]
            if moves:
                await self._shop.move(self._holder, *moves)

    async def _release(self) -> None:
        await self._shop.release(self._holder, *(await self._held())[:2])

    async def _issue(self) -> None:
        if lines := await self._held():
            await self._shop.issue(self._holder, *lines[:3])

    async def _report_short(self) -> None:
        if lines := await self._held():
            await self._shop.report_short(self._holder, lines[0])

    async def _adjust(self) -> None:
        await self._shop.adjust(self._chance.choice((-1, 2, 3)), *self._position())

    async def _sell(self) -> None:
        sku, point_id = self._position()
        await self._shop.sell(1, sku, point_id)

    async def _count(self) -> None:
        sku, point_id = self._position()
        opened = await self._shop.open_count(sku, point_id=point_id)
        await self._shop.count(opened.count_id, self._chance.randint(20, 40), sku)
        await self._shop.close_count(opened.count_id)

    async def _receive(self) -> None:
        skus = self._chance.sample(SKUS, 2)
        lines = [ReceiptLine(sku, expected=None, received=2, damaged=self._chance.randint(0, 1)) for sku in skus]
        await self._shop.receive(*lines, point_id=self._chance.choice(POINTS))
