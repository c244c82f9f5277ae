"""Parcels that meet at a hub: what comes there, and what of it was there. One method per RPC."""

from collections.abc import Sequence
from datetime import datetime

from kit import db
from services.orders import arrivals_store
from services.orders.arrivals_store import Arrival
from services.orders.changing import Asked, Changes
from services.orders.domain import consolidating
from services.orders.domain.consolidating import Arrived
from services.orders.domain.model import Fulfilment
from services.orders.reading import Position


class Consolidating(Changes):
    """The use cases of hubs."""

    async def list_arrivals(self, point_ids: Sequence[str], size: int, after: Position | None) -> list[Arrival]:
        """A page of parcels that come to these points."""
        async with db.single(self._engine).connect() as tx:
            return await arrivals_store.list_arrivals(tx, point_ids, size, after)

    async def receive(
        self, asked: Asked, fulfilment_id: str, arrived: Sequence[Arrived], actor: str, as_of: datetime
    ) -> Fulfilment:
        """A parcel was opened at its hub; FailedPrecondition / NOT_INBOUND, NOT_ON_ITS_WAY."""
        return await self.on_work(
            asked,
            fulfilment_id,
            lambda one, work: consolidating.receive(one, work, arrived, actor, as_of),
            consolidating.is_within,
        )
