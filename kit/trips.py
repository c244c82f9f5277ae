"""Several statements in one trip to PostgreSQL: one message there, one back (the manual's pipeline mode, 32.5).

The driver's own pipeline sends each statement by itself and waits for BEGIN and for the end by themselves: a
wake-up of both sides for each, which costs more than most statements do. Here all of them leave together. What is
prepared stands in the driver's own book, which it empties when a transaction is rolled back. Knows nothing of
engines, spans and failpoints: `db` does.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import psycopg
from psycopg import abc, adapt, generators
from psycopg._preparing import Prepare
from psycopg.errors import error_from_result
from psycopg.pq import ConnStatus, ExecStatus, TransactionStatus
from psycopg.pq.abc import PGresult

Driver = psycopg.AsyncConnection[Any]
Rows = Sequence[tuple[Any, ...]]
_Written = tuple[bytes, Sequence[abc.Buffer | None]]


class Sql(NamedTuple):
    """A statement with $1, $2 for its values, which are in that order."""

    text: str
    values: Sequence[Any]


class _Page(NamedTuple):
    """What the driver's book knows a statement by."""

    query: bytes
    types: tuple[int, ...] = ()


class _Awaited(NamedTuple):
    """What comes back for something that was sent: rows, or what the book is to be told, or neither."""

    gives: bool = False
    tell_book: Callable[[Sequence[PGresult]], None] | None = None


async def go(driver: Driver, statements: Sequence[Sql], *, ends: bool = False) -> list[Rows]:
    """What each statement gives, in order; what follows one that fails is not carried out.

    Begins a transaction when none is open; `ends` commits it.
    """
    async with driver.lock:
        return await driver.wait(_go(driver, statements, ends=ends))


def _go(driver: Driver, statements: Sequence[Sql], *, ends: bool) -> abc.PQGen[list[Rows]]:
    pgconn, adapter = driver.pgconn, adapt.Transformer(driver)
    # As text: of what type a value is, is for the statement to say. Written before anything is sent: it may fail.
    written = [
        (text.encode(), adapter.dump_sequence(values, [adapt.PyFormat.TEXT] * len(values)))
        for text, values in statements
    ]
    yield from driver._prepared.maintain_gen(driver)
    pgconn.enter_pipeline_mode()
    try:
        awaited = _send(driver, written, ends=ends)
        yield from generators.send(pgconn)
        return (yield from _hear(driver, adapter, awaited))
    finally:
        if pgconn.status != ConnStatus.BAD:
            pgconn.exit_pipeline_mode()


def _send(driver: Driver, written: Sequence[_Written], *, ends: bool) -> list[_Awaited]:
    """Writes everything."""
    pgconn, book = driver.pgconn, driver._prepared
    awaited: list[_Awaited] = []
    if not driver.autocommit and pgconn.transaction_status == TransactionStatus.IDLE:
        pgconn.send_query_params(_beginning(driver), None)
        awaited.append(_Awaited())
    for text, values in written:
        page: Any = _Page(text)
        prepare, name = book.get(page)
        if prepare is Prepare.SHOULD:
            pgconn.send_prepare(name, text)
            awaited.append(_Awaited(tell_book=partial(book.validate, book.key(page), prepare, name)))
        if prepare is Prepare.NO:
            pgconn.send_query_params(text, values)
        else:
            pgconn.send_query_prepared(name, values)
        book.maybe_add_to_cache(page, prepare, name)
        awaited.append(_Awaited(gives=True))
    if ends:
        pgconn.send_query_params(b"COMMIT", None)
        awaited.append(_Awaited())
    pgconn.pipeline_sync()
    return [*awaited, _Awaited()]


def _beginning(driver: Driver) -> bytes:
    level = driver.isolation_level
    return f"BEGIN ISOLATION LEVEL {level.name.replace('_', ' ')}".encode() if level else b"BEGIN"


def _hear(driver: Driver, adapter: abc.Transformer, awaited: Sequence[_Awaited]) -> abc.PQGen[list[Rows]]:
    """Reads all that comes back. Raises the first error, once the connection is ready for the next trip."""
    gave: list[Rows] = []
    failure: psycopg.Error | None = None
    for one in awaited:
        try:
            [result] = yield from generators.fetch_many(driver.pgconn)
        except psycopg.Error as lost:
            # The server may have said why before it went.
            raise failure or lost from None
        if one.tell_book:
            one.tell_book([result])
        if result.status == ExecStatus.FATAL_ERROR:
            failure = failure or error_from_result(result, driver.info.encoding)
        elif one.gives and result.status != ExecStatus.PIPELINE_ABORTED:
            adapter.set_pgresult(result)
            gave.append(adapter.load_rows(0, result.ntuples, tuple))
    if failure:
        raise failure
    return gave
