"""Authorisations that are made again with means that the customer allowed to be kept."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from kit.errors import FailedPrecondition
from kit.times import now
from services.payments.domain.model import Kind, State, Status
from services.payments.service import PaymentsService
from tests.services.payments.test_tenders import by_tender, held
from tests.services.payments.world import World, authorize, move, token, unwind

SINGLE = "pm_card_visa_singleCapture"


async def pay(world: World, means: str = "pm_card_visa", *, save: bool = True) -> None:
    asked = authorize(world.order_id, 10_000, tender=token(means))
    paid = await world.service.authorize(replace(asked, save_means=save))
    assert paid.payment.status is Status.AUTHORIZED
    assert bool(paid.payment.tenders[0].saved_means) is save


def in_days(world: World, days: float) -> PaymentsService:
    """The same service, some days later. The provider's clock stands still."""
    at = now() + timedelta(days=days)
    service: PaymentsService = world.at(lambda: at)
    return service


async def test_a_day_before_its_end_an_authorisation_is_made_again(world: World) -> None:
    await pay(world)
    await world.service.capture(move(world.order_id, 4_000))
    await in_days(world, 5.9).resolve_unknown(now())
    assert await by_tender(world) == [(10_000, 4_000, 0, 0)], "not before it is due"
    await in_days(world, 6.1).resolve_unknown(now())
    assert await by_tender(world) == [(10_000, 4_000, 6_000, 0), (6_000, 0, 0, 0)]
    assert await held(world) == [0, 6_000]
    payment = (await world.service.get_payment(world.order_id)).payment
    assert (payment.status, payment.uncaptured) == (Status.AUTHORIZED, 6_000)
    assert (payment.tenders[1].renews, payment.tenders[1].superseded) == (payment.tenders[0].tender_id, False)
    await world.service.capture(move(world.order_id, 6_000))
    await world.service.refund(move(world.order_id, 7_000))
    assert await by_tender(world) == [(10_000, 4_000, 6_000, 1_000), (6_000, 6_000, 0, 6_000)]
    await world.assert_books_agree()


async def test_it_is_renewed_as_often_as_the_order_waits(world: World) -> None:
    await pay(world)
    for weeks in (1, 2):
        await in_days(world, 6.5 * weeks).resolve_unknown(now())
    tenders = (await world.service.get_payment(world.order_id)).payment.tenders
    assert [one.uncaptured for one in tenders][-1] == 10_000
    assert sum(await held(world)) == 10_000
    await world.assert_books_agree()


async def test_what_a_single_capture_let_go_is_authorised_again(world: World) -> None:
    await pay(world, SINGLE)
    await world.service.capture(move(world.order_id, 4_000))
    assert (await world.service.get_payment(world.order_id)).payment.status is Status.EXPIRED
    await world.service.resolve_unknown(now())
    assert await held(world) == [0, 6_000]
    assert (await world.service.get_payment(world.order_id)).payment.status is Status.AUTHORIZED
    await world.service.capture(move(world.order_id, 1_000))
    await world.service.capture(move(world.order_id, 5_000))
    assert (await world.totals())[1] == 10_000
    await world.assert_books_agree()


async def test_a_capture_does_not_wait_for_the_renewal(world: World) -> None:
    await pay(world, SINGLE)
    await world.service.capture(move(world.order_id, 4_000))
    second = await world.service.capture(move(world.order_id, 2_500))
    assert second.state is State.SUCCEEDED
    await world.service.resolve_unknown(now())
    assert (await world.totals())[1] == 6_500
    assert (await world.service.get_payment(world.order_id)).payment.uncaptured == 3_500
    await world.assert_books_agree()


async def test_without_leave_to_keep_the_means_nothing_is_renewed(world: World) -> None:
    await pay(world, SINGLE, save=False)
    await world.service.capture(move(world.order_id, 4_000))
    await in_days(world, 6.5).resolve_unknown(now())
    refused = await world.service.capture(move(world.order_id, 6_000))
    assert (refused.state, refused.failure_code) == (State.FAILED, "authorisation_ended")
    assert len(await by_tender(world)) == 1


async def test_a_renewal_that_is_declined_leaves_what_is_held(world: World) -> None:
    await pay(world)
    world.provider.fault("create", "decline", order_id=world.order_id)
    await in_days(world, 6.1).resolve_unknown(now())
    payment = (await world.service.get_payment(world.order_id)).payment
    assert (payment.status, payment.uncaptured) == (Status.AUTHORIZED, 10_000)
    assert await world.event_types() == ["authorization.renewal_declined"]
    await in_days(world, 6.2).resolve_unknown(now())
    assert len(payment.tenders) == 2, "it is not asked for again at once"
    await in_days(world, 6.6).resolve_unknown(now())
    assert await held(world) == [0, 0, 10_000]
    await world.assert_books_agree()


async def test_a_capture_whose_renewal_is_declined_says_so(world: World) -> None:
    await pay(world, SINGLE)
    await world.service.capture(move(world.order_id, 4_000))
    world.provider.fault("create", "decline", order_id=world.order_id)
    parcel = move(world.order_id, 6_000, cause="parcel/par_2")
    refused = await world.service.capture(parcel)
    assert (refused.state, refused.failure_code) == (State.FAILED, "authorisation_ended")
    again = await world.service.capture(replace(parcel, request_id=f"{parcel.request_id}/2"))
    assert again.state is State.SUCCEEDED
    assert (await world.totals())[1] == 10_000
    await world.assert_books_agree()


@pytest.mark.parametrize("fault", ["down", "error_500", "error_500_after_success"])
async def test_a_renewal_whose_answer_is_lost_is_made_once(world: World, fault: str) -> None:
    await pay(world, SINGLE)
    await world.service.capture(move(world.order_id, 4_000))
    world.provider.fault("create", fault, order_id=world.order_id)
    await world.service.resolve_unknown(now())
    await world.rest()
    assert sum(await held(world)) == 6_000
    assert sum(one["capturable"] for one in world.provider.books(world.order_id)) == 6_000
    await world.assert_books_agree()


async def test_what_happens_while_it_is_renewed_is_not_held_twice(world: World) -> None:
    await pay(world)
    world.provider.fault("create", "down", order_id=world.order_id)
    await in_days(world, 6.1).resolve_unknown(now())
    await world.service.capture(move(world.order_id, 3_000))
    await world.service.void(move(world.order_id, 1_000))
    await world.rest()
    await world.rest()
    assert (await world.totals())[1] == 3_000
    assert (await world.service.get_payment(world.order_id)).payment.uncaptured == 6_000
    await world.service.void(move(world.order_id))
    await world.rest()
    assert sum(await held(world)) == 0
    await world.assert_books_agree()


async def test_an_order_that_is_undone_is_not_renewed(world: World) -> None:
    await pay(world, SINGLE)
    await world.service.capture(move(world.order_id, 4_000))
    await world.service.unwind(unwind(world.order_id))
    await world.service.resolve_unknown(now())
    assert len(await by_tender(world)) == 1
    with pytest.raises(FailedPrecondition):
        await world.service.capture(move(world.order_id, 1))


async def test_two_that_renew_at_once_make_one_authorisation(world: World) -> None:
    await pay(world, SINGLE)
    await world.service.capture(move(world.order_id, 4_000))
    await asyncio.gather(
        *(world.service.resolve_unknown(now()) for _ in range(4)),
        *(world.service.capture(move(world.order_id, 1_000)) for _ in range(2)),
        return_exceptions=True,
    )
    operations = (await world.service.get_payment(world.order_id)).operations
    assert sum(one.kind is Kind.AUTHORIZE and one.amount_minor == 6_000 for one in operations) == 1
    await world.rest()
    await world.assert_books_agree()
