"""What the promise of an order is watched by, what was told of it, and what lateness gives.

Orders that are under way are watched from their next change on.
"""

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_STATEMENTS = (
    """
    ALTER TABLE life_cycle
        ADD COLUMN promise_tolerance_seconds integer NOT NULL DEFAULT 3600 CHECK (promise_tolerance_seconds >= 0),
        ADD COLUMN lateness_rules jsonb NOT NULL DEFAULT '[]'
    """,
    """
    ALTER TABLE orders
        ADD COLUMN promise_changes jsonb NOT NULL DEFAULT '[]',
        ADD COLUMN late_since timestamptz,
        ADD COLUMN watch_at timestamptz,
        ADD COLUMN compensation_minor bigint NOT NULL DEFAULT 0 CHECK (compensation_minor >= 0)
    """,
    "CREATE INDEX orders_watched ON orders (watch_at) WHERE watch_at IS NOT NULL",
    "CREATE INDEX orders_late ON orders (placed_at DESC, order_id DESC) WHERE late_since IS NOT NULL",
    """
    ALTER TABLE fulfilment
        ADD COLUMN latest_start timestamptz,
        ADD COLUMN next_hand_over_by timestamptz,
        ADD COLUMN next_window_start timestamptz,
        ADD COLUMN next_window_end timestamptz,
        ADD COLUMN start_missed_at timestamptz
    """,
)


def upgrade() -> None:
    for statement in _STATEMENTS:
        op.execute(statement)


def downgrade() -> None:
    raise NotImplementedError("orders are never forgotten by a migration")
