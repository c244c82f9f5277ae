"""What customers collect at a store: the terms of it, where it is, how it waits, and what they are asked.

Life cycles that were published before have the usual terms.
"""

from alembic import op

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None

_STATEMENTS = (
    "ALTER TABLE life_cycle ADD COLUMN collection jsonb NOT NULL DEFAULT '{}'",
    """
    ALTER TABLE orders
        ADD COLUMN collect_at_point_id text NOT NULL DEFAULT '',
        ADD COLUMN choices jsonb NOT NULL DEFAULT '[]'
    """,
    """
    ALTER TABLE fulfilment
        DROP CONSTRAINT fulfilment_state_check,
        ADD COLUMN collection jsonb,
        ADD CONSTRAINT fulfilment_state_check
            CHECK (state IN ('planned', 'offered', 'accepted', 'refused', 'lapsed', 'picked', 'short', 'packed',
                             'handed_over', 'delivered', 'cancelled', 'lost', 'damaged', 'returning', 'returned',
                             'ready'))
    """,
    "DROP INDEX fulfilment_work",
    """
    CREATE INDEX fulfilment_work ON fulfilment (point_id, hand_over_by, fulfilment_id)
    WHERE state IN ('offered', 'accepted', 'picked', 'packed', 'ready')
    """,
    # Few of them are to be put back at any time, and most of those that ended are looked at for no-shows.
    """
    CREATE INDEX fulfilment_put_back ON fulfilment (point_id)
    WHERE collection ->> 'put_back_since' IS NOT NULL AND collection ->> 'put_back_at' IS NULL
    """,
    "CREATE INDEX orders_reserved ON orders (order_id) WHERE mode = 'e_reservation'",
)


def upgrade() -> None:
    for statement in _STATEMENTS:
        op.execute(statement)


def downgrade() -> None:
    raise NotImplementedError("orders are never forgotten by a migration")
