"""Which orders are blocked or late, found by an index since they are few; and what is done with many at once.

The index's predicate is that of `services.orders.desk_store.BLOCKED`, word for word.
"""

from alembic import op

revision = "0027"
down_revision = "0026"
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
    """
    CREATE TABLE bulk_action (
        bulk_id      text PRIMARY KEY,
        act          text NOT NULL CHECK (act IN ('cancel', 'release_hold')),
        hold_kind    text NOT NULL,
        reason       text NOT NULL,
        actor        text NOT NULL,
        roles        text[] NOT NULL,
        requested_at timestamptz NOT NULL
    )
    """,
    """
    CREATE TABLE bulk_item (
        bulk_id    text NOT NULL REFERENCES bulk_action,
        number     integer NOT NULL CHECK (number >= 1),
        order_id   text NOT NULL REFERENCES orders,
        state      text NOT NULL CHECK (state IN ('pending', 'done', 'refused', 'stopped')),
        reason     text NOT NULL DEFAULT '',
        detail     text NOT NULL DEFAULT '',
        decided_at timestamptz,
        PRIMARY KEY (bulk_id, number),
        CHECK ((decided_at IS NULL) = (state IN ('pending', 'stopped')))
    )
    """,
    "CREATE INDEX bulk_item_pending ON bulk_item (bulk_id, number) WHERE state = 'pending'",
)


def upgrade() -> None:
    for statement in _STATEMENTS:
        op.execute(statement)


def downgrade() -> None:
    raise NotImplementedError("orders are never forgotten by a migration")
