"""The payment, its operations, the append-only ledger, the provider's events."""

from alembic import op

from kit import outbox, requests

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_TABLES = (
    """
CREATE TABLE payment (
    order_id            text PRIMARY KEY,
    channel_id          text NOT NULL,
    currency            text NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
    status              text NOT NULL CHECK (status IN
                          ('pending', 'action_required', 'authorized', 'declined', 'paid_by_channel', 'closed')),
    tender_kind         text NOT NULL CHECK (tender_kind IN
                          ('payment_method_token', 'provider_authorisation_id',
                           'paid_by_channel_reference', 'none')),
    tender_reference    text NOT NULL,
    provider            text NOT NULL,
    provider_payment_id text NOT NULL,
    authorized          bigint NOT NULL DEFAULT 0 CHECK (authorized >= 0),
    captured            bigint NOT NULL DEFAULT 0 CHECK (captured >= 0),
    voided              bigint NOT NULL DEFAULT 0 CHECK (voided >= 0),
    refunded            bigint NOT NULL DEFAULT 0 CHECK (refunded >= 0),
    paid_by_channel     bigint NOT NULL DEFAULT 0 CHECK (paid_by_channel >= 0),
    asked_of_channel    bigint NOT NULL DEFAULT 0 CHECK (asked_of_channel >= 0),
    multi_capture       boolean NOT NULL DEFAULT true,
    closing             boolean NOT NULL DEFAULT false,
    provider_closed     boolean NOT NULL DEFAULT false,
    release_due         boolean NOT NULL DEFAULT false,
    expires_at          timestamptz,
    next_action_url     text NOT NULL DEFAULT '',
    decline_code        text NOT NULL DEFAULT '',
    CHECK (authorized >= captured + voided),
    CHECK (captured >= refunded),
    CHECK (paid_by_channel >= asked_of_channel)
)
""",
    # One authorisation of the provider pays one order.
    """
CREATE UNIQUE INDEX payment_provider_payment ON payment (provider, provider_payment_id)
    WHERE provider_payment_id <> ''
""",
    "CREATE INDEX payment_release_due ON payment (order_id) WHERE release_due",
    """
CREATE TABLE operation (
    operation_id       text PRIMARY KEY,
    request_id         text NOT NULL,
    order_id           text NOT NULL REFERENCES payment,
    kind               text NOT NULL CHECK (kind IN ('authorize', 'capture', 'void', 'refund')),
    state              text NOT NULL CHECK (state IN
                         ('intended', 'succeeded', 'failed', 'unknown', 'action_required')),
    amount_minor       bigint NOT NULL CHECK (amount_minor > 0),
    currency           text NOT NULL,
    cause              text NOT NULL,
    actor              text NOT NULL,
    provider           text NOT NULL,
    provider_reference text NOT NULL DEFAULT '',
    failure_code       text NOT NULL DEFAULT '',
    attempt            integer NOT NULL DEFAULT 1,
    final              boolean NOT NULL DEFAULT false,
    intended_at        timestamptz NOT NULL,
    settled_at         timestamptz,
    asked_at           timestamptz NOT NULL,
    CHECK ((state IN ('succeeded', 'failed')) = (settled_at IS NOT NULL))
)
""",
    "CREATE UNIQUE INDEX operation_request ON operation (request_id)",
    "CREATE INDEX operation_order ON operation (order_id, intended_at)",
    "CREATE INDEX operation_newest ON operation (intended_at DESC, operation_id DESC)",
    "CREATE INDEX operation_unsettled ON operation (asked_at) WHERE state IN ('intended', 'unknown')",
    """
CREATE TABLE entry (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    operation_id text NOT NULL REFERENCES operation,
    account      text NOT NULL,
    debit_minor  bigint NOT NULL CHECK (debit_minor >= 0),
    credit_minor bigint NOT NULL CHECK (credit_minor >= 0),
    currency     text NOT NULL,
    recorded_at  timestamptz NOT NULL,
    CHECK ((debit_minor = 0) <> (credit_minor = 0))
)
""",
    "CREATE INDEX entry_operation ON entry (operation_id)",
    "CREATE INDEX entry_account ON entry (account)",
    """
CREATE TABLE provider_event (
    provider    text NOT NULL,
    event_id    text NOT NULL,
    type        text NOT NULL,
    received_at timestamptz NOT NULL,
    PRIMARY KEY (provider, event_id)
)
""",
)

_GUARDS = (
    """
CREATE FUNCTION entry_is_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the ledger is append-only: % refused', TG_OP USING ERRCODE = 'restrict_violation';
END $$
""",
    """
CREATE TRIGGER entry_append_only BEFORE UPDATE OR DELETE ON entry
    FOR EACH ROW EXECUTE FUNCTION entry_is_append_only()
""",
    """
CREATE TRIGGER entry_no_truncate BEFORE TRUNCATE ON entry
    FOR EACH STATEMENT EXECUTE FUNCTION entry_is_append_only()
""",
    """
CREATE FUNCTION entry_balances() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM entry WHERE operation_id = NEW.operation_id
               GROUP BY currency HAVING sum(debit_minor) <> sum(credit_minor)) THEN
        RAISE EXCEPTION 'entries of operation % do not balance', NEW.operation_id
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
END $$
""",
    # At commit, so that the lines of an operation may be written in any order.
    """
CREATE CONSTRAINT TRIGGER entry_balance AFTER INSERT ON entry DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION entry_balances()
""",
)


def upgrade() -> None:
    """Makes everything."""
    for statement in (*_TABLES, *_GUARDS, requests.DDL, *outbox.DDL):
        op.execute(statement)
