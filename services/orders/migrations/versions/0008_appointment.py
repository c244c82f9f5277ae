"""Orders with an appointment: the booking that the channel named, and the slot that the customer is met in."""

from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Orders from before have none."""
    op.execute("ALTER TABLE orders ADD COLUMN booking_id text NOT NULL DEFAULT ''")
    op.execute("ALTER TABLE orders ADD COLUMN appointment jsonb")
