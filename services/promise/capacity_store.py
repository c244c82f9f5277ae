"""The SQL of capacity: limits, counters and what legs have taken. Returns domain objects; never commits.

Counters are locked in the order of their key, and no lock of another table is asked for after that.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from kit import db
from kit.db import Rows, Statement
from services.promise.domain.capacity import Counter, Limit, Limits, SetLimit
from services.promise.domain.takings import LegPlace, Taking

_SCOPE = "point_id, carrier_id, service_id, cut_off_minute, weekday, on_date"
_TYPED = """point_id text, carrier_id text, service_id text, cut_off_minute int, weekday int, on_date date,
            most int"""

# -- limits ---------------------------------------------------------------------------------------------------


async def limits(tx: AsyncConnection) -> Limits:
    """All of them."""
    found = await tx.execute(text(f"SELECT most, {_SCOPE} FROM capacity_limit"))
    return Limits(Limit(*row) for row in found)


async def list_limits(tx: AsyncConnection, point_id: str, carrier_id: str) -> list[SetLimit]:
    """Those of a point, of a carrier, or (empty) of all, in the order of their scope."""
    found = await tx.execute(
        text(
            f"""SELECT most, {_SCOPE}, set_at, set_by FROM capacity_limit
                WHERE (:point_id = '' OR point_id = :point_id) AND (:carrier_id = '' OR carrier_id = :carrier_id)
                ORDER BY point_id, carrier_id, service_id, cut_off_minute, on_date NULLS FIRST, weekday"""
        ),
        {"point_id": point_id, "carrier_id": carrier_id},
    )
    return [SetLimit(Limit(*row[:7]), row[7], row[8]) for row in found]


async def put_limits(tx: AsyncConnection, wanted: Sequence[Limit], at: datetime, actor: str) -> int:
    """Writes those that are new or differ; how many."""
    written = await tx.execute(
        text(
            f"""INSERT INTO capacity_limit AS old ({_SCOPE}, most, set_at, set_by)
                SELECT {_SCOPE}, most, :at, :actor
                FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS given ({_TYPED})
                ON CONFLICT ({_SCOPE})
                DO UPDATE SET most = excluded.most, set_at = excluded.set_at, set_by = excluded.set_by
                WHERE old.most IS DISTINCT FROM excluded.most
                RETURNING 1"""
        ),
        {"rows": json.dumps([_limit_row(one) for one in wanted]), "at": at, "actor": actor},
    )
    return len(written.all())


async def remove_limits(tx: AsyncConnection, scopes: Sequence[Limit]) -> int:
    """Removes what stands for these scopes; how many."""
    gone = await tx.execute(
        text(
            f"""DELETE FROM capacity_limit AS old
                USING jsonb_to_recordset(CAST(:rows AS jsonb)) AS given ({_TYPED})
                WHERE (old.point_id, old.carrier_id, old.service_id, old.cut_off_minute, old.weekday)
                    = (given.point_id, given.carrier_id, given.service_id, given.cut_off_minute, given.weekday)
                  AND old.on_date IS NOT DISTINCT FROM given.on_date
                RETURNING 1"""
        ),
        {"rows": json.dumps([_limit_row(one) for one in scopes])},
    )
    return len(gone.all())


def _limit_row(limit: Limit) -> dict[str, Any]:
    return {
        "point_id": limit.point_id,
        "carrier_id": limit.carrier_id,
        "service_id": limit.service_id,
        "cut_off_minute": limit.cut_off_minute,
        "weekday": limit.weekday,
        "on_date": limit.on.isoformat() if limit.on else None,
        "most": limit.most,
    }


# -- what is taken --------------------------------------------------------------------------------------------

# The arrays are hidden in selects: planned for any number of points, it is planned once and not each time.
_TAKEN = text(
    """SELECT point_id, day, carrier_id, service_id, cut_off_minute, taken FROM capacity_count
       WHERE point_id = ANY((SELECT CAST(:point_ids AS text[]))::text[])
         AND day BETWEEN CAST(:first AS date) AND CAST(:last AS date)
         AND (carrier_id = '' OR carrier_id = ANY((SELECT CAST(:carrier_ids AS text[]))::text[])) AND taken > 0"""
)


async def taken(
    tx: AsyncConnection, point_ids: Iterable[str], carrier_ids: Iterable[str], first: date, last: date
) -> dict[Counter, int]:
    """Of points, and of these carriers there, on days from `first` to `last`."""
    values = {"point_ids": list(point_ids), "carrier_ids": list(carrier_ids), "first": first, "last": last}
    return {Counter(*row[:5]): row[5] for row in await db.rows(tx, _TAKEN, values)}


_TAKING = """decision_id, leg, point_id, carrier_id, service_id, prepared_on, collected_on, cut_off_minute,
             parcels, lines"""
_OF_ORDER = text(f"SELECT {_TAKING} FROM capacity_taking WHERE order_id = :order_id ORDER BY decision_id, leg")


async def of_order(tx: AsyncConnection, order_id: str) -> list[Taking]:
    """What the legs of an order have taken."""
    return [_taking(row) for row in await db.rows(tx, _OF_ORDER, {"order_id": order_id})]


_GIVE_BACK = text(
    f"""DELETE FROM capacity_taking
        WHERE (decision_id, leg) IN (SELECT * FROM unnest(CAST(:decision_ids AS text[]), CAST(:legs AS int[])))
        RETURNING {_TAKING}"""
)


def giving_back(takings: Sequence[Taking]) -> Statement:
    """Removes them; gives those that were still there, for `takings_of`."""
    ids = {"decision_ids": [one.decision_id for one in takings], "legs": [one.leg for one in takings]}
    return _GIVE_BACK, ids


def takings_of(gave: Rows) -> list[Taking]:
    """What a statement that gives takings gave."""
    return [_taking(row) for row in gave]


_COLUMNS = """unnest(CAST(:point_ids AS text[]), CAST(:days AS date[]), CAST(:carrier_ids AS text[]),
              CAST(:service_ids AS text[]), CAST(:cut_offs AS int[]), CAST(:changes AS int[]))
              AS given (point_id, day, carrier_id, service_id, cut_off_minute, change)"""
# What is new begins at 0, so that every counter is locked by one statement, in one order.
_LOCK = text(
    f"""INSERT INTO capacity_count AS old (point_id, day, carrier_id, service_id, cut_off_minute, taken)
        SELECT point_id, day, carrier_id, service_id, cut_off_minute, 0 FROM {_COLUMNS}
        ORDER BY point_id COLLATE "C", day, carrier_id COLLATE "C", service_id COLLATE "C", cut_off_minute
        ON CONFLICT (point_id, day, carrier_id, service_id, cut_off_minute) DO UPDATE SET taken = old.taken"""
)
_CHANGE = text(
    f"""UPDATE capacity_count AS old SET taken = old.taken + given.change FROM {_COLUMNS}
        WHERE (old.point_id, old.day, old.carrier_id, old.service_id, old.cut_off_minute)
            = (given.point_id, given.day, given.carrier_id, given.service_id, given.cut_off_minute)
        RETURNING old.point_id, old.day, old.carrier_id, old.service_id, old.cut_off_minute, old.taken"""
)


def counting(changes: Mapping[Counter, int]) -> tuple[Statement, Statement]:
    """Locks counters and changes them; the second statement gives them as they are then, for `counts_of`."""
    counters = list(changes)
    values = {
        "point_ids": [one.point_id for one in counters],
        "days": [one.day for one in counters],
        "carrier_ids": [one.carrier_id for one in counters],
        "service_ids": [one.service_id for one in counters],
        "cut_offs": [one.cut_off_minute for one in counters],
        "changes": list(changes.values()),
    }
    return (_LOCK, values), (_CHANGE, values)


def counts_of(gave: Rows) -> dict[Counter, int]:
    """Counters as a statement left them."""
    return {Counter(*row[:5]): row[5] for row in gave}


_TAKE = text(
    """INSERT INTO capacity_taking (decision_id, leg, order_id, point_id, carrier_id, service_id, prepared_on,
                                    collected_on, cut_off_minute, parcels, lines)
       SELECT decision_id, leg, :order_id, point_id, carrier_id, service_id, prepared_on, collected_on,
              cut_off_minute, parcels, CAST(lines AS jsonb)
       FROM unnest(CAST(:decision_ids AS text[]), CAST(:legs AS int[]), CAST(:point_ids AS text[]),
                   CAST(:carrier_ids AS text[]), CAST(:service_ids AS text[]), CAST(:prepared AS date[]),
                   CAST(:collected AS date[]), CAST(:cut_offs AS int[]), CAST(:parcels AS int[]),
                   CAST(:lines AS text[]))
            AS given (decision_id, leg, point_id, carrier_id, service_id, prepared_on, collected_on,
                      cut_off_minute, parcels, lines)"""
)


def taking(order_id: str, takings: Sequence[Taking]) -> Statement:
    """Keeps what legs of an order take."""
    return _TAKE, {
        "order_id": order_id,
        "decision_ids": [one.decision_id for one in takings],
        "legs": [one.leg for one in takings],
        "point_ids": [one.place.point_id for one in takings],
        "carrier_ids": [one.carrier_id for one in takings],
        "service_ids": [one.service_id for one in takings],
        "prepared": [one.prepared_on for one in takings],
        "collected": [one.collected_on for one in takings],
        "cut_offs": [one.cut_off_minute for one in takings],
        "parcels": [one.parcels for one in takings],
        "lines": [json.dumps(one.place.lines) for one in takings],
    }


def _taking(row: Sequence[Any]) -> Taking:
    decision_id, leg, point_id, carrier_id, service_id, prepared_on, collected_on, cut_off, parcels, lines = row
    place = LegPlace(point_id, {int(number): quantity for number, quantity in lines.items()})
    return Taking(decision_id, leg, place, carrier_id, service_id, prepared_on, collected_on, cut_off, parcels)


_TAKERS = text(
    """SELECT order_id, array_agg(point_id ORDER BY point_id) AS point_ids FROM capacity_taking
       WHERE order_id > :after AND (cardinality(CAST(:order_ids AS text[])) = 0 OR order_id = ANY(:order_ids))
       GROUP BY order_id ORDER BY order_id LIMIT :most"""
)


async def takers(
    tx: AsyncConnection, order_ids: Sequence[str], after: str, most: int
) -> list[tuple[str, list[str]]]:
    """Orders after an id that have taken something, of these or (none named) of all: the points of their legs."""
    found = await tx.execute(_TAKERS, {"order_ids": list(order_ids), "after": after, "most": most})
    return [(row.order_id, list(row.point_ids)) for row in found]


# What a leg counts in, as `takings.Taking.counted` says.
_DIFFERENCES = text(
    """WITH part (point_id, day, carrier_id, service_id, cut_off_minute, taken) AS (
           SELECT point_id, prepared_on, '', '', -1, 1 FROM capacity_taking
           UNION ALL
           SELECT point_id, collected_on, carrier_id, service.id, cut_off.minute, parcels
           FROM capacity_taking AS one
           CROSS JOIN LATERAL (SELECT DISTINCT unnest(ARRAY['', one.service_id]) AS id) AS service
           CROSS JOIN LATERAL (SELECT DISTINCT unnest(ARRAY[-1, one.cut_off_minute]) AS minute) AS cut_off
           WHERE carrier_id <> ''),
       whole AS (
           SELECT point_id, day, carrier_id, service_id, cut_off_minute, sum(taken) AS taken
           FROM part GROUP BY point_id, day, carrier_id, service_id, cut_off_minute)
       SELECT point_id, day, carrier_id, service_id, cut_off_minute,
              coalesce(counted.taken, 0) AS counted, coalesce(whole.taken, 0) AS taken
       FROM whole FULL JOIN capacity_count AS counted
            USING (point_id, day, carrier_id, service_id, cut_off_minute)
       WHERE coalesce(counted.taken, 0) <> coalesce(whole.taken, 0)
       ORDER BY point_id, day, carrier_id, service_id, cut_off_minute LIMIT :most"""
)


async def differences(tx: AsyncConnection, most: int) -> list[tuple[Counter, int, int]]:
    """Counters that are not the sum of what legs have taken: what is counted, and that sum."""
    found = await tx.execute(_DIFFERENCES, {"most": most})
    return [(Counter(*row[:5]), row.counted, int(row.taken)) for row in found]


async def count_counters(tx: AsyncConnection) -> int:
    """How many there are."""
    return int((await tx.execute(text("SELECT count(*) FROM capacity_count"))).scalar_one())


async def forget(tx: AsyncConnection, before: date) -> int:
    """Removes the days before a date; how many counters."""
    await tx.execute(
        text("DELETE FROM capacity_taking WHERE greatest(prepared_on, collected_on) < :before"), {"before": before}
    )
    gone = await tx.execute(text("DELETE FROM capacity_count WHERE day < :before RETURNING 1"), {"before": before})
    return len(gone.all())
