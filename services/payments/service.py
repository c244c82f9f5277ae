"""The payments service: one method per RPC. Only it and its runner commit.

Each method that changes money opens a transaction, checks the request id, locks the payment, decides, records the
intents and commits; then its runner asks the provider. It knows an order as a reference and amounts.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.exc import IntegrityError

from kit import db, requests, times
from kit.db import AsyncConnection, AsyncEngine
from kit.errors import FailedPrecondition, NotFound, Unavailable
from kit.feed import Bell
from kit.values.ids import new_id
from kit.values.money import Money
from services.payments import books, store
from services.payments.checking import Checking
from services.payments.commands import (
    Authorize,
    Command,
    Move,
    Part,
    SendLink,
    Settle,
    Unwind,
    amount_of,
    check_cause,
    check_order,
    check_tenders,
    content,
)
from services.payments.domain import links, renewing, rules, sharing
from services.payments.domain.model import Means, MeansKind, Operation, Payment, State, Status, Tender
from services.payments.domain.movement import Movement
from services.payments.history import History
from services.payments.links import Links
from services.payments.news import News
from services.payments.providers import Provider
from services.payments.runner import Runner
from services.payments.tasks import Tasks

_ASKED_AT_ONCE = 8
# Who renews authorisations.
_SELF = "payments"
_Decision = tuple[Payment, list[Operation]]
_Decide = Callable[[Payment, Sequence[Operation], rules.Intent], _Decision]


@dataclass(frozen=True, slots=True)
class Statement:
    """A payment with all its operations, oldest first."""

    payment: Payment
    operations: Sequence[Operation]


class _RenewFirst(Exception):
    """What is to be captured is not held any more, and the customer allowed it to be authorised again."""


class PaymentsService:
    """Every RPC of payments. `default_provider` authorises; each payment remembers its own."""

    def __init__(
        self,
        engine: AsyncEngine,
        bell: Bell,
        providers: dict[str, Provider],
        default_provider: str,
        clock: Callable[[], datetime] = times.now,
        link_address: str = "http://127.0.0.1:8080/pay",
    ) -> None:
        self._engine = engine
        self._bell = bell
        self._providers = providers
        self._default_provider = default_provider
        self._clock = clock
        self.checking = Checking(engine, providers)
        self.history = History(engine, clock)
        self._runner = Runner(engine, bell, providers, clock)
        self.tasks = Tasks(engine, bell, self._runner, clock)
        self._news = News(engine, bell, providers, self._runner, clock)
        self.links = Links(engine, providers, self._runner, clock, link_address)

    async def authorize(self, asked: Authorize) -> Statement:
        """Declined, action required and unknown are answers: see the payment's status.

        Repeated after the undoing has closed the payment, a decline is still answered as what it was.
        """
        check_order(asked)
        rules.check_amount(asked.amount)
        check_tenders(asked)
        payment, operations, is_new = await self._intend_authorize(asked)
        await self._carry_out(payment, operations, is_new=is_new)
        statement = await self.get_payment(asked.order_id)
        met = {one.operation_id for one in operations}
        declined = any(one.state is State.FAILED for one in statement.operations if one.operation_id in met)
        if declined and statement.payment.status is Status.CLOSED:
            return replace(statement, payment=replace(statement.payment, status=Status.DECLINED))
        return statement

    async def send_link(self, asked: SendLink) -> Tender:
        """A link for what the order still needs, in place of what was declined or has ended.

        Raises NOTHING_TO_PAY, PAYMENT_EXISTS, PAYMENT_CLOSED.
        """
        check_order(asked)
        async with self._engine.begin() as tx:
            first = await requests.first_answer(tx, asked.request_id, content("send_link", asked))
            payment = await self._locked(tx, asked.order_id)
            if first is None:
                due = Money(rules.still_due(payment), payment.currency)
                rules.given_up(payment, payment.currency)
                if not due.amount_minor:
                    raise FailedPrecondition("NOTHING_TO_PAY", "nothing of the order is left to be paid")
                end = self._clock() + timedelta(seconds=asked.lifetime_seconds)
                links.check_end("lifetime_seconds", end, self._clock())
                part = Part(Means(MeansKind.PAYMENT_LINK, ""), expires_at=end)
                new = Authorize(
                    asked.request_id,
                    asked.order_id,
                    payment.channel_id,
                    due,
                    [part],
                    cause=asked.cause,
                    actor=asked.actor,
                )
                payment, operations = await self._open(tx, new)
                await requests.remember(tx, asked.request_id, _answer(operations))
            else:
                operations = await store.operations_of_request(tx, _ids(first))
        self._bell.ring()
        return payment.tender(operations[0].tender_id)

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
            todo = sharing.settle(payment, asked.kept, intent, self._intent(asked))
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
            payment = await self._existing(tx, order_id)
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
                return all(not one.unsettled for one in await self._renew(order_id))

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

    # -- authorise -------------------------------------------------------------------------------------------

    async def _intend_authorize(self, asked: Authorize) -> tuple[Payment, list[Operation], bool]:
        """The payment with the operations of this request, and whether it is new or repeated."""
        try:
            async with self._engine.begin() as tx:
                first = await requests.first_answer(tx, asked.request_id, content("authorize", asked))
                if first is not None:
                    operations = await store.operations_of_request(tx, _ids(first))
                    return await self._existing(tx, asked.order_id), operations, False
                payment, operations = await self._open(tx, asked)
                await requests.remember(tx, asked.request_id, _answer(operations))
        except IntegrityError as error:
            if "tender_provider_payment" not in str(error.orig):
                raise
            raise FailedPrecondition(
                "AUTHORISATION_ALREADY_USED",
                "this authorisation pays another order",
                field="tender.provider_authorisation_id",
            ) from None
        self._bell.ring()
        return payment, operations, True

    async def _open(self, tx: AsyncConnection, asked: Authorize) -> tuple[Payment, list[Operation]]:
        payment = rules.open_payment(asked.order_id, asked.channel_id, asked.amount.currency)
        if not await store.insert_payment(tx, payment):
            existing = await self._locked(tx, asked.order_id, barred=True)
            payment = await books.save(tx, existing, *rules.given_up(existing, asked.amount.currency))
        shares = sharing.amounts(asked.amount, [part.amount for part in asked.tenders])
        begin = 1 + max((one.position for one in payment.tenders), default=0)
        tenders = []
        for number, (part, share) in enumerate(zip(asked.tenders, shares, strict=True)):
            tender = rules.open_tender(
                payment, new_id("ten"), begin + number, part.means, share, self._default_provider
            )
            tender = replace(tender, save_means=asked.save_means, needed_until=asked.needed_until)
            if links.is_link(tender):
                field = f"tenders[{number}].payment_link.expires_at"
                end = links.check_end(field, part.expires_at, self._clock())
                tender = links.open_link(tender, *self.links.make(), end)
            tenders.append(tender)
        await store.insert_tenders(tx, tenders)
        intent = self._intent(asked)
        operations = [_authorising(one)(one, intent.part(number)) for number, one in enumerate(tenders)]
        opened = payment.having(*tenders)
        if opened.status is not payment.status:
            await store.save_payment(tx, opened)
        return await books.record(tx, opened, operations), operations

    async def _renew(self, order_id: str, again_after: timedelta = renewing.AGAIN_AFTER) -> list[Operation]:
        """Authorises again what ends or was let go of; the operations that ask for it."""
        async with self._engine.begin() as tx:
            payment = await self._locked(tx, order_id)
            now, operations = self._clock(), []
            for old in renewing.due(payment, await store.operations_of(tx, order_id), now, again_after):
                tender = renewing.open_renewal(old, new_id("ten"))
                await store.insert_tenders(tx, [tender])
                operation_id = new_id("pop")
                intent = rules.Intent(operation_id, operation_id, renewing.CAUSE, _SELF, now)
                operations.append(rules.intend_authorize(tender, intent))
                payment = await books.record(tx, payment.having(tender), operations[-1:])
        return await self._runner.run(payment, operations)

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
            await self._renew(asked.order_id, again_after=timedelta())
            return await self._move(verb, asked, decide)

    async def _move(self, verb: str, asked: Move | Settle, decide: _Decide) -> Movement | None:
        check_order(asked)
        async with self._engine.begin() as tx:
            first = await requests.first_answer(tx, asked.request_id, content(verb, asked))
            payment = await self._locked(tx, asked.order_id)
            if first is None:
                payment, operations = await self._intend(tx, payment, asked, decide)
            else:
                operations = await store.operations_of_request(tx, _ids(first))
        self._bell.ring()
        if not operations:
            return None
        is_new = first is None and operations[0].request_id == asked.request_id
        return Movement(tuple(await self._carry_out(payment, operations, is_new=is_new)))

    async def _intend(
        self, tx: AsyncConnection, payment: Payment, asked: Move | Settle, decide: _Decide
    ) -> tuple[Payment, list[Operation]]:
        known = await store.unsettled_or_of(tx, asked.order_id, asked.cause)
        after, operations = decide(payment, known, self._intent(asked))
        changed = [one for one, before in zip(after.tenders, payment.tenders, strict=True) if one != before]
        payment = await books.save(tx, payment, *changed)
        new = [one for one in operations if one.request_id == asked.request_id]
        payment = await books.record(tx, payment, new)
        await requests.remember(tx, asked.request_id, _answer(operations))
        return payment, operations

    async def _carry_out(
        self, payment: Payment, operations: Sequence[Operation], *, is_new: bool
    ) -> Sequence[Operation]:
        """The operations with what became of those that the provider is to be asked about."""
        asked = [one for one in operations if one.unsettled or (not is_new and one.state is State.ACTION_REQUIRED)]
        if is_new:
            answers = await self._runner.run(payment, asked)
        else:
            answers = list(await asyncio.gather(*map(self._runner.resolve, asked)))
        known = {one.operation_id: one for one in answers}
        return [known.get(one.operation_id, one) for one in operations]

    # -- unwind ----------------------------------------------------------------------------------------------

    async def _close_to_captures(self, asked: Unwind) -> Payment:
        async with self._engine.begin() as tx:
            if await requests.first_answer(tx, asked.request_id, content("unwind", asked)) is None:
                await requests.remember(tx, asked.request_id, {})
            mark = rules.bar(asked.order_id)
            if await store.insert_payment(tx, mark):
                return mark
            payment = await self._locked(tx, asked.order_id, barred=True)
            if not payment.closing:
                payment, _ = sharing.need_less(replace(payment, closing=True), None)
                for tender in payment.tenders:
                    await store.save_tender(tx, tender)
                await store.save_payment(tx, payment)
        return payment

    async def _undo_rest(self, asked: Unwind) -> None:
        async with self._engine.begin() as tx:
            payment = await self._locked(tx, asked.order_id)
            if await store.unsettled_of(tx, asked.order_id):
                return
            voiding, refunding = self._intent(asked), self._intent(asked)
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
            payment = await self._locked(tx, order_id)
            operations = await store.operations_of(tx, order_id)
            waiting = [o for o in operations if o.unsettled or o.state is State.ACTION_REQUIRED]
            complete = rules.is_undone(payment, waiting)
            if complete and payment.status is not Status.CLOSED:
                payment = replace(payment, status=Status.CLOSED)
                await store.save_payment(tx, payment)
        self._bell.ring()
        return Statement(payment, operations), complete

    # -- small things ----------------------------------------------------------------------------------------

    def _intent(self, asked: Command) -> rules.Intent:
        point_id = asked.point_id if isinstance(asked, Authorize | Move) else ""
        return rules.Intent(new_id("pop"), asked.request_id, asked.cause, asked.actor, self._clock(), point_id)

    async def _locked(self, tx: AsyncConnection, order_id: str, *, barred: bool = False) -> Payment:
        payment = await store.lock_payment(tx, order_id)
        if payment is None or (payment.barred and not barred):
            raise _not_found(order_id)
        return payment

    async def _existing(self, tx: AsyncConnection, order_id: str) -> Payment:
        payment = await store.read_payment(tx, order_id)
        if payment is None or payment.barred:
            raise _not_found(order_id)
        return payment


def _authorising(tender: Tender) -> Callable[[Tender, rules.Intent], Operation]:
    return links.intend_by_link if links.is_link(tender) else rules.intend_authorize


def _answer(operations: Sequence[Operation]) -> dict[str, list[str]]:
    return {"operation_ids": [one.operation_id for one in operations]}


def _ids(answer: Mapping[str, Any]) -> list[str]:
    """Answers of before tenders name one operation, or none."""
    known: list[str] = answer.get("operation_ids", [answer.get("operation_id", "")])
    return [one for one in known if one]


def _not_found(order_id: str) -> NotFound:
    return NotFound("PAYMENT_NOT_FOUND", "the order has no payment", order_id=order_id)
