"""Random lives with a fixed seed: whatever people and points do, at the end nothing is left behind."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import suppress

import pytest
import pytest_asyncio

from kit.errors import FailedPrecondition
from oms.inventory.v1 import inventory_service_pb2 as inv
from oms.orders.v1 import orders_service_pb2 as orders
from tests.conftest import MakeDatabase
from tests.simulators.payment_provider import running as running_provider
from tests.workflows.start import running
from tests.workflows.world import FAR, MID, NEAR, PREPARED, PRICE_MINOR, SHIPPING_MINOR, World, until

pytestmark = [pytest.mark.attack, pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(1500)]
SEED = 20270301
LIVES = 96
AT_ONCE = 12
LAST_UNITS = 6
TOKENS = ("pm_card_visa",) * 8 + ("pm_card_visa_chargeDeclined", "pm_card_authenticationRequired")
# Money is taken at the shipment, at the preparation, with the order.
CHANNELS = ("web", "prepared", "prepaid")
# What carriers say; in the end most parcels arrive.
FATES = ("delivered",) * 8 + ("in_transit", "delivery_failed", "lost", "damaged", "returning", "returned")
REASONS = ("not_found", "damaged", "no_staff", "no_time", "other")
OPEN = (
    orders.FULFILMENT_STATE_PLANNED,
    orders.FULFILMENT_STATE_OFFERED,
    orders.FULFILMENT_STATE_ACCEPTED,
    orders.FULFILMENT_STATE_PICKED,
    orders.FULFILMENT_STATE_PACKED,
    orders.FULFILMENT_STATE_HANDED_OVER,
    orders.FULFILMENT_STATE_RETURNING,
)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(
    make_database: MakeDatabase, temporal_address: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[World]:
    with running_provider(tmp_path_factory.mktemp("provider")) as provider:
        async with running(make_database, temporal_address, provider) as started:
            yield started


async def test_random_lives_end_with_holds_at_zero_and_money_equal_to_what_was_kept(world: World) -> None:
    chance = random.Random(SEED)
    for _ in range(LIVES // AT_ONCE):
        seeds = [chance.getrandbits(32) for _ in range(AT_ONCE)]
        await asyncio.gather(*(_live(world, seed) for seed in seeds))


async def _live(world: World, seed: int) -> None:
    chance = random.Random(seed)
    units = {point: chance.randint(0, 3) for point in (NEAR, MID, FAR)}
    units[NEAR] += 1
    sku = await world.stock(units)
    wanted = chance.randint(1, 4)
    recorded = await world.record({sku: wanted}, token=chance.choice(TOKENS), channel=chance.choice(CHANNELS))
    order_id = recorded.order.order_id
    if chance.random() < 0.3:
        world.provider.fault("capture", "decline", order_id=order_id)
    placing = asyncio.create_task(world.place(recorded))
    if chance.random() < 0.1:
        await _try_cancel(world, order_id)
    placement = await placing
    assert placement is not None
    if placement.state == "action_required":
        await world.customer_confirms(order_id, chance.choice(("approve", "refuse")))
    while not await _is_over(world, order_id):
        for work in (await world.order(order_id)).fulfilments:
            try:
                await _work(world, chance, work)
            except FailedPrecondition:
                continue  # somebody was faster, or the money is not there yet
        if (await world.order(order_id)).charge.capture_state == "failed":
            with suppress(FailedPrecondition):
                await world.retry_capture(order_id)
        if chance.random() < 0.02:
            await _try_cancel(world, order_id)
    state = await world.ended(order_id)
    await _assert_consistent(world, order_id, sku, units, state)


async def _is_over(world: World, order_id: str) -> bool:
    state = (await world.order(order_id)).state
    return state in (orders.ORDER_STATE_REFUSED, orders.ORDER_STATE_CANCELLED, orders.ORDER_STATE_CLOSED)


async def _try_cancel(world: World, order_id: str) -> None:
    try:
        await world.cancel(order_id)
    except FailedPrecondition as error:
        if error.reason != "TOO_LATE_TO_CANCEL":
            raise


async def _work(world: World, chance: random.Random, work: orders.Fulfilment) -> None:
    """One act of the point or the carrier, if there is one to do."""
    if work.state == orders.FULFILMENT_STATE_OFFERED:
        accepts = chance.random() < 0.7
        answer = (
            world.orders.AcceptOffer(
                orders.AcceptOfferRequest(request_id=f"a/{work.fulfilment_id}", fulfilment_id=work.fulfilment_id)
            )
            if accepts
            else world.orders.RefuseOffer(
                orders.RefuseOfferRequest(
                    request_id=f"r/{work.fulfilment_id}",
                    fulfilment_id=work.fulfilment_id,
                    reason=chance.choice(REASONS),
                )
            )
        )
        await answer
    elif work.state == orders.FULFILMENT_STATE_ACCEPTED:
        quantity = work.lines[0].quantity
        await world.pick(work, missing=chance.randint(1, quantity) if chance.random() < 0.25 else 0)
    elif work.state == orders.FULFILMENT_STATE_PICKED:
        await world.pack(work)
    elif work.parcel.capture_state == "failed":
        await _decide(world, chance, work)
    elif work.state == orders.FULFILMENT_STATE_PACKED and work.parcel.capture_state in ("captured", "not_needed"):
        await world.hand_over(work)
    elif work.state in (orders.FULFILMENT_STATE_HANDED_OVER, orders.FULFILMENT_STATE_RETURNING):
        await world.scan(work, chance.choice(FATES))
    elif work.HasField("parcel") and work.parcel.HasField("loss") and not work.parcel.loss.decision:
        await world.decide(work, chance.choice(("reship", "refund")))


async def _decide(world: World, chance: random.Random, work: orders.Fulfilment) -> None:
    """A bank declined: somebody asks again, or gives the parcel up."""
    if chance.random() < 0.5:
        await world.retry_capture(work.order_id, work.fulfilment_id)
    else:
        await world.give_up(work.fulfilment_id)


async def _assert_consistent(world: World, order_id: str, sku: str, units: dict[str, int], state: str) -> None:
    order = await world.order(order_id)
    delivered = sum(row.to_unit - row.from_unit for row in order.ranges if row.state == "delivered")
    sent = sum(line.quantity for row in order.fulfilments if row.state in PREPARED for line in row.lines)
    brought = sum(
        row.parcel.shipping.amount_minor
        for row in order.fulfilments
        # Money that came although its parcel was given up keeps the fee, and no other parcel brings it again.
        if row.parcel.capture_state == "captured"
    )
    fee = SHIPPING_MINOR if order.HasField("charge") else brought
    kept = PRICE_MINOR * delivered + fee if delivered else 0
    assert (state == "CLOSED") == (sent > 0)
    assert not any(row.state in OPEN for row in order.fulfilments)
    await world.assert_settled(order_id, kept_minor=kept, sold={sku: sent})
    if delivered:
        await _give_back(world, order_id, kept)
    rows = (await world.inventory.ListBalances(inv.ListBalancesRequest(skus=[sku]))).balances
    assert sum(row.on_hand for row in rows) == sum(units.values()) - sent


async def _give_back(world: World, order_id: str, kept: int) -> None:
    """Some units, then all that is left: to the cent, and no more."""
    line = orders.PlannedLine(line_number=1, quantity=1)
    some = await world.refund(order_id, kind="goods", lines=[line])
    rest = 0
    if kept > some.amount.amount_minor:
        rest = (await world.refund(order_id, kind="goods", whole=True)).amount.amount_minor
    assert some.amount.amount_minor + rest == kept
    await world.refunds_in(order_id, "succeeded")
    await world.assert_money(order_id, 0)


async def test_the_last_unit_is_sold_once_again_and_again(world: World) -> None:
    async def buy(sku: str) -> str:
        placement = await world.place(await world.record({sku: 1}))
        assert placement is not None
        return placement.state

    for _ in range(LAST_UNITS):
        sku = await world.stock({NEAR: 1})
        outcomes = await asyncio.gather(*(buy(sku) for _ in range(50)))
        assert sorted(outcomes) == ["refused"] * 49 + ["validated"]
        await until(lambda sku=sku: _one_is_held(world, sku))  # type: ignore[misc]


async def _one_is_held(world: World, sku: str) -> bool:
    (row,) = (await world.inventory.ListBalances(inv.ListBalancesRequest(skus=[sku]))).balances
    assert row.reserved <= row.on_hand == 1
    return row.reserved == 1
