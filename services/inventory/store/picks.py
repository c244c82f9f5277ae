"""Picks as they happened, and what they add up to."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.inventory.domain.picks import LEAST_UNITS, Depth, Pick, Picked, Tally
from services.inventory.store.looks import COVERS

_DEPTHS = tuple(Depth)
_OF_CATEGORY = COVERS.format(brands="CAST('{}' AS text[])", categories="CAST(:categories AS text[])")
# Which articles are of the category is worked out once for each, not for each of their picks.
_PICKED = text(
    f"""WITH covered AS MATERIALIZED (SELECT i.sku FROM item AS i WHERE {_OF_CATEGORY})
        SELECT point_id, width_bucket(on_hand, CAST(:least_units AS bigint[])) AS depth,
               CAST(sum(found) AS bigint) AS found,
               CAST(sum(found + missed) AS bigint) AS asked,
               CAST(coalesce(sum(found) FILTER (WHERE covered.sku IS NOT NULL), 0) AS bigint) AS category_found,
               CAST(coalesce(sum(found + missed) FILTER (WHERE covered.sku IS NOT NULL), 0) AS bigint)
                   AS category_asked
        FROM pick LEFT JOIN covered USING (sku)
        WHERE recorded_at > :since AND recorded_at <= :until
        GROUP BY 1, 2"""
)

_ALL_PICKED = text(
    """SELECT array_to_string(category_path, '/') AS path, point_id,
              width_bucket(on_hand, CAST(:least_units AS bigint[])) AS depth,
              CAST(sum(found) AS bigint) AS found, CAST(sum(found + missed) AS bigint) AS asked
       FROM pick JOIN item USING (sku)
       WHERE recorded_at > :since AND recorded_at <= :until
       GROUP BY 1, 2, 3"""
)


async def add(tx: AsyncConnection, picks: Sequence[Pick], at: datetime) -> None:
    """Keeps them, in one statement."""
    if picks:
        await tx.execute(
            text(
                """INSERT INTO pick (sku, point_id, on_hand, found, missed, recorded_at)
                   SELECT *, CAST(:at AS timestamptz)
                   FROM unnest(CAST(:skus AS text[]), CAST(:points AS text[]), CAST(:on_hand AS bigint[]),
                               CAST(:found AS bigint[]), CAST(:missed AS bigint[]))"""
            ),
            {
                "skus": [pick.sku for pick in picks],
                "points": [pick.point_id for pick in picks],
                "on_hand": [pick.on_hand for pick in picks],
                "found": [pick.found for pick in picks],
                "missed": [pick.missed for pick in picks],
                "at": at,
            },
        )


async def picked(tx: AsyncConnection, category: str, since: datetime, until: datetime) -> list[Picked]:
    """What was picked after an instant, up to another, everywhere; an empty category means all articles.

    An article counts for the category that it has now.
    """
    rows = await tx.execute(
        _PICKED,
        {
            "categories": [category] if category else [],
            "least_units": list(LEAST_UNITS.values()),
            "since": since,
            "until": until,
        },
    )
    return [
        Picked(
            row.point_id,
            _DEPTHS[row.depth - 1],
            Tally(row.category_found, row.category_asked),
            Tally(row.found, row.asked),
        )
        for row in rows
    ]


async def all_picked(tx: AsyncConnection, since: datetime, until: datetime) -> list[tuple[str, str, Depth, Tally]]:
    """What was picked after an instant, up to another, by category path, point and depth."""
    rows = await tx.execute(
        _ALL_PICKED, {"least_units": list(LEAST_UNITS.values()), "since": since, "until": until}
    )
    return [(row.path, row.point_id, _DEPTHS[row.depth - 1], Tally(row.found, row.asked)) for row in rows]
