"""Periods of figures: offers and picks by their instant, promises by their end, parcels by their hand-over."""

from alembic import op

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None

_STATEMENTS = (
    """
    CREATE INDEX timeline_figures ON timeline (kind, at)
    WHERE kind IN ('fulfilment.offered', 'fulfilment.picked', 'fulfilment.short')
    """,
    "CREATE INDEX orders_promised ON orders (promise_end) WHERE promise_end IS NOT NULL",
    "CREATE INDEX parcel_handed_over ON parcel (handed_over_at) WHERE handed_over_at IS NOT NULL",
)


def upgrade() -> None:
    for statement in _STATEMENTS:
        op.execute(statement)


def downgrade() -> None:
    raise NotImplementedError("orders are never forgotten by a migration")
