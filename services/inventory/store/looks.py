"""When somebody last looked at a shelf: a snapshot that spoke of a position, or a closed count of it.

A look sets the books right as of its own instant. What happened before it is in it, whenever that is told; what
another look said of an earlier instant is late.
"""

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.inventory.domain.ledger import Position

# Whether the item `i` is among these brands and categories, where empty lists mean all.
COVERS = """
    (cardinality({brands}) = 0 OR i.brand = ANY({brands}))
    AND (cardinality({categories}) = 0 OR i.category_path && {categories}
         OR EXISTS (SELECT FROM generate_series(2, cardinality(i.category_path)) AS n
                    WHERE array_to_string(i.category_path[1:n], '/') = ANY({categories})))
"""
_BY_SCOPE = COVERS.format(brands="c.brands", categories="c.categories")
# Whether a position was looked at after :effective_at. `position` is the alias of what has its sku and point_id.
LOOKED_SINCE = f"""
    (EXISTS (SELECT FROM snapshot_position AS p
             WHERE p.sku = {{position}}.sku AND p.point_id = {{position}}.point_id
               AND p.effective_at > :effective_at)
     OR EXISTS (SELECT FROM snapshot_scope AS c
                WHERE c.point_id = {{position}}.point_id AND c.effective_at > :effective_at
                  AND (SELECT {_BY_SCOPE} FROM item AS i WHERE i.sku = {{position}}.sku))
     OR EXISTS (SELECT FROM count_line AS l
                WHERE l.sku = {{position}}.sku AND l.point_id = {{position}}.point_id
                  AND l.adjusted IS NOT NULL AND l.counted_at > :effective_at))
"""
# Whether anything at :point_ids was; usually nothing was, and nobody has to ask for each position.
ANY_LOOKED_SINCE = text(
    """SELECT EXISTS (SELECT FROM snapshot_scope
                      WHERE point_id = ANY(CAST(:point_ids AS text[])) AND effective_at > :effective_at)
           OR EXISTS (SELECT FROM snapshot_position
                      WHERE point_id = ANY(CAST(:point_ids AS text[])) AND effective_at > :effective_at)
           OR EXISTS (SELECT FROM count_line
                      WHERE point_id = ANY(CAST(:point_ids AS text[])) AND adjusted IS NOT NULL
                        AND counted_at > :effective_at)"""
)
_LOOKED_AT = text(
    f"""WITH asked AS (
            SELECT * FROM unnest(CAST(:skus AS text[]), CAST(:point_ids AS text[])) AS given(sku, point_id)
        ), looks AS (
            SELECT p.sku, p.point_id, p.effective_at AS at
            FROM asked JOIN snapshot_position AS p ON p.sku = asked.sku AND p.point_id = asked.point_id
            UNION ALL
            SELECT asked.sku, asked.point_id, c.effective_at
            FROM asked JOIN item AS i ON i.sku = asked.sku
            JOIN snapshot_scope AS c ON c.point_id = asked.point_id AND {_BY_SCOPE}
            UNION ALL
            SELECT l.sku, l.point_id, l.counted_at
            FROM asked JOIN count_line AS l ON l.sku = asked.sku AND l.point_id = asked.point_id
            WHERE l.adjusted IS NOT NULL
        )
        SELECT sku, point_id, max(at) AS at FROM looks GROUP BY sku, point_id"""
)


async def looked_at(tx: AsyncConnection, positions: Iterable[Position]) -> dict[Position, datetime]:
    """The instant of the newest look at each position, where there was one."""
    wanted = sorted(set(positions))
    found = await tx.execute(
        _LOOKED_AT, {"skus": [p.sku for p in wanted], "point_ids": [p.point_id for p in wanted]}
    )
    return {Position(row.sku, row.point_id): row.at for row in found}


async def looked_since(
    tx: AsyncConnection, positions: Iterable[Position], instant: datetime
) -> frozenset[Position]:
    """The positions that were looked at, at this instant or later."""
    return frozenset(position for position, at in (await looked_at(tx, positions)).items() if at >= instant)
