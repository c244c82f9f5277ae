"""What every account must do, and what one does that the other can not: the declared abilities are the truth."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
import pytest_asyncio

from kit.times import now
from services.payments.domain.model import Kind, Means, MeansKind, State
from services.payments.providers.stripe_abilities import BASIC, STRIPE
from tests.services.payments.at_provider import Call, Counter, account, lost_then_found
from tests.simulators.payment_provider import RunningProvider

LOSSES = ["down", "error_500", "error_500_after_success"]
DAY = timedelta(days=1)


@pytest_asyncio.fixture(params=["stripe", "basic"])
async def counter(request: pytest.FixtureRequest, provider: RunningProvider) -> AsyncIterator[Counter]:
    async with account(provider.url, request.param) as at:
        yield Counter(at, provider)


@pytest_asyncio.fixture
async def able(provider: RunningProvider) -> AsyncIterator[Counter]:
    """The account with every ability."""
    async with account(provider.url) as at:
        yield Counter(at, provider)


async def test_a_part_is_captured_the_rest_let_go_and_a_part_given_back(counter: Counter) -> None:
    payer = await counter.authorized()
    assert (await payer.capture(4_000, final=True)).state is State.SUCCEEDED
    refund = await payer.refund(1_500)
    assert refund.state is State.SUCCEEDED
    known = await counter.provider.authorisation(payer.tender.provider_payment_id)
    assert known is not None
    assert (known.captured, known.refunded, known.ended) == (4_000, 1_500, True)
    book = counter.running.book(counter.order_id)
    assert (book["captured"], book["capturable"], book["refunded"]) == (4_000, 0, 1_500)


async def test_an_authorisation_is_given_up_once(counter: Counter) -> None:
    payer = await counter.authorized()
    assert (await payer.void()).state is State.SUCCEEDED
    await counter.provider.release(payer.tender)
    assert counter.running.book(counter.order_id)["status"] == "canceled"


async def test_a_decline_says_why_and_holds_nothing(counter: Counter) -> None:
    outcome = await counter.payer("pm_card_visa_chargeDeclinedInsufficientFunds").authorize()
    assert (outcome.state, outcome.failure_code) == (State.FAILED, "insufficient_funds")
    assert counter.running.book(counter.order_id)["authorised"] == 0


async def test_several_captures_are_allowed_where_that_is_declared(counter: Counter) -> None:
    payer = counter.payer()
    outcome = await payer.authorize()
    assert outcome.multi_capture is counter.provider.abilities.multi_capture
    state = State.SUCCEEDED if counter.provider.abilities.multi_capture else State.FAILED
    assert (await payer.capture(1_000)).state is state


@pytest.mark.parametrize("means", ["pm_card_visa", "pm_card_mastercard_shortHold", "pm_card_jcb"])
async def test_an_authorisation_holds_as_long_as_asked_where_account_and_card_can(
    counter: Counter, means: str
) -> None:
    begun = now()
    outcome = await counter.payer(means, needed_until=begun + 14 * DAY).authorize()
    extended = means == "pm_card_visa" and counter.provider.abilities is STRIPE
    assert outcome.expires_at is not None
    assert outcome.extended is extended
    held = outcome.expires_at - begun
    assert held >= (STRIPE.longest_validity if extended else BASIC.validity) - timedelta(minutes=1)
    assert held <= (STRIPE.longest_validity if extended else BASIC.validity) + timedelta(minutes=1)


async def test_a_longer_hold_is_not_asked_when_the_usual_one_does(able: Counter) -> None:
    outcome = await able.payer(needed_until=now() + 6 * DAY).authorize()
    assert not outcome.extended


async def test_what_is_authorised_is_raised_where_account_and_card_can(counter: Counter) -> None:
    payer = await counter.authorized()
    raised = await payer.authorize(2_500)
    if not counter.provider.abilities.incremental:
        assert raised.state is State.FAILED
        assert counter.running.book(counter.order_id)["capturable"] == 10_000
        return
    assert (raised.state, raised.reference) == (State.SUCCEEDED, payer.tender.provider_payment_id)
    assert counter.running.book(counter.order_id)["capturable"] == 12_500
    assert (await payer.capture(12_500, final=True)).state is State.SUCCEEDED


@pytest.mark.parametrize("why", ["card", "captured", "bank"])
async def test_a_raise_that_is_refused_leaves_what_was_authorised(able: Counter, why: str) -> None:
    payer = await able.authorized("pm_card_visa_noIncrement" if why == "card" else "pm_card_visa")
    if why == "captured":
        await payer.capture(1_000)
    if why == "bank":
        able.running.fault("increment", "decline", order_id=able.order_id)
    refused = await payer.authorize(2_500)
    assert refused.state is State.FAILED
    assert refused.failure_code == ("generic_decline" if why == "bank" else refused.failure_code)
    book = able.running.book(able.order_id)
    assert (book["authorised"], book["status"]) == (10_000, "requires_capture")


@pytest.mark.parametrize("kind", LOSSES)
async def test_a_raise_whose_answer_is_lost_is_done_once(able: Counter, kind: str) -> None:
    payer = await able.authorized()
    able.running.fault("increment", kind, order_id=able.order_id)
    operation = payer.operation(Kind.AUTHORIZE, 2_500)
    outcome = await lost_then_found(able.provider, payer.tender, operation, Call(able.provider, "perform"))
    assert outcome.state is State.SUCCEEDED
    assert able.running.book(able.order_id)["authorised"] == 12_500
    assert await able.provider.look(payer.tender, payer.operation(Kind.AUTHORIZE, 1)) is None


async def test_an_amount_below_what_is_declared_is_refused(counter: Counter) -> None:
    smallest = counter.provider.abilities.smallest["EUR"]
    assert (await counter.payer(amount=smallest - 1).authorize()).failure_code == "amount_too_small"
    assert (await counter.payer(amount=smallest).authorize()).state is State.SUCCEEDED


async def test_a_card_is_held_to_a_reader_in_a_shop(able: Counter) -> None:
    payer = able.payer(Means(MeansKind.TERMINAL, "tmr_simulated_1"))
    outcome = await payer.authorize()
    assert (outcome.state, outcome.next_action_url) == (State.ACTION_REQUIRED, "")
    assert (await payer.told()) == outcome
    able.running.present_card("tmr_simulated_1")
    held = await payer.told()
    assert held is not None
    assert (held.state, held.multi_capture) == (State.SUCCEEDED, False)
    assert held.expires_at is not None
    assert held.expires_at < now() + 3 * DAY
    assert (await payer.capture(10_000, final=True)).state is State.SUCCEEDED


async def test_a_card_that_a_reader_refuses_is_declined(able: Counter) -> None:
    payer = able.payer(Means(MeansKind.TERMINAL, "tmr_simulated_2"))
    await payer.authorize()
    able.running.present_card("tmr_simulated_2", "pm_card_chargeDeclined")
    refused = await payer.told()
    assert refused is not None
    assert (refused.state, refused.failure_code) == (State.FAILED, "generic_decline")


@pytest.mark.parametrize(
    ("reader", "code"), [("tmr_offline", "terminal_reader_offline"), ("tmr_unknown", "resource_missing")]
)
async def test_a_reader_that_can_not_ask_leaves_nothing_to_pay(able: Counter, reader: str, code: str) -> None:
    outcome = await able.payer(Means(MeansKind.TERMINAL, reader)).authorize()
    assert (outcome.state, outcome.failure_code) == (State.FAILED, code)
    assert able.running.book(able.order_id)["status"] == "canceled"


async def test_a_busy_reader_is_free_again_when_what_it_shows_is_released(able: Counter) -> None:
    reader = Means(MeansKind.TERMINAL, "tmr_simulated_3")
    first = able.payer(reader)
    await first.authorize()
    assert (await able.payer(reader).authorize()).failure_code == "terminal_reader_busy"
    await able.provider.release(first.tender)
    assert (await able.payer(reader).authorize()).state is State.ACTION_REQUIRED


@pytest.mark.parametrize("where", ["create", "reader"])
@pytest.mark.parametrize("kind", LOSSES)
async def test_a_reader_whose_answer_is_lost_shows_one_payment(able: Counter, where: str, kind: str) -> None:
    reader = f"tmr_simulated_{where}_{kind}"
    payer = able.payer(Means(MeansKind.TERMINAL, reader))
    able.running.fault(where, kind, order_id=able.order_id)
    operation = payer.operation(Kind.AUTHORIZE, 10_000)
    outcome = await lost_then_found(able.provider, payer.tender, operation, Call(able.provider, "perform"))
    assert outcome.state is State.ACTION_REQUIRED
    able.running.present_card(reader)
    paid = [book["authorised"] for book in able.running.books(able.order_id) if book["authorised"]]
    assert paid == [10_000]
