"""Wrong codes at the counter of a point, of its last hour: of whoever says a code and no order."""

from alembic import op

revision = "0037"
down_revision = "0033"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("""
        CREATE TABLE wrong_code (
            point_id text PRIMARY KEY,
            since timestamptz NOT NULL,
            attempts integer NOT NULL CHECK (attempts > 0)
        )
    """)


def downgrade() -> None:
    op.execute("DROP TABLE wrong_code")
