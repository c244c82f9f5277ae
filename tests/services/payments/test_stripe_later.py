"""What banks do later: refunds that fail, disputes, authorisations that end. Events tell it, reads say it."""

import json
import time
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
import pytest_asyncio

from kit.times import now
from services.payments.domain.model import State
from services.payments.providers import (
    About,
    Dispute,
    DisputeStatus,
    ProviderEvent,
    RefundState,
    RefundStatus,
)
from simulators.payment_provider.webhooks import sign
from tests.services.payments.at_provider import Counter, Payer, account
from tests.simulators.payment_provider import BASIC_WEBHOOK_SECRET, WEBHOOK_SECRET, RunningProvider


def read(counter: Counter, event: dict[str, Any]) -> ProviderEvent:
    """As the account's events are read when they are posted."""
    payload = json.dumps(event)
    secret = BASIC_WEBHOOK_SECRET if counter.provider.name == "basic" else WEBHOOK_SECRET
    return counter.provider.read_event(payload.encode(), sign(payload, secret, int(time.time())))


@pytest_asyncio.fixture
async def counter(provider: RunningProvider) -> AsyncIterator[Counter]:
    async with account(provider.url) as at:
        yield Counter(at, provider)


async def captured(counter: Counter, means: str = "pm_card_visa") -> Payer:
    payer = await counter.authorized(means)
    assert (await payer.capture(10_000, final=True)).state is State.SUCCEEDED
    return payer


async def refund_of(counter: Counter, reference: str) -> RefundState:
    refund = await counter.provider.refund_state(reference)
    assert refund is not None
    return refund


async def dispute_of(counter: Counter, reference: str) -> Dispute:
    dispute = await counter.provider.dispute(reference)
    assert dispute is not None
    return dispute


@pytest.mark.parametrize("means", ["pm_card_refundFail", "pm_card_pendingRefund", "pm_card_visa"])
async def test_a_refund_that_was_given_may_come_back(counter: Counter, means: str) -> None:
    payer = await captured(counter, means)
    given = await payer.refund(4_000)
    assert given.state is State.SUCCEEDED
    before = await refund_of(counter, given.reference)
    assert before.status is (RefundStatus.PENDING if "pending" in means else RefundStatus.SUCCEEDED)
    counter.running.conclude_refund(given.reference, "expired_or_canceled_card")
    failed = await refund_of(counter, given.reference)
    assert (failed.status, failed.failure_code) == (RefundStatus.FAILED, "expired_or_canceled_card")
    assert (failed.amount_minor, failed.currency, failed.reference) == (4_000, "EUR", given.reference)
    assert failed.provider_payment_id == payer.tender.provider_payment_id
    # It can be tried again: nothing was given back.
    known = await counter.provider.authorisation(payer.tender.provider_payment_id)
    assert known is not None
    assert known.refunded == 0
    assert (await payer.refund(10_000)).state is State.SUCCEEDED


async def test_a_refund_that_is_pending_arrives(counter: Counter) -> None:
    payer = await captured(counter, "pm_card_pendingRefund")
    given = await payer.refund(4_000)
    counter.running.conclude_refund(given.reference)
    assert (await refund_of(counter, given.reference)).status is RefundStatus.SUCCEEDED


async def test_every_event_of_a_refund_says_what_it_is_about(counter: Counter) -> None:
    payer = await captured(counter, "pm_card_pendingRefund")
    given = await payer.refund(4_000)
    counter.running.conclude_refund(given.reference, "lost_or_stolen_card")
    events = [read(counter, one) for one in counter.running.events_about(given.reference)]
    assert [one.type for one in events] == [
        "refund.created",
        "refund.updated",
        "charge.refund.updated",
        "refund.failed",
    ]
    assert {one.about for one in events} == {About.REFUND}
    # Of the payment itself nothing is to be asked.
    assert {one.provider_payment_id for one in events} == {""}
    assert [one.refund.status for one in events if one.refund] == [
        RefundStatus.PENDING,
        *[RefundStatus.FAILED] * 3,
    ]
    assert events[-1].refund == await refund_of(counter, given.reference)


async def test_a_refund_is_refused_once_its_time_is_over(provider: RunningProvider) -> None:
    async with account(provider.url, "basic") as at:
        counter = Counter(at, provider)
        payer = await captured(counter)
        until = at.abilities.refundable_until(now())
        assert until is not None
        provider.forward(days=(until - now()).days - 1)
        assert (await payer.refund(1_000)).state is State.SUCCEEDED
        provider.forward(days=3)
        late = await payer.refund(1_000)
        assert (late.state, late.failure_code) == (State.FAILED, "charge_not_refundable")


async def test_a_dispute_takes_the_money_until_it_is_won(counter: Counter) -> None:
    payer = await captured(counter)
    opened = counter.running.dispute(payer.tender.provider_payment_id, 6_000, "product_not_received")["id"]
    dispute = await dispute_of(counter, opened)
    assert dispute.provider_payment_id == payer.tender.provider_payment_id
    assert (dispute.status, dispute.reason) == (DisputeStatus.OPEN, "product_not_received")
    assert (dispute.amount_minor, dispute.currency, dispute.withdrawn) == (6_000, "EUR", True)
    assert dispute.evidence_due is not None
    assert dispute.evidence_due > now() + timedelta(days=5)
    assert (await payer.refund(1_000)).failure_code == "charge_disputed"
    counter.running.move_dispute(opened, "under_review")
    assert (await dispute_of(counter, opened)).evidence_due is None
    counter.running.move_dispute(opened, "won")
    won = await dispute_of(counter, opened)
    assert (won.status, won.withdrawn) == (DisputeStatus.WON, False)
    assert (await payer.refund(1_000)).state is State.SUCCEEDED


async def test_a_dispute_that_is_lost_keeps_the_money(counter: Counter) -> None:
    payer = await captured(counter)
    opened = counter.running.dispute(payer.tender.provider_payment_id)["id"]
    counter.running.move_dispute(opened, "lost")
    lost = await dispute_of(counter, opened)
    assert (lost.status, lost.withdrawn, lost.amount_minor) == (DisputeStatus.LOST, True, 10_000)


async def test_every_event_of_a_dispute_says_what_it_is_about(counter: Counter) -> None:
    payer = await captured(counter)
    opened = counter.running.dispute(payer.tender.provider_payment_id)["id"]
    counter.running.move_dispute(opened, "won")
    events = [read(counter, one) for one in counter.running.events_about(opened)]
    assert [one.type.removeprefix("charge.dispute.") for one in events] == [
        "created",
        "funds_withdrawn",
        "closed",
        "funds_reinstated",
    ]
    assert {one.about for one in events} == {About.DISPUTE}
    assert events[0].dispute != events[-1].dispute == await dispute_of(counter, opened)


async def test_a_card_whose_owner_disputes_is_disputed_when_it_is_captured(counter: Counter) -> None:
    payer = await captured(counter, "pm_card_createDispute")
    events = counter.running.http.get("/_events").json()["events"]
    about = [one["data"]["object"]["payment_intent"] for one in events if one["type"] == "charge.dispute.created"]
    assert payer.tender.provider_payment_id in about


async def test_nobody_knows_what_there_is_not(counter: Counter) -> None:
    assert await counter.provider.refund_state("re_unknown") is None
    assert await counter.provider.dispute("dp_unknown") is None
    assert await counter.provider.authorisation("cs_unknown") is None
    assert await counter.provider.authorisation("seti_unknown") is None


async def test_time_ends_an_authorisation_also_when_nobody_looks(counter: Counter) -> None:
    payer = await counter.authorized()
    counter.running.forward(days=8)
    ended = read(counter, counter.running.events_about(payer.tender.provider_payment_id)[-1])
    assert (ended.type, ended.about, ended.ended) == ("payment_intent.canceled", About.PAYMENT, True)
