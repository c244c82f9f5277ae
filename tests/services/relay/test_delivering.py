"""Webhooks arrive signed, in order within an order, and again until they are taken."""

import asyncio
import json
from datetime import datetime, timedelta

import httpx
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine
from standardwebhooks import Webhook, WebhookVerificationError

from kit import times
from kit.feed import Bell
from services.relay import domain, store
from services.relay.delivering import Deliverer
from services.relay.domain import Delivery
from services.relay.service import RelayService
from services.relay.webhooks import Webhooks
from tests.services.relay.builders import NOW, SECRET, endpoint, event, queue, register, until
from tests.services.relay.receiver import Receiver, listening

# Rows become due when they are queued, which is now.
LATER = timedelta(minutes=1)


async def log(service: RelayService, endpoint_id: str = "") -> list[Delivery]:
    """All deliveries, oldest first."""
    page = await service.list_deliveries(endpoint_id, "", "", 500, "")
    return list(reversed(page.deliveries))


async def drain(deliverer: Deliverer, as_of: datetime) -> None:
    """Attempts whatever is due at an instant until nothing is."""
    while await deliverer.deliver_due(as_of):
        pass


async def test_the_signature_is_verified_by_the_standard_library_of_receivers(
    relay_db: AsyncEngine, webhooks: Webhooks, deliverer: Deliverer, receiver: Receiver
) -> None:
    await register(relay_db, endpoint(receiver.url))
    await queue(relay_db, webhooks, event(1))
    await drain(deliverer, times.now())

    (got,) = receiver.received
    assert Webhook(SECRET).verify(got.body, got.headers) == got.event
    assert got.headers["content-type"] == "application/cloudevents+json"
    assert got.event == {
        "specversion": "1.0",
        "id": "evt_1",
        "source": "/orders",
        "type": "oms.orders.order.validated",
        "subject": "order/ord_1",
        "time": "2026-11-23T09:00:00Z",
        "datacontenttype": "application/json",
        "data": {"order_id": "ord_1", "channel_id": "web-fr"},
    }
    with pytest.raises(WebhookVerificationError):
        Webhook(SECRET).verify(got.body.replace(b"ord_1", b"ord_2"), got.headers)


async def test_a_failing_event_holds_those_of_its_order_and_no_others(
    relay_db: AsyncEngine,
    webhooks: Webhooks,
    deliverer: Deliverer,
    receiver: Receiver,
    service: RelayService,
) -> None:
    broken = True
    receiver.answer = lambda event_id: 500 if broken and event_id == "evt_1" else 200
    await register(relay_db, endpoint(receiver.url))
    await queue(
        relay_db,
        webhooks,
        event(1, "ord_1"),
        event(2, "ord_1"),
        event(3, "ord_2"),
        event(4, "ord_1"),
        event(5, "ord_2"),
    )
    start = times.now()
    await drain(deliverer, start)
    assert receiver.event_ids.count("evt_1") == 1
    assert [each for each in receiver.event_ids if each != "evt_1"] == ["evt_3", "evt_5"]
    waiting = {each.event_id: each for each in await log(service) if each.state == "pending"}
    assert list(waiting) == ["evt_1", "evt_2", "evt_4"]
    assert waiting["evt_1"].last_status_code == 500
    assert waiting["evt_1"].last_error == "HTTP 500"

    broken = False
    await drain(deliverer, start + timedelta(seconds=4))
    assert len(receiver.received) == 3
    await drain(deliverer, start + LATER)
    assert receiver.event_ids[-3:] == ["evt_1", "evt_2", "evt_4"]
    assert {each.state for each in await log(service)} == {"delivered"}
    assert [each.attempts for each in await log(service)] == [2, 1, 1, 1, 1]


async def test_one_endpoint_s_failure_does_not_hold_another_s_line(
    relay_db: AsyncEngine, webhooks: Webhooks, deliverer: Deliverer, receiver: Receiver
) -> None:
    with listening() as broken:
        broken.answer = lambda event_id: 503
        await register(
            relay_db,
            endpoint(receiver.url, endpoint_id="whk_1"),
            endpoint(broken.url, endpoint_id="whk_2"),
        )
        await queue(relay_db, webhooks, event(1), event(2))
        await drain(deliverer, times.now())
        assert receiver.event_ids == ["evt_1", "evt_2"]
        assert broken.event_ids == ["evt_1"]


async def test_after_the_last_try_the_delivery_is_given_up_and_the_next_one_goes(
    relay_db: AsyncEngine,
    webhooks: Webhooks,
    deliverer: Deliverer,
    receiver: Receiver,
    service: RelayService,
) -> None:
    receiver.answer = lambda event_id: 500 if event_id == "evt_1" else 200
    await register(relay_db, endpoint(receiver.url))
    await queue(relay_db, webhooks, event(1), event(2))
    as_of = times.now()
    await drain(deliverer, as_of)
    for wait in domain.RETRY_AFTER:
        assert receiver.event_ids.count("evt_2") == 0
        as_of += wait + timedelta(seconds=1)
        await drain(deliverer, as_of)
    first, second = await log(service)
    assert (first.state, first.attempts) == ("failed", len(domain.RETRY_AFTER) + 1)
    assert (second.state, second.attempts) == ("delivered", 1)


@pytest.mark.parametrize("status", [201, 204])
async def test_any_2xx_is_success(
    status: int,
    relay_db: AsyncEngine,
    webhooks: Webhooks,
    deliverer: Deliverer,
    receiver: Receiver,
    service: RelayService,
) -> None:
    receiver.answer = lambda event_id: status
    await register(relay_db, endpoint(receiver.url))
    await queue(relay_db, webhooks, event(1))
    await drain(deliverer, times.now())
    assert [(each.state, each.last_status_code) for each in await log(service)] == [("delivered", status)]


async def test_a_redirect_is_a_failure_and_is_not_followed(
    relay_db: AsyncEngine,
    webhooks: Webhooks,
    deliverer: Deliverer,
    receiver: Receiver,
    service: RelayService,
) -> None:
    receiver.answer = lambda event_id: 307
    await register(relay_db, endpoint(receiver.url))
    await queue(relay_db, webhooks, event(1))
    await drain(deliverer, times.now())
    assert len(receiver.received) == 1
    assert [(each.state, each.last_error) for each in await log(service)] == [("pending", "HTTP 307")]


async def test_no_answer_is_a_failure_with_its_kind(
    relay_db: AsyncEngine, webhooks: Webhooks, deliverer: Deliverer, service: RelayService
) -> None:
    with listening() as gone:
        pass
    await register(relay_db, endpoint(gone.url))
    await queue(relay_db, webhooks, event(1))
    await drain(deliverer, times.now())
    (only,) = await log(service)
    assert (only.state, only.last_status_code, only.last_error) == ("pending", 0, "ConnectError")


async def test_an_endpoint_that_is_gone_gets_nothing_more(
    relay_db: AsyncEngine,
    webhooks: Webhooks,
    deliverer: Deliverer,
    receiver: Receiver,
    service: RelayService,
) -> None:
    receiver.answer = lambda event_id: 410
    await register(relay_db, endpoint(receiver.url))
    await queue(relay_db, webhooks, event(1), event(2))
    await drain(deliverer, times.now())
    await queue(relay_db, webhooks, event(3))
    await drain(deliverer, times.now() + LATER)
    assert receiver.event_ids == ["evt_1"]
    assert [each.state for each in await log(service)] == ["failed", "failed"]
    assert [each.enabled for each in await service.list_endpoints()] == [False]


async def test_two_replicas_deliver_each_event_once_and_in_order(
    relay_db: AsyncEngine, webhooks: Webhooks, http: httpx.AsyncClient, bell: Bell, receiver: Receiver
) -> None:
    await register(relay_db, endpoint(receiver.url))
    events = [event(n, f"ord_{n % 7}") for n in range(1, 141)]
    await queue(relay_db, webhooks, *events)
    replicas = [asyncio.create_task(Deliverer(relay_db, http, bell).run()) for _ in range(2)]
    await until(lambda: len(receiver.received) >= len(events))
    for replica in replicas:
        replica.cancel()
    await asyncio.gather(*replicas, return_exceptions=True)
    assert sorted(receiver.event_ids) == sorted(each.event_id for each in events)
    for n in range(7):
        mine = [each for each in receiver.event_ids if int(each.removeprefix("evt_")) % 7 == n]
        assert mine == sorted(mine, key=lambda event_id: int(event_id.removeprefix("evt_")))


async def test_a_slow_endpoint_does_not_take_every_place(
    relay_db: AsyncEngine, webhooks: Webhooks, http: httpx.AsyncClient, bell: Bell, receiver: Receiver
) -> None:
    await register(relay_db, endpoint(receiver.url, endpoint_id="whk_1"))
    await queue(relay_db, webhooks, *(event(n, f"ord_{n}") for n in range(1, 41)))
    async with relay_db.begin() as tx:
        as_of = times.now()
        claims = await store.claim_due(tx, "clm_1", as_of, as_of + LATER, 100, 8)
        again = await store.claim_due(tx, "clm_2", as_of, as_of + LATER, 100, 8)
    assert len(claims) == 8
    assert again == []


async def test_a_claim_of_a_dead_process_runs_out_and_the_delivery_is_made(
    relay_db: AsyncEngine, webhooks: Webhooks, deliverer: Deliverer, receiver: Receiver
) -> None:
    await register(relay_db, endpoint(receiver.url))
    await queue(relay_db, webhooks, event(1), event(2))
    as_of = times.now()
    async with relay_db.begin() as tx:
        await store.claim_due(tx, "clm_dead", as_of, as_of + timedelta(seconds=30), 10, 8)
    await drain(deliverer, as_of + timedelta(seconds=29))
    assert receiver.received == []
    await drain(deliverer, as_of + timedelta(seconds=31))
    assert receiver.event_ids == ["evt_1", "evt_2"]


async def test_the_outcome_of_a_claim_that_ran_out_is_not_written_over_the_new_one(
    relay_db: AsyncEngine,
    webhooks: Webhooks,
    deliverer: Deliverer,
    receiver: Receiver,
    service: RelayService,
) -> None:
    await register(relay_db, endpoint(receiver.url))
    await queue(relay_db, webhooks, event(1))
    as_of = times.now()
    async with relay_db.begin() as tx:
        (slow,) = await store.claim_due(tx, "clm_slow", as_of, as_of + timedelta(seconds=30), 10, 8)
    await drain(deliverer, as_of + timedelta(seconds=31))
    async with relay_db.begin() as tx:
        await store.postpone(tx, slow, 500, "HTTP 500", as_of + LATER)
        await store.settle(tx, slow, "failed", 500, "HTTP 500", as_of + LATER)
    assert [(each.state, each.attempts) for each in await log(service)] == [("delivered", 1)]


async def test_a_deleted_endpoint_takes_what_waits_with_it(
    relay_db: AsyncEngine,
    webhooks: Webhooks,
    deliverer: Deliverer,
    receiver: Receiver,
    service: RelayService,
) -> None:
    await register(relay_db, endpoint(receiver.url))
    await queue(relay_db, webhooks, event(1))
    await service.delete_endpoint("whk_1")
    await drain(deliverer, times.now())
    assert receiver.received == []
    assert await log(service) == []


async def test_settled_deliveries_are_forgotten_after_thirty_days(
    relay_db: AsyncEngine,
    webhooks: Webhooks,
    deliverer: Deliverer,
    receiver: Receiver,
    service: RelayService,
) -> None:
    receiver.answer = lambda event_id: 500 if event_id == "evt_2" else 200
    await register(relay_db, endpoint(receiver.url))
    await queue(relay_db, webhooks, event(1, "ord_1"), event(2, "ord_2"))
    await drain(deliverer, times.now())
    assert await deliverer.forget_old(times.now() + timedelta(days=29)) == 0
    assert await deliverer.forget_old(times.now() + timedelta(days=31)) == 1
    assert [each.event_id for each in await log(service)] == ["evt_2"]


async def test_one_delivery_is_replayed_with_the_same_id_and_its_attempts_go_on(
    relay_db: AsyncEngine,
    webhooks: Webhooks,
    deliverer: Deliverer,
    receiver: Receiver,
    service: RelayService,
) -> None:
    await register(relay_db, endpoint(receiver.url))
    await queue(relay_db, webhooks, event(1), event(2))
    await drain(deliverer, times.now())
    first = (await log(service))[0]
    queued = await service.replay("req_1", b"1", "whk_1", first.delivery_id, None, times.now())
    again = await service.replay("req_1", b"1", "whk_1", first.delivery_id, None, times.now())
    await drain(deliverer, times.now())
    assert (queued, again) == (1, 1)
    assert receiver.event_ids == ["evt_1", "evt_2", "evt_1"]
    assert receiver.received[0].body == receiver.received[2].body
    assert [(each.state, each.attempts) for each in await log(service)] == [("delivered", 2), ("delivered", 1)]


async def test_all_since_an_instant_are_replayed_in_their_first_order(
    relay_db: AsyncEngine,
    webhooks: Webhooks,
    deliverer: Deliverer,
    receiver: Receiver,
    service: RelayService,
) -> None:
    await register(relay_db, endpoint(receiver.url))
    await queue(relay_db, webhooks, event(1))
    await drain(deliverer, times.now())
    since = times.now()
    await queue(relay_db, webhooks, event(2), event(3), event(4))
    await drain(deliverer, times.now())
    receiver.received.clear()
    assert await service.replay("req_1", b"1", "whk_1", "", since, times.now()) == 3
    await drain(deliverer, times.now())
    assert receiver.event_ids == ["evt_2", "evt_3", "evt_4"]


async def test_a_failed_delivery_that_is_replayed_has_all_its_tries_again(
    relay_db: AsyncEngine,
    webhooks: Webhooks,
    deliverer: Deliverer,
    receiver: Receiver,
    service: RelayService,
) -> None:
    receiver.answer = lambda event_id: 500
    await register(relay_db, endpoint(receiver.url))
    await queue(relay_db, webhooks, event(1))
    as_of = times.now()
    for wait in (timedelta(0), *domain.RETRY_AFTER):
        as_of += wait + timedelta(seconds=1)
        await drain(deliverer, as_of)
    (failed,) = await log(service)
    assert failed.state == "failed"
    await service.replay("req_1", b"1", "whk_1", failed.delivery_id, None, as_of)
    await drain(deliverer, as_of)
    (pending,) = await log(service)
    assert (pending.state, pending.attempts) == ("pending", failed.attempts + 1)
    assert timedelta(seconds=4) < pending.next_attempt_at - as_of < timedelta(seconds=10)


async def test_events_are_told_as_they_were_written(
    relay_db: AsyncEngine, webhooks: Webhooks, deliverer: Deliverer, receiver: Receiver
) -> None:
    data = {"order_id": "ord_1", "reason": "hors stock à l'été", "lines": [{"sku": "A", "quantity": 80_000}]}
    await register(relay_db, endpoint(receiver.url))
    await queue(relay_db, webhooks, event(1, data=data, occurred_at=NOW))
    await drain(deliverer, times.now())
    assert json.loads(receiver.received[0].body)["data"] == data
