"""Alembic's entry: see kit.migrations."""

from kit.migrations import run

run()
