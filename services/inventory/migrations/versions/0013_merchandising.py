"""What is said of positions, what is picked there, and indexes that tell what they sold (SPEC STK-15)."""

from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

FACTS = (
    # Without content it was taken back: the row keeps what a late word of it is judged by.
    """
    CREATE TABLE position_fact (
        sku               text COLLATE "C" NOT NULL REFERENCES item,
        point_id          text COLLATE "C" NOT NULL REFERENCES stock_point,
        kind              text COLLATE "C" NOT NULL
                          CHECK (kind IN ('assortment', 'plan', 'markdown', 'sales_rate')),
        content           jsonb,
        version           integer NOT NULL CHECK (version > 0),
        source            text NOT NULL,
        source_sequence   bigint NOT NULL CHECK (source_sequence >= 0),
        source_updated_at timestamptz,
        actor             text NOT NULL,
        recorded_at       timestamptz NOT NULL,
        PRIMARY KEY (sku, point_id, kind)
    )
    """,
    "CREATE INDEX position_fact_point ON position_fact (point_id, sku)",
    """
    CREATE TABLE position_fact_version (
        number            bigint GENERATED ALWAYS AS IDENTITY,
        sku               text COLLATE "C" NOT NULL,
        point_id          text COLLATE "C" NOT NULL,
        kind              text COLLATE "C" NOT NULL,
        content           jsonb,
        version           integer NOT NULL,
        source            text NOT NULL,
        source_sequence   bigint NOT NULL,
        source_updated_at timestamptz,
        actor             text NOT NULL,
        recorded_at       timestamptz NOT NULL,
        PRIMARY KEY (sku, point_id, kind, version)
    )
    """,
    "CREATE INDEX position_fact_version_number ON position_fact_version (sku, point_id, number)",
)

PICKS = (
    """
    CREATE TABLE pick (
        pick_id     bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        sku         text COLLATE "C" NOT NULL,
        point_id    text COLLATE "C" NOT NULL,
        on_hand     bigint NOT NULL CHECK (on_hand > 0),
        found       bigint NOT NULL CHECK (found >= 0),
        missed      bigint NOT NULL CHECK (missed >= 0),
        recorded_at timestamptz NOT NULL,
        CHECK (found + missed > 0)
    )
    """,
    # A rate leans on the whole network's: a window is read whole, and picks lie in the order of their time.
    "CREATE INDEX pick_recorded ON pick USING brin (recorded_at)",
)

# The three that tell what a position sold, and since when it had something to sell. Most lines of the ledger are
# reservations and are in none of them.
SALES = (
    """
    CREATE INDEX movement_sale ON movement (sku, point_id, recorded_at) INCLUDE (on_hand_delta)
    WHERE cause IN ('issue', 'till_return', 'till_sale')
    """,
    "CREATE INDEX movement_arrival ON movement (sku, point_id, recorded_at) WHERE on_hand_delta > 0",
    """
    CREATE INDEX till_line_unmoved ON till_line (sku, point_id, happened_at) INCLUDE (kind, known, unknown)
    WHERE known + unknown > 0
    """,
)


def upgrade() -> None:
    for statement in (*FACTS, *PICKS, *SALES):
        op.execute(statement)


def downgrade() -> None:
    raise NotImplementedError("stock is never forgotten by a migration")
