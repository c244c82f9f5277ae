"""Cycle counts: locks, what the books said, and what happened since."""

from collections.abc import Sequence

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.inventory.domain.counts import Count, CountLine, CountState, Since
from services.inventory.domain.ledger import Position
from services.inventory.store.looks import looked_at


async def articles_of(tx: AsyncConnection, point_id: str) -> list[tuple[str, tuple[str, ...]]]:
    """The articles that the point has or had, with their category paths."""
    rows = await tx.execute(
        text(
            """SELECT sku, category_path FROM balance JOIN item USING (sku)
               WHERE point_id = :point_id ORDER BY sku"""
        ),
        {"point_id": point_id},
    )
    return [(row.sku, tuple(row.category_path)) for row in rows]


async def last_movement_id(tx: AsyncConnection) -> int:
    """The ledger's last line; under the locks of some balances, no later line of theirs has a lower number."""
    return int((await tx.execute(text("SELECT coalesce(max(movement_id), 0) FROM movement"))).scalar_one())


async def add(tx: AsyncConnection, count: Count) -> str:
    """Keeps an open count; the first article that another open count of the point has, or nothing."""
    await tx.execute(
        text(
            """INSERT INTO stock_count (count_id, point_id, state, opened_by, opened_at, last_movement_id)
               VALUES (:count_id, :point_id, :state, :opened_by, :opened_at, :last_movement_id)"""
        ),
        {
            "count_id": count.count_id,
            "point_id": count.point_id,
            "state": count.state.value,
            "opened_by": count.opened_by,
            "opened_at": count.opened_at,
            "last_movement_id": count.last_movement_id,
        },
    )
    written = await tx.execute(
        text(
            """INSERT INTO count_line (count_id, sku, point_id, open, expected)
               SELECT :count_id, sku, :point_id, true, expected
               FROM unnest(CAST(:skus AS text[]), CAST(:expected AS bigint[])) AS line(sku, expected)
               ORDER BY sku COLLATE "C"
               ON CONFLICT (sku, point_id) WHERE open DO NOTHING RETURNING sku"""
        ),
        {
            "count_id": count.count_id,
            "point_id": count.point_id,
            "skus": [line.sku for line in count.lines],
            "expected": [line.expected for line in count.lines],
        },
    )
    new = set(written.scalars())
    return next((line.sku for line in count.lines if line.sku not in new), "")


async def lock(tx: AsyncConnection, count_id: str) -> Count | None:
    """The count under lock, with its lines, or None."""
    return await _one(tx, count_id, "FOR UPDATE")


async def one(tx: AsyncConnection, count_id: str) -> Count | None:
    """The count as committed, with its lines, or None."""
    return await _one(tx, count_id, "")


async def _one(tx: AsyncConnection, count_id: str, locking: str) -> Count | None:
    found = (
        await tx.execute(
            text(
                f"""SELECT count_id, point_id, state, opened_by, opened_at, last_movement_id, ended_by, ended_at
                    FROM stock_count WHERE count_id = :count_id {locking}"""
            ),
            {"count_id": count_id},
        )
    ).first()
    if found is None:
        return None
    rows = await tx.execute(
        text(
            """SELECT sku, expected, counted, damaged, counted_at, counted_by, moved, difference, adjusted
               FROM count_line WHERE count_id = :count_id ORDER BY sku"""
        ),
        {"count_id": count_id},
    )
    lines = tuple(CountLine(*row) for row in rows)
    return Count(
        found.count_id,
        found.point_id,
        CountState(found.state),
        found.opened_by,
        found.opened_at,
        found.last_movement_id,
        lines,
        found.ended_by,
        found.ended_at,
        len(lines),
    )


async def save(tx: AsyncConnection, count: Count) -> None:
    """Writes the state and every line of a count under lock."""
    await tx.execute(
        text(
            """UPDATE stock_count SET state = :state, ended_by = :ended_by, ended_at = :ended_at
               WHERE count_id = :count_id"""
        ),
        {
            "count_id": count.count_id,
            "state": count.state.value,
            "ended_by": count.ended_by,
            "ended_at": count.ended_at,
        },
    )
    lines = count.lines
    await tx.execute(
        text(
            """UPDATE count_line AS line
               SET open = :open, counted = given.counted, damaged = given.damaged, counted_at = given.counted_at,
                   counted_by = given.counted_by, moved = given.moved, difference = given.difference,
                   adjusted = given.adjusted
               FROM unnest(CAST(:skus AS text[]), CAST(:counted AS bigint[]), CAST(:damaged AS bigint[]),
                           CAST(:times AS timestamptz[]), CAST(:people AS text[]), CAST(:moved AS bigint[]),
                           CAST(:differences AS bigint[]), CAST(:adjusted AS bigint[]))
                    AS given(sku, counted, damaged, counted_at, counted_by, moved, difference, adjusted)
               WHERE line.count_id = :count_id AND line.sku = given.sku"""
        ),
        {
            "count_id": count.count_id,
            "open": count.state is CountState.OPEN,
            "skus": [line.sku for line in lines],
            "counted": [line.counted for line in lines],
            "damaged": [line.damaged for line in lines],
            "times": [line.counted_at for line in lines],
            "people": [line.counted_by for line in lines],
            "moved": [line.moved for line in lines],
            "differences": [line.difference for line in lines],
            "adjusted": [line.adjusted for line in lines],
        },
    )


async def since(tx: AsyncConnection, count: Count) -> dict[str, Since]:
    """By SKU what happened after it was counted. The balances are locked."""
    counted = [line for line in count.lines if line.counted_at is not None]
    rows = await tx.execute(
        text(
            """SELECT line.sku, CAST(coalesce(sum(m.on_hand_delta), 0) AS bigint) AS moved,
                      (SELECT CAST(coalesce(sum(t.unknown), 0) AS bigint) FROM till_line AS t
                       WHERE t.sku = line.sku AND t.point_id = :point_id AND t.unknown > 0
                         AND t.happened_at > line.counted_at) AS unknown,
                      coalesce(bool_or(m.cause = 'count'), false) AS looked
               FROM unnest(CAST(:skus AS text[]), CAST(:times AS timestamptz[])) AS line(sku, counted_at)
               LEFT JOIN movement AS m
                 ON m.sku = line.sku AND m.point_id = :point_id AND m.movement_id > :last_movement_id
                    AND m.recorded_at > line.counted_at
               GROUP BY line.sku, line.counted_at"""
        ),
        {
            "point_id": count.point_id,
            "last_movement_id": count.last_movement_id,
            "skus": [line.sku for line in counted],
            "times": [line.counted_at for line in counted],
        },
    )
    positions = [Position(line.sku, count.point_id) for line in counted]
    at = {position.sku: when for position, when in (await looked_at(tx, positions)).items()}
    times = {line.sku: line.counted_at for line in counted if line.counted_at}
    return {
        row.sku: Since(row.moved, row.unknown, row.looked or at.get(row.sku, times[row.sku]) > times[row.sku])
        for row in rows
    }


async def of_point(tx: AsyncConnection, point_id: str, before: int, limit: int) -> Sequence[tuple[int, Count]]:
    """The newest first, before a number, without their lines: number, count."""
    rows = await tx.execute(
        text(
            """SELECT number, count_id, point_id, state, opened_by, opened_at, last_movement_id, ended_by,
                      ended_at, (SELECT count(*) FROM count_line AS l WHERE l.count_id = c.count_id) AS lines
               FROM stock_count AS c
               WHERE point_id = :point_id AND number < :before ORDER BY number DESC LIMIT :limit"""
        ),
        {"point_id": point_id, "before": before, "limit": limit},
    )
    return [
        (
            row.number,
            Count(
                row.count_id,
                row.point_id,
                CountState(row.state),
                row.opened_by,
                row.opened_at,
                row.last_movement_id,
                (),
                row.ended_by,
                row.ended_at,
                row.lines,
            ),
        )
        for row in rows
    ]
