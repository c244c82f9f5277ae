"""Holds: people who stop an order or let it go on, and dates that come. One transaction each.

What was let go at one instant, a release of thousands of pre-orders, goes to its points no faster than these take
it: so the orders that are placed meanwhile do not wait behind all of them.
"""

import logging
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from pydantic import TypeAdapter

from kit import db, outbox, telemetry
from kit.errors import InvalidArgument, OmsError
from services.orders import documents as doc
from services.orders import reading, store
from services.orders.changing import Asked, Changes, events_of, judged
from services.orders.domain import awaiting, holds, order
from services.orders.domain.awaiting import Outcome, Share, Supplied
from services.orders.domain.model import Decision, Hold, HoldDefault, Order
from services.orders.domain.states import OrderState

_log = logging.getLogger(__name__)
# Works that were let go and are not with their points yet: more are let go when these have become fewer.
WAVE = 20
# Work that is still not with its point after so long waits for something else, and holds nobody up.
STUCK = timedelta(minutes=5)
_SHARES = TypeAdapter(tuple[Share, ...])


class Holding(Changes):
    """The use cases of holds."""

    async def place_hold(
        self,
        asked: Asked,
        order_id: str,
        fulfilment_id: str,
        reason: str,
        until: datetime | None,
        default: HoldDefault,
        actor: str,
        as_of: datetime,
    ) -> Hold:
        """Somebody stops an order or the work of one point. FailedPrecondition / TOO_LATE_TO_HOLD."""
        placed: list[Hold] = []

        def decide(one: Order) -> Decision:
            decision, hold = holds.place(one, fulfilment_id, reason, until, default, actor, as_of)
            placed.append(hold)
            return decision

        answer = await self.on_order(
            asked, order_id, decide, lambda _: {"hold": doc.to_json(doc.HOLD, placed[-1])}
        )
        return doc.HOLD.validate_python(answer["hold"])

    async def release_hold(
        self,
        asked: Asked,
        order_id: str,
        hold_id: str,
        reason: str,
        actor: str,
        roles: Sequence[str],
        as_of: datetime,
    ) -> Hold:
        """Lets it go on. NotFound / HOLD_NOT_FOUND, FailedPrecondition / HOLD_ENDED, PermissionDenied."""
        decided = await self._decide(
            asked,
            order_id,
            hold_id,
            lambda one: holds.release(one, hold_id, reason, actor, roles, as_of),
        )
        return decided[0]

    async def extend_hold(
        self,
        asked: Asked,
        order_id: str,
        hold_id: str,
        until: datetime,
        reason: str,
        actor: str,
        roles: Sequence[str],
        as_of: datetime,
    ) -> Hold:
        """Gives it another date. Errors as release_hold."""
        decided = await self._decide(
            asked,
            order_id,
            hold_id,
            lambda one: holds.extend(one, hold_id, until, reason, actor, roles, as_of),
        )
        return decided[0]

    async def refuse_hold(
        self,
        asked: Asked,
        order_id: str,
        hold_id: str,
        reason: str,
        actor: str,
        roles: Sequence[str],
        as_of: datetime,
    ) -> tuple[Hold, OrderState]:
        """Cancels the order because of it. Errors as release_hold, and TOO_LATE_TO_CANCEL."""
        return await self._decide(
            asked,
            order_id,
            hold_id,
            lambda one: order.refuse_hold(one, hold_id, reason, actor, roles, as_of),
        )

    async def record_supply(
        self,
        asked: Asked,
        order_id: str,
        supply_id: str,
        outcome: Outcome,
        quantity: int,
        due_at: datetime | None,
        reason: str,
        as_of: datetime,
    ) -> tuple[OrderState, tuple[Share, ...]]:
        """What became of a delivery that the order waits for, and the units of each work that it was about."""
        if outcome is not Outcome.MOVED and quantity < 1:
            raise InvalidArgument("quantity", "at least 1")
        supplied: list[Supplied] = []

        def decide(one: Order) -> Decision:
            if outcome is Outcome.SERVED:
                done = awaiting.served(one, supply_id, quantity, as_of)
            elif outcome is Outcome.LOST:
                done = awaiting.lost(one, supply_id, quantity, reason, as_of)
            else:
                done = awaiting.moved(one, supply_id, due_at, as_of)
            supplied.append(done)
            return done.decision

        def to_answer(decision: Decision) -> dict[str, object]:
            shares = doc.to_json(_SHARES, supplied[-1].shares)
            return {"state": decision.order.state.value, "shares": shares}

        answer = await self.on_order(asked, order_id, decide, to_answer)
        return OrderState(answer["state"]), _SHARES.validate_python(answer["shares"])

    async def _decide(
        self, asked: Asked, order_id: str, hold_id: str, decide: Callable[[Order], Decision]
    ) -> tuple[Hold, OrderState]:
        def to_answer(decision: Decision) -> dict[str, object]:
            hold = next(one for one in decision.order.holds if one.hold_id == hold_id)
            return {"hold": doc.to_json(doc.HOLD, hold), "state": decision.order.state.value}

        answer = await self.on_order(asked, order_id, decide, to_answer)
        return doc.HOLD.validate_python(answer["hold"]), OrderState(answer["state"])

    async def lapse_holds(self, as_of: datetime, limit: int) -> bool:
        """The default of holds whose date has come, for at most `limit` orders; whether there were any."""
        async with db.single(self._engine).connect() as tx:
            order_ids = await reading.list_due_holds(tx, as_of, limit)
            let_go = await reading.count_let_go(tx, as_of - STUCK, WAVE) if order_ids else 0
            room = WAVE - let_go
        for order_id in order_ids[:room]:
            with telemetry.about_order(order_id):
                try:
                    await self._lapse(order_id, as_of)
                except OmsError:
                    # Those that come after it do not wait for it.
                    _log.exception("the date of a hold has come, and it cannot end")
        return bool(order_ids)

    async def _lapse(self, order_id: str, as_of: datetime) -> None:
        async with self._engine.begin() as tx:
            before = await store.lock_order(tx, order_id)
            decision = judged(order.lapse_holds(before, as_of))
            if decision.order == before:
                return
            await store.save(tx, before, decision)
            await outbox.write(tx, events_of(decision))
        self._bell.ring()
