"""The states of a transfer: what each act may lead to, and that everything else raises."""

from dataclasses import replace
from datetime import UTC, datetime
from itertools import product

import pytest

from kit.errors import FailedPrecondition
from services.inventory.domain import transfers
from services.inventory.domain.holds import HoldLine
from services.inventory.domain.ledger import Balance, Book
from services.inventory.domain.transfers import (
    Act,
    Outcome,
    Quantity,
    Receipt,
    Result,
    Settlement,
    Transfer,
    TransferLine,
    TransferState,
)

NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
S = TransferState
ACTS = (Act.DISPATCH, Act.RECEIVE, Act.SETTLE, Act.CANCEL)
LEGAL = {
    (S.REQUESTED, Act.DISPATCH): S.DISPATCHED,
    (S.REQUESTED, Act.CANCEL): S.CANCELLED,
    (S.DISPATCHED, Act.RECEIVE): S.RECEIVED,
    (S.DISPATCHED, Act.SETTLE): S.DISPATCHED,
    (S.RECEIVED, Act.RECEIVE): S.RECEIVED,
    (S.RECEIVED, Act.SETTLE): S.RECEIVED,
}


def standing(state: TransferState, quantity: int = 4) -> Transfer:
    dispatched = 0 if state in (S.REQUESTED, S.CANCELLED) else quantity
    received = {S.RECEIVED: 1, S.CLOSED: quantity}.get(state, 0)
    line = TransferLine("DRESS", quantity, dispatched=dispatched, received=received)
    return Transfer("trf_1", "A", "B", state, "", None, NOON, (line,))


def do(act: Act, transfer: Transfer, quantity: int = 1) -> Result:
    held = replace(transfers.holder("trf_1"), lines=(HoldLine("DRESS", "A", 4),))
    book = Book([Balance("DRESS", "A", on_hand=4, reserved=4)])
    match act:
        case Act.DISPATCH:
            wishes = [Quantity("DRESS", quantity)]
            return transfers.dispatch(book, transfer, held, wishes, "a", NOON, declare_not_found=False)
        case Act.RECEIVE:
            return transfers.receive(book, transfer, [Receipt("DRESS", quantity)], "a", NOON)
        case Act.SETTLE:
            lost = [Settlement("DRESS", quantity, Outcome.LOST, "fell off")]
            return transfers.settle(book, transfer, lost, "a", NOON)
        case _:
            return transfers.cancel(book, transfer, held, "a", NOON)


@pytest.mark.parametrize(("state", "act"), list(product(S, ACTS)))
def test_an_act_is_done_where_the_table_allows_it_and_raises_everywhere_else(
    state: TransferState, act: Act
) -> None:
    if (state, act) in LEGAL:
        assert do(act, standing(state)).transfer.state is LEGAL[state, act]
    else:
        with pytest.raises(FailedPrecondition, match="ILLEGAL_TRANSITION"):
            do(act, standing(state))


def test_the_table_names_nothing_that_is_not_tried_above() -> None:
    assert set(transfers.TRANSITIONS) == set(LEGAL)


@pytest.mark.parametrize("act", [Act.RECEIVE, Act.SETTLE])
@pytest.mark.parametrize(("state", "missing"), [(S.DISPATCHED, 4), (S.RECEIVED, 3)])
def test_the_last_missing_unit_closes_a_transfer(state: TransferState, missing: int, act: Act) -> None:
    closed = do(act, standing(state), missing).transfer
    assert (closed.state, closed.closed_at, closed.in_transit) == (S.CLOSED, NOON, 0)


def test_units_over_close_it_too_and_are_told_apart() -> None:
    done = do(Act.RECEIVE, standing(S.DISPATCHED), 6)
    assert done.transfer.state is S.CLOSED
    assert done.transfer.lines == (TransferLine("DRESS", 4, dispatched=4, received=4, over=2),)
    assert done.done[0].over == 2
