"""Alembic's entry; kit.migrations does the work."""

from kit import migrations

migrations.run()
