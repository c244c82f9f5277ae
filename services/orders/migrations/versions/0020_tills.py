"""What of a till's money the orders of a channel may be paid with, and the till that pays a refund out.

Channels of before take none, and no refund of before names a store.
"""

from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE sales_channel ADD COLUMN till_payments text[] NOT NULL DEFAULT '{}'")
    op.execute("ALTER TABLE refund ADD COLUMN point_id text NOT NULL DEFAULT ''")


def downgrade() -> None:
    raise NotImplementedError("orders are never forgotten by a migration")
