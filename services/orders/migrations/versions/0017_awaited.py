"""Units of a fulfilment that are still to come, and orders that may wait for some."""

from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE orders ADD COLUMN may_wait boolean NOT NULL DEFAULT false")
    op.execute("ALTER TABLE fulfilment ADD COLUMN awaited jsonb NOT NULL DEFAULT '[]'")


def downgrade() -> None:
    raise NotImplementedError("orders are never forgotten by a migration")
