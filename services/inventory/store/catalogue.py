"""Items, points and channels. Writes only rows that differ, and marks what replicas must read again."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from typing import Any, TypeVar

from sqlalchemy import Table, delete, insert, select, text, tuple_
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncConnection

from kit.values.money import Money
from services.inventory import tables
from services.inventory.domain.catalogue import (
    Channel,
    ChannelPrice,
    Collection,
    Exclusion,
    Item,
    OpeningHours,
    PointType,
    SafetyStockRule,
    StockPoint,
)

_Row = TypeVar("_Row", Item, StockPoint)


async def put_items(tx: AsyncConnection, items: Sequence[Item]) -> int:
    """Creates or replaces; how many rows really changed."""
    return await _put(tx, tables.item, items, "item")


async def put_points(tx: AsyncConnection, points: Sequence[StockPoint]) -> int:
    """Creates or replaces; how many rows really changed."""
    return await _put(tx, tables.stock_point, points, "point")


async def _put(tx: AsyncConnection, table: Table, rows: Sequence[_Row], kind: str) -> int:
    if not rows:
        return 0
    key = next(iter(table.primary_key))
    statement = upsert(table)
    others = {c.name: statement.excluded[c.name] for c in table.columns if c is not key}
    differs = tuple_(*(table.c[name] for name in others)).is_distinct_from(tuple_(*others.values()))
    written = await tx.execute(
        statement.on_conflict_do_update(index_elements=[key], set_=others, where=differs).returning(key),
        # One order for all writers: two that put the same rows wait for each other, never in a circle.
        sorted((_to_row(row) for row in rows), key=lambda row: str(row[key.name])),
    )
    changed = list(written.scalars())
    await mark(tx, kind, changed)
    return len(changed)


def _to_row(value: Item | StockPoint) -> dict[str, Any]:
    return {name: list(field) if isinstance(field, tuple) else field for name, field in asdict(value).items()}


async def items(
    tx: AsyncConnection, skus: Sequence[str] | None, after: str = "", limit: int | None = None
) -> list[Item]:
    """Items in SKU order; None for all."""
    query = select(tables.item).where(tables.item.c.sku > after).order_by(tables.item.c.sku).limit(limit)
    if skus is not None:
        query = query.where(tables.item.c.sku.in_(skus))
    return [_to_item(row) for row in (await tx.execute(query)).mappings()]


def _to_item(row: Mapping[Any, Any]) -> Item:
    prices = tuple(ChannelPrice(p["channel_id"], Money(**p["price"])) for p in row["prices"])
    return Item(**_tuples(row, Item) | {"prices": prices})


async def points(tx: AsyncConnection, point_ids: Sequence[str] | None = None) -> list[StockPoint]:
    """Points in id order; None for all."""
    query = select(tables.stock_point).order_by(tables.stock_point.c.point_id)
    if point_ids is not None:
        query = query.where(tables.stock_point.c.point_id.in_(point_ids))
    return [_to_point(row) for row in (await tx.execute(query)).mappings()]


def _to_point(row: Mapping[Any, Any]) -> StockPoint:
    nested = {
        "type": PointType(row["type"]),
        "opening_hours": tuple(OpeningHours(**hours) for hours in row["opening_hours"]),
        "collections": tuple(Collection(**collection) for collection in row["collections"]),
    }
    return StockPoint(**_tuples(row, StockPoint) | nested)


def _tuples(row: Mapping[Any, Any], kind: type[Item] | type[StockPoint]) -> dict[str, Any]:
    values = {field.name: row[field.name] for field in fields(kind)}
    return {name: tuple(value) if isinstance(value, list) else value for name, value in values.items()}


async def known(
    tx: AsyncConnection, skus: Sequence[str], point_ids: Sequence[str]
) -> tuple[frozenset[str], frozenset[str]]:
    """Which of these items and points exist."""
    row = (
        await tx.execute(
            text(
                """SELECT ARRAY(SELECT sku FROM item WHERE sku = ANY(CAST(:skus AS text[]))) AS skus,
                          ARRAY(SELECT point_id FROM stock_point
                                WHERE point_id = ANY(CAST(:point_ids AS text[]))) AS point_ids"""
            ),
            {"skus": list(skus), "point_ids": list(point_ids)},
        )
    ).one()
    return frozenset(row.skus), frozenset(row.point_ids)


# -- channels ---------------------------------------------------------------------------------------------


async def put_channels(tx: AsyncConnection, wanted: Sequence[Channel]) -> int:
    """Creates or replaces; how many channels really changed, in whatever part."""
    names = sorted(channel.channel_id for channel in wanted)
    await tx.execute(
        text(
            """INSERT INTO channel (channel_id, name, currency)
               SELECT id, '', '' FROM unnest(CAST(:ids AS text[])) AS id ON CONFLICT DO NOTHING"""
        ),
        {"ids": names},
    )
    await tx.execute(
        text(
            """SELECT FROM channel WHERE channel_id = ANY(CAST(:ids AS text[]))
               ORDER BY channel_id FOR UPDATE"""
        ),
        {"ids": names},
    )
    before = {channel.channel_id: channel for channel in await channels(tx, names)}
    changed = [channel for channel in wanted if before[channel.channel_id] != channel]
    if changed:
        await _replace(tx, changed)
        await mark(tx, "channel", [channel.channel_id for channel in changed])
        touched = {
            point_id
            for channel in changed
            for point_id in (*before[channel.channel_id].activated_points, *channel.activated_points)
        }
        await mark(tx, "terms", sorted(touched))
    return len(changed)


async def _replace(tx: AsyncConnection, changed: Sequence[Channel]) -> None:
    ids = [channel.channel_id for channel in changed]
    parts: dict[Table, list[dict[str, Any]]] = defaultdict(list)
    for one in changed:
        parts[tables.channel].append({"channel_id": one.channel_id, "name": one.name, "currency": one.currency})
        for nth, point_id in enumerate(one.activated_points):
            parts[tables.channel_point].append({"channel_id": one.channel_id, "nth": nth, "point_id": point_id})
        for nth, exclusion in enumerate(one.exclusions):
            parts[tables.channel_exclusion].append({"channel_id": one.channel_id, "nth": nth, **asdict(exclusion)})
        for nth, rule in enumerate(one.safety_stock):
            parts[tables.safety_stock].append(
                {
                    "channel_id": one.channel_id,
                    "nth": nth,
                    **asdict(rule),
                    "point_type": rule.point_type or "",
                }
            )
    statement = upsert(tables.channel)
    await tx.execute(
        statement.on_conflict_do_update(
            index_elements=["channel_id"],
            set_={"name": statement.excluded.name, "currency": statement.excluded.currency},
        ),
        parts.pop(tables.channel),
    )
    for table in (tables.channel_point, tables.channel_exclusion, tables.safety_stock):
        await tx.execute(delete(table).where(table.c.channel_id.in_(ids)))
        if parts[table]:
            await tx.execute(insert(table), parts[table])


async def channels(tx: AsyncConnection, channel_ids: Sequence[str] | None = None) -> list[Channel]:
    """Channels in id order, with all their parts; None for all."""

    async def rows(table: Table, *order: str) -> list[Any]:
        query = select(table).order_by(*(table.c[name] for name in order))
        if channel_ids is not None:
            query = query.where(table.c.channel_id.in_(channel_ids))
        return list((await tx.execute(query)).all())

    activated: dict[str, list[str]] = defaultdict(list)
    for row in await rows(tables.channel_point, "channel_id", "nth"):
        activated[row.channel_id].append(row.point_id)
    exclusions: dict[str, list[Exclusion]] = defaultdict(list)
    for row in await rows(tables.channel_exclusion, "channel_id", "nth"):
        exclusions[row.channel_id].append(Exclusion(row.sku, row.category, row.reason))
    rules: dict[str, list[SafetyStockRule]] = defaultdict(list)
    for row in await rows(tables.safety_stock, "channel_id", "nth"):
        point_type = PointType(row.point_type) if row.point_type else None
        rules[row.channel_id].append(
            SafetyStockRule(row.sku, row.category, row.point_id, point_type, row.quantity)
        )
    return [
        Channel(
            row.channel_id,
            row.name,
            row.currency,
            tuple(activated[row.channel_id]),
            tuple(exclusions[row.channel_id]),
            tuple(rules[row.channel_id]),
        )
        for row in await rows(tables.channel, "channel_id")
    ]


# -- the feed's marks -------------------------------------------------------------------------------------

_MARKED_BY = {"item": "sku", "point": "point_id", "terms": "point_id", "channel": "channel_id"}


async def mark(tx: AsyncConnection, kind: str, keys: Sequence[str]) -> None:
    """Tells replicas, in the transaction of the change, what to read again."""
    if keys:
        await tx.execute(
            text(
                f"""INSERT INTO stock_change (kind, {_MARKED_BY[kind]})
                    SELECT CAST(:kind AS text), key FROM unnest(CAST(:keys AS text[])) AS key"""
            ),
            {"kind": kind, "keys": list(keys)},
        )
