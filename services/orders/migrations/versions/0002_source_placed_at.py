"""When the channel took the order, for one that reaches us later."""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE orders ADD COLUMN source_placed_at timestamptz")


def downgrade() -> None:
    raise NotImplementedError("orders are never forgotten by a migration")
