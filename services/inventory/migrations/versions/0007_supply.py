"""Stock to come: expected deliveries, what channels may promise of them, pre-orders, who waits; release dates.

What is held of a delivery or a pre-order is the sum of its lines and is written nowhere else.
"""

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

STATEMENTS = (
    "ALTER TABLE item ADD COLUMN release_date text NOT NULL DEFAULT ''",
    """
    CREATE TABLE expected_delivery (
        delivery_id       text COLLATE "C" PRIMARY KEY,
        document          text NOT NULL,
        sku               text COLLATE "C" NOT NULL REFERENCES item,
        point_id          text COLLATE "C" NOT NULL REFERENCES stock_point,
        kind              text NOT NULL CHECK (kind IN ('on_order', 'in_transit', 'supplier')),
        quantity          bigint NOT NULL CHECK (quantity > 0),
        received          bigint NOT NULL CHECK (received >= 0),
        from_date         date NOT NULL,
        until_date        date NOT NULL,
        source            text NOT NULL,
        source_sequence   bigint NOT NULL,
        source_updated_at timestamptz,
        state             text NOT NULL CHECK (state IN ('expected', 'received', 'cancelled')),
        cancel_reason     text NOT NULL,
        overdue_told      boolean NOT NULL DEFAULT false,
        CHECK (from_date <= until_date),
        CHECK (state <> 'expected' OR received < quantity),
        CHECK (state <> 'cancelled' OR received = 0)
    )
    """,
    "CREATE INDEX expected_delivery_position ON expected_delivery (sku, point_id) WHERE state = 'expected'",
    "CREATE INDEX expected_delivery_point ON expected_delivery (point_id, delivery_id)",
    """
    CREATE INDEX expected_delivery_due ON expected_delivery (until_date)
    WHERE state = 'expected' AND NOT overdue_told
    """,
    # A channel without a row promises nothing of stock to come.
    """
    CREATE TABLE future_rules (
        channel_id           text COLLATE "C" PRIMARY KEY REFERENCES channel,
        kinds                text[] NOT NULL,
        longest_promise_days integer NOT NULL CHECK (longest_promise_days >= 0),
        grace_days           integer NOT NULL CHECK (grace_days >= 0)
    )
    """,
    """
    CREATE TABLE future_protection (
        channel_id text COLLATE "C" NOT NULL REFERENCES future_rules,
        nth        integer NOT NULL,
        sku        text COLLATE "C" NOT NULL,
        category   text NOT NULL,
        point_id   text COLLATE "C" NOT NULL,
        point_type text NOT NULL,
        quantity   integer NOT NULL CHECK (quantity >= 0),
        percent    integer NOT NULL CHECK (percent BETWEEN 0 AND 100),
        PRIMARY KEY (channel_id, nth)
    )
    """,
    """
    CREATE TABLE preorder (
        preorder_id text COLLATE "C" PRIMARY KEY,
        sku         text COLLATE "C" NOT NULL REFERENCES item,
        channel_id  text COLLATE "C" NOT NULL,
        quantity    bigint NOT NULL CHECK (quantity >= 0),
        opens_at    timestamptz NOT NULL,
        closes_at   timestamptz NOT NULL,
        release_at  timestamptz NOT NULL,
        converted   bigint NOT NULL DEFAULT 0 CHECK (converted BETWEEN 0 AND quantity),
        CHECK (opens_at < closes_at),
        CHECK (opens_at < release_at)
    )
    """,
    "CREATE INDEX preorder_sku ON preorder (sku)",
    """
    CREATE TABLE future_reservation (
        reservation_id text COLLATE "C" PRIMARY KEY,
        channel_id     text COLLATE "C" NOT NULL,
        state          text NOT NULL CHECK (state IN ('held', 'confirmed', 'closed', 'expired')),
        expires_at     timestamptz,
        CHECK (state <> 'held' OR expires_at IS NOT NULL),
        CHECK (state <> 'confirmed' OR expires_at IS NULL)
    )
    """,
    "CREATE INDEX future_reservation_due ON future_reservation (expires_at) WHERE state = 'held'",
    # A line for each time that units were taken: their numbers are the order in which those who wait are served.
    """
    CREATE TABLE future_line (
        line_id        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        reservation_id text COLLATE "C" NOT NULL REFERENCES future_reservation,
        kind           text NOT NULL CHECK (kind IN ('delivery', 'preorder')),
        source_id      text COLLATE "C" NOT NULL,
        quantity       bigint NOT NULL CHECK (quantity > 0)
    )
    """,
    "CREATE INDEX future_line_source ON future_line (kind, source_id) INCLUDE (quantity)",
    "CREATE INDEX future_line_reservation ON future_line (reservation_id, line_id)",
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)


def downgrade() -> None:
    raise NotImplementedError("stock is never forgotten by a migration")
