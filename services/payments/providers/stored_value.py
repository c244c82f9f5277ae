"""Stored value as a provider of payments: an authorisation is a hold on an instrument, a capture spends it.

It lives in our own database, so nothing of it is ever lost: each operation commits in a transaction of its own,
remembered under the operation's id, and repeated it answers the same. There is no network here; when the database
is away, the answer is lost as any provider's may be.
"""

import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.exc import DBAPIError

from kit import db, outbox, requests, times
from kit.db import AsyncConnection, AsyncEngine
from kit.feed import Bell
from kit.values.ids import new_id
from services.payments import stored_value_store as store
from services.payments.domain import stored_value as domain
from services.payments.domain.model import Kind, Operation, State, Tender
from services.payments.domain.outcome import Outcome, failed
from services.payments.domain.stored_value import Change, Hold, Instrument, Refusal, Why, Wish
from services.payments.providers import Abilities, AnswerLost, Authorisation
from services.payments.providers.ours import OwnProvider
from services.payments.stored_value_codes import CodeBook
from services.payments.stored_value_events import events_of

_ACTOR = "payments"
_FOR_GOOD = timedelta(days=36_500)
# A capture is a transaction like another; it is only that many parcels an order has.
_MOST_CAPTURES = 10_000


class StoredValueProvider(OwnProvider):
    """Every instrument of this database. Its ids of payments are those of holds."""

    name = "stored_value"
    abilities = Abilities(
        partial_capture=True,
        multi_capture=True,
        most_captures=_MOST_CAPTURES,
        # A hold was taken in time and stays good: it ends with its order.
        validity=_FOR_GOOD,
        longest_validity=_FOR_GOOD,
        # What was answered is kept for good.
        key_validity=_FOR_GOOD,
    )

    def __init__(
        self, engine: AsyncEngine, bell: Bell, code_book: CodeBook, clock: Callable[[], datetime] = times.now
    ) -> None:
        self._engine = engine
        self._bell = bell
        self._codes = code_book
        self._clock = clock

    async def perform(self, tender: Tender, operation: Operation) -> Outcome:
        """See Provider. A decline is remembered like a success."""
        async with self._transaction() as tx:
            first = await requests.first_answer(tx, _key(operation), _content(operation))
            if first is not None:
                return _outcome(first)
            outcome = await self._act(tx, tender, operation)
            await requests.remember(tx, _key(operation), _answer(outcome))
        self._bell.ring()
        return outcome

    async def look(self, tender: Tender, operation: Operation) -> Outcome | None:
        """See Provider."""
        key = _key(operation)
        async with self._transaction() as tx:
            gave = await db.rows(tx, *requests.asking([key]))
        first = requests.told(gave, {key: requests.digest(_content(operation))}).get(key)
        return _outcome(first) if isinstance(first, Mapping) else None

    async def authorisation(self, provider_payment_id: str) -> Authorisation | None:
        """See Provider."""
        async with self._transaction() as tx:
            found = await store.read_hold(tx, provider_payment_id)
        return _authorisation(found) if found else None

    async def authorisations(self, since: datetime, until: datetime, most: int) -> Mapping[str, Authorisation]:
        """See Provider."""
        async with self._transaction() as tx:
            found = await store.holds_between(tx, since, until, most)
        return {one.hold_id: _authorisation(one) for one in found}

    async def release(self, tender: Tender) -> None:
        """See Provider."""
        async with self._transaction() as tx:
            locked = await _lock(tx, tender.provider_payment_id)
            if locked is None:
                return
            await self._give_back(tx, *locked, self._why(locked[1], "release", _ACTOR))
        self._bell.ring()

    async def _act(self, tx: AsyncConnection, tender: Tender, operation: Operation) -> Outcome:
        if operation.kind is Kind.AUTHORIZE:
            return await self._authorize(tx, tender, operation)
        locked = await _lock(tx, tender.provider_payment_id)
        if locked is None:
            return failed(Refusal.NOT_FOUND)
        of, held = locked
        why = self._why(held, operation.cause, operation.actor)
        match operation.kind:
            case Kind.CAPTURE:
                return await self._capture(tx, of, held, operation, why)
            case Kind.REFUND:
                return await self._refund(tx, of, held, operation.amount_minor, why)
            case _:
                return Outcome(State.SUCCEEDED, await self._give_back(tx, of, held, why))

    async def _authorize(self, tx: AsyncConnection, tender: Tender, operation: Operation) -> Outcome:
        now = self._clock()
        found = await self._codes.find(tx, tender.means.reference, tender.channel_id, now, lock=True)
        if isinstance(found, Refusal):
            return failed(found)
        amount = operation.amount_minor
        customer_ref = tender.means.customer_ref
        why_not = domain.refusal(found, Wish(amount, operation.currency, tender.channel_id, customer_ref, now))
        if why_not:
            return failed(why_not)
        why = Why(operation.cause, operation.actor, now, operation.order_id, new_id("svh"))
        change = domain.hold(found, amount, operation.operation_id, why)
        return Outcome(State.SUCCEEDED, await self._save(tx, change))

    async def _capture(
        self, tx: AsyncConnection, of: Instrument, held: Hold, operation: Operation, why: Why
    ) -> Outcome:
        spent = domain.spend(of, held, operation.amount_minor, why)
        if isinstance(spent, Refusal):
            return failed(spent)
        reference = await self._save(tx, spent)
        if operation.final and spent.hold:
            await self._give_back(tx, spent.instrument, spent.hold, why)
        return Outcome(State.SUCCEEDED, reference)

    async def _refund(self, tx: AsyncConnection, of: Instrument, held: Hold, amount: int, why: Why) -> Outcome:
        change = domain.refund(of, held, amount, new_id("svl"), why)
        if isinstance(change, Refusal):
            return failed(change)
        return Outcome(State.SUCCEEDED, await self._save(tx, change))

    async def _give_back(self, tx: AsyncConnection, of: Instrument, held: Hold, why: Why) -> str:
        return await self._save(tx, domain.give_back(of, held, new_id("svl"), why))

    async def _save(self, tx: AsyncConnection, change: Change) -> str:
        """What the outcome refers to: the credit note that was made, or else the hold."""
        await store.save(tx, change)
        await outbox.write(tx, events_of(change))
        assert change.hold is not None  # every act of an order has one
        return change.note.instrument_id if change.note else change.hold.hold_id

    def _why(self, held: Hold, cause: str, actor: str) -> Why:
        return Why(cause, actor, self._clock(), held.order_id, held.hold_id)

    @asynccontextmanager
    async def _transaction(self) -> AsyncIterator[AsyncConnection]:
        try:
            async with self._engine.begin() as tx:
                yield tx
        except DBAPIError as error:
            if db.is_outage(error):
                raise AnswerLost(type(error).__name__) from None
            raise


async def _lock(tx: AsyncConnection, hold_id: str) -> tuple[Instrument, Hold] | None:
    """The instrument under its lock, and what the order holds of it."""
    found = await store.read_hold(tx, hold_id)
    if found is None:
        return None
    of = await store.lock(tx, found.instrument_id)
    # Read again: it may have moved while we waited for the lock.
    held = await store.read_hold(tx, hold_id)
    assert of is not None  # instruments are never deleted
    assert held is not None  # nor are holds
    return of, held


def _authorisation(of: Hold) -> Authorisation:
    return Authorisation(
        provider_payment_id=of.hold_id,
        operation_id=of.operation_id,
        outcome=Outcome(State.SUCCEEDED, of.hold_id),
        ended=of.held == 0,
        captured=of.spent,
        refunded=of.refunded,
    )


def _key(operation: Operation) -> str:
    return f"stored_value/{operation.operation_id}"


def _content(operation: Operation) -> bytes:
    return json.dumps([operation.kind, operation.amount_minor, operation.currency]).encode()


def _answer(outcome: Outcome) -> dict[str, Any]:
    return {"state": outcome.state, "reference": outcome.reference, "failure_code": outcome.failure_code}


def _outcome(answer: Mapping[str, Any]) -> Outcome:
    return replace(Outcome(**answer), state=State(answer["state"]))
