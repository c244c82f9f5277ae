"""An order is paid by tenders: what was the payment of an order becomes its only tender."""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_STATEMENTS = (
    """
CREATE TABLE tender (
    tender_id           text PRIMARY KEY,
    order_id            text NOT NULL REFERENCES payment,
    channel_id          text NOT NULL,
    currency            text NOT NULL,
    position            integer NOT NULL CHECK (position > 0),
    amount              bigint NOT NULL CHECK (amount > 0),
    means_kind          text NOT NULL,
    means_reference     text NOT NULL,
    status              text NOT NULL,
    provider            text NOT NULL,
    provider_payment_id text NOT NULL,
    authorized          bigint NOT NULL CHECK (authorized >= 0),
    captured            bigint NOT NULL CHECK (captured >= 0),
    voided              bigint NOT NULL CHECK (voided >= 0),
    refunded            bigint NOT NULL CHECK (refunded >= 0),
    paid_by_channel     bigint NOT NULL CHECK (paid_by_channel >= 0),
    asked_of_channel    bigint NOT NULL CHECK (asked_of_channel >= 0),
    lapsed              bigint NOT NULL CHECK (lapsed >= 0),
    owed                bigint NOT NULL CHECK (owed >= 0),
    disputed            bigint NOT NULL CHECK (disputed >= 0),
    elsewhere           bigint NOT NULL CHECK (elsewhere >= 0),
    multi_capture       boolean NOT NULL,
    provider_closed     boolean NOT NULL,
    release_due         boolean NOT NULL,
    expires_at          timestamptz,
    next_action_url     text NOT NULL,
    decline_code        text NOT NULL,
    save_means          boolean NOT NULL,
    needed_until        timestamptz,
    saved_means         text NOT NULL,
    renews              text NOT NULL,
    superseded          boolean NOT NULL,
    CHECK (authorized >= captured + voided),
    CHECK (voided >= lapsed),
    CHECK (captured >= refunded + owed),
    CHECK (refunded >= elsewhere),
    CHECK (paid_by_channel >= asked_of_channel)
)
""",
    """
INSERT INTO tender
SELECT 'ten_' || order_id, order_id, channel_id, currency, 1,
       greatest(authorized, paid_by_channel,
                coalesce((SELECT max(amount_minor) FROM operation o WHERE o.order_id = p.order_id), 1)),
       tender_kind, tender_reference, status, provider, provider_payment_id,
       authorized, captured, voided, refunded, paid_by_channel, asked_of_channel, 0, 0, 0, 0,
       multi_capture, provider_closed, release_due, expires_at, next_action_url, decline_code,
       false, NULL, '', '', false
FROM payment p WHERE tender_kind <> 'none'
""",
    "CREATE INDEX tender_order ON tender (order_id, position)",
    # One authorisation of the provider pays one order.
    """
CREATE UNIQUE INDEX tender_provider_payment ON tender (provider, provider_payment_id)
    WHERE provider_payment_id <> ''
""",
    "CREATE UNIQUE INDEX tender_link ON tender (means_reference) WHERE means_kind = 'payment_link'",
    """
CREATE INDEX tender_link_end ON tender (expires_at)
    WHERE means_kind = 'payment_link' AND status = 'action_required'
""",
    "CREATE INDEX tender_release_due ON tender (tender_id) WHERE release_due",
    """
CREATE INDEX tender_renewal ON tender (expires_at)
    WHERE saved_means <> '' AND NOT superseded AND (lapsed > 0 OR authorized > captured + voided)
""",
    # What only a person can do.
    """
CREATE TABLE task (
    task_id      text PRIMARY KEY,
    kind         text NOT NULL,
    order_id     text NOT NULL REFERENCES payment,
    channel_id   text NOT NULL,
    tender_id    text NOT NULL REFERENCES tender,
    operation_id text NOT NULL REFERENCES operation,
    amount_minor bigint NOT NULL CHECK (amount_minor > 0),
    currency     text NOT NULL,
    -- Which dispute; empty for a refund.
    subject      text NOT NULL,
    reason       text NOT NULL,
    opened_at    timestamptz NOT NULL,
    due_at       timestamptz,
    resolution   text NOT NULL,
    reference    text NOT NULL,
    note         text NOT NULL,
    actor        text NOT NULL,
    resolved_at  timestamptz,
    CHECK ((resolution = '') = (resolved_at IS NULL))
)
""",
    "CREATE UNIQUE INDEX task_of_operation ON task (operation_id, kind, subject)",
    "CREATE UNIQUE INDEX task_subject ON task (kind, subject) WHERE subject <> ''",
    "CREATE INDEX task_order ON task (order_id)",
    "CREATE INDEX task_open ON task (opened_at, task_id) WHERE resolved_at IS NULL",
    "CREATE INDEX task_newest ON task (opened_at DESC, task_id DESC)",
    "ALTER TABLE operation ADD COLUMN tender_id text",
    "UPDATE operation SET tender_id = 'ten_' || order_id",
    "ALTER TABLE operation ALTER COLUMN tender_id SET NOT NULL",
    "ALTER TABLE operation ADD FOREIGN KEY (tender_id) REFERENCES tender",
    "DROP INDEX operation_request",
    "CREATE UNIQUE INDEX operation_request ON operation (request_id, tender_id, kind)",
    """
ALTER TABLE payment
    DROP CONSTRAINT payment_status_check,
    DROP COLUMN tender_kind, DROP COLUMN tender_reference, DROP COLUMN provider, DROP COLUMN provider_payment_id,
    DROP COLUMN authorized, DROP COLUMN captured, DROP COLUMN voided, DROP COLUMN refunded,
    DROP COLUMN paid_by_channel, DROP COLUMN asked_of_channel, DROP COLUMN multi_capture,
    DROP COLUMN provider_closed, DROP COLUMN release_due, DROP COLUMN expires_at, DROP COLUMN next_action_url,
    DROP COLUMN decline_code
""",
    "ALTER TABLE operation DROP CONSTRAINT operation_kind_check",
    """
ALTER TABLE operation ADD CONSTRAINT operation_kind_check CHECK (kind IN
    ('authorize', 'capture', 'void', 'refund', 'refund_reversal', 'chargeback', 'chargeback_reversal'))
""",
    """
ALTER TABLE payment ADD CONSTRAINT payment_status_check CHECK (status IN
    ('pending', 'action_required', 'authorized', 'declined', 'paid_by_channel', 'expired', 'closed'))
""",
)


def upgrade() -> None:
    """Moves what was a payment's own to its tender."""
    for statement in _STATEMENTS:
        op.execute(statement)
