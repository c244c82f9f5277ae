"""The accounts of a replay: every row in one place, and what was not placed written down as it stood."""

import csv
import io
import json
import stat
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from cli.replay import report
from cli.replay.reading import Fault, Row, SourceOrder
from cli.replay.report import Accounts, Kind, Outcome, RejectedFile


def order(number: str = "W1", rows: int = 2, faults: tuple[str, ...] = ()) -> SourceOrder:
    numbers = range(2, 2 + rows)
    return SourceOrder(
        number,
        [Row(place, [number, "VASE", f"cr\udce8me {place}"]) for place in numbers],
        faults={place: Fault(reason, "why") for place, reason in zip(numbers, faults, strict=False)},
    )


def accounts_of(*outcomes: tuple[SourceOrder, Outcome]) -> Accounts:
    accounts = Accounts()
    for one, outcome in outcomes:
        accounts.rows_read += len(one.rows)
        accounts.add(one, outcome)
    return accounts


@given(st.lists(st.tuples(st.sampled_from(Kind), st.integers(1, 5))))
def test_rows_read_are_the_sum_of_what_became_of_them(found: list[tuple[Kind, int]]) -> None:
    accounts = accounts_of(
        *((order(rows=rows, faults=("BAD_SKU",) * rows), Outcome(kind, "WHY")) for kind, rows in found)
    )
    told = report.as_json(accounts, 1.0, {})
    assert told["rows_without_account"] == 0
    assert sum(told["rows"].values()) == told["rows_read"] == sum(rows for _, rows in found)
    assert sum(told["orders"].values()) == told["orders_read"] == len(found)
    assert sum(told["rejected_rows"].values()) == told["rows"]["rejected"]
    assert sum(told["refused_rows"].values()) == told["rows"]["refused"]
    assert sum(told["unknown_orders"].values()) == told["orders"]["unknown"]


def test_a_row_without_account_is_told() -> None:
    accounts = accounts_of((order(rows=2), Outcome(Kind.PLACED)))
    accounts.rows_read += 1
    assert report.as_json(accounts, 1.0, {})["rows_without_account"] == 1


def test_the_rest_of_a_long_order_brings_rows_and_no_order() -> None:
    accounts = accounts_of((order(rows=2, faults=("ORDER_TOO_LONG",) * 2), Outcome(Kind.REJECTED)))
    accounts.add(order(rows=3, faults=("ORDER_TOO_LONG",) * 3), Outcome(Kind.REJECTED), is_rest=True)
    assert (accounts.orders_read, accounts.rejected_rows["ORDER_TOO_LONG"]) == (1, 5)


def test_percentiles_are_of_the_orders_placed_now() -> None:
    placed = [(order(), Outcome(Kind.PLACED, seconds=n / 1000)) for n in range(1, 101)]
    accounts = accounts_of(*placed, (order(), Outcome(Kind.ALREADY_PLACED, seconds=9)))
    assert (accounts.percentile_ms(0.50), accounts.percentile_ms(0.99)) == (50.0, 99.0)
    assert Accounts().percentile_ms(0.99) == 0


def test_the_report_tells_each_reason(tmp_path: Path) -> None:
    accounts = accounts_of(
        (order(), Outcome(Kind.PLACED, seconds=0.1)),
        (order(), Outcome(Kind.REFUSED, "STOCK_UNAVAILABLE")),
        (order(faults=("RETURN_NOT_SUPPORTED", "ORDER_REJECTED")), Outcome(Kind.REJECTED)),
        (order(), Outcome(Kind.UNKNOWN, "TIMEOUT")),
    )
    out = io.StringIO()
    report.show(Console(file=out, width=100), accounts, 2.0)
    for word in ("placed", "STOCK_UNAVAILABLE", "RETURN_NOT_SUPPORTED", "TIMEOUT", "1.5 orders/s", "p99 100 ms"):
        assert word in out.getvalue()
    report.write_json(tmp_path / "report.json", report.as_json(accounts, 2.0, {"source": "s"}))
    told = json.loads((tmp_path / "report.json").read_text())
    assert (told["source"], told["refused_orders"], told["orders"]["unknown"]) == (
        "s",
        {"STOCK_UNAVAILABLE": 1},
        1,
    )


def test_rows_that_were_not_placed_stand_in_a_file_as_they_came_with_their_reasons(tmp_path: Path) -> None:
    path = tmp_path / "rejected.csv"
    with RejectedFile(path, ("no", "sku", "title"), "utf-8") as rejects:
        rejects.add(order("W1"), Outcome(Kind.PLACED))
        rejects.add(order("W2", faults=("BAD_SKU", "ORDER_REJECTED")), Outcome(Kind.REJECTED))
        rejects.add(order("W3"), Outcome(Kind.REFUSED, "STOCK_UNAVAILABLE", "gone", line_details={3: "1 of 2"}))
        # Whole at any moment: the run may be killed.
        whole = path.read_bytes()
    assert whole == path.read_bytes()
    assert whole.count(b"cr\xe8me") == 4, "the bytes of the source"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600, "rows may name customers"
    header, *rows = csv.reader(whole.decode("utf-8", "surrogateescape").splitlines())
    assert header == [*RejectedFile.COLUMNS, "no", "sku", "title"]
    assert [row[:4] for row in rows] == [
        ["2", "W2", "BAD_SKU", "why"],
        ["3", "W2", "ORDER_REJECTED", "why"],
        ["2", "W3", "STOCK_UNAVAILABLE", "gone"],
        ["3", "W3", "STOCK_UNAVAILABLE", "1 of 2"],
    ]
