"""What every movement of money reads and writes, as statements: they go to the database several in one trip.

Rows become objects here, and objects rows. Of what stands only what changed is written. Decides nothing.
"""

from collections.abc import Sequence
from dataclasses import fields
from datetime import datetime
from functools import lru_cache
from typing import Any

from sqlalchemy import TextClause, text

from kit.db import Rows, Statement
from services.payments.domain import ledger
from services.payments.domain.model import (
    UNSETTLED,
    Kind,
    Means,
    MeansKind,
    Operation,
    Payment,
    State,
    Status,
    Tender,
)

_PAYMENT = ("order_id", "channel_id", "currency", "status", "closing")
_TENDER = tuple(one.name for one in fields(Tender) if one.name != "means")
_MEANS = tuple(one.name for one in fields(Means))
TENDER_COLUMNS = (*_TENDER, *(f"means_{name}" for name in _MEANS))
OPERATION_COLUMNS = tuple(one.name for one in fields(Operation))

_READ_PAYMENT = text(f"SELECT {', '.join(_PAYMENT)} FROM payment WHERE order_id = :order_id")
_LOCK_PAYMENT = text(f"{_READ_PAYMENT.text} FOR UPDATE")
_TENDERS_OF = text(
    f"SELECT {', '.join(TENDER_COLUMNS)} FROM tender WHERE order_id = :order_id ORDER BY position, tender_id"
)
_OPERATIONS = f"SELECT {', '.join(OPERATION_COLUMNS)} FROM operation"
_OLDEST_FIRST = "ORDER BY intended_at, operation_id"
_IS_UNSETTLED = f"state IN ({', '.join(repr(state.value) for state in sorted(UNSETTLED))})"
_OPERATION = text(f"{_OPERATIONS} WHERE operation_id = :operation_id")
_OPERATIONS_OF = text(f"{_OPERATIONS} WHERE order_id = :order_id {_OLDEST_FIRST}")
_UNSETTLED_OF = text(f"{_OPERATIONS} WHERE order_id = :order_id AND {_IS_UNSETTLED} {_OLDEST_FIRST}")
_UNSETTLED_OR_OF_CAUSE = text(
    f"{_OPERATIONS} WHERE order_id = :order_id AND ({_IS_UNSETTLED} OR cause = :cause) {_OLDEST_FIRST}"
)
_ENTRY = ("operation_id", "account", "debit_minor", "credit_minor", "currency", "recorded_at")

# -- read -------------------------------------------------------------------------------------------------


def reading_payment(order_id: str) -> tuple[Statement, Statement]:
    """For `payment_of`: the payment as it stands."""
    return (_READ_PAYMENT, {"order_id": order_id}), (_TENDERS_OF, {"order_id": order_id})


def locking_payment(order_id: str) -> tuple[Statement, Statement]:
    """The same under its lock: whoever comes next waits. Its tenders are read once the lock is held."""
    return (_LOCK_PAYMENT, {"order_id": order_id}), (_TENDERS_OF, {"order_id": order_id})


def payment_of(found: Rows, tenders: Rows) -> Payment | None:
    """None when the order has none."""
    if not found:
        return None
    [(order_id, channel_id, currency, status, closing)] = found
    return Payment(order_id, channel_id, currency, Status(status), closing, tuple(map(tender_of, tenders)))


def reading_operation(operation_id: str) -> Statement:
    """One."""
    return _OPERATION, {"operation_id": operation_id}


def reading_operations(order_id: str) -> Statement:
    """All of an order, oldest first."""
    return _OPERATIONS_OF, {"order_id": order_id}


def reading_unsettled(order_id: str) -> Statement:
    """Those that still reserve an amount, oldest first."""
    return _UNSETTLED_OF, {"order_id": order_id}


def reading_unsettled_or_of(order_id: str, cause: str) -> Statement:
    """Those that still reserve an amount, and all of this cause, oldest first."""
    return _UNSETTLED_OR_OF_CAUSE, {"order_id": order_id, "cause": cause}


def tender_of(row: Sequence[Any]) -> Tender:
    """Of TENDER_COLUMNS."""
    values = dict(zip(_TENDER, row, strict=False))
    kind, *means = row[len(_TENDER) :]
    return Tender(**{**values, "status": Status(values["status"]), "means": Means(MeansKind(kind), *means)})


def operation_of(row: Sequence[Any]) -> Operation:
    """Of OPERATION_COLUMNS."""
    values = dict(zip(OPERATION_COLUMNS, row, strict=True))
    return Operation(**{**values, "kind": Kind(values["kind"]), "state": State(values["state"])})


# -- written ----------------------------------------------------------------------------------------------


def saving_payment(before: Payment, after: Payment) -> list[Statement]:
    """What a decision changed: the payment, and of its tenders those that stood before. It holds the lock."""
    stood = {one.tender_id: one for one in before.tenders}
    changed = [
        _changing("tender", "tender_id", tender_values(stood[one.tender_id]), tender_values(one))
        for one in after.tenders
        if one.tender_id in stood and one != stood[one.tender_id]
    ]
    if (before.status, before.closing) != (after.status, after.closing):
        changed.append(_changing("payment", "order_id", payment_values(before), payment_values(after)))
    return changed


def inserting_operation(new: Operation) -> Statement:
    """Adds it."""
    return _inserting("operation", (*OPERATION_COLUMNS, "asked_at"), 1), {
        **{f"{name}_0": getattr(new, name) for name in OPERATION_COLUMNS},
        "asked_at_0": new.intended_at,
    }


def saving_operation(before: Operation, after: Operation) -> list[Statement]:
    """What of it changed. The caller holds the lock of its payment."""
    if after == before:
        return []
    return [_changing("operation", "operation_id", operation_values(before), operation_values(after))]


def adding_entries(of: Tender, done: Operation, now: datetime) -> list[Statement]:
    """The ledger's lines of an operation that succeeded. They are never changed."""
    lines = ledger.entries_of(of, done)
    if not lines:
        return []
    values: dict[str, Any] = {}
    for number, line in enumerate(lines):
        debit, credit = max(line.amount_minor, 0), max(-line.amount_minor, 0)
        of_line = (done.operation_id, line.account, debit, credit, line.currency, now)
        values |= {f"{name}_{number}": value for name, value in zip(_ENTRY, of_line, strict=True)}
    return [(_inserting("entry", _ENTRY, len(lines)), values)]


def payment_values(of: Payment) -> dict[str, Any]:
    """By column."""
    return {name: getattr(of, name) for name in _PAYMENT}


def tender_values(of: Tender) -> dict[str, Any]:
    """By column."""
    values = {name: getattr(of, name) for name in _TENDER}
    return values | {f"means_{name}": getattr(of.means, name) for name in _MEANS}


def operation_values(of: Operation) -> dict[str, Any]:
    """By column."""
    return {name: getattr(of, name) for name in OPERATION_COLUMNS}


def _changing(table: str, key: str, before: dict[str, Any], after: dict[str, Any]) -> Statement:
    changed = {name: value for name, value in after.items() if value != before[name]}
    return _update(table, key, tuple(changed)), {key: after[key], **changed}


# Built once: building a statement takes longer than asking it.
@lru_cache(maxsize=256)
def _update(table: str, key: str, names: tuple[str, ...]) -> TextClause:
    return text(f"UPDATE {table} SET {', '.join(f'{name} = :{name}' for name in names)} WHERE {key} = :{key}")


@lru_cache(maxsize=16)
def _inserting(table: str, names: tuple[str, ...], lines: int) -> TextClause:
    values = (f"({', '.join(f':{name}_{number}' for name in names)})" for number in range(lines))
    return text(f"INSERT INTO {table} ({', '.join(names)}) VALUES {', '.join(values)}")
