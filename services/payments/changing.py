"""ChangeAmount: brings what is authorised to another total of the order, before it is captured."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from kit import db, requests
from kit.db import AsyncConnection, AsyncEngine
from kit.errors import InvalidArgument
from kit.feed import Bell
from kit.values.ids import new_id
from kit.values.money import Money
from services.payments import books, store
from services.payments.authorising import Authorising
from services.payments.commands import (
    ChangeAmount,
    Part,
    answer,
    check_order,
    check_part,
    content,
    intent_of,
    operation_ids,
)
from services.payments.domain import changing, links, rules, sharing
from services.payments.domain.model import Kind, MeansKind, Operation, Payment, State, Status, Tender
from services.payments.domain.movement import Movement
from services.payments.domain.rules import Intent
from services.payments.providers import Provider
from services.payments.runner import Runner

# Nothing of ours is authorised, or not yet: its amount is said when it is.
_NOTHING_TO_DO = (Status.PAID_BY_CHANNEL, Status.SAVED)


@dataclass(frozen=True, slots=True)
class Change:
    """AUTHORIZED, DECLINED (all is as it was), ACTION_REQUIRED, PAID_BY_CHANNEL, SAVED, or PENDING: ask again."""

    status: Status
    next_action_url: str = ""
    decline_code: str = ""
    operations: Sequence[Operation] = ()


class Changing:
    """`authorising` opens the tenders that pay more."""

    def __init__(
        self,
        engine: AsyncEngine,
        bell: Bell,
        providers: Mapping[str, Provider],
        runner: Runner,
        authorising: Authorising,
        clock: Callable[[], datetime],
    ) -> None:
        self._engine = engine
        self._bell = bell
        self._providers = providers
        self._runner = runner
        self._authorising = authorising
        self._clock = clock

    async def change_amount(self, asked: ChangeAmount) -> Change:
        """Raises PAYMENT_CLOSED, PAYMENT_NOT_AUTHORIZED, TOTAL_BELOW_CAPTURE, Unavailable / MONEY_IN_FLIGHT."""
        _check(asked)
        payment, operations, is_new = await self._intend(asked)
        if payment.status in _NOTHING_TO_DO:
            return Change(payment.status)
        for tender in payment.tenders:
            if tender.release_due:
                await self._runner.release(tender.tender_id)
        done = await self._runner.carry_out(payment, operations, is_new=is_new)
        if asked.means and done and changing.declined_without_customer(payment, done[-1]):
            payment, operations, is_new = await self._bring_instead(asked, asked.means, done[-1].amount_minor)
            done = await self._runner.carry_out(payment, operations, is_new=is_new)
        return await self._told(done)

    async def _intend(self, asked: ChangeAmount) -> tuple[Payment, Sequence[Operation], bool]:
        with books.used_once():
            async with self._engine.begin() as tx:
                first = await requests.first_answer(tx, asked.request_id, content("change_amount", asked))
                payment = await books.locked(tx, asked.order_id)
                if first is not None:
                    return payment, await store.operations_of_request(tx, operation_ids(first)), False
                operations: list[Operation] = []
                if payment.status not in _NOTHING_TO_DO:
                    payment, operations = await self._change(tx, payment, asked)
                await requests.remember(tx, asked.request_id, answer(operations))
        self._bell.ring()
        return payment, operations, True

    async def _change(
        self, tx: AsyncConnection, payment: Payment, asked: ChangeAmount
    ) -> tuple[Payment, list[Operation]]:
        known = await store.operations_of(tx, asked.order_id)
        changing.check(payment, known)
        by = changing.difference(payment, known, asked.total)
        intent = intent_of(asked, self._clock())
        wanted = payment.having(*sharing.withdrawn(payment))
        if by <= 0:
            wanted, operations = changing.lower(wanted, Money(-by, payment.currency), intent)
        else:
            wanted, operations = changing.take_back(wanted, by, intent)
        payment = await books.save(tx, payment, *wanted.tenders)
        if by > 0 and not operations:
            return await self._raise(tx, payment, known, by, asked, intent)
        return await books.record(tx, payment, operations), operations

    async def _raise(
        self,
        tx: AsyncConnection,
        payment: Payment,
        known: Sequence[Operation],
        by: int,
        asked: ChangeAmount,
        intent: Intent,
    ) -> tuple[Payment, list[Operation]]:
        for tender in reversed(payment.tenders):
            abilities = self._providers[tender.provider].abilities
            if changing.raisable(tender, known, abilities.most_increments):
                operations = [changing.intend_raise(tender, by, intent)]
                return await books.record(tx, payment, operations), operations
        if kept := changing.off_session(payment, new_id("ten"), by):
            return await self._add(tx, payment, kept, intent)
        if asked.means:
            return await self._add(tx, payment, self._opened(payment, asked.means, by), intent)
        operations = [changing.refuse(payment, by, intent)]
        return await books.record(tx, payment, operations), operations

    async def _bring_instead(
        self, asked: ChangeAmount, means: Part, by: int
    ) -> tuple[Payment, Sequence[Operation], bool]:
        """The means that was brought pays what was declined without the customer."""
        with books.used_once():
            async with self._engine.begin() as tx:
                payment = await books.locked(tx, asked.order_id)
                known = await store.operations_of(tx, asked.order_id)
                mine = [one for one in known if one.request_id == asked.request_id]
                if changing.brought(payment.tender(mine[-1].tender_id)):
                    return payment, mine[-1:], False
                changing.check(payment, known)
                tender = self._opened(payment, means, by)
                payment, operations = await self._add(tx, payment, tender, intent_of(asked, self._clock()))
        return payment, operations, True

    def _opened(self, payment: Payment, means: Part, by: int) -> Tender:
        position = changing.last_position(payment) + 1
        tender = self._authorising.open_tender(payment, position, means, by, "means")
        until = payment.tenders[-1].needed_until
        return replace(tender, needed_until=until, raises=True, superseded=True)

    async def _add(
        self, tx: AsyncConnection, payment: Payment, tender: Tender, intent: Intent
    ) -> tuple[Payment, list[Operation]]:
        await store.insert_tenders(tx, [tender])
        operations = [links.authorising(tender, intent)]
        return await books.record(tx, payment.having(tender), operations), operations

    async def _told(self, done: Sequence[Operation]) -> Change:
        # What a till could not give back is somebody's task; the order is no longer to be paid by it.
        decisive = Movement(tuple(one for one in done if one.kind is not Kind.REFUND)) if done else None
        if decisive is None:
            return Change(Status.AUTHORIZED)
        match decisive.state:
            case State.SUCCEEDED:
                return Change(Status.AUTHORIZED, operations=done)
            case State.FAILED:
                return Change(Status.DECLINED, decline_code=decisive.failure_code, operations=done)
            case State.ACTION_REQUIRED:
                async with db.single(self._engine).connect() as tx:
                    tender = await store.read_tender(tx, decisive.decisive.tender_id)
                return Change(Status.ACTION_REQUIRED, tender.next_action_url, operations=done)
            case _:
                return Change(Status.PENDING, operations=done)


def _check(asked: ChangeAmount) -> None:
    check_order(asked)
    if asked.total.amount_minor:
        rules.check_amount(asked.total, "total")
    if asked.means:
        check_part("means", asked.means)
        if asked.means.means.kind is MeansKind.PAID_BY_CHANNEL:
            raise InvalidArgument("means", "what its channel was paid has no other tender")
