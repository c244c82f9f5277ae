"""Silence raises an alert, once; who speaks in the end closes it, or a person does."""

import asyncio
from datetime import timedelta

import pytest

from kit.errors import Conflict, FailedPrecondition, InvalidArgument, NotFound
from services.handover.domain.model import AlertKind, State
from services.handover.service import Filters
from tests.services.handover.world import POLL, World, events

# The latest start is 10 minutes after the offer, then 10 of tolerance; the parcel is due after 6 h, then 1 h more.
NOT_YET, ACKNOWLEDGEMENT_MISSED = timedelta(minutes=19), timedelta(minutes=21)
SHIPMENT_MISSED = timedelta(hours=7, minutes=1)


async def silent(world: World, *steps: str) -> str:
    """Work that the warehouse has, and goes no further with."""
    world.warehouse.rule("idle")
    work = await world.offer(2)
    await world.until(work, State.SENT)
    if steps:
        await world.told(work, *steps)
        await world.look()
    return work


async def test_work_that_is_not_acknowledged_alarms_once(world: World) -> None:
    work = await silent(world)
    await world.look(NOT_YET)
    assert await world.alerts(work) == []
    await world.look(ACKNOWLEDGEMENT_MISSED)
    await world.look(ACKNOWLEDGEMENT_MISSED + POLL)
    [alert] = await world.alerts(work)
    assert alert.kind is AlertKind.NOT_ACKNOWLEDGED
    assert await world.alarming() == [work]
    handover = await world.handover(work)
    told = {
        "order_id": handover.order_id,
        "channel_id": "web-fr",
        "fulfilment_id": work,
        "point_id": "wh-orleans",
        "system_id": "wms",
        "alert_id": alert.alert_id,
        "kind": "not_acknowledged",
    }
    assert await events(world.engine) == [("oms.handover.handover.silent", told)]


async def test_a_parcel_that_does_not_ship_alarms_and_the_alarm_ends_with_it(world: World) -> None:
    work = await silent(world, "acknowledged", "picked", "packed")
    await world.look(SHIPMENT_MISSED)
    assert [one.kind for one in await world.alerts(work)] == [AlertKind.NOT_SHIPPED]
    await world.capture(work)
    await world.told(work, "shipped")
    await world.look(SHIPMENT_MISSED)
    assert (await world.handover(work)).state is State.SHIPPED
    assert await world.alarming() == []
    [alert] = await world.alerts(work)
    assert (alert.closed_by, alert.closed_at is None) == ("", False)


async def test_the_offer_lapses_as_ever_and_the_system_is_told_to_stop(world: World) -> None:
    work = await silent(world)
    await world.lapse(work)
    await world.look()
    assert (await world.handover(work)).state is State.CANCELLED
    assert [one.kind for one in await world.alerts(work)] == [AlertKind.NOT_ACKNOWLEDGED]


async def test_a_system_that_is_away_for_good_alarms_too(world: World) -> None:
    world.warehouse.rule("down", count=100)
    work = await world.offer(2)
    await world.look(timedelta(minutes=80))
    assert [one.kind for one in await world.alerts(work)] == [AlertKind.NOT_ACKNOWLEDGED]
    assert (await world.handover(work)).state is State.TO_SEND


async def test_a_system_that_is_away_when_it_is_asked_is_asked_again_a_little_later(world: World) -> None:
    work = await silent(world)
    world.warehouse.rule("down")
    await world.look(POLL)
    assert (await world.handover(work)).last_error == "HTTP_503"
    await world.look(POLL + timedelta(seconds=5))
    found = await world.handover(work)
    assert (found.last_error, found.attempts) == ("", 0)


async def test_what_the_system_has_lost_is_sent_again(world: World) -> None:
    work = await silent(world)
    books = world.warehouse
    await asyncio.to_thread(books.http.delete, f"/_desk/preparation-orders/{work}")
    await world.look(POLL)
    assert (await world.handover(work)).last_error == "UNKNOWN_TO_SYSTEM"
    await world.look(POLL + timedelta(seconds=5))
    assert (await world.handover(work)).state is State.SENT
    assert len(books.preparations()) == 1


async def test_a_person_closes_an_alert_once_and_says_what_was_done(world: World) -> None:
    work = await silent(world)
    await world.look(ACKNOWLEDGEMENT_MISSED)
    [alert] = await world.alerts(work)
    closing = world.service.close_alert
    for _ in range(2):
        closed = await closing("req-1", b"same", alert.alert_id, "called them", "anna", world.now)
        assert (closed.closed_by, closed.note) == ("anna", "called them")
    with pytest.raises(Conflict):
        await closing("req-1", b"other", alert.alert_id, "", "anna", world.now)
    with pytest.raises(FailedPrecondition) as refused:
        await closing("req-2", b"", alert.alert_id, "", "ben", world.now)
    assert (refused.value.reason, refused.value.facts["closed_by"]) == ("ALERT_CLOSED", "anna")
    with pytest.raises(NotFound):
        await closing("req-3", b"", "alt_unknown", "", "ben", world.now)
    assert await world.alarming() == []
    await world.look(ACKNOWLEDGEMENT_MISSED + POLL)
    assert await world.alarming() == [], "the same silence is not news again"


async def test_lists_come_in_pages_newest_first_and_by_what_is_asked(world: World) -> None:
    first, second, third = [await world.offer(1) for _ in range(3)]
    await world.look()
    listing = world.service.list_handovers
    page = await listing(Filters(), 2, "")
    assert [one.handover.fulfilment_id for one in page.handovers] == [third, second]
    page = await listing(Filters(), 2, page.next_cursor)
    assert ([one.handover.fulfilment_id for one in page.handovers], page.next_cursor) == ([first], "")
    order_id = (await world.handover(second)).order_id
    assert len((await listing(Filters(order_id=order_id), 0, "")).handovers) == 1
    assert len((await listing(Filters(states=[State.SENT], system_ids=["wms"]), 0, "")).handovers) == 3
    assert not (await listing(Filters(states=[State.SHIPPED]), 0, "")).handovers
    for size, cursor, field in ((501, "", "page.size"), (0, "x", "page.cursor")):
        with pytest.raises(InvalidArgument) as wrong:
            await listing(Filters(), size, cursor)
        assert wrong.value.facts["field"] == field
