"""Points that compete for work: rings of offers, who won, and work that nobody took.

Life cycles that were published before offer work to the planned point alone.
"""

from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

_STATEMENTS = (
    "ALTER TABLE life_cycle ADD COLUMN competition jsonb",
    "ALTER TABLE orders ADD COLUMN unclaimed_since timestamptz",
    "CREATE INDEX orders_unclaimed ON orders (placed_at DESC, order_id DESC) WHERE unclaimed_since IS NOT NULL",
    "ALTER TABLE fulfilment ADD COLUMN unclaimed_since timestamptz",
    """
    CREATE TABLE offer (
        fulfilment_id text NOT NULL REFERENCES fulfilment,
        point_id      text NOT NULL,
        ring          integer NOT NULL CHECK (ring >= 1),
        place         integer NOT NULL CHECK (place >= 1),
        state         text NOT NULL
            CHECK (state IN ('open', 'claimed', 'accepted', 'refused', 'lost', 'lapsed', 'withdrawn')),
        route         jsonb NOT NULL,
        offered_at    timestamptz NOT NULL,
        deadline      timestamptz NOT NULL,
        answered_at   timestamptz,
        reason        text NOT NULL,
        actor         text NOT NULL,
        claim_id      text NOT NULL,
        PRIMARY KEY (fulfilment_id, point_id)
    )
    """,
    # Whatever the code does: work is never two points'.
    "CREATE UNIQUE INDEX offer_winner ON offer (fulfilment_id) WHERE state IN ('claimed', 'accepted')",
    "CREATE INDEX offer_open ON offer (point_id) WHERE state = 'open'",
    "CREATE INDEX offer_newest ON offer (offered_at DESC, fulfilment_id DESC, point_id DESC)",
)


def upgrade() -> None:
    for statement in _STATEMENTS:
        op.execute(statement)


def downgrade() -> None:
    raise NotImplementedError("orders are never forgotten by a migration")
