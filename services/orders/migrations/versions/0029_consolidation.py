"""Parcels that meet at a hub: the work that they go to, and the work that joins them."""

from alembic import op

revision = "0029"
down_revision = "0028"
branch_labels = None
depends_on = None

_STATEMENTS = (
    """
    ALTER TABLE fulfilment
        ADD COLUMN joins text NOT NULL DEFAULT '',
        ADD COLUMN consolidates boolean NOT NULL DEFAULT false
    """,
    # What is on its way to a hub, or still to be sent there.
    """
    CREATE INDEX fulfilment_arrivals ON fulfilment (joins)
    WHERE joins <> '' AND state IN ('planned', 'offered', 'accepted', 'picked', 'packed', 'handed_over', 'lost',
                                    'damaged')
    """,
    "ALTER TABLE life_cycle ADD COLUMN consolidates boolean NOT NULL DEFAULT false",
)


def upgrade() -> None:
    for statement in _STATEMENTS:
        op.execute(statement)


def downgrade() -> None:
    raise NotImplementedError("orders are never forgotten by a migration")
