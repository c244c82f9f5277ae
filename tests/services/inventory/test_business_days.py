"""The end of the business day: written off once for each point and date, and told to the stock master (STK-6)."""

import asyncio
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.ext.asyncio import AsyncEngine

from kit import db
from kit.errors import FailedPrecondition, InvalidArgument, NotFound
from services.inventory.domain.business_day import OpenDays, WriteOffRules, date_at, end_of, first_due
from services.inventory.domain.declarations import Ending, Reason
from services.inventory.domain.ledger import Balance
from tests.conftest import MakeDatabase
from tests.services.inventory.shelves import DAY, HOUR, MINUTE, NIGHT, ShelfShop
from tests.services.inventory.shop import EDIT, NOON, line, point

ONE_DAY = timedelta(days=1)
ZONES = ("Europe/Paris", "Pacific/Apia", "America/Havana", "Asia/Kathmandu", "Pacific/Kiritimati", "UTC")


@pytest.fixture
async def shop(inventory_db: AsyncEngine) -> ShelfShop:
    found = ShelfShop(inventory_db)
    await found.open()
    await found.adjust(5)
    await found.adjust(5, "PAN")
    return found


async def test_what_is_declared_is_written_off_and_reported(shop: ShelfShop) -> None:
    broken = (await shop.declare(1)).declarations[0]
    sold = (await shop.declare(2, "PAN", reason=Reason.BEING_SOLD)).declarations[0]
    # It is there, in a parcel that nobody has unpacked yet.
    (packed,) = (await shop.declare(1, "PAN", reason=Reason.PACKED)).declarations
    report = await shop.close_day(as_of=NOON + HOUR)
    assert (report.point_id, report.business_date, report.line_count, report.units) == ("LYON", DAY, 2, 3)
    assert [(one.sku, one.reason, one.declaration_id, one.declared, one.quantity) for one in report.lines] == [
        ("DRESS", Reason.DAMAGED, broken.declaration_id, 1, 1),
        ("PAN", Reason.BEING_SOLD, sold.declaration_id, 2, 2),
    ]
    assert await shop.balance() == Balance("DRESS", "LYON", on_hand=4)
    assert await shop.balance("PAN") == Balance("PAN", "LYON", on_hand=3, unavailable=1)
    assert {one.ended_by for one in await shop.declared() if one != packed} == {Ending.END_OF_DAY}
    (told,) = await shop.told("oms.inventory.adjustments.reported")
    assert (told["report_id"], told["units"], told["business_date"]) == (report.report_id, 3, "2026-11-20")
    assert [one["sku"] for one in told["lines"]] == ["DRESS", "PAN"]  # type: ignore[attr-defined]
    assert await shop.days.get_report(report.report_id) == report
    assert await shop.days.list_reports("LYON", None, 10) == [replace(report, lines=())]
    await shop.assert_sound()


async def test_a_date_is_closed_once_whoever_asks(shop: ShelfShop) -> None:
    await shop.declare(1)
    first = await shop.close_day()
    await shop.declare(1)
    assert await shop.close_day(as_of=NOON + MINUTE) == first, "another request"
    assert (await shop.balance()).on_hand == 4
    assert len(await shop.told("oms.inventory.adjustments.reported")) == 1


async def test_the_same_request_gives_the_same_report_on_another_day(shop: ShelfShop) -> None:
    first = await shop.close_day(request="close-1")
    assert await shop.close_day(request="close-1", as_of=NOON + 3 * ONE_DAY) == first


async def test_what_is_declared_after_the_closing_waits_for_the_next_day(shop: ShelfShop) -> None:
    await shop.close_day()
    await shop.declare(1, as_of=NOON + HOUR)
    assert await shop.days.close_ended(NIGHT + 3 * HOUR) == []
    (report,) = await shop.days.close_ended(NIGHT + ONE_DAY + 3 * HOUR)
    assert (report.business_date, report.units) == (DAY + ONE_DAY, 1)


async def test_reserved_units_that_are_written_off_leave_their_order_short(shop: ShelfShop) -> None:
    await shop.declare(2, reason=Reason.NOT_FOUND)
    await shop.reserve("ord_1", line("DRESS", 3))
    await shop.declare(3, reason=Reason.NOT_FOUND)
    await shop.close_day()
    assert await shop.balance() == Balance("DRESS", "LYON", on_hand=0, reserved=3, short=3)
    (told,) = await shop.told("oms.inventory.adjustments.reported")
    assert told["short"] == 3
    await shop.assert_sound()


async def test_a_unit_that_left_the_books_already_is_not_taken_again(shop: ShelfShop) -> None:
    await shop.declare(2)
    await shop.adjust(-4)
    report = await shop.close_day()
    assert [(one.declared, one.quantity) for one in report.lines] == [(2, 1)]
    assert await shop.balance() == Balance("DRESS", "LYON")
    await shop.assert_sound()


async def test_only_the_reasons_of_the_setting_are_written_off(inventory_db: AsyncEngine) -> None:
    shop = ShelfShop(inventory_db, WriteOffRules(frozenset({Reason.NOT_FOUND})))
    await shop.open()
    await shop.adjust(5)
    await shop.declare(1, reason=Reason.OTHER)
    await shop.declare(1, reason=Reason.NOT_FOUND)
    (report,) = await shop.days.close_ended(NIGHT + 2 * HOUR)
    assert [one.reason for one in report.lines] == [Reason.NOT_FOUND]
    assert await shop.days.close_ended(NIGHT + 90 * ONE_DAY) == [], "what stays declared asks for no report"
    assert await shop.balance() == Balance("DRESS", "LYON", on_hand=4, unavailable=1)
    await shop.assert_sound()


async def test_the_process_closes_a_day_some_hours_after_midnight_at_the_point(shop: ShelfShop) -> None:
    await shop.service.put_stock_points([replace(point("PARIS"), time_zone="America/New_York")], EDIT)
    await shop.adjust(2, point_id="PARIS")
    await shop.declare(1)
    await shop.declare(1, point_id="PARIS")
    assert await shop.days.close_ended(NIGHT + 2 * HOUR - MINUTE) == []
    assert [one.point_id for one in await shop.days.close_ended(NIGHT + 2 * HOUR)] == ["LYON"]
    (there,) = await shop.days.close_ended(NIGHT + 8 * HOUR)
    assert (there.point_id, there.business_date) == ("PARIS", DAY)
    assert await shop.days.close_ended(NIGHT + 9 * HOUR) == []
    await shop.assert_sound()


async def test_missed_days_are_closed_once_each(shop: ShelfShop) -> None:
    for n in (0, 1, 3):
        await shop.declare(1, as_of=NOON + n * ONE_DAY)
    reports = await shop.days.close_ended(NIGHT + 5 * ONE_DAY)
    assert [(one.business_date, one.units) for one in reports] == [
        (DAY, 1),
        (DAY + ONE_DAY, 1),
        (DAY + 3 * ONE_DAY, 1),
    ]
    assert await shop.days.close_ended(NIGHT + 5 * ONE_DAY) == []
    older = await shop.days.list_reports("LYON", DAY + 3 * ONE_DAY, 10)
    assert [one.business_date for one in older] == [DAY + ONE_DAY, DAY]


async def test_replicas_that_end_the_same_day_end_it_once(shop: ShelfShop, make_database: MakeDatabase) -> None:
    for sku in ("DRESS", "PAN"):
        await shop.declare(2, sku)
    engine = db.connect(make_database("inventory").url)
    other = ShelfShop(engine)
    night = NIGHT + 3 * HOUR
    made = await asyncio.gather(
        *(one.days.close_ended(night) for one in (shop, other, shop, other)), shop.close_day(day=DAY, as_of=night)
    )
    await engine.dispose()
    assert made
    assert len(await shop.told("oms.inventory.adjustments.reported")) == 1
    assert (await shop.balance()).on_hand == 3
    assert (await shop.balance("PAN")).on_hand == 3
    await shop.assert_sound()


@pytest.mark.parametrize("_", range(5))
async def test_a_release_that_races_the_end_of_the_day_happens_before_it_or_not_at_all(
    shop: ShelfShop, _: int
) -> None:
    name = (await shop.declare(1)).declarations[0].declaration_id
    report, released = await asyncio.gather(
        shop.close_day(), shop.give_back(0, "", "", name), return_exceptions=True
    )
    assert not isinstance(report, BaseException)
    if isinstance(released, BaseException):
        assert isinstance(released, FailedPrecondition)
        assert released.reason == "DECLARATION_ENDED"
        assert (report.units, (await shop.balance()).on_hand) == (1, 4)
    else:
        assert (report.units, (await shop.balance()).on_hand) == (0, 5)
    await shop.assert_sound()


async def test_sales_that_race_the_end_of_the_day_take_each_unit_once(shop: ShelfShop) -> None:
    await shop.declare(3, reason=Reason.BEING_SOLD)
    night = NIGHT + 3 * HOUR
    await asyncio.gather(
        shop.days.close_ended(night),
        *(shop.sell(1, at=NOON + MINUTE, as_of=night) for _ in range(3)),
        shop.days.close_ended(night),
    )
    assert await shop.balance() == Balance("DRESS", "LYON", on_hand=2)
    await shop.assert_sound()


async def test_a_day_that_has_not_begun_is_not_closed(shop: ShelfShop) -> None:
    with pytest.raises(InvalidArgument) as refusal:
        await shop.close_day(day=DAY + ONE_DAY)
    assert refusal.value.facts["field"] == "business_date"
    assert (await shop.close_day(day=DAY + ONE_DAY, as_of=NIGHT)).business_date == DAY + ONE_DAY
    with pytest.raises(InvalidArgument) as refusal:
        await shop.close_day("NOWHERE")
    assert refusal.value.facts["field"] == "point_id"
    with pytest.raises(NotFound, match="ADJUSTMENT_REPORT_NOT_FOUND"):
        await shop.days.get_report("adj_nothing")


async def test_a_day_before_takes_only_what_was_declared_before_its_end(shop: ShelfShop) -> None:
    await shop.declare(1)
    await shop.declare(1, as_of=NOON + ONE_DAY)
    assert (await shop.close_day(day=DAY, as_of=NOON + ONE_DAY + HOUR)).units == 1
    assert [one.declared_at for one in await shop.declared(ended=False)] == [NOON + ONE_DAY]


@given(
    zone=st.sampled_from(ZONES),
    day=st.dates(date(2000, 1, 1), date(2035, 1, 1)),
    minutes=st.integers(-4000, 4000),
)
def test_every_instant_before_the_end_of_its_day_is_of_a_day_that_is_not_over(
    zone: str, day: date, minutes: int
) -> None:
    instant = end_of(zone, day) + minutes * MINUTE
    assert (instant < end_of(zone, day)) == (date_at(zone, instant) <= day)


@given(
    zone=st.sampled_from(ZONES),
    since=st.datetimes(datetime(2011, 12, 1), datetime(2035, 1, 1), timezones=st.just(UTC)),
    days=st.integers(0, 5),
    hours_after=st.integers(0, 23),
    closed=st.sets(st.integers(0, 5)),
)
def test_a_due_date_is_over_not_closed_and_covers_the_declaration(
    zone: str, since: datetime, days: int, hours_after: int, closed: set[int]
) -> None:
    first = date_at(zone, since)
    done = frozenset(first + n * ONE_DAY for n in closed)
    rules = WriteOffRules(hours_after=hours_after)
    now = since + days * ONE_DAY
    day = first_due(OpenDays("P", zone, since, done), now, rules)
    if day is None:
        assert first in done or end_of(zone, first) + hours_after * HOUR > now
    else:
        assert day not in done
        assert since < end_of(zone, day) <= now - hours_after * HOUR
