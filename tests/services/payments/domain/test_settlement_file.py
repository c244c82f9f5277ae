"""A settlement file is read exactly as it is written, or refused with the line and the column."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.payments.domain.settlement_file import FileRefused, Line, LineKind, SettlementReader

NAMES = "transaction_id,kind,payment_reference,reference,operation_id,amount,fee,currency,occurred_at,note"
GOOD = "txn_1,capture,pi_1,,pop_1,12.50,0.45,EUR,2026-11-25T23:59:59+01:00,any"


def read(content: bytes, portion: int = 10**6) -> list[Line]:
    reader = SettlementReader()
    portions = [content[start : start + portion] for start in range(0, len(content), portion)]
    return [line for part in portions for line in reader.feed(part)] + reader.close()


def refusal(line: str, names: str = NAMES) -> FileRefused:
    with pytest.raises(FileRefused) as refused:
        read(f"{names}\n{line}\n".encode())
    return refused.value


def test_a_line_is_read_with_its_number_and_in_minor_units() -> None:
    assert read(f"\ufeff{NAMES}\r\n\r\n{GOOD}".encode()) == [
        Line(
            number=3,
            transaction_id="txn_1",
            kind=LineKind.CAPTURE,
            payment_reference="pi_1",
            reference="",
            operation_id="pop_1",
            amount_minor=1_250,
            fee_minor=45,
            currency="EUR",
            occurred_at=datetime(2026, 11, 25, 22, 59, 59, tzinfo=UTC),
        )
    ]


@given(st.integers(min_value=1, max_value=200))
def test_where_the_portions_end_changes_nothing(portion: int) -> None:
    lines = [f'txn_{n},refund,"pi_é,{n}",,,1{n}.00,0,EUR,2026-11-25T10:00:00Z,' for n in range(5)]
    content = "\n".join([NAMES, *lines]).encode()
    assert read(content, portion) == read(content)
    assert [line.payment_reference for line in read(content)] == [f"pi_é,{n}" for n in range(5)]


@pytest.mark.parametrize(
    ("amount", "currency", "minor"),
    [
        ("100", "EUR", 10_000),
        ("100.5", "EUR", 10_050),
        ("100.500", "EUR", 10_050),
        ("100.00", "JPY", 100),
        ("1.234", "BHD", 1_234),
    ],
)
def test_amounts_are_of_the_minor_unit_of_their_currency(amount: str, currency: str, minor: int) -> None:
    (line,) = read(
        f"{NAMES}\n{GOOD.replace('12.50', amount).replace('0.45', '0').replace('EUR', currency)}".encode()
    )
    assert (line.amount_minor, line.currency) == (minor, currency)


@pytest.mark.parametrize(
    ("old", "new", "reason", "column"),
    [
        ("12.50", "12.505", "INVALID_AMOUNT", "amount"),
        ("12.50", "12,50", "WRONG_FIELD_COUNT", "fields"),
        ("12.50", "-12.50", "INVALID_AMOUNT", "amount"),
        ("12.50", "0.00", "INVALID_AMOUNT", "amount"),
        ("12.50", "1e3", "INVALID_AMOUNT", "amount"),
        ("12.50", "", "INVALID_AMOUNT", "amount"),
        ("0.45", "x", "INVALID_AMOUNT", "fee"),
        ("EUR", "€", "INVALID_CURRENCY", "currency"),
        ("capture", "payout", "INVALID_KIND", "kind"),
        ("txn_1", "", "INVALID_TEXT", "transaction_id"),
        ("txn_1", "x" * 201, "INVALID_TEXT", "transaction_id"),
        ("+01:00", "", "INVALID_INSTANT", "occurred_at"),
        ("pi_1", '"pi', "MALFORMED_LINE", "CSV"),
    ],
)
def test_what_is_wrong_is_named_by_its_line_and_column(old: str, new: str, reason: str, column: str) -> None:
    refused = refusal(GOOD.replace(old, new))
    assert refused.reason == reason
    assert refused.detail.startswith("line 2: ")
    assert column in refused.detail


def test_one_transaction_stands_once_in_a_file() -> None:
    assert refusal(f"{GOOD}\n{GOOD}").reason == "DUPLICATE_TRANSACTION"


def test_a_file_without_its_columns_is_no_settlement_file() -> None:
    missing = refusal(GOOD, NAMES.replace("fee", "fees"))
    assert (missing.reason, missing.detail) == ("MISSING_COLUMN", "line 1: the column fee is missing")
    assert refusal(GOOD, NAMES.replace("note", "fee")).reason == "DUPLICATE_COLUMN"
    for content, reason in (
        (b"\n\n", "EMPTY_FILE"),
        (b"\xff\xfe\n", "NOT_UTF8"),
        (b"x" * 20_000, "LINE_TOO_LONG"),
    ):
        with pytest.raises(FileRefused, match=reason):
            read(content)


def test_a_fee_alone_has_no_amount() -> None:
    (line,) = read(
        f"{NAMES}\n{GOOD.replace('capture', 'fee').replace('12.50', '0').replace('0.45', '-0.45')}".encode()
    )
    assert (line.amount_minor, line.fee_minor) == (0, -45)
