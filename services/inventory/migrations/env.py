"""Run by Alembic."""

from kit.migrations import run

run()
