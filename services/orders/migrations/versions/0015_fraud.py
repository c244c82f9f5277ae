"""Fraud: rules of life cycles, what they said of an order, whose review is due, and what orders are known by.

`order_trait` holds keyed digests and no personal data. Orders that were recorded before have none.
"""

from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

_STATEMENTS = (
    "ALTER TABLE life_cycle ADD COLUMN fraud jsonb",
    """
    ALTER TABLE orders
        ADD COLUMN fraud jsonb,
        ADD COLUMN review_until timestamptz
    """,
    "CREATE INDEX orders_to_review ON orders (review_until, order_id) WHERE review_until IS NOT NULL",
    """
    CREATE TABLE order_trait (
        digest bytea NOT NULL,
        recorded_at timestamptz NOT NULL,
        order_id text NOT NULL REFERENCES orders,
        PRIMARY KEY (digest, recorded_at, order_id)
    )
    """,
)


def upgrade() -> None:
    for statement in _STATEMENTS:
        op.execute(statement)


def downgrade() -> None:
    raise NotImplementedError("orders are never forgotten by a migration")
