"""Cursors, webhook endpoints, deliveries."""

from alembic import op

from kit import requests

revision = "0001"
down_revision = None

TABLES = (
    # How far each consumer ("signals", "webhooks") has read the events of each source.
    """
    CREATE TABLE cursor (
        consumer text NOT NULL,
        source   text NOT NULL,
        sequence bigint NOT NULL CHECK (sequence >= 0),
        PRIMARY KEY (consumer, source)
    )
    """,
    """
    CREATE TABLE endpoint (
        endpoint_id text COLLATE "C" PRIMARY KEY,
        url         text NOT NULL,
        secret      text NOT NULL,
        event_types text[] NOT NULL,
        channel_ids text[] NOT NULL,
        enabled     boolean NOT NULL,
        created_at  timestamptz NOT NULL
    )
    """,
    # `position` orders the deliveries of one line (endpoint, line): only the first pending one may be attempted.
    # `attempts` counts for ever, `tries` since the delivery was last queued.
    """
    CREATE TABLE delivery (
        position         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        delivery_id      text NOT NULL UNIQUE,
        endpoint_id      text COLLATE "C" NOT NULL REFERENCES endpoint ON DELETE CASCADE,
        event_id         text NOT NULL,
        event_type       text NOT NULL,
        order_id         text NOT NULL,
        line             text NOT NULL,
        body             text NOT NULL,
        state            text NOT NULL CHECK (state IN ('pending', 'delivered', 'failed')),
        attempts         integer NOT NULL DEFAULT 0,
        tries            integer NOT NULL DEFAULT 0,
        last_status_code integer NOT NULL DEFAULT 0,
        last_error       text NOT NULL DEFAULT '',
        next_attempt_at  timestamptz NOT NULL,
        delivered_at     timestamptz,
        created_at       timestamptz NOT NULL,
        claim            text,
        claimed_until    timestamptz
    )
    """,
    "CREATE INDEX delivery_line ON delivery (endpoint_id, line, position) WHERE state = 'pending'",
    "CREATE INDEX delivery_due ON delivery (next_attempt_at) WHERE state = 'pending'",
    "CREATE INDEX delivery_claimed ON delivery (endpoint_id) WHERE state = 'pending' AND claim IS NOT NULL",
    "CREATE INDEX delivery_of_endpoint ON delivery (endpoint_id, position)",
    "CREATE INDEX delivery_of_order ON delivery (order_id, position) WHERE order_id <> ''",
    "CREATE INDEX delivery_age ON delivery (created_at)",
)


def upgrade() -> None:
    for statement in TABLES:
        op.execute(statement)
    op.execute(requests.DDL)
