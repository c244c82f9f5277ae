"""Patterns with their versions, slots as far as places were taken in them, bookings."""

from alembic import op

from kit import outbox, requests

revision = "0001"
down_revision = None

_TABLES = (
    # The newest version of each. Who takes a place shares a lock of its row, so that the capacity stays.
    """
CREATE TABLE slot_pattern (
    pattern_id text COLLATE "C" PRIMARY KEY,
    carrier_id text COLLATE "C" NOT NULL,
    service_id text COLLATE "C" NOT NULL,
    country    text COLLATE "C" NOT NULL,
    version    int NOT NULL CHECK (version >= 1),
    content    jsonb NOT NULL
)
""",
    "CREATE INDEX slot_pattern_service ON slot_pattern (carrier_id, service_id)",
    """
CREATE TABLE slot_pattern_version (
    pattern_id text COLLATE "C" NOT NULL REFERENCES slot_pattern,
    version    int NOT NULL,
    content    jsonb NOT NULL,
    set_at     timestamptz NOT NULL,
    set_by     text NOT NULL,
    PRIMARY KEY (pattern_id, version)
)
""",
    # One row for each slot in which a place was ever taken. Places are counted here and nowhere else.
    """
CREATE TABLE slot (
    slot_id text COLLATE "C" PRIMARY KEY,
    taken   int NOT NULL CHECK (taken >= 0)
)
""",
    """
CREATE TABLE booking (
    booking_id   text COLLATE "C" PRIMARY KEY,
    state        text NOT NULL
                 CHECK (state IN ('held', 'confirmed', 'kept', 'missed', 'released', 'expired')),
    slot_id      text COLLATE "C" NOT NULL,
    carrier_id   text COLLATE "C" NOT NULL,
    service_id   text COLLATE "C" NOT NULL,
    day          date NOT NULL,
    window_start timestamptz NOT NULL,
    window_end   timestamptz NOT NULL CHECK (window_end > window_start),
    country      text NOT NULL,
    postcode     text NOT NULL,
    channel_id   text NOT NULL,
    order_id     text COLLATE "C" NOT NULL,
    price_minor  bigint,
    currency     text,
    expires_at   timestamptz,
    taken_at     timestamptz NOT NULL,
    changed_at   timestamptz NOT NULL,
    moves        int NOT NULL CHECK (moves >= 0),
    misses       int NOT NULL CHECK (misses >= 0),
    CHECK ((state = 'held') = (expires_at IS NOT NULL)),
    CHECK (state NOT IN ('confirmed', 'kept', 'missed') OR order_id <> ''),
    CHECK ((price_minor IS NULL) = (currency IS NULL))
)
""",
    "CREATE INDEX booking_order ON booking (order_id) WHERE order_id <> ''",
    "CREATE INDEX booking_time ON booking (window_start, booking_id)",
    "CREATE INDEX booking_carrier ON booking (carrier_id, day)",
    "CREATE INDEX booking_slot ON booking (slot_id)",
    "CREATE INDEX booking_expiry ON booking (expires_at) WHERE state = 'held'",
)


def upgrade() -> None:
    """Makes everything."""
    for statement in (*_TABLES, requests.DDL, *outbox.DDL):
        op.execute(statement)
