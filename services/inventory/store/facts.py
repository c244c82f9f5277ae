"""What is said of positions: one row a fact, and a row for each of its versions."""

import json
from collections.abc import Iterable, Sequence
from datetime import date
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.inventory.domain.facts import (
    VERSIONED,
    Assortment,
    Content,
    Fact,
    FactKey,
    FactKind,
    Location,
    Markdown,
    Plan,
    SalesRate,
    Stated,
    plain,
)
from services.inventory.domain.ledger import Position

_COLUMNS = """sku, point_id, kind, content, version, source, source_sequence, source_updated_at, actor,
              recorded_at"""
_GIVEN = f"""unnest(
    CAST(:skus AS text[]), CAST(:points AS text[]), CAST(:kinds AS text[]), CAST(:contents AS jsonb[]),
    CAST(:versions AS integer[]), CAST(:sources AS text[]), CAST(:sequences AS bigint[]),
    CAST(:updates AS timestamptz[]), CAST(:actors AS text[]), CAST(:times AS timestamptz[])
) AS given({_COLUMNS})"""
_CONTENTS: dict[FactKind, type[Content]] = {
    FactKind.ASSORTMENT: Assortment,
    FactKind.PLAN: Plan,
    FactKind.MARKDOWN: Markdown,
    FactKind.SALES_RATE: SalesRate,
    FactKind.LOCATION: Location,
}


async def create(tx: AsyncConnection, facts: Iterable[Fact]) -> set[FactKey]:
    """Writes those of which nothing was ever said; which ones."""
    written = await tx.execute(
        text(
            f"""INSERT INTO position_fact ({_COLUMNS}) SELECT * FROM {_GIVEN}
                ORDER BY sku COLLATE "C", point_id COLLATE "C", kind COLLATE "C"
                ON CONFLICT DO NOTHING RETURNING sku, point_id, kind"""
        ),
        _values(facts),
    )
    return {FactKey(row.sku, row.point_id, FactKind(row.kind)) for row in written}


async def lock(tx: AsyncConnection, keys: Iterable[FactKey]) -> dict[FactKey, Fact]:
    """By key, locked in the order of the keys."""
    wanted = sorted(keys)
    rows = await tx.execute(
        text(
            f"""SELECT {_COLUMNS} FROM position_fact
                JOIN unnest(CAST(:skus AS text[]), CAST(:points AS text[]), CAST(:kinds AS text[]))
                     AS wanted(sku, point_id, kind) USING (sku, point_id, kind)
                ORDER BY sku, point_id, kind FOR UPDATE OF position_fact"""
        ),
        {
            "skus": [key.sku for key in wanted],
            "points": [key.point_id for key in wanted],
            "kinds": [key.kind.value for key in wanted],
        },
    )
    found = map(_to_fact, rows)
    return {fact.key: fact for fact in found}


async def write(tx: AsyncConnection, facts: Iterable[Fact]) -> None:
    """Replaces locked facts."""
    await tx.execute(
        text(
            f"""UPDATE position_fact AS known SET
                    content = given.content, version = given.version, source = given.source,
                    source_sequence = given.source_sequence, source_updated_at = given.source_updated_at,
                    actor = given.actor, recorded_at = given.recorded_at
                FROM {_GIVEN}
                WHERE (known.sku, known.point_id, known.kind) = (given.sku, given.point_id, given.kind)"""
        ),
        _values(facts),
    )


async def keep(tx: AsyncConnection, facts: Iterable[Fact]) -> None:
    """Adds what has become another version, of the kinds that have versions. The facts are locked."""
    changed = [fact for fact in facts if fact.key.kind in VERSIONED]
    if changed:
        await tx.execute(
            text(f"INSERT INTO position_fact_version ({_COLUMNS}) SELECT * FROM {_GIVEN}"), _values(changed)
        )


async def positions(
    tx: AsyncConnection, skus: Sequence[str], point_ids: Sequence[str], after: Position, limit: int
) -> list[Position]:
    """Those of which something was said, in order after one; empty filters mean all."""
    rows = await tx.execute(
        text(
            """SELECT DISTINCT sku, point_id FROM position_fact
               WHERE (sku, point_id) > (CAST(:after_sku AS text), CAST(:after_point AS text))
                 AND (:any_sku OR sku = ANY(CAST(:skus AS text[])))
                 AND (:any_point OR point_id = ANY(CAST(:point_ids AS text[])))
               ORDER BY sku, point_id LIMIT :limit"""
        ),
        {
            "after_sku": after.sku,
            "after_point": after.point_id,
            "any_sku": not skus,
            "skus": list(skus),
            "any_point": not point_ids,
            "point_ids": list(point_ids),
            "limit": limit,
        },
    )
    return [Position(*row) for row in rows]


async def read(
    tx: AsyncConnection, wanted: Sequence[Position], kinds: Iterable[FactKind] = FactKind
) -> dict[Position, dict[FactKind, Fact]]:
    """What is known of each of these positions."""
    rows = await tx.execute(
        text(
            f"""SELECT {_COLUMNS} FROM position_fact
                JOIN unnest(CAST(:skus AS text[]), CAST(:points AS text[])) AS wanted(sku, point_id)
                     USING (sku, point_id)
                WHERE kind = ANY(CAST(:kinds AS text[]))"""
        ),
        {
            "skus": [position.sku for position in wanted],
            "points": [position.point_id for position in wanted],
            "kinds": [kind.value for kind in kinds],
        },
    )
    found: dict[Position, dict[FactKind, Fact]] = {position: {} for position in wanted}
    for fact in map(_to_fact, rows):
        found[fact.key.position][fact.key.kind] = fact
    return found


async def versions(tx: AsyncConnection, position: Position, before: int, limit: int) -> list[tuple[int, Fact]]:
    """What was said of a position, newest first, before a number: number, fact."""
    rows = await tx.execute(
        text(
            f"""SELECT number, {_COLUMNS} FROM position_fact_version
                WHERE sku = :sku AND point_id = :point_id AND number < :before
                ORDER BY number DESC LIMIT :limit"""
        ),
        {**position._asdict(), "before": before, "limit": limit},
    )
    return [(row.number, _to_fact(row)) for row in rows]


def _from_json(kind: FactKind, value: dict[str, Any]) -> Content:
    fields: dict[str, Any] = {
        name: date.fromisoformat(part) if name.endswith("_date") else part for name, part in value.items()
    }
    return _CONTENTS[kind](**fields)


def _to_fact(row: Any) -> Fact:
    kind = FactKind(row.kind)
    return Fact(
        FactKey(row.sku, row.point_id, kind),
        None if row.content is None else _from_json(kind, row.content),
        Stated(row.source, row.source_sequence, row.source_updated_at, row.actor, row.recorded_at),
        row.version,
    )


def _values(facts: Iterable[Fact]) -> dict[str, list[Any]]:
    rows = list(facts)
    return {
        "skus": [one.key.sku for one in rows],
        "points": [one.key.point_id for one in rows],
        "kinds": [one.key.kind.value for one in rows],
        "contents": [None if one.content is None else json.dumps(plain(one.content)) for one in rows],
        "versions": [one.version for one in rows],
        "sources": [one.stated.source for one in rows],
        "sequences": [one.stated.source_sequence for one in rows],
        "updates": [one.stated.source_updated_at for one in rows],
        "actors": [one.stated.actor for one in rows],
        "times": [one.stated.recorded_at for one in rows],
    }
