"""Goods that are tried at home: the terms of a life cycle, and how the trial of an order goes."""

from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

_STATEMENTS = (
    """
    ALTER TABLE life_cycle
        DROP CONSTRAINT life_cycle_capture_at_check,
        ADD CONSTRAINT life_cycle_capture_at_check
            CHECK (capture_at IN ('order', 'preparation', 'shipment', 'trial')),
        ADD COLUMN trial jsonb,
        ADD CHECK ((capture_at = 'trial') = (trial IS NOT NULL))
    """,
    "ALTER TABLE orders ADD COLUMN trial jsonb",
)


def upgrade() -> None:
    for statement in _STATEMENTS:
        op.execute(statement)


def downgrade() -> None:
    raise NotImplementedError("orders are never forgotten by a migration")
