"""Stored value: instruments, what orders hold on them, their append-only lines, and failed guesses of codes."""

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_TABLES = (
    """
ALTER TABLE tender
    ADD COLUMN means_customer_ref text NOT NULL DEFAULT '',
    ADD COLUMN means_point_id     text NOT NULL DEFAULT ''
""",
    """
CREATE TABLE stored_value (
    instrument_id text PRIMARY KEY,
    kind          text NOT NULL CHECK (kind IN ('gift_card', 'credit_note', 'loyalty_voucher')),
    currency      text NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
    issued        bigint NOT NULL CHECK (issued > 0),
    valid_until   timestamptz,
    channels      text[] NOT NULL,
    single_use    boolean NOT NULL,
    customer_ref  text NOT NULL,
    cause         text NOT NULL,
    actor         text NOT NULL,
    issued_at     timestamptz NOT NULL,
    code_digest   bytea UNIQUE,
    last_four     text NOT NULL DEFAULT '',
    balance       bigint NOT NULL CHECK (balance >= 0),
    held          bigint NOT NULL CHECK (held >= 0),
    used          boolean NOT NULL DEFAULT false,
    frozen        boolean NOT NULL DEFAULT false,
    CHECK (balance >= held),
    CHECK ((code_digest IS NULL) = (last_four = ''))
)
""",
    "CREATE INDEX stored_value_newest ON stored_value (issued_at DESC, instrument_id DESC)",
    "CREATE INDEX stored_value_customer ON stored_value (customer_ref) WHERE customer_ref <> ''",
    "CREATE INDEX stored_value_ending ON stored_value (valid_until) WHERE balance > held",
    """
CREATE TABLE stored_value_hold (
    hold_id       text PRIMARY KEY,
    instrument_id text NOT NULL REFERENCES stored_value,
    operation_id  text NOT NULL UNIQUE,
    order_id      text NOT NULL,
    authorized    bigint NOT NULL CHECK (authorized > 0),
    held          bigint NOT NULL CHECK (held >= 0),
    spent         bigint NOT NULL CHECK (spent >= 0),
    refunded      bigint NOT NULL CHECK (refunded >= 0),
    held_at       timestamptz NOT NULL,
    CHECK (authorized >= held + spent),
    CHECK (spent >= refunded)
)
""",
    "CREATE INDEX stored_value_hold_instrument ON stored_value_hold (instrument_id)",
    "CREATE INDEX stored_value_hold_newest ON stored_value_hold (held_at, hold_id)",
    """
CREATE TABLE stored_value_line (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    instrument_id text NOT NULL REFERENCES stored_value,
    act           text NOT NULL CHECK (act IN
                    ('issue', 'hold', 'give_back', 'spend', 'refund', 'convert', 'expire', 'adjust',
                     'freeze', 'unfreeze', 'new_code')),
    amount_minor  bigint NOT NULL CHECK (amount_minor >= 0),
    debit         text NOT NULL,
    credit        text NOT NULL,
    order_id      text NOT NULL,
    hold_id       text REFERENCES stored_value_hold,
    cause         text NOT NULL,
    actor         text NOT NULL,
    recorded_at   timestamptz NOT NULL,
    CHECK ((amount_minor = 0) = (act IN ('freeze', 'unfreeze', 'new_code'))),
    CHECK ((amount_minor = 0) = (debit = '') AND (debit = '') = (credit = '') AND (debit = '' OR debit <> credit)),
    CHECK (debit IN ('', 'available', 'held', 'issued', 'spent', 'converted', 'adjusted')),
    CHECK (credit IN ('', 'available', 'held', 'spent', 'converted', 'lapsed', 'adjusted'))
)
""",
    "CREATE INDEX stored_value_line_instrument ON stored_value_line (instrument_id, id)",
    "CREATE INDEX stored_value_line_hold ON stored_value_line (hold_id) WHERE hold_id IS NOT NULL",
    """
CREATE TABLE stored_value_guess (
    channel_id text NOT NULL,
    minute     timestamptz NOT NULL,
    failures   integer NOT NULL,
    PRIMARY KEY (channel_id, minute)
)
""",
)

_GUARDS = (
    """
CREATE TRIGGER stored_value_line_append_only BEFORE UPDATE OR DELETE ON stored_value_line
    FOR EACH ROW EXECUTE FUNCTION entry_is_append_only()
""",
    """
CREATE TRIGGER stored_value_line_no_truncate BEFORE TRUNCATE ON stored_value_line
    FOR EACH STATEMENT EXECUTE FUNCTION entry_is_append_only()
""",
    """
CREATE FUNCTION stored_value_agrees() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (
        SELECT FROM stored_value
        LEFT JOIN LATERAL (
            SELECT coalesce(sum(amount_minor) FILTER (WHERE credit IN ('available', 'held')), 0)
                 - coalesce(sum(amount_minor) FILTER (WHERE debit IN ('available', 'held')), 0) AS balance,
                   coalesce(sum(amount_minor) FILTER (WHERE credit = 'held'), 0)
                 - coalesce(sum(amount_minor) FILTER (WHERE debit = 'held'), 0) AS held
            FROM stored_value_line AS line WHERE line.instrument_id = stored_value.instrument_id
        ) AS lines ON true
        WHERE stored_value.instrument_id = NEW.instrument_id
          AND (stored_value.balance <> lines.balance OR stored_value.held <> lines.held)
    ) THEN
        RAISE EXCEPTION 'balance and held of % are not what its lines say', NEW.instrument_id
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
END $$
""",
    # At commit, so that an instrument and its lines may be written in any order.
    """
CREATE CONSTRAINT TRIGGER stored_value_agreement AFTER INSERT OR UPDATE ON stored_value
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION stored_value_agrees()
""",
    """
CREATE CONSTRAINT TRIGGER stored_value_line_agreement AFTER INSERT ON stored_value_line
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION stored_value_agrees()
""",
)


def upgrade() -> None:
    """Makes everything."""
    for statement in (*_TABLES, *_GUARDS):
        op.execute(statement)
