"""Balances and movements: locks, and the one statement that writes them, with reservations and answers."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from kit import db
from kit.db import Rows, Statement
from services.inventory.domain.holds import Reservation
from services.inventory.domain.ledger import Balance, Book, Cause, Difference, Movement, Position
from services.inventory.store import bundles

# -- locks ------------------------------------------------------------------------------------------------

# The arrays are hidden in selects: planned for any number of positions, it is planned once and not each time.
_LOCK = """SELECT b.sku, b.point_id, b.on_hand, b.reserved, b.unavailable, b.short
       FROM balance AS b
       JOIN unnest((SELECT CAST(:skus AS text[])), (SELECT CAST(:point_ids AS text[]))) AS wanted(sku, point_id)
         ON b.sku = wanted.sku AND b.point_id = wanted.point_id
       {where}
       ORDER BY b.sku, b.point_id
       FOR UPDATE OF b"""
_LOCK_BALANCES = text(_LOCK.format(where=""))
_LOCK_UNLESS_BUNDLED = text(
    _LOCK.format(
        where="""WHERE NOT EXISTS (SELECT FROM item
                                   WHERE parts <> '[]' AND sku = ANY(CAST(:skus AS text[])))"""
    )
)


async def lock(tx: AsyncConnection, positions: Iterable[Position]) -> Book:
    """The balances of these positions, locked in the one order. A missing row is all zeros."""
    return locked(await db.rows(tx, _LOCK_BALANCES, _columns(sorted(set(positions)))))


def locking_unless_bundled(positions: Iterable[Position]) -> Statement:
    """Like `lock`, for `locked`: of all, or of none when one of them is a bundle's, which moves by its parts."""
    return _LOCK_UNLESS_BUNDLED, _columns(sorted(set(positions)))


def locked(gave: Rows) -> Book:
    """What a statement that locks balances gave."""
    return Book(Balance(*row) for row in gave)


async def lock_or_create(tx: AsyncConnection, positions: Iterable[Position]) -> Book:
    """Like `lock`, for changes that may put the first unit at a position."""
    wanted = sorted(set(positions))
    await tx.execute(
        text(
            """INSERT INTO balance (sku, point_id)
               SELECT sku, point_id FROM unnest(CAST(:skus AS text[]), CAST(:point_ids AS text[]))
                    AS wanted(sku, point_id)
               ORDER BY sku COLLATE "C", point_id COLLATE "C"
               ON CONFLICT DO NOTHING"""
        ),
        _columns(wanted),
    )
    return await lock(tx, wanted)


def _columns(positions: Sequence[Position]) -> dict[str, list[str]]:
    return {"skus": [p.sku for p in positions], "point_ids": [p.point_id for p in positions]}


# -- the write --------------------------------------------------------------------------------------------

# The change, its ledger lines, its marks for the replicas, the reservations and the answer to the request stand
# or fall together, in one trip.
_WRITE = """
WITH change AS (
    SELECT * FROM unnest(
        CAST(:skus AS text[]), CAST(:point_ids AS text[]), CAST(:on_hand AS bigint[]),
        CAST(:reserved AS bigint[]), CAST(:unavailable AS bigint[]), CAST(:short AS bigint[]),
        CAST(:causes AS text[]), CAST(:actors AS text[]), CAST(:sources AS text[]), CAST(:holders AS text[]),
        CAST(:times AS timestamptz[])
    ) WITH ORDINALITY AS given(sku, point_id, on_hand, reserved, unavailable, short,
                               cause, actor, source, reservation_id, recorded_at, nth)
), total AS (
    SELECT sku, point_id, sum(on_hand) AS on_hand, sum(reserved) AS reserved,
           sum(unavailable) AS unavailable, sum(short) AS short
    FROM change GROUP BY sku, point_id
), balanced AS (
    UPDATE balance SET
        on_hand = balance.on_hand + total.on_hand,
        reserved = balance.reserved + total.reserved,
        unavailable = balance.unavailable + total.unavailable,
        short = balance.short + total.short
    FROM total WHERE balance.sku = total.sku AND balance.point_id = total.point_id
    RETURNING balance.sku
), recorded AS (
    INSERT INTO movement (sku, point_id, on_hand_delta, reserved_delta, unavailable_delta, short_delta,
                          cause, actor, source, reservation_id, recorded_at)
    SELECT sku, point_id, on_hand, reserved, unavailable, short,
           cause, actor, source, reservation_id, recorded_at
    FROM change ORDER BY nth
), marked AS (
    INSERT INTO stock_change (kind, sku, point_id) SELECT 'position', sku, point_id FROM total
), stated AS (
    UPDATE reservation SET state = given.state, expires_at = given.expires_at
    FROM unnest(CAST(:ids AS text[]), CAST(:states AS text[]), CAST(:expiries AS timestamptz[]))
         AS given(id, state, expires_at)
    WHERE reservation.reservation_id = given.id
), line AS (
    SELECT * FROM unnest(CAST(:line_ids AS text[]), CAST(:line_skus AS text[]),
                         CAST(:line_points AS text[]), CAST(:line_quantities AS bigint[]),
                         CAST(:line_parts AS jsonb[]))
         AS given(reservation_id, sku, point_id, quantity, parts)
), given_up AS (
    DELETE FROM reservation_line AS held USING line
    WHERE line.quantity = 0 AND held.reservation_id = line.reservation_id
      AND held.sku = line.sku AND held.point_id = line.point_id
), kept AS (
    INSERT INTO reservation_line (reservation_id, sku, point_id, quantity, parts)
    SELECT reservation_id, sku, point_id, quantity, parts FROM line WHERE quantity > 0
    ON CONFLICT (reservation_id, sku, point_id) DO UPDATE SET quantity = EXCLUDED.quantity
), answered AS (
    {answered}
)
-- A movement whose balance was not locked, and is not there, fails here: division by zero.
SELECT 1 / CAST((SELECT count(*) FROM total) = (SELECT count(*) FROM balanced) AS integer)
"""
_WRITE_ANSWERS = text(
    _WRITE.format(
        answered="""UPDATE request SET answer = given.answer
    FROM unnest(CAST(:requests AS text[]), CAST(:answers AS jsonb[])) AS given(request_id, answer)
    WHERE request.request_id = given.request_id"""
    )
)
_WRITE_REQUESTS = text(
    _WRITE.format(
        answered="""INSERT INTO request (request_id, digest, answer)
    SELECT * FROM unnest(CAST(:requests AS text[]), CAST(:digests AS bytea[]), CAST(:answers AS jsonb[]))
                  AS given(request_id, digest, answer)
    ORDER BY given.request_id COLLATE "C"
    """
    )
)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a repeat of the request is told. `digest` of its content: of a request that has no row yet."""

    request_id: str
    value: Mapping[str, Any]
    digest: bytes = b""


Dated = tuple[Movement, datetime]


def dated(movements: Iterable[Movement], at: datetime) -> list[Dated]:
    """Movements that were all made at one moment."""
    return [(movement, at) for movement in movements]


async def write(
    tx: AsyncConnection,
    *,
    movements: Sequence[Dated] = (),
    reservations: Sequence[tuple[Reservation, Reservation]] = (),
    answers: Sequence[Answer] = (),
) -> None:
    """Writes what was decided under the locks. `reservations` are pairs of before and after."""
    await db.rows(tx, *writing(movements=movements, reservations=reservations, answers=answers))


def writing(
    *,
    movements: Sequence[Dated] = (),
    reservations: Sequence[tuple[Reservation, Reservation]] = (),
    answers: Sequence[Answer] = (),
) -> Statement:
    """`write` as a statement. It fails as a duplicate when one of `answers` is to a request written meanwhile."""
    moved = [movement for movement, _ in movements]
    lines = [
        (
            after.reservation_id,
            position.sku,
            position.point_id,
            quantity,
            bundles.from_parts(after.parts.get(position, ())),
        )
        for before, after in reservations
        for position, quantity in sorted(_changed(before, after).items())
    ]
    restated = [
        after
        for before, after in reservations
        if (before.state, before.expires_at) != (after.state, after.expires_at)
    ]
    requests: dict[str, Any] = {
        "requests": [answer.request_id for answer in answers],
        "answers": [json.dumps(answer.value) for answer in answers],
    }
    if digests := [answer.digest for answer in answers if answer.digest]:
        requests["digests"] = digests
    return _WRITE_REQUESTS if digests else _WRITE_ANSWERS, {
        **_columns([movement.position for movement in moved]),
        "on_hand": [movement.on_hand for movement in moved],
        "reserved": [movement.reserved for movement in moved],
        "unavailable": [movement.unavailable for movement in moved],
        "short": [movement.short for movement in moved],
        "causes": [movement.cause.cause for movement in moved],
        "actors": [movement.cause.actor for movement in moved],
        "sources": [movement.cause.source for movement in moved],
        "holders": [movement.reservation_id for movement in moved],
        "times": [at for _, at in movements],
        "ids": [after.reservation_id for after in restated],
        "states": [after.state.value for after in restated],
        "expiries": [after.expires_at for after in restated],
        "line_ids": [line[0] for line in lines],
        "line_skus": [line[1] for line in lines],
        "line_points": [line[2] for line in lines],
        "line_quantities": [line[3] for line in lines],
        "line_parts": [line[4] for line in lines],
        **requests,
    }


def _changed(before: Reservation, after: Reservation) -> dict[Position, int]:
    """What is held of the positions of which it is not as much as before."""
    was = {line.position: line.quantity for line in before.lines}
    held = {line.position: line.quantity for line in after.lines}
    return {position: held.get(position, 0) for position in was | held if held.get(position) != was.get(position)}


# -- reads ------------------------------------------------------------------------------------------------


async def balances(
    tx: AsyncConnection,
    skus: Sequence[str],
    point_ids: Sequence[str],
    after: Position = Position("", ""),  # noqa: B008 - an immutable value
    limit: int | None = None,
) -> list[Balance]:
    """Balances in (sku, point) order; empty filters mean all."""
    rows = await tx.execute(
        text(
            """SELECT sku, point_id, on_hand, reserved, unavailable, short FROM balance
               WHERE (sku, point_id) > (CAST(:after_sku AS text), CAST(:after_point AS text))
                 AND (:any_sku OR sku = ANY(CAST(:skus AS text[])))
                 AND (:any_point OR point_id = ANY(CAST(:point_ids AS text[])))
               ORDER BY sku, point_id LIMIT :limit"""
        ),
        {
            "after_sku": after.sku,
            "after_point": after.point_id,
            "any_sku": not skus,
            "skus": list(skus),
            "any_point": not point_ids,
            "point_ids": list(point_ids),
            "limit": limit,
        },
    )
    return [Balance(*row) for row in rows]


async def balances_at(tx: AsyncConnection, positions: Sequence[Position]) -> list[Balance]:
    """The balances of these positions that have a row."""
    rows = await tx.execute(
        text(
            """SELECT b.sku, b.point_id, b.on_hand, b.reserved, b.unavailable, b.short FROM balance AS b
               JOIN unnest(CAST(:skus AS text[]), CAST(:point_ids AS text[])) AS wanted(sku, point_id)
                 ON b.sku = wanted.sku AND b.point_id = wanted.point_id"""
        ),
        _columns(positions),
    )
    return [Balance(*row) for row in rows]


# Each half goes along an index of its own, and stops where the page is full.
_OF_ITEMS_AND_POINTS = text(
    """SELECT DISTINCT * FROM (
           (SELECT sku, point_id, on_hand, reserved, unavailable, short FROM balance
            WHERE sku = ANY(CAST(:skus AS text[]))
              AND (sku, point_id) > (CAST(:after_sku AS text), CAST(:after_point AS text))
            ORDER BY sku, point_id LIMIT :limit)
           UNION ALL
           (SELECT sku, point_id, on_hand, reserved, unavailable, short FROM balance
            WHERE point_id = ANY(CAST(:point_ids AS text[]))
              AND (sku, point_id) > (CAST(:after_sku AS text), CAST(:after_point AS text))
            ORDER BY sku, point_id LIMIT :limit)) AS found
       ORDER BY sku, point_id LIMIT :limit"""
)


async def balances_of(
    tx: AsyncConnection, skus: Sequence[str], point_ids: Sequence[str], after: Position, limit: int
) -> list[Balance]:
    """Every balance of these items and of these points, in (sku, point) order after one."""
    rows = await db.rows(
        tx,
        _OF_ITEMS_AND_POINTS,
        {
            "skus": list(skus),
            "point_ids": list(point_ids),
            "after_sku": after.sku,
            "after_point": after.point_id,
            "limit": limit,
        },
    )
    return [Balance(*row) for row in rows]


async def movements(
    tx: AsyncConnection, sku: str, point_id: str, after: int, limit: int
) -> list[tuple[int, Movement, datetime]]:
    """Ledger lines of a SKU (at one point, or everywhere when it is empty), oldest first: id, line, when."""
    rows = await tx.execute(
        text(
            """SELECT movement_id, sku, point_id, on_hand_delta, reserved_delta, unavailable_delta, short_delta,
                      cause, actor, source, reservation_id, recorded_at
               FROM movement
               WHERE sku = :sku AND movement_id > :after
                 AND (CAST(:point_id AS text) = '' OR point_id = :point_id)
               ORDER BY movement_id LIMIT :limit"""
        ),
        {"sku": sku, "point_id": point_id, "after": after, "limit": limit},
    )
    return [
        (
            row.movement_id,
            Movement(
                Position(row.sku, row.point_id),
                row.on_hand_delta,
                row.reserved_delta,
                row.unavailable_delta,
                row.short_delta,
                Cause(row.cause, row.actor, row.source),
                row.reservation_id,
            ),
            row.recorded_at,
        )
        for row in rows
    ]


async def count_balances(tx: AsyncConnection) -> int:
    """How many rows there are."""
    return int((await tx.execute(text("SELECT count(*) FROM balance"))).scalar_one())


async def differences(tx: AsyncConnection) -> list[Difference]:
    """Positions whose balance is not the sum of its movements, of what is held, or of what is declared."""
    rows = await tx.execute(
        text(
            """SELECT sku, point_id,
                      coalesce(b.on_hand, 0), coalesce(b.reserved, 0),
                      coalesce(b.unavailable, 0), coalesce(b.short, 0),
                      coalesce(m.on_hand, 0), coalesce(m.reserved, 0),
                      coalesce(m.unavailable, 0), coalesce(m.short, 0),
                      coalesce(h.quantity, 0), coalesce(d.remaining, 0)
               FROM balance AS b
               FULL JOIN (SELECT sku, point_id, CAST(sum(on_hand_delta) AS bigint) AS on_hand,
                                 CAST(sum(reserved_delta) AS bigint) AS reserved,
                                 CAST(sum(unavailable_delta) AS bigint) AS unavailable,
                                 CAST(sum(short_delta) AS bigint) AS short
                          FROM movement GROUP BY sku, point_id) AS m USING (sku, point_id)
               FULL JOIN (SELECT coalesce(part.sku, line.sku) AS sku, point_id,
                                 CAST(sum(line.quantity * coalesce(part.quantity, 1)) AS bigint) AS quantity
                          FROM reservation_line AS line
                          LEFT JOIN jsonb_to_recordset(line.parts) AS part(sku text, quantity bigint) ON true
                          GROUP BY 1, 2) AS h USING (sku, point_id)
               FULL JOIN (SELECT sku, point_id, CAST(sum(remaining) AS bigint) AS remaining
                          FROM declaration WHERE remaining > 0 GROUP BY sku, point_id) AS d USING (sku, point_id)
               WHERE (coalesce(b.on_hand, 0), coalesce(b.reserved, 0),
                      coalesce(b.unavailable, 0), coalesce(b.short, 0))
                     <> (coalesce(m.on_hand, 0), coalesce(m.reserved, 0),
                         coalesce(m.unavailable, 0), coalesce(m.short, 0))
                  OR coalesce(b.reserved, 0) <> coalesce(h.quantity, 0)
                  OR coalesce(b.unavailable, 0) <> coalesce(d.remaining, 0)
               ORDER BY sku, point_id"""
        )
    )
    return [
        Difference(Balance(row[0], row[1], *row[2:6]), Balance(row[0], row[1], *row[6:10]), row[10], row[11])
        for row in rows
    ]
