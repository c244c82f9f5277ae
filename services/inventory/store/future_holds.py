"""Reservations of units to come. What is held of a source is the sum of its lines.

Who takes units locks their deliveries and pre-orders first; who gives them back locks its reservation alone: that
only ever makes room.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.inventory.domain.future_holds import FutureLine, FutureReservation, Source, SourceKind
from services.inventory.domain.holds import Reservation, ReservationState
from services.inventory.store import feed

_HEAD = "reservation_id, channel_id, state, expires_at"


async def lock(tx: AsyncConnection, reservation_id: str) -> FutureReservation | None:
    """The reservation under lock, or None."""
    return await _one(tx, reservation_id, "FOR UPDATE")


async def read(tx: AsyncConnection, reservation_id: str) -> FutureReservation | None:
    """The reservation as committed, or None."""
    return await _one(tx, reservation_id, "")


async def _one(tx: AsyncConnection, reservation_id: str, locking: str) -> FutureReservation | None:
    rows = await tx.execute(
        text(f"SELECT {_HEAD} FROM future_reservation WHERE reservation_id = :id {locking}"),
        {"id": reservation_id},
    )
    found = await _with_lines(tx, list(rows))
    return found.get(reservation_id)


async def lock_or_create(tx: AsyncConnection, fresh: Reservation) -> tuple[FutureReservation, bool]:
    """The reservation of this id under lock, and whether it was created now."""
    created = await tx.execute(
        text(
            f"""INSERT INTO future_reservation ({_HEAD}) VALUES (:id, :channel_id, :state, :expires_at)
                ON CONFLICT DO NOTHING RETURNING reservation_id"""
        ),
        {
            "id": fresh.reservation_id,
            "channel_id": fresh.channel_id,
            "state": fresh.state.value,
            "expires_at": fresh.expires_at,
        },
    )
    if created.first():
        return FutureReservation(fresh), True
    found = await lock(tx, fresh.reservation_id)
    if found is None:
        # Its creator took it back between the two statements.
        return await lock_or_create(tx, fresh)
    return found, False


async def drop(tx: AsyncConnection, reservation_id: str) -> None:
    """Forgets one that was created now and holds nothing: its wishes were refused."""
    await tx.execute(text("DELETE FROM future_reservation WHERE reservation_id = :id"), {"id": reservation_id})


async def lock_holders(tx: AsyncConnection, delivery_ids: Iterable[str]) -> dict[str, FutureReservation]:
    """Who waits for these (locked) deliveries, by id, locked in the order of the ids."""
    rows = await tx.execute(
        text(
            f"""SELECT {_HEAD} FROM future_reservation
                WHERE reservation_id IN (
                    SELECT reservation_id FROM future_line
                    WHERE kind = 'delivery' AND source_id = ANY(CAST(:ids AS text[])))
                ORDER BY reservation_id FOR UPDATE"""
        ),
        {"ids": sorted(set(delivery_ids))},
    )
    return await _with_lines(tx, list(rows))


async def lock_due(tx: AsyncConnection, now: datetime, limit: int) -> list[FutureReservation]:
    """Held ones whose time has passed. Those under another's lock are left for the next sweep."""
    rows = await tx.execute(
        text(
            f"""SELECT {_HEAD} FROM future_reservation WHERE state = 'held' AND expires_at <= :now
                ORDER BY expires_at LIMIT :limit FOR UPDATE SKIP LOCKED"""
        ),
        {"now": now, "limit": limit},
    )
    return list((await _with_lines(tx, list(rows))).values())


async def _with_lines(tx: AsyncConnection, rows: Sequence[Any]) -> dict[str, FutureReservation]:
    # Asked after the lock is held, in a statement of its own: one that waited for the lock would give the lines as
    # they were before the wait.
    if not rows:
        return {}
    lines: dict[str, list[FutureLine]] = {row.reservation_id: [] for row in rows}
    found = await tx.execute(
        text(
            """SELECT reservation_id, kind, source_id, quantity, line_id FROM future_line
               WHERE reservation_id = ANY(CAST(:ids AS text[])) ORDER BY line_id"""
        ),
        {"ids": list(lines)},
    )
    for line in found:
        source = Source(SourceKind(line.kind), line.source_id)
        lines[line.reservation_id].append(FutureLine(source, line.quantity, line.line_id))
    return {
        row.reservation_id: FutureReservation(
            Reservation(row.reservation_id, row.channel_id, ReservationState(row.state), row.expires_at),
            tuple(lines[row.reservation_id]),
        )
        for row in rows
    }


async def held(tx: AsyncConnection, kind: SourceKind, source_ids: Iterable[str]) -> dict[str, int]:
    """Units that are waited for, by source; those that nobody waits for are left out."""
    rows = await tx.execute(
        text(
            """SELECT source_id, CAST(sum(quantity) AS bigint) AS units FROM future_line
               WHERE kind = :kind AND source_id = ANY(CAST(:ids AS text[])) GROUP BY source_id"""
        ),
        {"kind": kind.value, "ids": sorted(set(source_ids))},
    )
    return {row.source_id: row.units for row in rows}


async def write(tx: AsyncConnection, pairs: Sequence[tuple[FutureReservation, FutureReservation]]) -> None:
    """Writes locked reservations, before and after: states, lines with fewer units, new lines."""
    await _write_heads(tx, [after.life for before, after in pairs if before.life != after.life])
    changed: dict[int, int] = {}
    added: dict[str, list[Any]] = defaultdict(list)
    for before, after in pairs:
        left = {line.line_id: line.quantity for line in after.lines}
        changed.update(
            (line.line_id, left.get(line.line_id, 0))
            for line in before.lines
            if left.get(line.line_id, 0) != line.quantity
        )
        for line in after.lines:
            if not line.line_id:
                added["holders"].append(after.reservation_id)
                added["kinds"].append(line.source.kind.value)
                added["sources"].append(line.source.source_id)
                added["quantities"].append(line.quantity)
    touched = {
        source.source_id
        for before, after in pairs
        for source in (before.held() - after.held()) + (after.held() - before.held())
        if source.kind is SourceKind.DELIVERY
    }
    if touched:
        await feed.mark_coming(tx, touched)
    if changed:
        await _write_lines(tx, changed)
    if added:
        await tx.execute(
            text(
                """INSERT INTO future_line (reservation_id, kind, source_id, quantity)
                   SELECT holder, kind, source, quantity
                   FROM unnest(CAST(:holders AS text[]), CAST(:kinds AS text[]), CAST(:sources AS text[]),
                               CAST(:quantities AS bigint[]))
                        WITH ORDINALITY AS given(holder, kind, source, quantity, nth)
                   ORDER BY nth"""
            ),
            dict(added),
        )


async def _write_heads(tx: AsyncConnection, lives: Sequence[Reservation]) -> None:
    if lives:
        await tx.execute(
            text(
                """UPDATE future_reservation AS known SET state = given.state, expires_at = given.expires_at
                   FROM unnest(CAST(:ids AS text[]), CAST(:states AS text[]), CAST(:expiries AS timestamptz[]))
                        AS given(id, state, expires_at)
                   WHERE known.reservation_id = given.id"""
            ),
            {
                "ids": [life.reservation_id for life in lives],
                "states": [life.state.value for life in lives],
                "expiries": [life.expires_at for life in lives],
            },
        )


async def _write_lines(tx: AsyncConnection, quantities: dict[int, int]) -> None:
    await tx.execute(
        text(
            """WITH given AS (
                   SELECT * FROM unnest(CAST(:ids AS bigint[]), CAST(:quantities AS bigint[])) AS g(id, quantity)
               ), gone AS (
                   DELETE FROM future_line USING given WHERE line_id = given.id AND given.quantity = 0
               )
               UPDATE future_line SET quantity = given.quantity FROM given
               WHERE line_id = given.id AND given.quantity > 0"""
        ),
        {"ids": list(quantities), "quantities": list(quantities.values())},
    )


@dataclass(frozen=True, slots=True)
class SupplyDifference:
    """A source of which more is held than may be."""

    source: Source
    open: int
    held: int


async def differences(tx: AsyncConnection) -> list[SupplyDifference]:
    """Deliveries and pre-orders of which more is held than is still to come; and lines of what does not exist."""
    rows = await tx.execute(
        text(
            """SELECT line.kind, line.source_id, line.held,
                      coalesce(d.quantity - d.received, p.quantity - p.converted, 0) AS open
               FROM (SELECT kind, source_id, CAST(sum(quantity) AS bigint) AS held
                     FROM future_line GROUP BY kind, source_id) AS line
               LEFT JOIN expected_delivery AS d
                 ON line.kind = 'delivery' AND d.delivery_id = line.source_id AND d.state = 'expected'
               LEFT JOIN preorder AS p ON line.kind = 'preorder' AND p.preorder_id = line.source_id
               WHERE line.held > coalesce(d.quantity - d.received, p.quantity - p.converted, 0)
               ORDER BY line.kind, line.source_id"""
        )
    )
    return [SupplyDifference(Source(SourceKind(row.kind), row.source_id), row.open, row.held) for row in rows]
