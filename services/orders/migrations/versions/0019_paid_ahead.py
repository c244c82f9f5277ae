"""How long before its first work begins an order is paid whose means was kept."""

from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("""
        ALTER TABLE life_cycle
        ADD COLUMN authorise_ahead_seconds integer NOT NULL DEFAULT 172800 CHECK (authorise_ahead_seconds > 0)
    """)


def downgrade() -> None:
    raise NotImplementedError("orders are never forgotten by a migration")
