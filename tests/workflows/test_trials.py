"""Goods that are tried at home: paid when it is known what is kept, once; what comes back goes to stock."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, timedelta
from typing import Any

import pytest

from kit.errors import FailedPrecondition
from kit.times import now
from oms.inventory.v1 import inventory_service_pb2 as inv
from oms.orders.v1 import orders_service_pb2 as orders
from oms.payments.v1 import payments_service_pb2 as pay
from tests.workflows.faults import Fault
from tests.workflows.test_unwind import EACH, RECOVERABLE, _with_help
from tests.workflows.world import MID, NEAR, PRICE_MINOR, SHIPPING_MINOR, World, until

pytestmark = pytest.mark.asyncio(loop_scope="module")
DAY = timedelta(days=1)
SHORT = orders.PaymentTerms(payment_method_token="pm_card_shortHold")
DECLINES = orders.PaymentTerms(payment_method_token="pm_card_captureDeclined")


async def at_home(world: World, units: int = 3, **options: Any) -> tuple[str, str]:
    """The article and the order, whose only parcel has arrived."""
    sku = await world.stock({NEAR: units})
    recorded = await world.record({sku: units}, channel="tried", customer_id="cus_1", **options)
    placement = await world.place(recorded)
    assert placement is not None
    assert placement.state == "validated", placement
    order_id = recorded.order.order_id
    await world.ship(order_id)
    assert (await world.order(order_id)).HasField("trial")
    assert (await world.payment(order_id)).captured.amount_minor == 0
    return sku, order_id


async def captures(world: World, order_id: str) -> list[int]:
    operations = (await world.payment(order_id)).operations
    succeeded = pay.OPERATION_STATE_SUCCEEDED
    kind = pay.OPERATION_KIND_CAPTURE
    return [one.amount.amount_minor for one in operations if (one.kind, one.state) == (kind, succeeded)]


async def on_shelf(world: World, sku: str, units: int) -> None:
    """Waits until so many units lie at NEAR."""

    async def look() -> bool:
        balances = (await world.inventory.ListBalances(inv.ListBalancesRequest(skus=[sku]))).balances
        return {row.point_id: row.on_hand for row in balances}.get(NEAR, 0) == units

    await until(look, f"{units} of {sku} at {NEAR}")


async def kinds(world: World, order_id: str) -> list[str]:
    entries = (await world.orders.GetTimeline(orders.GetTimelineRequest(order_id=order_id))).entries
    return [one.kind for one in entries if "trial" in one.kind]


async def test_only_what_is_kept_is_captured_and_the_rest_is_sold_again(world: World) -> None:
    async def some() -> None:
        sku, order_id = await at_home(world)
        await world.decide_trial(order_id, {1: 2})
        assert await captures(world, order_id) == []
        await world.give_back(order_id, {1: 1}, at=NEAR)
        await on_shelf(world, sku, 1)
        await world.give_back(order_id, {1: 1}, at=NEAR)
        assert await world.ended(order_id) == "CLOSED"
        assert await captures(world, order_id) == [PRICE_MINOR + SHIPPING_MINOR]
        await on_shelf(world, sku, 2)
        await world.assert_settled(order_id, kept_minor=PRICE_MINOR + SHIPPING_MINOR, sold={sku: 3})

    async def all_of_it() -> None:
        sku, order_id = await at_home(world)
        await world.decide_trial(order_id, {})
        assert await world.ended(order_id) == "CLOSED"
        total = 3 * PRICE_MINOR + SHIPPING_MINOR
        assert await captures(world, order_id) == [total]
        await world.assert_settled(order_id, kept_minor=total, sold={sku: 3})

    async def nothing() -> None:
        sku, order_id = await at_home(world)
        await world.give_back(order_id, {1: 3}, at=NEAR)
        assert await world.ended(order_id) == "CLOSED"
        order = await world.order(order_id)
        assert (order.customer_status, order.HasField("charge")) == ("returned", False)
        await on_shelf(world, sku, 3)
        await world.assert_settled(order_id, kept_minor=0, sold={sku: 3})

    await asyncio.gather(some(), all_of_it(), nothing())


async def test_time_reminds_once_and_takes_what_did_not_come_back(world: World) -> None:
    async def silent() -> tuple[str, str, int]:
        sku, order_id = await at_home(world)
        return sku, order_id, 3

    async def announced() -> tuple[str, str, int]:
        sku, order_id = await at_home(world)
        await world.decide_trial(order_id, {1: 2})
        await world.give_back(order_id, {1: 1})
        return sku, order_id, 2

    lives = await asyncio.gather(silent(), announced())
    for days in (5.1, 6, 7.1, 8):
        await world.watch(now() + days * DAY)
    for sku, order_id, kept in lives:
        assert await world.ended(order_id) == "CLOSED"
        told = await kinds(world, order_id)
        assert (told.count("order.trial_reminder"), told.count("order.trial_settled")) == (1, 1)
        amount = kept * PRICE_MINOR + SHIPPING_MINOR
        assert await captures(world, order_id) == [amount]
        await world.assert_settled(order_id, kept_minor=amount, sold={sku: 3})


async def test_a_scan_that_is_told_after_the_settlement_counts_and_its_money_goes_back(world: World) -> None:
    sku, order_id = await at_home(world)
    end = (await world.order(order_id)).trial.ends_at.ToDatetime(UTC)
    await world.watch(end + timedelta(minutes=1))
    assert await world.ended(order_id) == "CLOSED"
    await world.give_back(order_id, {1: 2}, when=end - timedelta(minutes=1))
    (refund,) = await world.refunds_in(order_id, "succeeded")
    assert (refund.kind, refund.amount.amount_minor) == ("goods", 2 * PRICE_MINOR)
    await world.assert_settled(order_id, kept_minor=PRICE_MINOR + SHIPPING_MINOR, sold={sku: 3})
    with pytest.raises(FailedPrecondition, match="TRIAL_OVER"):
        await world.give_back(order_id, {1: 1}, when=end + timedelta(seconds=1))


async def test_a_lost_parcel_is_not_waited_for_and_not_paid(world: World) -> None:
    sku = await world.stock({NEAR: 1, MID: 1})
    recorded = await world.record({sku: 2}, channel="tried", customer_id="cus_1")
    await world.place(recorded)
    order_id = recorded.order.order_id
    await world.ship(order_id)
    gone = await world.scan(await world.hand_over_all(order_id), "lost")
    assert not (await world.order(order_id)).HasField("trial")
    await world.decide(gone, "refund")
    await world.decide_trial(order_id, {})
    assert await world.ended(order_id) == "CLOSED"
    assert not (await world.order(order_id)).refunds
    await world.assert_settled(order_id, kept_minor=PRICE_MINOR + SHIPPING_MINOR, sold={sku: 2})


async def test_what_never_arrived_is_closed_without_a_trial_and_without_money(world: World) -> None:
    async def live(end: Callable[[str], Awaitable[Any]]) -> None:
        sku = await world.stock({NEAR: 1})
        recorded = await world.record({sku: 1}, channel="tried", customer_id="cus_1")
        await world.place(recorded)
        await end(recorded.order.order_id)
        assert await world.ended(recorded.order.order_id) == "CLOSED"
        await world.assert_settled(recorded.order.order_id, kept_minor=0, sold={sku: 1})

    async def lost(order_id: str) -> None:
        await world.decide(await world.scan(await world.hand_over_all(order_id), "lost"), "refund")

    async def sent_back(order_id: str) -> None:
        await world.scan(await world.hand_over_all(order_id), "returned")

    await asyncio.gather(live(lost), live(sent_back))


async def test_before_it_leaves_it_is_cancelled_like_any_other(world: World) -> None:
    sku = await world.stock({NEAR: 1})
    recorded = await world.record({sku: 1}, channel="tried", customer_id="cus_1")
    await world.place(recorded)
    await world.pack(await world.pick(await world.accept(recorded.order.order_id)))
    await world.cancel(recorded.order.order_id)
    assert await world.ended(recorded.order.order_id) == "CANCELLED"
    await world.assert_settled(recorded.order.order_id, kept_minor=0, sold={sku: 0})


async def test_what_cannot_be_found_anywhere_is_neither_tried_nor_paid(world: World) -> None:
    sku = await world.stock({NEAR: 1})
    recorded = await world.record({sku: 1}, channel="tried", customer_id="cus_1")
    await world.place(recorded)
    await world.pick(await world.accept(recorded.order.order_id), missing=1)
    assert await world.ended(recorded.order.order_id) == "CANCELLED"
    await world.assert_settled(recorded.order.order_id, kept_minor=0, sold={sku: 0})


async def test_a_declined_settlement_waits_for_a_person_as_any_capture(world: World) -> None:
    sku, order_id = await at_home(world, payment=DECLINES)
    await world.decide_trial(order_id, {})
    charge = await world.order_paid(order_id, "failed")
    assert (charge.reason, charge.amount.amount_minor) == ("do_not_honor", 3 * PRICE_MINOR + SHIPPING_MINOR)
    assert charge.next_try_at.seconds - charge.failed_since.seconds == 3600
    await world.retry_capture(order_id)
    await until(lambda: failed_again(world, order_id), "a second attempt")
    assert await captures(world, order_id) == []
    await world.override(order_id)
    assert await world.ended(order_id) == "CLOSED"
    assert await captures(world, order_id) == []
    await world.assert_settled(order_id, kept_minor=0, sold={sku: 3})


@pytest.mark.parametrize("fault", EACH)
async def test_what_is_kept_is_paid_once_whatever_goes_wrong_with_a_step(world: World, fault: Fault) -> None:
    async def live(step: str) -> None:
        sku = await world.stock({NEAR: 2})
        recorded = await world.record({sku: 2}, channel="tried", customer_id="cus_1")
        order_id = recorded.order.order_id
        world.faults.plan(order_id, step, fault)
        await world.place(recorded)
        await world.ship(order_id)
        await world.decide_trial(order_id, {1: 1})
        await world.give_back(order_id, {1: 1}, at=NEAR)
        await _with_help(world, order_id, _closed(world, order_id))
        await on_shelf(world, sku, 1)
        assert world.faults.is_spent(order_id), f"{step} was never taken"
        assert await captures(world, order_id) == [PRICE_MINOR + SHIPPING_MINOR]
        await world.assert_settled(order_id, kept_minor=PRICE_MINOR + SHIPPING_MINOR, sold={sku: 2})

    # Of these, a failure for good refuses the order, or waits for a person who looks at another story.
    others = ("authorised_until", "restock") if fault in RECOVERABLE else ()
    await asyncio.gather(*(live(step) for step in ("settle_payment", "record_capture", *others)))


async def _closed(world: World, order_id: str) -> None:
    assert await world.ended(order_id) == "CLOSED"


async def failed_again(world: World, order_id: str) -> bool:
    entries = (await world.orders.GetTimeline(orders.GetTimelineRequest(order_id=order_id))).entries
    return [one.kind for one in entries].count("order.capture_failed") == 2


async def test_an_authorisation_is_long_enough_or_may_be_made_again(world: World) -> None:
    sku = await world.stock({NEAR: 1})
    short = await world.record({sku: 1}, channel="tried", customer_id="cus_1", payment=SHORT)
    placement = await world.place(short)
    assert placement is not None
    assert placement.refusal is not None
    assert (placement.state, placement.refusal.reason) == ("refused", "AUTHORISATION_TOO_SHORT")
    assert "payment.save_means" in placement.refusal.detail
    await world.ended(short.order.order_id)
    await world.assert_settled(short.order.order_id, kept_minor=0, sold={sku: 0})
    # The same card, when it may be authorised again.
    kept = orders.PaymentTerms(payment_method_token="pm_card_shortHold", save_means=True)
    again = await world.record({sku: 1}, channel="tried", customer_id="cus_1", payment=kept)
    placement = await world.place(again)
    assert placement is not None
    assert placement.state == "validated"
    # A usual card is asked to be held for longer than usual.
    _, order_id = await at_home(world, units=1)
    ends = (await world.payment(order_id)).authorization_expires_at.ToDatetime(UTC)
    assert ends > now() + 11 * DAY


async def test_who_is_not_logged_in_is_told_so_before_anything_begins(world: World) -> None:
    sku = await world.stock({NEAR: 1})
    with pytest.raises(Exception, match="TRIAL_NEEDS_CUSTOMER"):
        await world.record({sku: 1}, channel="tried")
    _, order_id = await at_home(world, units=1)
    await world.decide_trial(order_id, {})
    await world.ended(order_id)
    with pytest.raises(FailedPrecondition) as caught:
        await world.give_back(order_id, {1: 1}, at=NEAR)
    assert caught.value.reason == "TRIAL_OVER"
