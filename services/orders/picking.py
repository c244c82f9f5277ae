"""What orders does where somebody picks several works at once: one transaction over all their orders.

Orders are locked in the order of their ids; everybody else locks one at a time.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from kit import db, requests
from kit.errors import FailedPrecondition, InvalidArgument
from kit.values.ids import derived_id
from services.orders import picking_store, store
from services.orders.changing import Asked, Changes, judged
from services.orders.domain import fulfilment, picking
from services.orders.domain.fulfilment import is_within
from services.orders.domain.model import EVERYWHERE, Decision, Fulfilment, Order, Reach
from services.orders.domain.model import Picking as Claimed
from services.orders.domain.picking import FoundArticle
from services.orders.domain.states import FulfilmentState
from services.orders.domain.substituting import Substitute
from services.orders.picking_store import PickList

DEFAULT_WORKS = 8


@dataclass(frozen=True, slots=True)
class Finished:
    """A list that was picked, and units that nobody wants any more, by SKU."""

    pick_list: PickList
    left_over: Mapping[str, int]


class Together(Changes):
    """Base of the use cases that change several works, of several orders, in one transaction."""

    async def locked(self, tx: AsyncConnection, fulfilment_ids: Sequence[str]) -> dict[str, Order]:
        """The order of each work, by the work, none of which anybody else changes.

        NotFound / FULFILMENT_NOT_FOUND.
        """
        owners = await picking_store.orders_of(tx, fulfilment_ids)
        for one in fulfilment_ids:
            if one not in owners:
                raise store.no_fulfilment(one)
        orders = {order_id: await store.lock_order(tx, order_id) for order_id in sorted(set(owners.values()))}
        return {one: orders[owners[one]] for one in fulfilment_ids}

    async def change_each(
        self,
        tx: AsyncConnection,
        orders: Mapping[str, Order],
        decide: Callable[[Order, Fulfilment], Decision],
    ) -> dict[str, Order]:
        """One change after the other of these works, saved. Two works may be of one order, which is locked."""
        after = {order.order_id: order for order in orders.values()}
        for one, before in orders.items():
            order = after[before.order_id]
            decision = judged(decide(order, order.fulfilment(one)))
            after[before.order_id] = (await self.save(tx, order, decision)).order
        return {one: after[before.order_id] for one, before in orders.items()}


class PickLists(Together):
    """The use cases of pick lists."""

    async def open(
        self,
        asked: Asked,
        point_id: str,
        fulfilment_ids: Sequence[str],
        size: int,
        actor: str,
        as_of: datetime,
    ) -> PickList:
        """Claims works, or those that must leave first. NOT_TO_PICK, BEING_PICKED, NOTHING_TO_PICK say why not."""
        _check_opening(point_id, fulfilment_ids, size)
        pick_list_id = derived_id("pkl", asked.request_id)
        async with self._engine.begin() as tx:
            if await requests.first_answer(tx, asked.request_id, asked.content) is None:
                await picking_store.lock_point(tx, point_id)
                wanted = list(fulfilment_ids)
                if not wanted:
                    wanted = await self._proposed(tx, asked.reach, point_id, size or DEFAULT_WORKS)
                await self._claim(tx, asked.reach, point_id, wanted, Claimed(pick_list_id, "", actor, as_of))
                await picking_store.add(tx, pick_list_id, point_id, actor, as_of, wanted)
                await requests.remember(tx, asked.request_id, {"pick_list_id": pick_list_id})
            found = await picking_store.read(tx, pick_list_id)
            _check_point(asked.reach, found.point_id, pick_list_id)
            return found

    async def _proposed(self, tx: AsyncConnection, reach: Reach, point_id: str, size: int) -> list[str]:
        """Accepted works that nobody picks, locked, what must leave first first."""
        candidates = await picking_store.proposed(tx, point_id, reach.brands)
        wanted: list[str] = []
        # More than are wanted: some may be picked, or cancelled, before they are locked.
        orders = await self.locked(tx, sorted(candidates[: size * 2]))
        for one in candidates[: size * 2]:
            work = orders[one].fulfilment(one)
            is_free = work.state == FulfilmentState.ACCEPTED and work.picking is None
            if is_free and is_within(reach, orders[one], work) and len(wanted) < size:
                wanted.append(one)
        if not wanted:
            raise FailedPrecondition("NOTHING_TO_PICK", "no accepted work waits here that nobody picks")
        return wanted

    async def _claim(
        self, tx: AsyncConnection, reach: Reach, point_id: str, wanted: Sequence[str], claimed: Claimed
    ) -> None:
        orders = await self.locked(tx, wanted)
        slots = dict(zip(wanted, picking.SLOTS, strict=False))
        for one, order in orders.items():
            work = order.fulfilment(one)
            if work.point_id != point_id or not is_within(reach, order, work):
                raise store.no_fulfilment(one)

        def decide(order: Order, work: Fulfilment) -> Decision:
            return picking.claim(order, work, replace(claimed, slot=slots[work.fulfilment_id]))

        await self.change_each(tx, orders, decide)

    async def get(self, pick_list_id: str, reach: Reach = EVERYWHERE) -> PickList:
        """NotFound / PICK_LIST_NOT_FOUND."""
        async with db.single(self._engine).connect() as tx:
            found = await picking_store.read(tx, pick_list_id)
            _check_point(reach, found.point_id, pick_list_id)
            if not await _is_seen(tx, reach, found):
                raise picking_store.no_pick_list(pick_list_id)
        return found

    async def list_open(self, point_ids: Sequence[str], reach: Reach = EVERYWHERE) -> list[PickList]:
        """Those that the caller sees, the oldest first."""
        async with db.single(self._engine).connect() as tx:
            found = await picking_store.list_open(tx, point_ids)
            return [one for one in found if await _is_seen(tx, reach, one)]

    async def put_back(
        self, asked: Asked, pick_list_id: str, fulfilment_ids: Sequence[str], actor: str, as_of: datetime
    ) -> PickList:
        """Works are anybody's again. FailedPrecondition / PICK_LIST_CLOSED; InvalidArgument names the work."""
        async with self._engine.begin() as tx:
            first = await requests.first_answer(tx, asked.request_id, asked.content)
            orders = await self._on_list(tx, asked.reach, pick_list_id, is_open=first is None)
            if first is None:
                for i, one in enumerate(fulfilment_ids):
                    if one not in orders:
                        raise InvalidArgument(f"fulfilment_ids[{i}]", "the list has no such work")
                after = await self.change_each(
                    tx,
                    {one: orders[one] for one in fulfilment_ids or orders},
                    lambda order, work: picking.put_back(order, work, pick_list_id, actor, as_of),
                )
                if not any(picking.is_on(work, pick_list_id) for work in _works(orders | after)):
                    await picking_store.close(tx, pick_list_id, as_of)
                await requests.remember(tx, asked.request_id, {})
            return await picking_store.read(tx, pick_list_id)

    async def finish(
        self,
        asked: Asked,
        pick_list_id: str,
        found: Sequence[FoundArticle],
        actor: str,
        as_of: datetime,
        given: Mapping[str, Sequence[Substitute]] | None = None,
    ) -> Finished:
        """Each work is picked with its share of what was found, and what is given it instead of the rest.

        PICK_LIST_CLOSED, PICKED_BY_ANOTHER, and the reasons of substituting.
        """
        async with self._engine.begin() as tx:
            first = await requests.first_answer(tx, asked.request_id, asked.content)
            orders = await self._on_list(tx, asked.reach, pick_list_id, is_open=first is None)
            if first is None:
                left = {
                    one: order
                    for one, order in orders.items()
                    if picking.is_on(order.fulfilment(one), pick_list_id)
                }
                instead = _of_list(given or {}, orders)
                nobodys = Counter[str]()
                for one in instead.keys() - left.keys():
                    nobodys.update({units.sku: units.quantity for units in instead[one]})
                over = await self._pick(tx, left, found, instead, actor, as_of)
                first = {"left_over": dict(over + nobodys)}
                await picking_store.close(tx, pick_list_id, as_of)
                await requests.remember(tx, asked.request_id, first)
            answer = Finished(await picking_store.read(tx, pick_list_id), first["left_over"])
        self._bell.ring()
        return answer

    async def _pick(
        self,
        tx: AsyncConnection,
        orders: Mapping[str, Order],
        found: Sequence[FoundArticle],
        instead: Mapping[str, Sequence[Substitute]],
        actor: str,
        as_of: datetime,
    ) -> Counter[str]:
        """What is left over, by SKU."""
        works = _works(orders)
        for work in works:
            picking.check_may_pick(work, actor)
        picking.check_found(works, found)
        shared = picking.share_out(works, found)

        def decide(order: Order, work: Fulfilment) -> Decision:
            units = shared.by_work[work.fulfilment_id]
            why = picking.reasons(work, units, found)
            given = instead.get(work.fulfilment_id, ())
            return fulfilment.record_pick(order, work, units, actor, as_of, why, given)

        await self.change_each(tx, orders, decide)
        return Counter(shared.left_over)

    async def _on_list(
        self, tx: AsyncConnection, reach: Reach, pick_list_id: str, *, is_open: bool
    ) -> dict[str, Order]:
        """The order of each work of the list, in the order of their containers; list and orders are locked."""
        row = await picking_store.lock(tx, pick_list_id)
        _check_point(reach, row.point_id, pick_list_id)
        if row.is_closed and is_open:
            raise FailedPrecondition("PICK_LIST_CLOSED", "the list is closed", pick_list_id=pick_list_id)
        orders = await self.locked(tx, row.works)
        if not all(is_within(reach, order, order.fulfilment(one)) for one, order in orders.items()):
            raise picking_store.no_pick_list(pick_list_id)
        return orders


async def _is_seen(tx: AsyncConnection, reach: Reach, found: PickList) -> bool:
    """Whether every work is within the reach. Only brands ask for the orders."""
    if not reach.brands:
        return not reach.point_ids or found.point_id in reach.point_ids
    for work in found.works:
        order = (await store.read(tx, work.fulfilment.order_id)).order
        if not is_within(reach, order, work.fulfilment):
            return False
    return True


def _of_list(
    given: Mapping[str, Sequence[Substitute]], works: Mapping[str, Order]
) -> Mapping[str, Sequence[Substitute]]:
    if others := given.keys() - works.keys():
        raise InvalidArgument("substituted", f"the list has no work {min(others)}")
    return given


def _works(orders: Mapping[str, Order]) -> list[Fulfilment]:
    return [order.fulfilment(one) for one, order in orders.items()]


def _check_opening(point_id: str, fulfilment_ids: Sequence[str], size: int) -> None:
    if not point_id:
        raise InvalidArgument("point_id", "say where")
    if len(fulfilment_ids) > picking.MAX_WORKS:
        raise InvalidArgument("fulfilment_ids", f"at most {picking.MAX_WORKS} works are picked together")
    if len(set(fulfilment_ids)) < len(fulfilment_ids):
        raise InvalidArgument("fulfilment_ids", "a work stands once")
    if not 0 <= size <= picking.MAX_WORKS:
        raise InvalidArgument("size", f"1 to {picking.MAX_WORKS}")


def _check_point(reach: Reach, point_id: str, pick_list_id: str) -> None:
    if reach.point_ids and point_id not in reach.point_ids:
        raise picking_store.no_pick_list(pick_list_id)
