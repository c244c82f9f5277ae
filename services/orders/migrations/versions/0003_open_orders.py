"""Orders that have not ended are found without reading those that have."""

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        "CREATE INDEX orders_open ON orders (order_id) WHERE state NOT IN ('refused', 'cancelled', 'closed')"
    )


def downgrade() -> None:
    raise NotImplementedError("orders are never forgotten by a migration")
