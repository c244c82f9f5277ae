"""Lines and operations meet at most once, and for sure or not at all."""

from collections import Counter
from dataclasses import replace
from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.payments.domain.model import Kind
from services.payments.domain.reconciling import Booked, DifferenceState, Judged, Verdict, awaits, judge
from services.payments.domain.settlement_file import Line, LineKind

DAY = date(2026, 11, 25)


def line(number: int = 2, **changes: object) -> Line:
    made = Line(
        number=number,
        transaction_id=f"txn_{number}",
        kind=LineKind.CAPTURE,
        payment_reference="pi_1",
        reference="",
        operation_id="",
        amount_minor=1_000,
        fee_minor=30,
        currency="EUR",
        occurred_at=datetime(2026, 11, 25, 12, tzinfo=UTC),
    )
    return replace(made, **changes)  # type: ignore[arg-type]


def booked(operation_id: str = "pop_1", **changes: object) -> Booked:
    made = Booked(operation_id, Kind.CAPTURE, "pi_1", "pi_1", 1_000, "EUR")
    return replace(made, **changes)  # type: ignore[arg-type]


def told(judged: list[Judged]) -> list[tuple[str, str]]:
    return [(one.verdict.value, one.operation.operation_id if one.operation else "") for one in judged]


def test_our_id_decides_whatever_else_the_line_says() -> None:
    ours = line(operation_id="pop_2", payment_reference="pi_9", amount_minor=1_000)
    assert told(judge([ours], [booked("pop_1"), booked("pop_2")])) == [("matched", "pop_2")]


def test_a_refund_is_known_by_its_own_id() -> None:
    refunds = [booked(f"pop_{n}", kind=Kind.REFUND, reference=f"re_{n}") for n in (1, 2)]
    theirs = [line(n + 1, kind=LineKind.REFUND, reference=f"re_{n}") for n in (2, 1)]
    assert told(judge(theirs, refunds)) == [("matched", "pop_2"), ("matched", "pop_1")]


def test_captures_of_one_payment_are_told_apart_by_their_amounts() -> None:
    ours = [booked("pop_1", amount_minor=700), booked("pop_2", amount_minor=300)]
    theirs = [line(2, amount_minor=300), line(3, amount_minor=700)]
    assert told(judge(theirs, ours)) == [("matched", "pop_2"), ("matched", "pop_1")]


def test_the_last_of_a_payment_is_the_same_with_another_amount_or_currency() -> None:
    assert told(judge([line(amount_minor=999)], [booked()])) == [("different_amount", "pop_1")]
    assert told(judge([line(currency="CHF")], [booked()])) == [("different_currency", "pop_1")]


def test_what_could_be_two_is_left_to_a_person() -> None:
    theirs = [line(2, amount_minor=1), line(3, amount_minor=2)]
    ours = [booked("pop_1"), booked("pop_2")]
    assert told(judge(theirs, ours)) == [("extra", ""), ("extra", "")]


def test_a_second_line_for_one_operation_is_extra_even_when_another_fits() -> None:
    theirs = [line(2, operation_id="pop_1"), line(3, operation_id="pop_1")]
    assert told(judge(theirs, [booked("pop_1"), booked("pop_2")])) == [("matched", "pop_1"), ("extra", "")]


def test_a_line_that_names_an_operation_of_an_earlier_line_is_extra_even_when_another_fits() -> None:
    ours = [booked("pop_1", matched=True), booked("pop_2")]
    assert told(judge([line(operation_id="pop_1")], ours)) == [("extra", "")]


def test_what_a_bank_did_to_a_refund_is_not_the_refund() -> None:
    refund = booked("pop_1", kind=Kind.REFUND, reference="re_1", matched=True)
    back = booked("pop_2", kind=Kind.REFUND_REVERSAL, reference="re_1")
    theirs = line(kind=LineKind.REFUND_REVERSAL, reference="re_1", operation_id="pop_1")
    assert told(judge([theirs], [refund, back])) == [("matched", "pop_2")]


@pytest.mark.parametrize("kind", [LineKind.REFUND, LineKind.CHARGEBACK, LineKind.ADJUSTMENT])
def test_a_line_of_another_kind_is_not_the_capture(kind: LineKind) -> None:
    assert told(judge([line(kind=kind, operation_id="pop_1")], [booked()])) == [("extra", "")]


def test_a_fee_alone_is_no_difference() -> None:
    assert told(judge([line(kind=LineKind.FEE, amount_minor=0)], [booked()])) == [("fee", "")]


def test_without_a_reference_nothing_is_guessed() -> None:
    theirs = [line(payment_reference="")]
    assert told(judge(theirs, [booked(payment_reference="", reference="")])) == [("extra", "")]


def test_a_missing_operation_is_awaited_until_the_next_file_or_the_end_of_the_grace() -> None:
    morning = datetime(2026, 11, 26, 6, tzinfo=UTC)
    assert awaits(DAY, later_file_done=False, now=morning) is DifferenceState.WAITING
    assert awaits(DAY, later_file_done=True, now=morning) is DifferenceState.OPEN
    assert awaits(DAY, later_file_done=False, now=datetime(2026, 11, 27, 23, 59, tzinfo=UTC)) is (
        DifferenceState.WAITING
    )
    assert awaits(DAY, later_file_done=False, now=datetime(2026, 11, 28, tzinfo=UTC)) is DifferenceState.OPEN


few = st.integers(min_value=0, max_value=3)
operations = st.lists(
    st.builds(
        booked,
        kind=st.sampled_from([Kind.CAPTURE, Kind.REFUND, Kind.CHARGEBACK]),
        payment_reference=few.map("pi_{}".format),
        amount_minor=few.map(lambda n: 100 + n),
        currency=st.sampled_from(["EUR", "CHF"]),
    ),
    max_size=8,
).map(
    lambda made: [
        replace(
            one,
            operation_id=f"pop_{n}",
            reference=one.payment_reference if one.kind is Kind.CAPTURE else f"re_{n}",
        )
        for n, one in enumerate(made)
    ]
)
lines = st.lists(
    st.builds(
        line,
        kind=st.sampled_from(LineKind),
        payment_reference=st.one_of(st.just(""), few.map("pi_{}".format)),
        reference=st.one_of(st.just(""), few.map("re_{}".format)),
        operation_id=st.one_of(st.just(""), st.integers(0, 9).map("pop_{}".format)),
        amount_minor=few.map(lambda n: 100 + n),
        currency=st.sampled_from(["EUR", "CHF"]),
    ),
    max_size=8,
).map(lambda made: [replace(one, number=n + 2, transaction_id=f"txn_{n}") for n, one in enumerate(made)])


@given(lines, operations)
def test_each_line_is_judged_once_and_each_operation_taken_at_most_once(
    theirs: list[Line], ours: list[Booked]
) -> None:
    judged = judge(theirs, ours)
    assert [one.line for one in judged] == theirs
    taken = Counter(one.operation.operation_id for one in judged if one.operation)
    assert all(count == 1 for count in taken.values())
    for one in judged:
        assert (one.operation is None) is (one.verdict in (Verdict.EXTRA, Verdict.FEE))
        if one.operation:
            same = (one.line.amount_minor, one.line.currency) == (
                one.operation.amount_minor,
                one.operation.currency,
            )
            assert same is (one.verdict is Verdict.MATCHED)
            assert one.line.kind.value == one.operation.kind.value


@given(operations, st.randoms(use_true_random=False), st.sampled_from(["id", "reference", "payment"]))
def test_a_file_that_tells_all_that_we_did_leaves_no_difference(
    ours: list[Booked], shuffle: object, named_by: str
) -> None:
    theirs = [
        line(
            n,
            kind=LineKind(one.kind.value),
            payment_reference=one.payment_reference,
            reference=one.reference if named_by == "reference" else "",
            operation_id=one.operation_id if named_by == "id" else "",
            amount_minor=one.amount_minor,
            currency=one.currency,
        )
        for n, one in enumerate(ours, 2)
    ]
    shuffle.shuffle(theirs)  # type: ignore[attr-defined]
    judged = judge(theirs, ours)
    assert {one.verdict for one in judged} <= {Verdict.MATCHED}
    assert {one.operation for one in judged} == set(ours)


@given(lines, operations, st.randoms(use_true_random=False))
def test_the_order_of_the_lines_changes_no_count(theirs: list[Line], ours: list[Booked], shuffle: object) -> None:
    other = list(theirs)
    shuffle.shuffle(other)  # type: ignore[attr-defined]
    # But of lines that name one operation twice: there the first one has it.
    if len(ids := [one.operation_id for one in theirs if one.operation_id]) == len(set(ids)):
        assert Counter(one.verdict for one in judge(theirs, ours)) == Counter(
            one.verdict for one in judge(other, ours)
        )
