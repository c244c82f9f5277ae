"""Lanes between points: put, list, delete, and what they say about a day."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncEngine

from kit.errors import InvalidArgument, NotFound
from kit.values.money import Money
from services.inventory.domain import lanes, validation
from services.inventory.domain.lanes import Lane, LaneRun
from services.inventory.domain.validation import MAX_QUANTITY, Problem
from services.inventory.store import catalogue
from services.inventory.store import lanes as store
from services.inventory.usecases import check

MAX_RUNS = 50
MAX_AMOUNT = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Load:
    """What is to be carried. Weight in grams."""

    parcels: int = 0
    units: int = 0
    weight_grams: int = 0


@dataclass(frozen=True, slots=True)
class Schedule:
    """The next runs of a lane, and what the load costs on it."""

    lane: Lane
    runs: tuple[LaneRun, ...]
    cost: Money | None


class Lanes:
    """One method per RPC about lanes."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def put(self, wanted: Sequence[Lane]) -> int:
        """Creates or replaces; how many rows really changed. Their points must exist."""
        check(lanes.check(wanted))
        named = [point_id for lane in wanted for point_id in (lane.origin_id, lane.destination_id)]
        async with self._engine.begin() as tx:
            _, known = await catalogue.known(tx, [], named)
            check(lanes.check_known_points(wanted, known))
            return await store.put(tx, wanted)

    async def listed(self, point_ids: Sequence[str]) -> list[Lane]:
        """Those that begin or end at these points; no points means all."""
        check(validation.names("point_ids", point_ids))
        async with self._engine.begin() as tx:
            return await store.listed(tx, point_ids)

    async def delete(self, lane_ids: Sequence[str]) -> int:
        """How many there were."""
        check(validation.names("lane_ids", lane_ids))
        async with self._engine.begin() as tx:
            return await store.delete(tx, lane_ids)

    async def schedule(self, lane_id: str, as_of: datetime, count: int, load: Load) -> Schedule:
        """The next `count` runs at `as_of`. Raises LANE_NOT_FOUND."""
        check(
            validation.name("lane_id", lane_id),
            () if 1 <= count <= MAX_RUNS else [Problem("count", f"not between 1 and {MAX_RUNS}")],
            (
                Problem(field, f"not between 0 and {MAX_QUANTITY}")
                for field in ("parcels", "units", "weight_grams")
                if not 0 <= getattr(load, field) <= MAX_QUANTITY
            ),
        )
        async with self._engine.begin() as tx:
            lane = await store.named(tx, lane_id)
            if lane is None:
                raise NotFound("LANE_NOT_FOUND", f"there is no lane {lane_id}", lane_id=lane_id)
            points = {p.point_id: p for p in await catalogue.points(tx, [lane.origin_id, lane.destination_id])}
        found = lanes.runs(lane, points[lane.origin_id], points[lane.destination_id], as_of, count)
        cost = lanes.cost(lane, load.parcels, load.units, load.weight_grams)
        if cost and cost.amount_minor > MAX_AMOUNT:
            raise InvalidArgument("parcels", "the load costs more than can be told")
        return Schedule(lane, tuple(found), cost)
