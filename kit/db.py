"""PostgreSQL: engines and migrations. Knows no table but its own version table."""

import asyncio
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import Any

from sqlalchemy import event
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from kit import arrays, failpoints, telemetry

__all__ = ["AsyncConnection", "AsyncEngine", "connect", "is_full", "is_outage", "migrate", "single"]

# Waiting for a row lock longer than this is a fault, not patience; the caller asks again.
_SESSION_OPTIONS = "-c lock_timeout=5000 -c statement_timeout=30000 -c idle_in_transaction_session_timeout=30000"

# A server that is gone without a word (a machine lost, a fail-over) is noticed in some 20 seconds, not in hours.
_KEEP_ALIVE = {
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 2,
    "tcp_user_timeout": 20_000,  # milliseconds
}


def connect(url: str, *, pool_size: int = 10) -> AsyncEngine:
    """An engine for `postgresql+psycopg://` URLs: at most `pool_size` connections, READ COMMITTED."""
    engine = create_async_engine(
        url,
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=10,
        # The text of an error reaches logs: values of rows must not.
        hide_parameters=True,
        connect_args={"options": _SESSION_OPTIONS, "connect_timeout": 5, **_KEEP_ALIVE},
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


def is_full(error: DBAPIError) -> bool:
    """Whether the database's disk is full: an outage that a person has to end."""
    return getattr(error.orig, "sqlstate", None) == "53100"
