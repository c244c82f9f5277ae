"""What a channel may show and sell: its rules about some items and points, and the balances behind a figure."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.inventory.domain.catalogue import Exclusion, PointType, SafetyStockRule
from services.inventory.domain.image import SafetyStockRules, Terms
from services.inventory.domain.ledger import Balance

# One value with everything that the rules say about :skus at :point_ids (null: every point) on :channel_ids
# (null: every channel). A scalar, so that it can ride on another statement.
TERMS = """
jsonb_build_object(
    'channels', (SELECT jsonb_agg(channel_id) FROM channel
                 WHERE CAST(:channel_ids AS text[]) IS NULL OR channel_id = ANY(CAST(:channel_ids AS text[]))),
    'items', (SELECT jsonb_object_agg(sku, category_path) FROM item WHERE sku = ANY(CAST(:skus AS text[]))),
    'points', (SELECT jsonb_agg(jsonb_build_array(channel_id, point_id, type))
               FROM channel_point JOIN stock_point USING (point_id)
               WHERE (CAST(:channel_ids AS text[]) IS NULL OR channel_id = ANY(CAST(:channel_ids AS text[])))
                 AND (CAST(:point_ids AS text[]) IS NULL OR point_id = ANY(CAST(:point_ids AS text[])))),
    'exclusions', (SELECT jsonb_agg(jsonb_build_array(channel_id, sku, category, reason)
                                    ORDER BY channel_id, nth)
                   FROM channel_exclusion
                   WHERE (CAST(:channel_ids AS text[]) IS NULL OR channel_id = ANY(CAST(:channel_ids AS text[])))
                     AND sku = ANY(CAST(:skus AS text[]) || CAST('{""}' AS text[]))),
    'rules', (SELECT jsonb_agg(jsonb_build_array(channel_id, sku, category, point_id, point_type, quantity))
              FROM safety_stock
              WHERE (CAST(:channel_ids AS text[]) IS NULL OR channel_id = ANY(CAST(:channel_ids AS text[])))
                AND sku = ANY(CAST(:skus AS text[]) || CAST('{""}' AS text[]))
                AND (CAST(:point_ids AS text[]) IS NULL
                     OR point_id = ANY(CAST(:point_ids AS text[]) || CAST('{""}' AS text[]))))
)
"""
_SELECT_TERMS = text(f"SELECT {TERMS} AS terms")


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
) -> dict[str, Terms]:
    """By channel; a channel that does not exist is left out."""
    found = await tx.execute(_SELECT_TERMS, terms_parameters(channel_ids, skus, point_ids))
    return to_terms(found.scalar_one())


def to_terms(value: Mapping[str, Any]) -> dict[str, Terms]:
    """Reads what TERMS gave."""
    items = {sku: tuple(path) for sku, path in (value["items"] or {}).items()}
    points: dict[str, dict[str, PointType]] = defaultdict(dict)
    for channel_id, point_id, point_type in value["points"] or ():
        points[channel_id][point_id] = PointType(point_type)
    exclusions: dict[str, list[Exclusion]] = defaultdict(list)
    for channel_id, *fields in value["exclusions"] or ():
        exclusions[channel_id].append(Exclusion(*fields))
    rules: dict[str, list[SafetyStockRule]] = defaultdict(list)
    for channel_id, sku, category, point_id, point_type, quantity in value["rules"] or ():
        kind = PointType(point_type) if point_type else None
        rules[channel_id].append(SafetyStockRule(sku, category, point_id, kind, quantity))
    return {
        channel_id: Terms(
            channel_id,
            items,
            points[channel_id],
            exclusions[channel_id],
            SafetyStockRules(rules[channel_id]),
        )
        for channel_id in value["channels"] or ()
    }


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
