"""Holds as they are kept: decided once, lapsed by the clock, let go in waves."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from kit.errors import InvalidArgument
from kit.feed import Bell
from services.orders import holding
from services.orders.domain.awaiting import Outcome
from services.orders.domain.model import (
    AwaitedUnits,
    Change,
    ChangeRule,
    HoldDefault,
    HoldKind,
    HoldRule,
    Leg,
    Stage,
    StatusLabel,
    Trade,
    Units,
)
from services.orders.domain.states import FulfilmentState, OrderState
from services.orders.holding import Holding
from services.orders.reading import OrderFilter
from tests.services.orders.builders import (
    CHANNEL,
    COOLED,
    LIFE_CYCLE,
    NOON,
    Shop,
    leg,
    line,
    outcome,
    rows,
)

MIDNIGHT = NOON + timedelta(days=2)
SERVICE = ("customer_service",)


@pytest.fixture
def held(orders_db: AsyncEngine) -> Holding:
    return Holding(orders_db, Bell())


def pre_ordered(point: str = "store-lyon") -> Leg:
    return replace(leg((1, 2), point=point), hand_over_from=MIDNIGHT, latest_start=MIDNIGHT)


async def states(shop: Shop, order_id: str) -> tuple[OrderState, list[FulfilmentState]]:
    one = (await shop.service.get_order(order_id)).order
    return one.state, [work.state for work in one.fulfilments]


async def test_a_hold_is_placed_once_and_found_by_its_kind(
    shop: Shop, held: Holding, orders_db: AsyncEngine
) -> None:
    order_id = await shop.record()
    await shop.accept(order_id)
    asked = shop.asked()
    until = NOON + timedelta(days=1)
    for _ in range(2):
        hold = await held.place_hold(asked, order_id, "", "ask her", until, HoldDefault.RELEASE, "carol", NOON)
    one = (await shop.service.get_order(order_id)).order
    assert [each.kind for each in one.holds] == [HoldKind.COOLING_OFF, HoldKind.MANUAL]
    assert one.holds[1] == hold
    found = await shop.service.list_orders(OrderFilter(held_for=HoldKind.MANUAL), 10, None)
    assert [each.order.order_id for each in found] == [order_id]
    assert await shop.service.list_orders(OrderFilter(held_for=HoldKind.FRAUD), 10, None) == []
    assert await shop.service.release_order(shop.asked(), order_id, COOLED) == OrderState.VALIDATED
    released = await held.release_hold(shop.asked(), order_id, hold.hold_id, "", "carol", SERVICE, COOLED)
    assert released.outcome == "released"
    told = await rows(orders_db, "SELECT type FROM outbox ORDER BY id")
    assert [row.type.removeprefix("oms.orders.") for row in told][2:] == [
        "order.held",
        "order.hold_released",
        "order.holds_ended",
    ]
    assert await shop.service.release_order(shop.asked(), order_id, COOLED) == OrderState.RELEASED
    assert (
        await outcome(held.release_hold(shop.asked(), order_id, hold.hold_id, "", "carol", SERVICE, COOLED))
        == "HOLD_ENDED"
    )


async def test_the_clock_ends_holds_by_their_default(shop: Shop, held: Holding) -> None:
    kept, dropped = [await shop.record(f"key-{number}") for number in range(2)]
    for order_id, default in ((kept, HoldDefault.RELEASE), (dropped, HoldDefault.CANCEL)):
        await shop.accept(order_id)
        await held.place_hold(shop.asked(), order_id, "", "ask", MIDNIGHT, default, "carol", NOON)
    # Cooling-off is left to the story of each order for a moment; then it ends too.
    assert not await held.lapse_holds(COOLED, 10)
    assert await held.lapse_holds(COOLED + timedelta(minutes=1), 10)
    assert not await held.lapse_holds(MIDNIGHT - timedelta(seconds=1), 10)
    assert await held.lapse_holds(MIDNIGHT, 10)
    assert not await held.lapse_holds(MIDNIGHT, 10)
    assert (await states(shop, kept))[0] == OrderState.VALIDATED
    assert (await states(shop, dropped)) == (OrderState.CANCELLING, [FulfilmentState.CANCELLED])
    assert await shop.service.release_order(shop.asked(), kept, MIDNIGHT) == OrderState.RELEASED


async def test_pre_orders_are_let_go_no_faster_than_their_points_are_offered_them(
    shop: Shop, held: Holding, orders_db: AsyncEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(holding, "WAVE", 3)
    works = []
    for number in range(8):
        order_id = await shop.record(f"key-{number}")
        works += await shop.accept(order_id, pre_ordered())
        assert await shop.service.release_order(shop.asked(), order_id, COOLED) == OrderState.RELEASED
        still = await shop.service.offer_fulfilment(shop.asked(), works[-1], COOLED)
        assert still.state == FulfilmentState.PLANNED
    assert not await held.lapse_holds(MIDNIGHT - timedelta(seconds=1), 100)
    waiting = "SELECT fulfilment_id FROM fulfilment WHERE let_go_at IS NOT NULL AND state = 'planned'"
    offered = 0
    while await held.lapse_holds(MIDNIGHT, 100):
        let_go = [row.fulfilment_id for row in await rows(orders_db, waiting)]
        assert len(let_go) <= 3
        assert await held.lapse_holds(MIDNIGHT, 100) or offered + len(let_go) == 8, "it waits for room"
        assert [row.fulfilment_id for row in await rows(orders_db, waiting)] == let_go
        for work in let_go:
            one = await shop.service.offer_fulfilment(shop.asked(), work, MIDNIGHT)
            assert one.state == FulfilmentState.OFFERED
            offered += 1
    assert offered == 8


async def test_work_that_is_stuck_after_it_was_let_go_holds_nobody_up(
    shop: Shop, held: Holding, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(holding, "WAVE", 1)
    orders = [await shop.record(f"key-{number}") for number in range(2)]
    for order_id in orders:
        await shop.accept(order_id, pre_ordered())
        await shop.service.release_order(shop.asked(), order_id, COOLED)
    assert await held.lapse_holds(MIDNIGHT, 10)
    assert await held.lapse_holds(MIDNIGHT + holding.STUCK, 10), "the other one still waits"
    assert await held.lapse_holds(MIDNIGHT + holding.STUCK + timedelta(seconds=1), 10)
    assert not await held.lapse_holds(MIDNIGHT + holding.STUCK + timedelta(seconds=1), 10)


async def test_a_trade_lives_by_its_own_life_cycle(shop: Shop) -> None:
    rules = (
        HoldRule(HoldKind.FRAUD, 3600, HoldDefault.CANCEL, ("customer_service",)),
        HoldRule(HoldKind.STOCK, 0, HoldDefault.RELEASE, ()),
    )
    labels = (StatusLabel("validated", "fr", "Précommande enregistrée"),)
    game = replace(
        LIFE_CYCLE,
        life_cycle_id="pre-order",
        hold_rules=rules,
        change_rules=(ChangeRule(Change.CANCEL, "", Stage.PACK),),
        labels=labels,
        prepare_ahead_seconds=60,
        authorise_ahead_seconds=3600,
    )
    published = await shop.service.publish_life_cycle(game)
    assert published == await shop.service.publish_life_cycle(game)
    await shop.service.put_sales_channels([replace(CHANNEL, trades=(Trade("game", "pre-order"),))])
    plain, other = await shop.record("key-1"), await shop.record("key-2", trade="game")
    assert (await shop.service.get_order(plain)).order.life_cycle == LIFE_CYCLE
    assert (await shop.service.get_order(other)).order.life_cycle == published
    assert await outcome(shop.record("key-3", trade="food")) == "UNKNOWN_TRADE"
    with pytest.raises(InvalidArgument, match="no such life cycle") as unknown:
        await shop.service.put_sales_channels([replace(CHANNEL, trades=(Trade("food", "fresh"),))])
    assert unknown.value.facts["field"] == "channels[0].trades[0].life_cycle_id"


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"hold_rules": (HoldRule(HoldKind.FRAUD, -1, HoldDefault.RELEASE, ()),)}, "hold_rules[0].seconds"),
        ({"hold_rules": (HoldRule(HoldKind.STOCK, 5, HoldDefault.RELEASE, ()),)}, "hold_rules[0].seconds"),
        ({"hold_rules": (HoldRule(HoldKind.COOLING_OFF, 5, HoldDefault.RELEASE, ()),)}, "hold_rules[0].seconds"),
        ({"hold_rules": (HoldRule(HoldKind.FRAUD, 0, HoldDefault.CANCEL, ()),)}, "hold_rules[0].default"),
        ({"hold_rules": (HoldRule(HoldKind.FRAUD, 5, HoldDefault.CANCEL, ("",)),)}, "hold_rules[0].roles"),
        ({"hold_rules": (HoldRule(HoldKind.FRAUD, 5, HoldDefault.CANCEL, ()),) * 2}, "hold_rules[1].kind"),
        ({"change_rules": (ChangeRule(Change.CANCEL, "", Stage.PICK),) * 2}, "change_rules[1].role"),
        ({"labels": (StatusLabel("lost", "fr", "Perdu"),)}, "labels[0].status"),
        ({"labels": (StatusLabel("shipped", "FR", "Parti"),)}, "labels[0].language"),
        ({"labels": (StatusLabel("shipped", "fr", ""),)}, "labels[0].text"),
        ({"labels": (StatusLabel("shipped", "fr", "Parti"),) * 2}, "labels[1].language"),
        ({"prepare_ahead_seconds": -1}, "prepare_ahead_seconds"),
        ({"authorise_ahead_seconds": 0}, "authorise_ahead_seconds"),
    ],
)
async def test_a_life_cycle_that_makes_no_sense_is_refused_by_its_field(
    shop: Shop, change: dict[str, Any], field: str
) -> None:
    with pytest.raises(InvalidArgument) as refused:
        await shop.service.publish_life_cycle(replace(LIFE_CYCLE, **change))
    assert refused.value.facts["field"] == f"life_cycle.{field}"


async def test_what_is_to_come_is_kept_with_its_work_and_owed_by_no_point_until_it_came(
    shop: Shop, held: Holding
) -> None:
    order_id = await shop.record("key-1", line(1, 3))
    lines = (Units(1, "", 1), Units(1, "", 2, "po-1"))
    [work] = await shop.accept(order_id, replace(leg((1, 1)), lines=lines, waits_until=MIDNIGHT))
    await shop.service.release_order(shop.asked(), order_id, COOLED)
    one = (await shop.service.get_order(order_id)).order
    assert one.fulfilments[0].awaited == (AwaitedUnits(1, "SKU-1", 2, "po-1", MIDNIGHT),)
    assert not await held.lapse_holds(MIDNIGHT + timedelta(days=9), 10), "its date ends nothing"
    [owed] = await shop.service.list_obligations([order_id], "", 1)
    assert owed.units == (("SKU-1", "store-lyon", 1),), "what is to come is held nowhere"
    assert owed.awaited == (("po-1", 2),)
    asked = shop.asked()
    for _ in range(2):
        state, shares = await held.record_supply(asked, order_id, "po-1", Outcome.SERVED, 1, None, "", MIDNIGHT)
        assert (state, [share.lines for share in shares]) == (OrderState.RELEASED, [(Units(1, "SKU-1", 1),)])
    [owed] = await shop.service.list_obligations([order_id], "", 1)
    assert owed.units == (("SKU-1", "store-lyon", 2),)
    await held.record_supply(shop.asked(), order_id, "po-1", Outcome.SERVED, 1, None, "", MIDNIGHT)
    offered = await shop.service.offer_fulfilment(shop.asked(), work, MIDNIGHT)
    assert offered.state is FulfilmentState.OFFERED


async def test_a_delivery_of_which_something_came_or_not_names_how_much(shop: Shop, held: Holding) -> None:
    order_id = await shop.record()
    for wanted in (Outcome.SERVED, Outcome.LOST):
        with pytest.raises(InvalidArgument, match="at least 1"):
            await held.record_supply(shop.asked(), order_id, "po-1", wanted, 0, None, "", NOON)
