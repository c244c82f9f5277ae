"""An answer that is lost is resolved by asking the provider, never by guessing."""

import asyncio
from datetime import timedelta

import pytest

from kit.feed import Bell
from kit.times import now
from services.payments.domain.model import State, Status
from services.payments.domain.policies import Policies
from services.payments.runner import Runner
from services.payments.service import PaymentsService
from tests.services.payments.conftest import stripe_at
from tests.services.payments.world import World, authorize, move, token

# What happens to the first call; the provider is well afterwards.
LOST = ["timeout_after_success", "timeout_before", "down", "error_500", "error_500_after_success"]


@pytest.mark.parametrize("kind", LOST)
async def test_a_lost_authorisation_is_found_by_asking_again(world: World, kind: str) -> None:
    world.provider.fault("create", kind, order_id=world.order_id)
    pending = await world.hasty.authorize(authorize(world.order_id))
    assert pending.payment.status is Status.PENDING
    assert pending.operations[0].state is State.UNKNOWN
    again = await world.service.authorize(authorize(world.order_id))
    assert again.payment.status is Status.AUTHORIZED
    assert len(again.operations) == 1
    await world.assert_books_agree()
    # Whoever asked has the answer: the order's workflow is not told twice.
    assert await world.event_types() == []


@pytest.mark.parametrize("kind", LOST)
async def test_a_lost_authorisation_is_resolved_by_the_sweep_which_tells_the_order(
    world: World, kind: str
) -> None:
    world.provider.fault("create", kind, order_id=world.order_id)
    await world.hasty.authorize(authorize(world.order_id))
    assert await world.service.resolve_unknown(now()) == (1, 0)
    assert await world.service.resolve_unknown(now()) == (0, 0)
    assert (await world.service.get_payment(world.order_id)).payment.status is Status.AUTHORIZED
    await world.assert_books_agree()
    (event,) = await world.events()
    assert (event.type, event.subject) == ("oms.payments.payment.authorized", f"order/{world.order_id}")
    assert event.data["status"] == "authorized"
    assert event.data["channel_id"] == "web"


async def test_of_two_who_ask_about_a_decline_the_second_does_not_ask_without_the_token(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    asked = authorize(world.order_id, tender=token("pm_card_visa_chargeDeclined"))
    world.provider.fault("create", "timeout_after_success", order_id=world.order_id)
    (lost,) = (await world.hasty.authorize(asked)).operations
    assert lost.state is State.UNKNOWN
    caplog.clear()

    runner = Runner(world.engine, Bell(), {"stripe": stripe_at(world.provider.url, 20)}, Policies("stripe"), now)
    first = await runner.resolve(lost)
    assert (first.state, first.failure_code) == (State.FAILED, "generic_decline")
    # The second looked before the first had its answer, and asks after it: the token is forgotten by now.
    assert await runner.resolve(lost) == first
    assert caplog.records == []


@pytest.mark.parametrize("kind", LOST)
@pytest.mark.parametrize("verb", ["capture", "void", "refund"])
async def test_a_lost_movement_is_done_once(world: World, verb: str, kind: str) -> None:
    await world.pay(10_000)
    if verb == "refund":
        await world.service.capture(move(world.order_id, 10_000))
    operation = {"capture": "capture", "void": "cancel", "refund": "refund"}[verb]
    world.provider.fault(operation, kind, order_id=world.order_id)
    asked = move(world.order_id, 10_000)
    lost = await getattr(world.hasty, verb)(asked)
    assert lost.state is State.UNKNOWN
    found = await getattr(world.service, verb)(asked)
    assert (found.decisive.operation_id, found.state) == (lost.decisive.operation_id, State.SUCCEEDED)
    assert (await world.totals())[{"capture": 1, "void": 2, "refund": 3}[verb]] == 10_000
    await world.assert_books_agree()


async def test_while_the_answer_is_lost_its_amount_stays_reserved(world: World) -> None:
    await world.pay(10_000)
    world.provider.fault("capture", "down", order_id=world.order_id)
    assert (await world.hasty.capture(move(world.order_id, 7_000))).state is State.UNKNOWN
    answers = await asyncio.gather(
        *(world.service.capture(move(world.order_id, 3_000)) for _ in range(2)), return_exceptions=True
    )
    assert sum(isinstance(one, BaseException) for one in answers) == 1
    await world.rest()
    assert await world.totals() == (10_000, 10_000, 0, 0)
    await world.assert_books_agree()


async def test_as_long_as_the_provider_is_down_nothing_is_guessed(world: World) -> None:
    await world.pay(10_000)
    world.provider.fault("capture", "down", count=3, order_id=world.order_id)
    asked = move(world.order_id, 10_000)
    assert (await world.service.capture(asked)).state is State.UNKNOWN
    assert (await world.service.capture(asked)).state is State.UNKNOWN
    assert await world.service.resolve_unknown(now()) == (0, 1)
    assert await world.totals() == (10_000, 0, 0, 0)
    assert await world.service.resolve_unknown(now()) == (1, 0)
    assert await world.totals() == (10_000, 10_000, 0, 0)


async def test_a_decline_whose_answer_was_lost_is_a_decline(world: World) -> None:
    world.provider.fault("create", "timeout_after_success", order_id=world.order_id)
    asked = authorize(world.order_id)
    lost = await world.hasty.authorize(asked)
    assert lost.payment.status is Status.PENDING
    await world.rest()

    world.order_id = f"{world.order_id}-declined"
    await world.pay(10_000)
    world.provider.fault("capture", "decline", order_id=world.order_id)
    operation = await world.service.capture(move(world.order_id, 10_000))
    assert (operation.state, operation.failure_code) == (State.FAILED, "generic_decline")


async def test_an_operation_is_not_asked_about_before_its_time(world: World) -> None:
    world.provider.fault("create", "down", order_id=world.order_id)
    before = now()
    await world.service.authorize(authorize(world.order_id))
    assert await world.service.resolve_unknown(before) == (0, 0)
    assert await world.service.resolve_unknown(now()) == (1, 0)


@pytest.mark.parametrize(("kind", "state"), [("down", State.FAILED), ("timeout_after_success", State.SUCCEEDED)])
async def test_when_the_key_is_too_old_to_repeat_the_provider_is_searched(
    world: World, kind: str, state: State
) -> None:
    world.provider.fault("create", kind, order_id=world.order_id)
    await world.hasty.authorize(authorize(world.order_id))
    stripe = stripe_at(world.provider.url, 20)
    two_days_on = PaymentsService(
        world.engine,
        Bell(),
        {"stripe": stripe},
        "stripe",
        clock=lambda: now() + timedelta(days=2),
    )
    assert await two_days_on.resolve_unknown(now()) == (1, 0)
    await stripe.close()
    statement = await world.service.get_payment(world.order_id)
    assert statement.operations[0].state is state
    if state is State.FAILED:
        assert statement.payment.tenders[-1].decline_code == "never_reached_provider"
        assert world.provider.books(world.order_id) == []


async def test_a_wrong_key_of_ours_is_never_taken_for_a_refusal(world: World) -> None:
    stripe = stripe_at(world.provider.url, 20)
    stripe._client._requestor._options.api_key = "sk_wrong"
    locked_out = PaymentsService(world.engine, Bell(), {"stripe": stripe}, "stripe")
    statement = await locked_out.authorize(authorize(world.order_id))
    await stripe.close()
    assert statement.payment.status is Status.PENDING
    await world.rest()
    assert (await world.service.get_payment(world.order_id)).payment.status is Status.AUTHORIZED


async def test_a_release_that_was_lost_is_done_by_the_sweep(world: World) -> None:
    await world.pay(10_000)
    await world.service.void(move(world.order_id, 2_000))
    world.provider.fault("capture", "down", count=2, order_id=world.order_id)
    lost = [await world.service.capture(move(world.order_id, 4_000)) for _ in range(2)]
    assert {one.state for one in lost} == {State.UNKNOWN}
    world.provider.fault("cancel", "down", count=1, order_id=world.order_id)
    await world.service.resolve_unknown(now())
    statement = await world.service.get_payment(world.order_id)
    assert statement.payment.status is Status.CLOSED
    assert world.provider.book(world.order_id)["capturable"] == 2_000
    await world.rest()
    assert world.provider.book(world.order_id)["capturable"] == 0
    await world.assert_books_agree()


async def test_when_the_process_dies_between_the_call_and_its_record_the_sweep_finds_out(world: World) -> None:
    await world.pay(10_000)
    world.provider.fault("capture", "timeout_after_success", order_id=world.order_id)
    dying = asyncio.create_task(world.service.capture(move(world.order_id, 4_000)))
    while world.provider.book(world.order_id)["captured"] == 0:  # noqa: ASYNC110 - of another process
        await asyncio.sleep(0.01)
    dying.cancel()
    await asyncio.gather(dying, return_exceptions=True)
    statement = await world.service.get_payment(world.order_id)
    assert statement.operations[-1].state is State.INTENDED
    assert statement.payment.captured == 0
    await world.rest()
    assert await world.totals() == (10_000, 4_000, 0, 0)
    await world.assert_books_agree()
