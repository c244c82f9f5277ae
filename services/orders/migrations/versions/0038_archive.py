"""Orders that ended long ago: their timeline is packed into one row, and what only answered requests is forgotten.

The order itself stays in its tables: the lists of open work read indexes that it is not in.
"""

from alembic import op

revision = "0038"
down_revision = "0037"
branch_labels = None
depends_on = None

_STATEMENTS = (
    """
    CREATE TABLE archived_timeline (
        order_id    text PRIMARY KEY REFERENCES orders,
        entries     jsonb NOT NULL,
        archived_at timestamptz NOT NULL
    )
    """,
    # NULL again with every change of the order: what came since then is packed in its turn.
    "ALTER TABLE orders ADD COLUMN archived_at timestamptz",
    """
    CREATE INDEX orders_to_archive ON orders (updated_at, order_id)
    WHERE archived_at IS NULL AND state IN ('refused', 'cancelled', 'closed')
    """,
    "CREATE INDEX request_recorded ON request (recorded_at)",
)


def upgrade() -> None:
    for statement in _STATEMENTS:
        op.execute(statement)


def downgrade() -> None:
    raise NotImplementedError("first answers that were forgotten do not come back by a migration")
