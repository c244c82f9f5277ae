"""SQL of parcels on their way: who they are to their carrier, what it said, and whom to ask for news of them."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from kit.errors import NotFound
from services.orders.domain.parcels import Scan

_PARCEL = text(
    "SELECT fulfilment_id FROM parcel WHERE carrier_id = :carrier_id AND tracking_code = :tracking_code"
)
_CARRIER_EVENT = text(
    """INSERT INTO carrier_event (carrier_id, event_id, parcel_id, status, occurred_at, reason)
       VALUES (:carrier_id, :event_id, :parcel_id, :status, :occurred_at, :reason)"""
)
# The states are those of the index. One process asks at a time;
# it is asked again after a quarter of the silence, an hour to a day.
_CLAIM_SILENT = text(
    """WITH silent AS (
           SELECT p.parcel_id, greatest(p.handed_over_at, p.heard_at) AS since
           FROM parcel p JOIN fulfilment f ON f.fulfilment_id = p.fulfilment_id
           WHERE f.state IN ('handed_over', 'returning') AND p.carrier_id = ANY(:carrier_ids)
             AND greatest(p.handed_over_at, p.heard_at) <= :silent_since
             AND (p.ask_at IS NULL OR p.ask_at <= :as_of)
           ORDER BY p.ask_at NULLS FIRST, p.parcel_id LIMIT :limit FOR UPDATE OF p SKIP LOCKED
       )
       UPDATE parcel p
       SET ask_at = CAST(:as_of AS timestamptz)
           + least(greatest((:as_of - silent.since) / 4, interval '1 hour'), interval '1 day')
       FROM silent WHERE p.parcel_id = silent.parcel_id
       RETURNING p.carrier_id, p.tracking_code"""
)


async def find_parcel(tx: AsyncConnection, carrier_id: str, tracking_code: str) -> str:
    """The fulfilment whose parcel the carrier knows by this code. NotFound / PARCEL_NOT_FOUND."""
    row = (await tx.execute(_PARCEL, {"carrier_id": carrier_id, "tracking_code": tracking_code})).one_or_none()
    if row is None:
        raise NotFound("PARCEL_NOT_FOUND", "no parcel of the carrier has this code", field="tracking_code")
    return str(row.fulfilment_id)


async def save_event(tx: AsyncConnection, carrier_id: str, parcel_id: str, scan: Scan) -> None:
    """Keeps a carrier's scan as it came."""
    await tx.execute(
        _CARRIER_EVENT,
        {
            "carrier_id": carrier_id,
            "event_id": scan.event_id,
            "parcel_id": parcel_id,
            "status": scan.status,
            "occurred_at": scan.occurred_at,
            "reason": scan.reason,
        },
    )


async def claim_silent(
    tx: AsyncConnection, carrier_ids: Sequence[str], silent_since: datetime, as_of: datetime, limit: int
) -> list[tuple[str, str]]:
    """Parcels that nothing was heard of since then, to be asked for now: carrier and tracking code."""
    rows = await tx.execute(
        _CLAIM_SILENT,
        {
            "carrier_ids": list(carrier_ids),
            "silent_since": silent_since,
            "as_of": as_of,
            "limit": limit,
        },
    )
    return [(row.carrier_id, row.tracking_code) for row in rows]
