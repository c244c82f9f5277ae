"""Means that are kept: paid with once, charged later without the customer, saved without paying, forgotten."""

import logging
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
import pytest_asyncio

from kit.times import now
from services.payments.domain.model import Kind, State
from tests.services.payments.at_provider import Call, Counter, account, lost_then_found, saved
from tests.simulators.payment_provider import RunningProvider

LOSSES = ["down", "error_500", "error_500_after_success"]


@pytest_asyncio.fixture
async def counter(provider: RunningProvider) -> AsyncIterator[Counter]:
    async with account(provider.url) as at:
        yield Counter(at, provider)


async def test_what_is_saved_while_paying_is_charged_later_without_the_customer(counter: Counter) -> None:
    kept = await counter.keeper()
    later = counter.payer(saved(kept), amount=3_000)
    outcome = await later.authorize()
    assert outcome.state is State.SUCCEEDED
    # Visa holds shorter when the shop begins it alone.
    assert outcome.expires_at is not None
    assert timedelta(days=4) < outcome.expires_at - now() < timedelta(days=5)
    assert (await later.capture(3_000, final=True)).state is State.SUCCEEDED


async def test_nothing_is_saved_unless_the_customer_allows_it(counter: Counter) -> None:
    assert (await counter.payer().authorize()).saved_means == ""


async def test_what_is_saved_is_in_no_log_and_in_no_repr(
    counter: Counter, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    payer = counter.payer(save_means=True)
    outcome = await payer.authorize()
    assert outcome.saved_means
    assert outcome.saved_means not in repr(outcome) + repr(payer.tender)
    ours = [one for one in caplog.records if one.name.startswith("services.")]
    assert not any(outcome.saved_means in one.getMessage() for one in ours)


async def test_strong_authentication_comes_first_and_then_the_means_is_kept(counter: Counter) -> None:
    payer = counter.payer("pm_card_authenticationRequiredOnSetup", save_means=True)
    assert (await payer.authorize()).state is State.ACTION_REQUIRED
    counter.running.act(counter.order_id, "approve")
    approved = await payer.told()
    assert approved is not None
    assert approved.saved_means
    assert (await counter.payer(saved(approved.saved_means)).authorize()).state is State.SUCCEEDED


@pytest.mark.parametrize(
    ("means", "code"),
    [
        ("pm_card_authenticationRequiredLater", "authentication_required"),
        ("pm_card_insufficientFundsLater", "insufficient_funds"),
    ],
)
async def test_a_bank_may_want_the_customer_back(counter: Counter, means: str, code: str) -> None:
    outcome = await counter.payer(saved(await counter.keeper(means))).authorize()
    assert (outcome.state, outcome.failure_code) == (State.FAILED, code)


@pytest.mark.parametrize("reference", ["", "cus_1", "cus_1/", "/pm_1", "cus_unknown/pm_unknown"])
async def test_a_saved_means_that_nobody_knows_is_declined(counter: Counter, reference: str) -> None:
    assert (await counter.payer(saved(reference)).authorize()).state is State.FAILED


async def test_nobody_pays_with_the_means_of_another(counter: Counter) -> None:
    mine, theirs = await counter.keeper(), await counter.keeper()
    mixed = f"{mine.partition('/')[0]}/{theirs.partition('/')[2]}"
    assert (await counter.payer(saved(mixed)).authorize()).state is State.FAILED


async def test_what_is_forgotten_is_never_charged_again(counter: Counter) -> None:
    kept = await counter.keeper()
    await counter.provider.forget_means(kept)
    await counter.provider.forget_means(kept)
    assert (await counter.payer(saved(kept)).authorize()).state is State.FAILED


async def test_a_means_is_saved_without_paying(counter: Counter) -> None:
    payer = counter.payer()
    outcome = await payer.save()
    assert (outcome.state, counter.running.books(counter.order_id)) == (State.SUCCEEDED, [])
    assert await payer.told() == outcome
    assert (await counter.payer(saved(outcome.saved_means)).authorize()).state is State.SUCCEEDED


@pytest.mark.parametrize("choice", ["approve", "refuse"])
async def test_saving_may_ask_the_customer(counter: Counter, choice: str) -> None:
    payer = counter.payer("pm_card_authenticationRequiredOnSetup")
    asked = await payer.save()
    assert asked.state is State.ACTION_REQUIRED
    assert "that this card is kept" in counter.running.http.get(asked.next_action_url).text
    counter.running.http.post(f"{asked.next_action_url}/{choice}")
    told = await payer.told()
    assert told is not None
    assert (told.state is State.SUCCEEDED) is bool(told.saved_means) is (choice == "approve")


async def test_a_saving_that_waits_for_the_customer_is_given_up(counter: Counter) -> None:
    payer = counter.payer("pm_card_authenticationRequiredOnSetup")
    asked = await payer.save()
    await counter.provider.release(payer.tender)
    await counter.provider.release(payer.tender)
    counter.running.http.post(f"{asked.next_action_url}/approve")
    told = await payer.told()
    assert told is not None
    assert (told.state, told.failure_code) == (State.FAILED, "canceled")


async def test_a_card_that_can_not_be_saved_is_a_decline(counter: Counter) -> None:
    outcome = await counter.payer("pm_card_chargeDeclinedLostCard").save()
    assert (outcome.state, outcome.failure_code) == (State.FAILED, "lost_card")


@pytest.mark.parametrize("kind", LOSSES)
@pytest.mark.parametrize(("call", "where"), [("save", "setup"), ("save", "customer"), ("perform", "customer")])
async def test_what_is_saved_while_the_answer_is_lost_is_saved_once(
    counter: Counter, call: str, where: str, kind: str
) -> None:
    payer = counter.payer(save_means=True)
    counter.running.fault(where, kind, order_id=counter.order_id)
    operation = payer.operation(Kind.AUTHORIZE, 10_000)
    outcome = await lost_then_found(counter.provider, payer.tender, operation, Call(counter.provider, call))
    assert (outcome.state, bool(outcome.saved_means)) == (State.SUCCEEDED, True)
    assert len(counter.running.books(counter.order_id)) == (1 if call == "perform" else 0)
    found = await counter.provider.look(payer.tender, operation)
    assert found == outcome


async def test_an_account_that_keeps_nothing_authorises_and_keeps_nothing(provider: RunningProvider) -> None:
    async with account(provider.url, "basic") as at:
        counter = Counter(at, provider)
        outcome = await counter.payer(save_means=True).authorize()
        assert (outcome.state, outcome.saved_means) == (State.SUCCEEDED, "")
        assert (await counter.payer().save()).state is State.FAILED
