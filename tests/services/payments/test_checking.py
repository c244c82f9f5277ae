"""Our books against themselves and against the provider's."""

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import text

from kit.errors import InvalidArgument, Unavailable
from kit.times import now
from services.payments.checking import PATIENCE, compared
from services.payments.domain.model import State
from services.payments.providers import Authorisation
from tests.services.payments.world import World, authorize, move

LONG_AGO = now() - timedelta(days=1)


async def test_books_that_agree_are_passed_in_silence(world: World) -> None:
    await world.pay(10_000)
    await world.service.capture(move(world.order_id, 4_000))
    await world.service.refund(move(world.order_id, 1_000))
    page = await world.service.checking.compare_since(LONG_AGO, None, 500)
    assert world.order_id in [one.order_id for one in page.payments]
    assert (page.differences, page.last) == ([], None)
    assert (await world.service.checking.compare_since(now() + timedelta(minutes=1), None, 500)).payments == ()
    checked, found = await world.service.checking.find_differences(now())
    assert (checked > 0, found) == (True, [])


async def test_what_happened_at_the_provider_behind_our_back_is_found(world: World) -> None:
    payment = (await world.pay(10_000)).payment
    await world.service.capture(move(world.order_id, 4_000))
    world.provider.post("/v1/refunds", {"payment_intent": payment.tenders[-1].provider_payment_id, "amount": 500})
    world.provider.post(
        f"/v1/payment_intents/{payment.tenders[-1].provider_payment_id}/capture", {"amount_to_capture": 6_000}
    )
    differences = (await world.service.checking.compare([world.order_id])).differences
    assert list(differences) == list((await world.service.checking.compare_since(LONG_AGO, None, 500)).differences)
    assert {(one.kind, one.expected, one.found) for one in differences} == {
        ("CAPTURED_NOT_AT_PROVIDER", "4000", "10000"),
        ("REFUNDED_NOT_AT_PROVIDER", "0", "500"),
        ("AUTHORISATION_ENDED", "6000 held", "nothing held"),
    }


async def test_the_payments_of_a_page_are_asked_for_together(world: World) -> None:
    order_ids = [f"{world.order_id}-{number}" for number in range(5)]
    for order_id in order_ids:
        await world.service.authorize(authorize(order_id))
        # Who asks for one of them by itself gets no answer.
        world.provider.fault("retrieve", "down", order_id=order_id)
    seen, after = list[str](), None
    while not seen or after:
        page = await world.service.checking.compare_since(LONG_AGO, after, 2)
        assert page.differences == []
        seen += [one.order_id for one in page.payments]
        after = page.last
    assert seen == order_ids


async def test_a_payment_that_was_made_at_another_time_is_asked_for_by_itself(world: World) -> None:
    await world.pay(10_000)
    async with world.engine.begin() as tx:
        await tx.execute(text("UPDATE operation SET intended_at = intended_at - interval '1 hour'"))
    assert (await world.service.checking.compare_since(LONG_AGO, None, 500)).differences == []
    world.provider.fault("retrieve", "down", order_id=world.order_id)
    with pytest.raises(Unavailable, match="PROVIDER_UNAVAILABLE"):
        await world.service.checking.compare_since(LONG_AGO, None, 500)


async def test_a_payment_that_the_provider_does_not_know_is_found(world: World) -> None:
    (tender,) = (await world.pay(10_000)).payment.tenders
    assert [one.kind for one in compared(tender, None)] == ["UNKNOWN_TO_PROVIDER"]
    truth = Authorisation(tender.provider_payment_id, "", None, False, 0, 0)
    assert compared(tender, truth) == []
    assert [one.kind for one in compared(replace(tender, captured=1), truth)] == ["CAPTURED_NOT_AT_PROVIDER"]


async def test_a_payment_that_is_being_worked_on_is_passed_over(world: World) -> None:
    world.provider.fault("create", "timeout_after_success", order_id=world.order_id)
    await world.hasty.authorize(authorize(world.order_id))
    statement = await world.service.get_payment(world.order_id)
    assert statement.operations[0].state is State.UNKNOWN
    assert (await world.service.checking.compare([world.order_id])).differences == []
    # One that nobody could resolve in all that time is told.
    _, early = await world.service.checking.find_differences(now())
    _, late = await world.service.checking.find_differences(now() + PATIENCE + timedelta(seconds=1))
    mine = [one for one in late if one.order_id == world.order_id]
    assert world.order_id not in {one.order_id for one in early}
    assert [(one.kind, one.found) for one in mine] == [("OPERATION_UNRESOLVED", "unknown")]


async def test_a_total_that_is_not_the_ledgers_is_found(world: World) -> None:
    await world.pay(10_000)
    async with world.engine.begin() as tx:
        values = {"id": world.order_id}
        await tx.execute(text("UPDATE tender SET authorized = authorized + 7 WHERE order_id = :id"), values)
    _, found = await world.service.checking.find_differences(now())
    assert [
        (one.kind, one.subject, one.expected, one.found) for one in found if one.order_id == world.order_id
    ] == [("TOTAL_NOT_LEDGER", f"{(await world.tender()).tender_id} authorized", "10000", "10007")]


async def test_a_provider_that_is_down_is_not_taken_for_one_that_agrees(world: World) -> None:
    await world.pay(10_000)
    world.provider.fault("retrieve", "down", order_id=world.order_id)
    with pytest.raises(Unavailable, match="PROVIDER_UNAVAILABLE"):
        await world.service.checking.compare([world.order_id])
    with pytest.raises(InvalidArgument, match="at most 500"):
        await world.service.checking.payments_of(["x"] * 501)
