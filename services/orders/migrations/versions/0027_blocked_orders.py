"""Which orders are blocked or late is found by an index: those of customer service's queue are few among all.

The predicate is that of `services.orders.desk_store.BLOCKED`, word for word.
"""

from alembic import op

revision = "0027"
down_revision = "0022"
branch_labels = None
depends_on = None

_STATEMENTS = (
    """
    CREATE INDEX orders_blocked ON orders (order_id)
    WHERE state NOT IN ('refused', 'cancelled', 'closed')
      AND (late_since IS NOT NULL OR payment_failed_since IS NOT NULL OR undecided_loss_since IS NOT NULL
           OR unclaimed_since IS NOT NULL OR held_for && ARRAY['fraud', 'payment', 'manual', 'stock', 'change']
           OR appointment ->> 'missed_at' IS NOT NULL OR appointment ->> 'wanted_slot_id' <> '')
    """,
    "CREATE INDEX refund_failed ON refund (order_id) WHERE state = 'failed'",
)


def upgrade() -> None:
    for statement in _STATEMENTS:
        op.execute(statement)


def downgrade() -> None:
    raise NotImplementedError("orders are never forgotten by a migration")
