"""Channel images as they are kept: what the projector goes by, what it writes, and what is read of it."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from kit import db
from services.inventory.domain.figures import Figures, Units

ImageKey = tuple[str, str]
"""Channel and SKU."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the projector is. `terms_sequence`: the newest mark of a rule or a setting among those it took.

    A round takes every item again: the items after `round_at`, then from the first one up to `round_until`, once
    the end is passed. None: no round is on. A rule that changes meanwhile lets the round go once around from here.
    """

    sequence: int
    terms_sequence: int
    round_at: str
    round_until: str | None
    is_past_end: bool


@dataclass(frozen=True, slots=True)
class Kept:
    """One figure of an image. `sequence` is the number of its last change."""

    sku: str
    figures: Figures
    sequence: int
    changed_at: datetime


@dataclass(frozen=True, slots=True)
class Written:
    """A figure that really changed; `was` is None when it is new to the image."""

    channel_id: str
    sku: str
    available: int
    was: int | None


_PROGRESS = "SELECT sequence, terms_sequence, round_at, round_until, is_past_end FROM image_projector"
_LOOK = text(_PROGRESS)
_TAKE_TURN = text(f"{_PROGRESS} FOR UPDATE SKIP LOCKED")


async def progress(connection: AsyncConnection) -> Progress:
    """How far the projector is."""
    [row] = await db.rows(connection, _LOOK, {})
    return Progress(*row)


async def take_turn(tx: AsyncConnection) -> Progress | None:
    """Locks the projector's progress; None while another replica projects."""
    found = await db.rows(tx, _TAKE_TURN, {})
    return Progress(*found[0]) if found else None


_SAVE = text(
    """UPDATE image_projector
       SET sequence = :sequence, terms_sequence = :terms_sequence, round_at = :round_at,
           round_until = :round_until, is_past_end = :is_past_end"""
)


async def save(tx: AsyncConnection, progress: Progress) -> None:
    """Where to go on from."""
    await db.rows(
        tx,
        _SAVE,
        {
            "sequence": progress.sequence,
            "terms_sequence": progress.terms_sequence,
            "round_at": progress.round_at,
            "round_until": progress.round_until,
            "is_past_end": progress.is_past_end,
        },
    )


async def skus(tx: AsyncConnection, after: str, until: str | None, limit: int) -> list[str]:
    """Items in SKU order after one and, if that is given, up to another."""
    rows = await tx.execute(
        text(
            """SELECT sku FROM item
               WHERE sku > :after AND (CAST(:until AS text) IS NULL OR sku <= :until) ORDER BY sku LIMIT :limit"""
        ),
        {"after": after, "until": until, "limit": limit},
    )
    return list(rows.scalars())


_UNITS = text(
    """SELECT sku, array_agg(point_id), array_agg(on_hand), array_agg(on_hand - reserved - unavailable)
       FROM balance WHERE sku = ANY(CAST(:skus AS text[])) GROUP BY sku"""
)


async def units(tx: AsyncConnection, skus: Sequence[str]) -> dict[str, list[Units]]:
    """What each point has of some items."""
    # A row for each item, not for each position: a shop with hundreds of points is read in a few.
    rows = await db.rows(tx, _UNITS, {"skus": list(skus)})
    found: dict[str, list[Units]] = defaultdict(list)
    for sku, point_ids, on_hand, free in rows:
        found[sku] = list(zip(point_ids, on_hand, free, strict=True))
    return found


_WRITE = text(
    """INSERT INTO channel_image
           (channel_id, sku, available, ship, collect, show, zero_reason, sequence, changed_at)
       SELECT fresh.*, nextval('channel_image_sequence'), CAST(:now AS timestamptz)
       FROM unnest(CAST(:channel_ids AS text[]), CAST(:skus AS text[]), CAST(:available AS bigint[]),
                   CAST(:ship AS bigint[]), CAST(:collect AS bigint[]), CAST(:show AS bigint[]),
                   CAST(:zero_reasons AS text[]))
            AS fresh (channel_id, sku, available, ship, collect, show, zero_reason)
       LEFT JOIN channel_image AS kept USING (channel_id, sku)
       WHERE (kept.available, kept.ship, kept.collect, kept.show, kept.zero_reason)
             IS DISTINCT FROM (fresh.available, fresh.ship, fresh.collect, fresh.show, fresh.zero_reason)
       ON CONFLICT (channel_id, sku) DO UPDATE
           SET available = excluded.available, ship = excluded.ship, collect = excluded.collect,
               show = excluded.show, zero_reason = excluded.zero_reason, sequence = excluded.sequence,
               changed_at = excluded.changed_at
       RETURNING channel_id, sku, new.available, old.available"""
)


async def write(tx: AsyncConnection, fresh: Mapping[ImageKey, Figures], now: datetime) -> list[Written]:
    """Writes and numbers the figures that differ from what is kept. Only whoever has the turn may."""
    rows = await db.rows(
        tx,
        _WRITE,
        {
            "channel_ids": [channel_id for channel_id, _ in fresh],
            "skus": [sku for _, sku in fresh],
            "available": [one.available for one in fresh.values()],
            "ship": [one.ship for one in fresh.values()],
            "collect": [one.collect for one in fresh.values()],
            "show": [one.show for one in fresh.values()],
            "zero_reasons": [one.zero_reason for one in fresh.values()],
            "now": now,
        },
    )
    return [Written(*row) for row in rows]


_COLUMNS = "sku, available, ship, collect, show, zero_reason, sequence, changed_at"


async def read(connection: AsyncConnection, channel_id: str, skus: Sequence[str]) -> dict[str, Kept]:
    """The kept figures of some items; those that the image does not know are left out."""
    rows = await connection.execute(
        text(
            f"""SELECT {_COLUMNS} FROM channel_image
                WHERE channel_id = :channel_id AND sku = ANY(CAST(:skus AS text[]))"""
        ),
        {"channel_id": channel_id, "skus": list(skus)},
    )
    return {kept.sku: kept for kept in _kept(rows)}


async def changes(connection: AsyncConnection, channel_id: str, after: int, limit: int) -> list[Kept]:
    """The figures that changed after a number, in that order, as they stand."""
    rows = await connection.execute(
        text(
            f"""SELECT {_COLUMNS} FROM channel_image
                WHERE channel_id = :channel_id AND sequence > :after ORDER BY sequence LIMIT :limit"""
        ),
        {"channel_id": channel_id, "after": after, "limit": limit},
    )
    return _kept(rows)


async def changes_of(connection: AsyncConnection, after: Mapping[str, int], limit: int) -> list[tuple[str, Kept]]:
    """The same of several channels, each after a number of its own."""
    rows = await connection.execute(
        text(
            f"""SELECT followed.channel_id, {_COLUMNS}
                FROM unnest(CAST(:channel_ids AS text[]), CAST(:after AS bigint[]))
                         AS followed (channel_id, number),
                     LATERAL (SELECT {_COLUMNS} FROM channel_image AS kept
                              WHERE kept.channel_id = followed.channel_id AND kept.sequence > followed.number
                              ORDER BY kept.sequence LIMIT :limit) AS changed
                ORDER BY sequence LIMIT :limit"""
        ),
        {"channel_ids": list(after), "after": list(after.values()), "limit": limit},
    )
    return [(channel_id, _kept_of(*columns)) for channel_id, *columns in rows]


async def head(connection: AsyncConnection, channel_id: str) -> int:
    """The number of the newest change; 0 when there is none."""
    found = await connection.execute(
        text("SELECT max(sequence) FROM channel_image WHERE channel_id = :channel_id"), {"channel_id": channel_id}
    )
    return int(found.scalar_one() or 0)


async def count(connection: AsyncConnection, channel_id: str, after: int, until: int) -> int:
    """How many figures changed after a number and up to another."""
    found = await connection.execute(
        text(
            """SELECT count(*) FROM channel_image
               WHERE channel_id = :channel_id AND sequence > :after AND sequence <= :until"""
        ),
        {"channel_id": channel_id, "after": after, "until": until},
    )
    return int(found.scalar_one())


async def lock_untold(tx: AsyncConnection) -> dict[str, int]:
    """The channels whose changes have not all been told as events: the number that was told last."""
    await tx.execute(
        text("INSERT INTO image_told (channel_id) SELECT channel_id FROM channel ON CONFLICT DO NOTHING")
    )
    rows = await tx.execute(
        text(
            """SELECT channel_id, sequence FROM image_told
               WHERE sequence < (SELECT max(sequence) FROM channel_image AS kept
                                 WHERE kept.channel_id = image_told.channel_id)
               ORDER BY channel_id FOR UPDATE SKIP LOCKED"""
        )
    )
    return {row.channel_id: row.sequence for row in rows}


async def told(tx: AsyncConnection, channel_id: str, sequence: int) -> None:
    """Events told everything up to a number."""
    await tx.execute(
        text("UPDATE image_told SET sequence = :sequence WHERE channel_id = :channel_id"),
        {"channel_id": channel_id, "sequence": sequence},
    )


def _kept(rows: Iterable[Any]) -> list[Kept]:
    return [_kept_of(*row) for row in rows]


def _kept_of(
    sku: str,
    available: int,
    ship: int,
    collect: int,
    show: int,
    zero_reason: str,
    sequence: int,
    changed_at: datetime,
) -> Kept:
    # In the order of _COLUMNS.
    return Kept(sku, Figures(available, ship, collect, show, zero_reason), sequence, changed_at)
