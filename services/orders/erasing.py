"""Erasing who bought: what was kept long enough, bit by bit, and a customer who asks for it, from all orders.

Each order is erased in a transaction of its own: whoever dies in between goes on with the rest,
and erases none twice.
"""

from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from kit import telemetry
from kit.errors import FailedPrecondition, InvalidArgument
from kit.feed import Bell
from services.orders import desk_store, erasing_store, store
from services.orders.changing import Changes
from services.orders.domain import erasing
from services.orders.domain.erasing import Retention
from services.orders.identities import Identities
from services.orders.reading import Position

ACTOR = "retention"


@dataclass(frozen=True, slots=True)
class Erased:
    """How many orders were; how many of these keep name and address for their documents, and until when."""

    orders: int = 0
    kept_for_documents: int = 0
    documents_until: datetime | None = None


class Erasing(Changes):
    """The use cases. `documents`: for how long a tax document keeps its buyer, from its issue on."""

    def __init__(
        self,
        engine: AsyncEngine,
        bell: Bell,
        identities: Identities,
        retention: Retention,
        documents: Retention,
    ) -> None:
        super().__init__(engine, bell)
        self._identities = identities
        self._retention = retention
        self._documents = documents

    async def erase_customer(self, customer_id: str, order_id: str, actor: str, as_of: datetime) -> Erased:
        """One of the two says who. FailedPrecondition / ORDERS_OPEN, NotFound / ORDER_NOT_FOUND."""
        if bool(customer_id) == bool(order_id):
            raise InvalidArgument("customer_id", "name a customer or an order, one of them")
        async with self._engine.begin() as tx:
            order_ids = await self._orders_of(tx, customer_id, order_id)
            if in_the_way := await erasing_store.still_open(tx, order_ids):
                raise erasing.orders_open(in_the_way)
        done = [await self._erase(one, "asked_for", actor, as_of) for one in order_ids]
        kept = [one.documents_until for one in done if one.documents_until]
        return Erased(sum(one.orders for one in done), len(kept), max(kept, default=None))

    async def erase_due(self, as_of: datetime, limit: int, after: Position | None = None) -> Position | None:
        """Erases the next orders that were kept long enough; where it came to, None when these were the last."""
        async with self._engine.begin() as tx:
            found = await erasing_store.due(tx, self._retention, as_of, limit, after)
        for _, order_id in found:
            # Something began again since it was found: its time has not come.
            with suppress(FailedPrecondition):
                await self._erase(order_id, "kept_long_enough", ACTOR, as_of)
        return found[-1] if len(found) == limit else None

    async def forget_buyers(self, as_of: datetime, limit: int) -> int:
        """Empties the next buyers that only documents kept, and says how many."""
        async with self._engine.begin() as tx:
            return await erasing_store.forget_buyers(tx, as_of, limit)

    async def _erase(self, order_id: str, cause: str, actor: str, as_of: datetime) -> Erased:
        with telemetry.about_order(order_id):
            async with self._engine.begin() as tx:
                view = await store.lock_view(tx, order_id)
                decision = erasing.erase(view.order, cause, actor, as_of)
                if not decision.happenings:
                    return Erased()
                await self.save(tx, view.order, decision)
                days = self._documents.of(view.buyer.ship_to.country).days
                until = await erasing_store.forget(tx, order_id, days, as_of)
        self._bell.ring()
        return Erased(1, int(until is not None), until)

    async def _orders_of(self, tx: AsyncConnection, customer_id: str, order_id: str) -> list[str]:
        """Of an id, and those of no id with the same e-mail address: a second person with an id keeps his own."""
        if order_id:
            customer_id = (await store.read(tx, order_id)).buyer.customer.customer_id
        digests = self._identities.of_customer_id(customer_id)
        found = await desk_store.orders_of(tx, customer_id, digests, [], []) if customer_id else []
        found = found or [one for one in (order_id,) if one]
        emails = await erasing_store.emails_of(tx, found)
        same = [digest for email in emails for digest in self._identities.of_email(email)]
        guests = await erasing_store.of_no_customer(tx, await desk_store.orders_of(tx, "", same, [], []))
        return sorted({*found, *guests})
