"""Captures, voids and refunds: what is allowed, what races, what the card allows."""

import asyncio
from dataclasses import replace

import pytest

from kit.errors import Conflict, FailedPrecondition, InvalidArgument, NotFound, OmsError
from services.payments.domain.model import Kind, State, Status
from services.payments.domain.movement import Movement
from tests.services.payments.world import World, move


async def test_an_authorisation_is_captured_parcel_by_parcel(world: World) -> None:
    await world.pay(10_000)
    for parcel in (2_500, 2_500, 5_000):
        operation = (await world.service.capture(move(world.order_id, parcel))).decisive
        assert (operation.kind, operation.state, operation.amount_minor) == (
            Kind.CAPTURE,
            State.SUCCEEDED,
            parcel,
        )
    assert await world.totals() == (10_000, 10_000, 0, 0)
    assert (await world.service.get_payment(world.order_id)).payment.status is Status.CLOSED
    assert world.provider.book(world.order_id)["status"] == "succeeded"
    await world.assert_books_agree()


@pytest.mark.parametrize(("currency", "authorised", "part"), [("JPY", 1_205, 405), ("KWD", 12_340, 1_230)])
async def test_currencies_without_or_with_three_decimals_count_their_own_minor_unit(
    world: World, currency: str, authorised: int, part: int
) -> None:
    await world.pay(authorised, currency)
    await world.service.capture(move(world.order_id, part, currency))
    await world.service.refund(move(world.order_id, part - 10, currency))
    await world.service.void(move(world.order_id))
    assert await world.totals() == (authorised, part, authorised - part, part - 10)
    assert world.provider.book(world.order_id)["currency"] == currency.lower()
    await world.assert_books_agree()


async def test_an_amount_finer_than_the_networks_accept_fails_with_its_reason(world: World) -> None:
    await world.pay(12_340, "KWD")
    operation = await world.service.capture(move(world.order_id, 1_234, "KWD"))
    assert (operation.state, operation.failure_code) == (State.FAILED, "amount_precision")
    assert await world.totals() == (12_340, 0, 0, 0)


async def test_thirty_two_captures_at_once_never_exceed_the_authorisation(world: World) -> None:
    await world.pay(10_000)
    answers = await asyncio.gather(
        *(world.service.capture(move(world.order_id, 900)) for _ in range(32)), return_exceptions=True
    )
    refused = [one for one in answers if isinstance(one, FailedPrecondition)]
    assert {one.reason for one in refused} == {"CAPTURE_EXCEEDS_AUTHORISATION"}
    assert len(refused) == 32 - 11
    assert await world.totals() == (10_000, 11 * 900, 0, 0)
    await world.assert_books_agree()


async def test_the_lock_decides_between_a_void_and_a_capture(world: World) -> None:
    captured_first = 0
    for _ in range(12):
        world.order_id = f"{world.order_id}x"
        await world.pay(10_000)
        capture, void = await asyncio.gather(
            world.service.capture(move(world.order_id, 10_000)),
            world.service.void(move(world.order_id)),
            return_exceptions=True,
        )
        authorized, captured, voided, _ = await world.totals()
        assert captured + voided == authorized
        if isinstance(capture, FailedPrecondition):
            assert capture.reason == "CAPTURE_EXCEEDS_AUTHORISATION"
            assert (captured, voided) == (0, 10_000)
            assert getattr(void, "state", None) is State.SUCCEEDED
        else:
            captured_first += 1
            assert (captured, voided) == (10_000, 0)
            assert void is None
        await world.assert_books_agree()
    assert captured_first <= 12


async def test_a_void_beside_a_capture_in_flight_leaves_the_capture_its_amount(world: World) -> None:
    await world.pay(10_000)
    world.provider.fault("capture", "timeout_after_success", order_id=world.order_id)
    lost = await world.hasty.capture(move(world.order_id, 4_000))
    assert lost.state is State.UNKNOWN
    void = await world.service.void(move(world.order_id))
    assert void is not None
    assert (void.state, void.amount_minor) == (State.SUCCEEDED, 6_000)
    assert world.provider.book(world.order_id)["capturable"] == 6_000
    await world.rest()
    assert await world.totals() == (10_000, 4_000, 6_000, 0)
    assert world.provider.book(world.order_id)["status"] == "canceled"
    await world.assert_books_agree()


async def test_what_was_voided_in_part_is_let_go_by_the_last_capture(world: World) -> None:
    await world.pay(10_000)
    void = await world.service.void(move(world.order_id, 3_000))
    assert void is not None
    assert void.state is State.SUCCEEDED
    with pytest.raises(FailedPrecondition) as refusal:
        await world.service.capture(move(world.order_id, 7_001))
    assert refusal.value.facts["available_minor"] == 7_000
    await world.service.capture(move(world.order_id, 7_000))
    assert world.provider.book(world.order_id)["capturable"] == 0
    await world.assert_books_agree()


async def test_a_void_of_the_rest_is_told_to_the_provider(world: World) -> None:
    await world.pay(10_000)
    await world.service.capture(move(world.order_id, 2_000))
    await world.service.void(move(world.order_id, 1_000))
    await world.service.void(move(world.order_id))
    assert await world.totals() == (10_000, 2_000, 8_000, 0)
    assert await world.service.void(move(world.order_id)) is None
    await world.assert_books_agree()


async def test_a_void_of_more_than_is_left_is_refused(world: World) -> None:
    await world.pay(10_000)
    with pytest.raises(FailedPrecondition) as refusal:
        await world.service.void(move(world.order_id, 10_001))
    assert refusal.value.reason == "VOID_EXCEEDS_AUTHORISATION"


async def test_a_card_that_allows_one_capture_lets_the_rest_go_with_it(world: World) -> None:
    await world.pay(10_000, means="pm_card_visa_singleCapture")
    await world.service.capture(move(world.order_id, 4_000))
    statement = await world.service.get_payment(world.order_id)
    assert await world.totals() == (10_000, 4_000, 6_000, 0)
    assert statement.operations[-1].cause == "provider/single_capture"
    payment = statement.payment
    assert (payment.status, payment.tenders[0].lapsed) == (Status.EXPIRED, 6_000)
    late = await world.service.capture(move(world.order_id, 6_000))
    assert (late.state, late.failure_code) == (State.FAILED, "authorisation_ended")
    with pytest.raises(FailedPrecondition) as refusal:
        await world.service.capture(move(world.order_id, 6_001))
    assert refusal.value.reason == "CAPTURE_EXCEEDS_AUTHORISATION"
    await world.assert_books_agree()


async def test_what_the_order_no_longer_needs_is_not_missed(world: World) -> None:
    await world.pay(10_000, means="pm_card_visa_singleCapture")
    await world.service.capture(move(world.order_id, 4_000))
    assert await world.service.void(move(world.order_id, 2_000)) is None
    assert (await world.tender()).lapsed == 4_000
    assert await world.service.void(move(world.order_id)) is None
    assert (await world.service.get_payment(world.order_id)).payment.status is Status.CLOSED
    await world.assert_books_agree()


async def test_a_card_that_allows_one_capture_never_has_two_in_flight(world: World) -> None:
    await world.pay(10_000, means="pm_card_visa_singleCapture")
    answers = await asyncio.gather(
        *(world.service.capture(move(world.order_id, 1_000)) for _ in range(6)), return_exceptions=True
    )
    done = [one for one in answers if isinstance(one, Movement) and one.state is State.SUCCEEDED]
    refused = {one.reason for one in answers if isinstance(one, OmsError)}
    assert (len(done), refused | {"CAPTURE_IN_FLIGHT"}) == (1, {"CAPTURE_IN_FLIGHT"})
    assert await world.totals() == (10_000, 1_000, 9_000, 0)
    await world.assert_books_agree()


async def test_a_parcel_is_captured_once_whoever_asks(world: World) -> None:
    await world.pay(10_000)
    answers = await asyncio.gather(
        *(world.service.capture(move(world.order_id, 4_000, cause="parcel/par_x")) for _ in range(8))
    )
    assert {one.decisive.operation_id for one in answers} == {answers[0].decisive.operation_id}
    await world.service.capture(move(world.order_id, 4_500, cause="parcel/par_x"))
    assert await world.totals() == (10_000, 4_500, 0, 0)
    with pytest.raises(InvalidArgument) as refusal:
        await world.service.capture(replace(move(world.order_id, 1), cause=""))
    assert refusal.value.facts["field"] == "cause"
    await world.assert_books_agree()


async def test_a_capture_declined_by_the_bank_fails_and_frees_its_amount(world: World) -> None:
    await world.pay(10_000, means="pm_card_visa_captureDeclined")
    operation = await world.service.capture(move(world.order_id, 10_000))
    assert (operation.state, operation.failure_code) == (State.FAILED, "do_not_honor")
    assert await world.totals() == (10_000, 0, 0, 0)
    void = await world.service.void(move(world.order_id))
    assert void is not None
    assert void.state is State.SUCCEEDED
    await world.assert_books_agree()


async def test_refunds_never_exceed_what_was_captured(world: World) -> None:
    await world.pay(10_000)
    await world.service.capture(move(world.order_id, 6_000))
    answers = await asyncio.gather(
        *(world.service.refund(move(world.order_id, 1_000)) for _ in range(16)), return_exceptions=True
    )
    refused = [one for one in answers if isinstance(one, FailedPrecondition)]
    assert {one.reason for one in refused} == {"REFUND_EXCEEDS_CAPTURE"}
    assert len(refused) == 10
    assert await world.totals() == (10_000, 6_000, 0, 6_000)
    await world.assert_books_agree()


async def test_a_repeated_capture_is_the_same_capture(world: World) -> None:
    await world.pay(10_000)
    asked = move(world.order_id, 4_000)
    first = await world.service.capture(asked)
    assert await world.service.capture(asked) == first
    with pytest.raises(Conflict):
        await world.service.capture(move(world.order_id, 4_001, key=asked.request_id))
    with pytest.raises(Conflict):
        await world.service.refund(asked)
    assert await world.totals() == (10_000, 4_000, 0, 0)


async def test_a_wrong_currency_names_its_field(world: World) -> None:
    await world.pay(10_000)
    for verb in (world.service.capture, world.service.void, world.service.refund):
        with pytest.raises(InvalidArgument) as refusal:
            await verb(move(world.order_id, 1, "USD"))
        assert refusal.value.reason == "CURRENCY_MISMATCH"
        assert refusal.value.facts == {"field": "amount.currency", "expected": "EUR"}


async def test_an_order_without_payment_is_not_found(world: World) -> None:
    for verb in (world.service.capture, world.service.void, world.service.refund):
        with pytest.raises(NotFound) as refusal:
            await verb(move(world.order_id, 1))
        assert refusal.value.reason == "PAYMENT_NOT_FOUND"
    with pytest.raises(InvalidArgument) as missing:
        await world.service.capture(move(world.order_id))
    assert missing.value.facts["field"] == "amount"


async def test_each_movement_of_money_is_told_once(world: World) -> None:
    await world.pay(10_000)
    asked = move(world.order_id, 4_000)
    await world.service.capture(asked)
    await world.service.capture(asked)
    await world.service.void(move(world.order_id))
    await world.service.refund(move(world.order_id, 1_000))
    events = await world.events()
    assert [event.type.rpartition(".")[2] for event in events] == [
        "captured",
        "voided",
        "refunded",
    ]
    assert {event.subject for event in events} == {f"payment/{world.order_id}"}
    captured = events[0].data
    assert (captured["order_id"], captured["amount_minor"], captured["currency"]) == (
        world.order_id,
        4_000,
        "EUR",
    )
