"""Points and their stock as columns: what is asked of hundreds of points is asked of all of them at once."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from services.promise.domain.geography import distance_kilometres
from services.promise.domain.network import (
    SHIP_FROM_STORE,
    Point,
    PointType,
    Position,
    StockPosition,
)

Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

# Distances to so many destinations are remembered.
_DESTINATIONS = 256


@dataclass(frozen=True, slots=True)
class StockColumns:
    """Positions of one SKU as one channel sees them for one purpose: those that it may take, in no order."""

    point_ids: Sequence[str]
    free: Ints
    safety_stock: Ints
    routing_buffer: Ints


@runtime_checkable
class InColumns(Protocol):
    """Positions that are kept in columns."""

    def columns(self, channel_id: str, purpose: str) -> StockColumns: ...


def columns_of(positions: Mapping[str, StockPosition], channel_id: str, purpose: str) -> StockColumns:
    """Of one SKU, however its positions are kept."""
    if isinstance(positions, InColumns):
        return positions.columns(channel_id, purpose)
    able = [(key, one) for key, one in positions.items() if one.allows(channel_id, purpose)]
    return StockColumns(
        [point_id for point_id, _ in able],
        np.array([one.free for _, one in able], np.int64),
        np.array([one.safety_stock[channel_id] for _, one in able], np.int64),
        np.array([one.routing_buffers.get(channel_id, 0) for _, one in able], np.int64),
    )


class PointColumns:
    """The points of a network, in the order of their ids."""

    def __init__(self, points: Mapping[str, Point]) -> None:
        self.by_id = points
        self.points = [points[point_id] for point_id in sorted(points)]
        self.row = {point.point_id: row for row, point in enumerate(self.points)}
        self.ship = self._where(
            lambda point: point.type is not PointType.STORE or SHIP_FROM_STORE in point.capabilities
        )
        kinds = [point.type for point in self.points]
        self._types = {kind: np.array([one is kind for one in kinds], np.bool_) for kind in PointType}
        self._visited: dict[str, Bools] = {}
        self._carrying: dict[str, Bools] = {}
        self._kilometres: dict[Position, Floats] = {}

    def by_type(self, value: Callable[[PointType], int]) -> Ints:
        """A figure of each point that depends on its type alone."""
        column = np.zeros(len(self.points), np.int64)
        for kind, where in self._types.items():
            column[where] = value(kind)
        return column

    def visited_by(self, carrier_id: str) -> Bools:
        """Where a carrier comes at all."""
        if carrier_id not in self._visited:
            self._visited[carrier_id] = self._where(
                lambda point: any(one.carrier_id == carrier_id for one in point.collections)
            )
        return self._visited[carrier_id]

    def carry(self, brand: str) -> Bools:
        """Where a brand may be sold from."""
        if brand not in self._carrying:
            self._carrying[brand] = self._where(lambda point: not point.brands or brand in point.brands)
        return self._carrying[brand]

    def able(self, capabilities: frozenset[str]) -> Bools:
        """Where all of this can be done."""
        return self._where(lambda point: capabilities <= point.capabilities)

    def kilometres(self, to: Position) -> Floats:
        """From each point to where the goods go."""
        known = self._kilometres.get(to)
        if known is None:
            if len(self._kilometres) == _DESTINATIONS:
                self._kilometres = {}
            away = [distance_kilometres(point.position, to) for point in self.points]
            known = self._kilometres[to] = np.array(away, np.float64)
        return known

    def _where(self, holds: Callable[[Point], bool]) -> Bools:
        return np.array([holds(point) for point in self.points], np.bool_)
