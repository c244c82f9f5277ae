"""The parts of bundles, as they are kept with the items, and with the units that are held."""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.inventory.domain.bundles import Part, Parts

# The SKUs of the parts of those among `skus` that are bundles, as a text array. An expression to put into another.
PARTS_OF = """ARRAY(SELECT part ->> 'sku' FROM item, jsonb_array_elements(parts) AS part
                      WHERE parts <> '[]' AND item.sku = ANY(CAST({skus} AS text[])))"""
# The same expression as that of the index.
_PART_SKUS = "jsonb_path_query_array(parts, '$[*].sku')"


def to_parts(value: Iterable[Mapping[str, Any]] | None) -> Parts:
    """From JSON."""
    return tuple(Part(part["sku"], part["quantity"]) for part in value or ())


def from_parts(parts: Parts) -> str | None:
    """To JSON; None of what is no bundle."""
    return json.dumps([{"sku": part.sku, "quantity": part.quantity} for part in parts]) if parts else None


async def of(tx: AsyncConnection, skus: Sequence[str]) -> dict[str, Parts]:
    """The bundles among these items."""
    rows = await tx.execute(
        text("SELECT sku, parts FROM item WHERE parts <> '[]' AND sku = ANY(CAST(:skus AS text[]))"),
        {"skus": list(skus)},
    )
    return {sku: to_parts(parts) for sku, parts in rows}


async def containing(tx: AsyncConnection, skus: Sequence[str]) -> dict[str, Parts]:
    """The bundles that have one of these items as a part."""
    rows = await tx.execute(
        text(
            f"""SELECT sku, parts FROM item
                WHERE parts <> '[]' AND {_PART_SKUS} ?| CAST(:skus AS text[])"""
        ),
        {"skus": list(skus)},
    )
    return {sku: to_parts(parts) for sku, parts in rows}


async def after(tx: AsyncConnection, sku: str, limit: int) -> dict[str, Parts]:
    """All bundles in SKU order, after one."""
    rows = await tx.execute(
        text("SELECT sku, parts FROM item WHERE parts <> '[]' AND sku > :sku ORDER BY sku LIMIT :limit"),
        {"sku": sku, "limit": limit},
    )
    return {sku: to_parts(parts) for sku, parts in rows}
