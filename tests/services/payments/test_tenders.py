"""An order paid by several means: all of them pay or none does; taken in their order, given back in reverse."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from kit.errors import FailedPrecondition, InvalidArgument
from kit.times import now
from kit.values.money import Money
from services.payments.commands import Authorize, Part
from services.payments.domain.model import Kind, Means, MeansKind, State, Status
from services.payments.domain.movement import Statement
from tests.services.payments.test_provider_events import post
from tests.services.payments.world import World, authorize, move, token, unwind

VISA, AMEX = "pm_card_visa", "pm_card_amex"
DECLINED = "pm_card_visa_chargeDeclinedInsufficientFunds"
ASKS = "pm_card_threeDSecure2Required"


def asked(world: World, *parts: tuple[str, int | None], key: str = "") -> Authorize:
    tenders = [Part(token(means), Money(minor, "EUR") if minor else None) for means, minor in parts]
    return replace(authorize(world.order_id, 10_000, key=key), tenders=tenders)


async def pay(world: World, *parts: tuple[str, int | None], key: str = "") -> Statement:
    return await world.service.authorize(asked(world, *parts, key=key))


async def by_tender(world: World) -> list[tuple[int, int, int, int]]:
    tenders = (await world.service.get_payment(world.order_id)).payment.tenders
    return [(one.authorized, one.captured, one.voided, one.refunded) for one in tenders]


async def held(world: World) -> list[int]:
    """What the provider holds, by tender."""
    books = {one["id"]: one for one in world.provider.books(world.order_id)}
    tenders = (await world.service.get_payment(world.order_id)).payment.tenders
    return [books[one.provider_payment_id]["capturable"] for one in tenders if one.provider_payment_id]


async def test_two_cards_pay_in_their_order_and_are_given_back_in_reverse(world: World) -> None:
    paid = await pay(world, (VISA, 3_000), (AMEX, None))
    assert paid.payment.status is Status.AUTHORIZED
    first = await world.service.capture(move(world.order_id, 2_000))
    assert len(first.operations) == 1
    second = await world.service.capture(move(world.order_id, 5_000))
    assert [one.amount_minor for one in second.operations] == [1_000, 4_000]
    assert await by_tender(world) == [(3_000, 3_000, 0, 0), (7_000, 4_000, 0, 0)]
    back = await world.service.refund(move(world.order_id, 4_500))
    assert [one.amount_minor for one in back.operations] == [4_000, 500]
    await world.service.void(move(world.order_id))
    assert await by_tender(world) == [(3_000, 3_000, 0, 500), (7_000, 4_000, 3_000, 4_000)]
    await world.assert_books_agree()


async def test_less_is_needed_of_the_tender_that_is_used_last(world: World) -> None:
    await pay(world, (VISA, 3_000), (AMEX, None))
    given_up = await world.service.void(move(world.order_id, 8_000))
    assert given_up is not None
    assert [one.amount_minor for one in given_up.operations] == [7_000, 1_000]
    assert await by_tender(world) == [(3_000, 0, 1_000, 0), (7_000, 0, 7_000, 0)]
    assert await held(world) == [3_000, 0]
    await world.service.capture(move(world.order_id, 2_000))
    await world.assert_books_agree()


@pytest.mark.parametrize("parts", [((VISA, 3_000), (DECLINED, None)), ((DECLINED, 3_000), (VISA, None))])
async def test_when_one_is_declined_none_pays(world: World, parts: Sequence[tuple[str, int | None]]) -> None:
    paid = await pay(world, *parts)
    assert paid.payment.status is Status.DECLINED
    assert sorted(one.decline_code for one in paid.payment.tenders) == ["", "insufficient_funds"]
    assert paid.payment.uncaptured == 0
    assert sum(await held(world)) == 0
    with pytest.raises(FailedPrecondition):
        await world.service.capture(move(world.order_id, 1))
    await world.assert_books_agree()


async def test_a_declined_order_is_paid_by_another_attempt(world: World) -> None:
    await pay(world, (VISA, 3_000), (DECLINED, None))
    again = await pay(world, (VISA, 4_000), (AMEX, None), key=f"{world.order_id}/again")
    assert again.payment.status is Status.AUTHORIZED
    assert again.payment.uncaptured == 10_000
    await world.service.capture(move(world.order_id, 10_000))
    with pytest.raises(FailedPrecondition) as refusal:
        await pay(world, (VISA, None), key=f"{world.order_id}/third")
    assert refusal.value.reason == "PAYMENT_EXISTS"
    await world.assert_books_agree()


async def test_a_capture_that_one_tender_refuses_keeps_what_the_other_gave(world: World) -> None:
    await pay(world, (VISA, 3_000), ("pm_card_visa_captureDeclined", None))
    done = await world.service.capture(move(world.order_id, 10_000, cause="parcel/par_x"))
    assert (done.state, done.failure_code) == (State.FAILED, "do_not_honor")
    assert await by_tender(world) == [(3_000, 3_000, 0, 0), (7_000, 0, 0, 0)]
    again = await world.service.capture(move(world.order_id, 10_000, cause="parcel/par_x"))
    assert [one.amount_minor for one in again.operations] == [7_000], "what the first gave is not asked for twice"
    await world.assert_books_agree()


async def test_the_customer_acts_for_one_of_the_tenders(world: World) -> None:
    paid = await pay(world, (VISA, 3_000), (ASKS, None))
    assert paid.payment.status is Status.ACTION_REQUIRED
    card = paid.payment.tenders[1]
    world.provider.http.post(f"/3ds/{card.provider_payment_id}/approve")
    await post(world, world.provider.events(world.order_id)[-1])
    assert (await world.service.get_payment(world.order_id)).payment.status is Status.AUTHORIZED
    assert await world.event_types() == ["payment.authorized"]
    await world.assert_books_agree()


async def test_a_decline_withdraws_what_waits_for_the_customer(world: World) -> None:
    paid = await pay(world, (ASKS, 3_000), (DECLINED, None))
    assert paid.payment.status is Status.DECLINED
    operations = (await world.service.get_payment(world.order_id)).operations
    assert {one.state for one in operations} == {State.FAILED}
    answer = world.provider.http.post(f"/3ds/{paid.payment.tenders[0].provider_payment_id}/approve")
    assert sum(await held(world)) == 0, answer.text
    await world.assert_books_agree()


async def test_what_is_authorised_after_the_other_was_declined_is_let_go(world: World) -> None:
    world.provider.fault("create", "timeout_after_success", order_id=world.order_id)
    lost = await world.hasty.authorize(asked(world, (VISA, 3_000), (DECLINED, None)))
    assert lost.payment.status in (Status.PENDING, Status.DECLINED)
    await world.rest()
    await world.rest()
    assert (await world.service.get_payment(world.order_id)).payment.status is Status.DECLINED
    assert sum(await held(world)) == 0
    await world.assert_books_agree()


async def test_an_order_of_several_tenders_is_undone_whole(world: World) -> None:
    await pay(world, (VISA, 3_000), (AMEX, 5_000), (VISA, None))
    await world.service.capture(move(world.order_id, 4_000))
    _, done = await world.service.unwind(unwind(world.order_id))
    assert done
    assert await by_tender(world) == [
        (3_000, 3_000, 0, 3_000),
        (5_000, 1_000, 4_000, 1_000),
        (2_000, 0, 2_000, 0),
    ]
    assert sum(await held(world)) == 0
    await world.assert_books_agree()


async def test_captures_at_once_never_take_more_than_the_tenders_hold(world: World) -> None:
    await pay(world, (VISA, 3_000), (AMEX, None))
    answers = await asyncio.gather(
        *(world.service.capture(move(world.order_id, 900)) for _ in range(32)), return_exceptions=True
    )
    assert sum(not isinstance(one, BaseException) for one in answers) == 11
    assert (await world.totals())[1] == 11 * 900
    await world.assert_books_agree()


@pytest.mark.parametrize(
    ("parts", "field"),
    [
        ([], "tender"),
        ([(VISA, 3_000), (AMEX, 6_999)], "tenders"),
        ([(VISA, 10_000), (AMEX, None)], "tenders"),
        ([(VISA, None), (AMEX, None)], "tenders[1].amount"),
        ([(VISA, -1), (AMEX, None)], "tenders[0].amount.amount_minor"),
        ([(VISA, 1), ("", None)], "tenders[1].payment_method_token"),
        ([(VISA, 1)] * 11, "tenders"),
    ],
)
async def test_tenders_must_add_up(world: World, parts: list[tuple[str, int | None]], field: str) -> None:
    with pytest.raises(InvalidArgument) as refusal:
        await pay(world, *parts)
    assert refusal.value.facts["field"] == field
    statement: Any = None
    with pytest.raises(Exception, match="no payment"):
        statement = await world.service.get_payment(world.order_id)
    assert statement is None


async def test_what_the_channel_was_paid_has_no_other_tender(world: World) -> None:
    by_channel = Part(Means(MeansKind.PAID_BY_CHANNEL, "MKT-1"))
    with pytest.raises(InvalidArgument) as refusal:
        await world.service.authorize(
            replace(authorize(world.order_id), tenders=[Part(token(), Money(1, "EUR")), by_channel])
        )
    assert refusal.value.facts["field"] == "tenders[1]"


async def test_each_tender_has_its_own_operations(world: World) -> None:
    await pay(world, (VISA, 3_000), (AMEX, None))
    await world.service.capture(move(world.order_id, 10_000))
    statement = await world.service.get_payment(world.order_id)
    tenders = [one.tender_id for one in statement.payment.tenders]
    for kind in (Kind.AUTHORIZE, Kind.CAPTURE):
        assert sorted(one.tender_id for one in statement.operations if one.kind is kind) == sorted(tenders)
    assert await world.service.resolve_unknown(now()) == (0, 0)
