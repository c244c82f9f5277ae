"""A file's records against what is known: planned in one pass over the whole, written in chunks under locks.

The records lie in a temporary table while the file is read; what may change of it becomes rows of `import_change`,
in (SKU, point) order: the order of the locks. A snapshot is merged here, in sets, by the rules of domain/ledger:
a movement for every change, `short` follows, nothing negative. What it says is true at `effective_at`; what moved
since is added again (SPEC STK-8).
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.inventory.domain.import_records import columns_of
from services.inventory.domain.imports import Counts, Delta, Heard, ImportJob, Missed
from services.inventory.domain.ledger import Position
from services.inventory.store.looks import ANY_LOOKED_SINCE, COVERS, LOOKED_SINCE

# A plan reads everything once: it may take longer than a statement of the day, and sorts in memory.
_PATIENT = "SET LOCAL statement_timeout = '30min'"
_ROOMY = "SET LOCAL work_mem = '64MB'"
# The planner cannot know how much has moved since an instant that has just passed: looking through that once for
# each record would be quadratic.
_WITHOUT_LOOPS = text("SELECT set_config('enable_nestloop', 'off', true)")
_WITH_LOOPS = text("SELECT set_config('enable_nestloop', 'on', true)")

# -- the records ------------------------------------------------------------------------------------------


async def open_stage(tx: AsyncConnection) -> None:
    """A table for the records of one file, gone with the transaction."""
    await tx.execute(text(_PATIENT))
    await tx.execute(text(_ROOMY))
    await tx.execute(_WITHOUT_LOOPS)
    await tx.execute(
        text(
            """CREATE TEMPORARY TABLE import_stage (
                   line bigint, sku text COLLATE "C", point_id text COLLATE "C", quantity bigint,
                   sequence bigint, effective_at timestamptz, cause text
               ) ON COMMIT DROP"""
        )
    )


async def stage(tx: AsyncConnection, kind: str, rows: str) -> None:
    """Some records, as `import_records` gives them."""
    if not rows:
        return
    driver = (await tx.get_raw_connection()).driver_connection
    assert driver is not None, "a connection in use has one"
    statement = f"COPY import_stage ({', '.join(columns_of(kind))}) FROM STDIN"
    async with driver.cursor() as cursor, cursor.copy(statement) as copy:
        await copy.write(rows)


# -- the plan ---------------------------------------------------------------------------------------------

_IN_SCOPE = COVERS.format(brands="CAST(:brands AS text[])", categories="CAST(:categories AS text[])")
_RECORD = "concat_ws(',', s.sku, s.point_id, s.quantity)"

_REJECT_DUPLICATES = text(
    f"""
WITH twice AS (
    SELECT sku, point_id, min(line) AS first FROM import_stage GROUP BY sku, point_id HAVING count(*) > 1
), gone AS (
    DELETE FROM import_stage AS s USING twice
    WHERE s.sku = twice.sku AND s.point_id = twice.point_id AND s.line > twice.first
    RETURNING s.line, twice.first, {_RECORD} AS record
)
INSERT INTO import_rejection (job_id, line, reason, detail, record)
SELECT :job_id, line, 'DUPLICATE', 'sku, point_id: the position stands in line ' || first, record FROM gone
ON CONFLICT DO NOTHING
"""
)
_REJECT_OTHER_ITEMS = text(
    f"""
WITH gone AS (
    DELETE FROM import_stage AS s USING item AS i WHERE i.sku = s.sku AND NOT ({_IN_SCOPE})
    RETURNING s.line, {_RECORD} AS record
)
INSERT INTO import_rejection (job_id, line, reason, detail, record)
SELECT :job_id, line, 'OUT_OF_SCOPE', 'sku: the item is of another brand or category than the file', record
FROM gone
ON CONFLICT DO NOTHING
"""
)
_DROP_LATE = text(
    f"""
WITH gone AS (
    DELETE FROM import_stage AS s WHERE {LOOKED_SINCE.format(position="s")} RETURNING s.line, {_RECORD} AS record
)
INSERT INTO import_rejection (job_id, line, reason, detail, record)
SELECT :job_id, line, 'LATE', 'the position was looked at since, by a snapshot or a count', record FROM gone
ON CONFLICT DO NOTHING
"""
)
# What moved since the snapshot, by position; also what the till sold that the books did not have.
_SINCE = """
    moved AS MATERIALIZED (
        SELECT sku, point_id, sum(units) AS units FROM (
            SELECT sku, point_id, on_hand_delta AS units FROM movement
            WHERE recorded_at > :effective_at AND on_hand_delta <> 0 AND cause <> 'snapshot'
            UNION ALL
            SELECT sku, point_id, -unknown FROM till_line WHERE unknown > 0 AND happened_at > :effective_at
        ) AS each GROUP BY sku, point_id
    )
"""
_DECLARED_BEFORE = """
    SELECT DISTINCT sku, point_id FROM declaration
    WHERE remaining > 0 AND declared_at <= :effective_at AND point_id = ANY(CAST(:point_ids AS text[]))
"""
# One join over the whole. Records that say what is known already end here: they are neither locked nor written.
_PLAN_SNAPSHOT = f"""
WITH {_SINCE}, declared AS MATERIALIZED ({_DECLARED_BEFORE})
INSERT INTO import_change (job_id, nth, line, sku, point_id, quantity)
SELECT :job_id, row_number() OVER (ORDER BY coalesce(s.sku, b.sku), coalesce(s.point_id, b.point_id)),
       coalesce(s.line, 0), coalesce(s.sku, b.sku), coalesce(s.point_id, b.point_id), coalesce(s.quantity, 0)
FROM import_stage AS s
{{join}} JOIN (SELECT sku, point_id, on_hand, unavailable FROM balance
               WHERE point_id = ANY(CAST(:point_ids AS text[]))) AS b
     ON b.sku = s.sku AND b.point_id = s.point_id
LEFT JOIN moved AS m ON m.sku = s.sku AND m.point_id = s.point_id
LEFT JOIN declared AS d ON d.sku = s.sku AND d.point_id = s.point_id
WHERE CASE WHEN s.sku IS NULL THEN {{absent}}
      ELSE s.quantity IS NOT NULL
           AND (b.on_hand IS DISTINCT FROM s.quantity + coalesce(m.units, 0) OR d.sku IS NOT NULL) END
"""
_ABSENT = """
    (b.on_hand <> 0 OR b.unavailable <> 0) AND NOT ({looked_since}) AND {in_scope}
"""
_REJECT_UNSTOCKED = text(
    f"""
WITH gone AS (
    DELETE FROM import_change AS s WHERE s.job_id = :job_id
      AND NOT EXISTS (SELECT FROM item WHERE item.sku = s.sku AND item.parts = '[]')
    RETURNING s.line, s.sku, {_RECORD} AS record
)
INSERT INTO import_rejection (job_id, line, reason, detail, record)
SELECT :job_id, line, CASE WHEN item.sku IS NULL THEN 'UNKNOWN_ITEM' ELSE 'BUNDLE_HAS_NO_STOCK' END,
       CASE WHEN item.sku IS NULL THEN 'sku: there is no item ' || gone.sku
            ELSE 'sku: ' || gone.sku || ' is a bundle: its parts have stock, it has none' END, record
FROM gone LEFT JOIN item USING (sku)
"""
)
_ANY_REJECTED = text("SELECT EXISTS (SELECT FROM import_stage WHERE quantity IS NULL)")
_SPEAK_OF_SCOPE = text(
    """
INSERT INTO snapshot_scope (point_id, item_scope, brands, categories, effective_at, job_id)
SELECT point_id, :item_scope, CAST(:brands AS text[]), CAST(:categories AS text[]), :effective_at, :job_id
FROM unnest(CAST(:point_ids AS text[])) AS named(point_id) ORDER BY point_id COLLATE "C"
ON CONFLICT (point_id, item_scope) DO UPDATE SET effective_at = EXCLUDED.effective_at, job_id = EXCLUDED.job_id
WHERE snapshot_scope.effective_at < EXCLUDED.effective_at
"""
)
_SPEAK_OF_POSITIONS = text(
    """
INSERT INTO snapshot_position (sku, point_id, effective_at)
SELECT sku, point_id, :effective_at FROM (
    SELECT sku, point_id FROM import_stage AS s
    WHERE quantity IS NOT NULL AND EXISTS (SELECT FROM item WHERE item.sku = s.sku AND item.parts = '[]')
    UNION ALL
    SELECT sku, point_id FROM import_change WHERE job_id = :job_id AND line = 0
) AS spoken
ORDER BY sku, point_id
ON CONFLICT (sku, point_id) DO UPDATE SET effective_at = EXCLUDED.effective_at
WHERE snapshot_position.effective_at < EXCLUDED.effective_at
"""
)


async def plan_snapshot(tx: AsyncConnection, job: ImportJob, *, zero: bool, ordered: bool) -> None:
    """Judges the records against each other and the catalogue, and writes down which may change something.

    A record without a quantity was rejected: it only says that its position is not absent. `zero`: absent ones
    have nothing. `ordered`: no position stands twice.
    """
    values = {
        "job_id": job.job_id,
        "point_ids": list(job.point_ids),
        "brands": list(job.brands),
        "categories": list(job.categories),
        "effective_at": job.effective_at,
    }
    narrowed = job.brands or job.categories
    if not ordered:
        await tx.execute(_REJECT_DUPLICATES, {"job_id": job.job_id})
    if narrowed:
        await tx.execute(_REJECT_OTHER_ITEMS, values)
    looked_since = (await tx.execute(ANY_LOOKED_SINCE, values)).scalar_one()
    if looked_since:
        await tx.execute(_DROP_LATE, values)
    absent = _ABSENT.format(
        in_scope=f"(SELECT {_IN_SCOPE} FROM item AS i WHERE i.sku = b.sku)" if narrowed else "true",
        looked_since=LOOKED_SINCE.format(position="b") if looked_since else "false",
    )
    plan = _PLAN_SNAPSHOT.format(join="FULL" if zero else "LEFT", absent=absent if zero else "false")
    await tx.execute(text(plan), values)
    await tx.execute(_REJECT_UNSTOCKED, {"job_id": job.job_id})
    # A position whose record was rejected keeps its figure: the scope as a whole was not looked at.
    if zero and not (await tx.execute(_ANY_REJECTED)).scalar_one():
        await tx.execute(_SPEAK_OF_SCOPE, values | {"item_scope": _item_scope(job)})
    else:
        await tx.execute(_SPEAK_OF_POSITIONS, values)


def _item_scope(job: ImportJob) -> str:
    return "\n".join((*sorted(job.brands), "", *sorted(job.categories))) if job.brands or job.categories else ""


async def plan_deltas(tx: AsyncConnection, job: ImportJob) -> None:
    """Writes the records down in the order in which they are decided."""
    await tx.execute(
        text(
            """INSERT INTO import_change
                   (job_id, nth, line, sku, point_id, quantity, sequence, effective_at, cause)
               SELECT :job_id,
                      row_number() OVER (ORDER BY sku, point_id, sequence NULLS LAST, effective_at, line),
                      line, sku, point_id, quantity, sequence, effective_at, cause
               FROM import_stage"""
        ),
        {"job_id": job.job_id},
    )
    await tx.execute(_REJECT_UNSTOCKED, {"job_id": job.job_id})


# -- snapshots --------------------------------------------------------------------------------------------

_CREATE_BALANCES = text(
    """
INSERT INTO balance (sku, point_id)
SELECT c.sku, c.point_id FROM import_change AS c
WHERE c.job_id = :job_id AND c.nth > :after AND c.nth <= :last AND c.quantity > 0
  AND NOT EXISTS (SELECT FROM balance AS b WHERE b.sku = c.sku AND b.point_id = c.point_id)
ORDER BY c.sku, c.point_id
ON CONFLICT DO NOTHING
"""
)
_LOCK_BALANCES = text(
    """
WITH locked AS (
    SELECT 1 FROM import_change AS c JOIN balance AS b ON b.sku = c.sku AND b.point_id = c.point_id
    WHERE c.job_id = :job_id AND c.nth > :after AND c.nth <= :last
    ORDER BY b.sku, b.point_id FOR UPDATE OF b
)
SELECT count(*) FROM locked
"""
)
# What was counted since the plan is late after all: a count closes under the lock of its balance.
_DROP_COUNTED = text(
    """
WITH gone AS (
    DELETE FROM import_change AS s
    WHERE s.job_id = :job_id AND s.nth > :after AND s.nth <= :last
      AND EXISTS (SELECT FROM count_line AS l WHERE l.sku = s.sku AND l.point_id = s.point_id
                  AND l.adjusted IS NOT NULL AND l.counted_at > :effective_at)
    RETURNING s.line, concat_ws(',', s.sku, s.point_id, s.quantity) AS record
), told AS (
    INSERT INTO import_rejection (job_id, line, reason, detail, record)
    SELECT :job_id, line, 'LATE', 'the position was counted since', record FROM gone WHERE line > 0
)
SELECT count(*) FILTER (WHERE line > 0) FROM gone
"""
)
# Every figure is read anew under the locks: what moved since the plan is in both the balance and the movements.
_NOTE_MOVED = text(
    f"""
WITH {_SINCE}
UPDATE import_change AS c SET moved = m.units FROM moved AS m
WHERE c.job_id = :job_id AND c.nth > :after AND c.nth <= :last AND c.sku = m.sku AND c.point_id = m.point_id
"""
)
_MERGE = text(
    """
WITH part AS MATERIALIZED (
    SELECT line, sku, point_id, quantity + moved AS told FROM import_change
    WHERE job_id = :job_id AND nth > :after AND nth <= :last
), ended AS (
    UPDATE declaration AS d SET remaining = 0, ended_at = :now, ended_by = 'snapshot'
    FROM part
    WHERE d.sku = part.sku AND d.point_id = part.point_id AND d.remaining > 0 AND d.declared_at <= :effective_at
    RETURNING d.sku, d.point_id, old.remaining AS units
), returned AS (
    SELECT sku, point_id, sum(units) AS units FROM ended GROUP BY sku, point_id
), target AS (
    SELECT part.line, b.sku, b.point_id, b.on_hand, b.reserved, b.short,
           part.told, least(b.unavailable, coalesce(r.units, 0)) AS returned
    FROM part JOIN balance AS b ON b.sku = part.sku AND b.point_id = part.point_id
    LEFT JOIN returned AS r ON r.sku = part.sku AND r.point_id = part.point_id
), change AS (
    SELECT line, sku, point_id, returned, greatest(told, 0) - on_hand AS moved, greatest(told, 0) AS on_hand,
           greatest(reserved - greatest(told, 0), 0) - short AS missed,
           greatest(reserved - greatest(told, 0), 0) AS short
    FROM target WHERE greatest(told, 0) <> on_hand OR returned <> 0
), balanced AS (
    UPDATE balance AS b SET on_hand = CAST(c.on_hand AS bigint), short = CAST(c.short AS bigint),
                            unavailable = b.unavailable - CAST(c.returned AS bigint)
    FROM change AS c WHERE b.sku = c.sku AND b.point_id = c.point_id
), recorded AS (
    INSERT INTO movement (sku, point_id, on_hand_delta, reserved_delta, unavailable_delta, short_delta,
                          cause, actor, source, reservation_id, recorded_at)
    -- Dated when it was looked, as a count is: what is told later of an earlier moment is in it.
    SELECT sku, point_id, moved, 0, -returned, missed, 'snapshot', :actor, :job_id, '', :effective_at
    FROM change ORDER BY sku, point_id
), marked AS (
    INSERT INTO stock_change (kind, sku, point_id) SELECT 'position', sku, point_id FROM change
)
SELECT (SELECT count(*) FROM part WHERE line > 0) AS records,
       (SELECT count(*) FROM change WHERE line > 0) AS changed,
       (SELECT count(*) FROM change WHERE line = 0) AS zeroed,
       (SELECT count(*) FROM target WHERE told < 0) AS below_zero,
       (SELECT jsonb_agg(jsonb_build_array(point_id, sku, moved, on_hand, short) ORDER BY point_id, sku)
        FROM change WHERE missed > 0) AS missed
"""
)


async def merge_snapshot(
    tx: AsyncConnection, job: ImportJob, last: int, now: datetime
) -> tuple[Counts, list[Missed]]:
    """Writes what the changes after `job.worked` up to `last` really change; what became of them."""
    chunk = {"job_id": job.job_id, "after": job.worked, "last": last}
    await tx.execute(_CREATE_BALANCES, chunk)
    await tx.execute(_LOCK_BALANCES, chunk)
    late = (await tx.execute(_DROP_COUNTED, chunk | {"effective_at": job.effective_at})).scalar_one()
    # An old snapshot may have much to add again. It must not fail for that, and be tried for ever.
    await tx.execute(text(_PATIENT))
    await tx.execute(_WITHOUT_LOOPS)
    await tx.execute(_NOTE_MOVED, chunk | {"effective_at": job.effective_at})
    await tx.execute(_WITH_LOOPS)
    merged = await tx.execute(_MERGE, chunk | {"effective_at": job.effective_at, "actor": job.actor, "now": now})
    row = merged.one()
    counts = Counts(
        changed=row.changed,
        unchanged=row.records - row.changed,
        late=late,
        zeroed=row.zeroed,
        below_zero=row.below_zero,
    )
    return counts, [Missed(*one) for one in row.missed or ()]


# -- deltas -----------------------------------------------------------------------------------------------


async def deltas(tx: AsyncConnection, job: ImportJob, last: int) -> list[Delta]:
    """The records after `job.worked` up to one, in order."""
    found = await tx.execute(
        text(
            """SELECT nth, line, sku, point_id, quantity, sequence, effective_at, cause FROM import_change
               WHERE job_id = :job_id AND nth > :after AND nth <= :last ORDER BY nth"""
        ),
        {"job_id": job.job_id, "after": job.worked, "last": last},
    )
    return [
        Delta(
            row.nth,
            row.line,
            Position(row.sku, row.point_id),
            row.quantity,
            row.sequence,
            row.effective_at,
            row.cause,
        )
        for row in found
    ]


_NAMED = "unnest(CAST(:skus AS text[]), CAST(:point_ids AS text[])) AS s(sku, point_id)"


async def heard(tx: AsyncConnection, source: str, positions: Iterable[Position]) -> dict[Position, Heard]:
    """The newest delta of a source that was applied, by position."""
    found = await tx.execute(
        text(
            f"""SELECT o.sku, o.point_id, o.sequence, o.effective_at FROM {_NAMED}
                JOIN delta_order AS o ON o.source = :source AND o.sku = s.sku AND o.point_id = s.point_id"""
        ),
        _columns(positions) | {"source": source},
    )
    return {Position(row.sku, row.point_id): Heard(row.sequence, row.effective_at) for row in found}


async def remember_heard(tx: AsyncConnection, source: str, newest: Mapping[Position, Heard]) -> None:
    """From now on deltas that are not newer are late."""
    if not newest:
        return
    given: dict[str, Any] = _columns(newest) | {
        "source": source,
        "sequences": [newest[position].sequence for position in sorted(newest)],
        "instants": [newest[position].effective_at for position in sorted(newest)],
    }
    await tx.execute(
        text(
            """INSERT INTO delta_order (source, sku, point_id, sequence, effective_at)
               SELECT :source, * FROM unnest(CAST(:skus AS text[]), CAST(:point_ids AS text[]),
                                             CAST(:sequences AS bigint[]), CAST(:instants AS timestamptz[]))
               ON CONFLICT (source, sku, point_id)
               DO UPDATE SET sequence = EXCLUDED.sequence, effective_at = EXCLUDED.effective_at"""
        ),
        given,
    )


def _columns(positions: Iterable[Position]) -> dict[str, list[str]]:
    wanted = sorted(set(positions))
    return {"skus": [p.sku for p in wanted], "point_ids": [p.point_id for p in wanted]}
