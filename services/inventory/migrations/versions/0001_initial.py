"""Items, points, channels, the ledger, reservations, the change feed, the outbox."""

from alembic import op

from kit import outbox, requests

revision = "0001"
down_revision = None

# Keys sort by bytes, so that the database and Python agree on every order.
CATALOGUE = (
    """
    CREATE TABLE item (
        sku                text COLLATE "C" PRIMARY KEY,
        gtin               text NOT NULL,
        title              text NOT NULL,
        brand              text NOT NULL,
        category_path      text[] NOT NULL,
        weight_grams       integer NOT NULL CHECK (weight_grams >= 0),
        length_millimetres integer NOT NULL CHECK (length_millimetres >= 0),
        width_millimetres  integer NOT NULL CHECK (width_millimetres >= 0),
        height_millimetres integer NOT NULL CHECK (height_millimetres >= 0),
        tags               text[] NOT NULL,
        prices             jsonb NOT NULL
    )
    """,
    """
    CREATE TABLE stock_point (
        point_id                text COLLATE "C" PRIMARY KEY,
        name                    text NOT NULL,
        type                    text NOT NULL CHECK (type IN ('warehouse', 'store', 'supplier', 'partner')),
        latitude                double precision NOT NULL,
        longitude               double precision NOT NULL,
        country                 text NOT NULL,
        time_zone               text NOT NULL,
        gln                     text NOT NULL,
        subdivision             text NOT NULL,
        postcode                text NOT NULL,
        city                    text NOT NULL,
        opening_hours           jsonb NOT NULL,
        closed_dates            text[] NOT NULL,
        open_on_public_holidays boolean NOT NULL,
        collections             jsonb NOT NULL,
        capabilities            text[] NOT NULL,
        daily_capacity          integer NOT NULL CHECK (daily_capacity >= 0),
        handling_minutes        integer NOT NULL CHECK (handling_minutes >= 0),
        ownership               text NOT NULL CHECK (ownership IN ('owned', 'franchise', 'reseller')),
        brands                  text[] NOT NULL
    )
    """,
    """
    CREATE TABLE channel (
        channel_id text COLLATE "C" PRIMARY KEY,
        name       text NOT NULL,
        currency   text NOT NULL
    )
    """,
    """
    CREATE TABLE channel_point (
        channel_id text COLLATE "C" NOT NULL REFERENCES channel,
        point_id   text COLLATE "C" NOT NULL REFERENCES stock_point,
        nth        integer NOT NULL,
        PRIMARY KEY (channel_id, point_id)
    )
    """,
    """
    CREATE TABLE channel_exclusion (
        channel_id text COLLATE "C" NOT NULL REFERENCES channel,
        nth        integer NOT NULL,
        sku        text COLLATE "C" NOT NULL,
        category   text NOT NULL,
        reason     text NOT NULL,
        PRIMARY KEY (channel_id, nth),
        CHECK ((sku = '') <> (category = ''))
    )
    """,
    "CREATE INDEX channel_exclusion_sku ON channel_exclusion (channel_id, sku)",
    """
    CREATE TABLE safety_stock (
        channel_id text COLLATE "C" NOT NULL REFERENCES channel,
        nth        integer NOT NULL,
        sku        text COLLATE "C" NOT NULL,
        category   text NOT NULL,
        point_id   text COLLATE "C" NOT NULL,
        point_type text NOT NULL,
        quantity   integer NOT NULL CHECK (quantity >= 0),
        PRIMARY KEY (channel_id, nth)
    )
    """,
    "CREATE INDEX safety_stock_sku ON safety_stock (channel_id, sku, point_id)",
)

LEDGER = (
    # Room on each page keeps the update of a balance beside the old row, away from the index.
    """
    CREATE TABLE balance (
        sku         text COLLATE "C" NOT NULL REFERENCES item,
        point_id    text COLLATE "C" NOT NULL REFERENCES stock_point,
        on_hand     bigint NOT NULL DEFAULT 0 CHECK (on_hand >= 0),
        reserved    bigint NOT NULL DEFAULT 0 CHECK (reserved >= 0),
        unavailable bigint NOT NULL DEFAULT 0 CHECK (unavailable >= 0),
        short       bigint NOT NULL DEFAULT 0 CHECK (short >= 0),
        PRIMARY KEY (sku, point_id),
        CONSTRAINT balance_covers_reserved CHECK (on_hand + short >= reserved)
    ) WITH (fillfactor = 70)
    """,
    "CREATE INDEX balance_point ON balance (point_id, sku)",
    """
    CREATE TABLE movement (
        movement_id       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        sku               text COLLATE "C" NOT NULL,
        point_id          text COLLATE "C" NOT NULL,
        on_hand_delta     bigint NOT NULL,
        reserved_delta    bigint NOT NULL,
        unavailable_delta bigint NOT NULL,
        short_delta       bigint NOT NULL,
        cause             text NOT NULL,
        actor             text NOT NULL,
        source            text NOT NULL,
        reservation_id    text NOT NULL,
        recorded_at       timestamptz NOT NULL
    )
    """,
    "CREATE INDEX movement_sku ON movement (sku, movement_id)",
    """
    CREATE FUNCTION movement_is_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        RAISE EXCEPTION 'the stock ledger is append-only' USING ERRCODE = 'restrict_violation';
    END $$
    """,
    """
    CREATE TRIGGER movement_append_only BEFORE UPDATE OR DELETE ON movement
    FOR EACH STATEMENT EXECUTE FUNCTION movement_is_append_only()
    """,
)

RESERVATIONS = (
    """
    CREATE TABLE reservation (
        reservation_id text COLLATE "C" PRIMARY KEY,
        channel_id     text COLLATE "C" NOT NULL,
        state          text NOT NULL CHECK (state IN ('held', 'confirmed', 'closed', 'expired')),
        expires_at     timestamptz,
        CHECK (state <> 'held' OR expires_at IS NOT NULL),
        CHECK (state <> 'confirmed' OR expires_at IS NULL)
    )
    """,
    "CREATE INDEX reservation_due ON reservation (expires_at) WHERE state = 'held'",
    """
    CREATE TABLE reservation_line (
        reservation_id text COLLATE "C" NOT NULL REFERENCES reservation,
        sku            text COLLATE "C" NOT NULL,
        point_id       text COLLATE "C" NOT NULL,
        quantity       bigint NOT NULL CHECK (quantity > 0),
        PRIMARY KEY (reservation_id, sku, point_id)
    )
    """,
    "CREATE INDEX reservation_line_position ON reservation_line (sku, point_id)",
)

# One row for each thing that a replica must read again. Kinds: position, item, point, channel; terms means
# every position of a point.
FEED = (
    """
    CREATE TABLE stock_change (
        id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        sequence    bigint UNIQUE,
        kind        text NOT NULL CHECK (kind IN ('position', 'item', 'point', 'channel', 'terms')),
        sku         text COLLATE "C" NOT NULL DEFAULT '',
        point_id    text COLLATE "C" NOT NULL DEFAULT '',
        channel_id  text COLLATE "C" NOT NULL DEFAULT '',
        recorded_at timestamptz NOT NULL DEFAULT now()
    )
    """,
    "CREATE INDEX stock_change_unnumbered ON stock_change (id) WHERE sequence IS NULL",
    "CREATE SEQUENCE stock_change_sequence",
)


def upgrade() -> None:
    """Creates everything."""
    for statement in (*CATALOGUE, *LEDGER, *RESERVATIONS, *FEED, requests.DDL, *outbox.DDL):
        op.execute(statement)
