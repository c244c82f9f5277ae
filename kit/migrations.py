"""What every `migrations/env.py` does: run in one transaction on the URL that kit.db.migrate gives."""

from alembic import context
from sqlalchemy import create_engine, pool


def run() -> None:
    """Runs the pending migrations. Called by Alembic through each service's env.py."""
    engine = create_engine(context.config.get_main_option("sqlalchemy.url") or "", poolclass=pool.NullPool)
    with engine.begin() as connection:
        context.configure(connection=connection, transaction_per_migration=False)
        with context.begin_transaction():
            context.run_migrations()
    engine.dispose()
