"""Random stock and random files against a plain model: the balances are those of the model, the ledger agrees, and
what does not change is not touched."""

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from kit import db
from services.inventory.domain import commands
from services.inventory.domain.ledger import Balance, Cause, Position
from tests.conftest import MakeDatabase
from tests.services.inventory.files import MORNING, Desk, snapshot
from tests.services.inventory.shop import SKUS, Shop, line, request_id

POSITIONS = [Position(sku, point) for sku in SKUS for point in ("LYON", "PARIS")]


@dataclass(frozen=True)
class Life:
    """Of one position: what came before the snapshot and after it, and what is held and was declared before."""

    before: int
    after: int
    held: int
    declared: int


lives = st.builds(Life, st.integers(0, 6), st.integers(-6, 4), st.integers(0, 3), st.integers(0, 2))
stocks = st.dictionaries(st.sampled_from(POSITIONS), lives, min_size=1)
files = st.dictionaries(st.sampled_from(POSITIONS), st.integers(0, 6), min_size=1)


def expected(balance: Balance, life: Life | None, told: int | None, zero: bool) -> Balance:
    """What SPEC STK-8 and STK-6 say of one position."""
    if told is None and not (zero and balance.on_hand + balance.unavailable):
        return balance
    after = life.after if life else 0
    on_hand = max(0, (told or 0) + after)
    return Balance(balance.sku, balance.point_id, on_hand, balance.reserved, 0, max(0, balance.reserved - on_hand))


async def live(shop: Shop, position: Position, life: Life) -> Life:
    """Makes it so, as far as stock allows; what really happened."""

    async def move(quantity: int, minutes: int) -> None:
        delta = commands.StockDelta(*position, quantity)
        at = MORNING + timedelta(minutes=minutes)
        await shop.service.adjust_stock(commands.AdjustStock(request_id(), (delta,), Cause("receipt", "wms"), at))

    sku, point = position
    if life.before:
        await move(life.before, -5)
    declared = min(life.declared, life.before)
    if declared:
        await shop.declare(declared, sku, point, as_of=MORNING)
    held = min(life.held, life.before - declared)
    if held:
        assert (await shop.reserve(f"ord_{sku}_{point}", line(sku, held, point))).done
    after = max(life.after, held - life.before)
    if after:
        await move(after, 5)
    return Life(life.before, after, held, declared)


async def touched(shop: Shop) -> tuple[int, int]:
    async with shop.engine.begin() as tx:
        row = await tx.execute(text("SELECT (SELECT count(*) FROM movement), (SELECT count(*) FROM stock_change)"))
        movements, marks = row.one()
        return movements, marks


async def check(shop: Shop, stock: dict[Position, Life], told: dict[Position, int], zero: bool) -> None:
    await shop.open()
    happened = {position: await live(shop, position, life) for position, life in sorted(stock.items())}
    before = {position: await shop.balance(*position) for position in POSITIONS}
    counts_before = await touched(shop)
    wanted = {
        position: expected(before[position], happened.get(position), told.get(position), zero)
        for position in POSITIONS
    }
    job = await Desk(shop, chunk=2).work(
        snapshot(*((*position, quantity) for position, quantity in told.items())),
        point_ids=("LYON", "PARIS"),
        absent="zero" if zero else "keep",
    )
    assert {position: await shop.balance(*position) for position in POSITIONS} == wanted
    different = [position for position in POSITIONS if wanted[position] != before[position]]
    movements, marks = await touched(shop)
    assert (movements - counts_before[0], marks - counts_before[1]) == (len(different), len(different))
    assert job.counts.changed == len([position for position in different if position in told])
    assert job.counts.zeroed == len([position for position in different if position not in told])
    assert job.counts.unchanged == len(told) - job.counts.changed


def test_a_snapshot_does_to_random_stock_what_the_model_says(make_database: MakeDatabase) -> None:
    database = make_database("inventory")
    with asyncio.Runner() as runner:
        shop = Shop(db.connect(database.url, pool_size=2))

        def run(what: Coroutine[Any, Any, None]) -> None:
            runner.run(what)

        @settings(
            max_examples=25,
            deadline=None,
            derandomize=True,
            database=None,
            suppress_health_check=list(HealthCheck),
        )
        @given(stocks, files, st.booleans())
        def examples(stock: dict[Position, Life], told: dict[Position, int], zero: bool) -> None:
            database.clean()
            run(check(shop, stock, told, zero))

        examples()
        run(shop.engine.dispose())
