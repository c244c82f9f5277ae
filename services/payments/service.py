"""The payments service: one method per RPC. Only it and its runner commit.

Each method that changes money opens a transaction, checks the request id, locks the payment, decides, records the
intent and commits; then its runner asks the provider. It knows an order as a reference and amounts.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy.exc import IntegrityError

from kit import db, outbox, requests, times
from kit.db import AsyncConnection, AsyncEngine
from kit.errors import FailedPrecondition, InvalidArgument, NotFound, Unauthenticated, Unavailable
from kit.feed import Bell
from kit.values.ids import new_id
from services.payments import store
from services.payments.checking import Checking
from services.payments.commands import (
    Authorize,
    Command,
    Move,
    Unwind,
    amount_of,
    check_order,
    check_tender,
    content,
)
from services.payments.domain import rules
from services.payments.domain.model import Operation, Payment, State, Status, TenderKind
from services.payments.domain.settlement import book
from services.payments.providers import AnswerLost, Authorisation, BadSignature, Provider, ProviderEvent
from services.payments.runner import Runner, events_of

# An operation younger than this is being answered.
LOST_AFTER = timedelta(seconds=10)
_ASKED_AT_ONCE = 8
_Decide = Callable[[Payment, Sequence[Operation], rules.Intent], Operation | None]


@dataclass(frozen=True, slots=True)
class Statement:
    """A payment with all its operations, oldest first."""

    payment: Payment
    operations: Sequence[Operation]


class PaymentsService:
    """Every RPC of payments. `default_provider` authorises; each payment remembers its own."""

    def __init__(
        self,
        engine: AsyncEngine,
        bell: Bell,
        providers: dict[str, Provider],
        default_provider: str,
        clock: Callable[[], datetime] = times.now,
    ) -> None:
        self._engine = engine
        self._bell = bell
        self._providers = providers
        self._default_provider = default_provider
        self._clock = clock
        self.checking = Checking(engine, providers)
        self._runner = Runner(engine, bell, providers, clock)

    async def authorize(self, asked: Authorize) -> Statement:
        """Declined, action required and unknown are answers: see the payment's status.

        Repeated after the undoing has closed the payment, a decline is still answered as what it was.
        """
        check_order(asked)
        rules.check_amount(asked.amount)
        check_tender(asked)
        payment, operation = await self._intend_authorize(asked)
        if payment and operation.unsettled:
            await self._runner.run(payment, operation)
        elif operation.unsettled or operation.state is State.ACTION_REQUIRED:
            await self._runner.resolve(operation)
        statement = await self.get_payment(asked.order_id)
        met = next(one for one in statement.operations if one.operation_id == operation.operation_id)
        return replace(statement, payment=rules.as_met(statement.payment, met))

    async def capture(self, asked: Move) -> Operation:
        """Takes part or all of what is authorised."""
        amount = amount_of(asked)

        def decide(payment: Payment, unsettled: Sequence[Operation], intent: rules.Intent) -> Operation:
            return rules.intend_capture(payment, unsettled, amount, intent)

        operation = await self._move("capture", asked, decide)
        assert operation is not None  # a capture is intended or refused
        return operation

    async def void(self, asked: Move) -> Operation | None:
        """Gives up the rest, or an amount; None when there was nothing to void."""
        if asked.amount is not None:
            rules.check_amount(asked.amount)

        def decide(payment: Payment, unsettled: Sequence[Operation], intent: rules.Intent) -> Operation | None:
            return rules.intend_void(payment, unsettled, asked.amount, intent)

        return await self._move("void", asked, decide)

    async def refund(self, asked: Move) -> Operation:
        """Gives captured money back."""
        amount = amount_of(asked)

        def decide(payment: Payment, unsettled: Sequence[Operation], intent: rules.Intent) -> Operation:
            return rules.intend_refund(payment, unsettled, amount, intent)

        operation = await self._move("refund", asked, decide)
        assert operation is not None  # a refund is intended or refused
        return operation

    async def unwind(self, asked: Unwind) -> tuple[Statement | None, bool]:
        """Closes the payment to captures and undoes it as far as the provider answers; call again until True.

        None when the order never had a payment: it will not get one any more.
        """
        check_order(asked)
        payment = await self._close_to_captures(asked)
        if payment.barred:
            return None, True
        for operation in (await self.get_payment(asked.order_id)).operations:
            if operation.unsettled:
                await self._runner.resolve(operation)
        statement = await self.get_payment(asked.order_id)
        for operation in statement.operations:
            if operation.state is State.ACTION_REQUIRED:
                await self._runner.withdraw(statement.payment, operation)
        await self._undo_rest(asked)
        await self._runner.release(asked.order_id)
        return await self._conclude(asked.order_id)

    async def get_payment(self, order_id: str) -> Statement:
        """Raises NotFound / PAYMENT_NOT_FOUND."""
        async with db.single(self._engine).connect() as tx:
            payment = await self._existing(tx, order_id)
            return Statement(payment, await store.operations_of(tx, order_id))

    async def list_operations(self, wanted: store.Filter, size: int) -> tuple[Sequence[Operation], bool]:
        """A page, newest first, and whether there are more."""
        async with db.single(self._engine).connect() as tx:
            rows = await store.list_operations(tx, wanted, size + 1)
        return rows[:size], len(rows) > size

    async def receive_provider_event(self, provider: str, payload: bytes, signature: str) -> bool:
        """True when the event was taken before. What happened is read from the provider, not from the event:
        events come late, twice and out of order."""
        event = self._verified(provider, payload, signature)
        if event.provider_payment_id and await self._awaits_news(provider, event):
            try:
                found = await self._providers[provider].authorisation(event.provider_payment_id)
            except AnswerLost:
                raise Unavailable("PROVIDER_UNAVAILABLE", "the provider does not answer; post again") from None
            if found is not None:
                await self._take_news(provider, found)
        async with db.single(self._engine).connect() as tx:
            is_new = await store.add_provider_event(tx, provider, event.event_id, event.type, self._clock())
        return not is_new

    async def resolve_unknown(self, as_of: datetime, limit: int = 100) -> tuple[int, int]:
        """Asks about operations meant before `as_of`, and lets go of what is due. Counts resolved and unknown."""
        async with self._engine.begin() as tx:
            lost = await store.take_unresolved(tx, as_of, limit, self._clock())
            due = await store.releases_due(tx, limit)
        gate = asyncio.Semaphore(_ASKED_AT_ONCE)

        async def ask(operation: Operation) -> bool:
            async with gate:
                return not (await self._runner.resolve(operation, announce=True)).unsettled

        async def release(order_id: str) -> bool:
            async with gate:
                return await self._runner.release(order_id)

        answers = await asyncio.gather(*map(ask, lost), *map(release, due))
        return answers.count(True), answers.count(False)

    async def differences(self) -> Sequence[store.Difference]:
        """Payments whose totals are not their ledger's; there should be none."""
        async with db.single(self._engine).connect() as tx:
            return await store.differences(tx)

    # -- authorise -------------------------------------------------------------------------------------------

    async def _intend_authorize(self, asked: Authorize) -> tuple[Payment | None, Operation]:
        """The payment is None when the request is repeated."""
        try:
            async with self._engine.begin() as tx:
                first = await requests.first_answer(tx, asked.request_id, content("authorize", asked))
                if first is not None:
                    return None, await store.read_operation(tx, str(first["operation_id"]))
                payment, operation = await self._open(tx, asked)
                await requests.remember(tx, asked.request_id, {"operation_id": operation.operation_id})
        except IntegrityError as error:
            if "payment_provider_payment" not in str(error.orig):
                raise
            raise FailedPrecondition(
                "AUTHORISATION_ALREADY_USED",
                "this authorisation pays another order",
                field="tender.provider_authorisation_id",
            ) from None
        self._bell.ring()
        return payment, operation

    async def _open(self, tx: AsyncConnection, asked: Authorize) -> tuple[Payment, Operation]:
        payment = rules.open_payment(
            asked.order_id, asked.channel_id, asked.amount.currency, asked.tender, self._default_provider
        )
        if not await store.insert_payment(tx, payment):
            existing = await store.lock_payment(tx, asked.order_id)
            assert existing is not None  # payments are never deleted
            payment = rules.pay_again(existing, payment)
            await store.save_payment(tx, payment)
        operation = rules.intend_authorize(payment, asked.amount, self._intent(asked))
        if asked.tender.kind is TenderKind.PAID_BY_CHANNEL:
            operation = replace(
                operation,
                state=State.SUCCEEDED,
                settled_at=operation.intended_at,
                provider_reference=asked.tender.reference,
            )
        return await self._record(tx, payment, operation), operation

    # -- capture, void, refund -------------------------------------------------------------------------------

    async def _move(self, verb: str, asked: Move, decide: _Decide) -> Operation | None:
        check_order(asked)
        async with self._engine.begin() as tx:
            first = await requests.first_answer(tx, asked.request_id, content(verb, asked))
            if first is None:
                payment, operation = await self._intend(tx, asked, decide)
            else:
                operation_id = str(first["operation_id"])
                payment = None
                operation = await store.read_operation(tx, operation_id) if operation_id else None
        self._bell.ring()
        if operation is None or not operation.unsettled:
            return operation
        if payment is None:
            return await self._runner.resolve(operation)
        return await self._runner.run(payment, operation)

    async def _intend(self, tx: AsyncConnection, asked: Move, decide: _Decide) -> tuple[Payment, Operation | None]:
        payment = await store.lock_payment(tx, asked.order_id)
        if payment is None or payment.barred:
            raise _not_found(asked.order_id)
        unsettled = await store.unsettled_of(tx, asked.order_id)
        operation = decide(payment, unsettled, self._intent(asked))
        if operation is not None:
            payment = await self._record(tx, payment, operation)
        answer = {"operation_id": operation.operation_id if operation else ""}
        await requests.remember(tx, asked.request_id, answer)
        return payment, operation

    async def _record(self, tx: AsyncConnection, payment: Payment, operation: Operation) -> Payment:
        """Writes an operation; one that needs no provider takes its effect at once."""
        await store.insert_operation(tx, operation)
        if operation.state is not State.SUCCEEDED:
            return payment
        payment = book(payment, operation)
        await store.save_payment(tx, payment)
        await store.add_entries(tx, payment, operation, operation.intended_at)
        await outbox.write(tx, events_of(payment, [operation], operation.intended_at))
        return payment

    # -- unwind ----------------------------------------------------------------------------------------------

    async def _close_to_captures(self, asked: Unwind) -> Payment:
        async with self._engine.begin() as tx:
            if await requests.first_answer(tx, asked.request_id, content("unwind", asked)) is None:
                await requests.remember(tx, asked.request_id, {})
            mark = rules.bar(asked.order_id)
            if await store.insert_payment(tx, mark):
                return mark
            payment = await store.lock_payment(tx, asked.order_id)
            assert payment is not None  # payments are never deleted
            if not payment.closing:
                payment = replace(payment, closing=True)
                await store.save_payment(tx, payment)
        return payment

    async def _undo_rest(self, asked: Unwind) -> None:
        async with self._engine.begin() as tx:
            payment = await store.lock_payment(tx, asked.order_id)
            assert payment is not None  # payments are never deleted
            if await store.unsettled_of(tx, asked.order_id):
                return
            voiding, refunding = self._intent(asked), self._intent(asked)
            todo = rules.intend_unwind(
                payment,
                [],
                replace(voiding, request_id=voiding.operation_id),
                replace(refunding, request_id=refunding.operation_id),
            )
            for operation in todo:
                payment = await self._record(tx, payment, operation)
        for operation in todo:
            if operation.unsettled:
                await self._runner.run(payment, operation)

    async def _conclude(self, order_id: str) -> tuple[Statement, bool]:
        async with self._engine.begin() as tx:
            payment = await store.lock_payment(tx, order_id)
            assert payment is not None  # payments are never deleted
            operations = await store.operations_of(tx, order_id)
            waiting = [o for o in operations if o.unsettled or o.state is State.ACTION_REQUIRED]
            complete = rules.is_undone(payment, waiting)
            if complete and payment.status is not Status.CLOSED:
                payment = replace(payment, status=Status.CLOSED, next_action_url="")
                await store.save_payment(tx, payment)
        self._bell.ring()
        return Statement(payment, operations), complete

    # -- provider's events -----------------------------------------------------------------------------------

    def _verified(self, provider: str, payload: bytes, signature: str) -> ProviderEvent:
        if provider not in self._providers:
            raise InvalidArgument("provider", "no such provider")
        try:
            return self._providers[provider].read_event(payload, signature)
        except BadSignature:
            raise Unauthenticated("BAD_SIGNATURE", "the signature does not match") from None
        except ValueError:
            raise InvalidArgument("payload", "not an event") from None

    async def _awaits_news(self, provider: str, event: ProviderEvent) -> bool:
        async with db.single(self._engine).connect() as tx:
            payment = await store.payment_told_of(tx, provider, event.provider_payment_id, event.order_id)
            if payment is None or payment.barred:
                return False
            operations = await store.operations_of(tx, payment.order_id)
        lost_before = self._clock() - LOST_AFTER
        return rules.awaits_news(payment, operations, ended=event.ended, lost_before=lost_before)

    async def _take_news(self, provider: str, found: Authorisation) -> None:
        async with self._engine.begin() as tx:
            known = await store.order_of_provider_payment(tx, provider, found.provider_payment_id)
            order_id = known or found.order_id
            payment = await store.lock_payment(tx, order_id) if order_id else None
            if payment is None or payment.barred:
                return
            operations = await store.operations_of(tx, order_id)
            authorising = next(
                (
                    one
                    for one in reversed(operations)
                    if (one.unsettled or one.state is State.ACTION_REQUIRED)
                    and one.operation_id == found.operation_id
                ),
                None,
            )
            if authorising is None and known:
                await self._runner.accept_truth(tx, found, payment)
        if authorising is not None and found.outcome is not None:
            await self._runner.settle(authorising, found.outcome, announce=True)
        self._bell.ring()

    # -- small things ----------------------------------------------------------------------------------------

    def _intent(self, asked: Command) -> rules.Intent:
        return rules.Intent(new_id("pop"), asked.request_id, asked.cause, asked.actor, self._clock())

    async def _existing(self, tx: AsyncConnection, order_id: str) -> Payment:
        payment = await store.read_payment(tx, order_id)
        if payment is None or payment.barred:
            raise _not_found(order_id)
        return payment


def _not_found(order_id: str) -> NotFound:
    return NotFound("PAYMENT_NOT_FOUND", "the order has no payment", order_id=order_id)
