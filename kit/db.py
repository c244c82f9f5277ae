"""PostgreSQL: engines and migrations. Knows no table but its own version table."""

import asyncio
from importlib import resources
from pathlib import Path

from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from kit import telemetry

__all__ = ["AsyncConnection", "AsyncEngine", "connect", "is_outage", "migrate"]

# Waiting for a row lock longer than this is a fault, not patience; the caller asks again.
_SESSION_OPTIONS = "-c lock_timeout=5000 -c statement_timeout=30000 -c idle_in_transaction_session_timeout=30000"


def connect(url: str, *, pool_size: int = 10) -> AsyncEngine:
    """An engine for `postgresql+psycopg://` URLs: at most `pool_size` connections, READ COMMITTED."""
    engine = create_async_engine(
        url,
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=10,
        # The text of an error reaches logs: values of rows must not.
        hide_parameters=True,
        connect_args={"options": _SESSION_OPTIONS, "connect_timeout": 5},
    )
    if telemetry.is_exporting():
        telemetry.trace_statements(engine.sync_engine)
    return engine


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
