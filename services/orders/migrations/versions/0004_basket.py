"""The basket whose units an order takes over."""

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE orders ADD COLUMN basket_id text NOT NULL DEFAULT ''")


def downgrade() -> None:
    raise NotImplementedError("orders are never forgotten by a migration")
