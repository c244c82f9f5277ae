"""Writes an operation with what it changes: the tender, the payment's status, the ledger's entries, the event.

The caller holds the payment's lock and commits.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime

from sqlalchemy.exc import IntegrityError

from kit import db, outbox
from kit.db import AsyncConnection, Statement
from kit.errors import FailedPrecondition, NotFound
from services.payments import statements, store
from services.payments.domain.model import Kind, Operation, Payment, State, Status, Tender
from services.payments.domain.settlement import book
from services.payments.domain.tasks import Task

_AUTHORIZED = "oms.payments.payment.authorized"
_DECLINED = "oms.payments.payment.declined"
_SAVED = "oms.payments.payment.saved"
_MORE_AUTHORIZED = "oms.payments.change.authorized"
_MORE_DECLINED = "oms.payments.change.declined"
_TO_ORDER = frozenset({_AUTHORIZED, _DECLINED, _SAVED, _MORE_AUTHORIZED, _MORE_DECLINED})


async def locked(tx: AsyncConnection, order_id: str, *, barred: bool = False) -> Payment:
    """The payment under its lock. Raises PAYMENT_NOT_FOUND, also for a mark that bars one unless `barred`."""
    return known(await store.lock_payment(tx, order_id), order_id, barred=barred)


async def existing(tx: AsyncConnection, order_id: str) -> Payment:
    """The payment as it stands. Raises PAYMENT_NOT_FOUND."""
    return known(await store.read_payment(tx, order_id), order_id)


def known(payment: Payment | None, order_id: str, *, barred: bool = False) -> Payment:
    """The payment that was read. Raises PAYMENT_NOT_FOUND, also for a mark that bars one unless `barred`."""
    if payment is None or (payment.barred and not barred):
        raise NotFound("PAYMENT_NOT_FOUND", "the order has no payment", order_id=order_id)
    return payment


@contextmanager
def used_once() -> Iterator[None]:
    """Around the transaction that adds tenders: an authorisation or a receipt pays one order.

    Raises AUTHORISATION_ALREADY_USED.
    """
    try:
        yield
    except IntegrityError as error:
        if "tender_provider_payment" not in str(error.orig):
            raise
        raise FailedPrecondition(
            "AUTHORISATION_ALREADY_USED",
            "this authorisation pays another order",
            field="tender.provider_authorisation_id",
        ) from None


async def record(tx: AsyncConnection, payment: Payment, operations: Sequence[Operation]) -> Payment:
    """Writes new operations; those that need no provider take their effect at once."""
    after, written = recording(payment, operations)
    await _write(tx, written)
    return after


async def save(tx: AsyncConnection, payment: Payment, *changed: Tender) -> Payment:
    """Writes changed tenders back, and the payment when its status follows."""
    after = payment.having(*changed)
    await _write(tx, statements.saving_payment(payment, after))
    return after


def recording(payment: Payment, operations: Sequence[Operation]) -> tuple[Payment, list[Statement]]:
    """The payment with these new operations, and what is to be written for them."""
    written: list[Statement] = []
    for operation in operations:
        written.append(statements.inserting_operation(operation))
        if operation.state is State.SUCCEEDED:
            before, payment = payment, payment.having(book(payment.tender(operation.tender_id), operation))
            written += statements.saving_payment(before, payment)
            written += writing_down(payment, [operation], operation.intended_at)
    return payment, written


def writing_down(
    payment: Payment, operations: Sequence[Operation], now: datetime, *, to_workflow: bool = False
) -> list[Statement]:
    """The ledger's entries and the events of operations that were settled."""
    entries = [
        statement
        for operation in operations
        if operation.state is State.SUCCEEDED
        for statement in statements.adding_entries(payment.tender(operation.tender_id), operation, now)
    ]
    return entries + outbox.writing(_events_of(payment, operations, now, to_workflow=to_workflow))


async def _write(tx: AsyncConnection, written: Sequence[Statement]) -> None:
    if written:
        await db.in_one_trip(tx, *written)


async def tell_of_task(tx: AsyncConnection, task: Task) -> None:
    """`opened` or `resolved`."""
    kind = "resolved" if task.resolution else "opened"
    data = {
        "order_id": task.order_id,
        "channel_id": task.channel_id,
        "task_id": task.task_id,
        "kind": task.kind.value,
        "amount_minor": task.amount_minor,
        "currency": task.currency,
        "resolution": task.resolution.value if task.resolution else "",
    }
    at = task.resolved_at or task.opened_at
    event = outbox.Event(f"oms.payments.task.{kind}", f"payment/{task.order_id}", task.order_id, at, data)
    await outbox.write(tx, [event])


def _events_of(
    payment: Payment, operations: Sequence[Operation], now: datetime, *, to_workflow: bool
) -> list[outbox.Event]:
    """What to tell about operations that were settled. Ids and amounts, never a token, a cause or a person.

    An authorisation is told only when nobody waits for its answer: the subject is then the order, whose workflow
    it wakes. Whoever asked has it in the reply.
    """
    events = []
    for operation in operations:
        kind = _event_type(payment, operation)
        of_order = kind in _TO_ORDER
        if not kind or (of_order and not to_workflow):
            continue
        data = {
            "order_id": payment.order_id,
            "channel_id": payment.channel_id,
            "status": payment.status.value,
            "operation_id": operation.operation_id,
            "tender_id": operation.tender_id,
            "amount_minor": operation.amount_minor,
            "currency": operation.currency,
        }
        if operation.failure_code:
            data["decline_code"] = operation.failure_code
        subject = f"{'order' if of_order else 'payment'}/{payment.order_id}"
        events.append(outbox.Event(kind, subject, payment.order_id, now, data))
    return events


def _event_type(payment: Payment, operation: Operation) -> str:
    """Of an authorisation: only when it decides the whole payment, which all tenders pay or none, or a raise."""
    tender = payment.tender(operation.tender_id)
    if operation.kind is Kind.AUTHORIZE and _is_raise(tender, operation):
        return _OF_RAISE.get(operation.state, "")
    match (operation.kind, operation.state):
        case (Kind.AUTHORIZE, State.SUCCEEDED) if payment.status is Status.AUTHORIZED and not tender.renews:
            return _AUTHORIZED
        case (Kind.AUTHORIZE, State.FAILED) if payment.status is Status.DECLINED and not tender.renews:
            return _DECLINED
        case (Kind.SAVE_MEANS, State.SUCCEEDED):
            return _SAVED
        case (Kind.SAVE_MEANS, State.FAILED):
            return _DECLINED
        case (Kind.AUTHORIZE, State.FAILED) if tender.renews:
            return "oms.payments.authorization.renewal_declined"
        case (Kind.CAPTURE, State.SUCCEEDED):
            return "oms.payments.payment.captured"
        case (Kind.VOID, State.SUCCEEDED):
            return "oms.payments.payment.voided"
        case (Kind.CHARGEBACK, State.SUCCEEDED):
            return "oms.payments.payment.disputed"
        case (Kind.CHARGEBACK_REVERSAL, State.SUCCEEDED):
            return "oms.payments.payment.dispute_won"
        case (Kind.REFUND, State.SUCCEEDED):
            due = "oms.payments.refund.due_from_channel"
            return due if tender.by_channel else "oms.payments.payment.refunded"
        case _:
            return ""


_OF_RAISE = {State.SUCCEEDED: _MORE_AUTHORIZED, State.FAILED: _MORE_DECLINED}


def _is_raise(tender: Tender, operation: Operation) -> bool:
    own = operation.amount_minor if operation.state is State.SUCCEEDED else 0
    return tender.raises or tender.authorized > own
