"""A page where the customer pays: opened once, paid once, closed by the shop or by time."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
import pytest_asyncio

from kit.times import now
from services.payments.domain.model import Kind, State
from services.payments.providers import About
from tests.services.payments.at_provider import Call, Counter, a_page, account, lost_then_found, saved
from tests.services.payments.test_stripe_later import read
from tests.simulators.payment_provider import RunningProvider

LOSSES = ["down", "error_500", "error_500_after_success"]


@pytest_asyncio.fixture
async def counter(provider: RunningProvider) -> AsyncIterator[Counter]:
    async with account(provider.url) as at:
        yield Counter(at, provider)


async def test_what_is_paid_on_a_page_is_authorised_and_found_by_the_page(counter: Counter) -> None:
    payer = counter.payer()
    opened = await payer.open_page()
    assert opened.state is State.ACTION_REQUIRED
    assert opened.reference.startswith("cs_")
    assert opened.expires_at is not None
    shown = counter.running.http.get(opened.next_action_url).text
    assert "10000 EUR" in shown
    assert 'type="text"' not in shown
    paid = counter.running.pay_page(opened.next_action_url)
    assert (paid.status_code, paid.headers["location"]) == (303, "http://shop.example/paid")
    known = await counter.provider.authorisation(opened.reference)
    assert known is not None
    assert known.outcome is not None
    assert (known.outcome.state, known.outcome.reference) == (State.SUCCEEDED, known.provider_payment_id)
    assert known.provider_payment_id == counter.running.book(counter.order_id)["id"]
    assert known.outcome.multi_capture


async def test_a_decline_on_a_page_is_not_the_end_of_it(counter: Counter) -> None:
    payer = counter.payer()
    opened = await payer.open_page()
    refused = counter.running.pay_page(opened.next_action_url, "pm_card_chargeDeclinedInsufficientFunds")
    assert "insufficient_funds" in refused.text
    assert await payer.told() == opened
    intent = counter.running.book(counter.order_id)["id"]
    known = await counter.provider.authorisation(intent)
    assert known is not None
    assert known.outcome is None
    assert counter.running.pay_page(opened.next_action_url).status_code == 303
    told = await payer.told()
    assert told is not None
    assert (told.state, told.reference) == (State.SUCCEEDED, intent)


@pytest.mark.parametrize("choice", ["approve", "refuse"])
async def test_the_bank_may_ask_on_the_way(counter: Counter, choice: str) -> None:
    payer = counter.payer()
    opened = await payer.open_page()
    asked = counter.running.pay_page(opened.next_action_url, "pm_card_authenticationRequired")
    back = counter.running.http.post(f"{asked.headers['location']}/{choice}")
    assert back.headers["location"].startswith(opened.next_action_url)
    told = await payer.told()
    assert told is not None
    assert told.state is (State.SUCCEEDED if choice == "approve" else State.ACTION_REQUIRED)


async def test_a_page_saves_the_means_when_the_customer_allows_it(counter: Counter) -> None:
    payer = counter.payer(save_means=True)
    opened = await payer.open_page()
    counter.running.pay_page(opened.next_action_url)
    told = await payer.told()
    assert told is not None
    assert (await counter.payer(saved(told.saved_means)).authorize()).state is State.SUCCEEDED


async def test_a_page_that_is_closed_can_not_be_paid(counter: Counter) -> None:
    payer = counter.payer()
    opened = await payer.open_page()
    counter.running.pay_page(opened.next_action_url, "pm_card_chargeDeclined")
    await counter.provider.release(payer.tender)
    await counter.provider.release(payer.tender)
    assert "closed" in counter.running.pay_page(opened.next_action_url).text
    told = await payer.told()
    assert told is not None
    assert (told.state, told.failure_code) == (State.FAILED, "page_expired")
    assert counter.running.book(counter.order_id)["authorised"] == 0


async def test_a_page_that_was_paid_meanwhile_is_let_go_when_it_is_closed(counter: Counter) -> None:
    payer = counter.payer()
    opened = await payer.open_page()
    counter.running.pay_page(opened.next_action_url)
    await counter.provider.release(payer.tender)
    book = counter.running.book(counter.order_id)
    assert (book["status"], book["capturable"]) == ("canceled", 0)


async def test_time_closes_a_page_and_an_event_says_so(counter: Counter) -> None:
    payer = counter.payer()
    opened = await payer.open_page(a_page(timedelta(minutes=31)))
    counter.running.forward(minutes=32)
    told = await payer.told()
    assert told is not None
    assert told.failure_code == "page_expired"
    (expired,) = [read(counter, one) for one in counter.running.events_about(opened.reference)]
    assert (expired.type, expired.about) == ("checkout.session.expired", About.PAGE)
    assert expired.provider_payment_id == opened.reference


async def test_an_event_tells_of_a_page_that_was_paid_by_the_page_s_id(counter: Counter) -> None:
    payer = counter.payer()
    opened = await payer.open_page()
    counter.running.pay_page(opened.next_action_url)
    (completed,) = [read(counter, one) for one in counter.running.events_about(opened.reference)]
    assert (completed.type, completed.about) == ("checkout.session.completed", About.PAGE)
    assert (completed.provider_payment_id, bool(completed.operation_id)) == (opened.reference, True)


@pytest.mark.parametrize("open_for", [timedelta(minutes=10), timedelta(hours=30)])
async def test_a_page_is_open_for_no_less_and_no_more_than_is_declared(
    counter: Counter, open_for: timedelta
) -> None:
    abilities = counter.provider.abilities
    assert not abilities.page_shortest <= open_for <= abilities.page_longest
    assert (await counter.payer().open_page(a_page(open_for))).state is State.FAILED


@pytest.mark.parametrize("kind", LOSSES)
async def test_a_page_whose_answer_is_lost_is_opened_once(counter: Counter, kind: str) -> None:
    payer = counter.payer()
    counter.running.fault("checkout", kind, order_id=counter.order_id)
    operation = payer.operation(Kind.AUTHORIZE, 10_000)
    opened = await lost_then_found(counter.provider, payer.tender, operation, Call(counter.provider, "page"))
    assert opened.state is State.ACTION_REQUIRED
    assert await counter.provider.look(payer.tender, operation) == opened
    counter.running.pay_page(opened.next_action_url)
    found = await counter.provider.look(payer.tender, operation)
    assert found is not None
    assert (found.state, found.reference) == (State.SUCCEEDED, counter.running.book(counter.order_id)["id"])


async def test_an_account_without_pages_opens_none(provider: RunningProvider) -> None:
    async with account(provider.url, "basic") as at:
        counter = Counter(at, provider)
        page = a_page()
        assert now() < page.expires_at
        assert (await counter.payer().open_page(page)).state is State.FAILED
