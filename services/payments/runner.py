"""Carries operations to the provider and commits what it answered.

Never a network call inside a transaction. The intent is committed before (see service.py); here the provider is
called with the operation's key, and the outcome is committed under the payment's lock. An answer that is lost
leaves the operation UNKNOWN until the provider has been asked; nothing is guessed.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime

from kit import db, failpoints
from kit.db import AsyncConnection, AsyncEngine, Statement
from kit.feed import Bell
from kit.values.ids import new_id
from services.payments import books, failed_refunds, statements, store
from services.payments.domain import changing, links, renewing, sharing
from services.payments.domain.model import Kind, Operation, Payment, State, Status, Tender
from services.payments.domain.outcome import Outcome, failed
from services.payments.domain.policies import Policies
from services.payments.domain.rules import Intent
from services.payments.domain.settlement import ENDED, Settlement, let_go, settle, told_provider
from services.payments.providers import AnswerLost, Authorisation, Provider


class Runner:
    """Owns the conversation with the providers; `providers` by name."""

    def __init__(
        self,
        engine: AsyncEngine,
        bell: Bell,
        providers: dict[str, Provider],
        policies: Policies,
        clock: Callable[[], datetime],
    ) -> None:
        self._engine = engine
        self._bell = bell
        self._providers = providers
        self._policies = policies
        self._clock = clock

    async def run(self, payment: Payment, operations: Sequence[Operation]) -> list[Operation]:
        """The first try of operations whose intents have been committed; they are of different tenders."""
        if operations:
            failpoints.reach("before_provider")
        return list(await asyncio.gather(*(self._run(payment, one) for one in operations)))

    async def carry_out(
        self, payment: Payment, operations: Sequence[Operation], *, is_new: bool
    ) -> list[Operation]:
        """The operations of a request with what became of those that the provider is to be asked about."""
        asked = [one for one in operations if one.unsettled or (not is_new and one.state is State.ACTION_REQUIRED)]
        if is_new:
            answers = await self.run(payment, asked)
        else:
            answers = list(await asyncio.gather(*map(self.resolve, asked)))
        known = {one.operation_id: one for one in answers}
        return [known.get(one.operation_id, one) for one in operations]

    async def resolve(self, operation: Operation, *, announce: bool = False) -> Operation:
        """Asks about an operation that is not settled: repeats it under its key, or looks what it did.

        `announce`: nobody waits for this answer, so an authorisation's outcome is told to the order's workflow.
        """
        current, tender = await self._as_it_stands(operation)
        if not (current.unsettled or current.state is State.ACTION_REQUIRED):
            return current  # by another who asked: the tender has forgotten what the question needs
        provider = self._providers[operation.provider]
        try:
            if operation.state is State.ACTION_REQUIRED:
                outcome = await self._ask_whether_acted(tender, provider)
            elif self._clock() - operation.intended_at < provider.abilities.key_validity:
                outcome = await self._repeat(tender, operation, provider)
            else:
                outcome = await provider.look(tender, operation) or failed("never_reached_provider")
        except AnswerLost:
            return await self._mark_unknown(operation)
        return await self.settle(operation, outcome, announce=announce) if outcome else operation

    async def settle(self, operation: Operation, outcome: Outcome, *, announce: bool = False) -> Operation:
        """Commits an outcome once, with what follows from it; whoever comes second finds it settled."""
        followed: list[Operation] = []
        async with self._engine.begin() as tx:
            payment, current = await _locked_with(tx, operation)
            if current.state is outcome.state or not (current.unsettled or current.state is State.ACTION_REQUIRED):
                return current
            now = self._clock()
            settled = settle(payment.tender(current.tender_id), current, outcome, now, new_id("pop"))
            # Of an operation that is only INTENDED, whoever asked is still there, or will ask again.
            alone = announce and current.state is not State.INTENDED
            payment, written = _writing(payment, current, settled, now, to_workflow=alone)
            is_all = not _may_be_followed(settled.operation)
            await db.in_one_trip(tx, *written, ends=is_all)
            if not is_all:
                payment, followed = await self._follow(tx, payment, settled)
        self._bell.ring()
        for tender in payment.tenders:
            if tender.release_due:
                await self.release(tender.tender_id)
        await self.run(payment, [one for one in followed if one.unsettled])
        return settled.operation

    async def release(self, tender_id: str) -> bool:
        """Tells the provider to let go of what we gave up in our ledger; False when it has to be tried again."""
        async with db.single(self._engine).connect() as tx:
            tender = await store.read_tender(tx, tender_id)
            waiting = [
                one
                for one in await store.operations_of(tx, tender.order_id)
                if one.tender_id == tender_id and one.state is State.ACTION_REQUIRED
            ]
        if not tender.release_due:
            return True
        try:
            if tender.provider_payment_id:
                await self._providers[tender.provider].release(tender)
        except AnswerLost:
            return False
        code = links.CANCELLED if links.is_link(tender) else "canceled"
        for operation in waiting:
            if not await self.withdraw(tender, operation, code):
                return False
        async with self._engine.begin() as tx:
            payment = await _locked(tx, tender.order_id)
            current = payment.tender(tender_id)
            if current.release_due:
                await books.save(tx, payment, told_provider(current))
        return True

    async def withdraw(
        self, tender: Tender, operation: Operation, code: str = "canceled", *, announce: bool = False
    ) -> bool:
        """Gives up an authorisation that waits for the customer; True once its outcome is known."""
        outcome: Outcome | None = failed(code)
        # The page of a payment link that nobody opened is not there.
        if tender.provider_payment_id:
            provider = self._providers[operation.provider]
            try:
                await provider.release(tender)
                found = await provider.authorisation(tender.provider_payment_id)
            except AnswerLost:
                return False
            if found is not None and links.is_link(tender):
                outcome = found.outcome if found.outcome and found.outcome.state is State.SUCCEEDED else outcome
            elif found is not None:
                outcome = found.outcome
        if outcome:
            await self.settle(operation, outcome, announce=announce)
        return outcome is not None

    async def end_link(self, operation: Operation) -> bool:
        """The time of a payment link is over: whoever has not paid by it does not any more."""
        known = await self.resolve(operation, announce=True)
        if known.state is not State.ACTION_REQUIRED:
            return True
        _, tender = await self._as_it_stands(operation)
        return await self.withdraw(tender, operation, links.EXPIRED, announce=True)

    async def accept_truth(
        self, tx: AsyncConnection, found: Authorisation, payment: Payment, tender: Tender
    ) -> None:
        """The provider ended an authorisation by itself (it expired): the rest is void. Holds the lock."""
        rest = tender.uncaptured
        unsettled = await store.unsettled_of(tx, payment.order_id)
        busy = any(one.tender_id == tender.tender_id for one in unsettled)
        if not found.ended or busy or rest == 0 or found.captured != tender.captured:
            return
        gone = let_go(tender, rest, new_id("pop"), ENDED, self._clock())
        payment = await books.save(tx, payment, told_provider(tender))
        await books.record(tx, payment, [gone])

    async def _follow(
        self, tx: AsyncConnection, payment: Payment, settled: Settlement
    ) -> tuple[Payment, list[Operation]]:
        """What an outcome means for others: a renewal takes its place, a raise counts, a decline gives the other
        tenders up, a refund that failed is somebody's task."""
        operation, tender = settled.operation, settled.tender
        if operation.kind is Kind.REFUND and operation.state is State.FAILED:
            payment = await failed_refunds.take_care(tx, payment, operation, self._policies, self._clock())
            return payment, []
        unsettled = await store.unsettled_of(tx, payment.order_id)
        if tender.renews or tender.raises:
            if operation.state is not State.SUCCEEDED:
                return payment, []
            if tender.raises:
                changed, operations = changing.stand(tender, self._intent(operation, changing.WITHDRAWN))
            else:
                intent = self._intent(operation, renewing.CAUSE)
                changed, operations = renewing.take_place(payment, tender, unsettled, intent)
            payment = await books.save(tx, payment, *changed)
        else:
            operations = sharing.give_up(payment, unsettled, self._intent(operation, "declined"))
            if payment.status is Status.DECLINED:
                waiting = [one for one in payment.tenders if one.status is Status.ACTION_REQUIRED]
                payment = await books.save(tx, payment, *(replace(one, release_due=True) for one in waiting))
        return await books.record(tx, payment, operations), operations

    def _intent(self, of: Operation, cause: str) -> Intent:
        operation_id = new_id("pop")
        return Intent(operation_id, operation_id, cause, of.actor, self._clock())

    async def _run(self, payment: Payment, operation: Operation) -> Operation:
        try:
            provider = self._providers[operation.provider]
            outcome = await _perform(provider, payment.tender(operation.tender_id), operation)
        except AnswerLost:
            return await self._mark_unknown(operation)
        return await self.settle(operation, outcome)

    async def _repeat(self, tender: Tender, operation: Operation, provider: Provider) -> Outcome:
        try:
            return await _perform(provider, tender, operation)
        except AnswerLost as lost:
            if not lost.ended:
                raise
        # The attempt is over and its answer is gone for good: look for its trace; without one, begin another.
        found = await provider.look(tender, operation)
        if found is not None:
            return found
        return await _perform(provider, tender, await self.begin_attempt(operation))

    async def begin_attempt(self, operation: Operation) -> Operation:
        """The next try at the provider, the last being known to have done nothing. Raises AnswerLost when another
        has begun it."""
        async with self._engine.begin() as tx:
            _, current = await _locked_with(tx, operation)
            waits = current.unsettled or current.state is State.ACTION_REQUIRED
            if not waits or current.attempt != operation.attempt:
                raise AnswerLost("another is asking")
            again = replace(current, attempt=current.attempt + 1)
            await db.in_one_trip(tx, *statements.saving_operation(current, again))
        return again

    async def _ask_whether_acted(self, tender: Tender, provider: Provider) -> Outcome | None:
        if not tender.provider_payment_id:
            return None
        found = await provider.authorisation(tender.provider_payment_id)
        if found is None or (links.is_link(tender) and found.outcome and found.outcome.state is State.FAILED):
            return None  # the page of a link has ended, the link has not
        return found.outcome

    async def _mark_unknown(self, operation: Operation) -> Operation:
        async with self._engine.begin() as tx:
            _, current = await _locked_with(tx, operation)
            if current.state is not State.INTENDED:
                return current
            unknown = replace(current, state=State.UNKNOWN)
            await db.in_one_trip(tx, *statements.saving_operation(current, unknown))
        return unknown

    async def _as_it_stands(self, operation: Operation) -> tuple[Operation, Tender]:
        async with db.single(self._engine).connect() as tx:
            # The tender first: what it has forgotten since, the operation then says.
            tender = await store.read_tender(tx, operation.tender_id)
            return await store.read_operation(tx, operation.operation_id), tender


async def _perform(provider: Provider, tender: Tender, operation: Operation) -> Outcome:
    if refusal := provider.abilities.refusal(tender, operation):
        return failed(refusal)
    if operation.kind is Kind.SAVE_MEANS:
        return await provider.save_means(tender, operation)
    return await provider.perform(tender, operation)


async def _locked(tx: AsyncConnection, order_id: str) -> Payment:
    payment = await store.lock_payment(tx, order_id)
    assert payment is not None  # operations reference their payment, which is never deleted
    return payment


async def _locked_with(tx: AsyncConnection, operation: Operation) -> tuple[Payment, Operation]:
    """The payment under its lock, and the operation as it then stands."""
    *of_payment, [row] = await db.in_one_trip(
        tx,
        *statements.locking_payment(operation.order_id),
        statements.reading_operation(operation.operation_id),
    )
    payment = statements.payment_of(*of_payment)
    assert payment is not None  # operations reference their payment, which is never deleted
    return payment, statements.operation_of(row)


def _may_be_followed(operation: Operation) -> bool:
    """Whether its outcome may mean something for others."""
    return operation.kind is Kind.AUTHORIZE or (operation.kind, operation.state) == (Kind.REFUND, State.FAILED)


def _writing(
    payment: Payment, current: Operation, settled: Settlement, now: datetime, *, to_workflow: bool
) -> tuple[Payment, list[Statement]]:
    """The payment after an outcome, and what is to be written of it."""
    after = payment.having(settled.tender)
    written = [
        *statements.saving_operation(current, settled.operation),
        *statements.saving_payment(payment, after),
    ]
    told = [settled.operation]
    if settled.released:
        written.append(statements.inserting_operation(settled.released))
        told.append(settled.released)
    return after, written + books.writing_down(after, told, now, to_workflow=to_workflow)
