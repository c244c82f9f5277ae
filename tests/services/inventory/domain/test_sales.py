"""Mean daily sales and cover: which rate counts, over how many days, and when there is no figure to give."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.inventory.domain import sales
from services.inventory.domain.facts import Fact, FactKey, FactKind, SalesRate, Stated
from services.inventory.domain.ledger import Balance
from services.inventory.domain.sales import DAY, NoCover, RateSource, Sold
from tests.services.inventory.shop import NOON

TICK = timedelta(microseconds=1)
TEN = Balance("PAN", "LYON", on_hand=13, reserved=2, unavailable=1)


def imported(thousandths: int | None, *, days_old: float = 0, dated: bool = True) -> Fact:
    at = NOON - days_old * DAY
    content = None if thousandths is None else SalesRate(thousandths)
    stated = Stated("bi", 1, at if dated else None, "bi", NOON if dated else at)
    return Fact(FactKey("PAN", "LYON", FactKind.SALES_RATE), content, stated)


@pytest.mark.parametrize(
    ("age", "days"),
    [
        (timedelta(0), 1),
        (TICK, 1),
        (DAY, 1),
        (DAY + TICK, 2),
        (27 * DAY, 27),
        (27 * DAY + TICK, 28),
        (28 * DAY, 28),
        (400 * DAY, 28),
    ],
)
def test_a_young_position_is_measured_over_the_days_that_it_has_had_units(age: timedelta, days: int) -> None:
    assert sales.days_on_sale(Sold(5, NOON - age), NOON) == days


def test_a_position_that_never_had_a_unit_has_no_days() -> None:
    assert sales.days_on_sale(Sold(), NOON) == 0


@given(st.integers(-50, 10**9), st.integers(1, 28))
def test_a_mean_is_the_nearest_thousandth_and_never_below_zero(units: int, days: int) -> None:
    found = sales.mean_thousandths(units, days)
    assert found >= 0
    assert abs(found * days - max(0, units) * 1_000) * 2 <= days


def test_a_mean_is_rounded_half_up() -> None:
    assert sales.mean_thousandths(1, 28) == 36
    assert sales.mean_thousandths(1, 16) == 63, "62.5"


def test_cover_is_what_is_available_over_what_sells_a_day() -> None:
    found = sales.cover(TEN, None, Sold(28, NOON - 100 * DAY), NOON)
    assert (found.available, found.daily_thousandths, found.cover_days_tenths) == (10, 1_000, 100)
    assert (found.rate_source, found.no_cover, found.sold, found.days) == (RateSource.COMPUTED, None, 28, 28)
    three_a_day = sales.cover(TEN, imported(3_000), Sold(), NOON)
    assert three_a_day.cover_days_tenths == 33, "rounded down: no day is promised that is not there"


def test_what_is_missing_covers_nothing() -> None:
    short = Balance("PAN", "LYON", on_hand=1, reserved=3, short=2)
    found = sales.cover(short, None, Sold(28, NOON - 100 * DAY), NOON)
    assert (found.available, found.cover_days_tenths, found.no_cover) == (0, 0, None)


@pytest.mark.parametrize(
    ("rate", "source", "thousandths"),
    [
        (imported(4_000), RateSource.IMPORTED, 4_000),
        (imported(0), RateSource.IMPORTED, 0),
        (imported(4_000, days_old=27.99), RateSource.IMPORTED, 4_000),
        (imported(4_000, days_old=28), RateSource.COMPUTED, 1_000),
        (imported(4_000, days_old=27.99, dated=False), RateSource.IMPORTED, 4_000),
        (imported(4_000, days_old=28, dated=False), RateSource.COMPUTED, 1_000),
        (imported(None), RateSource.COMPUTED, 1_000),
        (None, RateSource.COMPUTED, 1_000),
    ],
)
def test_an_imported_rate_counts_for_28_days(rate: Fact | None, source: RateSource, thousandths: int) -> None:
    found = sales.cover(TEN, rate, Sold(28, NOON - 100 * DAY), NOON)
    assert (found.rate_source, found.daily_thousandths) == (source, thousandths)
    assert found.sold == 28, "what the ledger says is told, whichever rate counts"


def test_a_source_whose_clock_is_ahead_is_as_fresh_as_it_was_heard() -> None:
    heard = NOON - 20 * DAY
    stated = Stated("bi", 1, NOON + 400 * DAY, "bi", heard)
    rate = Fact(FactKey("PAN", "LYON", FactKind.SALES_RATE), SalesRate(4_000), stated)
    assert sales.is_fresh(rate, heard + 28 * DAY - TICK)
    assert not sales.is_fresh(rate, heard + 28 * DAY)


def test_without_sales_or_without_a_rate_there_is_no_cover_and_the_answer_says_why() -> None:
    for rate, sold, no_cover, source in (
        (None, Sold(0, NOON - 100 * DAY), NoCover.NO_SALES, RateSource.COMPUTED),
        (None, Sold(-2, NOON - 100 * DAY), NoCover.NO_SALES, RateSource.COMPUTED),
        (imported(0), Sold(28, NOON - 100 * DAY), NoCover.NO_SALES, RateSource.IMPORTED),
        (None, Sold(), NoCover.NO_RATE, None),
        (imported(9, days_old=60), Sold(), NoCover.NO_RATE, None),
    ):
        found = sales.cover(TEN, rate, sold, NOON)
        assert (found.cover_days_tenths, found.no_cover, found.rate_source) == (None, no_cover, source)
        assert found.sold == max(0, sold.units)
