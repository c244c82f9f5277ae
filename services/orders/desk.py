"""The desk of customer service: reads only, each in one snapshot. Acts on orders are elsewhere."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncEngine

from kit.errors import InvalidArgument, NotFound
from services.orders import desk_store, store
from services.orders.desk_store import Blocked, BlockedFilter, Totals
from services.orders.domain import desk
from services.orders.domain.fraud_policy import Trait
from services.orders.identities import Identities
from services.orders.reading import Position
from services.orders.store import View

MAX_ISSUES = 50


@dataclass(frozen=True, slots=True)
class Who:
    """A customer: by one of the three."""

    customer_id: str = ""
    order_id: str = ""
    email: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Known:
    """A page of a customer's orders, what all of them came to, and those that do not go on."""

    orders: Sequence[View]
    totals: Totals
    issues: Sequence[Blocked]


class Desk:
    """One method per RPC."""

    def __init__(self, engine: AsyncEngine, identities: Identities) -> None:
        self._engine = engine.execution_options(isolation_level="REPEATABLE READ")
        self._identities = identities

    async def list_blocked(
        self, wanted: BlockedFilter, as_of: datetime, size: int, after: Position | None
    ) -> tuple[list[Blocked], Mapping[str, int]]:
        """A page of orders that do not go on, the most urgent first; with the first one, how many there are."""
        if wanted.reason and wanted.reason not in desk_store.REASONS:
            raise InvalidArgument("reason", f"one of {', '.join(desk_store.REASONS)}")
        digests = tuple(self._identities.of_email(wanted.text))
        chosen = replace(wanted, digests=digests)
        async with self._engine.begin() as tx:
            found = await desk_store.list_blocked(tx, chosen, as_of, size, after)
            counts = {} if after else await desk_store.count_blocked(tx, chosen, as_of)
        return found, counts

    async def get_customer(
        self,
        who: Who,
        channel_ids: Sequence[str],
        brands: Sequence[str],
        as_of: datetime,
        size: int,
        after: Position | None,
    ) -> Known:
        """All of a customer over the channels and brands that may be seen.

        NotFound / ORDER_NOT_FOUND, and CUSTOMER_NOT_FOUND without an order that may be.
        """
        if sum(map(bool, (who.customer_id, who.order_id, who.email))) != 1:
            raise InvalidArgument("customer_id", "name a customer, an order or an e-mail address, one of them")
        async with self._engine.begin() as tx:
            customer_id, digests = who.customer_id, self._digests(who)
            alone: list[str] = []
            if who.order_id:
                view = await store.read(tx, who.order_id)
                customer_id = view.buyer.customer.customer_id
                known = self._identities.of(view.order.content, view.buyer)
                digests = [*known.get(Trait.CUSTOMER, ()), *known.get(Trait.EMAIL, ())]
                # Nobody says whose it is, or that was erased: the order itself is known all the same.
                alone = [who.order_id] if _is_seen(view, channel_ids, brands) else []
            ids = await desk_store.orders_of(tx, customer_id, digests, channel_ids, brands) or alone
            if not ids:
                raise NotFound("CUSTOMER_NOT_FOUND", "no order is of this customer")
            orders = await desk_store.newest_of(tx, ids, size, after)
            totals = await desk_store.totals_of(tx, ids)
            mine = BlockedFilter(order_ids=tuple(ids))
            issues = await desk_store.list_blocked(tx, mine, as_of, MAX_ISSUES, None)
        return Known(orders, totals, issues)

    async def preview(
        self, order_id: str, roles: Sequence[str], wish: desk.Wish | None, as_of: datetime
    ) -> tuple[desk.Possible, ...]:
        """What may be done about an order, or what would come of one act. NotFound / ORDER_NOT_FOUND."""
        async with self._engine.begin() as tx:
            one = (await store.read(tx, order_id)).order
        if wish is None:
            return desk.possible(one, roles, as_of)
        return (desk.preview(one, wish, roles, as_of),)

    def _digests(self, who: Who) -> list[bytes]:
        if who.email:
            return self._identities.of_email(who.email)
        return self._identities.of_customer_id(who.customer_id)


def _is_seen(view: View, channel_ids: Sequence[str], brands: Sequence[str]) -> bool:
    content = view.order.content
    in_channels = not channel_ids or content.channel_id in channel_ids
    return in_channels and (not brands or not set(brands).isdisjoint(content.brands))
