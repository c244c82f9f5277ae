"""Reading files of stock: what is wrong with a record is said of that record, however the bytes come."""

from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.inventory.domain.import_records import MAX_LINE_BYTES, RecordReader
from services.inventory.domain.imports import FileRefused, Rejection

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
POINTS = frozenset({"LYON", "PARIS", "NICE"})
SCOPE = frozenset({"LYON", "PARIS"})


def read(
    *portions: bytes, kind: str = "snapshot", format: str = "csv"
) -> tuple[list[str], list[Rejection], RecordReader]:
    reader = RecordReader(kind, format, POINTS, SCOPE, NOW)
    rows, rejections = "", []
    for block in (*map(reader.feed, portions), reader.end()):
        rows += block.rows
        rejections += block.rejections
    return rows.splitlines(), rejections, reader


def reasons(content: bytes, *, kind: str = "snapshot", format: str = "csv") -> list[str]:
    return [one.reason for one in read(content, kind=kind, format=format)[1]]


FIELDS = st.sampled_from(
    [
        "DRESS",
        "PAN",
        "LYON",
        "PARIS",
        "NICE",
        "5",
        "007",
        "-1",
        "",
        '"',
        '"PAN"',
        "é",
        "x" * 70,
        "1e3",
        " 5",
        "a\rb",
    ]
)
GOOD = st.tuples(st.sampled_from(["DRESS", "PAN"]), st.sampled_from(sorted(SCOPE)), st.integers(0, 99).map(str))
LINES = st.lists(
    st.one_of(GOOD.map(",".join), st.lists(FIELDS, max_size=4).map(",".join)).map(str.encode)
    | st.sampled_from([b"\xff,LYON,1", b"\r", b"DRESS,LYON,1\r", b"z" * (MAX_LINE_BYTES + 1)]),
    min_size=1,
    max_size=12,
)


@settings(max_examples=300, deadline=None)
@given(LINES, st.integers(1, 40), st.booleans())
def test_however_a_file_is_cut_its_records_are_the_same(lines: list[bytes], size: int, ended: bool) -> None:
    """One line by itself is taken as a block when it is right; among wrong ones it is looked at alone."""
    content = b"\n".join([b"sku,point_id,quantity", *lines]) + (b"\n" if ended else b"")
    if not any(line.strip(b"\r") for line in lines):
        with pytest.raises(FileRefused, match="EMPTY_FILE"):
            read(content)
        return
    whole = read(content)
    cut = read(*(content[start : start + size] for start in range(0, len(content), size)))
    alone = read(*content.splitlines(keepends=True)) if b"\ra" not in content and b"a\r" not in content else cut
    numbers = [
        [(*row.split("\t")[:3], row.split("\t")[3].lstrip("0") or "0") for row in one[0]]
        for one in (whole, cut, alone)
    ]
    assert numbers[0] == numbers[1] == numbers[2]
    assert whole[1] == cut[1] == alone[1]
    assert whole[2].read == len([line for line in lines if line.strip(b"\r")])
    assert whole[2].read == len([row for row in whole[0] if not row.endswith("\\N")]) + len(whole[1])


@given(st.lists(GOOD, min_size=1, max_size=8))
def test_a_file_that_ascends_names_no_position_twice(records: list[tuple[str, str, str]]) -> None:
    reader = read(b"sku,point_id,quantity\n", *(",".join(one).encode() + b"\n" for one in records))[2]
    positions = [one[:2] for one in records]
    turned = [(point, sku) for sku, point in positions]
    assert reader.ordered == any(order == sorted(set(order)) for order in (positions, turned))


def test_columns_may_stand_in_any_order_behind_a_byte_order_mark() -> None:
    assert read(b"\xef\xbb\xbfquantity,sku,point_id\r\n3,PAN,LYON\r\n")[0] == ["2\tPAN\tLYON\t3"]


@pytest.mark.parametrize(
    ("names", "reason", "named"),
    [
        (b"sku,point_id", "MISSING_COLUMN", "quantity"),
        (b"sku,point_id,Quantity", "MISSING_COLUMN", "quantity"),
        (b"sku,point_id,quantity,colour", "UNKNOWN_COLUMN", "colour"),
        (b"sku,point_id,quantity,sku", "DUPLICATE_COLUMN", "sku"),
        (b"sku,point_id,quantit\xff", "NOT_UTF8", "UTF-8"),
    ],
)
def test_a_file_with_other_columns_is_refused_and_the_column_named(names: bytes, reason: str, named: str) -> None:
    with pytest.raises(FileRefused) as refused:
        read(names + b"\nPAN,LYON,1\n")
    assert refused.value.reason == reason
    assert named in refused.value.detail


def test_a_delta_needs_an_order() -> None:
    with pytest.raises(FileRefused, match="sequence"):
        read(b"sku,point_id,delta\nPAN,LYON,1\n", kind="delta")
    assert reasons(b"sku,point_id,delta,sequence\nPAN,LYON,1,\n", kind="delta") == ["MISSING_ORDER"]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"PAN,LYON", "WRONG_FIELD_COUNT"),
        (b"PAN,LYON,1,2", "WRONG_FIELD_COUNT"),
        (b'PAN,LYON,"1', "MALFORMED_RECORD"),
        (b"P N,LYON,1", "INVALID_SKU"),
        (b"PAN,,1", "INVALID_POINT_ID"),
        (b"PAN,ROME,1", "UNKNOWN_POINT"),
        (b"PAN,NICE,1", "OUT_OF_SCOPE"),
        (b"PAN,LYON,1.0", "INVALID_QUANTITY"),
        (b"PAN,LYON,1000000001", "INVALID_QUANTITY"),
        ("PAN,LYON,٣".encode(), "INVALID_QUANTITY"),
        (b"PAN,LYON,\xff", "NOT_UTF8"),
        (b"PAN,LYON," + b"1" * MAX_LINE_BYTES, "LINE_TOO_LONG"),
    ],
)
def test_a_wrong_record_says_what_is_wrong(line: bytes, reason: str) -> None:
    rows, rejections, _ = read(b"sku,point_id,quantity\nPAN,LYON,1\n" + line + b"\nPAN,PARIS,2\n")
    assert [(one.line, one.reason) for one in rejections] == [(3, reason)]
    assert len(rejections[0].record) <= 200
    assert [row for row in rows if not row.endswith("\\N")] == ["2\tPAN\tLYON\t1", "4\tPAN\tPARIS\t2"]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"[1]", "MALFORMED_RECORD"),
        (b"[" * 5_000, "MALFORMED_RECORD"),
        (b'{"sku": "PAN"}', "MISSING_FIELD"),
        (b'{"sku": "PAN", "point_id": "LYON", "quantity": true}', "INVALID_QUANTITY"),
        (b'{"sku": "PAN", "point_id": "LYON", "quantity": 1.0}', "INVALID_QUANTITY"),
        (b'{"sku": 5, "point_id": "LYON", "quantity": 1}', "INVALID_SKU"),
        (b'{"sku": "\\ud800", "point_id": "LYON", "quantity": 1}', "INVALID_SKU"),
        (b'{"sku": "PAN", "point_id": "LYON", "quantity": 1, "size": 2}', "UNKNOWN_FIELD"),
    ],
)
def test_a_wrong_object_says_what_is_wrong(line: bytes, reason: str) -> None:
    good = b'{"sku": "PAN", "point_id": "LYON", "quantity": 1}\n'
    assert reasons(good + line + b"\n", format="ndjson") == [reason]


def test_a_line_without_end_takes_no_memory() -> None:
    reader = RecordReader("snapshot", "csv", POINTS, SCOPE, NOW)
    reader.feed(b"sku,point_id,quantity\n")
    for _ in range(100):
        reader.feed(b"x" * 100_000)
    assert len(reader._rest) <= MAX_LINE_BYTES + 1
    block = reader.feed(b"\nPAN,LYON,1\n")
    assert [one.reason for one in block.rejections] == ["LINE_TOO_LONG"]
    assert block.rows == "3\tPAN\tLYON\t1\n"
