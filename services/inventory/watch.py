"""The stock replica feed: everything once, then each change in commit order (DESIGN, numbered feeds).

It only reads. A position is sent as it stands when the message is made, so several changes may arrive as one.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from kit import db
from kit.errors import InvalidArgument
from kit.feed import Bell
from services.inventory.domain.catalogue import Channel, Item, StockPoint
from services.inventory.domain.ledger import Balance, Position
from services.inventory.store import catalogue, feed, image, ledger

HEARTBEAT_SECONDS = 1.0
# Changes that follow closely are told together: a busy shop is not read once for each unit.
_GATHER_SECONDS = 0.025
CHUNK = 1000


@dataclass(frozen=True, slots=True)
class StockPosition:
    """Units nobody holds, and the safety stock of each channel that may sell the item from here."""

    sku: str
    point_id: str
    free: int
    channels: tuple[tuple[str, int], ...]


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


class StockWatch:
    """Makes one endless run of messages for each replica that watches."""

    def __init__(self, engine: AsyncEngine, bell: Bell) -> None:
        self._engine = engine
        self._still = engine.execution_options(isolation_level="REPEATABLE READ")
        self._bell = bell

    async def watch(self, after_sequence: int) -> AsyncIterator[StockMessage]:
        """Changes after a number; from a full snapshot when it is 0, or not within what is kept."""
        if after_sequence < 0:
            raise InvalidArgument("after_sequence", "negative")
        cursor = after_sequence
        if not await self._is_kept(cursor):
            async for message in self._snapshot():
                yield message
                cursor = message.sequence
        while True:

            async def read(after: int = cursor) -> Sequence[StockMessage]:
                return await self._changes(after)

            messages = await self._bell.wait_for(read, HEARTBEAT_SECONDS)
            for message in messages or (StockMessage(cursor),):
                yield message
                cursor = message.sequence
            if messages:
                await asyncio.sleep(_GATHER_SECONDS)

    async def _is_kept(self, cursor: int) -> bool:
        if cursor == 0:
            return False
        async with self._engine.begin() as tx:
            oldest, newest = await feed.bounds(tx)
        return oldest - 1 <= cursor <= newest

    async def _snapshot(self) -> AsyncIterator[StockMessage]:
        async with db.single(self._engine).connect() as connection:
            await feed.has_news(connection, 0)
        # The head and the data come from one and the same view: what is numbered up to the head is in the data,
        # what is not will be sent (perhaps again) as a change.
        async with self._still.begin() as tx:
            _, head = await feed.bounds(tx)
            points, channels = await catalogue.points(tx), await catalogue.channels(tx)
            yield StockMessage(0, snapshot=True, points=tuple(points), channels=tuple(channels))
            after_sku = ""
            while items := await catalogue.items(tx, None, after_sku, CHUNK):
                yield StockMessage(0, snapshot=True, items=tuple(items))
                after_sku = items[-1].sku
            after = Position("", "")
            while balances := await ledger.balances(tx, (), (), after, CHUNK):
                yield StockMessage(0, snapshot=True, positions=await _positions(tx, balances))
                after = balances[-1].position
        yield StockMessage(head, snapshot=True, snapshot_complete=True)

    async def _changes(self, cursor: int) -> Sequence[StockMessage]:
        async with db.single(self._engine).connect() as tx:
            if not await feed.has_news(tx, cursor):
                return ()
            marks = await feed.marks(tx, cursor, CHUNK)
            if not marks:
                return ()
            items = sorted({mark.sku for mark in marks if mark.kind == "item"})
            points = sorted({mark.point_id for mark in marks if mark.kind == "point"})
            channels = sorted({mark.channel_id for mark in marks if mark.kind == "channel"})
            widened = sorted({mark.point_id for mark in marks if mark.kind in ("point", "terms")})
            positions = {Position(mark.sku, mark.point_id) for mark in marks if mark.kind == "position"}
            if items or widened:
                # The terms of every position of an item (or a point) hang on its category (or its type).
                positions.update(await feed.positions_of(tx, items, widened))
            messages = [
                StockMessage(
                    cursor,
                    items=tuple(await catalogue.items(tx, items)) if items else (),
                    points=tuple(await catalogue.points(tx, points)) if points else (),
                    channels=tuple(await catalogue.channels(tx, channels)) if channels else (),
                )
            ]
            ordered = sorted(positions)
            for start in range(0, len(ordered), CHUNK):
                balances = await ledger.balances_at(tx, ordered[start : start + CHUNK])
                messages.append(StockMessage(cursor, positions=await _positions(tx, balances)))
        if len(messages) > 1 and messages[0] == StockMessage(cursor):
            del messages[0]
        # Only with the last one is everything up to the newest mark told.
        messages[-1] = replace(messages[-1], sequence=marks[-1].sequence)
        return messages


async def _positions(tx: AsyncConnection, balances: Sequence[Balance]) -> tuple[StockPosition, ...]:
    terms = await image.terms(
        tx,
        None,
        sorted({balance.sku for balance in balances}),
        sorted({balance.point_id for balance in balances}),
    )
    return tuple(
        StockPosition(
            balance.sku,
            balance.point_id,
            balance.free,
            tuple(
                (channel_id, channel.safety_stock(*balance.position).quantity)
                for channel_id, channel in sorted(terms.items())
                if channel.may_sell(*balance.position)
            ),
        )
        for balance in balances
    )
