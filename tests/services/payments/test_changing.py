"""The total of an order changes before it is captured: less is given up, more is raised, or nothing changes."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from kit.errors import Conflict, FailedPrecondition, InvalidArgument, Unavailable
from kit.times import now
from kit.values.money import Money
from services.payments.changing import Change
from services.payments.commands import Settle
from services.payments.domain.links import LinkState
from services.payments.domain.model import Means, MeansKind, Status
from tests.services.payments.test_provider_events import post
from tests.services.payments.test_tenders import by_tender, held
from tests.services.payments.world import World, authorize, change, move, token, unwind

LINK = Means(MeansKind.PAYMENT_LINK, "")
NO_INCREMENT = "pm_card_visa_noIncrement"
LOSSES = ["down", "error_500", "error_500_after_success"]


async def pay(world: World, means: str = "pm_card_visa", *, save: bool = False) -> None:
    asked = replace(authorize(world.order_id, tender=token(means)), save_means=save)
    assert (await world.service.authorize(asked)).payment.status is Status.AUTHORIZED


async def to(world: World, minor: int, means: Means | None = None) -> Change:
    until = now() + timedelta(days=2) if means == LINK else None
    return await world.service.change_amount(change(world.order_id, minor, means=means, until=until))


async def capturable(world: World) -> int:
    return (await world.service.get_payment(world.order_id)).payment.uncaptured


# -- less -------------------------------------------------------------------------------------------------------


async def test_less_is_captured_of_what_costs_less(world: World) -> None:
    await pay(world)
    assert (await to(world, 7_000)).status is Status.AUTHORIZED
    assert await by_tender(world) == [(10_000, 0, 3_000, 0)]
    with pytest.raises(FailedPrecondition) as refused:
        await world.service.capture(move(world.order_id, 7_001))
    assert refused.value.reason == "CAPTURE_EXCEEDS_AUTHORISATION"
    await world.service.capture(move(world.order_id, 7_000))
    assert await held(world) == [0]
    await world.assert_books_agree()


async def test_what_was_captured_stays_and_the_rest_is_let_go(world: World) -> None:
    await pay(world)
    await world.service.capture(move(world.order_id, 4_000))
    await world.service.refund(move(world.order_id, 1_000))
    with pytest.raises(FailedPrecondition) as refused:
        await to(world, 3_999)
    assert (refused.value.reason, refused.value.facts["captured_minor"]) == ("TOTAL_BELOW_CAPTURE", 4_000)
    assert (await to(world, 4_000)).status is Status.AUTHORIZED
    assert await by_tender(world) == [(10_000, 4_000, 6_000, 1_000)]
    assert await held(world) == [0]
    await world.assert_books_agree()


async def test_an_order_that_comes_to_nothing_holds_nothing(world: World) -> None:
    await pay(world)
    await to(world, 0)
    assert await held(world) == [0]
    assert (await world.service.get_payment(world.order_id)).payment.status is Status.CLOSED
    await world.assert_books_agree()


async def test_what_a_provider_let_go_of_is_needed_less_first(world: World) -> None:
    await pay(world, "pm_card_visa_singleCapture")
    await world.service.capture(move(world.order_id, 4_000))
    change = await to(world, 5_000)
    assert (change.status, list(change.operations)) == (Status.AUTHORIZED, [])
    tender = await world.tender()
    assert (tender.status, tender.lapsed) == (Status.EXPIRED, 1_000)


# -- more -------------------------------------------------------------------------------------------------------


async def test_more_is_authorised_on_the_same_authorisation(world: World) -> None:
    await pay(world)
    assert (await to(world, 12_500)).status is Status.AUTHORIZED
    assert await by_tender(world) == [(12_500, 0, 0, 0)]
    assert await held(world) == [12_500]
    await world.service.capture(move(world.order_id, 12_500))
    await world.assert_books_agree()


async def test_what_was_given_up_in_part_is_taken_back_without_asking_anybody(world: World) -> None:
    await pay(world)
    await to(world, 6_000)
    world.provider.fault("increment", "decline", order_id=world.order_id)
    assert (await to(world, 9_000)).status is Status.AUTHORIZED
    assert await held(world) == [10_000], "nobody was asked"
    assert await capturable(world) == 9_000
    await world.assert_books_agree()


async def test_a_raise_asks_for_no_more_than_is_needed_in_all(world: World) -> None:
    await pay(world)
    await to(world, 6_000)
    await to(world, 13_000)
    assert await held(world) == [13_000]
    await to(world, 5_000)
    await to(world, 14_000)
    assert (await held(world), await capturable(world)) == ([14_000], 14_000)
    await world.service.capture(move(world.order_id, 14_000))
    await world.assert_books_agree()


@pytest.mark.parametrize("why", ["card", "captured", "too often"])
async def test_what_cannot_be_raised_is_authorised_beside_it_with_kept_means(world: World, why: str) -> None:
    await pay(world, NO_INCREMENT if why == "card" else "pm_card_visa", save=True)
    total = 10_000
    if why == "captured":
        await world.service.capture(move(world.order_id, 4_000))
    if why == "too often":
        for _ in range(10):
            total += 100
            await to(world, total)
    assert (await to(world, total + 2_000)).status is Status.AUTHORIZED
    payment = (await world.service.get_payment(world.order_id)).payment
    first, second = payment.tenders
    assert (second.means.kind, second.authorized, second.superseded) == (MeansKind.SAVED_MEANS, 2_000, False)
    assert (payment.status, first.authorized) == (Status.AUTHORIZED, total)
    await world.service.capture(move(world.order_id, payment.uncaptured))
    await world.assert_books_agree()


@pytest.mark.parametrize("means", ["pm_card_visa", "pm_card_insufficientFundsLater", NO_INCREMENT])
async def test_a_decline_leaves_everything_as_it_was(world: World, means: str) -> None:
    await pay(world, means, save=means != NO_INCREMENT)
    if means == "pm_card_visa":
        world.provider.fault("increment", "decline", order_id=world.order_id)
    if means == "pm_card_insufficientFundsLater":
        await world.service.capture(move(world.order_id, 1_000))
    before = (await world.service.get_payment(world.order_id)).payment
    declined = await to(world, 12_500)
    assert (declined.status, declined.decline_code) == (
        Status.DECLINED,
        {
            "pm_card_visa": "generic_decline",
            "pm_card_insufficientFundsLater": "insufficient_funds",
            NO_INCREMENT: "no_means_for_more",
        }[means],
    )
    after = (await world.service.get_payment(world.order_id)).payment
    assert (after.status, after.tenders[0]) == (before.status, before.tenders[0])
    assert all(one.superseded and not one.authorized for one in after.tenders[1:])
    await world.service.capture(move(world.order_id, before.uncaptured))
    assert await world.event_types() == ["payment.captured"] * (2 if "Later" in means else 1)
    await world.assert_books_agree()


async def test_the_means_that_is_brought_pays_what_cannot_be_had_otherwise(world: World) -> None:
    until = now() + timedelta(days=20)
    await world.service.authorize(
        replace(authorize(world.order_id, tender=token(NO_INCREMENT)), needed_until=until)
    )
    assert (await to(world, 12_500, token("pm_card_visa"))).status is Status.AUTHORIZED
    assert await by_tender(world) == [(10_000, 0, 0, 0), (2_500, 0, 0, 0)]
    ends = (await world.service.get_payment(world.order_id)).payment.tenders[1].expires_at
    assert ends is not None
    assert ends > until, "the order needs it as long as the rest"
    await world.service.capture(move(world.order_id, 12_500))
    await world.assert_books_agree()


@pytest.mark.parametrize("means", ["pm_card_visa", "pm_card_authenticationRequiredLater"])
async def test_what_is_declined_without_the_customer_is_asked_of_the_customer(world: World, means: str) -> None:
    await pay(world, means, save=True)
    if means == "pm_card_visa":
        world.provider.fault("increment", "decline", order_id=world.order_id)
    else:
        await world.service.capture(move(world.order_id, 1_000))
    asked = change(world.order_id, 12_500, means=LINK, until=now() + timedelta(days=2))
    waits, again = await world.service.change_amount(asked), await world.service.change_amount(asked)
    assert waits == again
    assert waits.status is Status.ACTION_REQUIRED
    payment = (await world.service.get_payment(world.order_id)).payment
    assert payment.status is Status.AUTHORIZED, "until it is paid all is as it was"
    await pay_link(world, waits)
    assert (await world.service.change_amount(asked)).status is Status.AUTHORIZED
    assert (await world.event_types())[-1] == "change.authorized"
    assert (await world.events())[-1].subject == f"order/{world.order_id}"
    total = (await world.service.get_payment(world.order_id)).payment
    assert total.captured + total.uncaptured == 12_500
    await world.assert_books_agree()


async def test_strong_authentication_of_a_brought_means_is_an_answer(world: World) -> None:
    await pay(world, NO_INCREMENT)
    asked = change(world.order_id, 12_500, means=token("pm_card_authenticationRequired"))
    waits = await world.service.change_amount(asked)
    assert waits.status is Status.ACTION_REQUIRED
    world.provider.http.post(f"{waits.next_action_url}/refuse")
    refused = await world.service.change_amount(asked)
    assert (refused.status, refused.next_action_url) == (Status.DECLINED, "")
    assert await capturable(world) == 10_000
    await world.assert_books_agree()


async def test_a_link_that_ends_unpaid_is_told_as_a_decline_and_changes_nothing(world: World) -> None:
    await pay(world, NO_INCREMENT)
    await to(world, 12_500, LINK)
    at = now() + timedelta(days=2, minutes=1)
    await world.at(lambda: at).resolve_unknown(now())
    assert await world.event_types() == ["change.declined"]
    assert (await world.service.get_payment(world.order_id)).payment.status is Status.AUTHORIZED
    await world.service.capture(move(world.order_id, 10_000))
    await world.assert_books_agree()


@pytest.mark.parametrize("paid_meanwhile", [False, True])
@pytest.mark.parametrize("by", ["change", "void", "settle", "unwind"])
async def test_what_waits_for_the_customer_is_withdrawn(world: World, by: str, paid_meanwhile: bool) -> None:
    await pay(world, NO_INCREMENT)
    waits = await to(world, 12_500, LINK)
    opened = await world.service.links.open(waits.next_action_url.rpartition("/")[2])
    if paid_meanwhile:
        world.provider.pay_page(opened.url)
    match by:
        case "change":
            assert (await to(world, 9_000)).status is Status.AUTHORIZED
        case "void":
            await world.service.void(move(world.order_id))
        case "settle":
            await world.service.settle(Settle(f"{world.order_id}/settle", world.order_id, Money(9_000, "EUR")))
        case _:
            await world.service.unwind(unwind(world.order_id))
            assert (await world.service.unwind(unwind(world.order_id)))[1]
    await world.rest()
    link = await world.service.links.open(waits.next_action_url.rpartition("/")[2])
    assert link.state is not LinkState.OPEN
    world.provider.pay_page(opened.url)
    await world.rest()
    payment = (await world.service.get_payment(world.order_id)).payment
    kept = {"change": 9_000, "settle": 9_000}.get(by, 0)
    assert payment.uncaptured + payment.captured == kept
    books = world.provider.books(world.order_id)
    assert sum(one["capturable"] for one in books) == (10_000 if by == "change" else 0), "with what was given up"
    assert await world.service.differences() == []


# -- requests, races, lost answers ------------------------------------------------------------------------------


async def test_the_same_total_changes_nothing(world: World) -> None:
    await pay(world)
    assert await to(world, 10_000) == Change(Status.AUTHORIZED)


async def test_paid_by_the_channel_there_is_nothing_to_do(world: World) -> None:
    reference = Means(MeansKind.PAID_BY_CHANNEL, "channel-1")
    await world.service.authorize(authorize(world.order_id, tender=reference))
    assert await to(world, 12_500) == await to(world, 7_000) == Change(Status.PAID_BY_CHANNEL)


async def test_repeated_it_is_done_once_and_other_content_is_a_conflict(world: World) -> None:
    await pay(world)
    asked = change(world.order_id, 12_500, key=f"{world.order_id}/modify")
    assert await world.service.change_amount(asked) == await world.service.change_amount(asked)
    assert await held(world) == [12_500]
    with pytest.raises(Conflict):
        await world.service.change_amount(replace(asked, total=Money(12_600, "EUR")))


@pytest.mark.parametrize("kind", LOSSES)
@pytest.mark.parametrize("how", ["increment", "create"])
async def test_a_raise_whose_answer_is_lost_is_done_once(world: World, how: str, kind: str) -> None:
    await pay(world, "pm_card_visa" if how == "increment" else NO_INCREMENT, save=True)
    world.provider.fault(how, kind, order_id=world.order_id)
    asked = change(world.order_id, 12_500)
    assert (await world.service.change_amount(asked)).status is Status.PENDING
    for other in (
        world.service.change_amount(change(world.order_id, 9_000)),
        world.service.capture(move(world.order_id, 10_000)),
        world.service.void(move(world.order_id)),
    ):
        with pytest.raises(Unavailable) as refused:
            await other
        assert refused.value.reason == "MONEY_IN_FLIGHT"
    world.provider.heal()
    assert (await world.service.change_amount(asked)).status is Status.AUTHORIZED
    assert sum(await held(world)) == 12_500
    await world.assert_books_agree()


async def test_an_order_that_is_undone_is_not_changed(world: World) -> None:
    await pay(world)
    await world.service.unwind(unwind(world.order_id))
    with pytest.raises(FailedPrecondition) as refused:
        await to(world, 12_500)
    assert refused.value.reason == "PAYMENT_CLOSED"


async def test_only_what_is_authorised_is_changed(world: World) -> None:
    await world.pay(means="pm_card_authenticationRequired")
    with pytest.raises(FailedPrecondition) as refused:
        await to(world, 12_500)
    assert (refused.value.reason, refused.value.facts["status"]) == ("PAYMENT_NOT_AUTHORIZED", "action_required")


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        (change("ord_1", -1), "total.amount_minor"),
        (change("", 1), "order_id"),
        (change("ord_1", 1, means=Means(MeansKind.PAID_BY_CHANNEL, "x")), "means"),
        (change("ord_1", 1, means=token("")), "means.payment_method_token"),
        (change("ord_1", 1, means=Means(MeansKind.CASH, "r")), "means.cash.point_id"),
    ],
)
async def test_what_is_wrong_is_named(world: World, asked: object, field: str) -> None:
    with pytest.raises(InvalidArgument) as refused:
        await world.service.change_amount(asked)  # type: ignore[arg-type]
    assert refused.value.facts["field"] == field


async def test_changed_by_many_at_once_it_comes_to_one_of_their_totals(world: World) -> None:
    await pay(world, save=True)
    totals = [7_000, 12_000, 9_000, 15_000]
    await asyncio.gather(*(to(world, total) for total in totals), return_exceptions=True)
    await world.rest()
    assert await capturable(world) in totals
    await world.service.capture(move(world.order_id, await capturable(world)))
    await world.assert_books_agree()


async def pay_link(world: World, waits: Change) -> None:
    """The customer does, and the provider tells."""
    opened = await world.service.links.open(waits.next_action_url.rpartition("/")[2])
    assert world.provider.pay_page(opened.url).status_code == 303
    for event in world.provider.events(world.order_id):
        await post(world, event)
