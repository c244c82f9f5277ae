"""SQL of the history of operations: pages, exports, and what of them is summed. Never changes an operation.

A page must not cost more the rarer it is what it asks for. Frequent things stand near the newest operation: some
of those are walked first. For what is not found there, the operations of each facet that fits (a combination of
filtered values) are read from one index, newest first, and merged; facets are few, however many the operations.
"""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Date,
    FromClause,
    Row,
    Select,
    String,
    cast,
    func,
    literal,
    literal_column,
    select,
    text,
    true,
    tuple_,
)
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql import ColumnCollection

from services.payments.domain.model import Kind, Operation, State
from services.payments.store import operation_of
from services.payments.tables import operation, operation_facet

# Rows that are looked at before the facets are asked.
WALKED = 5_000
PORTION = 10_000
After = tuple[datetime, str]


@dataclass(frozen=True, slots=True)
class Filter:
    """Which operations; what is empty does not matter. The period is half open."""

    since: datetime | None = None
    until: datetime | None = None
    order_id: Sequence[str] = ()
    channel_id: Sequence[str] = ()
    point_id: Sequence[str] = ()
    provider: Sequence[str] = ()
    tender_kind: Sequence[str] = ()
    kind: Sequence[Kind] = ()
    state: Sequence[State] = ()
    currency: Sequence[str] = ()


_FACETS = ("channel_id", "point_id", "provider", "tender_kind", "kind", "state", "currency")


async def page(
    tx: AsyncConnection, wanted: Filter, after: After | None, limit: int, walked: int = WALKED
) -> list[Operation]:
    """Newest first, those after a row."""
    facets = _picked(operation_facet.c, wanted)
    if wanted.order_id:
        few = _within(operation, wanted, after).where(operation.c.order_id.in_(wanted.order_id))
        return await _read(tx, few.where(*_picked(operation.c, wanted)), operation, limit)
    if not facets:
        return await _read(tx, _within(operation, wanted, after), operation, limit)
    newest = _newest_first(_within(operation, wanted, after), operation).limit(walked).subquery("newest")
    found = await _read(tx, select(newest).where(*_picked(newest.c, wanted)), newest, limit)
    return found if len(found) == limit else await _read(tx, _merged(wanted, after, limit), operation, limit)


def _merged(wanted: Filter, after: After | None, limit: int) -> Select[Any]:
    """The newest of each facet, so many that no other can be on the page."""
    facets = select(operation_facet.c.facet).where(*_picked(operation_facet.c, wanted)).subquery("facets")
    one = operation.alias("one")
    of_facet = _within(one, wanted, after).where(literal_column("one.facet") == facets.c.facet)
    hit = _newest_first(of_facet, one).with_only_columns(one.c.intended_at, one.c.operation_id).limit(limit)
    hits = hit.correlate(facets).lateral("hit")
    newest = (
        _newest_first(select(hits).select_from(facets).join(hits, true()), hits).limit(limit).subquery("newest")
    )
    return select(operation).join(newest, newest.c.operation_id == operation.c.operation_id)


async def export(
    tx: AsyncConnection, wanted: Filter, names: Sequence[str], size: int = PORTION
) -> AsyncIterator[Sequence[Row[Any]]]:
    """Portions of these columns, newest first, from a cursor of the server: as they are at one instant."""
    # Whoever reads the file may be slow.
    await tx.execute(text("SET LOCAL idle_in_transaction_session_timeout = '10min'"))
    query = _newest_first(_within(operation, wanted, None), operation).where(*_picked(operation.c, wanted))
    if wanted.order_id:
        query = query.where(operation.c.order_id.in_(wanted.order_id))
    columns = query.with_only_columns(*(operation.c[name] for name in names))
    async with tx.stream(columns.execution_options(yield_per=size)) as rows:
        async for portion in rows.partitions():
            yield portion


async def _read(tx: AsyncConnection, query: Select[Any], of: FromClause, limit: int) -> list[Operation]:
    return [operation_of(row) for row in (await tx.execute(_newest_first(query, of).limit(limit))).all()]


def _newest_first(query: Select[Any], of: FromClause) -> Select[Any]:
    return query.order_by(of.c.intended_at.desc(), of.c.operation_id.desc())


def _within(of: FromClause, wanted: Filter, after: After | None) -> Select[Any]:
    query = select(of)
    if wanted.since:
        query = query.where(of.c.intended_at >= wanted.since)
    if wanted.until:
        query = query.where(of.c.intended_at < wanted.until)
    if after:
        query = query.where(tuple_(of.c.intended_at, of.c.operation_id) < tuple_(*map(literal, after)))
    return query


def _picked(columns: ColumnCollection[str, Any], wanted: Filter) -> list[ColumnElement[bool]]:
    return [columns[name].in_(values) for name in _FACETS if (values := getattr(wanted, name))]


# -- sums -------------------------------------------------------------------------------------------------

# By name of what totals may be kept apart by.
TOTAL_BY = ("day", "channel_id", "provider", "tender_kind")


@dataclass(frozen=True, slots=True)
class Total:
    """What succeeded; what is not kept apart is None."""

    day: date | None
    channel_id: str | None
    provider: str | None
    tender_kind: str | None
    kind: Kind
    currency: str
    operations: int
    amount_minor: int


_OF_DAY = """
    SELECT CAST(settled_at AT TIME ZONE 'UTC' AS date) AS day, channel_id, provider, tender_kind, kind, currency,
           count(*) AS operations, sum(amount_minor) AS amount_minor
    FROM operation
    WHERE state = 'succeeded' AND kind <> 'save_means' AND settled_at >= :begin AND settled_at < :end
    GROUP BY 1, 2, 3, 4, 5, 6
"""


async def totals(
    tx: AsyncConnection, from_day: date, until_day: date, live: tuple[datetime, datetime], by: Sequence[str]
) -> list[Total]:
    """Of days that are summed from their sums, of what is `live` from the operations themselves."""
    columns = ", ".join(name if name in by else f"NULL AS {name}" for name in TOTAL_BY)
    grouped = ", ".join((*(name for name in TOTAL_BY if name in by), "kind", "currency"))
    rows = await tx.execute(
        text(
            f"""SELECT {columns}, kind, currency, sum(operations) AS operations, sum(amount_minor) AS amount_minor
                FROM (SELECT * FROM operation_day WHERE day >= :from_day AND day < :until_day
                      UNION ALL SELECT * FROM ({_OF_DAY}) AS live) AS apart
                GROUP BY {grouped} ORDER BY {grouped}"""
        ),
        {"from_day": from_day, "until_day": until_day, "begin": live[0], "end": live[1]},
    )
    return [
        Total(
            row.day,
            row.channel_id,
            row.provider,
            row.tender_kind,
            Kind(row.kind),
            row.currency,
            int(row.operations),
            int(row.amount_minor),
        )
        for row in rows.all()
    ]


async def last_summed(tx: AsyncConnection) -> date | None:
    """The newest day that has its sums: every day before it has them, too."""
    found: date | None = (await tx.execute(text("SELECT max(day) FROM summed_day"))).scalar()
    return found


async def first_day(tx: AsyncConnection) -> date | None:
    """The day of the first operation that was intended: none was settled before."""
    query = select(cast(func.timezone("UTC", func.min(operation.c.intended_at), type_=String), Date))
    found: date | None = (await tx.execute(query)).scalar()
    return found


@dataclass(frozen=True, slots=True)
class WrongSum:
    """A sum of a day that is not what the ledger says; counts and minor units."""

    subject: str
    ledger: tuple[int, int]
    summed: tuple[int, int]


# The account of an order that an operation of each kind moves once, by its amount (domain/ledger.py).
_WRONG_SUMS = """
    WITH ledger AS (
        SELECT d.day, o.channel_id, o.provider, o.tender_kind, o.kind, o.currency, count(*) AS operations,
               sum(e.debit_minor + e.credit_minor) AS amount_minor
        FROM operation AS o
        JOIN summed_day AS d ON d.day = CAST(o.settled_at AT TIME ZONE 'UTC' AS date)
        JOIN entry AS e ON e.operation_id = o.operation_id
        WHERE o.state = 'succeeded' AND e.account LIKE 'order/%' AND e.account NOT LIKE '%/drawn'
        GROUP BY 1, 2, 3, 4, 5, 6)
    SELECT day, channel_id, provider, tender_kind, kind, currency,
           coalesce(l.operations, 0) AS l_operations, coalesce(l.amount_minor, 0) AS l_minor,
           coalesce(s.operations, 0) AS s_operations, coalesce(s.amount_minor, 0) AS s_minor
    FROM ledger AS l
    FULL JOIN operation_day AS s USING (day, channel_id, provider, tender_kind, kind, currency)
    WHERE (l.operations, l.amount_minor) IS DISTINCT FROM (s.operations, s.amount_minor)
    ORDER BY 1, 2, 3, 4, 5, 6 LIMIT :limit
"""


async def wrong_sums(tx: AsyncConnection, limit: int) -> list[WrongSum]:
    """Of days that are summed, some. There should be none."""
    return [
        WrongSum(
            " ".join(str(part) for part in row[:6] if part),
            (row.l_operations, int(row.l_minor)),
            (row.s_operations, int(row.s_minor)),
        )
        for row in (await tx.execute(text(_WRONG_SUMS), {"limit": limit})).all()
    ]


async def sum_day(tx: AsyncConnection, day: date, begin: datetime, end: datetime, now: datetime) -> bool:
    """Writes the sums of a day; False when it has them."""
    values = {"day": day, "now": now}
    gate = text("INSERT INTO summed_day VALUES (:day, :now) ON CONFLICT DO NOTHING RETURNING true")
    if (await tx.execute(gate, values)).first() is None:
        return False
    await tx.execute(text(f"INSERT INTO operation_day {_OF_DAY}"), {"begin": begin, "end": end})
    return True
