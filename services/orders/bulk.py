"""Bulk actions: the set is written down once, then each order is decided on by the rules of the single act.

An order's act has a request id of its own, made of the action and its number: a process that dies between the act
and its result does it again, and is given the first answer. What a story decides is looked at until it has.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncEngine

from kit import requests, telemetry
from kit.errors import InvalidArgument, NotFound, OmsError
from kit.values.ids import derived_id
from services.orders import bulk_store, store
from services.orders.amending import Amending
from services.orders.bulk_store import BulkAction, BulkItem, BulkWish
from services.orders.changing import Asked
from services.orders.domain import desk
from services.orders.domain.desk import Act, Wish
from services.orders.domain.holds import open_holds
from services.orders.domain.model import Order
from services.orders.domain.states import UNDONE, ChangeState, OrderState
from services.orders.holding import Holding
from services.orders.service import OrdersService

_log = logging.getLogger(__name__)
ACTS = (Act.CANCEL.value, Act.RELEASE_HOLD.value, Act.PLAN_AGAIN.value)
MAX_ORDERS = 2_000
# Read, and tried, at once.
_CHUNK = 50
# A story that cannot go on keeps no other order waiting for longer.
_PATIENCE = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class Verdict:
    """Orders of one state with one outcome; without a reason it would be done."""

    state: OrderState
    reason: str
    detail: str
    orders: int


class Bulk:
    """The use cases of bulk actions, of at most so many orders."""

    def __init__(
        self,
        engine: AsyncEngine,
        service: OrdersService,
        holding: Holding,
        amending: Amending,
        max_orders: int = MAX_ORDERS,
    ) -> None:
        self._engine = engine
        self._max_orders = max_orders
        self._service = service
        self._holding = holding
        self._amending = amending

    async def preview(self, wish: BulkWish, as_of: datetime) -> list[Verdict]:
        """What would come of it, the most orders first; tried on copies, a few orders at a time."""
        order_ids = await self._chosen(wish)
        found: Counter[tuple[OrderState, str, str]] = Counter()
        for start in range(0, len(order_ids), _CHUNK):
            async with self._engine.begin() as tx:
                views = await store.read_whole(tx, order_ids[start : start + _CHUNK])
            for view in views:
                refusal = _refusal(view.order, wish, as_of)
                why = (refusal.reason, refusal.detail) if refusal else ("", "")
                found[view.order.state, *why] += 1
            # Others are answered meanwhile.
            await asyncio.sleep(0)
        return [Verdict(*key, count) for key, count in found.most_common()]

    async def start(self, asked: Asked, wish: BulkWish, actor: str, as_of: datetime) -> BulkAction:
        """Writes the set down. A repeated request gives the same action, as far as it is now."""
        order_ids = await self._chosen(wish)
        kind = wish.hold_kind.value if wish.hold_kind else ""
        bulk_id = derived_id("blk", asked.request_id)
        action = BulkAction(bulk_id, wish.act, kind, wish.reason, actor, wish.roles, as_of, wish.point_id)
        async with self._engine.begin() as tx:
            if await requests.first_answer(tx, asked.request_id, asked.content) is None:
                await bulk_store.add(tx, action, order_ids)
                await requests.remember(tx, asked.request_id, {"bulk_id": bulk_id})
        return await self.get(bulk_id)

    async def get(self, bulk_id: str) -> BulkAction:
        """How far it is. NotFound / BULK_ACTION_NOT_FOUND."""
        async with self._engine.begin() as tx:
            found = await bulk_store.find(tx, bulk_id)
        if found is None:
            raise NotFound(
                "BULK_ACTION_NOT_FOUND", "there is no such bulk action", field="bulk_id", bulk_id=bulk_id
            )
        return found

    async def results(self, bulk_id: str, after: int, size: int) -> list[BulkItem]:
        """A page of what came of its orders."""
        async with self._engine.begin() as tx:
            return await bulk_store.items(tx, bulk_id, after, size)

    async def stop(self, bulk_id: str) -> BulkAction:
        """Leaves the rest as it is, but for what stories were asked already. NotFound / BULK_ACTION_NOT_FOUND."""
        async with self._engine.begin() as tx:
            await bulk_store.stop(tx, bulk_id)
        return await self.get(bulk_id)

    async def work(self, as_of: datetime, limit: int) -> int:
        """Decides on the next orders, and says on how many. One that cannot be decided on now stays pending."""
        decided = 0
        async with self._engine.begin() as turn:
            items = await bulk_store.take_turn(turn, limit)
            actions = {one: await self.get(one) for one in {item.bulk_id for item in items}}
            for item in items:
                with telemetry.about_order(item.order_id):
                    result = await self._decide(actions[item.bulk_id], item, as_of)
                # Written at once: who dies here has done no more than this one.
                async with self._engine.begin() as tx:
                    await bulk_store.decided(tx, result)
                decided += result.decided_at is not None
        return decided

    async def _decide(self, action: BulkAction, item: BulkItem, as_of: datetime) -> BulkItem:
        try:
            if action.act == Act.PLAN_AGAIN:
                return await self._plan_again(action, item, as_of)
            if action.act == Act.CANCEL:
                asked = _asked(action, item, "")
                await self._service.request_cancellation(
                    asked, item.order_id, action.reason, action.actor, as_of, action.roles
                )
            else:
                await self._release(action, item, as_of)
        except OmsError as error:
            if error.retryable:
                _log.warning("an order of a bulk action could not be decided on: %s", error.reason)
                return item
            return replace(item, state="refused", reason=error.reason, detail=error.detail, decided_at=as_of)
        return replace(item, state="done", decided_at=as_of)

    async def _plan_again(self, action: BulkAction, item: BulkItem, as_of: datetime) -> BulkItem:
        """Asked of the order's story once, then looked at: it finds another place, or says why not."""
        asked = await self._amending.plan_again(
            _asked(action, item, ""), item.order_id, action.actor, as_of, action.point_id, action.reason
        )
        change = (await self._amending.get_proposal(item.order_id, asked.change.change_id)).change
        if change.state is ChangeState.APPLIED:
            return replace(item, state="done", decided_at=as_of)
        if refusal := change.refusal:
            return replace(item, state="refused", reason=refusal.reason, detail=refusal.detail, decided_at=as_of)
        if as_of - change.asked_at < _PATIENCE:
            return replace(item, state="asked")
        late = "its story has not decided yet: the order says what comes of it"
        return replace(item, state="refused", reason="NOT_DECIDED_YET", detail=late, decided_at=as_of)

    async def _release(self, action: BulkAction, item: BulkItem, as_of: datetime) -> None:
        one = (await self._service.get_order(item.order_id)).order
        for hold_id in _holds(one, action.hold_kind):
            await self._holding.release_hold(
                _asked(action, item, hold_id),
                item.order_id,
                hold_id,
                action.reason,
                action.actor,
                action.roles,
                as_of,
            )

    async def _chosen(self, wish: BulkWish) -> list[str]:
        _check(wish)
        async with self._engine.begin() as tx:
            found = await bulk_store.chosen(tx, wish, self._max_orders + 1)
        if len(found) > self._max_orders:
            raise InvalidArgument(
                "filter", f"more than {self._max_orders} orders: choose fewer", "TOO_MANY_ORDERS"
            )
        return found


def _check(wish: BulkWish) -> None:
    if wish.act not in ACTS:
        raise InvalidArgument("act", f"one of {', '.join(ACTS)}")
    if (wish.act == Act.RELEASE_HOLD) != (wish.hold_kind is not None):
        raise InvalidArgument("hold_kind", "release_hold says which holds, and no other act says any")
    if wish.act == Act.CANCEL and not wish.reason:
        raise InvalidArgument("reason", "say why, for the customers' sake")
    if not wish.chooses:
        raise InvalidArgument("filter", "say which orders: all of them at once is never meant")
    if len(wish.order_ids) > MAX_ORDERS:
        raise InvalidArgument("order_ids", f"at most {MAX_ORDERS}")


def _refusal(one: Order, wish: BulkWish, as_of: datetime) -> OmsError | None:
    """What the first of its acts would say against it. To cancel what is cancelled is no mistake: it is done."""
    if wish.act == Act.CANCEL and one.state in UNDONE:
        return None
    wishes = [Wish(Act(wish.act), reason=wish.reason, point_id=wish.point_id)]
    if wish.hold_kind:
        wishes = [Wish(Act.RELEASE_HOLD, hold_id, reason=wish.reason) for hold_id in _holds(one, wish.hold_kind)]
    tried = (desk.preview(one, each, wish.roles, as_of, in_words=False).refusal for each in wishes)
    return next((refusal for refusal in tried if refusal), None)


def _holds(one: Order, kind: str) -> Sequence[str]:
    return [hold.hold_id for hold in open_holds(one) if hold.kind == kind]


def _asked(action: BulkAction, item: BulkItem, hold_id: str) -> Asked:
    return Asked(derived_id("req", action.bulk_id, str(item.number), hold_id), action.bulk_id.encode())
