"""Several statements in one trip to PostgreSQL: one message there, one back (the manual's pipeline mode, 32.5).

The driver's own pipeline sends each statement by itself and waits for BEGIN and for the end by themselves: a
wake-up of both sides for each, which costs more than most statements do. Here all of them leave together. What is
prepared stands in the driver's own book, which it empties when a transaction is rolled back. Knows nothing of
engines, spans and failpoints: `db` does.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import psycopg
from psycopg import abc, adapt, generators
from psycopg._preparing import Prepare
from psycopg.errors import error_from_result
from psycopg.pq import ConnStatus, ExecStatus, TransactionStatus

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
        are_wanted = _send(driver, written, ends=ends)
        yield from generators.send(pgconn)
        return (yield from _hear(driver, adapter, are_wanted))
    except BaseException:
        # Nobody knows what of it was prepared.
        driver._prepared.clear()
        raise
    finally:
        if pgconn.status != ConnStatus.BAD:
            pgconn.exit_pipeline_mode()


def _send(driver: Driver, written: Sequence[_Written], *, ends: bool) -> list[bool]:
    """Writes everything; for each result that comes back, whether somebody wants it."""
    pgconn = driver.pgconn
    are_wanted: list[bool] = []
    if not driver.autocommit and pgconn.transaction_status == TransactionStatus.IDLE:
        pgconn.send_query_params(_beginning(driver), None)
        are_wanted.append(False)
    for text, values in written:
        page: Any = _Page(text)
        prepare, name = driver._prepared.get(page)
        if prepare is Prepare.SHOULD:
            pgconn.send_prepare(name, text)
            are_wanted.append(False)
        if prepare is Prepare.NO:
            pgconn.send_query_params(text, values)
        else:
            pgconn.send_query_prepared(name, values)
        driver._prepared.maybe_add_to_cache(page, prepare, name)
        are_wanted.append(True)
    if ends:
        pgconn.send_query_params(b"COMMIT", None)
        are_wanted.append(False)
    pgconn.pipeline_sync()
    return [*are_wanted, False]


def _beginning(driver: Driver) -> bytes:
    level = driver.isolation_level
    return f"BEGIN ISOLATION LEVEL {level.name.replace('_', ' ')}".encode() if level else b"BEGIN"


def _hear(driver: Driver, adapter: abc.Transformer, are_wanted: Sequence[bool]) -> abc.PQGen[list[Rows]]:
    """Reads all that comes back. Raises the first error, once the connection is ready for the next trip."""
    gave: list[Rows] = []
    failure: psycopg.Error | None = None
    for is_wanted in are_wanted:
        try:
            [result] = yield from generators.fetch_many(driver.pgconn)
        except psycopg.Error as lost:
            # The server may have said why before it went.
            raise failure or lost from None
        if result.status == ExecStatus.FATAL_ERROR:
            failure = failure or error_from_result(result, driver.info.encoding)
        elif is_wanted and result.status != ExecStatus.PIPELINE_ABORTED:
            adapter.set_pgresult(result)
            gave.append(adapter.load_rows(0, result.ntuples, tuple))
    if failure:
        raise failure
    return gave
