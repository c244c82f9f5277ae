"""What customers see by a link: nothing is stored for it, and nothing changes by it. One method per RPC."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncEngine

from kit.errors import InvalidArgument, NotFound
from services.orders import customers_store, store
from services.orders.domain import customer_view
from services.orders.domain.customer_view import OrderSeen
from services.orders.links import Links
from services.orders.store import View

USUAL_LIFETIME = timedelta(days=90)
LONGEST_LIFETIME = timedelta(days=366)


@dataclass(frozen=True, slots=True)
class Seen:
    """An order with the name of its channel, and what its customer sees of it."""

    view: View
    channel_name: str
    seen: OrderSeen


class Customers:
    """The use cases of customers' links."""

    def __init__(self, engine: AsyncEngine, links: Links) -> None:
        self._engine = engine
        self._links = links

    async def link(self, order_id: str, ends_at: datetime | None, now: datetime) -> tuple[str, datetime]:
        """The link and its end. NotFound / ORDER_NOT_FOUND, InvalidArgument for an end that is no end."""
        ends_at = ends_at or now + USUAL_LIFETIME
        if not now < ends_at <= now + LONGEST_LIFETIME:
            raise InvalidArgument("ends_at", f"in the future, at most {LONGEST_LIFETIME.days} days from now")
        async with self._engine.begin() as tx:
            if not await customers_store.is_order(tx, order_id):
                raise store.no_order(order_id)
        hour = ends_at.replace(minute=0, second=0, microsecond=0)
        return self._links.url(order_id, ends_at), hour + timedelta(hours=1)

    async def order_of(self, token: str, now: datetime) -> Seen:
        """NotFound: LINK_UNKNOWN, LINK_ENDED, LINK_ERASED."""
        order_id = self._links.order_of(token, now)
        async with self._engine.begin() as tx:
            try:
                view = await store.read(tx, order_id)
            except NotFound:
                raise NotFound("LINK_UNKNOWN", "no order has this link") from None
            if view.order.erased_at:
                raise NotFound("LINK_ERASED", "whose order this was is not known any more")
            name = await customers_store.channel_name(tx, view.order.content.channel_id)
        seen = customer_view.see(view.order, view.payment_failed_since is not None, now)
        return Seen(view, name, seen)
