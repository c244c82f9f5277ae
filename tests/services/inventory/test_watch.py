"""The stock replica feed: nothing is lost, whatever happens at the same time."""

import asyncio
import random
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta

import pytest

from kit.errors import InvalidArgument
from kit.feed import Bell
from services.inventory.domain import commands
from services.inventory.domain.bundles import Part
from services.inventory.domain.catalogue import Activation, BufferRule, Exclusion, PointType, Purpose
from services.inventory.domain.facts import Content, FactKind, Markdown, Plan, Record, SalesRate
from services.inventory.domain.ledger import Cause, Position
from services.inventory.domain.picks import RateRow
from services.inventory.merchandising import Merchandising
from services.inventory.store import feed
from services.inventory.watch import ChannelTerms, StockMessage, StockPosition, StockWatch
from services.inventory.watch_facts import PositionFacts
from tests.services.inventory.shop import EDIT, NOON, POINTS, SKUS, WEB, Shop, item, line, with_rules

DRESS = Position("DRESS", "LYON")


@dataclass
class Replica:
    """What a faithful reader of the feed knows."""

    sequence: int = 0
    positions: dict[Position, StockPosition] = field(default_factory=dict)
    messages: list[StockMessage] = field(default_factory=list)
    _taken: asyncio.Condition = field(default_factory=asyncio.Condition)

    def take(self, message: StockMessage) -> None:
        assert message.snapshot or message.sequence >= self.sequence, "numbers never go back"
        self.sequence = message.sequence
        self.messages.append(message)
        self.positions |= {Position(p.sku, p.point_id): p for p in message.positions}

    async def follow(self, watch: AsyncIterator[StockMessage]) -> None:
        async for message in watch:
            async with self._taken:
                self.take(message)
                self._taken.notify_all()

    async def has_reached(self, sequence: int) -> None:
        async with self._taken:
            await self._taken.wait_for(lambda: self.sequence >= sequence)

    async def read_snapshot(self, watch: AsyncIterator[StockMessage]) -> None:
        async for message in watch:
            self.take(message)
            if message.snapshot_complete:
                return


def watching(shop: Shop, after_sequence: int = 0, bell: Bell | None = None) -> AsyncIterator[StockMessage]:
    return StockWatch(shop.engine, bell or shop.bell, lambda: NOON).watch(after_sequence)


def web(safety_stock: int, routing_buffer: int = 0) -> ChannelTerms:
    everything = (Purpose.COLLECT, Purpose.SHIP, Purpose.SHOW)
    return ChannelTerms("web", safety_stock, routing_buffer, everything)


async def say(
    shop: Shop, position: Position, said: Mapping[FactKind, Content | None], as_of: datetime = NOON
) -> None:
    await Merchandising(shop.engine).put_facts([Record(position, said)], "planner", as_of)


async def snapshot(shop: Shop) -> Replica:
    replica = Replica()
    async with aclosing(watching(shop)) as watch:  # type: ignore[type-var]
        await replica.read_snapshot(watch)
    return replica


async def next_change(shop: Shop, after: int) -> StockMessage:
    async with aclosing(watching(shop, after)) as watch:  # type: ignore[type-var]
        return await anext(watch)


async def test_a_snapshot_tells_everything_and_ends(shop: Shop) -> None:
    rule = BufferRule(sku="PAN", quantity=2)
    await shop.service.put_channels([with_rules(exclusions=(Exclusion(sku="SOFA"),), safety_stock=(rule,))], EDIT)
    await shop.service.put_channels([with_rules(channel_id="app", activated_points=("PARIS",))], EDIT)
    for sku in SKUS:
        await shop.adjust(5, sku)
    await shop.reserve("ord_1", line("PAN", 2))
    replica = await snapshot(shop)
    told = replica.messages
    assert all(message.snapshot for message in told)
    assert [message.sequence for message in told[:-1]] == [0] * (len(told) - 1), "not complete before the end"
    assert told[-1].sequence > 0
    assert [one.sku for message in told for one in message.items] == list(SKUS)
    assert [one.point_id for message in told for one in message.points] == list(POINTS)
    assert [one.channel_id for message in told for one in message.channels] == ["app", "web"]
    assert sorted(replica.positions.values(), key=lambda p: p.sku) == [
        StockPosition("DRESS", "LYON", 5, (web(0),)),
        StockPosition("PAN", "LYON", 3, (web(2),)),
        StockPosition("SOFA", "LYON", 5, ()),
    ]


async def test_a_change_is_told_once_after_the_number_that_is_known(shop: Shop) -> None:
    await shop.adjust(5)
    replica = await snapshot(shop)
    await shop.adjust(-2)
    await shop.adjust(4)
    message = await next_change(shop, replica.sequence)
    assert message.positions == (StockPosition("DRESS", "LYON", 7, (web(0),)),), "coalesced"
    assert message.sequence == replica.sequence + 2
    heartbeat = await next_change(shop, message.sequence)
    assert heartbeat == StockMessage(message.sequence), "nothing new: a heartbeat within a second"


async def test_a_change_of_very_many_positions_is_told_bit_by_bit(
    shop: Shop,
) -> None:
    skus = [f"SKU-{number:03d}" for number in range(450)]
    await shop.service.put_items([item(sku) for sku in skus], EDIT)
    deltas = tuple(commands.StockDelta(sku, point_id, 1) for sku in skus for point_id in ("LYON", "PARIS"))
    await shop.service.adjust_stock(commands.AdjustStock("stock", deltas, Cause("receipt", "wms"), NOON))
    replica = await snapshot(shop)
    known, replica.positions = replica.sequence, {}
    await shop.service.put_channels([with_rules(safety_stock=(BufferRule(quantity=1),))], EDIT)
    told: list[StockMessage] = []
    async with aclosing(watching(shop, known)) as watch:  # type: ignore[type-var]
        async for message in watch:
            replica.take(message)
            told.append(message)
            if message.sequence > known:
                break
    assert len(told) > 3
    assert max(len(message.positions) for message in told) <= 200
    assert {message.sequence for message in told[:-1]} == {known}, "not complete before the end"
    assert {Position(delta.sku, delta.point_id) for delta in deltas} == replica.positions.keys()
    assert {one.channels for one in replica.positions.values()} == {(web(1),)}


async def test_a_change_of_terms_tells_the_positions_that_it_touches(shop: Shop) -> None:
    await shop.adjust(5)
    await shop.adjust(5, point_id="PARIS")
    before = await snapshot(shop)
    await shop.service.put_channels([with_rules(activated_points=("PARIS",))], EDIT)
    async with aclosing(watching(shop, before.sequence)) as watch:  # type: ignore[type-var]
        first, second = await anext(watch), await anext(watch)
    assert [channel.activated_points for channel in first.channels] == [("PARIS",)]
    assert first.sequence == before.sequence, "complete only with the last part"
    assert {p.point_id: p.channels for p in second.positions} == {"LYON": (), "PARIS": (web(0),)}
    await shop.service.put_channels([with_rules(exclusions=(Exclusion(category="food"),))], EDIT)
    known = (await snapshot(shop)).sequence
    await shop.service.put_items([item("DRESS", "food")], EDIT)
    async with aclosing(watching(shop, known)) as watch:  # type: ignore[type-var]
        first, second = await anext(watch), await anext(watch)
    assert [one.category_path for one in first.items] == [("food",)]
    assert all(position.channels == () for position in second.positions)


async def test_a_rule_by_the_clock_is_told_when_it_begins_and_when_it_ends(shop: Shop) -> None:
    await shop.adjust(5)
    begins, ends = NOON + timedelta(hours=1), NOON + timedelta(hours=2)
    sale = Exclusion(sku="DRESS", from_at=begins, until_at=ends)
    await shop.service.put_channels([with_rules(exclusions=(sale,))], EDIT)
    await shop.service.tell_turns(NOON)
    known = (await snapshot(shop)).sequence
    told = []
    for now in (begins - timedelta(seconds=1), begins, begins + timedelta(minutes=5), ends):
        await shop.service.tell_turns(now)
        watch = StockWatch(shop.engine, shop.bell, lambda now=now: now).watch(known)  # type: ignore[misc]
        async with aclosing(watch) as changes:  # type: ignore[type-var]
            change = await anext(changes)
        told.append([position.channels for position in change.positions])
        known = change.sequence
    assert told == [[], [()], [], [(web(0),)]], "nothing between the turns: a heartbeat"


async def test_the_terms_of_a_channel_come_with_its_purposes_and_its_routing_buffer(shop: Shop) -> None:
    await shop.adjust(20)
    channel = with_rules(
        activated_points=("PARIS",),
        activations=(Activation("LYON", frozenset({Purpose.COLLECT})),),
        safety_stock=(BufferRule(percent=10),),
        routing_buffers=(BufferRule(point_type=PointType.STORE, quantity=3),),
    )
    await shop.service.put_channels([channel], EDIT)
    (position,) = (await snapshot(shop)).positions.values()
    assert position.channels == (ChannelTerms("web", 2, 3, (Purpose.COLLECT,)),)


@pytest.mark.parametrize("known", [1, 10_000])
async def test_a_number_that_is_not_kept_starts_from_a_snapshot(shop: Shop, known: int) -> None:
    for _ in range(3):
        await shop.adjust(5)
    await snapshot(shop)
    async with shop.engine.begin() as tx:
        await feed.forget_old(tx, keep=1)
    assert (await next_change(shop, known)).snapshot


async def test_a_negative_number_is_an_error(shop: Shop) -> None:
    with pytest.raises(InvalidArgument, match="negative"):
        await next_change(shop, -1)


@pytest.mark.parametrize("bell", ["its own", "another replica's"])
async def test_no_change_is_lost_under_concurrent_writers(shop: Shop, bell: str) -> None:
    chance = random.Random(11)
    for sku in SKUS:
        await shop.adjust(50, sku)

    async def write(n: int) -> None:
        for i in range(8):
            sku, point_id = chance.choice(SKUS), chance.choice(POINTS)
            await shop.adjust(1, sku, point_id)
            await shop.reserve(f"ord_{n}_{i}", line(sku, 1, point_id))
            if i % 4 == 0:
                rule = BufferRule(sku=sku, quantity=chance.randint(0, 3))
                await shop.service.put_channels([replace(WEB, safety_stock=(rule,))], EDIT)

    replicas = [Replica() for _ in range(3)]
    ring = shop.bell if bell == "its own" else Bell(look_again_seconds=0.02)
    writers = [asyncio.create_task(write(n)) for n in range(8)]
    followers = []
    for replica in replicas:  # each begins while others write
        followers.append(asyncio.create_task(replica.follow(watching(shop, bell=ring))))
        await asyncio.sleep(0.05)
    await asyncio.gather(*writers)
    truth = await snapshot(shop)
    async with asyncio.timeout(10):
        await asyncio.gather(*(replica.has_reached(truth.sequence) for replica in replicas))
    for follower in followers:
        follower.cancel()
    await asyncio.gather(*followers, return_exceptions=True)
    for replica in replicas:
        assert replica.positions == truth.positions


async def test_what_is_said_of_a_position_is_told_with_it_and_when_it_changes(shop: Shop) -> None:
    await shop.adjust(5)
    told = [(await snapshot(shop)).positions[DRESS].facts]
    known = (await snapshot(shop)).sequence
    changes: list[dict[FactKind, Content | None]] = [
        {FactKind.SALES_RATE: SalesRate(1_500), FactKind.MARKDOWN: Markdown(date(2026, 12, 1), 3_000)},
        {FactKind.MARKDOWN: Markdown(date(2026, 12, 1), 5_000)},
        {FactKind.SALES_RATE: None},
        {FactKind.PLAN: Plan(is_replenished=False)},
    ]
    for said in changes:
        await say(shop, DRESS, said)
        change = await next_change(shop, known)
        told += [position.facts for position in change.positions]
        known = change.sequence
    assert told == [
        PositionFacts(),
        PositionFacts(1_500, Markdown(date(2026, 12, 1), 3_000)),
        PositionFacts(1_500, Markdown(date(2026, 12, 1), 5_000)),
        PositionFacts(0, Markdown(date(2026, 12, 1), 5_000)),
    ], "a plan weighs nothing: a heartbeat"


async def test_a_rate_that_no_longer_counted_is_told_when_it_is_said_again(shop: Shop) -> None:
    await shop.adjust(5)
    await say(shop, DRESS, {FactKind.SALES_RATE: SalesRate(1_500)}, NOON - timedelta(days=40))
    replica = await snapshot(shop)
    assert replica.positions[DRESS].facts == PositionFacts(), "too old: nothing sold in the ledger"
    for _ in range(2):
        await say(shop, DRESS, {FactKind.SALES_RATE: SalesRate(1_500)})
    change = await next_change(shop, replica.sequence)
    assert [position.facts for position in change.positions] == [PositionFacts(1_500)]
    assert change.sequence == replica.sequence + 1, "the same again is no news while it counts"


async def test_without_a_rate_the_ledger_gives_it_with_each_sale(shop: Shop) -> None:
    await shop.adjust(9, as_of=NOON - timedelta(days=9, hours=12))
    known = (await snapshot(shop)).sequence
    await shop.reserve("ord_1", line("DRESS", 5), seconds=0)
    await shop.issue("ord_1", line("DRESS", 5))
    async with aclosing(watching(shop, known)) as watch:  # type: ignore[type-var]
        picked, change = await anext(watch), await anext(watch)
    assert picked.find_rates
    assert [position.facts for position in change.positions] == [PositionFacts(500)], "five in ten begun days"


async def test_what_is_said_of_a_bundle_is_told_too(shop: Shop) -> None:
    await shop.service.put_items([replace(item("SET"), parts=(Part("DRESS", 1),))], EDIT)
    await shop.adjust(5)
    known = (await snapshot(shop)).sequence
    await say(shop, Position("SET", "LYON"), {FactKind.MARKDOWN: Markdown(date(2026, 12, 1), 3_000)})
    (told,) = (await next_change(shop, known)).positions
    assert (told.sku, told.free, told.facts) == ("SET", 5, PositionFacts(0, Markdown(date(2026, 12, 1), 3_000)))


async def test_find_rates_are_told_with_a_snapshot_and_to_whoever_comes_back(shop: Shop) -> None:
    assert (await snapshot(shop)).messages[0].find_rates == ()
    await shop.adjust(3)
    await shop.reserve("ord_1", line("DRESS", 2), seconds=0)
    await shop.report_short("ord_1", line("DRESS", 1))
    replica = await snapshot(shop)
    (told,) = [message.find_rates for message in replica.messages if message.find_rates is not None]
    assert [(row.category, row.point_id) for row in told] == [
        ("", ""),
        ("", "LYON"),
        ("home", "LYON"),
        ("home/kitchen", "LYON"),
    ]
    back = await next_change(shop, replica.sequence)
    assert (back.sequence, back.find_rates, back.snapshot) == (replica.sequence, told, False)


async def test_find_rates_that_moved_are_told_while_one_watches(shop: Shop) -> None:
    await shop.adjust(3)
    await shop.reserve("ord_1", line("DRESS", 3), seconds=0)
    watch = StockWatch(shop.engine, shop.bell, lambda: NOON, find_rates_seconds=0).watch(0)
    told: list[Sequence[RateRow]] = []
    async with aclosing(watch) as messages:  # type: ignore[type-var]
        async for message in messages:
            if message.find_rates is not None:
                told.append(message.find_rates)
            if message.snapshot_complete:
                await shop.report_short("ord_1", line("DRESS", 1))
            if len(told) == 2:
                break
    assert [[row.basis_points[0] for row in rows] for rows in told] == [[], [0, 0, 0, 0]]
