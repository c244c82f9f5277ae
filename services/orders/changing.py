"""How an order changes: the request id is looked up, the order locked, a rule decides, the outcome is saved.

What the use cases share; each of these is one transaction, and commits.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from kit import db, outbox, requests, telemetry
from kit.feed import Bell
from services.orders import documents as doc
from services.orders import invoicing, store
from services.orders.domain import fulfilment, holds, replacing, watch
from services.orders.domain.model import EVERYWHERE, Decision, Fulfilment, Order, Reach
from services.orders.domain.states import OrderState

Answer = dict[str, Any]
# Whether work is within a reach.
Within = Callable[[Reach, Order, Fulfilment], bool]


@dataclass(frozen=True, slots=True)
class Asked:
    """Who asks to change something: the id of the request, its content without instants, and whose work it may be.

    The reach is no part of the content: who may do more than before repeats the same request.
    """

    request_id: str
    content: bytes
    reach: Reach = EVERYWHERE


class Changes:
    """Base of the use cases that change orders."""

    def __init__(self, engine: AsyncEngine, bell: Bell) -> None:
        self._engine = engine
        self._bell = bell

    async def state_after(self, asked: Asked, order_id: str, decide: Callable[[Order], Decision]) -> OrderState:
        """A change that is answered with the order's state."""
        answer = await self.on_order(
            asked, order_id, decide, lambda decision: {"state": decision.order.state.value}
        )
        return OrderState(answer["state"])

    async def on_order(
        self,
        asked: Asked,
        order_id: str,
        decide: Callable[[Order], Decision],
        to_answer: Callable[[Decision], Answer],
    ) -> Mapping[str, Any]:
        """A change of an order, and its answer, which a repeated request gets again."""

        async def look_and_decide(_: AsyncConnection, before: Order) -> Decision:
            return decide(before)

        return await self.on_order_after_a_look(asked, order_id, look_and_decide, to_answer)

    async def on_order_after_a_look(
        self,
        asked: Asked,
        order_id: str,
        decide: Callable[[AsyncConnection, Order], Awaitable[Decision]],
        to_answer: Callable[[Decision], Answer],
    ) -> Mapping[str, Any]:
        """The same for a rule that has to know more than the order: it is looked up under the order's lock."""
        async with self._engine.begin() as tx:
            begun, _, found = await db.in_one_trip(
                tx, requests.beginning(asked.request_id, asked.content), *store.locking(order_id)
            )
            first = await requests.begun(tx, begun, asked.request_id, asked.content)
            if first is not None:
                return first
            before = store.view_of(found, order_id).order
            decision = judged(await decide(tx, before))
            answer = to_answer(await self.save(tx, before, decision))
            await requests.remember(tx, asked.request_id, answer)
        self._bell.ring()
        return answer

    async def on_work(
        self,
        asked: Asked,
        fulfilment_id: str,
        decide: Callable[[Order, Fulfilment], Decision],
        is_within: Within = fulfilment.is_within,
    ) -> Fulfilment:
        """A change of a fulfilment, within the caller's reach; answered with the fulfilment."""
        async with self._engine.begin() as tx:
            begun, _, found = await db.in_one_trip(
                tx, requests.beginning(asked.request_id, asked.content), *store.locking_of(fulfilment_id)
            )
            first = await requests.begun(tx, begun, asked.request_id, asked.content)
            if first is not None:
                if asked.reach != EVERYWHERE:
                    one = (await store.read_of_fulfilment(tx, fulfilment_id)).order
                    check_reach(is_within, asked.reach, one, fulfilment_id)
                return doc.FULFILMENT.validate_python(first)
            before = store.order_of(found, fulfilment_id)
            check_reach(is_within, asked.reach, before, fulfilment_id)
            # Who works on a fulfilment names no order: from here on the trace does.
            with telemetry.about_order(before.order_id):
                decision = judged(decide(before, before.fulfilment(fulfilment_id)))
                await self.save(tx, before, decision)
                after = decision.order.fulfilment(fulfilment_id)
                await requests.remember(tx, asked.request_id, doc.to_json(doc.FULFILMENT, after))
        self._bell.ring()
        return after

    async def save(self, tx: AsyncConnection, before: Order, decision: Decision) -> Decision:
        """With the documents that it issues. Nothing happened means nothing to write: the answer is the state."""
        if not decision.happenings:
            return decision
        await store.save(tx, before, decision)
        issued = await invoicing.issue(tx, before, decision.order)
        await outbox.write(tx, [*events_of(decision), *map(invoicing.event_of, issued)])
        return replace(decision, issued=tuple(one.number for one in issued))


def judged(decision: Decision) -> Decision:
    """With what a change means for holds, for what is proposed and for the promise, at its own instant."""
    if not decision.happenings:
        return decision
    now = decision.order.updated_at
    return watch.judge(replacing.overtaken(holds.settled(decision, now), now), now)


def check_reach(is_within: Within, reach: Reach, one: Order, fulfilment_id: str) -> None:
    """Raises NotFound / FULFILMENT_NOT_FOUND for work that is not the caller's, as if it did not exist."""
    if not is_within(reach, one, one.fulfilment(fulfilment_id)):
        raise store.no_fulfilment(fulfilment_id)


def events_of(decision: Decision) -> list[outbox.Event]:
    """What a decision tells; the subject is the workflow that is about it."""
    one = decision.order
    about: Answer = {"order_id": one.order_id, "channel_id": one.content.channel_id}
    events: list[outbox.Event] = []
    for happening in decision.happenings:
        if not happening.told:
            continue
        subject, data = f"order/{one.order_id}", {**about, **happening.facts}
        if happening.refund_id:
            subject = f"refund/{happening.refund_id}"
        subject = happening.story or subject
        if work := happening.fulfilment:
            subject = f"fulfilment/{work.fulfilment_id}"
            data |= {"fulfilment_id": work.fulfilment_id, "point_id": work.point_id}
        events.append(outbox.Event(f"oms.orders.{happening.kind}", subject, one.order_id, happening.at, data))
    return events
