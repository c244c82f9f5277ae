"""Undoing a payment, from every state it can be in, whatever is lost on the way."""

import asyncio

import pytest

from kit.errors import Conflict, FailedPrecondition, NotFound
from services.payments.commands import Unwind
from services.payments.domain.model import Means, MeansKind, State, Status
from services.payments.domain.movement import Statement
from tests.services.payments.world import World, authorize, move, unwind


async def undo(world: World) -> Statement:
    """Unwinds as the workflow does: again and again until it is complete."""
    for _ in range(6):
        statement, complete = await world.service.unwind(unwind(world.order_id))
        if complete:
            assert statement is not None
            return statement
    raise AssertionError("still not undone")


async def assert_undone(world: World) -> None:
    statement = await world.service.get_payment(world.order_id)
    authorized, captured, voided, refunded = await world.totals()
    assert statement.payment.status is Status.CLOSED
    assert (authorized, captured) == (captured + voided, refunded)
    assert await world.service.differences() == []
    for book in world.provider.books(world.order_id):
        assert book["capturable"] == 0
        assert book["captured"] == book["refunded"]
        assert book["status"] not in ("requires_action", "requires_capture")
    with pytest.raises(FailedPrecondition) as refusal:
        await world.service.capture(move(world.order_id, 1))
    assert refusal.value.reason == "PAYMENT_CLOSED"


async def test_an_order_that_was_never_paid_is_undone_and_will_not_be_paid(world: World) -> None:
    assert await world.service.unwind(unwind(world.order_id)) == (None, True)
    assert await world.service.unwind(unwind(world.order_id)) == (None, True)
    with pytest.raises(NotFound):
        await world.service.get_payment(world.order_id)
    # A late authorisation must not take money that nobody would give back.
    with pytest.raises(FailedPrecondition) as refusal:
        await world.pay()
    assert refusal.value.reason == "PAYMENT_CLOSED"
    assert world.provider.books(world.order_id) == []


async def test_an_authorisation_is_voided(world: World) -> None:
    await world.pay(10_000)
    await undo(world)
    assert await world.totals() == (10_000, 0, 10_000, 0)
    await assert_undone(world)
    assert await world.event_types() == ["payment.voided"]


async def test_what_was_captured_is_refunded_and_the_rest_is_voided(world: World) -> None:
    await world.pay(10_000)
    await world.service.capture(move(world.order_id, 4_000))
    await world.service.void(move(world.order_id, 1_000))
    await world.service.refund(move(world.order_id, 500))
    await undo(world)
    assert await world.totals() == (10_000, 4_000, 6_000, 4_000)
    await assert_undone(world)


async def test_a_payment_captured_to_the_last_cent_is_refunded(world: World) -> None:
    await world.pay(10_000)
    await world.service.capture(move(world.order_id, 10_000))
    await undo(world)
    assert await world.totals() == (10_000, 10_000, 0, 10_000)
    await assert_undone(world)


async def test_a_single_capture_is_refunded(world: World) -> None:
    await world.pay(10_000, means="pm_card_visa_singleCapture")
    await world.service.capture(move(world.order_id, 4_000))
    await undo(world)
    await assert_undone(world)


async def test_a_declined_payment_has_nothing_to_undo(world: World) -> None:
    await world.pay(means="pm_card_visa_chargeDeclined")
    statement = await undo(world)
    assert len(statement.operations) == 1
    with pytest.raises(FailedPrecondition):
        await world.service.authorize(authorize(world.order_id, key="another try"))


async def test_a_decline_that_was_undone_is_answered_again_as_the_decline_it_was(world: World) -> None:
    first = await world.pay(means="pm_card_visa_chargeDeclinedInsufficientFunds")
    await undo(world)
    assert (await world.service.get_payment(world.order_id)).payment.status is Status.CLOSED
    again = await world.pay(means="pm_card_visa_chargeDeclinedInsufficientFunds")
    assert (again.payment.status, again.payment.tenders[-1].decline_code) == (
        Status.DECLINED,
        "insufficient_funds",
    )
    assert again.operations == first.operations


async def test_an_authorisation_that_was_undone_is_answered_as_closed(world: World) -> None:
    await world.pay()
    await undo(world)
    assert (await world.pay()).payment.status is Status.CLOSED


async def test_a_decline_before_the_authorisation_that_was_undone_is_not_its_answer(world: World) -> None:
    await world.pay(means="pm_card_visa_chargeDeclined")
    second = authorize(world.order_id, key="second try")
    await world.service.authorize(second)
    await undo(world)
    assert (await world.service.authorize(second)).payment.status is Status.CLOSED
    assert (await world.pay(means="pm_card_visa_chargeDeclined")).payment.status is Status.DECLINED


async def test_a_payment_that_waits_for_the_customer_is_withdrawn(world: World) -> None:
    await world.pay(means="pm_card_authenticationRequired")
    statement = await undo(world)
    assert [(one.state, one.failure_code) for one in statement.operations] == [(State.FAILED, "canceled")]
    assert statement.payment.tenders[-1].next_action_url == ""
    await assert_undone(world)
    world.provider.act(world.order_id, "approve")
    assert world.provider.book(world.order_id)["status"] == "canceled"
    # Nobody is told of a decline that we made ourselves.
    assert await world.event_types() == []


@pytest.mark.parametrize("kind", ["timeout_after_success", "timeout_before", "down", "error_500"])
async def test_an_authorisation_of_unknown_outcome_is_resolved_first(world: World, kind: str) -> None:
    world.provider.fault("create", kind, order_id=world.order_id)
    await world.hasty.authorize(authorize(world.order_id))
    await undo(world)
    await assert_undone(world)


@pytest.mark.parametrize("kind", ["timeout_after_success", "down"])
async def test_a_capture_of_unknown_outcome_is_resolved_and_refunded(world: World, kind: str) -> None:
    await world.pay(10_000)
    world.provider.fault("capture", kind, order_id=world.order_id)
    await world.hasty.capture(move(world.order_id, 3_000))
    await undo(world)
    assert await world.totals() == (10_000, 3_000, 7_000, 3_000)
    await assert_undone(world)


# A refund that is declined is somebody's task (see test_tasks.py).
_FAILURES = [
    (one, kind) for one in ("cancel", "refund") for kind in ("down", "error_500", "error_500_after_success")
]


@pytest.mark.parametrize(("operation", "kind"), [*_FAILURES, ("cancel", "decline")])
async def test_an_undo_that_fails_is_not_complete_and_goes_on_when_called_again(
    world: World, operation: str, kind: str
) -> None:
    await world.pay(10_000)
    await world.service.capture(move(world.order_id, 3_000))
    world.provider.fault(operation, kind, order_id=world.order_id)
    _, complete = await world.service.unwind(unwind(world.order_id))
    assert not complete
    with pytest.raises(FailedPrecondition) as refusal:
        await world.service.capture(move(world.order_id, 1))
    assert refusal.value.reason == "PAYMENT_CLOSED"
    await undo(world)
    assert await world.totals() == (10_000, 3_000, 7_000, 3_000)
    await assert_undone(world)


async def test_while_the_provider_is_down_nothing_is_complete(world: World) -> None:
    await world.pay(means="pm_card_authenticationRequired")
    world.provider.fault("cancel", "down", order_id=world.order_id)
    statement, complete = await world.service.unwind(unwind(world.order_id))
    assert not complete
    assert statement is not None
    assert statement.payment.status is Status.ACTION_REQUIRED
    await undo(world)
    await assert_undone(world)


async def test_what_the_channel_was_paid_is_asked_back_once(world: World) -> None:
    by_channel = Means(MeansKind.PAID_BY_CHANNEL, "MKT-1")
    await world.service.authorize(authorize(world.order_id, 10_000, tender=by_channel))
    await undo(world)
    await undo(world)
    (event,) = await world.events()
    assert event.type == "oms.payments.refund.due_from_channel"
    assert event.data["amount_minor"] == 10_000
    assert await world.service.differences() == []


async def test_a_brought_authorisation_is_cancelled_too(world: World) -> None:
    made = world.provider.post(
        "/v1/payment_intents",
        {
            "amount": "9000",
            "currency": "eur",
            "capture_method": "manual",
            "confirm": "true",
            "payment_method": "pm_card_visa",
            "metadata[order_id]": world.order_id,
        },
    )
    brought = Means(MeansKind.PROVIDER_AUTHORISATION, made.json()["id"])
    await world.service.authorize(authorize(world.order_id, 9_000, tender=brought))
    await undo(world)
    await assert_undone(world)
    assert world.provider.book(world.order_id)["status"] == "canceled"


async def test_several_undoings_at_once_give_back_once(world: World) -> None:
    await world.pay(10_000)
    await world.service.capture(move(world.order_id, 4_000))
    await asyncio.gather(*(world.service.unwind(unwind(world.order_id)) for _ in range(6)))
    await undo(world)
    assert await world.totals() == (10_000, 4_000, 6_000, 4_000)
    await assert_undone(world)


async def test_captures_beside_an_undoing_end_up_given_back(world: World) -> None:
    await world.pay(10_000)
    await asyncio.gather(
        *(world.service.capture(move(world.order_id, 1_000)) for _ in range(8)),
        world.service.unwind(unwind(world.order_id)),
        return_exceptions=True,
    )
    await undo(world)
    await assert_undone(world)


async def test_the_id_of_an_undoing_stands_for_its_content(world: World) -> None:
    await undo_of_nothing(world)
    with pytest.raises(Conflict):
        await world.service.unwind(Unwind(f"{world.order_id}/unwind", world.order_id, "another cause"))


async def undo_of_nothing(world: World) -> None:
    assert (await world.service.unwind(unwind(world.order_id)))[1]
