"""PostgreSQL: engines and migrations. Knows no table but its own version table."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import ExitStack, asynccontextmanager
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import Any

import psycopg
from sqlalchemy import TextClause, event, text
from sqlalchemy.dialects.postgresql.psycopg import PGDialectAsync_psycopg
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from kit import arrays, failpoints, telemetry, trips
from kit.trips import Rows

__all__ = [
    "BE_BRIEF",
    "AsyncConnection",
    "AsyncEngine",
    "Rows",
    "Statement",
    "connect",
    "in_one_trip",
    "is_duplicate",
    "is_full",
    "is_held_elsewhere",
    "is_outage",
    "migrate",
    "rows",
    "single",
]

# Waiting for a lock longer than this is a fault, not patience: the caller is told so, and asks again. Whoever
# comes behind another that waits for the same row waits for two locks, and so at most twice as long.
_LOCK_SECONDS = 5.0
_SESSION_OPTIONS = "-c statement_timeout=30000 -c idle_in_transaction_session_timeout=30000"

# A server that is gone without a word (a machine lost, a fail-over) is noticed in some 20 seconds, not in hours.
_KEEP_ALIVE = {
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 2,
    "tcp_user_timeout": 20_000,  # milliseconds
}


def connect(url: str, *, pool_size: int = 10, lock_seconds: float = _LOCK_SECONDS) -> AsyncEngine:
    """An engine for `postgresql+psycopg://` URLs: at most `pool_size` connections, READ COMMITTED."""
    options = f"{_SESSION_OPTIONS} -c lock_timeout={int(lock_seconds * 1000)}"
    engine = create_async_engine(
        url,
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=10,
        # The text of an error reaches logs: values of rows must not.
        hide_parameters=True,
        connect_args={"options": options, "connect_timeout": 5, **_KEEP_ALIVE},
    )
    event.listen(engine.sync_engine, "connect", _write_arrays_whole)
    if telemetry.is_exporting():
        telemetry.trace_statements(engine.sync_engine)
    if failpoints.are_on():
        failpoints.watch_commits(engine.sync_engine)
    return engine


def _write_arrays_whole(connection: Any, record: object) -> None:
    arrays.use_for(connection.driver_connection)


@lru_cache(maxsize=32)
def single(engine: AsyncEngine) -> AsyncEngine:
    """The same pool for statements that need no transaction around them: `async with single(engine).connect()`.

    Each is answered in one round trip, where BEGIN, the statement and its end are three; and a rollback, which is
    how a transaction that only read ends, would make the driver forget all that it has prepared.
    """
    return engine.execution_options(isolation_level="AUTOCOMMIT")


# Only for its way to write a statement's values.
_WITH_NUMBERS = PGDialectAsync_psycopg(paramstyle="numeric_dollar")  # type: ignore[no-untyped-call]

Statement = tuple[TextClause, Mapping[str, Any]]


async def rows(tx: AsyncConnection, statement: TextClause, values: Mapping[str, Any]) -> Rows:
    """What a statement gives, in the connection's transaction; for those that every call of a hot path makes.

    It goes to the driver itself: SQLAlchemy's way there and back is two thirds of what a statement costs us.
    Spans, failpoints and errors are the same. The first one of a transaction brings its BEGIN along.
    """
    [gave] = await in_one_trip(tx, (statement, values))
    return gave


async def in_one_trip(tx: AsyncConnection, *statements: Statement, ends: bool = False) -> list[Rows]:
    """Like `rows` for several statements, none of which waits for the answer to another: what each gives.

    They are carried out one after the other; what follows one that fails is not. `ends`: the transaction is
    committed in the same trip, and the connection is not asked for anything after it.
    """
    asked = [_with_values(statement, values) for statement, values in statements]
    async with _at_driver(tx, [sql.text for sql in asked], ends=ends) as driver:
        return await trips.go(driver, asked, ends=ends)


# For whoever has waited for a lock before: in this transaction a tenth of a second is enough.
BE_BRIEF: Statement = text("SET LOCAL lock_timeout = '100ms'"), {}


@asynccontextmanager
async def _at_driver(
    tx: AsyncConnection, texts: Sequence[str], *, ends: bool = False
) -> AsyncIterator[psycopg.AsyncConnection[Any]]:
    """The driver's connection; what the engine does around statements is done."""
    connection = tx.sync_connection
    assert connection is not None, "it is open"
    driver: psycopg.AsyncConnection[Any] | None = connection.connection.driver_connection
    assert driver is not None, "it is not invalidated"
    if not connection.in_transaction():
        connection.begin()  # only noted: the driver begins with its next statement
    for sql in texts:
        failpoints.writing(connection, sql)
    if ends:
        failpoints.committing(connection)
    try:
        with ExitStack() as spans:
            for sql in texts:
                spans.enter_context(telemetry.about_statement(sql, connection.engine.url.database))
            yield driver
    except psycopg.Error as error:
        if driver.closed:
            await tx.invalidate(error)
        raise DBAPIError.instance(
            "; ".join(texts),
            None,
            error,
            psycopg.Error,
            hide_parameters=True,
            connection_invalidated=driver.closed,
        ) from error


def _with_values(statement: TextClause, values: Mapping[str, Any]) -> trips.Sql:
    sql, names = _numbered(statement)
    return trips.Sql(sql, [values[name] for name in names])


@lru_cache(maxsize=256)
def _numbered(statement: TextClause) -> tuple[str, tuple[str, ...]]:
    """With $1, $2 for its values, and their names in that order."""
    compiled = statement.compile(dialect=_WITH_NUMBERS)
    return str(compiled), tuple(compiled.positiontup or ())


async def migrate(service: str, url: str) -> None:
    """Brings the database of `services.<service>` to its newest version."""
    # Imported here: every process imports this module, and only the launcher migrates.
    from alembic import command
    from alembic.config import Config

    folder = Path(str(resources.files(f"services.{service}") / "migrations"))
    config = Config()
    config.set_main_option("script_location", str(folder))
    config.set_main_option("sqlalchemy.url", url.replace("%", "%%"))
    await asyncio.to_thread(command.upgrade, config, "head")


def is_outage(error: DBAPIError) -> bool:
    """Whether the database was away, starting, full or out of patience: asking again may help."""
    state = getattr(error.orig, "sqlstate", None) or ""
    # Classes: 08 connection, 53 resources, 57 operator intervention, 40 deadlock; 55P03 lock not available.
    return error.connection_invalidated or state[:2] in ("08", "53", "57", "40") or state in ("55P03", "")


def is_held_elsewhere(error: DBAPIError) -> bool:
    """Whether a row was under somebody else's lock for too long: an outage of that row alone."""
    return getattr(error.orig, "sqlstate", None) == "55P03"


def is_duplicate(error: DBAPIError) -> bool:
    """Whether somebody else has written a row of the same key meanwhile."""
    return getattr(error.orig, "sqlstate", None) == "23505"


def is_full(error: DBAPIError) -> bool:
    """Whether the database's disk is full: an outage that a person has to end."""
    return getattr(error.orig, "sqlstate", None) == "53100"
