"""What customers have put on their units: names with the lines, texts with the buyer, and how far the work is."""

from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None

_STATEMENTS = (
    "ALTER TABLE order_line ADD COLUMN personalisations jsonb NOT NULL DEFAULT '[]'",
    "ALTER TABLE order_customer ADD COLUMN personalisations jsonb NOT NULL DEFAULT '[]'",
    """
    ALTER TABLE fulfilment
        ADD COLUMN personalising_since timestamptz,
        ADD COLUMN personalised_at timestamptz
    """,
)


def upgrade() -> None:
    for statement in _STATEMENTS:
        op.execute(statement)


def downgrade() -> None:
    raise NotImplementedError("orders are never forgotten by a migration")
