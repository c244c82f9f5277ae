"""Carries operations to the provider and commits what it answered.

Never a network call inside a transaction. The intent is committed before (see service.py); here the provider is
called with the operation's key, and the outcome is committed under the payment's lock. An answer that is lost
leaves the operation UNKNOWN until the provider has been asked; nothing is guessed.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime

from kit import db, failpoints, outbox
from kit.db import AsyncConnection, AsyncEngine
from kit.feed import Bell
from kit.values.ids import new_id
from services.payments import store
from services.payments.domain import rules
from services.payments.domain.model import Kind, Operation, Payment, State, TenderKind
from services.payments.domain.outcome import Outcome, failed
from services.payments.domain.settlement import book, let_go, settle, told_provider
from services.payments.providers import AnswerLost, Authorisation, Provider

_AUTHORIZED = "oms.payments.payment.authorized"
_DECLINED = "oms.payments.payment.declined"


class Runner:
    """Owns the conversation with the providers; `providers` by name."""

    def __init__(
        self,
        engine: AsyncEngine,
        bell: Bell,
        providers: dict[str, Provider],
        clock: Callable[[], datetime],
    ) -> None:
        self._engine = engine
        self._bell = bell
        self._providers = providers
        self._clock = clock

    async def run(self, payment: Payment, operation: Operation) -> Operation:
        """The first try of an operation whose intent has been committed."""
        failpoints.reach("before_provider")
        provider = self._providers[operation.provider]
        try:
            outcome = await provider.perform(payment, operation)
        except AnswerLost:
            return await self._mark_unknown(operation)
        return await self.settle(operation, outcome)

    async def resolve(self, operation: Operation, *, announce: bool = False) -> Operation:
        """Asks about an operation that is not settled: repeats it under its key, or looks what it did.

        `announce`: nobody waits for this answer, so an authorisation's outcome is told to the order's workflow.
        """
        provider = self._providers[operation.provider]
        payment = await self._payment(operation.order_id)
        current = await self._operation(operation)
        if not (current.unsettled or current.state is State.ACTION_REQUIRED):
            return current  # by another who asked: the payment has forgotten what the question needs
        try:
            if operation.state is State.ACTION_REQUIRED:
                outcome = await self._ask_whether_acted(payment, provider)
            elif self._clock() - operation.intended_at < provider.abilities.key_validity:
                outcome = await self._repeat(payment, operation, provider)
            else:
                outcome = await provider.look(payment, operation) or failed("never_reached_provider")
        except AnswerLost:
            return await self._mark_unknown(operation)
        return await self.settle(operation, outcome, announce=announce) if outcome else operation

    async def settle(self, operation: Operation, outcome: Outcome, *, announce: bool = False) -> Operation:
        """Commits an outcome once; whoever comes second finds it settled."""
        now = self._clock()
        async with self._engine.begin() as tx:
            payment = await store.lock_payment(tx, operation.order_id)
            assert payment is not None  # operations reference their payment
            current = await store.read_operation(tx, operation.operation_id)
            if current.state is outcome.state or not (current.unsettled or current.state is State.ACTION_REQUIRED):
                return current
            settled = settle(payment, current, outcome, now, new_id("pop"))
            await store.save_operation(tx, settled.operation)
            await store.save_payment(tx, settled.payment)
            done = [settled.operation] if settled.operation.state is State.SUCCEEDED else []
            if settled.released:
                await store.insert_operation(tx, settled.released)
                done.append(settled.released)
            for one in done:
                await store.add_entries(tx, settled.payment, one, now)
            told = [settled.operation, *done[1:]]
            # Of an operation that is only INTENDED, whoever asked is still there, or will ask again.
            alone = announce and current.state is not State.INTENDED
            await outbox.write(tx, events_of(settled.payment, told, now, to_workflow=alone))
        self._bell.ring()
        if settled.payment.release_due:
            await self.release(operation.order_id)
        return settled.operation

    async def release(self, order_id: str) -> bool:
        """Tells the provider to let go of what we gave up in our ledger; False when it has to be tried again."""
        payment = await self._payment(order_id)
        if not payment.release_due:
            return True
        try:
            await self._providers[payment.provider].release(payment)
        except AnswerLost:
            return False
        async with self._engine.begin() as tx:
            current = await store.lock_payment(tx, order_id)
            if current is not None and current.release_due:
                await store.save_payment(tx, told_provider(current))
        return True

    async def withdraw(self, payment: Payment, operation: Operation) -> None:
        """Gives up an authorisation that waits for the customer."""
        provider = self._providers[operation.provider]
        try:
            await provider.release(payment)
            found = await provider.authorisation(payment.provider_payment_id)
        except AnswerLost:
            return
        outcome = found.outcome if found else failed("canceled")
        if outcome:
            await self.settle(operation, outcome)

    async def accept_truth(self, tx: AsyncConnection, found: Authorisation, payment: Payment) -> None:
        """The provider ended an authorisation by itself (it expired): the rest is void. Holds the lock."""
        rest = rules.uncaptured(payment)
        unsettled = await store.unsettled_of(tx, payment.order_id)
        if not found.ended or unsettled or rest == 0 or found.captured != payment.captured:
            return
        now = self._clock()
        gone = let_go(payment, rest, new_id("pop"), "provider/ended", now)
        after = book(told_provider(payment), gone)
        await store.insert_operation(tx, gone)
        await store.save_payment(tx, after)
        await store.add_entries(tx, after, gone, now)
        await outbox.write(tx, events_of(after, [gone], now))

    async def _repeat(self, payment: Payment, operation: Operation, provider: Provider) -> Outcome:
        try:
            return await provider.perform(payment, operation)
        except AnswerLost as lost:
            if not lost.ended:
                raise
        # The attempt is over and its answer is gone for good: look for its trace; without one, begin another.
        found = await provider.look(payment, operation)
        if found is not None:
            return found
        return await provider.perform(payment, await self._begin_attempt(operation))

    async def _begin_attempt(self, operation: Operation) -> Operation:
        async with self._engine.begin() as tx:
            await store.lock_payment(tx, operation.order_id)
            current = await store.read_operation(tx, operation.operation_id)
            if not current.unsettled or current.attempt != operation.attempt:
                raise AnswerLost("another is asking")
            current = replace(current, attempt=current.attempt + 1)
            await store.save_operation(tx, current)
        return current

    async def _ask_whether_acted(self, payment: Payment, provider: Provider) -> Outcome | None:
        found = await provider.authorisation(payment.provider_payment_id)
        return found.outcome if found else None

    async def _mark_unknown(self, operation: Operation) -> Operation:
        async with self._engine.begin() as tx:
            await store.lock_payment(tx, operation.order_id)
            current = await store.read_operation(tx, operation.operation_id)
            if current.state is State.INTENDED:
                current = replace(current, state=State.UNKNOWN)
                await store.save_operation(tx, current)
        return current

    async def _operation(self, operation: Operation) -> Operation:
        async with db.single(self._engine).connect() as tx:
            return await store.read_operation(tx, operation.operation_id)

    async def _payment(self, order_id: str) -> Payment:
        async with db.single(self._engine).connect() as tx:
            payment = await store.read_payment(tx, order_id)
        assert payment is not None  # operations reference their payment
        return payment


def events_of(
    payment: Payment, operations: Sequence[Operation], now: datetime, *, to_workflow: bool = False
) -> list[outbox.Event]:
    """What to tell about operations that were settled. Ids and amounts, never a token, a cause or a person.

    An authorisation is told only when nobody waits for its answer: the subject is then the order, whose workflow
    it wakes. Whoever asked has it in the reply.
    """
    events = []
    for operation in operations:
        kind = _event_type(payment, operation)
        of_order = kind in (_AUTHORIZED, _DECLINED)
        if not kind or (of_order and not to_workflow):
            continue
        data = {
            "order_id": payment.order_id,
            "channel_id": payment.channel_id,
            "status": payment.status.value,
            "operation_id": operation.operation_id,
            "amount_minor": operation.amount_minor,
            "currency": operation.currency,
        }
        if operation.failure_code:
            data["decline_code"] = operation.failure_code
        subject = f"{'order' if of_order else 'payment'}/{payment.order_id}"
        events.append(outbox.Event(kind, subject, payment.order_id, now, data))
    return events


def _event_type(payment: Payment, operation: Operation) -> str:
    by_channel = payment.tender.kind is TenderKind.PAID_BY_CHANNEL
    match (operation.kind, operation.state):
        case (Kind.AUTHORIZE, State.SUCCEEDED):
            return _AUTHORIZED
        case (Kind.AUTHORIZE, State.FAILED):
            return _DECLINED
        case (Kind.CAPTURE, State.SUCCEEDED):
            return "oms.payments.payment.captured"
        case (Kind.VOID, State.SUCCEEDED):
            return "oms.payments.payment.voided"
        case (Kind.REFUND, State.SUCCEEDED):
            return "oms.payments.refund.due_from_channel" if by_channel else "oms.payments.payment.refunded"
        case _:
            return ""
