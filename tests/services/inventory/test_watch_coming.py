"""Stock to come and release dates in the stock replica feed: as GetFutureAvailability says, and every change."""

import asyncio
import random
from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from kit import db
from services.inventory.domain.bundles import Part
from services.inventory.domain.catalogue import Activation, BufferRule, Exclusion, Purpose
from services.inventory.domain.ledger import Position
from services.inventory.domain.supply import ExpectedKind
from services.inventory.store import feed
from services.inventory.watch import StockMessage, StockWatch
from services.inventory.watch_coming import ComingDelivery
from tests.services.inventory.shop import EDIT, NOON, Shop, item, with_rules
from tests.services.inventory.supply_shop import OPEN, TODAY, Supply, delivery, of

DRESS = Position("DRESS", "LYON")
# The end of the last day of `delivery`, in Lyon.
DUE = datetime(2026, 11, 27, 23, tzinfo=UTC)
Known = dict[Position, tuple[ComingDelivery, ...]]


@pytest.fixture
async def supply(shop: Shop) -> Supply:
    return await Supply(shop).open()


class Reader:
    """What a replica knows of stock to come, which reads the feed and goes away again."""

    def __init__(self, supply: Supply) -> None:
        self._supply = supply
        self._sequence = 0
        self.known: Known = {}
        self.releases: dict[str, str] = {}

    async def read(self, now: datetime = NOON) -> dict[str, int]:
        """Goes on to the end of what has been committed; then the units that web may promise, by delivery."""
        shop = self._supply.shop
        async with db.single(shop.engine).connect() as connection:
            await feed.has_news(connection, 0)
            _, newest = await feed.bounds(connection)
        watch = StockWatch(shop.engine, shop.bell, lambda: now).watch(self._sequence)
        async with aclosing(watch) as messages:  # type: ignore[type-var]
            while self._sequence < newest:
                self._take(await anext(messages))
        return self.units("web")

    def _take(self, message: StockMessage) -> None:
        self._sequence = message.sequence
        self.known |= {Position(one.sku, one.point_id): one.deliveries for one in message.coming}
        self.releases |= {one.sku: one.release_date for one in message.items}

    def units(self, channel_id: str) -> dict[str, int]:
        return {
            delivery.delivery_id: one.units
            for found in self.known.values()
            for delivery in found
            for one in delivery.channels
            if one.channel_id == channel_id
        }


async def test_what_comes_is_told_by_channel_with_the_instant_from_which_it_counts(supply: Supply) -> None:
    collect = Activation("LYON", frozenset({Purpose.COLLECT}))
    app = with_rules(channel_id="app", activated_points=("PARIS",), activations=(collect,))
    await supply.shop.service.put_channels([app], EDIT)
    await supply.future.put_rules("app", replace(OPEN, protection=(BufferRule(quantity=4),)))
    await supply.put(delivery(), delivery("po-2", 3, kind=ExpectedKind.SUPPLIER, point_id="PARIS"))
    await supply.future.put_rules("web", replace(OPEN, kinds=(ExpectedKind.ON_ORDER,)))
    reader = Reader(supply)
    await reader.read()
    everything = (Purpose.COLLECT, Purpose.SHIP, Purpose.SHOW)
    told = [
        (one.channel_id, one.units, one.due_at, one.purposes)
        for of_delivery in reader.known[DRESS]
        for one in of_delivery.channels
    ]
    assert told == [("app", 6, DUE, (Purpose.COLLECT,)), ("web", 10, DUE, everything)]
    assert Position("DRESS", "PARIS") not in reader.known, "protected on the one, no kind of the other"


async def test_each_change_of_a_delivery_reaches_a_reader_that_comes_back(supply: Supply) -> None:
    reader = Reader(supply)
    assert await reader.read() == {}
    await supply.put(delivery())
    assert await reader.read() == {"po-1": 10}
    await supply.reserve("ord_1", of(3))
    assert await reader.read() == {"po-1": 7}
    await supply.reserve("ord_2", of(2), seconds=600)
    assert await reader.read() == {"po-1": 5}
    await supply.future.expire(NOON + timedelta(seconds=600), 10)
    assert await reader.read() == {"po-1": 7}
    await supply.put(delivery(until_date=TODAY + timedelta(days=9)))
    assert await reader.read() == {"po-1": 7}
    assert reader.known[DRESS][0].channels[0].due_at == DUE + timedelta(days=2), "late"
    await supply.receive(4)
    assert await reader.read() == {"po-1": 6}, "three of the four are those of ord_1"
    await supply.cancel()
    assert await reader.read() == {}
    assert reader.known[DRESS] == ()


async def test_rules_about_what_comes_are_told_for_all_of_it(supply: Supply) -> None:
    await supply.put(delivery(), delivery("po-2", sku="PAN", point_id="PARIS"))
    reader = Reader(supply)
    assert await reader.read() == {"po-1": 10, "po-2": 10}
    await supply.future.put_rules("web", replace(OPEN, protection=(BufferRule(quantity=4),)))
    assert await reader.read() == {"po-1": 6, "po-2": 6}
    await supply.shop.service.put_channels([with_rules(exclusions=(Exclusion(sku="PAN"),))], EDIT)
    assert await reader.read() == {"po-1": 6}
    await supply.shop.service.put_channels([with_rules(activated_points=("PARIS",))], EDIT)
    assert await reader.read() == {"po-2": 6}
    await supply.shop.service.put_channels([with_rules(exclusions=(Exclusion(category="food"),))], EDIT)
    await supply.shop.service.put_items([item("DRESS", "food")], EDIT)
    assert await reader.read() == {"po-2": 6}


async def test_days_that_begin_turn_what_may_be_promised(supply: Supply) -> None:
    await supply.future.put_rules("web", replace(OPEN, longest_promise_days=3, grace_days=2))
    await supply.put(delivery())
    reader = Reader(supply)
    told = []
    for day in range(3, 12):
        # Half an hour into the day at Lyon.
        now = datetime(2026, 11, 20, 23, 30, tzinfo=UTC) + timedelta(days=day - 1)
        await supply.shop.service.tell_turns(now)
        units = await reader.read(now)
        assert units == await supply.shown(as_of=now), "as GetFutureAvailability says"
        told.append(reader.known[DRESS][0].channels[0].due_at.day if units else 0)
    assert told == [0, 27, 27, 27, 27, 29, 29, 0, 0], "in reach, then overdue within its grace, then no more"


async def test_a_turn_that_nobody_told_at_its_time_is_told_later(supply: Supply) -> None:
    await supply.put(delivery())
    await supply.shop.service.tell_turns(NOON)
    reader = Reader(supply)
    assert await reader.read() == {"po-1": 10}
    await supply.shop.service.tell_turns(NOON + timedelta(days=30))
    await supply.shop.service.tell_turns(NOON + timedelta(days=30))
    assert await reader.read(NOON + timedelta(days=30)) == {}


async def test_a_bundle_is_told_with_the_release_date_of_its_last_part(supply: Supply) -> None:
    service = supply.shop.service
    parts = (Part("DRESS", 1), Part("PAN", 2))
    await service.put_items([replace(item("SET"), parts=parts, release_date="2026-11-01")], EDIT)
    reader = Reader(supply)
    await reader.read()
    assert reader.releases == {"DRESS": "", "PAN": "", "SET": "2026-11-01", "SOFA": ""}
    await service.put_items([replace(item("PAN"), release_date="2026-12-01")], EDIT)
    await reader.read()
    assert (reader.releases["PAN"], reader.releases["SET"]) == ("2026-12-01", "2026-12-01")
    fresh = Reader(supply)
    await fresh.read()
    assert fresh.releases == reader.releases, "a snapshot says the same"


async def test_no_change_of_what_comes_is_lost_under_concurrent_writers(supply: Supply) -> None:
    chance = random.Random(7)
    await supply.put(*(delivery(f"po-{n}", 60, sku=sku) for n, sku in enumerate(("DRESS", "PAN", "SOFA"))))

    async def write(n: int) -> None:
        for i in range(5):
            one = f"po-{chance.randrange(3)}"
            await supply.reserve(f"ord_{n}_{i}", of(chance.randint(1, 3), one))
            if chance.random() < 0.5:
                await supply.release(f"ord_{n}_{i}")
            elif chance.random() < 0.5:
                await supply.receive(1, one)

    async def follow(reader: Reader) -> None:
        while True:
            await reader.read()
            await asyncio.sleep(0.01)

    readers = [Reader(supply) for _ in range(2)]
    followers = [asyncio.create_task(follow(reader)) for reader in readers]
    await asyncio.gather(*(write(n) for n in range(6)))
    for follower in followers:
        follower.cancel()
    await asyncio.gather(*followers, return_exceptions=True)
    truth = [await supply.shown(sku) for sku in ("DRESS", "PAN", "SOFA")]
    for reader in readers:
        assert await reader.read() == _together(truth)


def _together(figures: Sequence[dict[str, int]]) -> dict[str, int]:
    return {delivery_id: units for one in figures for delivery_id, units in one.items()}
