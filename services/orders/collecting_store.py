"""The SQL of what is collected beside the order itself: put-backs, no-shows, and codes that are tried."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.orders import documents as doc
from services.orders.domain.model import Fulfilment
from services.orders.store import FULFILMENT_JSON


@dataclass(frozen=True, slots=True)
class NoShows:
    """E-reservations that ended, and those of them that nobody came for. `point_id`: empty, of a customer."""

    point_id: str
    ended: int
    no_shows: int


_PUT_BACKS = text(
    f"""SELECT {FULFILMENT_JSON} AS document
        FROM fulfilment f LEFT JOIN parcel p ON p.fulfilment_id = f.fulfilment_id
        WHERE (f.collection ->> 'put_back_since' IS NOT NULL AND f.collection ->> 'put_back_at' IS NULL
               OR f.put_back ->> 'since' IS NOT NULL AND f.put_back ->> 'done_at' IS NULL)
          AND (cardinality(CAST(:point_ids AS text[])) = 0 OR f.point_id = ANY(:point_ids))
        ORDER BY CAST(coalesce(f.put_back ->> 'since', f.collection ->> 'put_back_since') AS timestamptz),
                 f.fulfilment_id
        LIMIT :size"""
)

_ENDED = """
    FROM fulfilment f JOIN orders o ON o.order_id = f.order_id
    CROSS JOIN LATERAL (SELECT CAST(f.collection ->> 'overdue_at' AS timestamptz) AS overdue_at,
                               CAST(f.collection ->> 'collected_at' AS timestamptz) AS collected_at) c
    WHERE o.mode = 'e_reservation' AND coalesce(c.overdue_at, c.collected_at) IS NOT NULL
"""
_BY_STORE = text(
    f"""SELECT f.point_id, count(*) AS ended, count(c.overdue_at) AS no_shows {_ENDED}
          AND (cardinality(CAST(:point_ids AS text[])) = 0 OR f.point_id = ANY(:point_ids))
          AND coalesce(c.overdue_at, c.collected_at) >= coalesce(CAST(:since AS timestamptz), '-infinity')
          AND coalesce(c.overdue_at, c.collected_at) < coalesce(CAST(:until AS timestamptz), 'infinity')
        GROUP BY f.point_id ORDER BY f.point_id"""
)
_BY_CUSTOMER = text(
    f"""SELECT count(*) AS ended, count(c.overdue_at) AS no_shows {_ENDED}
          AND o.order_id IN (SELECT t.order_id FROM order_trait t WHERE t.digest = ANY(:digests))"""
)
_WAITING = text(
    """SELECT fulfilment_id,
              CAST(coalesce(locker ->> 'booked_at', collection ->> 'ready_at') AS timestamptz) AS coded_at
       FROM fulfilment WHERE point_id = :point_id AND state = 'ready' ORDER BY fulfilment_id"""
)
_TRY = text(
    """INSERT INTO wrong_code AS w (point_id, since, attempts) VALUES (:point_id, :now, 1)
       ON CONFLICT (point_id) DO UPDATE
           SET since = CASE WHEN w.since > :began THEN w.since ELSE :now END,
               attempts = CASE WHEN w.since > :began THEN w.attempts + 1 ELSE 1 END
       RETURNING attempts"""
)


async def waiting(tx: AsyncConnection, point_id: str) -> list[tuple[str, datetime]]:
    """All that waits at a counter: each with the instant that its code is made of."""
    return [(row.fulfilment_id, row.coded_at) for row in await tx.execute(_WAITING, {"point_id": point_id})]


async def count_attempt(tx: AsyncConnection, point_id: str, now: datetime, lasts: timedelta) -> int:
    """How many codes were tried there since the first of them, this one included; those before `lasts` are over.

    Others who try one there wait until this transaction ends.
    """
    tried = {"point_id": point_id, "now": now, "began": now - lasts}
    return int((await tx.execute(_TRY, tried)).scalar_one())


async def list_put_backs(tx: AsyncConnection, point_ids: Sequence[str], size: int) -> list[Fulfilment]:
    """At these points, or at any when none are named."""
    rows = await tx.execute(_PUT_BACKS, {"point_ids": list(point_ids), "size": size})
    return [doc.FULFILMENT.validate_python(row.document) for row in rows]


async def no_shows(
    tx: AsyncConnection, point_ids: Sequence[str], since: datetime | None, until: datetime | None
) -> list[NoShows]:
    """By store, in the order of their ids; of all when none are named."""
    asked = {"point_ids": list(point_ids), "since": since, "until": until}
    return [NoShows(row.point_id, row.ended, row.no_shows) for row in await tx.execute(_BY_STORE, asked)]


async def no_shows_of(tx: AsyncConnection, digests: Sequence[bytes]) -> NoShows:
    """Of whoever is known by one of these; nothing is known of nobody."""
    row = (await tx.execute(_BY_CUSTOMER, {"digests": list(digests)})).one()
    return NoShows("", row.ended, row.no_shows)
