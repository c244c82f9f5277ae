"""Trials on a real database: what is kept of them, when time passes, and requests that come twice."""

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from kit.errors import InvalidArgument
from kit.feed import Bell
from services.orders.domain.capture import Outcome
from services.orders.domain.model import CaptureMoment, TrialTerms, Units
from services.orders.domain.states import CaptureState, OrderState
from services.orders.trying import Trying
from tests.services.orders.builders import (
    LIFE_CYCLE,
    NOON,
    PROMISE,
    Shop,
    leg,
    line,
    outcome,
    rows,
)

DAY = timedelta(days=1)
END = NOON + 7 * DAY
TRIED = replace(LIFE_CYCLE, capture_at=CaptureMoment.TRIAL, trial=TrialTerms(), lost_after_days=7)
LINES = (line(1, 3), line(2, 2, shipping_minor=0))


@pytest.fixture
def trying(orders_db: AsyncEngine) -> Trying:
    return Trying(orders_db, Bell())


async def at_home(shop: Shop) -> str:
    """An order whose only parcel arrived at noon."""
    await shop.service.publish_life_cycle(TRIED)
    order_id, (work,) = await shop.release("key-1", leg((1, 3), (2, 2)), lines=LINES)
    await shop.pack(work, captured=False)
    await shop.service.hand_over(shop.asked(), work, "T1", "bob", NOON)
    await shop.scan("e1", "T1", "delivered", NOON)
    return order_id


async def told(db: AsyncEngine) -> list[str]:
    found = await rows(db, "SELECT type FROM outbox WHERE type LIKE '%trial%' ORDER BY id")
    return [one.type.removeprefix("oms.orders.order.") for one in found]


async def test_an_order_that_may_not_be_tried_is_not_recorded(shop: Shop) -> None:
    await shop.service.publish_life_cycle(TRIED)
    with pytest.raises(InvalidArgument) as caught:
        await shop.record("key-1", line(1, 11))
    assert (caught.value.reason, caught.value.facts["field"]) == ("TRIAL_TOO_MANY_UNITS", "lines")


async def test_a_short_authorisation_is_answered_with_the_reason_however_often_it_is_asked(shop: Shop) -> None:
    await shop.service.publish_life_cycle(TRIED)
    order_id = await shop.record("key-1", *LINES)
    legs = [leg((1, 3), (2, 2))]
    for until in (NOON + 7 * DAY, NOON + 7 * DAY):
        planned = await shop.service.accept_order(
            shop.asked(), order_id, legs, PROMISE, "d", "authorized", NOON, authorised_until=until
        )
        assert planned.refusal is not None
        assert (planned.state, planned.refusal.reason) == (OrderState.RECORDED, "AUTHORISATION_TOO_SHORT")
    planned = await shop.service.accept_order(
        shop.asked(), order_id, legs, PROMISE, "d", "authorized", NOON, authorised_until=NOON + 12 * DAY
    )
    assert (planned.state, planned.refusal) == (OrderState.VALIDATED, None)


async def test_what_is_kept_is_billed_when_it_is_captured(
    shop: Shop, trying: Trying, orders_db: AsyncEngine
) -> None:
    order_id = await at_home(shop)
    asked = shop.asked()
    trial = await trying.decide(asked, order_id, [Units(1, "", 2)], "ada", NOON + DAY)
    assert trial is not None
    assert await trying.decide(asked, order_id, [Units(1, "", 2)], "ada", NOON + DAY) == trial
    given = shop.asked()
    for _ in range(2):
        trial = await trying.give_back(given, order_id, [Units(1, "", 2)], "store-lyon", "anna", NOON + 2 * DAY)
    view = await shop.service.get_order(order_id)
    order = view.order
    assert order.trial == trial
    assert order.charge is not None
    assert (order.charge.amount_minor, order.charge.state) == (8490, CaptureState.PENDING)
    assert await told(orders_db) == ["trial_begun", "trial_decided", "trial_units_back", "trial_settled"]
    assert not await rows(orders_db, "SELECT number FROM document")
    await shop.service.record_capture_of_order(shop.asked(), order_id, Outcome("captured", "", "", NOON + 2 * DAY))
    (bill,) = await rows(orders_db, "SELECT amount_minor, cause FROM document")
    assert (bill.amount_minor, bill.cause) == (8490, f"order/{order_id}")
    (obliged,) = await shop.service.list_obligations([order_id], "", 10)
    assert (obliged.captured_minor, obliged.units) == (8490, ())
    assert await shop.service.close_order(shop.asked(), order_id, END) == OrderState.CLOSED


async def test_time_reminds_once_and_settles_once(shop: Shop, trying: Trying, orders_db: AsyncEngine) -> None:
    order_id = await at_home(shop)
    for now in (NOON + 4 * DAY, NOON + 5 * DAY + DAY / 24, NOON + 6 * DAY, END + DAY / 24, END + DAY):
        await shop.service.watch_promises(now, 100)
    assert await told(orders_db) == ["trial_begun", "trial_reminder", "trial_settled"]
    order = (await shop.service.get_order(order_id)).order
    assert order.charge is not None
    assert (order.charge.amount_minor, order.watch_at) == (12490, None)
    assert (
        await outcome(trying.give_back(shop.asked(), order_id, [Units(1, "", 1)], "", "anna", END)) == "TRIAL_OVER"
    )


async def test_a_life_cycle_keeps_its_terms_through_the_database(shop: Shop) -> None:
    first = await shop.service.publish_life_cycle(TRIED)
    assert await shop.service.publish_life_cycle(TRIED) == first
    longer = await shop.service.publish_life_cycle(replace(TRIED, trial=TrialTerms(14, 3)))
    assert longer.version == first.version + 1
    assert (await shop.service.get_life_cycle("standard", 0)).trial == TrialTerms(14, 3)
