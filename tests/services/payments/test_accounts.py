"""Which account serves a channel, what fewer abilities of it mean for orders, and refunds that cannot be made."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta

import grpc
import pytest
import pytest_asyncio

from kit import rpc
from kit.db import AsyncEngine
from kit.errors import FailedPrecondition, NotFound
from kit.feed import Bell
from kit.times import now
from kit.values.ids import new_id
from oms.payments.v1.payments_service_pb2_grpc import add_PaymentsServiceServicer_to_server
from services.payments.commands import Part, SendLink
from services.payments.domain.model import Means, MeansKind, Operation, State, Status
from services.payments.domain.policies import Policies
from services.payments.domain.stored_value import InstrumentKind
from services.payments.domain.tasks import Resolution
from services.payments.providers import Provider
from services.payments.rpc import PaymentsRpc
from services.payments.service import PaymentsService
from services.payments.stored_value import Steer, StoredValueService
from services.payments.stored_value_codes import CodeBook
from tests.services.payments.at_provider import account
from tests.services.payments.test_later import hear, tasks
from tests.services.payments.world import World, authorize, change, move, token, unwind
from tests.simulators.payment_provider import RunningProvider
from workflows.activities.payments import PaymentActivities
from workflows.messages import Amount, MoneyRequest, RefundAnswer

# "web" is served by the basic account; what fails for good there, or at "app", becomes a credit note.
POLICIES = Policies("stripe", {"web": "basic"}, {"web": ["*"], "app": ["stripe"]})
CLOSED = "expired_or_canceled_card"


@pytest_asyncio.fixture
async def world(payments_db: AsyncEngine, provider: RunningProvider) -> AsyncIterator[World]:
    """Both accounts of the provider."""
    async with account(provider.url) as full, account(provider.url, "basic") as basic:
        providers: dict[str, Provider] = {"stripe": full, "basic": basic}

        def at(clock: object = now) -> PaymentsService:
            return PaymentsService(payments_db, Bell(), providers, "stripe", clock, policies=POLICIES)  # type: ignore[arg-type]

        yield World(payments_db, provider, at(), at(), at)


@pytest.fixture
def notes(payments_db: AsyncEngine) -> StoredValueService:
    return StoredValueService(payments_db, Bell(), CodeBook("a key of tests"))


def in_days(world: World, days: float) -> PaymentsService:
    at = now() + timedelta(days=days)
    service: PaymentsService = world.at(lambda: at)
    return service


# -- accounts -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("channel", "name"), [("web", "basic"), ("app", "stripe"), ("", "stripe")])
async def test_a_channel_is_served_by_its_account(world: World, channel: str, name: str) -> None:
    paid = await world.service.authorize(replace(authorize(world.order_id), channel_id=channel))
    assert (paid.payment.status, paid.payment.tenders[0].provider) == (Status.AUTHORIZED, name)
    await world.service.capture(move(world.order_id, 10_000))
    await world.service.refund(move(world.order_id, 3_000))
    await world.assert_books_agree()
    assert (await world.service.checking.compare([world.order_id])).differences == []


async def test_an_account_of_one_capture_and_no_kept_means_says_what_is_still_due(world: World) -> None:
    await world.service.authorize(replace(authorize(world.order_id), save_means=True))
    assert not (await world.tender()).saved_means
    await world.service.capture(move(world.order_id, 4_000))
    await world.service.resolve_unknown(now())
    payment = (await world.service.get_payment(world.order_id)).payment
    assert (payment.status, payment.tenders[0].lapsed) == (Status.EXPIRED, 6_000)
    ended = await world.service.capture(move(world.order_id, 6_000))
    assert (ended.state, ended.failure_code) == (State.FAILED, "authorisation_ended")
    await world.service.unwind(unwind(world.order_id))
    assert (await world.service.unwind(unwind(world.order_id)))[1]
    await world.assert_books_agree()


async def test_an_authorisation_of_seven_days_ends_though_it_was_needed_longer(world: World) -> None:
    until = now() + timedelta(days=20)
    await world.service.authorize(replace(authorize(world.order_id), needed_until=until))
    ends = (await world.tender()).expires_at
    assert ends is not None
    assert ends - now() < timedelta(days=7, minutes=1)


async def test_without_increments_and_kept_means_more_is_paid_by_what_is_brought(world: World) -> None:
    await world.pay()
    declined = await world.service.change_amount(change(world.order_id, 12_000))
    assert (declined.status, declined.decline_code) == (Status.DECLINED, "no_means_for_more")
    brought = await world.service.change_amount(change(world.order_id, 12_000, means=token("pm_card_amex")))
    assert brought.status is Status.AUTHORIZED
    assert (await world.service.change_amount(change(world.order_id, 11_000))).status is Status.AUTHORIZED
    await world.service.capture(move(world.order_id, 11_000))
    await world.assert_books_agree()


async def test_an_account_that_keeps_nothing_declines_to(world: World) -> None:
    declined = await world.service.save_means(authorize(world.order_id))
    assert (declined.payment.status, declined.operations[0].failure_code) == (Status.DECLINED, "means_not_saved")


async def test_a_link_is_paid_at_an_account_that_has_a_page(world: World) -> None:
    await world.pay(means="pm_card_visa_chargeDeclined")
    link = await world.service.send_link(SendLink(f"{world.order_id}/link", world.order_id, 86_400))
    assert link.provider == "stripe"
    basic_only = Policies("basic")
    async with account(world.provider.url, "basic") as basic:
        service = PaymentsService(world.engine, Bell(), {"basic": basic}, "basic", policies=basic_only)
        part = Part(Means(MeansKind.PAYMENT_LINK, ""), expires_at=now() + timedelta(days=1))
        with pytest.raises(FailedPrecondition) as refused:
            await service.authorize(replace(authorize(new_id("ord")), tenders=[part]))
    assert (refused.value.reason, refused.value.facts["account"]) == ("LINKS_NOT_SUPPORTED", "basic")


@pytest.mark.parametrize(("minor", "code"), [(49, "amount_too_small"), (100_000_000, "amount_too_large")])
async def test_what_the_account_does_not_take_is_declined_without_asking(
    world: World, minor: int, code: str
) -> None:
    declined = await world.service.authorize(authorize(world.order_id, minor))
    assert (declined.payment.status, declined.operations[0].failure_code) == (Status.DECLINED, code)
    assert world.provider.books(world.order_id) == []


# -- refunds that cannot be -----------------------------------------------------------------------------------


async def test_after_its_time_a_refund_goes_another_way_without_asking(world: World) -> None:
    await world.pay()
    await world.service.capture(move(world.order_id, 10_000))
    in_time = await in_days(world, 119).refund(move(world.order_id, 1_000))
    assert in_time.state is State.SUCCEEDED
    late = await in_days(world, 121).refund(move(world.order_id, 4_000))
    assert (late.state, late.failure_code) == (State.FAILED, "refund_window_over")
    assert world.provider.book(world.order_id)["refunded"] == 1_000
    assert [(one.reason, one.amount_minor) for one in await tasks(world)] == [("refund_window_over", 4_000)]


@pytest.mark.parametrize("customer", ["", "cus-7"])
async def test_what_fails_for_good_becomes_one_credit_note_of_the_customer(
    world: World, notes: StoredValueService, customer: str
) -> None:
    means = replace(token(), customer_ref=customer)
    await world.service.authorize(replace(authorize(world.order_id, tender=means), channel_id="app"))
    await world.service.capture(move(world.order_id, 10_000))
    reference = await failed_later(world, 4_000)
    await hear(world, reference, seed=3)
    (task,) = await tasks(world)
    assert (task.resolution, task.actor, task.reason) == (Resolution.CREDIT_NOTE, "payments", CLOSED)
    note = await notes.get(task.reference)
    assert (note.terms.kind, note.balance, note.terms.customer_ref) == (
        InstrumentKind.CREDIT_NOTE,
        4_000,
        customer,
    )
    assert note.last_four == "", "nobody has its code until somebody asks for one"
    tender = await world.tender()
    assert (tender.owed, tender.refunded, tender.elsewhere) == (0, 4_000, 4_000)
    types = await world.event_types()
    assert types.count("stored_value.issued") == types.count("task.opened") == types.count("task.resolved") == 1
    assert await world.service.differences() == []
    assert list(await notes.wrong_totals()) == []
    assert (await world.service.checking.compare([world.order_id])).differences == []
    # It pays like any other, once its code was shown.
    _, code = await notes.new_code(Steer(new_id("req"), task.reference, "asked for", "anna"))
    assert (await notes.check(code, "app", customer, "EUR")).available == 4_000


async def test_what_is_refused_for_its_age_becomes_a_credit_note_at_once(
    world: World, notes: StoredValueService
) -> None:
    await world.pay()
    await world.service.capture(move(world.order_id, 10_000))
    await in_days(world, 121).refund(move(world.order_id, 4_000))
    (task,) = await tasks(world)
    assert (await notes.get(task.reference)).balance == 4_000
    assert await world.totals() == (10_000, 10_000, 0, 4_000)


async def test_a_story_is_told_of_a_credit_note_as_of_a_refund(world: World) -> None:
    await world.pay()
    await world.service.capture(move(world.order_id, 10_000))
    server = grpc.aio.server()
    add_PaymentsServiceServicer_to_server(PaymentsRpc(in_days(world, 121)), server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with rpc.connect(f"127.0.0.1:{port}") as channel:
        asked = MoneyRequest("refund/1", world.order_id, "refund/rfd_1", Amount(4_000, "EUR"))
        assert await PaymentActivities(channel).give_back(asked) == RefundAnswer("succeeded")
    await server.stop(None)


@pytest.mark.parametrize("why", ["not chosen", "not for good"])
async def test_a_person_decides_where_nothing_else_was_chosen(
    world: World, notes: StoredValueService, why: str
) -> None:
    channel = "shops" if why == "not chosen" else "app"
    await world.service.authorize(replace(authorize(world.order_id), channel_id=channel))
    await world.service.capture(move(world.order_id, 10_000))
    if why == "not chosen":
        await hear(world, await failed_later(world, 4_000))
    else:
        world.provider.fault("refund", "decline", order_id=world.order_id)
        await world.service.refund(move(world.order_id, 4_000))
    (task,) = await tasks(world)
    assert task.resolution is None
    assert (await world.tender()).owed == 4_000
    with pytest.raises(NotFound):
        await notes.get(task.reference)


async def failed_later(world: World, minor: int) -> str:
    """The provider's refund that the bank of a closed card sends back."""
    done = await world.service.refund(move(world.order_id, minor))
    refund: Operation = done.decisive
    world.provider.conclude_refund(refund.provider_reference, CLOSED)
    return refund.provider_reference
