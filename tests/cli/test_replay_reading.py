"""Rows of a file to orders: what is sent, what is rejected and why, and that no row gets lost on the way."""

import gzip
import io
import tracemalloc
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli.replay.reading import (
    DEFAULT_COLUMNS,
    MAX_ROWS,
    BadFile,
    Columns,
    Group,
    Returning,
    Row,
    SourceOrder,
    Terms,
    columns,
    grouped,
    opened,
    read,
)

EXCERPT = Path(__file__).parent / "data" / "orders.csv"
HEADER = tuple(DEFAULT_COLUMNS.values())
WHERE = columns(HEADER, {})
TERMS = Terms("EUR")


def row(number: int = 2, **cells: str) -> Row:
    """A good row but for the cells that are named."""
    good = {
        "order": "W1",
        "sku": "VASE",
        "quantity": "2",
        "price": "1.50",
        "date": "2019-03-04T09:12:00",
        "title": "Vase",
        "customer": "41",
        "country": "France",
    }
    return Row(number, list((good | cells).values()))


def order_of(*rows: Row, terms: Terms = TERMS, where: Columns = WHERE) -> SourceOrder:
    return read(Group(where.cell(rows[0], "order"), rows), where, terms, frozenset())


def reasons(order: SourceOrder) -> list[str]:
    return [order.faults[one.number].reason for one in order.rows]


def orders_in(path: Path, terms: Terms = TERMS) -> Iterator[SourceOrder]:
    """Every order of a file, in its two readings."""
    returning = Returning()
    with opened(path, "utf-8", ",") as file:
        for group in grouped(file.rows(), columns(file.header(), {})):
            returning.meet(group)
    with opened(path, "utf-8", ",") as file:
        where = columns(file.header(), {})
        for group in grouped(file.rows(), where):
            yield read(group, where, terms, returning.numbers)


# -- the whole file ---------------------------------------------------------------------------------------


def test_every_row_of_the_excerpt_is_sent_or_rejected_with_its_reason() -> None:
    orders = list(orders_in(EXCERPT))
    with EXCERPT.open("rb") as file:
        assert sum(len(order.rows) for order in orders) == len(file.readlines()) - 1
    rejected = {order.number: reasons(order) for order in orders if order.faults and order.number != "W1011"}
    assert rejected == {
        "CW1006": ["RETURN_NOT_SUPPORTED", "RETURN_NOT_SUPPORTED"],
        "W1007": ["ORDER_REJECTED", "BAD_QUANTITY"],
        "W1009": ["ORDER_REJECTED", "NOT_AN_ARTICLE"],
        "W1010": ["NOT_AN_ARTICLE"],
        "W1013": ["BAD_DATE"],
        "W1014": ["BAD_SKU"],
        "W1015": ["BAD_SKU"],
        "W1016": ["BAD_PRICE"],
        "W1017": ["BAD_PRICE"],
        "W1018": ["BAD_QUANTITY"],
        "W1020": ["ROWS_DISAGREE", "ROWS_DISAGREE"],
        "W1021": ["ORDER_REJECTED", "ORDER_NUMBER_MISSING"],
        "W1023": ["UNREADABLE_ROW"],
        "W1024": ["UNREADABLE_ROW"],
        "W1028": ["NOT_AN_ARTICLE"],
    }
    fit = [order for order in orders if not order.faults]
    assert len(fit) == 24
    assert all(len(order.lines) == len(order.rows) for order in fit)


def test_an_order_number_that_comes_back_is_rejected_in_both_places() -> None:
    twice = [order for order in orders_in(EXCERPT) if order.number == "W1011"]
    assert [reasons(order) for order in twice] == [["ORDER_NOT_CONTIGUOUS"], ["ORDER_NOT_CONTIGUOUS"]]


def test_a_packed_file_gives_the_same_orders_and_tells_how_far_it_was_read(tmp_path: Path) -> None:
    packed = tmp_path / "orders.csv.gz"
    packed.write_bytes(gzip.compress(EXCERPT.read_bytes()))
    assert list(orders_in(packed)) == list(orders_in(EXCERPT))
    with opened(packed, "utf-8", ",") as file:
        assert len([file.header(), *file.rows()]) == 105
        assert file.bytes_read == packed.stat().st_size


def test_a_packed_file_that_breaks_off_is_bad_as_a_whole(tmp_path: Path) -> None:
    packed = tmp_path / "orders.csv.gz"
    whole = gzip.compress(EXCERPT.read_bytes())
    packed.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(BadFile, match="cannot be read beyond line"):
        list(orders_in(packed))


def test_a_byte_order_mark_is_no_part_of_the_first_column(tmp_path: Path) -> None:
    marked = tmp_path / "orders.csv"
    marked.write_bytes(b"\xef\xbb\xbf" + EXCERPT.read_bytes())
    assert list(orders_in(marked)) == list(orders_in(EXCERPT))


def test_a_file_is_read_in_a_fraction_of_its_size(tmp_path: Path) -> None:
    path = tmp_path / "long.csv"
    with path.open("w") as file:
        file.write(",".join(HEADER) + "\n")
        for number in range(4_000):
            file.write(f"W{number},VASE,2,1.50,2019-03-04,{'x' * 100},41,France\n")
    with opened(path, "utf-8", ",") as long:
        where = columns(long.header(), {})
        tracemalloc.start()
        for group in grouped(long.rows(), where):
            read(group, where, TERMS, frozenset())
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert most < path.stat().st_size / 4


# -- columns ----------------------------------------------------------------------------------------------


def test_columns_are_found_by_the_names_that_the_options_give() -> None:
    where = columns(
        ("No", "Art", "Qty", "Price", "When"),
        {"order": "No", "sku": "Art", "quantity": "Qty", "price": "Price", "date": "When"}
        | dict.fromkeys(("title", "customer", "country"), ""),
    )
    order = order_of(Row(2, ["7", "VASE", "2", "1.50", "2019-03-04"]), where=where)
    (line,) = order.lines
    assert (order.number, line.sku, line.quantity, line.amount_minor, line.title) == ("7", "VASE", 2, 300, "")


@pytest.mark.parametrize(
    ("header", "mapped", "said"),
    [
        (HEADER, {"sku": "article"}, "no column 'article' for sku"),
        (HEADER[:-1], {}, "no column 'country' for country"),
        (HEADER, {"price": ""}, "no column '' for price"),
        ((*HEADER, "quantity"), {}, "more than one column 'quantity'"),
    ],
)
def test_a_column_that_the_file_lacks_is_named(header: tuple[str, ...], mapped: dict[str, str], said: str) -> None:
    with pytest.raises(BadFile, match=said):
        columns(header, mapped)


def test_an_empty_file_has_no_columns(tmp_path: Path) -> None:
    path = tmp_path / "empty.csv"
    path.touch()
    with opened(path, "utf-8", ",") as file, pytest.raises(BadFile, match="names of its columns"):
        file.header()


# -- rows -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cells", "reason"),
    [
        ({"quantity": "-1"}, "RETURN_NOT_SUPPORTED"),
        ({"quantity": "-1", "sku": "D"}, "RETURN_NOT_SUPPORTED"),
        ({"quantity": "0"}, "BAD_QUANTITY"),
        ({"quantity": "1.5"}, "BAD_QUANTITY"),
        ({"quantity": "1e3"}, "BAD_QUANTITY"),
        ({"quantity": ""}, "BAD_QUANTITY"),
        ({"price": "-0.01"}, "BAD_PRICE"),
        ({"price": "NaN"}, "BAD_PRICE"),
        ({"price": "1,50"}, "BAD_PRICE"),
        ({"price": ""}, "BAD_PRICE"),
        ({"price": "0.0049", "quantity": "2"}, "BAD_PRICE"),
        ({"sku": ""}, "BAD_SKU"),
        ({"sku": "A B"}, "BAD_SKU"),
        ({"sku": "x" * 65}, "BAD_SKU"),
        ({"sku": "bank charges"}, "NOT_AN_ARTICLE"),
        ({"date": "yesterday"}, "BAD_DATE"),
        ({"date": ""}, "BAD_DATE"),
        ({"title": "two\nlines"}, "BAD_TEXT"),
        ({"customer": "x" * 201}, "BAD_TEXT"),
        ({"title": "cr\udce8me"}, "UNREADABLE_ROW"),
    ],
)
def test_a_row_that_cannot_be_sent_says_why(cells: dict[str, str], reason: str) -> None:
    assert reasons(order_of(row(2, **cells))) == [reason]


def test_one_bad_row_rejects_its_order_and_the_good_rows_say_which_it_was() -> None:
    order = order_of(row(2), row(3, quantity="six"), row(4))
    assert reasons(order) == ["ORDER_REJECTED", "BAD_QUANTITY", "ORDER_REJECTED"]
    assert order.faults[4].detail == "line 3 of the order: BAD_QUANTITY"


def test_an_article_twice_in_an_order_stays_two_lines() -> None:
    order = order_of(row(2, quantity="6"), row(3, quantity="4", price="1.20"))
    assert [(line.sku, line.quantity, line.amount_minor) for line in order.articles] == [
        ("VASE", 6, 900),
        ("VASE", 4, 480),
    ]


def test_postage_is_the_delivery_fee_of_its_order() -> None:
    order = order_of(row(2), row(3, sku="post", price="5.40", quantity="1"))
    assert not order.faults
    assert ([line.sku for line in order.articles], order.delivery_minor) == (["VASE"], 540)


def test_codes_are_what_the_options_say() -> None:
    terms = Terms("EUR", delivery_codes=frozenset({"SHIP"}), charge_codes=frozenset({"VASE"}))
    assert reasons(order_of(row(), terms=terms)) == ["NOT_AN_ARTICLE"]
    assert not order_of(row(2, sku="POST"), terms=terms).faults, "an article like any other then"


def test_a_free_line_is_a_line() -> None:
    (line,) = order_of(row(price="0.0")).articles
    assert line.amount_minor == 0


def test_the_date_is_an_instant_in_the_zone_of_the_file_and_the_earliest_of_the_order() -> None:
    terms = Terms("EUR", ZoneInfo("Europe/Paris"), "%d/%m/%Y %H:%M")
    order = order_of(row(2, date="04/07/2019 09:13"), row(3, date="04/07/2019 09:12"), terms=terms)
    assert order.taken_at == datetime(2019, 7, 4, 7, 12, tzinfo=UTC)


def test_a_country_without_a_destination_rejects_the_order() -> None:
    terms = Terms("EUR", countries=frozenset({"France"}))
    assert not order_of(row(), terms=terms).faults
    assert reasons(order_of(row(country="Germany"), terms=terms)) == ["NO_DESTINATION"]


def test_a_row_without_a_number_goes_with_the_order_it_follows() -> None:
    rows = [row(2, order=""), row(3), row(4, order=""), row(5, order="W2")]
    groups = list(grouped(rows, WHERE))
    assert [(group.number, [one.number for one in group.rows]) for group in groups] == [
        ("", [2]),
        ("W1", [3, 4]),
        ("W2", [5]),
    ]


def test_an_order_that_never_ends_is_rejected_in_parts_and_counted_once() -> None:
    rows = (row(number) for number in range(2, MAX_ROWS + 100))
    groups = list(grouped(rows, WHERE))
    assert [group.is_rest for group in groups] == [False, True]
    found = [read(group, WHERE, TERMS, frozenset()) for group in groups]
    assert {reason for order in found for reason in reasons(order)} == {"ORDER_TOO_LONG"}
    returning = Returning()
    for group in groups:
        returning.meet(group)
    assert not returning.numbers


@given(st.lists(st.sampled_from(["A", "B", "C", ""]), max_size=40))
def test_grouping_loses_no_row_and_keeps_their_order(numbers: list[str]) -> None:
    rows = [row(place, order=number) for place, number in enumerate(numbers)]
    groups = list(grouped(rows, WHERE))
    assert [one for group in groups for one in group.rows] == rows
    starts = Counter(group.number for group in groups)
    returning = Returning()
    for group in groups:
        returning.meet(group)
    assert returning.numbers == {number for number, times in starts.items() if times > 1}


@given(
    quantity=st.integers(1, 999_999_999_999),
    price=st.decimals(0, 999_999_999, places=6, allow_nan=False, allow_infinity=False),
    currency=st.sampled_from(["EUR", "JPY", "TND"]),
)
def test_an_amount_is_exact_or_the_row_is_rejected(quantity: int, price: Decimal, currency: str) -> None:
    order = order_of(row(quantity=str(quantity), price=f"{price:f}"), terms=Terms(currency))
    millionths = quantity * int(price.scaleb(6)) * {"EUR": 100, "JPY": 1, "TND": 1000}[currency]
    if millionths % 1_000_000:
        assert reasons(order) == ["BAD_PRICE"]
    else:
        assert order.lines[0].amount_minor * 1_000_000 == millionths


def test_a_broken_row_is_one_row_and_the_next_is_read(tmp_path: Path) -> None:
    path = tmp_path / "orders.csv"
    good = "W1,VASE,2,1.50,2019-03-04,Vase,41,France"
    path.write_text("\n".join([",".join(HEADER), good, "x" * 200_000, "", good.replace("W1", "W2")]) + "\n")
    found = list(_read_all(path))
    assert [(order.number, list(order.faults.values())[-1:] != []) for order in found] == [
        ("W1", True),
        ("W2", False),
    ]


def _read_all(path: Path) -> Iterable[SourceOrder]:
    with opened(path, "utf-8", ",") as file:
        where = columns(file.header(), {})
        yield from (read(group, where, TERMS, frozenset()) for group in grouped(file.rows(), where))


def test_the_text_of_a_cell_is_kept_when_it_cannot_be_decoded() -> None:
    with opened(EXCERPT, "utf-8", ",") as file:
        file.header()
        (odd,) = [one for one in file.rows() if "W1024" in one.cells]
    out = io.TextIOWrapper(io.BytesIO(), "utf-8", errors="surrogateescape")
    out.write(odd.cells[2])
    out.flush()
    assert out.buffer.getvalue() == b"Mug, cr\xe8me"
