"""The rules of money, pure."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.errors import FailedPrecondition
from kit.values.money import Money
from services.payments.domain import ledger, rules, sharing
from services.payments.domain.model import (
    MOVES,
    Kind,
    Means,
    MeansKind,
    Operation,
    Payment,
    State,
    Status,
    Tender,
)
from services.payments.domain.outcome import Outcome, failed
from services.payments.domain.settlement import book, settle
from services.payments.providers.stripe_money import NotPayable, from_wire, to_wire

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)
TOKEN = Means(MeansKind.PAYMENT_METHOD_TOKEN, "pm_1")


def asked(amount: int) -> Tender:
    payment = rules.open_payment("ord_1", "web", "EUR")
    return rules.open_tender(payment, "ten_1", 1, TOKEN, amount, "stripe")


def opened(amount: int, *, multi_capture: bool = True) -> Tender:
    tender = asked(amount)
    outcome = Outcome(State.SUCCEEDED, reference="pi_1", multi_capture=multi_capture)
    return settle(tender, rules.intend_authorize(tender, intent(0)), outcome, AT, "pop_x").tender


def paid(tender: Tender) -> Payment:
    return rules.open_payment("ord_1", "web", "EUR").having(tender)


def intent(number: int) -> rules.Intent:
    return rules.Intent(f"pop_{number}", f"request_{number}", f"cause_{number}", "actor", AT)


def test_an_authorisation_forgets_its_token() -> None:
    assert opened(100).means.reference == ""


def test_a_declined_authorisation_leaves_nothing() -> None:
    tender = asked(100)
    done = settle(tender, rules.intend_authorize(tender, intent(0)), failed("insufficient_funds"), AT, "pop_x")
    assert (done.tender.status, done.tender.decline_code) == (Status.DECLINED, "insufficient_funds")
    assert (done.tender.authorized, done.operation.state) == (0, State.FAILED)


@pytest.mark.parametrize("state", list(State))
@pytest.mark.parametrize("to", list(State))
def test_an_operation_moves_only_as_the_table_says(state: State, to: State) -> None:
    operation = replace(rules.intend_authorize(opened(1), intent(0)), state=state)
    if to in MOVES[state]:
        operation.check_move(to)
    else:
        with pytest.raises(FailedPrecondition) as refusal:
            operation.check_move(to)
        assert refusal.value.reason == "ILLEGAL_TRANSITION"


def test_the_last_capture_lets_the_rest_go_only_when_it_is_alone() -> None:
    tender = opened(100)
    part = rules.intend_capture(tender, [], 40, intent(1))
    rest = rules.intend_capture(tender, [part], 60, intent(2))
    assert (part.final, rest.final) == (False, False)
    tender = settle(tender, part, Outcome(State.SUCCEEDED), AT, "pop_x").tender
    assert rules.intend_capture(tender, [], 60, intent(3)).final


def test_what_a_single_capture_lets_go_is_still_due() -> None:
    tender = opened(100, multi_capture=False)
    capture = rules.intend_capture(tender, [], 40, intent(1))
    assert capture.final
    done = settle(tender, capture, Outcome(State.SUCCEEDED), AT, "pop_rest")
    assert done.released is not None
    assert (done.released.kind, done.released.amount_minor) == (Kind.VOID, 60)
    assert (done.tender.captured, done.tender.voided, done.tender.lapsed) == (40, 60, 60)
    assert done.tender.status is Status.EXPIRED
    assert not done.tender.release_due


@given(
    st.lists(
        st.tuples(st.sampled_from([Kind.CAPTURE, Kind.VOID, Kind.REFUND]), st.integers(1, 120), st.booleans()),
        max_size=30,
    )
)
def test_no_sequence_of_movements_breaks_the_bounds(moves: list[tuple[Kind, int, bool]]) -> None:
    payment = paid(opened(300))
    entries = list(ledger.entries_of(payment.tenders[0], _succeeded(payment.tenders[0], Kind.AUTHORIZE, 300)))
    for number, (kind, amount, goes_well) in enumerate(moves):
        decide = {Kind.CAPTURE: sharing.capture, Kind.VOID: sharing.void, Kind.REFUND: sharing.refund}[kind]
        try:
            operations = decide(payment, [], Money(amount, "EUR"), intent(number))
        except FailedPrecondition:
            continue
        (operation,) = operations
        tender = payment.tenders[0]
        if operation.state is State.SUCCEEDED:
            tender = book(tender, operation)
        else:
            outcome = Outcome(State.SUCCEEDED) if goes_well else failed("declined")
            done = settle(tender, operation, outcome, AT, "pop_rest")
            tender, operation = done.tender, done.operation
        payment = payment.having(tender)
        if operation.state is State.SUCCEEDED:
            entries += ledger.entries_of(tender, operation)
        assert tender.authorized >= tender.captured + tender.voided
        assert tender.captured >= tender.refunded
    assert sum(entry.amount_minor for entry in entries) == 0
    for total, (suffix, sign) in ledger.TOTALS.items():
        account = f"order/ord_1/{suffix}"
        balance = sum(entry.amount_minor for entry in entries if entry.account == account)
        assert sign * balance == getattr(payment.tenders[0], total)


@given(st.integers(1, 100), st.lists(st.integers(1, 60), max_size=8))
def test_intents_reserve_before_any_answer(authorized: int, amounts: list[int]) -> None:
    payment = paid(opened(authorized))
    unsettled: list[Operation] = []
    for number, amount in enumerate(amounts):
        free = sharing.capturable(payment, unsettled)
        if amount <= free:
            unsettled += sharing.capture(payment, unsettled, Money(amount, "EUR"), intent(number))
        else:
            with pytest.raises(FailedPrecondition):
                sharing.capture(payment, unsettled, Money(amount, "EUR"), intent(number))
    assert sum(one.amount_minor for one in unsettled) <= authorized


@given(st.integers(1, 10**9), st.sampled_from(["EUR", "JPY", "KWD", "ISK", "UGX", "MGA", "TND"]))
def test_an_amount_comes_back_from_the_provider_s_unit_as_it_was(amount: int, currency: str) -> None:
    try:
        assert from_wire(to_wire(amount, currency), currency) == amount
    except NotPayable:
        assert amount % 10 or currency == "MGA"


@pytest.mark.parametrize(
    ("amount", "currency", "wire"),
    [(500, "JPY", 500), (1_250, "EUR", 1_250), (5_120, "KWD", 5_120), (5, "ISK", 500), (700, "MGA", 7)],
)
def test_the_provider_s_minor_unit_is_its_own(amount: int, currency: str, wire: int) -> None:
    assert to_wire(amount, currency) == wire


def _succeeded(tender: Tender, kind: Kind, amount: int) -> Operation:
    operation = rules.intend_authorize(tender, intent(0))
    return replace(operation, kind=kind, amount_minor=amount, state=State.SUCCEEDED)


LONG_AGO, JUST_NOW = AT - timedelta(minutes=1), AT + timedelta(seconds=1)


@pytest.mark.parametrize(
    ("state", "intended_at", "asks"),
    [
        (State.INTENDED, JUST_NOW, False),
        (State.INTENDED, LONG_AGO, True),
        (State.UNKNOWN, JUST_NOW, True),
        (State.ACTION_REQUIRED, LONG_AGO, True),
        (State.SUCCEEDED, LONG_AGO, False),
        (State.FAILED, LONG_AGO, False),
    ],
)
def test_news_are_awaited_while_an_answer_is_missing(state: State, intended_at: datetime, asks: bool) -> None:
    tender = asked(100)
    operation = replace(rules.intend_authorize(tender, intent(0)), state=state, intended_at=intended_at)
    assert rules.awaits_news(tender, [operation], ended=False, lost_before=AT) is asks


def test_an_authorisation_that_holds_something_may_be_ended_by_the_provider_alone() -> None:
    tender = opened(100)
    assert rules.awaits_news(tender, [], ended=True, lost_before=AT)
    capture = replace(rules.intend_capture(tender, [], 100, intent(1)), intended_at=JUST_NOW)
    assert not rules.awaits_news(tender, [capture], ended=True, lost_before=AT), "it may be our own capture"
    assert not rules.awaits_news(book(tender, capture), [], ended=True, lost_before=AT), "nothing is held"
