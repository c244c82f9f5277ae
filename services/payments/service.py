"""The payments service: one method per RPC. Only it and its runner commit.

Each method that changes money opens a transaction, checks the request id, locks the payment, decides, records the
intents and commits; then its runner asks the provider. It knows an order as a reference and amounts.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from kit import db, requests, times
from kit.db import AsyncConnection, AsyncEngine
from kit.errors import Unavailable
from kit.feed import Bell
from services.payments import books, statements, store
from services.payments.authorising import Authorising
from services.payments.changing import Change, Changing
from services.payments.checking import Checking
from services.payments.commands import (
    Authorize,
    ChangeAmount,
    Move,
    SendLink,
    Settle,
    Unwind,
    amount_of,
    answer,
    check_cause,
    check_order,
    content,
    intent_of,
    operation_ids,
)
from services.payments.domain import links, renewing, rules, sharing
from services.payments.domain.model import Operation, Payment, State, Status, Tender
from services.payments.domain.movement import Movement, Statement
from services.payments.domain.policies import Policies
from services.payments.history import History
from services.payments.keeping import Keeping
from services.payments.links import Links
from services.payments.news import News
from services.payments.providers import Provider
from services.payments.runner import Runner
from services.payments.tasks import Tasks

_ASKED_AT_ONCE = 8
_Decision = tuple[Payment, list[Operation]]
_Decide = Callable[[Payment, Sequence[Operation], rules.Intent], _Decision]


class _RenewFirst(Exception):
    """What is to be captured is not held any more, and the customer allowed it to be authorised again."""


class PaymentsService:
    """Every RPC of payments. `default_provider` authorises where `policies` name no other account."""

    def __init__(
        self,
        engine: AsyncEngine,
        bell: Bell,
        providers: dict[str, Provider],
        default_provider: str,
        clock: Callable[[], datetime] = times.now,
        link_address: str = "http://127.0.0.1:8080/pay",
        policies: Policies | None = None,
    ) -> None:
        self._engine = engine
        self._bell = bell
        self._clock = clock
        self.checking = Checking(engine, providers)
        self.history = History(engine, clock)
        policies = policies or Policies(default_provider)
        self._runner = Runner(engine, bell, providers, policies, clock)
        self.tasks = Tasks(engine, bell, self._runner, clock)
        self._news = News(engine, bell, providers, self._runner, policies, clock)
        self.links = Links(engine, providers, self._runner, clock, link_address)
        self.authorising = Authorising(engine, bell, self._runner, self.links, providers, policies, clock)
        self.keeping = Keeping(engine, providers, clock)
        self._changing = Changing(engine, bell, providers, self._runner, self.authorising, clock)

    async def authorize(self, asked: Authorize) -> Statement:
        """See Authorising."""
        return await self.authorising.authorize(asked)

    async def save_means(self, asked: Authorize) -> Statement:
        """See Authorising."""
        return await self.authorising.save_means(asked)

    async def send_link(self, asked: SendLink) -> Tender:
        """See Authorising."""
        return await self.authorising.send_link(asked)

    async def change_amount(self, asked: ChangeAmount) -> Change:
        """See Changing."""
        return await self._changing.change_amount(asked)

    async def capture(self, asked: Move) -> Movement:
        """Takes what is missing of the amount for its cause; what was captured for that cause before counts."""
        amount = amount_of(asked)
        check_cause(asked)

        def decide(payment: Payment, operations: Sequence[Operation], intent: rules.Intent) -> _Decision:
            return payment, sharing.capture(payment, operations, amount, intent)

        movement = await self._take("capture", asked, decide)
        assert movement is not None  # a capture is intended, refused or was done before
        return movement

    async def settle(self, asked: Settle) -> Movement | None:
        """Brings the money to what the customer keeps; None when it is there already.

        Raises Unavailable / MONEY_IN_FLIGHT while the outcome of something before is not known.
        """
        if asked.kept.amount_minor:
            rules.check_amount(asked.kept, "kept")

        def decide(payment: Payment, operations: Sequence[Operation], intent: rules.Intent) -> _Decision:
            if any(one.unsettled for one in operations):
                raise Unavailable("MONEY_IN_FLIGHT", "the outcome of something before is not known yet; ask again")
            todo = sharing.settle(payment, asked.kept, intent, intent_of(asked, self._clock()))
            failed = bool(todo) and todo[0].state is State.FAILED
            return payment if failed else sharing.need_less(payment, None)[0], todo

        return await self._take("settle", asked, decide)

    async def void(self, asked: Move) -> Movement | None:
        """Gives up the rest, or an amount; None when there was nothing to void."""
        if asked.amount is not None:
            rules.check_amount(asked.amount)

        def decide(payment: Payment, operations: Sequence[Operation], intent: rules.Intent) -> _Decision:
            payment, rest = sharing.need_less(payment, asked.amount)
            unsettled = [one for one in operations if one.unsettled]
            return payment, sharing.void(payment, unsettled, rest, intent)

        return await self._move("void", asked, decide)

    async def refund(self, asked: Move) -> Movement:
        """Gives captured money back, to the tender used last first."""
        amount = amount_of(asked)

        def decide(payment: Payment, operations: Sequence[Operation], intent: rules.Intent) -> _Decision:
            unsettled = [one for one in operations if one.unsettled]
            return payment, sharing.refund(payment, unsettled, amount, intent)

        movement = await self._move("refund", asked, decide)
        assert movement is not None  # a refund is intended or refused
        return movement

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
                tender = statement.payment.tender(operation.tender_id)
                code = links.CANCELLED if links.is_link(tender) else "canceled"
                await self._runner.withdraw(tender, operation, code)
        await self._undo_rest(asked)
        for tender in statement.payment.tenders:
            await self._runner.release(tender.tender_id)
        return await self._conclude(asked.order_id)

    async def get_payment(self, order_id: str) -> Statement:
        """Raises NotFound / PAYMENT_NOT_FOUND."""
        async with db.single(self._engine).connect() as tx:
            payment = await books.existing(tx, order_id)
            return Statement(payment, await store.operations_of(tx, order_id))

    async def receive_provider_event(self, provider: str, payload: bytes, signature: str) -> bool:
        """True when the event was taken before."""
        return await self._news.receive(provider, payload, signature)

    async def resolve_unknown(self, as_of: datetime, limit: int = 100) -> tuple[int, int]:
        """Asks about operations meant before `as_of`, lets go of what is due and renews what ends.

        Counts what is resolved and what is still unknown.
        """
        now = self._clock()
        async with self._engine.begin() as tx:
            lost = await store.take_unresolved(tx, as_of, limit, now)
            ended = await store.links_ended(tx, now, limit)
            due = await store.releases_due(tx, limit)
            ending = await store.renewals_due(tx, now + renewing.BEFORE_END, limit)
        gate = asyncio.Semaphore(_ASKED_AT_ONCE)

        async def ask(operation: Operation) -> bool:
            async with gate:
                return not (await self._runner.resolve(operation, announce=True)).unsettled

        async def release(tender_id: str) -> bool:
            async with gate:
                return await self._runner.release(tender_id)

        async def renew(order_id: str) -> bool:
            async with gate:
                return all(not one.unsettled for one in await self.authorising.renew(order_id))

        async def end_link(operation: Operation) -> bool:
            async with gate:
                return await self._runner.end_link(operation)

        answers = await asyncio.gather(
            *map(ask, lost), *map(release, due), *map(renew, ending), *map(end_link, ended)
        )
        return answers.count(True), answers.count(False)

    async def differences(self) -> Sequence[store.Difference]:
        """Tenders whose totals are not their ledger's; there should be none."""
        async with db.single(self._engine).connect() as tx:
            return await store.differences(tx)

    # -- capture, void, refund -------------------------------------------------------------------------------

    async def _take(self, verb: str, asked: Move | Settle, decide: _Decide) -> Movement | None:
        """Moves money; what is not held any more is authorised again first where the customer allowed it."""

        def unless_renewable(payment: Payment, operations: Sequence[Operation], intent: rules.Intent) -> _Decision:
            after, todo = decide(payment, operations, intent)
            ended = any(one.failure_code == sharing.ENDED for one in todo)
            if ended and any(one.saved_means and one.lapsed for one in payment.tenders):
                raise _RenewFirst
            return after, todo

        try:
            return await self._move(verb, asked, unless_renewable)
        except _RenewFirst:
            await self.authorising.renew(asked.order_id, again_after=timedelta())
            return await self._move(verb, asked, decide)

    async def _move(self, verb: str, asked: Move | Settle, decide: _Decide) -> Movement | None:
        check_order(asked)
        meant = content(verb, asked)
        async with self._engine.begin() as tx:
            begun, found, tenders, unsettled = await db.in_one_trip(
                tx,
                requests.beginning(asked.request_id, meant),
                *statements.locking_payment(asked.order_id),
                statements.reading_unsettled_or_of(asked.order_id, asked.cause),
            )
            first = await requests.begun(tx, begun, asked.request_id, meant)
            payment = books.known(statements.payment_of(found, tenders), asked.order_id)
            if first is None:
                known = [statements.operation_of(row) for row in unsettled]
                payment, operations = await self._intend(tx, payment, known, asked, decide)
            else:
                operations = await store.operations_of_request(tx, operation_ids(first))
        self._bell.ring()
        if not operations:
            return None
        is_new = first is None and operations[0].request_id == asked.request_id
        return Movement(tuple(await self._runner.carry_out(payment, operations, is_new=is_new)))

    async def _intend(
        self,
        tx: AsyncConnection,
        payment: Payment,
        known: Sequence[Operation],
        asked: Move | Settle,
        decide: _Decide,
    ) -> _Decision:
        """Writes what was decided, and commits."""
        decided, operations = decide(payment, known, intent_of(asked, self._clock()))
        new = [one for one in operations if one.request_id == asked.request_id]
        wanted = payment.having(*decided.tenders)
        changed = statements.saving_payment(payment, wanted)
        after, recorded = books.recording(wanted, new)
        remembered = requests.remembering(asked.request_id, answer(operations))
        await db.in_one_trip(tx, *changed, *recorded, remembered, ends=True)
        return after, operations

    # -- unwind ----------------------------------------------------------------------------------------------

    async def _close_to_captures(self, asked: Unwind) -> Payment:
        async with self._engine.begin() as tx:
            if await requests.first_answer(tx, asked.request_id, content("unwind", asked)) is None:
                await requests.remember(tx, asked.request_id, {})
            mark = rules.bar(asked.order_id)
            if await store.insert_payment(tx, mark):
                return mark
            payment = await books.locked(tx, asked.order_id, barred=True)
            if not payment.closing:
                before = payment
                payment, _ = sharing.need_less(replace(payment, closing=True), None)
                await db.in_one_trip(tx, *statements.saving_payment(before, payment))
        return payment

    async def _undo_rest(self, asked: Unwind) -> None:
        async with self._engine.begin() as tx:
            payment = await books.locked(tx, asked.order_id)
            if await store.unsettled_of(tx, asked.order_id):
                return
            voiding, refunding = intent_of(asked, self._clock()), intent_of(asked, self._clock())
            todo = sharing.unwind(
                payment,
                [],
                replace(voiding, request_id=voiding.operation_id),
                replace(refunding, request_id=refunding.operation_id),
            )
            payment = await books.record(tx, payment, todo)
        await self._runner.run(payment, [one for one in todo if one.unsettled])

    async def _conclude(self, order_id: str) -> tuple[Statement, bool]:
        async with self._engine.begin() as tx:
            payment = await books.locked(tx, order_id)
            operations = await store.operations_of(tx, order_id)
            waiting = [o for o in operations if o.unsettled or o.state is State.ACTION_REQUIRED]
            complete = rules.is_undone(payment, waiting)
            if complete and payment.status is not Status.CLOSED:
                before, payment = payment, replace(payment, status=Status.CLOSED)
                await db.in_one_trip(tx, *statements.saving_payment(before, payment))
        self._bell.ring()
        return Statement(payment, operations), complete
