"""Reservations: opened, locked and read, with what they hold. `ledger.write` writes them."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from kit import db
from kit.db import Rows, Statement
from services.inventory.domain.bundles import Parts
from services.inventory.domain.holds import HoldLine, Reservation, ReservationState
from services.inventory.domain.image import Terms
from services.inventory.domain.ledger import Position
from services.inventory.store import bundles, image
from services.inventory.store.image import TERMS, terms_parameters, to_terms

_OPEN = text(
    f"""WITH opened AS (
            INSERT INTO reservation (reservation_id, channel_id, state, expires_at)
            SELECT * FROM unnest(CAST(:ids AS text[]), CAST(:channels AS text[]), CAST(:states AS text[]),
                                 CAST(:expiries AS timestamptz[])) AS given(id, channel_id, state, expires_at)
            ORDER BY id COLLATE "C"
            -- A write that changes nothing: it locks the row that is there.
            ON CONFLICT (reservation_id) DO UPDATE SET channel_id = reservation.channel_id
            RETURNING reservation_id, channel_id, state, expires_at, old.reservation_id IS NULL AS created
        )
        SELECT CAST({TERMS} AS text) AS terms,
               (SELECT jsonb_agg(to_jsonb(opened)) FROM opened WHERE NOT created) AS existing"""
)


def opening(fresh: Sequence[Reservation], positions: Iterable[Position]) -> Statement:
    """Locks the reservations of these ids, creating those that are missing; for `opened`."""
    wanted = list(positions)
    return _OPEN, {
        "ids": [one.reservation_id for one in fresh],
        "channels": [one.channel_id for one in fresh],
        "states": [one.state.value for one in fresh],
        "expiries": [one.expires_at for one in fresh],
        **terms_parameters(
            sorted({one.channel_id for one in fresh}),
            sorted({position.sku for position in wanted}),
            sorted({position.point_id for position in wanted}),
        ),
    }


async def opened(
    tx: AsyncConnection, gave: Rows, fresh: Sequence[Reservation], positions: Iterable[Position], now: datetime
) -> tuple[dict[str, Reservation | None], dict[str, Terms]]:
    """By id what stood before `opening`: None for one that was created. Terms by channel that exists, at `now`."""
    [(found, existing)] = gave
    before: dict[str, Reservation | None] = {one.reservation_id: None for one in fresh}
    terms = to_terms(found, now)
    if existing:
        locked = await tx.execute(_BY_IDS, {"ids": [one["reservation_id"] for one in existing]})
        held = await _with_lines(tx, list(locked))
        before.update((one.reservation_id, one) for one in held)
        # Bundles that are held may have parts that the same ones have no more.
        parts = {part.sku for one in held for parts in one.parts.values() for part in parts}
        if not all(parts <= one.items.keys() for one in terms.values()):
            skus = parts.union(position.sku for position in positions)
            terms = await image.terms(tx, list(terms), sorted(skus), now=now)
    return before, terms


async def open_all(
    tx: AsyncConnection, fresh: Sequence[Reservation], positions: Sequence[Position], now: datetime
) -> tuple[dict[str, Reservation | None], dict[str, Terms]]:
    """`opening` and `opened`, now."""
    return await opened(tx, await db.rows(tx, *opening(fresh, positions)), fresh, positions, now)


_DROP = text("DELETE FROM reservation WHERE reservation_id = ANY(CAST(:ids AS text[]))")


def dropping(reservation_ids: Sequence[str]) -> Statement:
    """Forgets those that were created by opening them and that hold nothing: their wishes were refused."""
    return _DROP, {"ids": list(reservation_ids)}


async def drop(tx: AsyncConnection, reservation_ids: Sequence[str]) -> None:
    """`dropping`, now."""
    await db.rows(tx, *dropping(reservation_ids))


_BY_IDS = text(
    """SELECT reservation_id, channel_id, state, expires_at FROM reservation
       WHERE reservation_id = ANY(CAST(:ids AS text[]))"""
)


async def lock_all(tx: AsyncConnection, reservation_ids: Sequence[str]) -> dict[str, Reservation]:
    """Those of these ids that exist, under lock."""
    if not reservation_ids:
        return {}
    rows = await tx.execute(
        text(f"{_BY_IDS.text} ORDER BY reservation_id FOR UPDATE"), {"ids": list(reservation_ids)}
    )
    return {one.reservation_id: one for one in await _with_lines(tx, list(rows))}


async def lock(tx: AsyncConnection, reservation_id: str) -> Reservation | None:
    """The reservation under lock, or None."""
    return await _one(tx, reservation_id, "FOR UPDATE")


async def one(tx: AsyncConnection, reservation_id: str) -> Reservation | None:
    """The reservation as committed, or None."""
    return await _one(tx, reservation_id, "")


async def _one(tx: AsyncConnection, reservation_id: str, locking: str) -> Reservation | None:
    rows = await tx.execute(
        text(
            f"""SELECT reservation_id, channel_id, state, expires_at FROM reservation
                WHERE reservation_id = :reservation_id {locking}"""
        ),
        {"reservation_id": reservation_id},
    )
    found = rows.first()
    return None if found is None else (await _with_lines(tx, [found]))[0]


async def lock_due(tx: AsyncConnection, now: datetime, limit: int) -> list[Reservation]:
    """Held reservations whose time has passed. Those under another's lock are left for the next sweep."""
    rows = await tx.execute(
        text(
            """SELECT reservation_id, channel_id, state, expires_at FROM reservation
               WHERE state = 'held' AND expires_at <= :now
               ORDER BY expires_at LIMIT :limit FOR UPDATE SKIP LOCKED"""
        ),
        {"now": now, "limit": limit},
    )
    return await _with_lines(tx, list(rows))


async def holding(
    tx: AsyncConnection, reservation_ids: Sequence[str], after: str, limit: int
) -> list[Reservation]:
    """Those that hold something: of these ids, or (without ids) in the order of their ids after one."""
    rows = await tx.execute(
        text(
            """SELECT reservation_id, channel_id, state, expires_at FROM reservation
               WHERE state IN ('held', 'confirmed')
                 AND CASE WHEN :named THEN reservation_id = ANY(CAST(:ids AS text[]))
                     ELSE reservation_id > :after END
               ORDER BY reservation_id LIMIT :limit"""
        ),
        {"named": bool(reservation_ids), "ids": list(reservation_ids), "after": after, "limit": limit},
    )
    return await _with_lines(tx, list(rows))


async def _with_lines(tx: AsyncConnection, rows: Sequence[Any]) -> list[Reservation]:
    # Asked after the lock is held, in a statement of its own: one that waited for the lock would give the
    # lines as they were before the wait.
    if not rows:
        return []
    lines: dict[str, list[HoldLine]] = {row.reservation_id: [] for row in rows}
    parts: dict[str, dict[Position, Parts]] = {row.reservation_id: {} for row in rows}
    found = await tx.execute(
        text(
            """SELECT reservation_id, sku, point_id, quantity, parts FROM reservation_line
               WHERE reservation_id = ANY(CAST(:ids AS text[])) ORDER BY reservation_id, sku, point_id"""
        ),
        {"ids": list(lines)},
    )
    for line in found:
        lines[line.reservation_id].append(HoldLine(line.sku, line.point_id, line.quantity))
        if line.parts:
            parts[line.reservation_id][Position(line.sku, line.point_id)] = bundles.to_parts(line.parts)
    return [
        Reservation(
            row.reservation_id,
            row.channel_id,
            ReservationState(row.state),
            row.expires_at,
            tuple(lines[row.reservation_id]),
            parts[row.reservation_id],
        )
        for row in rows
    ]
