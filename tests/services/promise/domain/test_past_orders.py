"""Rows of files: what becomes a line, and why a row does not."""

import io
from datetime import UTC, datetime

import pytest

from services.promise.domain.network import Destination, Mode
from services.promise.domain.past_orders import (
    MAX_ROW,
    FileRefused,
    GivenStock,
    LineReader,
    OrderLine,
    StockReader,
    rows,
)
from services.promise.domain.simulations import NamedDestination, OrderColumns, OrdersFile

HEADER = ["no", "article", "units", "day", "land", "code"]
COLUMNS = OrderColumns("no", "article", "units", "day", "land", "code")
BERLIN = Destination("DE", "10115")
TERMS = OrdersFile(
    "sfl_1",
    "web",
    Mode.HOME_STANDARD,
    COLUMNS,
    destinations=(NamedDestination("Germany", BERLIN),),
    time_zone="Europe/London",
    not_articles=("post",),
)
GOOD = ["A1", "x", "2", "2010-07-01T10:00:00", "FR", "75011"]


def reader(terms: OrdersFile = TERMS, header: list[str] | None = None, **times: datetime | None) -> LineReader:
    return LineReader(terms, header or HEADER, times.get("from_at"), times.get("until_at"))


def changed(**cells: str) -> list[str]:
    return [cells.get(name, value) for name, value in zip(HEADER, GOOD, strict=True)]


def test_a_row_is_a_line_with_its_date_in_the_zone_of_the_file() -> None:
    placed_at = datetime(2010, 7, 1, 9, 0, tzinfo=UTC)
    assert reader().read(GOOD) == OrderLine("A1", placed_at, Destination("FR", "75011"), "x", 2)


def test_a_country_by_name_goes_where_it_was_told_to() -> None:
    line = reader().read(changed(land="Germany", code=""))
    assert isinstance(line, OrderLine)
    assert line.destination == BERLIN


@pytest.mark.parametrize(
    ("cells", "reason"),
    [
        (changed(units="-2"), "NOT_POSITIVE"),
        (changed(units="0"), "NOT_POSITIVE"),
        (changed(units="1.5"), "BAD_QUANTITY"),
        (changed(units=""), "BAD_QUANTITY"),
        (changed(units="99999999999"), "BAD_QUANTITY"),
        (changed(article="POST"), "NOT_AN_ARTICLE"),
        (changed(article="wood box"), "BAD_SKU"),
        (changed(article=""), "BAD_SKU"),
        (changed(no=" "), "NO_ORDER_NUMBER"),
        (changed(no="a\x07"), "BAD_ORDER_NUMBER"),
        (changed(no="caf\udce9"), "BAD_ORDER_NUMBER"),
        (changed(day="yesterday"), "BAD_DATE"),
        (changed(day="0001-01-01T00:00:00"), "BAD_DATE"),
        (changed(land="Atlantis", code=""), "NO_DESTINATION"),
        (changed(land="FR", code="?"), "NO_DESTINATION"),
        (GOOD[:-1], "BAD_ROW"),
        ([""], "BAD_ROW"),
    ],
)
def test_a_row_that_is_no_part_of_an_order_says_why(cells: list[str], reason: str) -> None:
    assert reader().read(cells) == reason


def test_whole_numbers_may_be_written_with_a_point() -> None:
    line = reader().read(changed(units="3.0"))
    assert isinstance(line, OrderLine)
    assert line.quantity == 3


def test_orders_outside_of_the_time_are_left_out() -> None:
    at = datetime(2010, 7, 1, 9, 0, tzinfo=UTC)
    assert reader(from_at=at, until_at=at.replace(minute=1)).read(GOOD) != "OUT_OF_TIME"
    assert reader(until_at=at).read(GOOD) == "OUT_OF_TIME"
    assert reader(from_at=at.replace(minute=1)).read(GOOD) == "OUT_OF_TIME"


def test_a_file_without_dates_and_postcodes_needs_neither() -> None:
    everywhere = OrdersFile(
        "sfl_1",
        "web",
        Mode.HOME_STANDARD,
        OrderColumns("no", "article", "units"),
        destinations=(NamedDestination("", BERLIN),),
    )
    line = reader(everywhere, ["no", "article", "units"]).read(["A1", "x", "1"])
    assert line == OrderLine("A1", None, BERLIN, "x", 1)


@pytest.mark.parametrize(
    ("header", "reason"), [(HEADER[:-1], "MISSING_COLUMN"), ([*HEADER, "code"], "DUPLICATE_COLUMN")]
)
def test_a_column_that_is_not_there_once_is_named(header: list[str], reason: str) -> None:
    with pytest.raises(FileRefused, match="'code' for postcode") as refused:
        reader(header=header)
    assert refused.value.reason == reason


def test_positions_of_stock_are_read_and_judged() -> None:
    stock = StockReader(["point_id", "sku", "units"], frozenset({"lille"}))
    assert stock.read(["lille", "x", "4"]) == GivenStock("x", "lille", 4)
    assert stock.read(["lille", "x", "-4"]) == GivenStock("x", "lille", 0)
    assert stock.read(["nowhere", "x", "4"]) == "STOCK_UNKNOWN_POINT"
    assert stock.read(["lille", "x y", "4"]) == "STOCK_BAD_SKU"
    assert stock.read(["lille", "x", "four"]) == "STOCK_BAD_UNITS"
    assert stock.read(["lille", "x"]) == "STOCK_BAD_ROW"


def test_rows_may_hold_line_breaks_and_blank_lines_are_none() -> None:
    text = io.StringIO('a,b\n\n"1\n2",3\r\n', newline="")
    assert list(rows(text)) == [["a", "b"], ["1\n2", "3"]]


def test_a_line_without_an_end_is_refused_before_it_is_held() -> None:
    with pytest.raises(FileRefused) as refused:
        list(rows(io.StringIO("x" * (MAX_ROW + 1))))
    assert refused.value.reason == "LINE_TOO_LONG"
