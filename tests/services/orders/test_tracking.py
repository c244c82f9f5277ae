"""Parcels on their way on a real database: what carriers post and are asked for, and what becomes of lost ones."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import pytest_asyncio
from sqlalchemy.ext.asyncio import AsyncEngine

from kit.errors import InvalidArgument, NotFound, Unauthenticated
from kit.feed import Bell
from services.orders.carriers import CarrierAway
from services.orders.carriers.signed_json import SignedJsonCarrier
from services.orders.domain.model import Proof
from services.orders.domain.parcels import CarrierStatus
from services.orders.domain.states import FulfilmentState, OrderState, UnitState
from services.orders.reading import OrderFilter
from services.orders.service import OrdersService
from services.orders.signatures import BadSignature
from services.orders.tracking import Tracking
from simulators.carrier.webhooks import sign
from tests.services.orders.builders import IDENTITIES, LIFE_CYCLE, NOON, PLANTED, Shop, found, leg, outcome, rows
from tests.simulators.carrier import API_KEY, WEBHOOK_SECRET, RunningCarrier, running

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
F = FulfilmentState


@pytest.fixture(scope="module")
def carrier(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningCarrier]:
    with running(tmp_path_factory.mktemp("carrier")) as made:
        yield made


@pytest_asyncio.fixture
async def adapter(carrier: RunningCarrier) -> AsyncIterator[SignedJsonCarrier]:
    carrier.heal()
    made = SignedJsonCarrier(url=f"{carrier.url}/colis", api_key=API_KEY, webhook_secret=WEBHOOK_SECRET)
    yield made
    await made.close()


@pytest_asyncio.fixture
async def tracked(orders_db: AsyncEngine, adapter: SignedJsonCarrier) -> Shop:
    """A shop whose carrier `colis` is the simulator."""
    bell = Bell()
    made = Shop(OrdersService(orders_db, bell, IDENTITIES), Tracking(orders_db, bell, {"colis": adapter}))
    await made.open()
    return made


async def sent(shop: Shop, code: str, key: str = "key-1", at: datetime = NOON) -> tuple[str, str]:
    """An order of one parcel with this tracking code, handed over: its id and that of the fulfilment."""
    order_id, (work,) = await shop.release(key, leg((1, 2)))
    await shop.pack(work)
    await shop.service.hand_over(shop.asked(), work, code, "anna", at)
    return order_id, work


def post(*events: dict[str, Any], at: datetime = NOON) -> tuple[bytes, str]:
    payload = json.dumps({"events": events}).encode()
    return payload, sign(payload, WEBHOOK_SECRET, int(at.timestamp()))


def event(
    code: str, tracking_code: str = "T1", number: int = 1, at: datetime = NOON, **more: Any
) -> dict[str, Any]:
    return {
        "id": f"evt_{number}",
        "tracking_code": tracking_code,
        "code": code,
        "occurred_at": at.isoformat(),
        **more,
    }


async def state(shop: Shop, order_id: str) -> FulfilmentState:
    return (await shop.service.get_order(order_id)).order.fulfilments[-1].state


async def told(engine: AsyncEngine, pattern: str = "parcel|delivered") -> list[str]:
    found = await rows(engine, f"SELECT type FROM outbox WHERE type ~ '{pattern}' ORDER BY id")
    return [row.type.removeprefix("oms.orders.") for row in found]


# -- what carriers post -----------------------------------------------------------------------------------


async def test_what_a_carrier_posts_is_taken_once(tracked: Shop, orders_db: AsyncEngine) -> None:
    order_id, _ = await sent(tracked, "T1")
    posted = post(event("IN_TRANSIT"), event("DELIVERED", number=2, signed_by="Zoé Plantée", photo="pod-1"))
    first = await tracked.tracking.receive("colis", *posted, NOON)
    again = await tracked.tracking.receive("colis", *posted, NOON)
    assert ((first.events, first.duplicates), (again.events, again.duplicates)) == ((2, 0), (2, 2))
    (work,) = (await tracked.service.get_order(order_id)).order.fulfilments
    assert work.parcel
    assert (work.state, work.parcel.proof) == (F.DELIVERED, Proof(True, "pod-1"))
    assert await told(orders_db) == ["fulfilment.delivered"]
    for table in ("outbox", "timeline", "carrier_event", "parcel", "request"):
        kept = str(await rows(orders_db, f"SELECT * FROM {table}"))
        assert not any(word in kept for word in PLANTED), f"who signed is in {table}"


async def test_an_event_told_by_two_ways_is_one_event(tracked: Shop) -> None:
    await sent(tracked, "T1")
    await tracked.tracking.receive("colis", *post(event("NOT_DELIVERED", reason="ABSENT")), NOON)
    after, known = await tracked.scan("evt_1", "T1", "delivery_failed", reason="recipient_absent")
    assert known
    assert after.parcel
    assert after.parcel.failed_deliveries == 1


async def test_only_who_knows_the_secret_is_heard(tracked: Shop) -> None:
    await sent(tracked, "T1")
    payload, signature = post(event("DELIVERED"))
    for wrong in ("", "t=1", "v1=ab", f"{signature},t=x", signature.replace("v1=", "v1=0"), "t=²,v1=ab"):
        with pytest.raises(Unauthenticated) as caught:
            await tracked.tracking.receive("colis", payload, wrong, NOON)
        assert caught.value.reason == "SIGNATURE_INVALID"
    with pytest.raises(Unauthenticated):
        await tracked.tracking.receive("colis", payload + b" ", signature, NOON)
    with pytest.raises(Unauthenticated):
        await tracked.tracking.receive("colis", payload, signature, NOON + 6 * timedelta(minutes=1))
    assert (await tracked.tracking.receive("colis", payload, signature, NOON)).events == 1


async def test_what_is_not_of_the_carriers_format_is_named(tracked: Shop) -> None:
    for wrong, field in ((b"[]", "events"), (b"{", "events"), (b'{"events": [{"id": ""}]}', "events.0.id")):
        with pytest.raises(InvalidArgument) as caught:
            await tracked.tracking.receive(
                "colis", wrong, sign(wrong, WEBHOOK_SECRET, int(NOON.timestamp())), NOON
            )
        assert caught.value.facts["field"] == field
    with pytest.raises(NotFound) as unknown:
        await tracked.tracking.receive("nobody", *post(event("DELIVERED")), NOON)
    assert unknown.value.reason == "CARRIER_UNKNOWN"


async def test_what_can_be_taken_is_taken_before_an_unknown_parcel_is_answered(tracked: Shop) -> None:
    order_id, _ = await sent(tracked, "T1")
    posted = post(event("IN_TRANSIT", "T2"), event("DELIVERED", number=2))
    with pytest.raises(NotFound) as caught:
        await tracked.tracking.receive("colis", *posted, NOON)
    assert caught.value.reason == "PARCEL_NOT_FOUND"
    assert await state(tracked, order_id) == F.DELIVERED


def test_every_code_of_the_carrier_is_a_status_or_nothing(adapter: SignedJsonCarrier) -> None:
    codes = ("PRE_ADVICE", "PICKED_UP", "OUT_FOR_DELIVERY", "NOT_DELIVERED", "LOST", "DAMAGED", "RETURN_STARTED")
    posted = post(*(event(code, number=i, reason="BAD_ADDRESS") for i, code in enumerate((*codes, "RETURNED"))))
    scans = adapter.read(*posted, NOON)
    assert [one.status for one in scans] == [
        CarrierStatus.IN_TRANSIT,
        CarrierStatus.OUT_FOR_DELIVERY,
        CarrierStatus.DELIVERY_FAILED,
        CarrierStatus.LOST,
        CarrierStatus.DAMAGED,
        CarrierStatus.RETURNING,
        CarrierStatus.RETURNED,
    ]
    assert [one.reason for one in scans if one.reason] == ["address_incomplete"] * 2
    with pytest.raises(BadSignature):
        adapter.read(posted[0], "t=1,v1=00", NOON)


# -- what carriers are asked ------------------------------------------------------------------------------


async def test_a_carrier_is_asked_for_a_parcel_that_is_silent(
    tracked: Shop, carrier: RunningCarrier, orders_db: AsyncEngine
) -> None:
    code = carrier.announce("colis", "par_asked")
    now = datetime.now(UTC)
    order_id, _ = await sent(tracked, code, at=now)
    carrier.play("colis", code, "absent_once")
    assert await tracked.tracking.ask_silent(DAY, now + DAY - HOUR, 10) == 0
    assert await tracked.tracking.ask_silent(DAY, now + DAY + HOUR, 10) == 1
    assert await state(tracked, order_id) == F.DELIVERED
    assert await tracked.tracking.ask_silent(DAY, now + 9 * DAY, 10) == 0, "what has arrived is not asked for"
    assert await told(orders_db) == [
        "parcel.out_for_delivery",
        "parcel.delivery_failed",
        "parcel.out_for_delivery",
        "fulfilment.delivered",
    ]


async def test_what_was_posted_is_not_said_again_when_it_is_asked_for(
    tracked: Shop, carrier: RunningCarrier, orders_db: AsyncEngine
) -> None:
    code = carrier.announce("colis", "par_both")
    now = datetime.now(UTC)
    await sent(tracked, code, at=now - HOUR)
    known = carrier.happen("colis", code, "NOT_DELIVERED", reason="ABSENT")
    await tracked.tracking.receive("colis", *post(known, at=now), now)
    for days in (2, 4):
        await tracked.tracking.ask_silent(DAY, now + days * DAY, 10)
    assert await told(orders_db) == ["parcel.delivery_failed"]


async def test_who_stays_silent_is_asked_ever_less_often(tracked: Shop) -> None:
    await sent(tracked, "UNKNOWN-1")
    asked = []
    for hours in range(24, 24 * 8):
        now = NOON + hours * HOUR
        asked += [hours] * await tracked.tracking.ask_silent(DAY, now, 10)
    assert asked[:4] == [24, 30, 38, 48]
    assert asked[-1] - asked[-2] == 24


async def test_a_carrier_that_is_away_is_asked_again_later(tracked: Shop, carrier: RunningCarrier) -> None:
    code = carrier.announce("colis", "par_away")
    order_id, _ = await sent(tracked, code)
    carrier.happen("colis", code, "PICKED_UP", occurred_at=(NOON + HOUR).isoformat())
    carrier.fault("down", count=1)
    assert await tracked.tracking.ask_silent(DAY, NOON + DAY, 10) == 1
    assert await tracked.tracking.ask_silent(DAY, NOON + DAY + HOUR, 10) == 0
    assert await tracked.tracking.ask_silent(DAY, NOON + DAY + 6 * HOUR, 10) == 1
    work = (await tracked.service.get_order(order_id)).order.fulfilments[0]
    assert work.parcel
    assert work.parcel.in_transit_at == NOON + HOUR


async def test_of_two_processes_one_asks(tracked: Shop) -> None:
    for number in range(6):
        await sent(tracked, f"S-{number}", key=f"key-{number}")
    counts = await asyncio.gather(*(tracked.tracking.ask_silent(DAY, NOON + DAY, 4) for _ in range(4)))
    assert sum(counts) == 6
    assert max(counts) <= 4, "never more at once than it may"


async def test_an_adapter_says_that_its_carrier_is_away(
    adapter: SignedJsonCarrier, carrier: RunningCarrier
) -> None:
    assert await adapter.scans("NOBODY-KNOWS") == []
    carrier.fault("down")
    with pytest.raises(CarrierAway):
        await adapter.scans("NOBODY-KNOWS")


# -- lost -------------------------------------------------------------------------------------------------


async def test_a_lost_parcel_is_on_the_work_list_until_it_is_decided(shop: Shop, orders_db: AsyncEngine) -> None:
    order_id, work = await sent(shop, "T1")
    await shop.scan("e1", "T1", "lost", NOON + HOUR)
    (listed,) = await shop.service.list_orders(OrderFilter(undecided_loss=True), 10, None)
    assert (listed.order.order_id, listed.customer_status) == (order_id, "lost")
    assert await outcome(shop.service.close_order(shop.asked(), order_id, NOON)) == "NOT_FINISHED"
    after = await shop.tracking.decide(shop.asked(), work, "refund", "carol", NOON + DAY)
    assert after.parcel
    assert after.parcel.loss
    assert after.parcel.loss.decision == "refund"
    assert not await shop.service.list_orders(OrderFilter(undecided_loss=True), 10, None)
    assert await told(orders_db, "parcel|refund") == [
        "parcel.lost",
        "parcel.loss_decided",
        "order.refund_requested",
    ]
    assert await shop.service.close_order(shop.asked(), order_id, NOON) == OrderState.CLOSED


async def test_of_two_decisions_at_once_one_stands(shop: Shop) -> None:
    for number in range(5):
        order_id, work = await sent(shop, f"T-{number}", key=f"key-{number}")
        await shop.scan(f"e-{number}", f"T-{number}", "damaged")
        done = await asyncio.gather(
            *(
                outcome(shop.tracking.decide(shop.asked(), work, decision, "carol", NOON))
                for decision in ("refund", "reship", "refund")
            )
        )
        assert sorted(done) == ["ALREADY_DECIDED", "ALREADY_DECIDED", "done"]
        order = (await shop.service.get_order(order_id)).order
        assert len(order.refunds) == (done[1] != "done")


async def test_time_finds_what_is_silent_and_decides_what_nobody_did(shop: Shop, orders_db: AsyncEngine) -> None:
    await shop.service.publish_life_cycle(replace(LIFE_CYCLE, lost_after_days=7))
    order_id, _ = await sent(shop, "T1")
    assert await shop.service.watch_promises(NOON + 6 * DAY, 100) in (0, 1)
    assert await state(shop, order_id) == F.HANDED_OVER
    for _ in range(2):
        await shop.service.watch_promises(NOON + 7 * DAY + HOUR, 100)
    assert await state(shop, order_id) == F.LOST
    await shop.service.watch_promises(NOON + 11 * DAY, 100)
    order = (await shop.service.get_order(order_id)).order
    assert [(one.reason_code, one.amount_minor) for one in order.refunds] == [("lost", 6490)]
    await shop.service.watch_promises(NOON + 99 * DAY, 100)
    assert await told(orders_db, "parcel|refund") == [
        "parcel.lost",
        "parcel.loss_decided",
        "order.refund_requested",
    ]


async def test_what_is_sent_again_is_kept_with_what_it_replaces(shop: Shop) -> None:
    order_id, work = await sent(shop, "T1")
    await shop.tracking.declare_lost(shop.asked(), work, "lost", "the carrier called", "carol", NOON)
    await shop.tracking.decide(shop.asked(), work, "reship", "carol", NOON)
    order = (await shop.service.get_order(order_id)).order
    assert [(one.state, one.fulfilment_id) for one in order.ranges] == [(UnitState.UNPLACED, work)]
    (obliged,) = await shop.service.list_obligations([order_id], "", 10)
    assert (obliged.in_flux, obliged.captured_minor) == (True, 6490)
    planned = await shop.service.reroute_units(
        shop.asked(), order_id, [leg((1, 1), point="store-paris")], found((1, 1)), "parcel_lost", "d", NOON, work
    )
    (again,) = planned.fulfilments
    assert (again.replaces, planned.no_longer_due_minor) == (work, 0)
    await shop.service.offer_fulfilment(shop.asked(), again.fulfilment_id, NOON)
    await shop.pack(again.fulfilment_id, captured=False)
    await shop.service.hand_over(shop.asked(), again.fulfilment_id, "T2", "bob", NOON)
    await shop.scan("e2", "T2", "delivered", NOON + DAY)
    assert await shop.service.close_order(shop.asked(), order_id, NOON) == OrderState.CLOSED
    view = await shop.service.get_order(order_id)
    assert view.customer_status == "delivered"
    assert [one.amount_minor for one in view.order.refunds] == [3000]
    (obliged,) = await shop.service.list_obligations([order_id], "", 10)
    assert obliged.captured_minor == 6490
