"""How an order's money is authorised: by its means, by a payment link, and again when what is held ends."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from kit import db, requests
from kit.db import AsyncConnection, AsyncEngine
from kit.errors import FailedPrecondition, InvalidArgument
from kit.feed import Bell
from kit.values.ids import new_id
from kit.values.money import Money
from services.payments import books, statements, store
from services.payments.commands import (
    Authorize,
    Part,
    SendLink,
    answer,
    check_order,
    check_part,
    check_tenders,
    content,
    intent_of,
    operation_ids,
)
from services.payments.domain import keeping, links, renewing, rules, sharing
from services.payments.domain.model import Means, MeansKind, Operation, Payment, State, Status, Tender
from services.payments.domain.movement import Statement
from services.payments.domain.policies import Policies
from services.payments.links import Links
from services.payments.providers import Provider
from services.payments.runner import Runner

_Intend = Callable[[Tender, rules.Intent], Operation]
# Who renews authorisations.
_SELF = "payments"


class Authorising:
    """The account of its channel authorises what goes to no other provider; each tender remembers its own."""

    def __init__(
        self,
        engine: AsyncEngine,
        bell: Bell,
        runner: Runner,
        links: Links,
        providers: Mapping[str, Provider],
        policies: Policies,
        clock: Callable[[], datetime],
    ) -> None:
        self._engine = engine
        self._bell = bell
        self._runner = runner
        self._links = links
        self._providers = providers
        self._policies = policies
        self._clock = clock

    async def authorize(self, asked: Authorize) -> Statement:
        """Declined, action required and unknown are answers: see the payment's status.

        Repeated after the undoing has closed the payment, a decline is still answered as what it was.
        """
        check_tenders(asked)
        return await self._ask("authorize", asked, links.authorising)

    async def save_means(self, asked: Authorize) -> Statement:
        """Keeps the only means without authorising anything: the payment is SAVED, or answers as an authorisation.

        What it is to pay is authorised later, by `authorize` without means; or at once, where its account's
        authorisations hold for as long as the order needs one.
        """
        for part in asked.tenders:
            if part.means.kind is not MeansKind.PAYMENT_METHOD_TOKEN:
                raise InvalidArgument("tender", "only a payment_method_token can be kept")
            check_part("tender", part)
        lasts = asked.needed_until is not None and all(self._lasts(asked, one.means) for one in asked.tenders)
        intend = links.authorising if lasts else rules.intend_save
        return await self._ask("save_means", replace(asked, save_means=True), intend)

    def _lasts(self, asked: Authorize, means: Means) -> bool:
        abilities = self._providers[self._account(asked.channel_id, means)].abilities
        return abilities.holds_long_enough(self._clock(), asked.needed_until)

    async def _ask(self, verb: str, asked: Authorize, intend: _Intend) -> Statement:
        check_order(asked)
        rules.check_amount(asked.amount)
        payment, operations, is_new = await self.intend(asked, verb, intend)
        await self._runner.carry_out(payment, operations, is_new=is_new)
        async with db.single(self._engine).connect() as tx:
            statement = Statement(
                await books.existing(tx, asked.order_id), await store.operations_of(tx, asked.order_id)
            )
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
            payment = await books.locked(tx, asked.order_id)
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
                payment, operations = await self._open(tx, new, links.authorising)
                await requests.remember(tx, asked.request_id, answer(operations))
            else:
                operations = await store.operations_of_request(tx, operation_ids(first))
        self._bell.ring()
        return payment.tender(operations[0].tender_id)

    async def renew(self, order_id: str, again_after: timedelta = renewing.AGAIN_AFTER) -> list[Operation]:
        """Authorises again what ends or was let go of; the operations that ask for it."""
        async with self._engine.begin() as tx:
            payment = await books.locked(tx, order_id)
            now, operations = self._clock(), []
            for old in renewing.due(payment, await store.operations_of(tx, order_id), now, again_after):
                tender = renewing.open_renewal(old, new_id("ten"))
                await store.insert_tenders(tx, [tender])
                operation_id = new_id("pop")
                intent = rules.Intent(operation_id, operation_id, renewing.CAUSE, _SELF, now)
                operations.append(rules.intend_authorize(tender, intent))
                payment = await books.record(tx, payment.having(tender), operations[-1:])
        return await self._runner.run(payment, operations)

    def open_tender(self, payment: Payment, position: int, part: Part, amount: int, field: str) -> Tender:
        """The tender that pays an amount by this means; `field` is named when a link's end is wrong."""
        account = self._account(payment.channel_id, part.means)
        tender = rules.open_tender(payment, new_id("ten"), position, part.means, amount, account)
        if not links.is_link(tender):
            return tender
        end = links.check_end(f"{field}.payment_link.expires_at", part.expires_at, self._clock())
        return links.open_link(tender, *self._links.make(), end)

    def _account(self, channel_id: str, means: Means) -> str:
        chosen = self._policies.account_of(channel_id)
        if means.kind is not MeansKind.PAYMENT_LINK:
            return chosen
        # A link is paid on a page: where the channel's own account has none, on that of the others.
        able = [one for one in (chosen, self._policies.account) if self._providers[one].abilities.hosted_page]
        if not able:
            raise FailedPrecondition("LINKS_NOT_SUPPORTED", "the account has no page to pay at", account=chosen)
        return able[0]

    async def intend(
        self, asked: Authorize, verb: str = "authorize", intend: _Intend = links.authorising
    ) -> tuple[Payment, Sequence[Operation], bool]:
        """The payment with the operations of this request, which are to be carried out, and whether it is new."""
        with books.used_once():
            async with self._engine.begin() as tx:
                first = await requests.first_answer(tx, asked.request_id, content(verb, asked))
                if first is not None:
                    operations = await store.operations_of_request(tx, operation_ids(first))
                    return await books.existing(tx, asked.order_id), operations, False
                payment, operations = await self._open(tx, asked, intend)
                await requests.remember(tx, asked.request_id, answer(operations))
        self._bell.ring()
        return payment, operations, True

    async def _open(
        self, tx: AsyncConnection, asked: Authorize, intend: _Intend
    ) -> tuple[Payment, list[Operation]]:
        payment = rules.open_payment(asked.order_id, asked.channel_id, asked.amount.currency)
        if not await store.insert_payment(tx, payment):
            existing = await books.locked(tx, asked.order_id, barred=True)
            payment = await books.save(tx, existing, *rules.given_up(existing, asked.amount.currency))
        tenders = self._tenders(payment, asked)
        await store.insert_tenders(tx, tenders)
        intent = intent_of(asked, self._clock())
        operations = [intend(one, intent.part(number)) for number, one in enumerate(tenders)]
        opened = payment.having(*tenders)
        recorded, written = books.recording(opened, operations)
        await db.in_one_trip(tx, *statements.saving_payment(payment, opened), *written)
        return recorded, operations

    def _tenders(self, payment: Payment, asked: Authorize) -> list[Tender]:
        begin = 1 + max((one.position for one in payment.tenders), default=0)
        if not asked.tenders:
            kept = keeping.kept_by(payment)
            if kept is None:
                raise InvalidArgument("tender", "say how the order is paid: no means was saved for it")
            amount = asked.amount.amount_minor
            paying = keeping.off_session(kept, new_id("ten"), begin, amount)
            return [replace(paying, needed_until=asked.needed_until)]
        shares = sharing.amounts(asked.amount, [part.amount for part in asked.tenders])
        return [
            replace(
                self.open_tender(payment, begin + number, part, share, f"tenders[{number}]"),
                save_means=asked.save_means,
                needed_until=asked.needed_until,
            )
            for number, (part, share) in enumerate(zip(asked.tenders, shares, strict=True))
        ]
