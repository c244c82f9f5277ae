"""Work in lockers at stores: what is asked of their banks, what they tell, and what is given back (SPEC PRM-7).

A bank is never asked inside a transaction, and always under the id of the work: an answer that was lost is given
again, and whatever a bank may keep is known here before it does.
"""

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncEngine

from kit import db, telemetry
from kit.errors import FailedPrecondition, NotFound, Unauthenticated, Unavailable
from kit.feed import Bell
from services.orders import depositing_store, store
from services.orders.changing import Asked, Changes, check_reach, judged
from services.orders.codes import Codes
from services.orders.domain import collecting, fulfilment, lockers
from services.orders.domain.model import Decision, Fulfilment, Order
from services.orders.domain.states import FulfilmentState
from services.orders.lockers import Bank, LockerAway, Opening
from services.orders.signatures import BadSignature
from services.orders.tracking import Taken

_Rule = Callable[[Order, Fulfilment], Decision]
_log = logging.getLogger(__name__)


class Depositing(Changes):
    """One method per RPC, and the sweep. `banks`: the lockers at each point that has some, by its id."""

    def __init__(self, engine: AsyncEngine, bell: Bell, codes: Codes, banks: Mapping[str, Bank]) -> None:
        super().__init__(engine, bell)
        self._codes = codes
        self._banks = banks

    async def book(self, asked: Asked, fulfilment_id: str, actor: str, as_of: datetime) -> Fulfilment:
        """Picked work, with its compartment or that none is free; the same when it is asked again."""

        def ask(one: Order, work: Fulfilment) -> Decision:
            self._bank(work)
            return lockers.ask(one, work, actor, as_of)

        work = await self.on_work(asked, fulfilment_id, ask)
        with _answered():
            compartment = await self._bank(work).book(fulfilment_id)
        after, _ = await self._change(
            fulfilment_id, lambda one, work: lockers.booked(one, work, compartment, self._codes.key, as_of)
        )
        return after

    async def tell_code(self, asked: Asked, fulfilment_id: str, as_of: datetime) -> None:
        """Before work with a compartment is ready: from here on its bank opens it for the code.

        Its customer is not told before it is: told twice, a bank has the same code.
        """
        if not self._banks:
            return
        one, work = await self._read(asked, fulfilment_id)
        if work.state is not FulfilmentState.PICKED or work.locker is None or not work.locker.compartment:
            return
        collecting.ready(one, work, "", "", as_of)
        with _answered():
            await self._bank(work).deposit(fulfilment_id, self._codes.of(work))

    async def take_out(
        self, asked: Asked, fulfilment_id: str, shelf: str, actor: str, as_of: datetime
    ) -> Fulfilment:
        """To the counter; collected, where its customer was there first."""
        one, work = await self._read(asked, fulfilment_id)
        opened_at = None
        if work.compartment:
            lockers.take_out(one, work, shelf, actor, as_of)
            with _answered():
                opened_at = await self._bank(work).close(fulfilment_id)

        def decide(one: Order, work: Fulfilment) -> Decision:
            if opened_at:
                return lockers.opened(one, work, opened_at, as_of)
            return lockers.take_out(one, work, shelf, actor, as_of)

        return await self.on_work(asked, fulfilment_id, decide)

    async def receive(self, point_id: str, payload: bytes, signature: str, now: datetime) -> Taken:
        """What a bank posts. Unauthenticated / SIGNATURE_INVALID, NotFound / NO_LOCKER_BANK."""
        bank = self._banks.get(point_id)
        if bank is None:
            raise NotFound("NO_LOCKER_BANK", "no lockers of such a point post events here", field="point_id")
        try:
            found = bank.read(payload, signature, now)
        except BadSignature:
            raise Unauthenticated("SIGNATURE_INVALID", "the signature does not prove the bank") from None
        news = [await self._opened(point_id, one, now) for one in found]
        return Taken(len(news), news.count(False))

    async def sweep(self, now: datetime) -> None:
        """Asks banks what was opened, has them close what is overdue, and gives back what is empty."""
        async with db.single(self._engine).connect() as tx:
            kept = await depositing_store.kept(tx, self._banks)
        for point_id in sorted({one.point_id for one in kept}):
            async with self._engine.begin() as tx:
                orders = await store.read_whole(
                    tx, sorted({one.order_id for one in kept if one.point_id == point_id})
                )
            ids = {one.fulfilment_id for one in kept}
            works = [work for view in orders for work in view.order.fulfilments if work.fulfilment_id in ids]
            try:
                await self._look_after(point_id, works, now)
            except LockerAway as error:
                _log.warning("the lockers of %s do not answer: %s", point_id, error)

    async def _look_after(self, point_id: str, works: list[Fulfilment], now: datetime) -> None:
        bank = self._banks[point_id]
        since = [one.collection.ready_at for one in works if one.compartment and one.collection]
        for opening in await bank.openings(min(since)) if since else ():
            await self._opened(point_id, opening, now)
        for work in works:
            reference = work.fulfilment_id
            if work.compartment and work.collection and work.collection.keep_until <= now:
                if at := await bank.close(reference):
                    await self._opened(point_id, Opening(reference, at), now)
                    continue
                after, _ = await self._change(reference, lambda one, work: lockers.closed(one, work, now))
                if after.compartment:
                    # Somebody keeps it longer meanwhile.
                    await bank.deposit(reference, self._codes.of(after))
            elif lockers.is_to_release(work):
                await bank.release(reference)
                await self._change(reference, lambda one, work: lockers.released(one, work, now))

    async def _opened(self, point_id: str, opening: Opening, now: datetime) -> bool:
        """Whether it is news. Of work of another point it is not this bank's to tell."""

        def decide(one: Order, work: Fulfilment) -> Decision:
            is_there = work.point_id == point_id
            return lockers.opened(one, work, opening.at, now) if is_there else Decision(one)

        try:
            return (await self._change(opening.reference, decide))[1]
        except NotFound:
            return False

    def _bank(self, work: Fulfilment) -> Bank:
        bank = self._banks.get(work.point_id)
        if bank is None:
            raise FailedPrecondition("NO_LOCKER_BANK", f"{work.point_id} has no lockers")
        return bank

    async def _read(self, asked: Asked, fulfilment_id: str) -> tuple[Order, Fulfilment]:
        async with self._engine.begin() as tx:
            one = (await store.read_of_fulfilment(tx, fulfilment_id)).order
        check_reach(fulfilment.is_within, asked.reach, one, fulfilment_id)
        return one, one.fulfilment(fulfilment_id)

    async def _change(self, fulfilment_id: str, decide: _Rule) -> tuple[Fulfilment, bool]:
        """The work after it, and whether that is news. Without a request: a rule does nothing the second time."""
        async with self._engine.begin() as tx:
            before = await store.lock_order_of(tx, fulfilment_id)
            with telemetry.about_order(before.order_id):
                decision = judged(decide(before, before.fulfilment(fulfilment_id)))
                await self.save(tx, before, decision)
        self._bell.ring()
        return decision.order.fulfilment(fulfilment_id), bool(decision.happenings)


@contextmanager
def _answered() -> Iterator[None]:
    """Raises Unavailable / LOCKER_AWAY: people try again, or use the counter."""
    try:
        yield
    except LockerAway as error:
        raise Unavailable("LOCKER_AWAY", f"the lockers do not answer: {error}") from error
