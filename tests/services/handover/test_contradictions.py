"""Races between a system and the rest of the world: each ends in orders' answer, or before a person."""

import asyncio
from datetime import timedelta

import pytest

from kit.errors import NotFound, OmsError
from services.handover.domain.model import AlertKind, MessageState, State
from services.orders.domain.model import Units
from tests.services.handover.messages import posted
from tests.services.handover.world import World, events


async def sent(world: World, *steps: str) -> str:
    """Work that the warehouse has, and has taken so far."""
    work = await world.offer(2)
    await world.until(work, State.SENT)
    if steps:
        await world.told(work, *steps)
        await world.look()
    return work


async def test_cancelled_work_is_stopped(world: World) -> None:
    work = await sent(world, "acknowledged")
    await world.cancel(work)
    await world.look()
    assert (await world.handover(work)).state is State.CANCELLED
    assert [one["status"] for one in world.warehouse.preparations()] == ["cancelled"]
    assert await world.alarming() == []


async def test_work_that_is_cancelled_before_it_was_sent_never_is(world: World) -> None:
    work = await world.offer(2)
    await world.follower.step(0)
    await world.cancel(work)
    await world.look()
    assert (await world.handover(work)).state is State.WITHDRAWN
    assert world.warehouse.preparations() == []


async def test_work_that_may_have_arrived_is_stopped_when_it_is_cancelled(world: World) -> None:
    world.warehouse.rule("lost_answer")
    work = await world.offer(2)
    await world.look()
    assert (await world.handover(work)).state is State.TO_SEND
    await world.cancel(work)
    await world.look(timedelta(seconds=5))
    assert (await world.handover(work)).state is State.CANCELLED
    assert [one["status"] for one in world.warehouse.preparations()] == ["cancelled"]


async def test_a_warehouse_that_cannot_stop_any_more_alarms(world: World) -> None:
    work = await sent(world, "acknowledged", "picked", "packed")
    await world.cancel(work)
    await world.look()
    assert (await world.handover(work)).state is State.TOO_LATE
    assert [one.kind for one in await world.alerts(work)] == [AlertKind.TOO_LATE]
    assert await world.alarming() == [work]


async def test_what_ships_though_it_agreed_to_stop_is_never_lost(world: World) -> None:
    world.warehouse.rule("ship_anyway")
    work = await sent(world, "acknowledged")
    await world.cancel(work)
    await world.look()
    assert (await world.handover(work)).state is State.CANCELLED
    await world.told(work, "picked", "packed", "shipped")
    await world.look()
    assert await world.state(work) == "cancelled"
    [alert] = await world.alerts(work)
    assert alert.kind is AlertKind.SHIPPED_AFTER_END
    [(kind, data)] = await events(world.engine)
    assert (kind, data["kind"], data["fulfilment_id"]) == (
        "oms.handover.handover.alerted",
        "shipped_after_end",
        work,
    )


async def test_an_order_to_stop_that_does_not_get_through_is_repeated_and_alarms(world: World) -> None:
    work = await sent(world, "acknowledged")
    world.warehouse.rule("down", count=3)
    await world.cancel(work)
    await world.look()
    assert (await world.handover(work)).state is State.TO_CANCEL
    await world.look(timedelta(minutes=11))
    assert [one.kind for one in await world.alerts(work)] == [AlertKind.NOT_CANCELLED]
    await world.look(timedelta(minutes=20))
    await world.look(timedelta(minutes=30))
    assert (await world.handover(work)).state is State.CANCELLED
    assert await world.alarming() == [], "it answered in the end"


async def test_the_customer_and_the_shipment_race_and_one_wins(world: World) -> None:
    work = await sent(world, "acknowledged", "picked", "packed")
    await world.capture(work)
    await world.told(work, "shipped")

    async def cancel() -> str:
        try:
            await world.cancel(work)
        except OmsError as error:
            return error.reason
        return "cancelled"

    outcome, _ = await asyncio.gather(cancel(), world.look())
    await world.look()
    state = await world.state(work)
    if outcome == "cancelled":
        assert state == "cancelled"
        assert AlertKind.SHIPPED_AFTER_END in [one.kind for one in await world.alerts(work)]
    else:
        assert (outcome, state) == ("TOO_LATE_TO_CANCEL", "handed_over")
        assert await world.alerts(work) == []


async def test_an_acknowledgement_after_the_offer_ended_takes_nothing_and_the_work_is_stopped(
    world: World,
) -> None:
    work = await sent(world)
    await world.lapse(work)
    await world.told(work, "acknowledged")
    await world.look()
    assert await world.state(work) == "lapsed"
    assert (await world.handover(work)).state is State.CANCELLED
    [heard] = await world.messages(work)
    assert heard.state is MessageState.SUPERSEDED
    assert [one.kind for one in await world.alerts(work)] == [AlertKind.NOT_ACKNOWLEDGED]


async def test_a_second_answer_that_says_something_else_alarms_and_changes_nothing(world: World) -> None:
    work = await sent(world, "acknowledged", "picked")
    lines = [{"line_number": 1, "quantity": 1}]
    await world.told(work, "picked", lines=lines)
    await world.look()
    assert [(one.line_number, one.quantity) for one in (await world.work(work)).lines] == [(1, 2)]
    [alert] = await world.alerts(work)
    assert alert.kind is AlertKind.CONTRADICTION
    assert (await world.messages(work))[-1].state is MessageState.CONTRADICTING


async def test_a_refusal_of_what_it_took_alarms(world: World) -> None:
    work = await sent(world, "acknowledged")
    await world.told(work, "refused", reason="no_staff")
    await world.look()
    assert await world.state(work) == "accepted"
    assert [one.text for one in await world.alerts(work)] == ["It refuses work that is accepted."]


async def test_a_pick_of_lines_that_were_not_asked_for_alarms(world: World) -> None:
    work = await sent(world, "acknowledged")
    await world.told(work, "picked", lines=[{"line_number": 7, "quantity": 1}])
    await world.look()
    assert await world.state(work) == "accepted"
    assert [one.text for one in await world.alerts(work)] == [
        "Orders does not take it: the fulfilment has no such line."
    ]


async def test_what_a_person_did_before_is_agreed_with(world: World) -> None:
    work = await sent(world, "acknowledged")
    await world.orders.record_pick(world.asked(), work, [Units(1, "SKU-1", 2)], "anna", world.now)
    await world.told(work, "picked")
    await world.look()
    assert (await world.handover(work)).state is State.PICKED
    assert await world.alarming() == []


@pytest.mark.parametrize("where", ["unknown", "of another system"])
async def test_a_message_about_what_it_was_not_sent_is_not_taken(world: World, where: str) -> None:
    payload, headers = posted("ful_unknown", "acknowledged")
    with pytest.raises(NotFound) as refused:
        await world.service.receive("wms" if where == "unknown" else "other", payload, headers, world.now)
    assert refused.value.reason == ("HANDOVER_NOT_FOUND" if where == "unknown" else "SYSTEM_NOT_FOUND")
