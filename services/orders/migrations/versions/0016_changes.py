"""Changes of orders that stand, and where a proposed one takes its order.

What was proposed is with the buyer's personal data, and goes with it.
"""

from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE orders ADD COLUMN changes jsonb NOT NULL DEFAULT '[]'")
    op.execute("ALTER TABLE order_customer ADD COLUMN proposed_ship_to jsonb")


def downgrade() -> None:
    raise NotImplementedError("orders are never forgotten by a migration")
