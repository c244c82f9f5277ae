"""Alembic's entry; what happens is in kit.migrations."""

from kit import migrations

migrations.run()
