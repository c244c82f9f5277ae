"""What an order is known by can be found from the order: a changed order is judged again (SPEC ORD-4).

Digests are written in the order of `recorded_at`: such an index is a few pages, and costs placements nothing.
"""

from alembic import op

revision = "0028"
down_revision = "0027"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        "CREATE INDEX order_trait_recorded ON order_trait USING brin (recorded_at) WITH (autosummarize = on)"
    )


def downgrade() -> None:
    op.execute("DROP INDEX order_trait_recorded")
