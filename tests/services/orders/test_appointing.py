"""Appointments of orders on a real database: recorded, moved once, told to the stories that carry moves out."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from kit.feed import Bell
from services.orders import store
from services.orders.appointing import Appointments
from services.orders.domain.model import DeliveryMode, Slot
from services.orders.domain.states import OrderState
from tests.services.orders.builders import BUYER, NOON, Shop, content, leg, outcome, rows
from tests.services.orders.domain.test_appointments import later, slot


@pytest.fixture
def appointments(orders_db: AsyncEngine) -> Appointments:
    return Appointments(orders_db, Bell())


async def met(shop: Shop, key: str = "key-1") -> str:
    """An order that is brought on Thursday."""
    order_id = await shop.record(key, mode=DeliveryMode.APPOINTMENT, booking_id="bkg_1")
    legs = [replace(leg((1, 2)), window=slot().window)]
    await shop.service.accept_order(
        shop.asked(), order_id, legs, slot().window, "dec_1", "authorized", NOON, "bkg_1", slot()
    )
    return order_id


def test_another_booking_is_another_order() -> None:
    booked = content(mode=DeliveryMode.WHITE_GLOVE, booking_id="bkg_1")
    other = content(mode=DeliveryMode.WHITE_GLOVE, booking_id="bkg_2")
    assert store.content_digest(booked, BUYER) != store.content_digest(other, BUYER)


async def test_what_becomes_of_an_appointment_is_kept_with_its_order(
    shop: Shop, appointments: Appointments, orders_db: AsyncEngine
) -> None:
    order_id = await met(shop)

    async def read() -> tuple[str, Slot]:
        found = (await shop.service.get_order(order_id)).order.appointment
        assert found is not None
        return found.state, found.slot

    assert await read() == ("booked", slot())
    moving = await appointments.request_move(shop.asked(), order_id, later(days=5), "ana", NOON)
    assert (moving.state, await read()) == ("moving", ("moving", slot()))
    await appointments.record_move(shop.asked(), order_id, 1, later(days=5), "", NOON)
    assert await read() == ("booked", later(days=5))
    order = (await shop.service.get_order(order_id)).order
    (work,) = order.fulfilments
    assert (order.promise, work.window) == (later(days=5).window, later(days=5).window)
    assert (work.next_window, work.next_hand_over_by) == (
        later(days=5).window,
        work.hand_over_by + timedelta(days=5),
    )
    state = await appointments.record_missed(
        shop.asked(), order_id, later(days=5).slot_id, "not_at_home", later(days=5).window.end
    )
    assert (state, (await read())[0]) == (OrderState.VALIDATED, "missed")
    told = await rows(orders_db, "SELECT type, subject, data FROM outbox ORDER BY id")
    assert [(row.type.removeprefix("oms.orders.order."), row.subject) for row in told[2:]] == [
        ("appointment_move_requested", f"appointment/{order_id}/move/1"),
        ("appointment_moved", f"order/{order_id}"),
        ("appointment_missed", f"order/{order_id}"),
    ]
    assert told[2].data["number"] == 1


async def test_of_many_who_move_an_appointment_at_once_one_does(shop: Shop, appointments: Appointments) -> None:
    order_id = await met(shop)
    moves = [
        outcome(appointments.request_move(shop.asked(), order_id, later(days=days), "ana", NOON))
        for days in range(1, 9)
    ]
    answers = await asyncio.gather(*moves)
    assert sorted(answers) == ["APPOINTMENT_MOVING"] * 7 + ["done"]


async def test_an_order_is_accepted_with_its_own_booking_only(shop: Shop) -> None:
    plain = await shop.record("plain")
    accepting = shop.service.accept_order(
        shop.asked(), plain, [leg((1, 2))], slot().window, "dec_1", "authorized", NOON, "bkg_1", slot()
    )
    assert await outcome(accepting) == "INVALID_FIELD"
