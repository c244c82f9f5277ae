"""Whether our books agree with themselves and with the provider. Reads and asks; changes nothing."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

from kit import db
from kit.db import AsyncEngine
from kit.errors import InvalidArgument, Unavailable
from services.payments import history_store, store, stored_value_store
from services.payments.domain.model import Payment, Tender
from services.payments.providers import AnswerLost, Authorisation, Provider

LARGEST_BATCH = 500
# The sweep asks every few seconds; what it could not find out by then, nobody may find out.
PATIENCE = timedelta(minutes=2)
# A payment is made at the provider soon after we have begun it. One that was not is asked about by itself.
_MADE_BEFORE = timedelta(seconds=1)
_MADE_WITHIN = timedelta(seconds=5)
_ASKED_AT_ONCE = 8
_SHOWN = 100


@dataclass(frozen=True, slots=True)
class Difference:
    """Something about an order's payment that cannot be right; `kind` is UPPER_SNAKE."""

    order_id: str
    kind: str
    subject: str
    expected: str
    found: str


@dataclass(frozen=True, slots=True)
class Compared:
    """A page of payments, where the provider knows something else, and where the page ended."""

    payments: Sequence[Payment]
    differences: Sequence[Difference]
    last: store.Begun | None = None


class Checking:
    """The reads behind FindDifferences and CompareWithProvider."""

    def __init__(self, engine: AsyncEngine, providers: Mapping[str, Provider]) -> None:
        self._engine = engine
        self._providers = providers

    async def payments_of(self, order_ids: Sequence[str]) -> list[Payment]:
        """Of these orders; those that have none are left out."""
        _check_batch(order_ids)
        async with db.single(self._engine).connect() as tx:
            return [one for one in await store.payments_of(tx, order_ids) if not one.barred]

    async def find_differences(self, as_of: datetime) -> tuple[int, list[Difference]]:
        """How many payments there are, and what is wrong in our own books."""
        async with db.single(self._engine).connect() as tx:
            checked = await store.count_payments(tx)
            totals = await store.differences(tx)
            waiting = await store.unresolved(tx, as_of - PATIENCE, _SHOWN)
            sums = await history_store.wrong_sums(tx, _SHOWN)
            stored_value = await stored_value_store.wrong_totals(tx)
        found = [
            Difference(
                one.order_id,
                "TOTAL_NOT_LEDGER",
                f"{one.tender_id} {one.total}",
                str(one.ledger_minor),
                str(one.cached_minor),
            )
            for one in totals
        ] + [Difference("", "DAY_NOT_LEDGER", one.subject, _of(one.ledger), _of(one.summed)) for one in sums]
        found += [
            Difference(
                "",
                "STORED_VALUE_NOT_LEDGER",
                f"{one.subject} {one.total}",
                str(one.ledger_minor),
                str(one.cached_minor),
            )
            for one in stored_value
        ]
        return checked, found + [
            Difference(one.order_id, "OPERATION_UNRESOLVED", one.operation_id, "an outcome", one.state.value)
            for one in waiting
        ]

    async def compare(self, order_ids: Sequence[str]) -> Compared:
        """The payments of these orders; those that are being worked on are passed over.

        Raises Unavailable / PROVIDER_UNAVAILABLE.
        """
        _check_batch(order_ids)
        async with db.single(self._engine).connect() as tx:
            payments = await store.payments_of(tx, order_ids)
        return Compared(payments, await self._compare(payments, {}))

    async def compare_since(self, since: datetime, after: store.Begun | None, limit: int) -> Compared:
        """The same for a page of the payments with an operation since then."""
        async with db.single(self._engine).connect() as tx:
            begun = await store.payments_since(tx, since, after, limit)
        if not begun:
            return Compared((), ())
        payments = [payment for payment, _ in begun]
        made_from, made_until = begun[0][1] - _MADE_BEFORE, begun[-1][1] + _MADE_WITHIN
        known: dict[str, Authorisation] = {}
        with _asking():
            for name in {one.provider for one in self._comparable(payments)}:
                known |= await self._providers[name].authorisations(made_from, made_until, 2 * limit)
        last = (begun[-1][1], payments[-1].order_id) if len(payments) == limit else None
        return Compared(payments, await self._compare(payments, known), last)

    async def _compare(self, payments: Sequence[Payment], known: Mapping[str, Authorisation]) -> list[Difference]:
        async with db.single(self._engine).connect() as tx:
            busy = await store.orders_with_unsettled(tx, [one.order_id for one in payments])
        gate = asyncio.Semaphore(_ASKED_AT_ONCE)

        async def ask(tender: Tender) -> list[Difference]:
            found = known.get(tender.provider_payment_id)
            if found is None:
                async with gate:
                    found = await self._providers[tender.provider].authorisation(tender.provider_payment_id)
            return compared(tender, found)

        asked = [one for one in self._comparable(payments) if one.order_id not in busy]
        with _asking():
            answers = await asyncio.gather(*map(ask, asked))
        return [difference for answer in answers for difference in answer]

    def _comparable(self, payments: Sequence[Payment]) -> list[Tender]:
        """Those that a provider has in books of its own."""
        held = [one for payment in payments for one in payment.tenders if one.provider_payment_id]
        return [one for one in held if self._providers[one.provider].abilities.comparable]


def compared(tender: Tender, found: Authorisation | None) -> list[Difference]:
    """Where the provider knows something else of a tender that nobody is working on."""

    def differs(kind: str, expected: object, seen: object) -> Difference:
        return Difference(tender.order_id, kind, tender.provider_payment_id, str(expected), str(seen))

    if found is None:
        return [differs("UNKNOWN_TO_PROVIDER", "a payment", "none")]
    differences = []
    if found.captured != tender.captured:
        differences.append(differs("CAPTURED_NOT_AT_PROVIDER", tender.captured, found.captured))
    refunded = tender.refunded - tender.elsewhere
    if found.refunded != refunded:
        differences.append(differs("REFUNDED_NOT_AT_PROVIDER", refunded, found.refunded))
    if found.ended and tender.uncaptured > 0:
        differences.append(differs("AUTHORISATION_ENDED", f"{tender.uncaptured} held", "nothing held"))
    return differences


@contextmanager
def _asking() -> Iterator[None]:
    try:
        yield
    except AnswerLost:
        raise Unavailable("PROVIDER_UNAVAILABLE", "the provider does not answer; ask again") from None


def _of(counted: tuple[int, int]) -> str:
    return f"{counted[0]} of {counted[1]}"


def _check_batch(order_ids: Sequence[str]) -> None:
    if len(order_ids) > LARGEST_BATCH:
        raise InvalidArgument("order_ids", f"at most {LARGEST_BATCH}")
