"""A payment link: opened as often as the customer likes, paid once, over at its end."""

import asyncio
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from kit.errors import FailedPrecondition, InvalidArgument, NotFound, Unavailable
from kit.times import now
from kit.values.money import Money
from services.payments.commands import Part, SendLink
from services.payments.domain.links import LinkState
from services.payments.domain.model import Means, MeansKind, State, Status
from services.payments.domain.movement import Statement
from services.payments.service import PaymentsService
from tests.services.payments.test_provider_events import post
from tests.services.payments.world import World, authorize, move, token, unwind

# The provider's call that makes a page.
PAGE = "checkout"


async def send(world: World, until: timedelta = timedelta(days=3), first: int | None = None) -> Statement:
    """A link for the order, or for the rest of it."""
    link = Part(Means(MeansKind.PAYMENT_LINK, ""), expires_at=now() + until)
    tenders = [link] if first is None else [Part(token(), Money(first, "EUR")), link]
    return await world.service.authorize(replace(authorize(world.order_id), tenders=tenders))


def end_of(sent: Statement) -> str:
    """The token of the link."""
    return sent.payment.tenders[-1].next_action_url.rpartition("/")[2]


def later(world: World, **time: float) -> PaymentsService:
    """The same service, at another time."""
    at = now() + timedelta(**time)
    service: PaymentsService = world.at(lambda: at)
    return service


async def test_what_is_paid_by_a_link_is_authorised_and_told(world: World) -> None:
    sent = await send(world)
    assert (sent.payment.status, sent.operations[0].state) == (Status.ACTION_REQUIRED, State.ACTION_REQUIRED)
    assert sent.payment.tenders[0].next_action_url.startswith("http://127.0.0.1:8080/pay/")
    assert world.provider.books(world.order_id) == [], "nobody has opened it"
    opened = await world.service.links.open(end_of(sent))
    again = await world.service.links.open(end_of(sent))
    assert (opened.state, opened) == (LinkState.OPEN, again)
    assert world.provider.pay_page(opened.url).status_code == 303
    for event in world.provider.events(world.order_id):
        await post(world, event)
    assert (await world.service.get_payment(world.order_id)).payment.status is Status.AUTHORIZED
    assert await world.event_types() == ["payment.authorized"]
    assert (await world.service.links.open(end_of(sent))).state is LinkState.PAID
    await world.service.capture(move(world.order_id, 10_000))
    await world.assert_books_agree()


async def test_opening_it_finds_what_was_paid_when_no_event_came(world: World) -> None:
    sent = await send(world)
    opened = await world.service.links.open(end_of(sent))
    world.provider.pay_page(opened.url)
    assert (await world.service.links.open(end_of(sent))).state is LinkState.PAID
    assert await world.event_types() == ["payment.authorized"]
    await world.assert_books_agree()


async def test_opened_by_many_at_once_it_is_paid_once(world: World) -> None:
    sent = await send(world)
    opened = await asyncio.gather(*(world.service.links.open(end_of(sent)) for _ in range(5)))
    for url in {one.url for one in opened}:
        world.provider.pay_page(url)
    await world.service.links.open(end_of(sent))
    assert sum(book["authorised"] > 0 for book in world.provider.books(world.order_id)) == 1
    await world.assert_books_agree()


async def test_a_page_that_is_over_is_made_anew_while_the_link_lives(world: World) -> None:
    sent = await send(world)
    first = await world.service.links.open(end_of(sent))
    page = (await world.tender()).provider_payment_id
    world.provider.post(f"/v1/checkout/sessions/{page}/expire", {})
    for event in [*world.provider.events(world.order_id), *world.provider.events_about(page)]:
        await post(world, event)
    second = await world.service.links.open(end_of(sent))
    assert (second.state, second.url != first.url) == (LinkState.OPEN, True)
    world.provider.pay_page(second.url)
    assert (await world.service.links.open(end_of(sent))).state is LinkState.PAID
    await world.assert_books_agree()


@pytest.mark.parametrize("opened", [False, True])
async def test_at_its_end_it_cannot_be_paid_and_the_order_is_told(world: World, opened: bool) -> None:
    sent = await send(world)
    url = (await world.service.links.open(end_of(sent))).url if opened else ""
    after = later(world, days=3, seconds=1)
    assert (await after.links.open(end_of(sent))).state is LinkState.EXPIRED
    await after.resolve_unknown(now())
    payment = (await world.service.get_payment(world.order_id)).payment
    assert (payment.status, payment.tenders[0].decline_code) == (Status.DECLINED, "payment_link_expired")
    assert await world.event_types() == ["payment.declined"]
    if opened:
        world.provider.pay_page(url)
    assert (await after.links.open(end_of(sent))).state is LinkState.EXPIRED
    assert sum(book["capturable"] for book in world.provider.books(world.order_id)) == 0


async def test_paid_at_the_last_moment_it_is_paid(world: World) -> None:
    sent = await send(world)
    world.provider.pay_page((await world.service.links.open(end_of(sent))).url)
    await later(world, days=3, seconds=1).resolve_unknown(now())
    assert (await world.service.get_payment(world.order_id)).payment.status is Status.AUTHORIZED
    await world.assert_books_agree()


async def test_of_an_order_that_is_undone_it_is_cancelled(world: World) -> None:
    sent = await send(world, first=4_000)
    url = (await world.service.links.open(end_of(sent))).url
    _, done = await world.service.unwind(unwind(world.order_id))
    assert done
    assert (await world.service.links.open(end_of(sent))).state is LinkState.CANCELLED
    world.provider.pay_page(url)
    assert sum(book["capturable"] for book in world.provider.books(world.order_id)) == 0
    await world.assert_books_agree()


@pytest.mark.parametrize("fault", ["down", "error_500_after_success"])
async def test_a_page_whose_answer_was_lost_is_made_anew(world: World, fault: str) -> None:
    sent = await send(world)
    world.provider.fault(PAGE, fault, order_id=world.order_id)
    opened = await world.service.links.open(end_of(sent))
    world.provider.pay_page(opened.url)
    assert (await world.service.links.open(end_of(sent))).state is LinkState.PAID
    assert sum(book["authorised"] > 0 for book in world.provider.books(world.order_id)) == 1


async def test_while_the_provider_is_down_there_is_no_page(world: World) -> None:
    sent = await send(world)
    world.provider.fault(PAGE, "down", count=3, order_id=world.order_id)
    with pytest.raises(Unavailable) as refusal:
        await world.service.links.open(end_of(sent))
    assert refusal.value.reason == "PROVIDER_UNAVAILABLE"
    assert (await world.service.links.open(end_of(sent))).state is LinkState.OPEN


async def test_a_link_is_sent_for_what_ended_before_it_was_captured(world: World) -> None:
    await world.pay(10_000, means="pm_card_visa_singleCapture")
    await world.service.capture(move(world.order_id, 4_000))
    asked = SendLink(f"{world.order_id}/link", world.order_id, 3_600, "payment link", "anna")
    tender = await world.service.send_link(asked)
    assert (tender.amount, await world.service.send_link(asked)) == (6_000, tender)
    token_of_link = tender.next_action_url.rpartition("/")[2]
    world.provider.pay_page((await world.service.links.open(token_of_link)).url)
    assert (await world.service.links.open(token_of_link)).state is LinkState.PAID
    assert (await world.service.capture(move(world.order_id, 6_000))).state is State.SUCCEEDED
    assert (await world.totals())[1] == 10_000
    await world.assert_books_agree()
    with pytest.raises(FailedPrecondition) as refusal:
        await world.service.send_link(replace(asked, request_id="another"))
    assert refusal.value.reason == "PAYMENT_EXISTS"


async def test_after_a_link_has_ended_another_asks_for_the_same(world: World) -> None:
    await send(world)
    await later(world, days=3, seconds=1).resolve_unknown(now())
    tender = await world.service.send_link(SendLink(f"{world.order_id}/2", world.order_id, 3_600))
    assert (tender.amount, tender.status) == (10_000, Status.ACTION_REQUIRED)


@pytest.mark.parametrize("until", [timedelta(minutes=4), timedelta(days=61), timedelta(days=-1)])
async def test_a_link_has_an_end(world: World, until: timedelta) -> None:
    with pytest.raises(InvalidArgument) as refusal:
        await send(world, until)
    assert refusal.value.facts["field"] == "tenders[0].payment_link.expires_at"
    with pytest.raises(NotFound) as unknown:
        await world.service.links.open("no-such-token")
    assert unknown.value.reason == "LINK_NOT_FOUND"


async def test_asked_for_again_it_is_the_same_link(world: World) -> None:
    end: datetime = now() + timedelta(days=1)
    link = Part(Means(MeansKind.PAYMENT_LINK, ""), expires_at=end)
    asked = replace(authorize(world.order_id), tenders=[link])
    assert end_of(await world.service.authorize(asked)) == end_of(await world.service.authorize(asked))
