"""What waits at a counter, and what its customer is asked: one method per RPC (SPEC STO-2, RTE-9)."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from pydantic import TypeAdapter
from sqlalchemy.ext.asyncio import AsyncEngine

from kit import db, requests, telemetry
from kit.errors import FailedPrecondition, InvalidArgument, NotFound, TooManyRequests
from kit.feed import Bell
from services.orders import amending_store, collecting_store, store
from services.orders import documents as doc
from services.orders.changing import Asked, Changes, check_reach, judged
from services.orders.codes import ALPHABET, LENGTH, Codes, read
from services.orders.domain import choosing, collecting, fulfilment, unpacking
from services.orders.domain.collecting import AtCounter
from services.orders.domain.fraud_policy import Trait
from services.orders.domain.model import (
    EVERYWHERE,
    Address,
    CustomerChoice,
    Decision,
    DeliveryOption,
    Fulfilment,
    Order,
    Reach,
    Units,
)
from services.orders.domain.pricing import check_address
from services.orders.domain.states import FulfilmentState
from services.orders.identities import Identities
from services.orders.store import View

_CHOICE = TypeAdapter(CustomerChoice)
# Wrong codes that may be said at a point without an order, from the first of them on (decision 73).
ATTEMPTS = 20
ATTEMPTS_LAST = timedelta(hours=1)


class Collecting(Changes):
    """The use cases of what is collected at a store."""

    def __init__(self, engine: AsyncEngine, bell: Bell, codes: Codes, identities: Identities) -> None:
        super().__init__(engine, bell)
        self._codes = codes
        self._identities = identities

    async def mark_ready(
        self,
        asked: Asked,
        fulfilment_id: str,
        shelf: str,
        actor: str,
        as_of: datetime,
        *,
        at_counter: bool = False,
    ) -> Fulfilment:
        """picked -> ready."""
        return await self.on_work(
            asked,
            fulfilment_id,
            lambda one, work: collecting.ready(one, work, shelf, actor, as_of, at_counter=at_counter),
        )

    async def collect(
        self, asked: Asked, fulfilment_id: str, code: str, who: AtCounter, actor: str, as_of: datetime
    ) -> Fulfilment:
        """ready -> delivered, or its money is asked for.

        A wrong code is counted before it is answered: FailedPrecondition / WRONG_CODE.
        """

        def decide(one: Order, work: Fulfilment) -> Decision:
            is_right = self._codes.is_of(work, code) if code else None
            return collecting.collect(one, work, replace(who, is_code_right=is_right), actor, as_of)

        # What was entered is in no request that is kept.
        answer = await self._on_work(asked, fulfilment_id, decide)
        if refusal := answer["refusal"]:
            raise FailedPrecondition(**refusal)
        return doc.FULFILMENT.validate_python(answer["fulfilment"])

    async def find_by_code(self, reach: Reach, code: str, as_of: datetime) -> Fulfilment:
        """What waits at the one point of the reach for whoever has this code; it is read, and nothing else.

        What is no code (an article was scanned) is not counted: InvalidArgument / NOT_A_CODE. NotFound /
        CODE_UNKNOWN is; TooManyRequests / TOO_MANY_CODES, whatever the code is.
        """
        if len(reach.point_ids) != 1:
            raise InvalidArgument("reach.point_ids", "exactly one point")
        if len(typed := read(code)) != LENGTH or not set(typed) <= set(ALPHABET):
            raise InvalidArgument("code", f"{LENGTH} letters and digits", reason="NOT_A_CODE")
        (point_id,) = reach.point_ids
        async with self._engine.begin() as tx:
            # Counted before it is known: who tries many at once is counted as who tries one after the other.
            attempts = await collecting_store.count_attempt(tx, point_id, as_of, ATTEMPTS_LAST)
            if attempts > ATTEMPTS:
                raise TooManyRequests(
                    "TOO_MANY_CODES", "too many wrong codes here: find the order by its number, or wait an hour"
                )
            found = self._codes.whose(await collecting_store.waiting(tx, point_id), code)
            mine = []
            for work_id in found:
                one = (await store.read_of_fulfilment(tx, work_id)).order
                if fulfilment.is_within(reach, one, work := one.fulfilment(work_id)):
                    mine.append(work)
            if mine:
                await tx.rollback()
        if not mine:
            raise NotFound(
                "CODE_UNKNOWN", "nothing that waits here has this code", attempts_left=ATTEMPTS - attempts
            )
        if len(mine) > 1:
            raise FailedPrecondition("CODE_OF_SEVERAL", "several things here have this code: find it by its order")
        return mine[0]

    async def unlock(self, asked: Asked, fulfilment_id: str, actor: str, as_of: datetime) -> Fulfilment:
        """The code may be tried again; FailedPrecondition / NOT_LOCKED."""
        return await self.on_work(
            asked, fulfilment_id, lambda one, work: collecting.unlock(one, work, actor, as_of)
        )

    async def extend(
        self, asked: Asked, fulfilment_id: str, keep_until: datetime, actor: str, as_of: datetime
    ) -> Fulfilment:
        """The customer comes later."""
        return await self.on_work(
            asked, fulfilment_id, lambda one, work: collecting.extend(one, work, keep_until, actor, as_of)
        )

    async def confirm_put_back(self, asked: Asked, fulfilment_id: str, actor: str, as_of: datetime) -> Fulfilment:
        """What was not collected, or unpacked, is on its shelf; FailedPrecondition / NOTHING_TO_PUT_BACK."""

        def decide(one: Order, work: Fulfilment) -> Decision:
            rule = unpacking.confirm if work.put_back else collecting.confirm_put_back
            return rule(one, work, actor, as_of)

        return await self.on_work(asked, fulfilment_id, decide)

    async def set_dates(
        self, asked: Asked, fulfilment_id: str, closings: Sequence[datetime], as_of: datetime
    ) -> Fulfilment:
        """By the opening days of the point."""
        return await self.on_work(
            asked, fulfilment_id, lambda one, work: collecting.set_dates(one, work, closings, as_of)
        )

    # -- the customer -------------------------------------------------------------------------------------

    async def codes(self, order_id: str) -> list[tuple[Fulfilment, str]]:
        """Of the order's work that is ready, each with its code."""
        async with db.single(self._engine).connect() as tx:
            one = (await store.read(tx, order_id)).order
        return [(work, self._codes.of(work)) for work in one.fulfilments if work.state is FulfilmentState.READY]

    async def ask(
        self,
        asked: Asked,
        order_id: str,
        fulfilment_id: str,
        units: Sequence[Units],
        reason: str,
        options: Sequence[DeliveryOption],
        as_of: datetime,
    ) -> str:
        """The id of the question; empty when the order is being cancelled."""
        answer = await self.on_order(
            asked,
            order_id,
            lambda one: choosing.ask(one, fulfilment_id, units, reason, options, as_of),
            lambda decision: {"choice_id": decision.order.choices[-1].choice_id if decision.happenings else ""},
        )
        return str(answer["choice_id"])

    async def choose(
        self,
        asked: Asked,
        order_id: str,
        choice_id: str,
        kind: str,
        point_id: str,
        ship_to: Address | None,
        actor: str,
        as_of: datetime,
    ) -> CustomerChoice:
        """What the customer wants, with the address of a delivery."""
        if ship_to is not None:
            check_address(ship_to)
        async with self._engine.begin() as tx:
            first = await requests.first_answer(tx, asked.request_id, asked.content)
            if first is not None:
                return _CHOICE.validate_python(first)
            view = await store.lock_view(tx, order_id)
            has_address = ship_to is not None or bool(view.buyer.ship_to.street_lines)
            decision = choosing.choose(view.order, choice_id, kind, point_id, has_address, actor, as_of)
            after = (await self.save(tx, view.order, judged(decision))).order
            if ship_to is not None and kind == choosing.DELIVERY:
                await amending_store.write_address(tx, order_id, ship_to)
            made = next(
                one for one, was in zip(after.choices, view.order.choices, strict=True) if one.kind != was.kind
            )
            await requests.remember(tx, asked.request_id, doc.to_json(_CHOICE, made))
        self._bell.ring()
        return made

    async def choice(self, order_id: str, choice_id: str) -> tuple[CustomerChoice, tuple[Units, ...], View]:
        """What was chosen, and the units that it is still for."""
        async with self._engine.begin() as tx:
            view = await store.read(tx, order_id)
        choice = choosing.find(view.order, choice_id)
        return choice, choosing.still_homeless(view.order, choice), view

    # -- reading ------------------------------------------------------------------------------------------

    async def list_put_backs(self, reach: Reach, size: int) -> list[Fulfilment]:
        """What is to be put back, the oldest first."""
        async with db.single(self._engine).connect() as tx:
            return await collecting_store.list_put_backs(tx, sorted(reach.point_ids), size)

    async def no_shows(
        self, point_ids: Sequence[str], since: datetime | None, until: datetime | None
    ) -> list[collecting_store.NoShows]:
        """By store."""
        async with db.single(self._engine).connect() as tx:
            return await collecting_store.no_shows(tx, point_ids, since, until)

    async def no_shows_of_customer(self, order_id: str) -> collecting_store.NoShows:
        """Of whoever placed this order, by customer id and e-mail."""
        async with self._engine.begin() as tx:
            view = await store.read(tx, order_id)
            known = self._identities.of(view.order.content, view.buyer)
            digests = [one for trait in (Trait.CUSTOMER, Trait.EMAIL) for one in known.get(trait, ())]
            return await collecting_store.no_shows_of(tx, digests)

    # -- what they share ----------------------------------------------------------------------------------

    async def _on_work(
        self, asked: Asked, fulfilment_id: str, decide: Callable[[Order, Fulfilment], Decision]
    ) -> Mapping[str, Any]:
        """As `on_work`, for a rule whose refusal is written down too."""
        async with self._engine.begin() as tx:
            first = await requests.first_answer(tx, asked.request_id, asked.content)
            if first is not None:
                if asked.reach != EVERYWHERE:
                    one = (await store.read_of_fulfilment(tx, fulfilment_id)).order
                    check_reach(fulfilment.is_within, asked.reach, one, fulfilment_id)
                return first
            before = await store.lock_order_of(tx, fulfilment_id)
            check_reach(fulfilment.is_within, asked.reach, before, fulfilment_id)
            with telemetry.about_order(before.order_id):
                decision = judged(decide(before, before.fulfilment(fulfilment_id)))
                await self.save(tx, before, decision)
                answer = _answer(decision, fulfilment_id)
                await requests.remember(tx, asked.request_id, answer)
        self._bell.ring()
        return answer


def _answer(decision: Decision, fulfilment_id: str) -> dict[str, Any]:
    refusal, after = decision.refusal, decision.order.fulfilment(fulfilment_id)
    waits = after.collection
    left = decision.order.life_cycle.collection.code_attempts - (waits.wrong_codes if waits else 0)
    return {
        "fulfilment": doc.to_json(doc.FULFILMENT, after),
        "refusal": {
            "reason": refusal.reason,
            "detail": refusal.detail,
            "field": "code",
            "attempts_left": max(0, left),
        }
        if refusal
        else None,
    }
