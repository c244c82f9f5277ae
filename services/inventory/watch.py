"""The stock replica feed: everything once, then each change in commit order (DESIGN, numbered feeds).

It only reads. A position is sent as it stands when the message is made, so several changes may arrive as one.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence, Set
from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from kit import db, times
from kit.errors import InvalidArgument
from kit.feed import Bell
from services.inventory import watch_coming, watch_facts
from services.inventory.domain.bundles import Parts, spread
from services.inventory.domain.catalogue import Channel, Item, Purpose, StockPoint
from services.inventory.domain.figures import SALE, Opening
from services.inventory.domain.image import KnownOpenings, Terms
from services.inventory.domain.ledger import Balance, Book, Position
from services.inventory.domain.picks import RateRow
from services.inventory.store import bundles, catalogue, coming, feed, image, ledger
from services.inventory.store.feed import Mark
from services.inventory.watch_coming import ComingStock
from services.inventory.watch_facts import NO_FACTS, PositionFacts

HEARTBEAT_SECONDS = 1.0
# A rate of 90 days of picks does not move faster.
FIND_RATES_SECONDS = 900.0
# Changes that follow closely are told together: a busy shop is not read once for each unit. A quiet one's replica
# is told soon, for a plan may wait for it.
_GATHER_SECONDS, _GATHER_BUSY_SECONDS = 0.025, 0.1
_BUSY = 20
CHUNK = 1000
# In one message: few enough to be worked out between two calls. A rule of many points may change millions.
_POSITIONS = 200
# Read at a time in a long run, with the rules about them.
_POSITIONS_READ = 2_000


@dataclass(frozen=True, slots=True)
class StockPosition:
    """Units nobody holds, the terms of each channel that may sell the item from here, and what else is known."""

    sku: str
    point_id: str
    free: int
    channels: tuple["ChannelTerms", ...]
    facts: PositionFacts = NO_FACTS


@dataclass(frozen=True, slots=True)
class ChannelTerms:
    """What a channel keeps back at a position, and what it may use the point for."""

    channel_id: str
    safety_stock: int
    routing_buffer: int
    purposes: tuple[Purpose, ...]


@dataclass(frozen=True, slots=True)
class StockMessage:
    """The feed is complete up to and with `sequence`; 0 while a snapshot is still being sent."""

    sequence: int
    snapshot: bool = False
    snapshot_complete: bool = False
    items: tuple[Item, ...] = ()
    points: tuple[StockPoint, ...] = ()
    channels: tuple[Channel, ...] = ()
    positions: tuple[StockPosition, ...] = ()
    coming: tuple[ComingStock, ...] = ()
    # All of them, instead of those told before; None when nothing is said of them.
    find_rates: tuple[RateRow, ...] | None = None


class StockWatch:
    """Makes one endless run of messages for each replica that watches."""

    def __init__(
        self,
        engine: AsyncEngine,
        bell: Bell,
        clock: Callable[[], datetime] = times.now,
        find_rates_seconds: float = FIND_RATES_SECONDS,
    ) -> None:
        self._engine = engine
        self._find_rates_seconds = find_rates_seconds
        self._clock = clock
        self._still = engine.execution_options(isolation_level="REPEATABLE READ")
        self._bell = bell

    async def watch(self, after_sequence: int) -> AsyncIterator[StockMessage]:
        """Changes after a number; from a full snapshot when it is 0, or not within what is kept."""
        if after_sequence < 0:
            raise InvalidArgument("after_sequence", "negative")
        cursor = after_sequence
        rates, rates_at = await self._find_rates(), time.monotonic()
        if not await self._is_kept(cursor):
            async for message in self._snapshot(rates):
                yield message
                cursor = message.sequence
        elif rates:
            yield StockMessage(cursor, find_rates=rates)
        while True:
            # They have no number: they are told whole, and anew to whoever comes back.
            if time.monotonic() - rates_at >= self._find_rates_seconds:
                before, rates, rates_at = rates, await self._find_rates(), time.monotonic()
                if rates != before:
                    yield StockMessage(cursor, find_rates=rates)

            async def read(after: int = cursor) -> Sequence[Mark]:
                return await self._marks(after)

            marks = await self._bell.wait_for(read, HEARTBEAT_SECONDS)
            if not marks:
                yield StockMessage(cursor)
                continue
            # Only with the last message is everything up to the newest mark told.
            held_back: StockMessage | None = None
            async for message in self._changes(cursor, marks):
                if held_back is not None:
                    yield held_back
                held_back = message
            cursor = marks[-1].sequence
            yield replace(held_back or StockMessage(cursor), sequence=cursor)
            await asyncio.sleep(_GATHER_SECONDS if len(marks) < _BUSY else _GATHER_BUSY_SECONDS)

    async def _is_kept(self, cursor: int) -> bool:
        if cursor == 0:
            return False
        async with self._engine.begin() as tx:
            oldest, newest = await feed.bounds(tx)
        return oldest - 1 <= cursor <= newest

    async def _find_rates(self) -> tuple[RateRow, ...]:
        async with db.single(self._engine).connect() as tx:
            return await watch_facts.find_rates(tx, self._clock())

    async def _snapshot(self, find_rates: tuple[RateRow, ...]) -> AsyncIterator[StockMessage]:
        async with db.single(self._engine).connect() as connection:
            await feed.has_news(connection, 0)
        # The head and the data come from one and the same view: what is numbered up to the head is in the data,
        # what is not will be sent (perhaps again) as a change.
        async with self._still.begin() as tx:
            _, head = await feed.bounds(tx)
            points, channels = await catalogue.points(tx), await catalogue.channels(tx)
            yield StockMessage(
                0, snapshot=True, points=tuple(points), channels=tuple(channels), find_rates=find_rates
            )
            after_sku = ""
            while items := await catalogue.items(tx, None, after_sku, CHUNK):
                yield StockMessage(0, snapshot=True, items=await watch_coming.released(tx, items))
                after_sku = items[-1].sku
            after, openings = Position("", ""), KnownOpenings()
            while balances := await ledger.balances(tx, (), (), after, _POSITIONS_READ):
                for told in _messages(await self._told(tx, balances, openings)):
                    yield StockMessage(0, snapshot=True, positions=told)
                after = balances[-1].position
            async for found in _expecting(tx, None, None):
                told_to_come = await watch_coming.read(tx, found, self._clock())
                promised = tuple(one for one in told_to_come if one.deliveries)
                yield StockMessage(0, snapshot=True, coming=promised)
        yield StockMessage(head, snapshot=True, snapshot_complete=True)

    async def _marks(self, cursor: int) -> Sequence[Mark]:
        async with db.single(self._engine).connect() as tx:
            return await feed.marks(tx, cursor, CHUNK) if await feed.has_news(tx, cursor) else ()

    async def _changes(self, cursor: int, marks: Sequence[Mark]) -> AsyncIterator[StockMessage]:
        """What the marks name, as it stands; a connection for each message, which may wait for its reader."""
        items = sorted({mark.sku for mark in marks if mark.kind == "item"})
        points = sorted({mark.point_id for mark in marks if mark.kind == "point"})
        channels = sorted({mark.channel_id for mark in marks if mark.kind == "channel"})
        if items or points or channels:
            async with db.single(self._engine).connect() as tx:
                # A bundle is released with its parts.
                whole = [*items, *await bundles.containing(tx, items)] if items else []
                settings = StockMessage(
                    cursor,
                    items=await watch_coming.released(tx, await catalogue.items(tx, whole)) if whole else (),
                    points=tuple(await catalogue.points(tx, points)) if points else (),
                    channels=tuple(await catalogue.channels(tx, channels)) if channels else (),
                )
            yield settings
        positions = sorted({Position(mark.sku, mark.point_id) for mark in marks if mark.kind == "position"})
        for start in range(0, len(positions), _POSITIONS):
            async with db.single(self._engine).connect() as tx:
                part = positions[start : start + _POSITIONS]
                balances = await ledger.balances_at(tx, part)
                # What is said of a bundle marks it, though it has no balance.
                others = set(part) - {balance.position for balance in balances}
                found = await bundles.of(tx, sorted({one.sku for one in others})) if others else {}
                told = await self._told(tx, balances, also={one for one in others if one.sku in found})
            yield StockMessage(cursor, positions=told)
        # The terms of every position of an item (or a point) hang on its category (or its type).
        widened = sorted({mark.point_id for mark in marks if mark.kind in ("point", "terms")})
        # A rule that changes meanwhile has a mark of its own, and is told after this one.
        after, openings = Position("", ""), KnownOpenings()
        while items or widened:
            async with db.single(self._engine).connect() as tx:
                balances = await ledger.balances_of(tx, items, widened, after, _POSITIONS_READ)
                if not balances:
                    break
                positions_told = await self._told(tx, balances, openings)
            for told in _messages(positions_told):
                yield StockMessage(cursor, positions=told)
            after = balances[-1].position
        async for told in self._of_bundles(items):
            yield StockMessage(cursor, positions=told)
        async for told_to_come in self._coming(marks, items, widened):
            yield StockMessage(cursor, coming=told_to_come)

    async def _coming(
        self, marks: Sequence[Mark], items: Sequence[str], points: Sequence[str]
    ) -> AsyncIterator[tuple[ComingStock, ...]]:
        """What comes where the marks say so, and of all these items and to all these points."""
        marked = sorted({Position(mark.sku, mark.point_id) for mark in marks if mark.kind == "coming"})
        for start in range(0, len(marked), _POSITIONS):
            async with db.single(self._engine).connect() as tx:
                told = await watch_coming.read(tx, marked[start : start + _POSITIONS], self._clock())
            yield told
        if items or points:
            async with db.single(self._engine).connect() as tx:
                widened = [found async for found in _expecting(tx, items, points)]
            for found in widened:
                async with db.single(self._engine).connect() as tx:
                    told = await watch_coming.read(tx, found, self._clock())
                yield told

    async def _of_bundles(self, items: Sequence[str]) -> AsyncIterator[tuple[StockPosition, ...]]:
        """Every point's position of those that are bundles: with other parts they may have lost some."""
        async with db.single(self._engine).connect() as tx:
            found = await bundles.of(tx, items) if items else {}
            points = await feed.point_ids(tx) if found else []
        positions = [Position(sku, point_id) for sku in sorted(found) for point_id in points]
        for start in range(0, len(positions), _POSITIONS):
            async with db.single(self._engine).connect() as tx:
                told = await _positions(tx, positions[start : start + _POSITIONS], (), self._clock())
            yield told

    async def _told(
        self,
        tx: AsyncConnection,
        balances: Sequence[Balance],
        openings: KnownOpenings | None = None,
        also: Set[Position] = frozenset(),
    ) -> tuple[StockPosition, ...]:
        """These positions, and there those of the bundles that they are parts of; `also`: other bundles'."""
        found = await bundles.containing(tx, sorted({balance.sku for balance in balances}))
        positions = [balance.position for balance in balances]
        positions += sorted(
            {
                Position(sku, one.point_id)
                for sku, parts in found.items()
                for one in positions
                if _has(parts, one.sku)
            }
            | also
        )
        return await _positions(tx, positions, balances, self._clock(), openings)


async def _expecting(
    tx: AsyncConnection, skus: Sequence[str] | None, point_ids: Sequence[str] | None
) -> AsyncIterator[list[Position]]:
    """Positions to which anything comes, some at a time."""
    after = Position("", "")
    while found := await coming.positions(tx, skus, point_ids, after, _POSITIONS):
        yield found
        after = found[-1]


def _has(parts: Parts, sku: str) -> bool:
    return any(part.sku == sku for part in parts)


def _messages(positions: tuple[StockPosition, ...]) -> Iterator[tuple[StockPosition, ...]]:
    return (positions[start : start + _POSITIONS] for start in range(0, len(positions), _POSITIONS))


async def _positions(
    tx: AsyncConnection,
    positions: Sequence[Position],
    known: Sequence[Balance],
    now: datetime,
    openings: KnownOpenings | None = None,
) -> tuple[StockPosition, ...]:
    """As they stand. `known`: balances that have been read already. `openings`: of all points, in a long run."""
    facts = await watch_facts.read(tx, positions, now)
    found = await image.terms(
        tx,
        None,
        sorted({position.sku for position in positions}),
        None if openings else sorted({position.point_id for position in positions}),
        # A turn that another process told, by a clock ahead of ours, is a turn.
        now=max(now, await catalogue.told_until(tx)),
    )
    terms = [replace(one, as_told=True) for _, one in sorted(found.items())]
    openings = openings or KnownOpenings()
    parts = terms[0].parts if terms else lambda sku: ()
    stocks = {position: list(spread(parts(position.sku), position, 1)) for position in positions}
    unread = {one for units in stocks.values() for one, _ in units} - {balance.position for balance in known}
    book = Book([*known, *(await ledger.balances_at(tx, sorted(unread)) if unread else ())])
    told: list[StockPosition] = []
    for start in range(0, len(positions), _POSITIONS):
        told += (
            _position(
                position,
                [(book.balance(one), units) for one, units in stocks[position]],
                terms,
                openings,
                facts.get(position, NO_FACTS),
            )
            for position in positions[start : start + _POSITIONS]
        )
        await asyncio.sleep(0)  # Others have their turn.
    return tuple(told)


def _position(
    position: Position,
    stock: Sequence[tuple[Balance, int]],
    terms: Sequence[Terms],
    openings: KnownOpenings,
    facts: PositionFacts,
) -> StockPosition:
    free = min(balance.free // units for balance, units in stock)
    channels: list[ChannelTerms] = []
    for one in terms:
        whole = _opening(openings, one, position)
        # What bars a part bars the bundle; a rule may have changed between two looks of a long run.
        found = [_opening(openings, one, balance.position) for balance, _ in stock]
        if whole is None or not whole.purposes & SALE or None in found:
            continue
        of_stock = [(opening, *kept) for opening, kept in zip(found, stock, strict=True) if opening]
        channels.append(ChannelTerms(one.channel_id, *_kept_back(free, of_stock), _in_order(whole.purposes)))
    return StockPosition(position.sku, position.point_id, free, tuple(channels), facts)


def _opening(openings: KnownOpenings, terms: Terms, position: Position) -> Opening | None:
    return openings.of(terms, position.sku).points.get(position.point_id) if position.sku in terms.items else None


@lru_cache(maxsize=16)
def _in_order(purposes: frozenset[Purpose]) -> tuple[Purpose, ...]:
    return tuple(sorted(purposes))


def _kept_back(free: int, stock: Sequence[tuple[Opening, Balance, int]]) -> tuple[int, int]:
    """Safety stock and routing buffer: of a bundle what those of its parts leave less of."""
    kept = [
        (balance, units, opening.safety_stock(balance.on_hand), opening.routing_buffer(balance.on_hand))
        for opening, balance, units in stock
    ]
    if len(kept) == 1 and kept[0][1] == 1:
        return kept[0][2:]
    shown = min(max(0, balance.free - safety) // units for balance, units, safety, _ in kept)
    routed = min(max(0, balance.free - safety - routing) // units for balance, units, safety, routing in kept)
    return max(0, free) - shown, shown - routed
