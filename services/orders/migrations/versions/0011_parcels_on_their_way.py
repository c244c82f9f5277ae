"""What becomes of parcels on their way: attempts, proof, loss and return, and what lost ones are replaced by.

Life cycles that were published before never take silence for a loss, and let customer service decide.
"""

from alembic import op

revision = "0011"
down_revision = "0009"
branch_labels = None
depends_on = None

_STATEMENTS = (
    """
    ALTER TABLE life_cycle
        ADD COLUMN lost_after_days integer NOT NULL DEFAULT 0 CHECK (lost_after_days >= 0),
        ADD COLUMN lost_parcel text NOT NULL DEFAULT 'ask' CHECK (lost_parcel IN ('ask', 'reship', 'refund')),
        ADD COLUMN loss_decision_seconds integer NOT NULL DEFAULT 259200 CHECK (loss_decision_seconds > 0)
    """,
    "ALTER TABLE orders ADD COLUMN undecided_loss_since timestamptz",
    """
    CREATE INDEX orders_undecided_loss ON orders (placed_at DESC, order_id DESC)
    WHERE undecided_loss_since IS NOT NULL
    """,
    "ALTER TABLE fulfilment DROP CONSTRAINT fulfilment_state_check",
    """
    ALTER TABLE fulfilment
        ADD COLUMN replaces text NOT NULL DEFAULT '',
        ADD CONSTRAINT fulfilment_state_check
            CHECK (state IN ('planned', 'offered', 'accepted', 'refused', 'lapsed', 'picked', 'short', 'packed',
                             'handed_over', 'delivered', 'cancelled', 'lost', 'damaged', 'returning', 'returned'))
    """,
    "CREATE INDEX fulfilment_on_its_way ON fulfilment (fulfilment_id) WHERE state IN ('handed_over', 'returning')",
    # Units that are sent again know, without a place, the fulfilment whose parcel was lost.
    "ALTER TABLE line_range DROP CONSTRAINT line_range_check1",
    """
    ALTER TABLE line_range ADD CONSTRAINT line_range_place
        CHECK (state = 'unplaced' OR (fulfilment_id IS NULL) = (state IN ('recorded', 'cancelled')))
    """,
    """
    ALTER TABLE parcel
        ADD COLUMN heard_at timestamptz,
        ADD COLUMN out_for_delivery_at timestamptz,
        ADD COLUMN failed_deliveries integer NOT NULL DEFAULT 0 CHECK (failed_deliveries >= 0),
        ADD COLUMN delivery_failed_at timestamptz,
        ADD COLUMN failure_reason text NOT NULL DEFAULT '',
        ADD COLUMN proof jsonb,
        ADD COLUMN loss jsonb,
        ADD COLUMN returning_at timestamptz,
        ADD COLUMN returned_at timestamptz,
        ADD COLUMN ask_at timestamptz
    """,
    "ALTER TABLE carrier_event ADD COLUMN reason text NOT NULL DEFAULT ''",
)


def upgrade() -> None:
    for statement in _STATEMENTS:
        op.execute(statement)


def downgrade() -> None:
    raise NotImplementedError("orders are never forgotten by a migration")
