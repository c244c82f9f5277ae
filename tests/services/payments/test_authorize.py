"""Authorising: granted, declined, awaiting the customer, brought by a channel, paid by a channel."""

import asyncio
import logging

import pytest

from kit.errors import Conflict, FailedPrecondition, InvalidArgument, NotFound
from kit.values.ids import new_id
from kit.values.money import Money
from services.payments.domain.model import Kind, Means, MeansKind, State, Status
from tests.services.payments.world import World, authorize, move, token


async def test_a_good_card_is_authorised_for_the_whole_amount(world: World) -> None:
    statement = await world.pay(12_345)
    payment = statement.payment
    assert payment.status is Status.AUTHORIZED
    assert (payment.authorized, payment.captured, payment.currency) == (12_345, 0, "EUR")
    assert payment.tenders[-1].provider == "stripe"
    assert payment.tenders[-1].provider_payment_id.startswith("pi_")
    assert payment.tenders[-1].expires_at is not None
    (operation,) = statement.operations
    assert (operation.kind, operation.state, operation.cause) == (
        Kind.AUTHORIZE,
        State.SUCCEEDED,
        "placement",
    )
    await world.assert_books_agree()
    # Whoever asked has the answer.
    assert await world.event_types() == []


@pytest.mark.parametrize(
    ("means", "code"),
    [
        ("pm_card_visa_chargeDeclined", "generic_decline"),
        ("pm_card_visa_chargeDeclinedInsufficientFunds", "insufficient_funds"),
        ("pm_card_chargeDeclinedExpiredCard", "expired_card"),
        ("pm_card_nobody_knows", "resource_missing"),
    ],
)
async def test_a_declined_card_is_an_answer_with_the_reason(world: World, means: str, code: str) -> None:
    statement = await world.pay(means=means)
    assert statement.payment.status is Status.DECLINED
    assert statement.payment.tenders[-1].decline_code == code
    assert statement.operations[0].state is State.FAILED
    assert await world.totals() == (0, 0, 0, 0)


async def test_after_a_decline_the_order_may_be_paid_with_another_card(world: World) -> None:
    await world.pay(means="pm_card_visa_chargeDeclined")
    statement = await world.service.authorize(authorize(world.order_id, key="second try"))
    assert statement.payment.status is Status.AUTHORIZED
    assert statement.payment.tenders[-1].decline_code == ""
    assert [one.state for one in statement.operations] == [State.FAILED, State.SUCCEEDED]
    again = await world.service.authorize(authorize(world.order_id, tender=token("pm_card_visa_chargeDeclined")))
    assert again.payment == statement.payment


async def test_an_order_has_one_payment(world: World) -> None:
    await world.pay()
    with pytest.raises(FailedPrecondition) as refusal:
        await world.service.authorize(authorize(world.order_id, key="another"))
    assert refusal.value.reason == "PAYMENT_EXISTS"
    assert len(world.provider.books(world.order_id)) == 1


async def test_the_same_request_gives_the_same_answer_and_other_content_is_a_conflict(world: World) -> None:
    first = await world.pay()
    assert await world.pay() == first
    with pytest.raises(Conflict) as conflict:
        await world.pay(10_001)
    assert conflict.value.facts["field"] == "request_id"
    assert world.provider.book(world.order_id)["authorised"] == 10_000


async def test_many_calls_with_one_request_id_are_one_operation(world: World) -> None:
    statements = await asyncio.gather(*(world.pay() for _ in range(12)))
    await world.rest()
    statement = await world.service.get_payment(world.order_id)
    assert statement.payment.status is Status.AUTHORIZED
    assert {one.operations[0].operation_id for one in statements} == {statement.operations[0].operation_id}
    assert len(statement.operations) == 1
    await world.assert_books_agree()


@pytest.mark.parametrize(
    ("amount", "field"),
    [
        (Money(0, "EUR"), "amount.amount_minor"),
        (Money(-1, "EUR"), "amount.amount_minor"),
        (Money(10**18, "EUR"), "amount.amount_minor"),
        (Money(1, "eur"), "amount.currency"),
        (Money(1, ""), "amount.currency"),
        (Money(1, "XXX"), "amount.currency"),
    ],
)
async def test_an_impossible_amount_is_refused_by_its_field(world: World, amount: Money, field: str) -> None:
    with pytest.raises(InvalidArgument) as refusal:
        await world.service.authorize(authorize(world.order_id, amount.amount_minor, amount.currency))
    assert refusal.value.facts["field"] == field
    with pytest.raises(NotFound):
        await world.service.get_payment(world.order_id)


async def test_a_channel_may_bring_its_own_authorisation(world: World) -> None:
    statement = await world.service.authorize(
        authorize(world.order_id, 5_000, tender=_brought(world, "6000", "eur"))
    )
    assert statement.payment.status is Status.AUTHORIZED
    assert statement.payment.authorized == 5_000
    captured = await world.service.capture(move(world.order_id, 5_000))
    assert captured.state is State.SUCCEEDED
    intent = world.provider.get(f"/v1/payment_intents/{statement.payment.tenders[-1].provider_payment_id}").json()
    assert (intent["amount_received"], intent["amount_capturable"]) == (5_000, 0)


@pytest.mark.parametrize(
    ("amount", "currency", "code"),
    [
        ("4999", "eur", "authorisation_too_small"),
        ("5000", "usd", "authorisation_currency_mismatch"),
        ("", "", "authorisation_not_found"),
    ],
)
async def test_a_brought_authorisation_that_does_not_fit_is_declined(
    world: World, amount: str, currency: str, code: str
) -> None:
    brought = (
        _brought(world, amount, currency) if amount else Means(MeansKind.PROVIDER_AUTHORISATION, "pi_nowhere")
    )
    statement = await world.service.authorize(authorize(world.order_id, 5_000, tender=brought))
    assert statement.payment.status is Status.DECLINED
    assert statement.payment.tenders[-1].decline_code == code


async def test_one_brought_authorisation_pays_one_order(world: World) -> None:
    brought = _brought(world, "5000", "eur")
    await world.service.authorize(authorize(world.order_id, 5_000, tender=brought))
    with pytest.raises(FailedPrecondition) as refusal:
        await world.service.authorize(authorize(new_id("ord"), 5_000, tender=brought))
    assert refusal.value.reason == "AUTHORISATION_ALREADY_USED"


async def test_an_order_paid_by_its_channel_is_never_captured(world: World) -> None:
    by_channel = Means(MeansKind.PAID_BY_CHANNEL, "MKT-1")
    statement = await world.service.authorize(authorize(world.order_id, tender=by_channel))
    assert statement.payment.status is Status.PAID_BY_CHANNEL
    assert statement.operations[0].provider_reference == "MKT-1"
    with pytest.raises(FailedPrecondition) as refusal:
        await world.service.capture(move(world.order_id, 1))
    assert refusal.value.reason == "PAID_BY_CHANNEL"
    assert await world.service.void(move(world.order_id)) is None
    assert world.provider.books(world.order_id) == []
    assert await world.service.differences() == []


async def test_a_refund_of_what_the_channel_was_paid_is_asked_of_the_channel(world: World) -> None:
    by_channel = Means(MeansKind.PAID_BY_CHANNEL, "MKT-1")
    await world.service.authorize(authorize(world.order_id, 10_000, tender=by_channel))
    refund = await world.service.refund(move(world.order_id, 4_000))
    assert refund.state is State.SUCCEEDED
    with pytest.raises(FailedPrecondition) as refusal:
        await world.service.refund(move(world.order_id, 6_001))
    assert refusal.value.facts["available_minor"] == 6_000
    assert await world.event_types() == ["refund.due_from_channel"]
    assert await world.service.differences() == []


async def test_the_means_of_payment_is_forgotten_and_told_to_nobody(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    secret = "pm_card_planted_secret"
    with caplog.at_level(logging.DEBUG, logger="services"):
        statement = await world.pay(means=secret)
    assert statement.payment.status is Status.DECLINED
    assert secret not in caplog.text
    assert secret not in repr(statement)
    async with world.engine.connect() as tx:
        for table in ("payment", "operation", "entry", "request", "outbox"):
            rows = await tx.exec_driver_sql(f"SELECT * FROM {table}")
            assert secret not in repr(rows.all())


def _brought(world: World, amount: str, currency: str) -> Means:
    made = world.provider.post(
        "/v1/payment_intents",
        {
            "amount": amount,
            "currency": currency,
            "capture_method": "manual",
            "confirm": "true",
            "payment_method": "pm_card_visa",
            "payment_method_options[card][request_multicapture]": "if_available",
        },
    )
    return Means(MeansKind.PROVIDER_AUTHORISATION, made.json()["id"])
