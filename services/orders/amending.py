"""Changes of orders that stand, one method per RPC. Where an order goes to is written with the buyer only."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from pydantic import TypeAdapter
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from kit import requests
from kit.feed import Bell
from services.orders import amending_store, judging, store
from services.orders import documents as doc
from services.orders.changing import Answer, Asked, Changes, judged
from services.orders.domain import amending, collection_terms, planning_again, pricing, replacing, texts, trials
from services.orders.domain.fraud_policy import FraudCheck
from services.orders.domain.model import (
    Address,
    ChangeKind,
    ChangeRefusal,
    Decision,
    Fulfilment,
    Leg,
    Order,
    OrderChange,
    PersonalText,
    Units,
    Wanted,
    Window,
)
from services.orders.domain.states import ChangeState, OrderState
from services.orders.identities import Identities


@dataclass(frozen=True, slots=True)
class Changed:
    """A change after an act, and the order's state."""

    change: OrderChange
    state: OrderState
    fulfilments: tuple[Fulfilment, ...] = ()


@dataclass(frozen=True, slots=True)
class Proposal:
    """A proposed change beside the order as it stands, and where it is to go."""

    order: Order
    change: OrderChange
    country: str
    postcode: str


_CHANGED = TypeAdapter(Changed)


class Amending(Changes):
    """The use cases of changes."""

    def __init__(self, engine: AsyncEngine, bell: Bell, identities: Identities) -> None:
        super().__init__(engine, bell)
        self._identities = identities

    async def cancel_lines(
        self,
        asked: Asked,
        order_id: str,
        wanted: Sequence[Units],
        reason: str,
        actor: str,
        roles: Sequence[str],
        as_of: datetime,
    ) -> Changed:
        """Units that are not wanted, all or none. FailedPrecondition / TOO_LATE_TO_CHANGE, CAPTURE_NOT_SETTLED."""

        def decide(one: Order) -> Decision:
            return amending.cancel_lines(one, wanted, reason, actor, roles, as_of)

        return _to_changed(await self.on_order(asked, order_id, decide, _newest))

    async def change_address(
        self,
        asked: Asked,
        order_id: str,
        address: Address,
        accepts_later: bool,
        actor: str,
        roles: Sequence[str],
        as_of: datetime,
    ) -> Changed:
        """Written at once within the same postcode; elsewhere it is proposed, with the order as it is."""

        async def decide(tx: AsyncConnection, view: store.View) -> Decision:
            one, now = view.order, view.buyer.ship_to
            pricing.check_address(address)
            if (address.country, address.postcode) == (now.country, now.postcode):
                decision = amending.change_address(one, actor, roles, as_of)
                await amending_store.write_address(tx, order_id, address)
                return decision
            wanted = Wanted(
                one.content.lines,
                one.content.total,
                one.content.mode,
                standard_shipping=one.content.standard_shipping,
                other_address=True,
                accepts_later=accepts_later,
            )
            decision = replacing.propose(one, wanted, actor, roles, as_of)
            await amending_store.propose_address(tx, order_id, address)
            return decision

        return await self._on_view(asked, order_id, decide)

    async def propose(
        self,
        asked: Asked,
        order_id: str,
        wanted: Wanted,
        address: Address | None,
        actor: str,
        roles: Sequence[str],
        as_of: datetime,
        sent_texts: Sequence[PersonalText] = (),
        gift_message: str | None = None,
    ) -> Changed:
        """Other content for an order in cooling-off. FailedPrecondition / TOO_LATE_TO_CHANGE, CHANGE_OPEN.

        Applied at once where only texts differ. No `gift_message`: it stays.
        """

        async def decide(tx: AsyncConnection, view: store.View) -> Decision:
            one = view.order
            goes_elsewhere = address is not None and address != view.buyer.ship_to
            buyer = replace(
                view.buyer,
                ship_to=address or view.buyer.ship_to,
                personalisations=texts.after_change(one.content.lines, view.buyer, wanted.lines, sent_texts),
                gift_message=view.buyer.gift_message if gift_message is None else gift_message,
            )
            others = texts.differ(view.buyer, buyer)
            asked_for = replace(wanted, other_address=goes_elsewhere, other_texts=others)
            is_at_once = replacing.are_texts_alone(one, asked_for)
            if is_at_once:
                decision = replacing.change_texts(one, actor, roles, as_of)
            else:
                decision = replacing.propose(one, asked_for, actor, roles, as_of)
            met = await store.find_counter(tx, one.content.channel_id, one.content.trade, "")
            assert met is not None, "the order has its channel"
            content = replacing.content_of(one, wanted)
            collection_terms.check_change(one.content, content)
            pricing.check_change(content, buyer, met.channel)
            trials.check_content(content, buyer, one.life_cycle)
            if address is not None and goes_elsewhere:
                await amending_store.propose_address(tx, order_id, address)
            if others:
                await amending_store.propose_texts(tx, order_id, buyer)
            if is_at_once:
                await amending_store.write_texts(tx, order_id)
            return decision

        return await self._on_view(asked, order_id, decide)

    async def plan_again(
        self, asked: Asked, order_id: str, actor: str, as_of: datetime, point_id: str = "", reason: str = ""
    ) -> Changed:
        """What an order waits for, or what a point has not begun, from elsewhere.

        FailedPrecondition / NOT_RELEASED, NOTHING_AWAITED, NOT_AT_POINT, and why work stays.
        """

        def decide(one: Order) -> Decision:
            return planning_again.propose(one, actor, as_of, point_id, reason)

        return _to_changed(await self.on_order(asked, order_id, decide, _newest))

    async def get_proposal(self, order_id: str, change_id: str) -> Proposal:
        """What a change asks for, and what the order holds. NotFound / CHANGE_NOT_FOUND."""
        async with self._engine.begin() as tx:
            view = await store.read(tx, order_id)
            proposed = await amending_store.proposed_address(tx, order_id)
        change = amending.find(view.order, change_id)
        goes_elsewhere = change.wanted is not None and change.wanted.other_address
        to = proposed if proposed and goes_elsewhere else view.buyer.ship_to
        return Proposal(view.order, change, to.country, to.postcode)

    async def apply(
        self,
        asked: Asked,
        order_id: str,
        change_id: str,
        legs: Sequence[Leg],
        promise: Window | None,
        decision_id: str,
        as_of: datetime,
        onward: Leg | None = None,
    ) -> Changed:
        """proposed -> applied; REFUSED when something else was faster."""

        async def decide(tx: AsyncConnection, view: store.View) -> Decision:
            wanted = amending.find(view.order, change_id).wanted
            check = await self._judged(tx, view, wanted, as_of) if wanted else None
            if amending.find(view.order, change_id).kind is ChangeKind.PLAN_AGAIN:
                return planning_again.apply(view.order, change_id, legs, decision_id, as_of)
            decision = replacing.apply(view.order, change_id, legs, promise, decision_id, as_of, check, onward)
            if amending.find(decision.order, change_id).state is ChangeState.APPLIED and wanted:
                await amending_store.replace_content(tx, decision.order)
                if wanted.other_address:
                    await self._go_elsewhere(tx, order_id)
                if wanted.other_texts:
                    await amending_store.write_texts(tx, order_id)
            return decision

        return await self._on_view(asked, order_id, decide, change_id)

    async def refuse(
        self, asked: Asked, order_id: str, change_id: str, refusal: ChangeRefusal, as_of: datetime
    ) -> Changed:
        """proposed -> refused."""
        return _to_changed(
            await self.on_order(
                asked,
                order_id,
                lambda one: replacing.refuse(one, change_id, refusal, as_of),
                lambda decision: _answer(decision, change_id),
            )
        )

    async def settle(self, asked: Asked, order_id: str, change_id: str, as_of: datetime) -> Changed:
        """Stock, room and money follow the change."""
        return _to_changed(
            await self.on_order(
                asked,
                order_id,
                lambda one: amending.settle(one, change_id, as_of),
                lambda decision: _answer(decision, change_id),
            )
        )

    async def _judged(
        self, tx: AsyncConnection, view: store.View, wanted: Wanted, as_of: datetime
    ) -> FraudCheck | None:
        """What the fraud rules say of what the order is to become, where it is to go."""
        after = replace(view.order, content=replacing.content_of(view.order, wanted))
        to = await amending_store.proposed_address(tx, view.order.order_id) if wanted.other_address else None
        buyer = replace(view.buyer, ship_to=to or view.buyer.ship_to)
        return await judging.judge_changed(tx, self._identities, view, after, buyer, as_of)

    async def _go_elsewhere(self, tx: AsyncConnection, order_id: str) -> None:
        address = await amending_store.proposed_address(tx, order_id)
        assert address is not None, "it was proposed"
        await amending_store.write_address(tx, order_id, address)
        await amending_store.propose_address(tx, order_id, None)

    async def _on_view(
        self,
        asked: Asked,
        order_id: str,
        decide: Callable[[AsyncConnection, store.View], Awaitable[Decision]],
        change_id: str = "",
    ) -> Changed:
        """A change of an order and of what is kept beside it, in one transaction."""
        async with self._engine.begin() as tx:
            first = await requests.first_answer(tx, asked.request_id, asked.content)
            if first is not None:
                return _to_changed(first)
            before = await store.lock_view(tx, order_id)
            decision = judged(await decide(tx, before))
            await self.save(tx, _seen(before.order, decision.order), decision)
            answer = _answer(decision, change_id)
            await requests.remember(tx, asked.request_id, answer)
        self._bell.ring()
        return _to_changed(answer)


def _seen(before: Order, after: Order) -> Order:
    """What is still written of the order: with other content its units are all new."""
    return before if after.content == before.content else replace(before, ranges=())


def _newest(decision: Decision) -> Answer:
    return _answer(decision, "")


def _answer(decision: Decision, change_id: str) -> Answer:
    one = decision.order
    change = amending.find(one, change_id) if change_id else one.changes[-1]
    return {
        "change": doc.to_json(doc.CHANGE, replace(change, wanted=None)),
        "state": one.state.value,
        "fulfilments": doc.to_json(doc.FULFILMENTS, decision.created),
    }


def _to_changed(answer: Mapping[str, Any]) -> Changed:
    return _CHANGED.validate_python(answer)
