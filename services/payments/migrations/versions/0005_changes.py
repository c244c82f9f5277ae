"""The total of an order changes: what may be raised, what pays more, what was given up and is needed again."""

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Of tenders."""
    op.execute("""
ALTER TABLE tender
    ADD COLUMN incremental boolean NOT NULL DEFAULT false,
    ADD COLUMN raises      boolean NOT NULL DEFAULT false,
    ADD COLUMN taken_back  bigint NOT NULL DEFAULT 0 CHECK (taken_back >= 0),
    ADD CHECK (voided >= taken_back)
""")
