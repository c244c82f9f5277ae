"""What may be given instead of an item, best first."""

from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Adds them."""
    op.execute("ALTER TABLE item ADD COLUMN substitutes text[] NOT NULL DEFAULT '{}'")


def downgrade() -> None:
    raise NotImplementedError("the catalogue is never forgotten by a migration")
