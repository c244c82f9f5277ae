"""Captures through the payments service, in process, over raw SQL of the same rows in the same commits.

The provider answers at once, so what is measured is ours: two transactions a capture, the intent and the outcome,
with their locks, the operation, the tender, the ledger's entries, the event and the request. The least is these
statements alone, prepared and in order, on as many connections. Both are asked eight at a time, each of an order
of its own.
"""

import asyncio
import json
from collections.abc import Sequence
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from itertools import count, cycle

import psycopg

from benchmarks.figures import Result, result
from benchmarks.meter import reading
from benchmarks.system import System, at_once
from deploy.local.postgres import create_database
from kit import db
from kit.feed import Bell
from kit.values.ids import new_id
from kit.values.money import Money
from services.payments.commands import Authorize, Move, Part
from services.payments.domain.model import Means, MeansKind, Operation, State, Tender
from services.payments.domain.outcome import Outcome
from services.payments.providers import Provider
from services.payments.providers.stripe import StripeProvider
from services.payments.service import PaymentsService

_DATABASE = "payments_ledger"
_IN_FLIGHT = 8
_TIMES = 1_000
_WARM_UP = 200
_ROUNDS = 5
_AMOUNT = 10_000_000


class Instant(StripeProvider):
    """Has done everything before it was asked."""

    async def perform(self, tender: Tender, operation: Operation) -> Outcome:
        """Done. The first one of an order makes its payment there."""
        reference = tender.provider_payment_id or f"pi_{operation.operation_id}"
        return Outcome(State.SUCCEEDED, reference, expires_at=datetime.now(UTC) + timedelta(days=7))


async def measure(system: System) -> list[Result]:
    """Rounds of both in turn, on a database of their own."""
    url = system.stack.database_url("payments").rpartition("/")[0] + f"/{_DATABASE}"
    admin = system.stack.database_url("payments").replace("postgresql+psycopg://", "postgresql://", 1)
    await asyncio.to_thread(create_database, admin, _DATABASE)
    await db.migrate("payments", url)
    engine = db.connect(url, pool_size=_IN_FLIGHT)
    provider = Instant(
        url="http://127.0.0.1:1",
        api_key="none",
        webhook_secret="none",
        return_url="",
        timeout_seconds=1,
        name="instant",
    )
    providers: dict[str, Provider] = {provider.name: provider}
    service = PaymentsService(engine, Bell(), providers, provider.name)
    try:
        orders = [await _paid(service) for _ in range(2 * _IN_FLIGHT)]
        async with AsyncExitStack() as stack:
            plain = url.replace("postgresql+psycopg://", "postgresql://", 1)
            raw = Raw([await stack.enter_async_context(await _connect(plain)) for _ in range(_IN_FLIGHT)])
            ours, least = Ours(service, orders[:_IN_FLIGHT]), raw.of(orders[_IN_FLIGHT:])
            for act in (ours.capture, least.capture):
                await at_once(_IN_FLIGHT, _WARM_UP, act)
            captured, written = [], []
            with reading() as taken:
                for _ in range(_ROUNDS):
                    await system.settle()
                    written.append(_TIMES / await at_once(_IN_FLIGHT, _TIMES, least.capture))
                    captured.append(_TIMES / await at_once(_IN_FLIGHT, _TIMES, ours.capture))
        if found := await service.differences():
            raise ValueError(f"books differ: {found[:3]}")
    finally:
        await engine.dispose()
        await provider.close()
        await asyncio.to_thread(_drop, admin)
    ratios = [mine / theirs for mine, theirs in zip(captured, written, strict=True)]
    return [
        result("ledger_ratio", ratios, taken.load),
        result("captures_per_second", captured, taken.load),
        result("raw_captures_per_second", written, taken.load),
    ]


async def _paid(service: PaymentsService) -> str:
    order_id = new_id("ord")
    means = Part(Means(MeansKind.PAYMENT_METHOD_TOKEN, "any"))
    asked = Authorize(new_id("req"), order_id, "web-fr", Money(_AMOUNT, "EUR"), [means], cause="placement")
    await service.authorize(asked)
    return order_id


class Ours:
    """Captures of orders in turn, through the service."""

    def __init__(self, service: PaymentsService, orders: Sequence[str]) -> None:
        self._service = service
        self._orders = cycle(orders)
        self._numbers = count()

    async def capture(self) -> None:
        """One unit, for a parcel."""
        key = new_id("req")
        await self._service.capture(
            Move(key, next(self._orders), Money(1, "EUR"), f"parcel/{next(self._numbers)}", "benchmark", "st-lyon")
        )


async def _connect(url: str) -> psycopg.AsyncConnection[tuple[object, ...]]:
    connection = await psycopg.AsyncConnection.connect(url)
    connection.prepare_threshold = 0
    return connection


_LOCK = "SELECT * FROM payment WHERE order_id = %s FOR UPDATE"
_REQUEST = "INSERT INTO request (request_id, digest, answer) VALUES (%s, %s, %s)"
_OPERATION = """
INSERT INTO operation (operation_id, request_id, order_id, tender_id, kind, state, amount_minor, currency, cause,
                       actor, provider, intended_at, asked_at, channel_id, point_id, tender_kind)
SELECT %s, %s, order_id, tender_id, 'capture', 'intended', 1, currency, %s, 'benchmark', provider, now(), now(),
       channel_id, 'st-lyon', means_kind FROM tender WHERE order_id = %s
"""
_OUTCOME = """
UPDATE operation SET state = 'succeeded', settled_at = now(), provider_reference = %s WHERE operation_id = %s
"""
_TENDER = "UPDATE tender SET captured = captured + 1 WHERE order_id = %s"
_ENTRIES = """
INSERT INTO entry (operation_id, account, debit_minor, credit_minor, currency, recorded_at) VALUES
    (%s, %s, 1, 0, 'EUR', now()), (%s, 'provider/instant/authorized', 0, 1, 'EUR', now()),
    (%s, 'provider/instant/receivable', 1, 0, 'EUR', now()), (%s, %s, 0, 1, 'EUR', now())
"""
_EVENT = """
INSERT INTO outbox (event_id, type, subject, order_id, occurred_at, traceparent, data)
VALUES (%s, 'oms.payments.payment.captured', %s, %s, now(), '', %s)
"""


class Raw:
    """The same rows by SQL alone; a connection is of one capture at a time."""

    def __init__(self, connections: Sequence[psycopg.AsyncConnection[tuple[object, ...]]]) -> None:
        self._idle = list(connections)
        self._numbers = count()
        self._orders: cycle[str] = cycle(())

    def of(self, orders: Sequence[str]) -> "Raw":
        """Captures of these orders in turn."""
        self._orders = cycle(orders)
        return self

    async def capture(self) -> None:
        """The intent and the outcome, each in its commit."""
        connection, order_id, cause = self._idle.pop(), next(self._orders), f"raw/{next(self._numbers)}"
        operation_id, request_id = new_id("pop"), new_id("req")
        account = f"order/{order_id}"
        data = json.dumps({"order_id": order_id, "operation_id": operation_id, "amount_minor": 1})
        async with connection.transaction():
            await connection.execute(
                _REQUEST, (request_id, b"x" * 32, json.dumps({"operation_ids": operation_id}))
            )
            await connection.execute(_LOCK, (order_id,))
            await connection.execute(_OPERATION, (operation_id, request_id, cause, order_id))
        async with connection.transaction():
            await connection.execute(_LOCK, (order_id,))
            await connection.execute(_OUTCOME, (operation_id, operation_id))
            await connection.execute(_TENDER, (order_id,))
            await connection.execute(
                _ENTRIES,
                (
                    operation_id,
                    f"{account}/drawn",
                    operation_id,
                    operation_id,
                    operation_id,
                    f"{account}/captured",
                ),
            )
            await connection.execute(_EVENT, (new_id("evt"), f"payment/{order_id}", order_id, data))
        self._idle.append(connection)


def _drop(admin: str) -> None:
    with psycopg.connect(admin, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {_DATABASE} WITH (FORCE)")
