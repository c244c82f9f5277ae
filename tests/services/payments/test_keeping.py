"""Means that are kept at placement, charged before the release without the customer, and forgotten at the end."""

from dataclasses import replace
from datetime import timedelta

import pytest

from kit.errors import FailedPrecondition, InvalidArgument
from kit.feed import Bell
from kit.times import now
from services.payments.commands import Authorize, Part, SendLink
from services.payments.domain.model import Kind, Means, MeansKind, State, Status
from services.payments.domain.movement import Statement
from services.payments.history import History
from services.payments.service import PaymentsService
from tests.services.payments.conftest import stripe_at
from tests.services.payments.test_provider_events import post
from tests.services.payments.world import World, authorize, change, move, token, unwind

LOSSES = ["down", "error_500", "error_500_after_success"]
ASKS = "pm_card_authenticationRequiredOnSetup"


def saving(world: World, means: str = "pm_card_visa") -> Authorize:
    return authorize(world.order_id, tender=token(means), key=f"{world.order_id}/save")


async def save(world: World, means: str = "pm_card_visa") -> Statement:
    return await world.service.save_means(saving(world, means))


def later(world: World, minor: int = 10_000, key: str = "release") -> Authorize:
    """What the order comes to, with what was kept."""
    return replace(authorize(world.order_id, minor, key=f"{world.order_id}/{key}"), tenders=())


def in_hours(world: World, hours: float) -> PaymentsService:
    at = now() + timedelta(hours=hours)
    service: PaymentsService = world.at(lambda: at)
    return service


async def kept(world: World) -> set[str]:
    """What of the order's means the provider could still charge."""
    tenders = (await world.service.get_payment(world.order_id)).payment.tenders
    references = [one.means.reference for one in tenders if one.means.kind is MeansKind.SAVED_MEANS]
    return {*(one.saved_means for one in tenders), *references} - {""}


@pytest.mark.parametrize(
    ("days", "status", "kind"), [(5, Status.AUTHORIZED, Kind.AUTHORIZE), (20, Status.SAVED, Kind.SAVE_MEANS)]
)
async def test_what_an_authorisation_outlasts_is_authorised_at_once(
    world: World, days: int, status: Status, kind: Kind
) -> None:
    asked = replace(saving(world), needed_until=now() + timedelta(days=days))
    answer = await world.service.save_means(asked)
    assert (answer.payment.status, answer.operations[0].kind) == (status, kind)
    assert answer.payment.tenders[0].saved_means, "it may be charged again"
    again = await world.service.save_means(replace(asked, needed_until=now() + timedelta(days=90)))
    assert again.operations == answer.operations, "the same request is answered as it was"


async def test_kept_at_placement_it_is_authorised_before_the_release(world: World) -> None:
    saved = await save(world)
    assert (saved.payment.status, saved.operations[0].kind) == (Status.SAVED, Kind.SAVE_MEANS)
    assert saved.payment.tenders[0].means.reference == "", "the token is forgotten"
    assert world.provider.books(world.order_id) == [], "nothing is held"
    until = now() + timedelta(days=20)
    paid = await world.service.authorize(replace(later(world, 9_000), needed_until=until))
    assert paid.payment.status is Status.AUTHORIZED
    first, second = paid.payment.tenders
    assert (first.superseded, second.means.kind) == (True, MeansKind.SAVED_MEANS)
    assert second.expires_at is not None
    assert second.expires_at > now() + timedelta(days=20), "it was asked to hold as long as it is needed"
    await world.service.capture(move(world.order_id, 9_000))
    assert await world.service.differences() == []
    assert [one for one in await world.event_types() if one != "payment.captured"] == []


async def test_keeping_means_moves_no_money_in_any_book(world: World) -> None:
    await save(world)
    tomorrow = now().replace(hour=1, minute=0) + timedelta(days=1)
    await History(world.engine, lambda: tomorrow).sum_ended_days()
    assert (await world.service.checking.find_differences(now()))[1] == []
    assert (await world.service.checking.compare([world.order_id])).differences == []
    assert await world.totals() == (0, 0, 0, 0)


async def test_a_decline_is_an_answer_and_is_asked_again_or_paid_by_a_link(world: World) -> None:
    await save(world)
    world.provider.fault("create", "decline", order_id=world.order_id)
    declined = await world.service.authorize(later(world))
    assert declined.payment.status is Status.DECLINED
    assert (await world.service.authorize(later(world))).payment.status is Status.DECLINED, "the same request"
    world.provider.fault("create", "decline", order_id=world.order_id)
    await world.service.authorize(later(world, key="again"))
    link = await world.service.send_link(SendLink(f"{world.order_id}/link", world.order_id, 86_400))
    assert link.amount == 10_000
    await world.service.unwind(unwind(world.order_id))
    assert (await world.service.unwind(unwind(world.order_id)))[1]


async def test_the_bank_may_want_the_customer_back(world: World) -> None:
    await save(world, "pm_card_authenticationRequiredLater")
    declined = (await world.service.authorize(later(world))).payment
    assert (declined.status, declined.tenders[-1].decline_code) == (Status.DECLINED, "authentication_required")
    paid = await world.service.authorize(later(world, key="again"))
    assert paid.payment.status is Status.DECLINED
    paid = await world.service.authorize(authorize(world.order_id, key=f"{world.order_id}/other card"))
    assert paid.payment.status is Status.AUTHORIZED


@pytest.mark.parametrize("choice", ["approve", "refuse"])
async def test_saving_may_ask_the_customer_and_the_order_is_told(world: World, choice: str) -> None:
    asked = await save(world, ASKS)
    assert asked.payment.status is Status.ACTION_REQUIRED
    tender = asked.payment.tenders[0]
    world.provider.http.post(f"{tender.next_action_url}/{choice}")
    for event in world.provider.events_about(tender.provider_payment_id):
        await post(world, event)
    payment = (await world.service.get_payment(world.order_id)).payment
    assert payment.status is (Status.SAVED if choice == "approve" else Status.DECLINED)
    (event,) = await world.events()
    assert event.type == f"oms.payments.payment.{'saved' if choice == 'approve' else 'declined'}"
    assert event.subject == f"order/{world.order_id}"


@pytest.mark.parametrize("kind", LOSSES)
async def test_a_saving_whose_answer_is_lost_is_done_once(world: World, kind: str) -> None:
    world.provider.fault("setup", kind, order_id=world.order_id)
    assert (await save(world)).payment.status is Status.PENDING
    world.provider.heal()
    saved = await save(world)
    assert (saved.payment.status, len(saved.payment.tenders)) == (Status.SAVED, 1)
    assert (await world.service.authorize(later(world))).payment.status is Status.AUTHORIZED


async def test_what_waits_to_be_saved_is_withdrawn_when_the_order_is_undone(world: World) -> None:
    asked = await save(world, ASKS)
    await world.service.unwind(unwind(world.order_id))
    assert (await world.service.unwind(unwind(world.order_id)))[1]
    world.provider.http.post(f"{asked.payment.tenders[0].next_action_url}/approve")
    await world.rest()
    assert await kept(world) == set()


async def test_a_change_of_the_total_has_nothing_to_do_before_it_is_authorised(world: World) -> None:
    await save(world)
    assert (await world.service.change_amount(change(world.order_id, 12_000))).status is Status.SAVED
    await world.service.authorize(later(world, 12_000))
    assert (await world.service.change_amount(change(world.order_id, 13_000))).status is Status.AUTHORIZED
    assert world.provider.book(world.order_id)["capturable"] == 13_000


async def test_without_means_and_with_nothing_kept_nothing_is_authorised(world: World) -> None:
    with pytest.raises(InvalidArgument) as refused:
        await world.service.authorize(later(world))
    assert refused.value.facts["field"] == "tender"
    await world.pay(means="pm_card_visa_chargeDeclined")
    with pytest.raises(InvalidArgument):
        await world.service.authorize(later(world))


async def test_an_order_that_is_authorised_is_not_saved(world: World) -> None:
    await world.pay()
    with pytest.raises(FailedPrecondition) as refused:
        await save(world)
    assert refused.value.reason == "PAYMENT_EXISTS"


@pytest.mark.parametrize("kind", [MeansKind.CASH, MeansKind.STORED_VALUE, MeansKind.PAID_BY_CHANNEL])
async def test_only_a_token_is_kept(world: World, kind: MeansKind) -> None:
    with pytest.raises(InvalidArgument) as refused:
        await world.service.save_means(replace(saving(world), tenders=[Part(Means(kind, "x"))]))
    assert refused.value.facts["field"] == "tender"


async def test_a_card_that_cannot_be_kept_is_a_decline(world: World) -> None:
    declined = await save(world, "pm_card_chargeDeclinedLostCard")
    assert (declined.payment.status, declined.operations[0].state) == (Status.DECLINED, State.FAILED)
    assert (await world.service.authorize(authorize(world.order_id))).payment.status is Status.AUTHORIZED


async def test_what_was_kept_is_forgotten_when_the_order_is_undone(world: World) -> None:
    await save(world)
    assert await world.service.keeping.forget_means() == 0
    await world.service.unwind(unwind(world.order_id))
    (reference,) = await kept(world)
    nobody = stripe_at("http://127.0.0.1:9", 1)
    await PaymentsService(world.engine, Bell(), {"stripe": nobody}, "stripe").keeping.forget_means()
    await nobody.close()
    assert await kept(world) == {reference}, "the provider did not answer"
    await world.service.keeping.forget_means()
    assert await kept(world) == set()
    asked = authorize(f"{world.order_id}-2", tender=Means(MeansKind.SAVED_MEANS, reference))
    assert (await world.service.authorize(asked)).payment.status is Status.DECLINED, "nobody can charge it"


@pytest.mark.parametrize("how", ["saved", "paid"])
async def test_what_was_kept_is_forgotten_a_day_after_all_was_taken(world: World, how: str) -> None:
    if how == "saved":
        await save(world)
        await world.service.authorize(later(world))
    else:
        await world.service.authorize(replace(authorize(world.order_id), save_means=True))
    await world.service.capture(move(world.order_id, 4_000))
    assert await in_hours(world, 48).keeping.forget_means() == 0, "some is still to be taken"
    await world.service.capture(move(world.order_id, 6_000))
    assert await in_hours(world, 23).keeping.forget_means() == 0
    assert await kept(world)
    assert await in_hours(world, 25).keeping.forget_means() >= 1
    assert await kept(world) == set()
    assert await in_hours(world, 25).keeping.forget_means() == 0
    assert (await world.service.refund(move(world.order_id, 1_000))).state is State.SUCCEEDED
    assert await world.service.differences() == []
