"""Stock points as their people and their customers know them, kept for a minute: every page asks for them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from fastapi import Request

from kit import times
from kit.errors import NotFound
from oms.inventory.v1 import inventory_service_pb2 as inventory
from services.gateway.clients import Clients
from services.gateway.keeping import kept

_KEPT = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Place:
    """A stock point."""

    point_id: str
    name: str
    postcode: str
    city: str
    country: str
    zone: ZoneInfo


class Places:
    """All points, as they were a minute ago at most."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients
        self._known: Mapping[str, Place] = {}
        self._read_at: datetime | None = None

    async def all(self) -> Mapping[str, Place]:
        """By id."""
        if self._read_at is None or times.now() - self._read_at > _KEPT:
            asked = inventory.ListStockPointsRequest()
            found = await self._clients.read(self._clients.inventory.ListStockPoints, asked)
            self._known = {one.point_id: _place(one) for one in found.points}
            self._read_at = times.now()
        return self._known

    async def one(self, point_id: str) -> Place:
        """NotFound / POINT_NOT_FOUND."""
        place = (await self.all()).get(point_id)
        if place is None:
            raise NotFound("POINT_NOT_FOUND", "there is no such point", field="point_id")
        return place


def places_of(request: Request, clients: Clients) -> Places:
    """Those of the gateway."""
    return kept(request, clients, Places)


def _place(one: inventory.StockPoint) -> Place:
    return Place(
        one.point_id,
        one.name or one.point_id,
        one.postcode,
        one.city,
        one.country,
        ZoneInfo(one.time_zone or "UTC"),
    )
