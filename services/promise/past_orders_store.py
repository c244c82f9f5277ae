"""All SQL of past orders as a simulation reads them: recorded ones, and what comes out of files. Never commits.

What is read out of a file lies in temporary tables of the session that works the job: the database sorts it, and
it is gone with the session.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from pydantic import TypeAdapter
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.promise.domain.network import Destination
from services.promise.domain.past_orders import GivenStock, OrderLine
from services.promise.domain.plans import Decision

_DECISION = TypeAdapter(Decision)

# -- recorded orders ------------------------------------------------------------------------------------------

# Of an order, the first decision that kept its quote: the later ones are about what was refused or short.
_FIRST = """
    FROM decision AS d
    WHERE (CAST(:from_at AS timestamptz) IS NULL OR d.recorded_at >= :from_at)
      AND (CAST(:until_at AS timestamptz) IS NULL OR d.recorded_at < :until_at)
      AND d.document->>'quote_broken' = 'false'
      AND NOT EXISTS (SELECT FROM decision AS e WHERE e.order_id = d.order_id AND e.id < d.id
                        AND e.document->>'quote_broken' = 'false')
"""


@dataclass(frozen=True, slots=True)
class RecordedCounts:
    """Decisions of a time: how many orders' first ones, later ones, and ones that could not keep their quote."""

    first: int
    later: int
    broken: int


async def count_recorded(
    tx: AsyncConnection, from_at: datetime | None, until_at: datetime | None
) -> RecordedCounts:
    """Of the decisions recorded in a time."""
    values = {"from_at": from_at, "until_at": until_at}
    first = (await tx.execute(text(f"SELECT count(*) {_FIRST}"), values)).scalar_one()
    every = await tx.execute(
        text(
            """SELECT count(*) AS decisions, count(*) FILTER (WHERE document->>'quote_broken' = 'true') AS broken
               FROM decision AS d
               WHERE (CAST(:from_at AS timestamptz) IS NULL OR d.recorded_at >= :from_at)
                 AND (CAST(:until_at AS timestamptz) IS NULL OR d.recorded_at < :until_at)"""
        ),
        values,
    )
    row = every.one()
    return RecordedCounts(first, row.decisions - row.broken - first, row.broken)


async def recorded(
    tx: AsyncConnection, from_at: datetime | None, until_at: datetime | None, after: int, limit: int
) -> list[tuple[int, Decision]]:
    """First decisions with an id above one, in their order."""
    found = await tx.execute(
        text(f"SELECT d.id, d.document {_FIRST} AND d.id > :after ORDER BY d.id LIMIT :limit"),
        {"from_at": from_at, "until_at": until_at, "after": after, "limit": limit},
    )
    return [(row.id, _DECISION.validate_python(row.document)) for row in found]


# -- orders and stock out of files ----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class StagedOrder:
    """An order out of a file: its lines as (SKU, quantity) in the order of the file."""

    nth: int
    order_id: str
    placed_at: datetime | None
    destination: Destination
    lines: tuple[tuple[str, int], ...]


async def open_stage(tx: AsyncConnection) -> None:
    """Empty temporary tables. Sorting a large file may take longer than a statement usually may."""
    for statement in (
        "SET statement_timeout = '10min'",
        "DROP TABLE IF EXISTS pg_temp.past_line, pg_temp.past_order, pg_temp.given_stock",
        """CREATE TEMPORARY TABLE past_line (
               line bigint GENERATED ALWAYS AS IDENTITY, order_id text COLLATE "C" NOT NULL, placed_at timestamptz,
               country text NOT NULL, postcode text NOT NULL, sku text NOT NULL, quantity bigint NOT NULL)""",
        """CREATE TEMPORARY TABLE given_stock (
               sku text COLLATE "C", point_id text COLLATE "C", units bigint NOT NULL,
               PRIMARY KEY (sku, point_id))""",
    ):
        await tx.execute(text(statement))


async def close_stage(tx: AsyncConnection) -> None:
    """As it was before."""
    await tx.execute(text("DROP TABLE IF EXISTS pg_temp.past_line, pg_temp.past_order, pg_temp.given_stock"))
    await tx.execute(text("RESET statement_timeout"))


async def stage_lines(tx: AsyncConnection, lines: Sequence[OrderLine]) -> None:
    """Lines in the order of the file."""
    await tx.execute(
        text(
            """INSERT INTO past_line (order_id, placed_at, country, postcode, sku, quantity)
               SELECT order_id, placed_at, country, postcode, sku, quantity
               FROM unnest(CAST(:order_ids AS text[]), CAST(:placed AS timestamptz[]), CAST(:countries AS text[]),
                           CAST(:postcodes AS text[]), CAST(:skus AS text[]), CAST(:quantities AS bigint[]))
                    WITH ORDINALITY AS given(order_id, placed_at, country, postcode, sku, quantity, nth)
               ORDER BY nth"""
        ),
        {
            "order_ids": [line.order_id for line in lines],
            "placed": [line.placed_at for line in lines],
            "countries": [line.destination.country for line in lines],
            "postcodes": [line.destination.postcode for line in lines],
            "skus": [line.sku for line in lines],
            "quantities": [line.quantity for line in lines],
        },
    )


async def group_orders(tx: AsyncConnection, max_lines: int) -> tuple[int, int]:
    """Makes orders of the lines, in the order of their dates, then of the file. How many, and how many too long.

    An order is placed when its first row says, and goes where its first row says.
    """
    await tx.execute(
        text(
            """CREATE TEMPORARY TABLE past_order AS
               SELECT row_number() OVER (ORDER BY placed_at, first_line) AS nth, *
               FROM (SELECT order_id, min(line) AS first_line,
                            (array_agg(placed_at ORDER BY line))[1] AS placed_at,
                            (array_agg(country ORDER BY line))[1] AS country,
                            (array_agg(postcode ORDER BY line))[1] AS postcode, count(*) AS lines
                     FROM past_line GROUP BY order_id) AS grouped"""
        )
    )
    too_long = await tx.execute(text("DELETE FROM past_order WHERE lines > :most"), {"most": max_lines})
    await tx.execute(text("ALTER TABLE past_order ADD PRIMARY KEY (nth)"))
    await tx.execute(text("CREATE INDEX ON past_line (order_id, line)"))
    await tx.execute(text("ANALYZE past_order, past_line"))
    orders = (await tx.execute(text("SELECT count(*) FROM past_order"))).scalar_one()
    return orders, too_long.rowcount


async def staged(tx: AsyncConnection, after: int, limit: int) -> list[StagedOrder]:
    """Orders after one, in their order."""
    found = await tx.execute(
        text(
            """SELECT o.nth, o.order_id, o.placed_at, o.country, o.postcode, l.lines
               FROM (SELECT * FROM past_order WHERE nth > :after ORDER BY nth LIMIT :limit) AS o
               CROSS JOIN LATERAL (SELECT json_agg(json_build_array(sku, quantity) ORDER BY line) AS lines
                                   FROM past_line WHERE past_line.order_id = o.order_id) AS l
               ORDER BY o.nth"""
        ),
        {"after": after, "limit": limit},
    )
    return [
        StagedOrder(
            row.nth,
            row.order_id,
            row.placed_at,
            Destination(row.country, row.postcode),
            tuple((sku, quantity) for sku, quantity in row.lines),
        )
        for row in found
    ]


async def stage_stock(tx: AsyncConnection, given: Sequence[GivenStock]) -> int:
    """Positions of a file; of one that stands twice the first counts. How many were new."""
    added = await tx.execute(
        text(
            """INSERT INTO given_stock (sku, point_id, units)
               SELECT sku, point_id, units
               FROM unnest(CAST(:skus AS text[]), CAST(:point_ids AS text[]), CAST(:units AS bigint[]))
                    WITH ORDINALITY AS given(sku, point_id, units, nth)
               ORDER BY nth ON CONFLICT DO NOTHING"""
        ),
        {
            "skus": [one.sku for one in given],
            "point_ids": [one.point_id for one in given],
            "units": [one.units for one in given],
        },
    )
    return added.rowcount


async def given_units(tx: AsyncConnection, skus: Sequence[str]) -> dict[str, dict[str, int]]:
    """What the file gives of some SKUs, by point."""
    found = await tx.execute(
        text("SELECT sku, point_id, units FROM given_stock WHERE sku = ANY(CAST(:skus AS text[]))"),
        {"skus": list(skus)},
    )
    units: dict[str, dict[str, int]] = {}
    for row in found:
        units.setdefault(row.sku, {})[row.point_id] = row.units
    return units
