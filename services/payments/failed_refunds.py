"""A refund that failed: a task of a person, or, where the retailer chose so, a credit note of the same amount.

The caller holds the payment's lock and commits; the note is in the same database, so it is issued once or never.
"""

from datetime import datetime

from kit import outbox
from kit.db import AsyncConnection
from kit.values.ids import new_id
from services.payments import books, store, stored_value_store
from services.payments.domain import stored_value, tasks
from services.payments.domain.model import Operation, Payment, Tender
from services.payments.domain.policies import Policies
from services.payments.domain.rules import Intent
from services.payments.domain.stored_value import InstrumentKind, Terms, Why
from services.payments.domain.tasks import Resolution, Task
from services.payments.stored_value_events import events_of

_ACTOR = "payments"


async def take_care(
    tx: AsyncConnection, payment: Payment, failed: Operation, policies: Policies, now: datetime
) -> Payment:
    """Of an amount that is owed on the operation's tender."""
    tender = payment.tender(failed.tender_id)
    task = tasks.of_failed_refund(tender, failed, new_id("ptk"), now)
    await store.insert_task(tx, task)
    await books.tell_of_task(tx, task)
    if failed.failure_code in tasks.FOR_GOOD and policies.gives_credit_note(tender.channel_id, tender.provider):
        return await _by_credit_note(tx, payment, tender, task, now)
    return payment


async def _by_credit_note(
    tx: AsyncConnection, payment: Payment, tender: Tender, task: Task, now: datetime
) -> Payment:
    terms = Terms(
        kind=InstrumentKind.CREDIT_NOTE,
        currency=task.currency,
        issued=task.amount_minor,
        valid_until=None,
        channels=(),
        single_use=False,
        customer_ref=tender.means.customer_ref,
        cause=f"task/{task.task_id}",
        actor=_ACTOR,
    )
    # Without a code: whoever may show one to the customer asks for it.
    note = stored_value.issue(new_id("svl"), terms, Why(terms.cause, _ACTOR, now, task.order_id))
    await stored_value_store.insert_instrument(tx, note.instrument)
    await stored_value_store.save(tx, note, is_new=True)
    await outbox.write(tx, events_of(note))
    task = tasks.close(task, Resolution.CREDIT_NOTE, note.instrument.instrument_id, "", _ACTOR, now)
    await store.save_task(tx, task)
    await books.tell_of_task(tx, task)
    operation_id = new_id("pop")
    tender, given = tasks.give_back(task, tender, Intent(operation_id, operation_id, "", _ACTOR, now))
    return await books.record(tx, await books.save(tx, payment, tender), [given])
