"""Capacity of points and carriers: limits, what is taken of each day, and by which leg of which order."""

from alembic import op

revision = "0005"
down_revision = "0004"

TABLES = (
    # An empty carrier: orders that the point starts. `most` NULL: no limit, whatever a wider one says.
    """
CREATE TABLE capacity_limit (
    point_id       text COLLATE "C" NOT NULL,
    carrier_id     text COLLATE "C" NOT NULL,
    service_id     text COLLATE "C" NOT NULL,
    cut_off_minute int NOT NULL CHECK (cut_off_minute BETWEEN -1 AND 1440),
    weekday        int NOT NULL CHECK (weekday BETWEEN 0 AND 7),
    on_date        date,
    most           int CHECK (most >= 0),
    set_at         timestamptz NOT NULL,
    set_by         text NOT NULL,
    UNIQUE NULLS NOT DISTINCT (point_id, carrier_id, service_id, cut_off_minute, weekday, on_date),
    CHECK (point_id <> '' OR carrier_id <> ''),
    CHECK (carrier_id <> '' OR (service_id = '' AND cut_off_minute = -1)),
    CHECK (weekday = 0 OR on_date IS NULL)
)
""",
    # Of every leg that is planned, with limits and without: a limit that is set today knows what was taken before.
    """
CREATE TABLE capacity_count (
    point_id       text COLLATE "C" NOT NULL,
    day            date NOT NULL,
    carrier_id     text COLLATE "C" NOT NULL,
    service_id     text COLLATE "C" NOT NULL,
    cut_off_minute int NOT NULL,
    taken          int NOT NULL CHECK (taken >= 0),
    PRIMARY KEY (point_id, day, carrier_id, service_id, cut_off_minute)
)
""",
    # The sum of these is what is counted. `lines`: units by line number.
    """
CREATE TABLE capacity_taking (
    decision_id    text COLLATE "C" NOT NULL,
    leg            int NOT NULL,
    order_id       text COLLATE "C" NOT NULL,
    point_id       text COLLATE "C" NOT NULL,
    carrier_id     text COLLATE "C" NOT NULL,
    service_id     text COLLATE "C" NOT NULL,
    prepared_on    date NOT NULL,
    collected_on   date NOT NULL,
    cut_off_minute int NOT NULL,
    parcels        int NOT NULL CHECK (parcels >= 1),
    lines          jsonb NOT NULL,
    PRIMARY KEY (decision_id, leg)
)
""",
    "CREATE INDEX capacity_taking_order ON capacity_taking (order_id)",
    "CREATE INDEX capacity_taking_day ON capacity_taking (greatest(prepared_on, collected_on))",
    "CREATE INDEX capacity_count_day ON capacity_count (day)",
)


def upgrade() -> None:
    """Creates the tables."""
    for statement in TABLES:
        op.execute(statement)
