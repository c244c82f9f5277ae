"""Lanes. Writes only rows that differ."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.inventory.domain.lanes import Lane, LaneCost, LaneDeparture

_COLUMNS = """lane_id, origin_id, destination_id, departures, transit_days, currency, per_parcel_minor,
              per_unit_minor, per_kilogram_minor"""


async def put(tx: AsyncConnection, lanes: Sequence[Lane]) -> int:
    """Creates or replaces; how many rows really changed."""
    # In one order, so that two writers of the same lanes wait for each other, never in a circle.
    ordered = sorted(lanes, key=lambda lane: lane.lane_id)
    written = await tx.execute(
        text(
            f"""INSERT INTO lane ({_COLUMNS})
                SELECT {_COLUMNS} FROM jsonb_to_recordset(CAST(:lanes AS jsonb)) AS given(
                    lane_id text, origin_id text, destination_id text, departures jsonb, transit_days integer,
                    currency text, per_parcel_minor bigint, per_unit_minor bigint, per_kilogram_minor bigint)
                ON CONFLICT (lane_id) DO UPDATE SET
                    origin_id = EXCLUDED.origin_id, destination_id = EXCLUDED.destination_id,
                    departures = EXCLUDED.departures, transit_days = EXCLUDED.transit_days,
                    currency = EXCLUDED.currency, per_parcel_minor = EXCLUDED.per_parcel_minor,
                    per_unit_minor = EXCLUDED.per_unit_minor, per_kilogram_minor = EXCLUDED.per_kilogram_minor
                WHERE (lane.origin_id, lane.destination_id, lane.departures, lane.transit_days, lane.currency,
                       lane.per_parcel_minor, lane.per_unit_minor, lane.per_kilogram_minor)
                      IS DISTINCT FROM
                      (EXCLUDED.origin_id, EXCLUDED.destination_id, EXCLUDED.departures, EXCLUDED.transit_days,
                       EXCLUDED.currency, EXCLUDED.per_parcel_minor, EXCLUDED.per_unit_minor,
                       EXCLUDED.per_kilogram_minor)
                RETURNING lane_id"""
        ),
        {"lanes": json.dumps([_to_row(lane) for lane in ordered])},
    )
    return len(written.all())


async def delete(tx: AsyncConnection, lane_ids: Sequence[str]) -> int:
    """How many there were."""
    gone = await tx.execute(
        text("DELETE FROM lane WHERE lane_id = ANY(CAST(:ids AS text[])) RETURNING lane_id"),
        {"ids": list(lane_ids)},
    )
    return len(gone.all())


async def named(tx: AsyncConnection, lane_id: str) -> Lane | None:
    """The lane of this id."""
    rows = await tx.execute(text(f"SELECT {_COLUMNS} FROM lane WHERE lane_id = :id"), {"id": lane_id})
    found = rows.mappings().first()
    return None if found is None else _to_lane(found)


async def between(tx: AsyncConnection, origin_id: str, destination_id: str) -> list[Lane]:
    """All from one point to the other, in id order."""
    rows = await tx.execute(
        text(
            f"""SELECT {_COLUMNS} FROM lane WHERE origin_id = :origin AND destination_id = :destination
                ORDER BY lane_id"""
        ),
        {"origin": origin_id, "destination": destination_id},
    )
    return [_to_lane(row) for row in rows.mappings()]


async def listed(tx: AsyncConnection, point_ids: Sequence[str]) -> list[Lane]:
    """Those that begin or end at these points, in id order; no points means all."""
    rows = await tx.execute(
        text(
            f"""SELECT {_COLUMNS} FROM lane
                WHERE :any OR origin_id = ANY(CAST(:ids AS text[])) OR destination_id = ANY(CAST(:ids AS text[]))
                ORDER BY lane_id"""
        ),
        {"any": not point_ids, "ids": list(point_ids)},
    )
    return [_to_lane(row) for row in rows.mappings()]


def _to_row(lane: Lane) -> dict[str, Any]:
    row = asdict(lane)
    row.update(row.pop("cost"))
    return row


def _to_lane(row: Mapping[Any, Any]) -> Lane:
    return Lane(
        row["lane_id"],
        row["origin_id"],
        row["destination_id"],
        tuple(LaneDeparture(**each) for each in row["departures"]),
        row["transit_days"],
        LaneCost(row["currency"], row["per_parcel_minor"], row["per_unit_minor"], row["per_kilogram_minor"]),
    )
