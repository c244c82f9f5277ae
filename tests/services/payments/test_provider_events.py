"""What the provider posts: verified, taken once, and never believed over the provider itself."""

import asyncio
import json
import time
from typing import Any

import pytest

from kit.errors import InvalidArgument, Unauthenticated, Unavailable
from services.payments.domain.model import State, Status
from simulators.payment_provider.webhooks import sign
from tests.services.payments.world import World, authorize, move
from tests.simulators.payment_provider import WEBHOOK_SECRET

THREE_D_SECURE = "pm_card_authenticationRequired"


async def post(world: World, event: dict[str, Any]) -> bool:
    payload = json.dumps(event)
    signature = sign(payload, WEBHOOK_SECRET, int(time.time()))
    return await world.service.receive_provider_event("stripe", payload.encode(), signature)


async def status(world: World) -> Status:
    return (await world.service.get_payment(world.order_id)).payment.status


async def test_strong_authentication_is_an_answer_with_its_address(world: World) -> None:
    statement = await world.pay(means=THREE_D_SECURE)
    payment = statement.payment
    assert payment.status is Status.ACTION_REQUIRED
    assert (
        payment.tenders[-1].next_action_url
        == f"{world.provider.url}/3ds/{payment.tenders[-1].provider_payment_id}"
    )
    assert statement.operations[0].state is State.ACTION_REQUIRED
    assert world.provider.http.get(payment.tenders[-1].next_action_url).status_code == 200
    assert await world.totals() == (0, 0, 0, 0)


async def test_when_the_customer_approves_the_event_authorises_and_tells_the_order(world: World) -> None:
    await world.pay(means=THREE_D_SECURE)
    world.provider.act(world.order_id, "approve")
    asked, approved = world.provider.events(world.order_id)
    assert approved["type"] == "payment_intent.amount_capturable_updated"
    assert await post(world, approved) is False
    assert await status(world) is Status.AUTHORIZED
    (event,) = await world.events()
    assert (event.type, event.subject) == ("oms.payments.payment.authorized", f"order/{world.order_id}")
    assert {name: event.data[name] for name in ("order_id", "channel_id", "status")} == {
        "order_id": world.order_id,
        "channel_id": "web",
        "status": "authorized",
    }
    assert (event.data["amount_minor"], event.data["currency"]) == (10_000, "EUR")
    # Late and out of order: the news of before changes nothing.
    assert await post(world, asked) is False
    assert await status(world) is Status.AUTHORIZED
    await world.service.capture(move(world.order_id, 10_000))
    await world.assert_books_agree()


async def test_when_the_customer_refuses_the_event_declines_and_tells_the_order(world: World) -> None:
    await world.pay(means=THREE_D_SECURE)
    world.provider.act(world.order_id, "refuse")
    await post(world, world.provider.events(world.order_id)[-1])
    assert await status(world) is Status.DECLINED
    (event,) = await world.events()
    assert (event.type, event.subject) == ("oms.payments.payment.declined", f"order/{world.order_id}")
    assert event.data["decline_code"] == "payment_intent_authentication_failure"


async def test_an_event_is_taken_once(world: World) -> None:
    await world.pay(means=THREE_D_SECURE)
    world.provider.act(world.order_id, "approve")
    event = world.provider.events(world.order_id)[-1]
    answers = await asyncio.gather(*(post(world, event) for _ in range(8)))
    assert answers.count(False) == 1
    assert await post(world, event) is True
    assert await world.event_types() == ["payment.authorized"]


async def test_events_in_any_order_end_in_the_provider_s_truth(world: World) -> None:
    await world.pay(means=THREE_D_SECURE)
    world.provider.act(world.order_id, "approve")
    for event in reversed(world.provider.events(world.order_id)):
        await post(world, event)
    assert await status(world) is Status.AUTHORIZED
    assert await world.event_types() == ["payment.authorized"]


async def test_an_event_may_bring_the_answer_that_was_lost(world: World) -> None:
    world.provider.fault("create", "timeout_after_success", order_id=world.order_id)
    await world.hasty.authorize(authorize(world.order_id))
    assert await status(world) is Status.PENDING
    await post(world, world.provider.events(world.order_id)[-1])
    assert await status(world) is Status.AUTHORIZED
    await world.assert_books_agree()


async def test_asking_again_finds_that_the_customer_approved_without_any_event(world: World) -> None:
    await world.pay(means=THREE_D_SECURE)
    world.provider.act(world.order_id, "approve")
    again = await world.pay(means=THREE_D_SECURE)
    assert again.payment.status is Status.AUTHORIZED


async def test_an_authorisation_that_the_provider_ended_is_void(world: World) -> None:
    payment = (await world.pay(10_000)).payment
    await world.service.capture(move(world.order_id, 1_000))
    world.provider.post(f"/v1/payment_intents/{payment.tenders[-1].provider_payment_id}/cancel", {})
    await post(world, world.provider.events(world.order_id)[-1])
    assert await world.totals() == (10_000, 1_000, 9_000, 0)
    statement = await world.service.get_payment(world.order_id)
    assert statement.operations[-1].cause == "provider/ended"
    await world.assert_books_agree()


async def test_events_of_our_own_acts_change_nothing(world: World) -> None:
    await world.pay(10_000)
    await world.service.capture(move(world.order_id, 4_000))
    await world.service.void(move(world.order_id))
    await world.service.refund(move(world.order_id, 1_000))
    before = await world.service.get_payment(world.order_id)
    for event in world.provider.events(world.order_id):
        assert await post(world, event) is False
    assert await world.service.get_payment(world.order_id) == before


async def test_the_provider_is_not_asked_about_what_is_known(world: World) -> None:
    await world.pay(10_000)
    await world.service.capture(move(world.order_id, 4_000))
    await world.service.void(move(world.order_id))
    world.provider.fault("retrieve", "down", order_id=world.order_id)
    for event in world.provider.events(world.order_id):
        assert await post(world, event) is False
    assert await world.totals() == (10_000, 4_000, 6_000, 0)


async def test_events_of_others_are_taken_calmly(world: World) -> None:
    def event(kind: str, thing: dict[str, Any]) -> dict[str, Any]:
        return {
            "id": f"evt_{kind}_{world.order_id}",
            "object": "event",
            "type": kind,
            "data": {"object": thing},
        }

    assert await post(world, event("payout.paid", {"object": "payout", "id": "po_1"})) is False
    foreign = {"payment_intent": "pi_not_ours", "amount": 100, "currency": "eur", "status": "lost", "reason": "x"}
    assert (
        await post(world, event("charge.dispute.closed", {"object": "dispute", "id": "dp_1", **foreign})) is False
    )
    unknown = {"object": "payment_intent", "id": "pi_not_ours"}
    assert await post(world, event("payment_intent.canceled", unknown)) is False


async def test_a_wrong_signature_is_refused(world: World) -> None:
    payload = json.dumps({"id": "evt_1", "object": "event", "type": "x", "data": {"object": {}}})
    now = int(time.time())
    for signature in (
        "",
        "nonsense",
        sign(payload, "whsec_other", now),
        sign(payload + " ", WEBHOOK_SECRET, now),
        sign(payload, WEBHOOK_SECRET, now - 3_600),
    ):
        with pytest.raises(Unauthenticated) as refusal:
            await world.service.receive_provider_event("stripe", payload.encode(), signature)
        assert refusal.value.reason == "BAD_SIGNATURE"


async def test_what_is_not_an_event_is_refused_by_its_field(world: World) -> None:
    for payload in ("{", "[]", "{}", '{"id": "evt_1", "object": "event", "type": "x"}'):
        signature = sign(payload, WEBHOOK_SECRET, int(time.time()))
        with pytest.raises(InvalidArgument) as refusal:
            await world.service.receive_provider_event("stripe", payload.encode(), signature)
        assert refusal.value.facts["field"] == "payload"
    with pytest.raises(InvalidArgument) as unknown:
        await world.service.receive_provider_event("nobody", b"{}", "")
    assert unknown.value.facts["field"] == "provider"


async def test_an_event_that_cannot_be_checked_now_is_to_be_posted_again(world: World) -> None:
    await world.pay(means=THREE_D_SECURE)
    world.provider.act(world.order_id, "approve")
    event = world.provider.events(world.order_id)[-1]
    world.provider.fault("retrieve", "down", order_id=world.order_id)
    with pytest.raises(Unavailable):
        await post(world, event)
    assert await post(world, event) is False
    assert await status(world) is Status.AUTHORIZED
