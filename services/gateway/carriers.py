"""What carriers are called, kept for a minute: pages of customers name them."""

from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime, timedelta

from fastapi import Request

from kit import times
from kit.errors import OmsError
from oms.promise.v1 import promise_service_pb2 as promise
from services.gateway.clients import Clients
from services.gateway.keeping import kept

_KEPT = timedelta(minutes=1)


class Carriers:
    """The names of all carriers, as they were a minute ago at most."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients
        self._names: Mapping[str, str] = {}
        self._read_at: datetime | None = None

    async def names(self) -> Mapping[str, str]:
        """By id; those known last while promise is away."""
        if self._read_at is None or times.now() - self._read_at > _KEPT:
            with suppress(OmsError):
                asked = promise.ListCarriersRequest()
                found = await self._clients.read(self._clients.promise.ListCarriers, asked)
                self._names = {one.carrier_id: one.name for one in found.carriers if one.name}
                self._read_at = times.now()
        return self._names


def carriers_of(request: Request, clients: Clients) -> Carriers:
    """Those of the gateway."""
    return kept(request, clients, Carriers)
