"""What customers are told: how the life cycle wants it, how the customer does, and what was sent."""

from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None

_STATEMENTS = (
    "ALTER TABLE life_cycle ADD COLUMN notifications jsonb NOT NULL DEFAULT '[]'",
    """
    ALTER TABLE order_customer
        ADD COLUMN language text NOT NULL DEFAULT '',
        ADD COLUMN notify_by text[] NOT NULL DEFAULT '{}'
    """,
    """
    CREATE TABLE notification (
        notification_id text PRIMARY KEY,
        order_id        text NOT NULL REFERENCES orders,
        milestone       text NOT NULL,
        subject         text NOT NULL,
        way             text NOT NULL CHECK (way IN ('mail', 'sms')),
        happened_at     timestamptz NOT NULL,
        facts           jsonb NOT NULL,
        state           text NOT NULL CHECK (state IN ('due', 'sent', 'failed', 'dropped')),
        reason          text NOT NULL,
        attempts        integer NOT NULL CHECK (attempts >= 0),
        next_try_at     timestamptz,
        settled_at      timestamptz,
        resends         integer NOT NULL,
        resent_by       text NOT NULL,
        UNIQUE (order_id, milestone, subject, way),
        CHECK ((state = 'due') = (next_try_at IS NOT NULL)),
        CHECK ((state = 'due') = (settled_at IS NULL))
    )
    """,
    "CREATE INDEX notification_due ON notification (next_try_at) WHERE state = 'due'",
)


def upgrade() -> None:
    for statement in _STATEMENTS:
        op.execute(statement)


def downgrade() -> None:
    raise NotImplementedError("what customers were told is never forgotten by a migration")
