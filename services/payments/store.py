"""All SQL of payments. Locks: the payment row first, then whatever hangs on it. Decides nothing."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

from sqlalchemy import (
    Row,
    and_,
    case,
    exists,
    func,
    literal,
    not_,
    or_,
    select,
    tuple_,
    update,
)
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from kit import db
from services.payments import statements
from services.payments.domain import ledger
from services.payments.domain.model import (
    UNSETTLED,
    Kind,
    MeansKind,
    Operation,
    Payment,
    State,
    Status,
    Tender,
)
from services.payments.domain.tasks import Resolution, Task, TaskKind
from services.payments.tables import entry, operation, payment, provider_event, task, tender

_INSERT_PAYMENT = (
    insert(payment).on_conflict_do_nothing(index_elements=[payment.c.order_id]).returning(payment.c.order_id)
)
_INSERT_PROVIDER_EVENT = insert(provider_event).on_conflict_do_nothing().returning(provider_event.c.event_id)

# -- payments ---------------------------------------------------------------------------------------------


async def insert_payment(tx: AsyncConnection, new: Payment) -> bool:
    """Adds and locks it; False when the order has one already (its row is then to be locked)."""
    return (await tx.execute(_INSERT_PAYMENT, statements.payment_values(new))).first() is not None


async def lock_payment(tx: AsyncConnection, order_id: str) -> Payment | None:
    """The payment under its lock."""
    return statements.payment_of(*await db.in_one_trip(tx, *statements.locking_payment(order_id)))


async def read_payment(tx: AsyncConnection, order_id: str) -> Payment | None:
    """The payment as it stands."""
    return statements.payment_of(*await db.in_one_trip(tx, *statements.reading_payment(order_id)))


async def insert_tenders(tx: AsyncConnection, new: Sequence[Tender]) -> None:
    """Adds them; the caller holds the lock of their payment."""
    await tx.execute(insert(tender), [statements.tender_values(one) for one in new])


async def tender_told_of(
    tx: AsyncConnection, provider: str, provider_payment_id: str, operation_id: str
) -> Tender | None:
    """The tender that an event is about: the provider's, or (before its number is known here) the operation's."""
    meant = select(operation.c.tender_id).where(operation.c.operation_id == operation_id)
    query = select(tender).where(
        tender.c.provider == provider,
        or_(tender.c.provider_payment_id == provider_payment_id, tender.c.tender_id == meant.scalar_subquery()),
    )
    row = (await tx.execute(query)).first()
    return _tender(row) if row else None


async def link(tx: AsyncConnection, token: str) -> tuple[Tender, Operation] | None:
    """The tender that is paid by this link, and its authorisation."""
    query = select(tender).where(tender.c.means_kind == MeansKind.PAYMENT_LINK, tender.c.means_reference == token)
    row = (await tx.execute(query)).first()
    if row is None:
        return None
    asked = (
        select(operation)
        .where(
            operation.c.order_id == row.order_id,
            operation.c.tender_id == row.tender_id,
            operation.c.kind == Kind.AUTHORIZE,
        )
        # What was authorised by it may have been raised.
        .order_by(operation.c.intended_at)
        .limit(1)
    )
    return _tender(row), operation_of((await tx.execute(asked)).one())


async def links_ended(tx: AsyncConnection, now: datetime, limit: int) -> list[Operation]:
    """Authorisations that were to be made by links that have ended."""
    query = (
        select(operation)
        .join(tender, tender.c.tender_id == operation.c.tender_id)
        .where(
            tender.c.means_kind == MeansKind.PAYMENT_LINK,
            tender.c.status == Status.ACTION_REQUIRED,
            tender.c.expires_at <= now,
            operation.c.state == State.ACTION_REQUIRED,
        )
        .limit(limit)
    )
    return [operation_of(row) for row in (await tx.execute(query)).all()]


async def payments_of(tx: AsyncConnection, order_ids: Sequence[str]) -> list[Payment]:
    """Of these orders, in the order of their ids."""
    query = select(payment).where(payment.c.order_id.in_(order_ids)).order_by(payment.c.order_id)
    return await _with_tenders(tx, (await tx.execute(query)).all())


# When a payment was begun, and its order: where a page of them ended.
Begun = tuple[datetime, str]


async def payments_since(
    tx: AsyncConnection, since: datetime, after: Begun | None, limit: int
) -> list[tuple[Payment, datetime]]:
    """With an operation meant since then, and when they were begun; in that order, after one."""
    recent = select(operation.c.order_id).where(operation.c.intended_at >= since)
    begun_at = func.min(operation.c.intended_at).label("begun_at")
    begun = (
        select(operation.c.order_id, begun_at)
        .where(operation.c.order_id.in_(recent))
        .group_by(operation.c.order_id)
        .subquery()
    )
    position = (begun.c.begun_at, payment.c.order_id)
    query = select(payment).add_columns(begun.c.begun_at).join(begun, begun.c.order_id == payment.c.order_id)
    if after:
        query = query.where(tuple_(*position) > tuple_(*map(literal, after)))
    rows = (await tx.execute(query.order_by(*position).limit(limit))).all()
    payments = await _with_tenders(tx, rows)
    return [(one, row.begun_at) for one, row in zip(payments, rows, strict=True)]


async def orders_with_unsettled(tx: AsyncConnection, order_ids: Sequence[str]) -> set[str]:
    """Those of these orders that have an operation without an outcome."""
    query = select(operation.c.order_id).where(
        operation.c.order_id.in_(order_ids), operation.c.state.in_([*UNSETTLED, State.ACTION_REQUIRED])
    )
    return set((await tx.execute(query)).scalars())


async def unresolved(tx: AsyncConnection, meant_before: datetime, limit: int) -> list[Operation]:
    """Operations meant before then that still have no outcome, the oldest first."""
    query = select(operation).where(operation.c.state.in_(UNSETTLED), operation.c.intended_at < meant_before)
    rows = (await tx.execute(query.order_by(operation.c.intended_at).limit(limit))).all()
    return [operation_of(row) for row in rows]


async def count_payments(tx: AsyncConnection) -> int:
    """How many there are."""
    return int((await tx.execute(select(func.count()).select_from(payment))).scalar_one())


async def releases_due(tx: AsyncConnection, limit: int) -> Sequence[str]:
    """Tenders of which the provider still holds what we gave up."""
    query = select(tender.c.tender_id).where(tender.c.release_due).limit(limit)
    return (await tx.execute(query)).scalars().all()


async def renewals_due(tx: AsyncConnection, ends_before: datetime, limit: int) -> Sequence[str]:
    """Orders with saved means whose authorisation ends before then or has let go of what is needed."""
    held = tender.c.authorized > tender.c.captured + tender.c.voided
    query = (
        select(tender.c.order_id)
        .distinct()
        .where(
            tender.c.saved_means != "",
            not_(tender.c.superseded),
            or_(tender.c.lapsed > 0, and_(held, tender.c.expires_at <= ends_before)),
        )
        .limit(limit)
    )
    return (await tx.execute(query)).scalars().all()


async def means_over(tx: AsyncConnection, quiet_since: datetime, limit: int) -> Sequence[str]:
    """Orders with kept means whose payment is closed: undone, or with nothing intended since then."""
    moved = exists().where(operation.c.order_id == payment.c.order_id, operation.c.intended_at > quiet_since)
    query = (
        select(payment.c.order_id)
        .join(tender, tender.c.order_id == payment.c.order_id)
        .distinct()
        .where(tender.c.saved_means != "", payment.c.status == Status.CLOSED, or_(payment.c.closing, not_(moved)))
        .limit(limit)
    )
    return (await tx.execute(query)).scalars().all()


async def read_tender(tx: AsyncConnection, tender_id: str) -> Tender:
    """One that is known to exist."""
    return _tender((await tx.execute(select(tender).where(tender.c.tender_id == tender_id))).one())


# -- operations -------------------------------------------------------------------------------------------


async def read_operation(tx: AsyncConnection, operation_id: str) -> Operation:
    """One that is known to exist."""
    [row] = await db.rows(tx, *statements.reading_operation(operation_id))
    return statements.operation_of(row)


async def operations_of(tx: AsyncConnection, order_id: str) -> list[Operation]:
    """All of an order, oldest first."""
    return list(map(statements.operation_of, await db.rows(tx, *statements.reading_operations(order_id))))


async def unsettled_of(tx: AsyncConnection, order_id: str) -> list[Operation]:
    """Those that still reserve an amount, oldest first."""
    return list(map(statements.operation_of, await db.rows(tx, *statements.reading_unsettled(order_id))))


async def operations_of_request(tx: AsyncConnection, operation_ids: Sequence[str]) -> list[Operation]:
    """These, which are known to exist, in this order."""
    query = select(operation).where(operation.c.operation_id.in_(operation_ids))
    found = {row.operation_id: operation_of(row) for row in (await tx.execute(query)).all()}
    return [found[one] for one in operation_ids]


async def take_unresolved(tx: AsyncConnection, as_of: datetime, limit: int, now: datetime) -> list[Operation]:
    """Operations meant before `as_of` that are not settled; those asked longest ago first, now asked at `now`."""
    oldest = (
        select(operation.c.operation_id)
        .where(operation.c.state.in_(UNSETTLED), operation.c.intended_at <= as_of)
        .order_by(operation.c.asked_at)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    taken = await tx.execute(
        update(operation).where(operation.c.operation_id.in_(oldest)).values(asked_at=now).returning(*operation.c)
    )
    return [operation_of(row) for row in taken.all()]


# -- tasks ------------------------------------------------------------------------------------------------


async def insert_task(tx: AsyncConnection, new: Task) -> None:
    """Adds it."""
    await tx.execute(insert(task), _task_values(new))


async def save_task(tx: AsyncConnection, changed: Task) -> None:
    """Writes it back; the caller holds the lock of its payment."""
    values = _task_values(changed)
    await tx.execute(update(task).where(task.c.task_id == values.pop("task_id")).values(values))


async def read_task(tx: AsyncConnection, task_id: str) -> Task | None:
    """One, as it stands."""
    row = (await tx.execute(select(task).where(task.c.task_id == task_id))).first()
    return _task(row) if row else None


async def task_of(tx: AsyncConnection, kind: TaskKind, subject: str) -> Task | None:
    """The task about this."""
    row = (await tx.execute(select(task).where(task.c.kind == kind, task.c.subject == subject))).first()
    return _task(row) if row else None


async def list_tasks(
    tx: AsyncConnection, order_id: str, is_open: bool | None, after: tuple[datetime, str] | None, limit: int
) -> list[Task]:
    """A page, newest first; of one order, open or resolved ones, where that is asked."""
    query = select(task).order_by(task.c.opened_at.desc(), task.c.task_id.desc())
    if order_id:
        query = query.where(task.c.order_id == order_id)
    if is_open is not None:
        query = query.where(task.c.resolved_at.is_(None) if is_open else task.c.resolved_at.is_not(None))
    if after:
        query = query.where(tuple_(task.c.opened_at, task.c.task_id) < tuple_(*map(literal, after)))
    return [_task(row) for row in (await tx.execute(query.limit(limit))).all()]


# -- events and checks ------------------------------------------------------------------------------------


async def add_provider_event(tx: AsyncConnection, provider: str, event_id: str, kind: str, now: datetime) -> bool:
    """False when it was taken before."""
    values = {"provider": provider, "event_id": event_id, "type": kind, "received_at": now}
    return (await tx.execute(_INSERT_PROVIDER_EVENT, values)).first() is not None


@dataclass(frozen=True, slots=True)
class Difference:
    """A total of a tender that is not what the ledger says."""

    order_id: str
    tender_id: str
    total: str
    cached_minor: int
    ledger_minor: int


async def differences(tx: AsyncConnection) -> list[Difference]:
    """Every tender whose totals differ from its accounts' balances. There should be none."""
    balances = {
        total: func.coalesce(
            func.sum(
                case(
                    (
                        entry.c.account == "order/" + tender.c.order_id + f"/{suffix}",
                        sign * (entry.c.debit_minor - entry.c.credit_minor),
                    ),
                    else_=0,
                )
            ),
            0,
        ).label(f"ledger_{total}")
        for total, (suffix, sign) in ledger.TOTALS.items()
    }
    query = (
        select(tender.c.order_id, tender.c.tender_id, *(tender.c[total] for total in balances), *balances.values())
        .select_from(tender)
        .outerjoin(operation, operation.c.tender_id == tender.c.tender_id)
        .outerjoin(entry, entry.c.operation_id == operation.c.operation_id)
        .group_by(tender.c.tender_id)
        .having(or_(*(tender.c[total] != balance for total, balance in balances.items())))
        .order_by(tender.c.order_id, tender.c.tender_id)
    )
    return [
        Difference(row.order_id, row.tender_id, total, cached, recorded)
        for row in (await tx.execute(query)).all()
        for total in balances
        if (cached := int(getattr(row, total))) != (recorded := int(getattr(row, f"ledger_{total}")))
    ]


# -- rows and objects -------------------------------------------------------------------------------------


def _payment(row: Row[Any], tenders: Sequence[Tender]) -> Payment:
    return Payment(row.order_id, row.channel_id, row.currency, Status(row.status), row.closing, tuple(tenders))


async def _with_tenders(tx: AsyncConnection, rows: Sequence[Row[Any]]) -> list[Payment]:
    query = select(tender).where(tender.c.order_id.in_([row.order_id for row in rows]))
    found: dict[str, list[Tender]] = defaultdict(list)
    for row in (await tx.execute(query.order_by(tender.c.position, tender.c.tender_id))).all():
        found[row.order_id].append(_tender(row))
    return [_payment(row, found[row.order_id]) for row in rows]


def _tender(row: Row[Any]) -> Tender:
    return statements.tender_of([getattr(row, name) for name in statements.TENDER_COLUMNS])


_TASK_FIELDS = [one.name for one in fields(Task)]


def _task_values(of: Task) -> dict[str, Any]:
    values = {name: getattr(of, name) for name in _TASK_FIELDS}
    return {**values, "resolution": of.resolution or ""}


def _task(row: Row[Any]) -> Task:
    values = {name: getattr(row, name) for name in _TASK_FIELDS}
    resolution = Resolution(row.resolution) if row.resolution else None
    return Task(**{**values, "kind": TaskKind(row.kind), "resolution": resolution})


def operation_of(row: Row[Any]) -> Operation:
    """A row of the table."""
    return statements.operation_of([getattr(row, name) for name in statements.OPERATION_COLUMNS])
