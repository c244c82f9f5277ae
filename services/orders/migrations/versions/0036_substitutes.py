"""Whether the customer takes another article instead of one that is missing at the pick."""

from alembic import op

revision = "0036"
down_revision = "0035"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE order_line ADD COLUMN allow_substitutes boolean NOT NULL DEFAULT false")


def downgrade() -> None:
    raise NotImplementedError("orders are never forgotten by a migration")
