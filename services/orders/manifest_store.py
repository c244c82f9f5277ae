"""SQL of manifests."""

from typing import Any

from pydantic import TypeAdapter
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from kit.errors import NotFound
from services.orders.domain.manifests import Manifest, ManifestParcel

_PARCELS = TypeAdapter(tuple[ManifestParcel, ...])
_PACKED = text(
    """SELECT fulfilment_id FROM fulfilment
       WHERE state = 'packed' AND point_id = :point_id AND carrier_id = :carrier_id
       ORDER BY hand_over_by, fulfilment_id"""
)
_ADD = text(
    """INSERT INTO manifest (manifest_id, point_id, carrier_id, actor, closed_at, parcels)
       VALUES (:manifest_id, :point_id, :carrier_id, :actor, :closed_at, CAST(:parcels AS jsonb))"""
)
_READ = "SELECT manifest_id, number, point_id, carrier_id, actor, closed_at, parcels FROM manifest"
_READ_ONE = text(f"{_READ} WHERE manifest_id = :manifest_id")
_LIST = text(
    f"""{_READ} WHERE point_id = :point_id AND (:before = 0 OR number < :before)
        ORDER BY number DESC LIMIT :size"""
)


async def packed(tx: AsyncConnection, point_id: str, carrier_id: str) -> list[str]:
    """Works whose parcels wait for a carrier at a point, what must leave first first."""
    rows = await tx.execute(_PACKED, {"point_id": point_id, "carrier_id": carrier_id})
    return list(rows.scalars())


async def add(tx: AsyncConnection, manifest: Manifest) -> None:
    """Keeps it; its number is given here."""
    values = {
        "manifest_id": manifest.manifest_id,
        "point_id": manifest.point_id,
        "carrier_id": manifest.carrier_id,
        "actor": manifest.actor,
        "closed_at": manifest.closed_at,
    }
    parcels = _PARCELS.dump_json(tuple(manifest.parcels)).decode()
    await tx.execute(_ADD, {**values, "parcels": parcels})


async def read(tx: AsyncConnection, manifest_id: str) -> Manifest:
    """NotFound / MANIFEST_NOT_FOUND."""
    row = (await tx.execute(_READ_ONE, {"manifest_id": manifest_id})).one_or_none()
    if row is None:
        raise no_manifest(manifest_id)
    return _to_manifest(row)


async def list_of(tx: AsyncConnection, point_id: str, before: int, size: int) -> list[Manifest]:
    """Of a point, newest first, before a number (0: from the newest)."""
    rows = await tx.execute(_LIST, {"point_id": point_id, "before": before, "size": size})
    return [_to_manifest(row) for row in rows]


def no_manifest(manifest_id: str) -> NotFound:
    """What is answered about a manifest that does not exist, or not for the caller."""
    return NotFound(
        "MANIFEST_NOT_FOUND", "there is no such manifest", field="manifest_id", manifest_id=manifest_id
    )


def _to_manifest(row: Any) -> Manifest:
    return Manifest(
        row.manifest_id,
        row.number,
        row.point_id,
        row.carrier_id,
        row.actor,
        row.closed_at,
        _PARCELS.validate_python(row.parcels),
    )
