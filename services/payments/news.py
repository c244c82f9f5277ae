"""What providers tell of their own accord: verified, and then read from the provider, not from the event.

Events come late, twice and out of order.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from kit import db
from kit.db import AsyncConnection, AsyncEngine
from kit.errors import InvalidArgument, Unauthenticated, Unavailable
from kit.feed import Bell
from kit.values.ids import new_id
from services.payments import books, failed_refunds, store
from services.payments.domain import later, links, rules, tasks
from services.payments.domain.later import Dispute, DisputeStatus, RefundState
from services.payments.domain.model import Kind, Payment, State, Tender
from services.payments.domain.policies import Policies
from services.payments.domain.tasks import Resolution, TaskKind
from services.payments.providers import AnswerLost, Authorisation, BadSignature, Provider, ProviderEvent
from services.payments.runner import Runner

# An operation younger than this is being answered.
LOST_AFTER = timedelta(seconds=10)


class News:
    """Takes the events of providers; each is carried out once, and the books say what the provider says."""

    def __init__(
        self,
        engine: AsyncEngine,
        bell: Bell,
        providers: Mapping[str, Provider],
        runner: Runner,
        policies: Policies,
        clock: Callable[[], datetime],
    ) -> None:
        self._engine = engine
        self._bell = bell
        self._providers = providers
        self._runner = runner
        self._policies = policies
        self._clock = clock

    async def receive(self, provider: str, payload: bytes, signature: str) -> bool:
        """True when the event was taken before."""
        event = self._verified(provider, payload, signature)
        try:
            if event.refund is not None:
                await self._learn_of_refund(provider, event.refund)
            elif event.dispute is not None:
                await self._learn_of_dispute(provider, event.dispute)
            elif event.provider_payment_id and await self._awaits_news(provider, event):
                found = await self._providers[provider].authorisation(event.provider_payment_id)
                if found is not None:
                    await self._take_news(provider, found)
        except AnswerLost:
            raise Unavailable("PROVIDER_UNAVAILABLE", "the provider does not answer; post again") from None
        async with db.single(self._engine).connect() as tx:
            is_new = await store.add_provider_event(tx, provider, event.event_id, event.type, self._clock())
        return not is_new

    def _verified(self, provider: str, payload: bytes, signature: str) -> ProviderEvent:
        if provider not in self._providers:
            raise InvalidArgument("provider", "no such provider")
        try:
            return self._providers[provider].read_event(payload, signature)
        except BadSignature:
            raise Unauthenticated("BAD_SIGNATURE", "the signature does not match") from None
        except ValueError:
            raise InvalidArgument("payload", "not an event") from None

    # -- authorisations --------------------------------------------------------------------------------------

    async def _awaits_news(self, provider: str, event: ProviderEvent) -> bool:
        async with db.single(self._engine).connect() as tx:
            tender = await store.tender_told_of(tx, provider, event.provider_payment_id, event.operation_id)
            if tender is None:
                return False
            operations = await store.operations_of(tx, tender.order_id)
        lost_before = self._clock() - LOST_AFTER
        return rules.awaits_news(tender, operations, ended=event.ended, lost_before=lost_before)

    async def _take_news(self, provider: str, found: Authorisation) -> None:
        async with self._engine.begin() as tx:
            tender = await store.tender_told_of(tx, provider, found.provider_payment_id, found.operation_id)
            if tender is None:
                return
            payment = await _locked(tx, tender)
            tender = payment.tender(tender.tender_id)
            authorising = next(
                (
                    one
                    for one in await store.operations_of(tx, tender.order_id)
                    if (one.unsettled or one.state is State.ACTION_REQUIRED)
                    and one.operation_id == found.operation_id
                ),
                None,
            )
            if authorising is None and tender.provider_payment_id == found.provider_payment_id:
                await self._runner.accept_truth(tx, found, payment, tender)
        # The page of a payment link that is over is made anew while the link lives.
        page_is_over = links.is_link(tender) and found.outcome is not None and found.outcome.state is State.FAILED
        if authorising is not None and found.outcome is not None and not page_is_over:
            await self._runner.settle(authorising, found.outcome, announce=True)
        self._bell.ring()

    # -- what banks do later ---------------------------------------------------------------------------------

    async def _learn_of_refund(self, provider: str, told: RefundState) -> None:
        found = await self._providers[provider].refund_state(told.reference)
        if found is None or not found.operation_id:
            return
        async with self._engine.begin() as tx:
            tender = await store.tender_told_of(tx, provider, found.provider_payment_id, found.operation_id)
            if tender is None:
                return
            payment = await _locked(tx, tender)
            operations = await store.operations_of(tx, tender.order_id)
            refund = next((one for one in operations if one.operation_id == found.operation_id), None)
            if refund is None or any(one.cause == f"refund/{refund.operation_id}" for one in operations):
                return
            now = self._clock()
            reversal = later.reversal(refund, found, new_id("pop"), now)
            if reversal is None:
                return
            payment = await books.record(tx, payment, [reversal])
            await failed_refunds.take_care(tx, payment, reversal, self._policies, now)
        self._bell.ring()

    async def _learn_of_dispute(self, provider: str, told: Dispute) -> None:
        found = await self._providers[provider].dispute(told.reference)
        if found is None:
            return
        async with self._engine.begin() as tx:
            tender = await store.tender_told_of(tx, provider, found.provider_payment_id, "")
            if tender is None:
                return
            payment = await _locked(tx, tender)
            operations = await store.operations_of(tx, tender.order_id)
            of_dispute = [one for one in operations if one.provider_reference == found.reference]
            moved = later.chargeback(tender, of_dispute, found, new_id("pop"), self._clock())
            if moved is not None:
                await books.record(tx, payment, [moved])
            captures = [
                one for one in operations if one.tender_id == tender.tender_id and one.kind is Kind.CAPTURE
            ]
            if captures:
                await self._task_of(tx, payment.tender(tender.tender_id), captures[-1].operation_id, found)
        self._bell.ring()

    async def _task_of(self, tx: AsyncConnection, tender: Tender, captured_id: str, found: Dispute) -> None:
        """Opens the task of a dispute, keeps its last day, and closes it when the bank has decided."""
        now = self._clock()
        task = await store.task_of(tx, TaskKind.DISPUTE, found.reference)
        if task is None:
            task = tasks.of_dispute(tender, captured_id, found, new_id("ptk"), now)
            await store.insert_task(tx, task)
            await books.tell_of_task(tx, task)
        elif found.evidence_due and found.evidence_due != task.due_at:
            task = replace(task, due_at=found.evidence_due)
            await store.save_task(tx, task)
        if found.status in later.CLOSED and task.resolution is None:
            decided = Resolution.WON if found.status is DisputeStatus.WON else Resolution.LOST
            task = tasks.close(task, decided, "", "", f"provider/{tender.provider}", now)
            await store.save_task(tx, task)
            await books.tell_of_task(tx, task)


async def _locked(tx: AsyncConnection, tender: Tender) -> Payment:
    payment = await store.lock_payment(tx, tender.order_id)
    assert payment is not None  # tenders reference their payment
    return payment
