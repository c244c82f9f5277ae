"""What customers take along from a store; units of such an order that are cancelled keep the place they had."""

from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

_STATEMENTS = (
    "ALTER TABLE order_line ADD COLUMN taken_at_point_id text NOT NULL DEFAULT ''",
    "ALTER TABLE fulfilment ADD COLUMN taken boolean NOT NULL DEFAULT false",
    """
    ALTER TABLE line_range
        DROP CONSTRAINT line_range_place,
        ADD CONSTRAINT line_range_place CHECK (
            CASE WHEN state = 'recorded' THEN fulfilment_id IS NULL
                 ELSE state IN ('unplaced', 'cancelled') OR fulfilment_id IS NOT NULL END)
    """,
)


def upgrade() -> None:
    for statement in _STATEMENTS:
        op.execute(statement)


def downgrade() -> None:
    raise NotImplementedError("orders are never forgotten by a migration")
