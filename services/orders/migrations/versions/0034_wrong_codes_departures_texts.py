"""Wrong codes at the counter of a point; work that misses its departure, found by indexes; proposed texts.

The predicates of the indexes are those of `services.orders.desk_store`, word for word.
"""

from alembic import op

revision = "0034"
down_revision = "0033"
branch_labels = None
depends_on = None

_STATEMENTS = (
    """
    CREATE TABLE wrong_code (
        point_id text PRIMARY KEY,
        since timestamptz NOT NULL,
        attempts integer NOT NULL CHECK (attempts > 0)
    )
    """,
    """
    CREATE INDEX fulfilment_departs ON fulfilment (hand_over_by)
    WHERE state IN ('planned', 'offered', 'accepted', 'picked', 'packed') AND carrier_id <> ''
    """,
    """
    CREATE INDEX fulfilment_not_begun ON fulfilment (order_id)
    WHERE state IN ('planned', 'offered') AND start_missed_at IS NOT NULL
    """,
    "ALTER TABLE order_customer ADD COLUMN proposed_texts jsonb",
)


def upgrade() -> None:
    for statement in _STATEMENTS:
        op.execute(statement)


def downgrade() -> None:
    raise NotImplementedError("orders are never forgotten by a migration")
