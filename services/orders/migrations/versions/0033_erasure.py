"""Orders of which nobody knows who bought them, and until when a buyer is kept for the documents alone."""

from alembic import op

revision = "0033"
down_revision = "0032"
branch_labels = None
depends_on = None

_STATEMENTS = (
    "ALTER TABLE orders ADD COLUMN erased_at timestamptz",
    # Those that may be erased some day, by their last change; who is erased leaves it.
    """
    CREATE INDEX orders_to_erase ON orders (updated_at, order_id)
    WHERE erased_at IS NULL AND state IN ('refused', 'cancelled', 'closed')
    """,
    "ALTER TABLE order_customer ADD COLUMN documents_until timestamptz",
    """
    CREATE INDEX order_customer_documents ON order_customer (documents_until)
    WHERE documents_until IS NOT NULL
    """,
)


def upgrade() -> None:
    for statement in _STATEMENTS:
        op.execute(statement)


def downgrade() -> None:
    raise NotImplementedError("who was erased does not come back by a migration")
