"""Expected deliveries, and what channels may promise of them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.inventory.domain.catalogue import BufferRule, PointType
from services.inventory.domain.ledger import Position
from services.inventory.domain.supply import ExpectedDelivery, ExpectedKind, ExpectedState, FutureRules
from services.inventory.store import feed

COLUMNS = """delivery_id, document, sku, point_id, kind, quantity, received, from_date, until_date,
              source, source_sequence, source_updated_at, state, cancel_reason"""


@dataclass(frozen=True, slots=True)
class Filters:
    """Which deliveries; empty means all."""

    delivery_ids: Sequence[str] = ()
    skus: Sequence[str] = ()
    point_ids: Sequence[str] = ()
    states: Sequence[ExpectedState] = ()
    document: str = ""


# -- deliveries -------------------------------------------------------------------------------------------


async def create(tx: AsyncConnection, deliveries: Iterable[ExpectedDelivery]) -> set[str]:
    """Writes those that are not known; which ones."""
    fresh = list(deliveries)
    written = await tx.execute(
        text(
            f"""INSERT INTO expected_delivery ({COLUMNS})
                SELECT * FROM {_GIVEN}
                ORDER BY delivery_id COLLATE "C" ON CONFLICT DO NOTHING RETURNING delivery_id"""
        ),
        _values(fresh),
    )
    created = set(written.scalars())
    await feed.mark_positions(tx, _positions(one for one in fresh if one.delivery_id in created), "coming")
    return created


async def lock(tx: AsyncConnection, delivery_ids: Iterable[str]) -> dict[str, ExpectedDelivery]:
    """By id, locked in the order of the ids; those that do not exist are left out."""
    rows = await tx.execute(
        text(
            f"""SELECT {COLUMNS} FROM expected_delivery WHERE delivery_id = ANY(CAST(:ids AS text[]))
                ORDER BY delivery_id FOR UPDATE"""
        ),
        {"ids": sorted(set(delivery_ids))},
    )
    return {row.delivery_id: to_delivery(row) for row in rows}


async def lock_positions(tx: AsyncConnection, delivery_ids: Iterable[str]) -> list[ExpectedDelivery]:
    """These deliveries, and with them all that is still expected at their positions: they share a protection."""
    rows = await tx.execute(
        text(
            f"""SELECT {COLUMNS} FROM expected_delivery
                WHERE delivery_id = ANY(CAST(:ids AS text[]))
                   OR (state = 'expected' AND (sku, point_id) IN (
                       SELECT sku, point_id FROM expected_delivery
                       WHERE delivery_id = ANY(CAST(:ids AS text[]))))
                ORDER BY delivery_id FOR UPDATE"""
        ),
        {"ids": sorted(set(delivery_ids))},
    )
    return [to_delivery(row) for row in rows]


async def write(tx: AsyncConnection, deliveries: Sequence[ExpectedDelivery]) -> None:
    """Replaces locked deliveries. One whose window changed may be told overdue again."""
    await feed.mark_positions(tx, _positions(deliveries), "coming")
    await tx.execute(
        text(
            f"""UPDATE expected_delivery AS known SET
                    document = given.document, kind = given.kind, quantity = given.quantity,
                    received = given.received, from_date = given.from_date, until_date = given.until_date,
                    source = given.source, source_sequence = given.source_sequence,
                    source_updated_at = given.source_updated_at, state = given.state,
                    cancel_reason = given.cancel_reason,
                    overdue_told = known.overdue_told AND known.until_date = given.until_date
                FROM {_GIVEN} WHERE known.delivery_id = given.delivery_id"""
        ),
        _values(deliveries),
    )


async def read(tx: AsyncConnection, filters: Filters, after: str, limit: int) -> list[ExpectedDelivery]:
    """In the order of their ids after one."""
    rows = await tx.execute(
        text(
            f"""SELECT {COLUMNS} FROM expected_delivery
                WHERE delivery_id > :after
                  AND (:any_id OR delivery_id = ANY(CAST(:ids AS text[])))
                  AND (:any_sku OR sku = ANY(CAST(:skus AS text[])))
                  AND (:any_point OR point_id = ANY(CAST(:points AS text[])))
                  AND (:any_state OR state = ANY(CAST(:states AS text[])))
                  AND (CAST(:document AS text) = '' OR document = :document)
                ORDER BY delivery_id LIMIT :limit"""
        ),
        {
            "after": after,
            "any_id": not filters.delivery_ids,
            "ids": list(filters.delivery_ids),
            "any_sku": not filters.skus,
            "skus": list(filters.skus),
            "any_point": not filters.point_ids,
            "points": list(filters.point_ids),
            "any_state": not filters.states,
            "states": [state.value for state in filters.states],
            "document": filters.document,
            "limit": limit,
        },
    )
    return [to_delivery(row) for row in rows]


async def expected_of(tx: AsyncConnection, skus: Sequence[str]) -> list[ExpectedDelivery]:
    """All that is still expected of these items."""
    rows = await tx.execute(
        text(
            f"""SELECT {COLUMNS} FROM expected_delivery
                WHERE state = 'expected' AND sku = ANY(CAST(:skus AS text[]))"""
        ),
        {"skus": list(skus)},
    )
    return [to_delivery(row) for row in rows]


async def time_zones(tx: AsyncConnection, point_ids: Iterable[str]) -> dict[str, str]:
    """The IANA zone of each of these points."""
    rows = await tx.execute(
        text("SELECT point_id, time_zone FROM stock_point WHERE point_id = ANY(CAST(:ids AS text[]))"),
        {"ids": sorted(set(point_ids))},
    )
    return {row.point_id: row.time_zone for row in rows}


async def all_time_zones(tx: AsyncConnection) -> list[str]:
    """Every zone in which a point lies."""
    return list((await tx.execute(text("SELECT DISTINCT time_zone FROM stock_point"))).scalars())


async def lock_overdue(tx: AsyncConnection, today: Mapping[str, date], limit: int) -> list[ExpectedDelivery]:
    """Marks as told what is overdue on these days (by zone) and was not told; which ones they are.

    Those under another's lock are left for the next sweep.
    """
    rows = await tx.execute(
        text(
            f"""UPDATE expected_delivery SET overdue_told = true
                WHERE delivery_id IN (
                    SELECT due.delivery_id FROM expected_delivery AS due
                    JOIN stock_point USING (point_id)
                    JOIN unnest(CAST(:zones AS text[]), CAST(:days AS date[])) AS today(zone, day)
                      ON today.zone = stock_point.time_zone
                    WHERE due.state = 'expected' AND NOT due.overdue_told AND due.until_date < today.day
                    ORDER BY due.until_date, due.delivery_id LIMIT :limit
                    FOR UPDATE OF due SKIP LOCKED)
                RETURNING {COLUMNS}"""
        ),
        {"zones": list(today), "days": list(today.values()), "limit": limit},
    )
    return sorted((to_delivery(row) for row in rows), key=lambda one: one.delivery_id)


_GIVEN = f"""unnest(
    CAST(:ids AS text[]), CAST(:documents AS text[]), CAST(:skus AS text[]), CAST(:points AS text[]),
    CAST(:kinds AS text[]), CAST(:quantities AS bigint[]), CAST(:received AS bigint[]),
    CAST(:from_dates AS date[]), CAST(:until_dates AS date[]), CAST(:sources AS text[]),
    CAST(:sequences AS bigint[]), CAST(:updates AS timestamptz[]), CAST(:states AS text[]),
    CAST(:reasons AS text[])
) AS given({COLUMNS})"""


def _positions(deliveries: Iterable[ExpectedDelivery]) -> list[Position]:
    return sorted({one.position for one in deliveries})


def _values(rows: Sequence[ExpectedDelivery]) -> dict[str, list[Any]]:
    return {
        "ids": [one.delivery_id for one in rows],
        "documents": [one.document for one in rows],
        "skus": [one.sku for one in rows],
        "points": [one.point_id for one in rows],
        "kinds": [one.kind.value for one in rows],
        "quantities": [one.quantity for one in rows],
        "received": [one.received for one in rows],
        "from_dates": [one.from_date for one in rows],
        "until_dates": [one.until_date for one in rows],
        "sources": [one.source for one in rows],
        "sequences": [one.source_sequence for one in rows],
        "updates": [one.source_updated_at for one in rows],
        "states": [one.state.value for one in rows],
        "reasons": [one.cancel_reason for one in rows],
    }


def to_delivery(row: Any) -> ExpectedDelivery:
    """From a row of COLUMNS."""
    values = {name.strip(): getattr(row, name.strip()) for name in COLUMNS.split(",")}
    return ExpectedDelivery(
        **values | {"kind": ExpectedKind(row.kind), "state": ExpectedState(row.state)},
    )


# -- what channels may promise ----------------------------------------------------------------------------


async def put_rules(tx: AsyncConnection, channel_id: str, rules: FutureRules) -> bool:
    """Replaces the rules of a channel; whether they changed."""
    # The channel's row is the lock of all that hangs on it, whether rules are there or not.
    await tx.execute(text("SELECT FROM channel WHERE channel_id = :id FOR UPDATE"), {"id": channel_id})
    if await read_rules(tx, channel_id) == rules:
        return False
    await tx.execute(
        text(
            """INSERT INTO future_rules (channel_id, kinds, longest_promise_days, grace_days)
               VALUES (:id, CAST(:kinds AS text[]), :longest, :grace)
               ON CONFLICT (channel_id) DO UPDATE SET kinds = EXCLUDED.kinds,
                   longest_promise_days = EXCLUDED.longest_promise_days, grace_days = EXCLUDED.grace_days"""
        ),
        {
            "id": channel_id,
            "kinds": [kind.value for kind in rules.kinds],
            "longest": rules.longest_promise_days,
            "grace": rules.grace_days,
        },
    )
    await tx.execute(text("DELETE FROM future_protection WHERE channel_id = :id"), {"id": channel_id})
    await tx.execute(
        text(
            """INSERT INTO future_protection (channel_id, nth, sku, category, point_id, point_type,
                                              quantity, percent)
               SELECT CAST(:id AS text), nth, sku, category, point_id, point_type, quantity, percent
               FROM unnest(CAST(:skus AS text[]), CAST(:categories AS text[]), CAST(:points AS text[]),
                           CAST(:types AS text[]), CAST(:quantities AS integer[]), CAST(:percents AS integer[]))
                    WITH ORDINALITY AS given(sku, category, point_id, point_type, quantity, percent, nth)"""
        ),
        {
            "id": channel_id,
            "skus": [rule.sku for rule in rules.protection],
            "categories": [rule.category for rule in rules.protection],
            "points": [rule.point_id for rule in rules.protection],
            "types": [rule.point_type or "" for rule in rules.protection],
            "quantities": [rule.quantity for rule in rules.protection],
            "percents": [rule.percent for rule in rules.protection],
        },
    )
    await feed.mark_coming(tx)
    return True


async def read_rules(tx: AsyncConnection, channel_id: str) -> FutureRules:
    """The rules of a channel; without any it promises nothing."""
    row = (
        await tx.execute(
            text("SELECT kinds, longest_promise_days, grace_days FROM future_rules WHERE channel_id = :id"),
            {"id": channel_id},
        )
    ).first()
    if row is None:
        return FutureRules()
    protection = await tx.execute(
        text(
            """SELECT sku, category, point_id, point_type, quantity, percent FROM future_protection
               WHERE channel_id = :id ORDER BY nth"""
        ),
        {"id": channel_id},
    )
    return FutureRules(
        tuple(ExpectedKind(kind) for kind in row.kinds),
        row.longest_promise_days,
        row.grace_days,
        tuple(
            BufferRule(
                one.sku,
                one.category,
                one.point_id,
                PointType(one.point_type) if one.point_type else None,
                one.quantity,
                one.percent,
            )
            for one in protection
        ),
    )
