"""Items, points and channels. Writes only rows that differ, and marks what replicas must read again."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, fields
from datetime import UTC, datetime
from typing import Any, TypeVar

from sqlalchemy import Table, delete, func, insert, or_, select, text, tuple_
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncConnection

from kit.values.money import Money
from services.inventory import tables
from services.inventory.domain.catalogue import (
    Activation,
    BufferRule,
    Channel,
    ChannelPrice,
    Collection,
    Edit,
    Exclusion,
    Item,
    OpeningHours,
    Personalisation,
    PointType,
    Purpose,
    StockPoint,
)
from services.inventory.store import bundles, feed, versions
from services.inventory.store.image import ROUTING, SAFETY_STOCK

_Row = TypeVar("_Row", Item, StockPoint)


async def put_items(tx: AsyncConnection, items: Sequence[Item], edit: Edit) -> int:
    """Creates or replaces; how many rows really changed."""
    return await _put(tx, tables.item, {item.sku: item for item in items}, "item", edit)


async def put_points(tx: AsyncConnection, points: Sequence[StockPoint], edit: Edit) -> int:
    """Creates or replaces; how many rows really changed."""
    return await _put(tx, tables.stock_point, {point.point_id: point for point in points}, "point", edit)


async def _put(tx: AsyncConnection, table: Table, rows: Mapping[str, _Row], kind: str, edit: Edit) -> int:
    if not rows:
        return 0
    key = next(iter(table.primary_key))
    statement = upsert(table)
    others = {c.name: statement.excluded[c.name] for c in table.columns if c is not key}
    differs = tuple_(*(table.c[name] for name in others)).is_distinct_from(tuple_(*others.values()))
    written = await tx.execute(
        statement.on_conflict_do_update(index_elements=[key], set_=others, where=differs).returning(key),
        # One order for all writers: two that put the same rows wait for each other, never in a circle.
        [_to_row(rows[name]) for name in sorted(rows)],
    )
    changed = list(written.scalars())
    await versions.keep(tx, kind, {name: rows[name] for name in changed}, edit)
    await feed.mark(tx, kind, changed)
    return len(changed)


def _to_row(value: Item | StockPoint) -> dict[str, Any]:
    return {name: list(field) if isinstance(field, tuple) else field for name, field in asdict(value).items()}


async def lock_neighbours(tx: AsyncConnection, items: Sequence[Item]) -> tuple[dict[str, Item], frozenset[str]]:
    """What these items are judged by, for as long as the transaction lasts: `item_validation.check_catalogue`."""
    skus = [item.sku for item in items]
    parts = [part.sku for item in items for part in item.parts]
    references = [item.reference for item in items if item.reference]
    if parts or references:
        # Two that give bundles their parts, or formats their reference, would not see each other's.
        await tx.execute(text("SELECT pg_advisory_xact_lock(hashtext('catalogue'))"))
    table = tables.item
    named = [*skus, *parts, *await bundles.containing(tx, skus)]
    rows = await tx.execute(select(table).where(or_(table.c.sku.in_(named), table.c.reference.in_(references))))
    bundled = sorted(item.sku for item in items if item.parts)
    # Whoever is putting the first unit of one on hand is waited for: its position refers to the item.
    await tx.execute(select(table.c.sku).where(table.c.sku.in_(bundled)).order_by(table.c.sku).with_for_update())
    stocked = await tx.execute(
        text("SELECT DISTINCT sku FROM balance WHERE sku = ANY(CAST(:skus AS text[]))"), {"skus": bundled}
    )
    return {row["sku"]: _to_item(row) for row in rows.mappings()}, frozenset(stocked.scalars())


async def items(
    tx: AsyncConnection,
    skus: Sequence[str] | None,
    after: str = "",
    limit: int | None = None,
    *,
    reference: str = "",
    gtins: Sequence[str] = (),
) -> list[Item]:
    """Items in SKU order; None for all. With a reference only its formats, with GTINs only those that have one."""
    query = select(tables.item).where(tables.item.c.sku > after).order_by(tables.item.c.sku).limit(limit)
    if skus is not None:
        query = query.where(tables.item.c.sku.in_(skus))
    if reference:
        query = query.where(tables.item.c.reference == reference)
    if gtins:
        # As the index has them.
        code = func.lpad(tables.item.c.gtin, 14, "0")
        query = query.where(tables.item.c.gtin != "", code.in_([one.rjust(14, "0") for one in gtins]))
    return [_to_item(row) for row in (await tx.execute(query)).mappings()]


def _to_item(row: Mapping[Any, Any]) -> Item:
    nested = {
        "prices": _to_prices(row["prices"]),
        "parts": bundles.to_parts(row["parts"]),
        "personalisations": tuple(
            Personalisation(**field | {"surcharges": _to_prices(field["surcharges"])})
            for field in row["personalisations"]
        ),
    }
    return Item(**_tuples(row, Item) | nested)


def _to_prices(value: Sequence[Mapping[str, Any]]) -> tuple[ChannelPrice, ...]:
    return tuple(ChannelPrice(price["channel_id"], Money(**price["price"])) for price in value)


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


async def known_channels(tx: AsyncConnection, channel_ids: Sequence[str]) -> frozenset[str]:
    """Which of these channels exist."""
    found = await tx.execute(
        text("SELECT channel_id FROM channel WHERE channel_id = ANY(CAST(:ids AS text[]))"),
        {"ids": list(channel_ids)},
    )
    return frozenset(found.scalars())


# -- channels ---------------------------------------------------------------------------------------------

_PURPOSES = tuple(Purpose)
_BUFFERS = {SAFETY_STOCK: "safety_stock", ROUTING: "routing_buffers"}


async def put_channels(tx: AsyncConnection, wanted: Sequence[Channel], edit: Edit) -> int:
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
        await versions.keep(tx, "channel", {channel.channel_id: channel for channel in changed}, edit)
        await feed.mark(tx, "channel", [channel.channel_id for channel in changed])
        touched = {
            point_id
            for channel in changed
            for point_id in (*before[channel.channel_id].point_ids, *channel.point_ids)
        }
        await feed.mark(tx, "terms", sorted(touched))
    return len(changed)


async def _replace(tx: AsyncConnection, changed: Sequence[Channel]) -> None:
    ids = [channel.channel_id for channel in changed]
    statement = upsert(tables.channel)
    others = ("name", "currency", "brands")
    await tx.execute(
        statement.on_conflict_do_update(
            index_elements=["channel_id"], set_={name: statement.excluded[name] for name in others}
        ),
        [
            {"channel_id": one.channel_id, "name": one.name, "currency": one.currency, "brands": list(one.brands)}
            for one in changed
        ],
    )
    for table, rows in (
        (tables.channel_point, _activation_rows),
        (tables.channel_exclusion, _exclusion_rows),
        (tables.buffer_rule, _buffer_rows),
    ):
        await tx.execute(delete(table).where(table.c.channel_id.in_(ids)))
        if written := [{"channel_id": one.channel_id, **row} for one in changed for row in rows(one)]:
            await tx.execute(insert(table), written)


def _activation_rows(channel: Channel) -> Iterator[dict[str, Any]]:
    whole = [(point_id, frozenset(_PURPOSES)) for point_id in channel.activated_points]
    part = [(one.point_id, one.purposes) for one in channel.activations]
    for nth, (point_id, purposes) in enumerate((*whole, *part)):
        yield {"nth": nth, "point_id": point_id, "purposes": [one.value for one in _PURPOSES if one in purposes]}


def _exclusion_rows(channel: Channel) -> Iterator[dict[str, Any]]:
    for nth, exclusion in enumerate(channel.exclusions):
        yield {"nth": nth, **asdict(exclusion), "point_type": exclusion.point_type or ""}


def _buffer_rows(channel: Channel) -> Iterator[dict[str, Any]]:
    for kind, part in _BUFFERS.items():
        rules: Sequence[BufferRule] = getattr(channel, part)
        for nth, rule in enumerate(rules):
            yield {"kind": kind, "nth": nth, **asdict(rule), "point_type": rule.point_type or ""}


async def channels(tx: AsyncConnection, channel_ids: Sequence[str] | None = None) -> list[Channel]:
    """Channels in id order, with all their parts; None for all."""

    async def rows(table: Table, *order: str) -> list[Any]:
        query = select(table).order_by(*(table.c[name] for name in order))
        if channel_ids is not None:
            query = query.where(table.c.channel_id.in_(channel_ids))
        return list((await tx.execute(query)).all())

    activated: dict[str, list[Activation]] = defaultdict(list)
    for row in await rows(tables.channel_point, "channel_id", "nth"):
        activated[row.channel_id].append(Activation(row.point_id, frozenset(map(Purpose, row.purposes))))
    exclusions: dict[str, list[Exclusion]] = defaultdict(list)
    for row in await rows(tables.channel_exclusion, "channel_id", "nth"):
        named = {field.name: getattr(row, field.name) for field in fields(Exclusion)}
        exclusions[row.channel_id].append(Exclusion(**named | {"point_type": _point_type(row.point_type)}))
    rules: dict[tuple[str, str], list[BufferRule]] = defaultdict(list)
    for row in await rows(tables.buffer_rule, "channel_id", "kind", "nth"):
        rules[row.channel_id, row.kind].append(
            BufferRule(row.sku, row.category, row.point_id, _point_type(row.point_type), row.quantity, row.percent)
        )
    everything = frozenset(_PURPOSES)
    return [
        Channel(
            channel_id=row.channel_id,
            name=row.name,
            currency=row.currency,
            activated_points=tuple(
                one.point_id for one in activated[row.channel_id] if one.purposes == everything
            ),
            exclusions=tuple(exclusions[row.channel_id]),
            safety_stock=tuple(rules[row.channel_id, SAFETY_STOCK]),
            activations=tuple(one for one in activated[row.channel_id] if one.purposes != everything),
            routing_buffers=tuple(rules[row.channel_id, ROUTING]),
            brands=tuple(row.brands),
        )
        for row in await rows(tables.channel, "channel_id")
    ]


def _point_type(value: str) -> PointType | None:
    return PointType(value) if value else None


# -- rules that turn by the clock --------------------------------------------------------------------------


async def told_until(tx: AsyncConnection) -> datetime:
    """Up to when replicas were told of what turns by the clock."""
    found = await tx.execute(text("SELECT told_until FROM terms_clock"))
    return found.scalar_one_or_none() or datetime.min.replace(tzinfo=UTC)


async def mark_turns(tx: AsyncConnection, now: datetime) -> bool:
    """Marks the points of channels with an exclusion that began or ended since the last time; whether any did."""
    turned = (
        await tx.execute(
            text(
                """SELECT array_agg(DISTINCT channel_id)
                   FROM channel_exclusion,
                        (SELECT coalesce(max(told_until), '-infinity') AS until FROM terms_clock) AS told
                   WHERE from_at > told.until AND from_at <= :now OR until_at > told.until AND until_at <= :now"""
            ),
            {"now": now},
        )
    ).scalar_one()
    if not turned:
        return False
    await tx.execute(
        text(
            """INSERT INTO terms_clock (told_until) VALUES (:now)
               ON CONFLICT (is_only) DO UPDATE SET told_until = greatest(terms_clock.told_until, :now)"""
        ),
        {"now": now},
    )
    points_of = await tx.execute(
        text("SELECT DISTINCT point_id FROM channel_point WHERE channel_id = ANY(CAST(:ids AS text[]))"),
        {"ids": list(turned)},
    )
    await feed.mark(tx, "terms", sorted(points_of.scalars()))
    return True
