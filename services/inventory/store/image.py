"""What a channel may show and sell: its rules about some items and points, and the balances behind a figure."""

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from kit import db
from services.inventory.domain.buffers import BufferRules
from services.inventory.domain.catalogue import BufferRule, Exclusion, ItemTerms, PointTerms, PointType, Purpose
from services.inventory.domain.exclusions import Exclusions
from services.inventory.domain.image import Terms
from services.inventory.domain.ledger import Balance
from services.inventory.domain.pauses import Pauses
from services.inventory.store import bundles
from services.inventory.store import pauses as pause_store
from services.inventory.store.bundles import PARTS_OF

_ANY_TIME = datetime.min.replace(tzinfo=UTC)
SAFETY_STOCK = "safety_stock"
ROUTING = "routing"

# One value with everything that the rules say about :skus and their parts at :point_ids (null: every point) on
# :channel_ids (null: every channel). A scalar, so that it can ride on another statement.
TERMS = (
    f"""(WITH asked AS MATERIALIZED (
        SELECT CAST(:skus AS text[]) || {PARTS_OF.format(skus=":skus")} AS skus
    ) SELECT jsonb_build_object('pauses', {pause_store.TERMS},"""
    + """
    'channels', (SELECT jsonb_agg(jsonb_build_array(channel_id, brands)) FROM channel
                 WHERE CAST(:channel_ids AS text[]) IS NULL OR channel_id = ANY(CAST(:channel_ids AS text[]))),
    'items', (SELECT jsonb_agg(jsonb_build_array(sku, category_path, brand, tags, parts)) FROM item
              WHERE sku = ANY(CAST((SELECT skus FROM asked) AS text[]))),
    'points', (SELECT jsonb_agg(jsonb_build_array(channel_id, point_id, type, purposes, brands))
               FROM channel_point JOIN stock_point USING (point_id)
               WHERE (CAST(:channel_ids AS text[]) IS NULL OR channel_id = ANY(CAST(:channel_ids AS text[])))
                 AND (CAST(:point_ids AS text[]) IS NULL OR point_id = ANY(CAST(:point_ids AS text[])))),
    'exclusions', (SELECT jsonb_agg(jsonb_build_array(channel_id, sku, category, tag, brand, point_id, point_type,
                                                      reason, from_at, until_at)
                                    ORDER BY channel_id, nth)
                   FROM channel_exclusion
                   WHERE (CAST(:channel_ids AS text[]) IS NULL OR channel_id = ANY(CAST(:channel_ids AS text[])))
                     AND sku = ANY(CAST((SELECT skus FROM asked) AS text[]) || CAST('{""}' AS text[]))),
    'rules', (SELECT jsonb_agg(jsonb_build_array(channel_id, kind, sku, category, point_id, point_type, quantity,
                                                 percent))
              FROM buffer_rule
              WHERE (CAST(:channel_ids AS text[]) IS NULL OR channel_id = ANY(CAST(:channel_ids AS text[])))
                AND sku = ANY(CAST((SELECT skus FROM asked) AS text[]) || CAST('{""}' AS text[]))
                AND (CAST(:point_ids AS text[]) IS NULL
                     OR point_id = ANY(CAST(:point_ids AS text[]) || CAST('{""}' AS text[]))))
))
"""
)
_SELECT_TERMS = text(f"SELECT CAST({TERMS} AS text) AS terms")


def terms_parameters(
    channel_ids: Sequence[str] | None, skus: Sequence[str], point_ids: Sequence[str] | None
) -> dict[str, Any]:
    """The values that TERMS needs."""
    return {
        "channel_ids": None if channel_ids is None else list(channel_ids),
        "skus": list(skus),
        "point_ids": None if point_ids is None else list(point_ids),
    }


async def terms(
    tx: AsyncConnection,
    channel_ids: Sequence[str] | None,
    skus: Sequence[str],
    point_ids: Sequence[str] | None = None,
    *,
    now: datetime,
) -> dict[str, Terms]:
    """By channel, judged at `now`; a channel that does not exist is left out."""
    [(found,)] = await db.rows(tx, _SELECT_TERMS, terms_parameters(channel_ids, skus, point_ids))
    return to_terms(found, now)


def to_terms(told: str, now: datetime) -> dict[str, Terms]:
    """Reads what TERMS gave, as text."""
    return {channel_id: one.at(now) for channel_id, one in _read(told).items()}


# Everybody who wants the same article is told the same: the same text is read once. It comes from the database in
# each transaction, so no rule can have changed unseen.
@lru_cache(maxsize=16)
def _read(told: str) -> Mapping[str, Terms]:
    value = json.loads(told)
    items = {
        sku: ItemTerms(tuple(path), brand, frozenset(tags), bundles.to_parts(parts))
        for sku, path, brand, tags, parts in value["items"] or ()
    }
    points: dict[str, dict[str, PointTerms]] = defaultdict(dict)
    for channel_id, point_id, kind, purposes, brands in value["points"] or ():
        points[channel_id][point_id] = PointTerms(
            PointType(kind), frozenset(map(Purpose, purposes)), frozenset(brands)
        )
    exclusions: dict[str, list[Exclusion]] = defaultdict(list)
    for channel_id, *fields in value["exclusions"] or ():
        exclusions[channel_id].append(_exclusion(*fields))
    rules: dict[tuple[str, str], list[BufferRule]] = defaultdict(list)
    for channel_id, kind, sku, category, point_id, point_type, quantity, percent in value["rules"] or ():
        rule = BufferRule(sku, category, point_id, _point_type(point_type), quantity, percent)
        rules[channel_id, kind].append(rule)
    pauses = Pauses(pause_store.to_pauses(value["pauses"]))
    return {
        channel_id: Terms(
            channel_id,
            frozenset(brands),
            items,
            points[channel_id],
            Exclusions(exclusions[channel_id]),
            BufferRules(rules[channel_id, SAFETY_STOCK]),
            BufferRules(rules[channel_id, ROUTING]),
            _ANY_TIME,
            pauses,
        )
        for channel_id, brands in value["channels"] or ()
    }


def _exclusion(
    sku: str,
    category: str,
    tag: str,
    brand: str,
    point_id: str,
    point_type: str,
    reason: str,
    from_at: str | None,
    until_at: str | None,
) -> Exclusion:
    # In the order of TERMS.
    return Exclusion(
        sku, category, tag, brand, point_id, _point_type(point_type), reason, _instant(from_at), _instant(until_at)
    )


def _point_type(value: str) -> PointType | None:
    return PointType(value) if value else None


def _instant(value: str | None) -> datetime | None:
    return datetime.fromisoformat(value) if value else None


async def balances_behind(tx: AsyncConnection, channel_id: str, skus: Sequence[str]) -> dict[str, list[Balance]]:
    """The balances of the channel's activated points, by SKU, in point order."""
    rows = await tx.execute(
        text(
            """SELECT sku, point_id, on_hand, reserved, unavailable, short
               FROM balance JOIN channel_point USING (point_id)
               WHERE channel_id = :channel_id AND sku = ANY(CAST(:skus AS text[]))
               ORDER BY sku, point_id"""
        ),
        {"channel_id": channel_id, "skus": list(skus)},
    )
    found: dict[str, list[Balance]] = defaultdict(list)
    for row in rows:
        found[row.sku].append(Balance(*row))
    return found
