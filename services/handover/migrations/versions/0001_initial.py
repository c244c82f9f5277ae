"""Systems and their points, hand-overs, what systems said, alerts."""

from alembic import op

from kit import outbox, requests

revision = "0001"
down_revision = None

TABLES = (
    # How far each source's events are read.
    "CREATE TABLE cursor (source text PRIMARY KEY, sequence bigint NOT NULL CHECK (sequence >= 0))",
    """
    CREATE TABLE system (
        system_id                     text COLLATE "C" PRIMARY KEY,
        name                          text NOT NULL,
        enabled                       boolean NOT NULL,
        acknowledge_tolerance_seconds integer NOT NULL CHECK (acknowledge_tolerance_seconds >= 0),
        ship_tolerance_seconds        integer NOT NULL CHECK (ship_tolerance_seconds >= 0),
        changed_at                    timestamptz NOT NULL,
        changed_by                    text NOT NULL
    )
    """,
    # The work of a point goes to one system at most.
    """
    CREATE TABLE system_point (
        point_id  text COLLATE "C" PRIMARY KEY,
        system_id text COLLATE "C" NOT NULL REFERENCES system
    )
    """,
    "CREATE INDEX system_point_system ON system_point (system_id)",
    # `ended_at`: since when the system is asked to stop. `attempts` counts since the last success. `woken`:
    # something came while somebody looked at it.
    """
    CREATE TABLE handover (
        position       bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
        fulfilment_id  text COLLATE "C" PRIMARY KEY,
        order_id       text NOT NULL,
        channel_id     text NOT NULL,
        system_id      text COLLATE "C" NOT NULL REFERENCES system,
        point_id       text NOT NULL,
        state          text NOT NULL CHECK (state IN (
            'to_send', 'sent', 'acknowledged', 'picked', 'packed', 'shipped', 'refused', 'short', 'withdrawn',
            'to_cancel', 'cancelled', 'too_late')),
        created_at     timestamptz NOT NULL,
        acknowledge_by timestamptz NOT NULL,
        ship_by        timestamptz,
        ended_at       timestamptz,
        sent_at        timestamptz,
        heard_at       timestamptz,
        poll_at        timestamptz,
        due_at         timestamptz,
        attempts       integer NOT NULL DEFAULT 0,
        last_error     text NOT NULL DEFAULT '',
        woken          boolean NOT NULL DEFAULT false,
        claim          text,
        claimed_until  timestamptz
    )
    """,
    "CREATE INDEX handover_due ON handover (system_id, due_at) WHERE due_at IS NOT NULL",
    "CREATE INDEX handover_claimed ON handover (system_id) WHERE claimed_until IS NOT NULL",
    "CREATE INDEX handover_system ON handover (system_id, position)",
    "CREATE INDEX handover_order ON handover (order_id, position)",
    """
    CREATE TABLE message (
        position      bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
        fulfilment_id text COLLATE "C" NOT NULL REFERENCES handover,
        message_id    text NOT NULL,
        kind          text NOT NULL CHECK (kind IN ('acknowledged', 'refused', 'picked', 'packed', 'shipped')),
        occurred_at   timestamptz NOT NULL,
        received_at   timestamptz NOT NULL,
        state         text NOT NULL CHECK (state IN ('waiting', 'done', 'superseded', 'contradicting')),
        reason        text NOT NULL,
        said          jsonb NOT NULL,
        PRIMARY KEY (fulfilment_id, message_id)
    )
    """,
    """
    CREATE TABLE alert (
        position      bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
        alert_id      text COLLATE "C" PRIMARY KEY,
        fulfilment_id text COLLATE "C" NOT NULL REFERENCES handover,
        kind          text NOT NULL,
        text          text NOT NULL,
        raised_at     timestamptz NOT NULL,
        closed_at     timestamptz,
        closed_by     text NOT NULL DEFAULT '',
        note          text NOT NULL DEFAULT ''
    )
    """,
    "CREATE INDEX alert_handover ON alert (fulfilment_id, position)",
    "CREATE INDEX alert_open ON alert (fulfilment_id) WHERE closed_at IS NULL",
)


def upgrade() -> None:
    for statement in (*TABLES, *outbox.DDL, requests.DDL):
        op.execute(statement)
