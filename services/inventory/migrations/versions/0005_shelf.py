"""What a shop says of its shelf: till lines, adjustment reports, receipts, cycle counts (SPEC STK-6, STK-16)."""

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

# What a point's people look through, and the end of its day.
OPEN = (
    """
    CREATE INDEX declaration_open_point ON declaration (point_id, declared_at, declaration_id)
    WHERE remaining > 0
    """,
)

TILL = (
    """
    CREATE TABLE till_line (
        till_line_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        kind         text NOT NULL CHECK (kind IN ('sale', 'return')),
        sku          text COLLATE "C" NOT NULL,
        point_id     text COLLATE "C" NOT NULL,
        taken        bigint NOT NULL CHECK (taken >= 0),
        declared     bigint NOT NULL CHECK (declared >= 0),
        known        bigint NOT NULL CHECK (known >= 0),
        unknown      bigint NOT NULL CHECK (unknown >= 0),
        receipt      text NOT NULL,
        actor        text NOT NULL,
        happened_at  timestamptz NOT NULL,
        recorded_at  timestamptz NOT NULL
    )
    """,
    # What a count must know of: sold units that the books did not have.
    "CREATE INDEX till_line_unknown ON till_line (sku, point_id, happened_at) WHERE unknown > 0",
)

REPORTS = (
    """
    CREATE TABLE adjustment_report (
        report_id      text COLLATE "C" PRIMARY KEY,
        point_id       text COLLATE "C" NOT NULL REFERENCES stock_point,
        business_date  date NOT NULL,
        created_at     timestamptz NOT NULL,
        declared_until timestamptz NOT NULL,
        UNIQUE (point_id, business_date)
    )
    """,
    """
    CREATE TABLE adjustment_line (
        report_id      text COLLATE "C" NOT NULL REFERENCES adjustment_report,
        declaration_id text COLLATE "C" NOT NULL REFERENCES declaration,
        sku            text COLLATE "C" NOT NULL,
        point_id       text COLLATE "C" NOT NULL,
        reason         text NOT NULL,
        declared       bigint NOT NULL CHECK (declared > 0),
        quantity       bigint NOT NULL CHECK (quantity BETWEEN 0 AND declared),
        -- Units that the till told of after they were written off as being sold.
        sold_late      bigint NOT NULL DEFAULT 0 CHECK (sold_late BETWEEN 0 AND quantity),
        PRIMARY KEY (report_id, sku, declaration_id)
    )
    """,
    """
    CREATE INDEX adjustment_line_awaits_sale ON adjustment_line (sku, point_id)
    WHERE reason = 'being_sold' AND sold_late < quantity
    """,
)

RECEIPTS = (
    """
    CREATE TABLE receipt (
        receipt_id  text COLLATE "C" PRIMARY KEY,
        number      bigint GENERATED ALWAYS AS IDENTITY,
        point_id    text COLLATE "C" NOT NULL REFERENCES stock_point,
        reference   text NOT NULL,
        actor       text NOT NULL,
        received_at timestamptz NOT NULL,
        recorded_at timestamptz NOT NULL
    )
    """,
    "CREATE INDEX receipt_point ON receipt (point_id, number)",
    """
    CREATE TABLE receipt_line (
        receipt_id text COLLATE "C" NOT NULL REFERENCES receipt,
        nth        integer NOT NULL,
        sku        text COLLATE "C" NOT NULL,
        expected   bigint CHECK (expected >= 0),
        received   bigint NOT NULL CHECK (received >= 0),
        damaged    bigint NOT NULL CHECK (damaged BETWEEN 0 AND received),
        PRIMARY KEY (receipt_id, nth)
    )
    """,
)

COUNTS = (
    """
    CREATE TABLE stock_count (
        count_id         text COLLATE "C" PRIMARY KEY,
        number           bigint GENERATED ALWAYS AS IDENTITY,
        point_id         text COLLATE "C" NOT NULL REFERENCES stock_point,
        state            text NOT NULL CHECK (state IN ('open', 'closed', 'cancelled')),
        opened_by        text NOT NULL,
        opened_at        timestamptz NOT NULL,
        last_movement_id bigint NOT NULL,
        ended_by         text NOT NULL DEFAULT '',
        ended_at         timestamptz,
        CHECK ((state = 'open') = (ended_at IS NULL))
    )
    """,
    "CREATE INDEX stock_count_point ON stock_count (point_id, number)",
    """
    CREATE TABLE count_line (
        count_id   text COLLATE "C" NOT NULL REFERENCES stock_count,
        sku        text COLLATE "C" NOT NULL,
        point_id   text COLLATE "C" NOT NULL,
        open       boolean NOT NULL,
        expected   bigint NOT NULL,
        counted    bigint CHECK (counted >= 0),
        damaged    bigint NOT NULL DEFAULT 0 CHECK (damaged >= 0),
        counted_at timestamptz,
        counted_by text NOT NULL DEFAULT '',
        moved      bigint,
        difference bigint,
        adjusted   bigint,
        PRIMARY KEY (count_id, sku),
        CHECK ((counted IS NULL) = (counted_at IS NULL))
    )
    """,
    # Two counts of one article at one time could not both be right.
    "CREATE UNIQUE INDEX count_line_open ON count_line (sku, point_id) WHERE open",
    # When a position was last counted.
    "CREATE INDEX count_line_counted ON count_line (sku, point_id, counted_at) WHERE adjusted IS NOT NULL",
)


def upgrade() -> None:
    for statement in (*OPEN, *TILL, *REPORTS, *RECEIPTS, *COUNTS):
        op.execute(statement)


def downgrade() -> None:
    raise NotImplementedError("stock is never forgotten by a migration")
