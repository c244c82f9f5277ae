"""A preparation order goes to a warehouse and comes back, whatever the warehouse does on the way."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from services.handover.domain.model import AlertKind, MessageState, State
from tests.services.handover.world import POLL, SYSTEM, World, events, eventually


async def captured(world: World, fulfilment_id: str) -> None:
    """The money of the parcel comes as soon as it is packed, while the service looks on."""

    async def packed() -> bool:
        await world.look()
        return await world.state(fulfilment_id) == "packed"

    await eventually(packed)
    await world.capture(fulfilment_id)


async def test_a_warehouse_prepares_and_ships_an_order(busy_world: World) -> None:
    world = busy_world
    work = await world.offer(2, 1)
    await captured(world, work)
    await world.until(work, State.SHIPPED)
    found = await world.work(work)
    assert found.state.value == "handed_over"
    assert found.parcel is not None
    assert found.parcel.weight_grams == 1170
    assert found.parcel.tracking_code.startswith("WMS")
    [sent] = world.warehouse.preparations()
    assert sent["ship_to"]["street_lines"] == ["7 impasse du Secret"]
    assert [one["quantity"] for one in sent["lines"]] == [2, 1]
    assert await world.alarming() == []
    assert (await world.handover(work)).due_at is None, "nothing is left to do"


async def test_what_is_not_found_is_short(busy_world: World) -> None:
    world = busy_world
    world.warehouse.rule("short", found={1: 1})
    work = await world.offer(2, 1)
    await captured(world, work)
    await world.until(work, State.SHIPPED)
    assert [(one.line_number, one.quantity) for one in (await world.work(work)).lines] == [(1, 1)]


async def test_nothing_found_ends_it(busy_world: World) -> None:
    busy_world.warehouse.rule("short")
    work = await busy_world.offer(2)
    await busy_world.until(work, State.SHORT)
    assert await busy_world.state(work) == "short"
    assert await busy_world.alarming() == []


async def test_a_refusal_sends_the_units_elsewhere(busy_world: World) -> None:
    busy_world.warehouse.rule("refuse", reason="damaged")
    work = await busy_world.offer(2)
    await busy_world.until(work, State.REFUSED)
    found = await busy_world.work(work)
    assert (found.state.value, found.refusal_reason) == ("refused", "damaged")
    assert await busy_world.alarming() == []


async def test_an_order_that_the_warehouse_does_not_take_is_refused_at_once_and_alarms(world: World) -> None:
    world.warehouse.rule("reject")
    work = await world.offer(2)
    await world.until(work, State.REFUSED)
    assert await world.state(work) == "refused"
    [alert] = await world.alerts(work)
    assert (alert.kind, alert.text) == (
        AlertKind.REJECTED,
        "It takes no such preparation order: ORDER_NOT_ACCEPTED.",
    )


@pytest.mark.parametrize("kind", ["duplicate", "repeat", "shuffle"])
async def test_messages_that_come_twice_or_out_of_order_are_acted_on_once(busy_world: World, kind: str) -> None:
    world = busy_world
    world.warehouse.rule(kind)
    work = await world.offer(2, 1)
    await captured(world, work)
    await world.until(work, State.SHIPPED, after=timedelta(seconds=10))
    await world.heard(work, 8 if kind == "repeat" else 4)
    await world.look()
    states = {one.state for one in await world.messages(work)}
    assert states <= {MessageState.DONE, MessageState.SUPERSEDED}
    assert len([one for one in await world.messages(work) if one.state is MessageState.DONE]) <= 4
    assert await world.alarming() == []


async def test_who_has_picked_has_taken_the_work(world: World) -> None:
    work = await world.offer(2)
    await world.until(work, State.SENT)
    await world.told(work, "picked")
    await world.look()
    assert await world.state(work) == "picked"
    await world.told(work, "acknowledged")
    await world.look()
    assert [one.state for one in await world.messages(work)] == [MessageState.DONE, MessageState.SUPERSEDED]


async def test_a_message_that_is_ahead_of_the_others_waits_for_them(world: World) -> None:
    work = await world.offer(2)
    await world.until(work, State.SENT)
    await world.told(work, "packed")
    await world.look()
    [packed] = await world.messages(work)
    assert (packed.state, packed.reason) == (MessageState.WAITING, "OUT_OF_ORDER")
    assert await world.state(work) == "offered"
    await world.told(work, "picked")
    await world.look()
    assert await world.state(work) == "packed"


async def test_what_was_lost_on_its_way_is_asked_for(busy_world: World) -> None:
    busy_world.warehouse.rule("mute")
    work = await busy_world.offer(2)
    await busy_world.until(work, State.SENT)
    await asyncio.sleep(0.3)  # the warehouse is through with it; only its status could tell
    await busy_world.look()
    assert await busy_world.messages(work) == []
    await busy_world.until(work, State.PACKED, after=POLL)
    await busy_world.capture(work)
    await busy_world.until(work, State.SHIPPED, after=POLL)
    assert await busy_world.alarming() == []


async def test_a_warehouse_that_is_down_gets_it_once_it_is_back(world: World) -> None:
    world.warehouse.rule("down", count=2)
    work = await world.offer(2)
    await world.look()
    found = await world.handover(work)
    assert (found.state, found.attempts, found.last_error) == (State.TO_SEND, 1, "HTTP_503")
    await world.look(timedelta(seconds=2))
    await world.look(timedelta(seconds=10))
    found = await world.handover(work)
    assert (found.state, found.attempts, found.last_error) == (State.SENT, 0, "")
    assert len(world.warehouse.preparations()) == 1


async def test_an_answer_that_was_lost_is_no_second_order(world: World) -> None:
    world.warehouse.rule("lost_answer")
    work = await world.offer(2)
    await world.look()
    assert (await world.handover(work)).last_error == "NO_ANSWER"
    await world.look(timedelta(seconds=5))
    assert (await world.handover(work)).state is State.SENT
    assert len(world.warehouse.preparations()) == 1


async def test_what_shipped_before_its_money_waits_for_it(world: World) -> None:
    work = await world.offer(2)
    await world.until(work, State.SENT)
    await world.told(work, "acknowledged", "picked", "packed", "shipped")
    await world.look()
    assert await world.state(work) == "packed"
    assert [one.reason for one in await world.messages(work)] == ["", "", "", "NOT_CAPTURED"]
    assert await world.alerts(work) == [], "it takes a moment"
    await world.capture(work)
    await world.look()
    assert await world.state(work) == "handed_over", "the capture woke it"
    assert (await world.handover(work)).state is State.SHIPPED


async def test_what_was_packed_waits_until_its_people_say_that_it_is_engraved(world: World) -> None:
    work = await world.offer(2, engraved="Zoé")
    await world.until(work, State.SENT)
    await world.told(work, "acknowledged", "picked", "packed")
    await world.look()
    assert await world.state(work) == "picked"
    assert [one.reason for one in await world.messages(work)] == ["", "", "NOT_PERSONALISED"]
    assert await world.alerts(work) == []
    for step in (world.orders.begin_personalisation, world.orders.complete_personalisation):
        await step(world.asked(), work, "anna", world.now)
    await world.look()
    assert await world.state(work) == "packed", "that it is done woke it"


async def test_what_shipped_without_its_money_alarms_until_a_person_lets_it_go(world: World) -> None:
    work = await world.offer(2)
    await world.until(work, State.SENT)
    await world.told(work, "acknowledged", "picked", "packed", "shipped")
    await world.look()
    await world.capture(work, "failed")
    await world.look(timedelta(seconds=5))
    assert [one.kind for one in await world.alerts(work)] == [AlertKind.SHIPPED_UNPAID]
    await world.capture(work, "overridden")
    await world.look()
    assert await world.state(work) == "handed_over"
    assert await world.alarming() == [], "it is in order now"


async def test_a_point_of_nobody_and_a_system_that_is_off_get_nothing(world: World) -> None:
    other = await world.offer(1, point="store-lyon")
    await world.look()
    await world.service.put_systems([replace(SYSTEM, enabled=False)], "anna", world.now)
    off = await world.offer(1)
    await world.look()
    assert world.warehouse.preparations() == []
    for each in (other, off):
        assert await world.state(each) == "offered"


async def test_what_a_person_took_is_not_sent(world: World) -> None:
    work = await world.offer(2)
    await world.orders.accept_offer(world.asked(), work, "anna", world.now)
    await world.look()
    assert (await world.handover(work)).state is State.WITHDRAWN
    assert world.warehouse.preparations() == []
    assert await events(world.engine) == []
