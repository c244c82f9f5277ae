"""Work in lockers, on a real database and with lockers that answer over HTTP, or do not."""

import json
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import pytest
import pytest_asyncio
from sqlalchemy.ext.asyncio import AsyncEngine

from kit.errors import FailedPrecondition, NotFound, Unauthenticated, Unavailable
from kit.feed import Bell
from services.orders.changing import Asked
from services.orders.codes import Codes
from services.orders.collecting import Collecting
from services.orders.depositing import Depositing
from services.orders.domain.capture import Outcome
from services.orders.domain.milestones import Milestone
from services.orders.domain.model import DeliveryMode, Fulfilment, Leg, Reach, Units, Window
from services.orders.domain.notifications import Notification
from services.orders.domain.states import FulfilmentState, OrderState
from services.orders.links import Links
from services.orders.lockers.signed_json import SignedJsonBank
from services.orders.messaging import letters
from services.orders.tracking import Taken
from simulators.carrier.webhooks import sign
from tests.services.orders.builders import BUYER, IDENTITIES, LIFE_CYCLE, NOON, Shop, content, line, rows
from tests.simulators.locker import API_KEY, WEBHOOK_SECRET, RunningLocker, running

MOMENT, HOUR, DAY = timedelta(seconds=1), timedelta(hours=1), timedelta(days=1)
STORE = "store-lyon"
TODAY = Window(NOON, NOON + 6 * HOUR)
CODES = Codes(["a key of tests"])
F = FulfilmentState


@pytest.fixture(scope="module")
def doors(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningLocker]:
    with running(tmp_path_factory.mktemp("locker")) as made:
        yield made


@dataclass
class House:
    """A shop with a store whose lockers are the simulator: two compartments."""

    shop: Shop
    doors: RunningLocker
    bank: str
    lockers: Depositing
    collecting: Collecting

    async def picked(self, key: str = "key-1") -> tuple[str, str]:
        """An order of two units for a locker, picked and paid, and its work."""
        shop = self.shop
        made = content(line(1, 2), mode=DeliveryMode.STORE_LOCKER, collect_at_point_id=STORE)
        view, _ = await shop.service.record_order(key, made, BUYER, NOON, NOON)
        order_id = view.order.order_id
        leg = Leg(STORE, "", "", (Units(1, "SKU-1", 2),), TODAY, TODAY.end)
        planned = await shop.service.accept_order(
            shop.asked(), order_id, [leg], TODAY, "dec_1", "authorized", NOON
        )
        await shop.service.release_order(shop.asked(), order_id, NOON)
        work = planned.fulfilments[0].fulfilment_id
        await shop.service.offer_fulfilment(shop.asked(), work, NOON)
        await shop.service.accept_offer(shop.asked(), work, "anna", NOON)
        await shop.service.record_pick(shop.asked(), work, [Units(1, "SKU-1", 2)], "anna", NOON)
        await shop.service.record_capture(shop.asked(), work, Outcome("captured", "", "", NOON))
        return order_id, work

    async def book(self, work: str) -> Fulfilment:
        return await self.lockers.book(self.shop.asked(), work, "anna", NOON)

    async def deposit(self, work: str, *, at_counter: bool = False) -> Fulfilment:
        asked = self.shop.asked()
        if not at_counter:
            await self.lockers.tell_code(asked, work, NOON)
        return await self.collecting.mark_ready(asked, work, "", "anna", NOON + MOMENT, at_counter=at_counter)

    async def deposited(self, key: str = "key-1") -> tuple[str, Fulfilment, str]:
        """Its order, the work that lies in a compartment, and the code that opens it."""
        order_id, work = await self.picked(key)
        await self.book(work)
        after = await self.deposit(work)
        ((_, code),) = await self.collecting.codes(order_id)
        return order_id, after, code

    async def work(self, order_id: str) -> Fulfilment:
        return (await self.shop.service.get_order(order_id)).order.fulfilments[0]

    def enter(self, work: Fulfilment, code: str) -> bool:
        return self.doors.enter(self.bank, work.compartment, code)


@pytest_asyncio.fixture
async def house(
    orders_db: AsyncEngine, shop: Shop, doors: RunningLocker, request: pytest.FixtureRequest
) -> AsyncIterator[House]:
    await shop.service.publish_life_cycle(replace(LIFE_CYCLE, cooling_off_seconds=0))
    doors.heal()
    # Of each test its own.
    name = request.node.name.replace("_", "-")[:60]
    bank = SignedJsonBank(url=f"{doors.url}/{name}", api_key=API_KEY, webhook_secret=WEBHOOK_SECRET)
    lockers = Depositing(orders_db, Bell(), CODES, {STORE: bank})
    yield House(shop, doors, name, lockers, Collecting(orders_db, Bell(), CODES, IDENTITIES))
    await bank.end()


def post(work: str, at: datetime = NOON) -> tuple[bytes, str]:
    event = {"reference": work, "code": "OPENED", "occurred_at": at.isoformat()}
    payload = json.dumps({"events": [event]}).encode()
    return payload, sign(payload, WEBHOOK_SECRET, int(NOON.timestamp()))


async def test_a_customer_opens_his_compartment_with_his_code_from_the_deposit_on(
    house: House, orders_db: AsyncEngine
) -> None:
    order_id, work = await house.picked()
    booked = await house.book(work)
    assert booked.locker
    compartment = booked.locker.compartment
    assert (await house.collecting.codes(order_id), booked.state) == ([], F.PICKED)
    assert not house.doors.enter(house.bank, compartment, CODES.of(booked))
    after = await house.deposit(work)
    ((found, code),) = await house.collecting.codes(order_id)
    assert (found, found.compartment, found.collection and found.collection.shelf) == (
        after,
        compartment,
        compartment,
    )
    for table in ("fulfilment", "outbox", "timeline", "request", "orders", "notification"):
        assert code not in str([tuple(row) for row in await rows(orders_db, f"SELECT * FROM {table}")]), table
    assert await house.collecting.find_by_code(Reach(frozenset({STORE})), code, NOON) == after, (
        "at the counter too"
    )
    assert house.enter(after, code)
    await house.lockers.sweep(NOON + HOUR)
    collected = await house.work(order_id)
    assert (collected.state, collected.collection and collected.collection.collected_at) == (
        F.DELIVERED,
        NOON + HOUR,
    )
    await house.lockers.sweep(NOON + HOUR)
    assert (await house.work(order_id)).locker == replace(booked.locker, released_at=NOON + HOUR)


async def test_what_a_bank_posts_is_taken_once_and_only_with_its_signature(house: House) -> None:
    order_id, work, _ = await house.deposited()
    payload, signature = post(work.fulfilment_id)
    with pytest.raises(Unauthenticated, match="SIGNATURE_INVALID"):
        await house.lockers.receive(STORE, payload + b" ", signature, NOON)
    with pytest.raises(NotFound, match="NO_LOCKER_BANK"):
        await house.lockers.receive("store-paris", payload, signature, NOON)
    assert await house.lockers.receive(STORE, *post("ful_nobody"), NOON) == Taken(1, 1)
    assert await house.lockers.receive(STORE, payload, signature, NOON) == Taken(1, 0)
    assert await house.lockers.receive(STORE, payload, signature, NOON) == Taken(1, 1)
    assert (await house.work(order_id)).state is F.DELIVERED


async def test_a_lost_answer_books_one_compartment_and_lets_nothing_be_ready(house: House) -> None:
    _, work = await house.picked()
    house.doors.fault("lost_answer")
    with pytest.raises(Unavailable, match="LOCKER_AWAY"):
        await house.book(work)
    booked, again = await house.book(work), await house.book(work)
    assert booked == again
    assert house.doors.book(house.bank, "ful_other").is_success
    assert house.doors.book(house.bank, "ful_third").status_code == 409
    house.doors.fault("lost_answer")
    with pytest.raises(Unavailable, match="LOCKER_AWAY"):
        await house.deposit(work)
    after = await house.deposit(work)
    assert after.state is F.READY
    assert house.enter(after, CODES.of(after))


async def test_a_full_bank_sends_it_to_the_counter_and_the_customer_is_told_so(house: House) -> None:
    order_id, work = await house.picked()
    for other in ("ful_other", "ful_third"):
        house.doors.book(house.bank, other)
    full = await house.book(work)
    assert full.locker
    assert (full.locker.compartment, full.locker.full_at) == ("", NOON)
    house.doors.release(house.bank, "ful_other")
    assert (await house.book(work)).locker == replace(
        full.locker,
        full_at=None,
        asked_at=NOON,
        booked_at=NOON,
        compartment="01",
        key=CODES.key,
    )
    at_counter = await house.deposit(work, at_counter=True)
    assert (at_counter.state, at_counter.compartment) == (F.READY, "")
    assert "counter" in (await _letter(house, order_id)).text
    await house.lockers.sweep(NOON)
    assert house.doors.book(house.bank, "ful_other").is_success


async def test_the_letter_names_the_compartment_and_what_opens_it(house: House) -> None:
    order_id, work, code = await house.deposited()
    letter = await _letter(house, order_id)
    for words in (letter.text, letter.sms):
        assert work.compartment in words
        assert code in words
    assert "counter" not in letter.text
    french = await _letter(house, order_id, "fr")
    assert f"casier {work.compartment}" in french.text


async def test_what_nobody_opens_is_closed_given_up_emptied_and_given_back(house: House) -> None:
    order_id, work, code = await house.deposited()
    assert work.collection
    late = work.collection.keep_until + HOUR
    assert await house.shop.service.watch_promises(late, 10)
    assert (await house.work(order_id)).state is F.READY
    house.doors.fault("down")
    await house.lockers.sweep(late)
    assert (await house.work(order_id)).state is F.READY
    await house.lockers.sweep(late)
    after = await house.work(order_id)
    assert (after.state, after.collection and after.collection.overdue_at) == (F.CANCELLED, late)
    assert not house.enter(work, code)
    await house.lockers.sweep(late)
    assert (await house.work(order_id)).locker == after.locker
    await house.collecting.confirm_put_back(house.shop.asked(), work.fulfilment_id, "anna", late)
    await house.lockers.sweep(late)
    back = await house.work(order_id)
    assert back.locker
    assert back.locker.released_at == late


async def test_who_opened_it_in_time_has_it_though_nobody_heard_of_it_before_the_end(house: House) -> None:
    order_id, work, code = await house.deposited()
    assert work.collection
    assert house.enter(work, code)
    late = work.collection.keep_until + HOUR
    await house.shop.service.watch_promises(late, 10)
    await house.lockers.sweep(late)
    assert (await house.work(order_id)).state is F.DELIVERED


async def test_what_was_kept_longer_opens_again(house: House) -> None:
    order_id, work, code = await house.deposited()
    assert work.collection
    end = work.collection.keep_until

    class Extends(SignedJsonBank):
        """Customer service gives another date while the bank closes."""

        async def close(self, reference: str) -> datetime | None:
            closed = await super().close(reference)
            await house.collecting.extend(house.shop.asked(), reference, end + 5 * DAY, "carol", end)
            return closed

    bank = Extends(url=f"{house.doors.url}/{house.bank}", api_key=API_KEY, webhook_secret=WEBHOOK_SECRET)
    await Depositing(house.shop.service._engine, Bell(), CODES, {STORE: bank}).sweep(end)
    await bank.end()
    assert (await house.work(order_id)).compartment == work.compartment
    assert house.enter(work, code)


async def test_a_store_takes_it_out_for_the_counter_unless_its_customer_was_first(house: House) -> None:
    _, work, code = await house.deposited()
    asked = house.shop.asked()
    out = await house.lockers.take_out(asked, work.fulfilment_id, "B-12", "anna", NOON)
    assert (out.state, out.compartment, out.collection and out.collection.shelf) == (F.READY, "", "B-12")
    assert await house.lockers.take_out(asked, work.fulfilment_id, "B-12", "anna", NOON) == out
    assert not house.enter(work, code)
    with pytest.raises(FailedPrecondition, match="NOT_IN_LOCKER"):
        await house.lockers.take_out(house.shop.asked(), work.fulfilment_id, "", "anna", NOON)
    await house.lockers.sweep(NOON)
    _, other, code = await house.deposited("key-2")
    assert house.enter(other, code)
    late = await house.lockers.take_out(house.shop.asked(), other.fulfilment_id, "", "anna", NOON)
    assert late.state is F.DELIVERED
    elsewhere = Asked("req-else", b"", Reach(frozenset({"store-paris"})))
    with pytest.raises(NotFound):
        await house.lockers.take_out(elsewhere, other.fulfilment_id, "", "eve", NOON)


async def test_a_compartment_of_a_cancelled_order_is_given_back_even_if_its_answer_was_lost(house: House) -> None:
    order_id, work = await house.picked()
    house.doors.fault("lost_answer")
    with pytest.raises(Unavailable):
        await house.book(work)
    state = await house.shop.service.request_cancellation(house.shop.asked(), order_id, "no", "carol", NOON)
    assert state is OrderState.CANCELLING
    assert house.doors.book(house.bank, "ful_other").is_success
    assert house.doors.book(house.bank, "ful_third").status_code == 409
    await house.lockers.sweep(NOON)
    assert house.doors.book(house.bank, "ful_third").is_success


async def _letter(house: House, order_id: str, language: str = "en") -> Any:
    view = await house.shop.service.get_order(order_id)
    view = replace(view, buyer=replace(view.buyer, customer=replace(view.buyer.customer, language=language)))
    facts = {"work": view.order.fulfilments[0].fulfilment_id}
    one = Notification("ntf_1", order_id, Milestone.READY, "", "mail", NOON, facts, NOON)  # type: ignore[arg-type]
    return letters.write(one, view, "Shop", Links(["a key of tests"], "https://shop.test"), CODES, NOON)
