"""What finance filters by on each operation, the sums of ended days, settlement files and their differences."""

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_FACETS = ("channel_id", "point_id", "provider", "tender_kind", "kind", "state", "currency")
# One number for all that an operation is filtered by: whatever is asked for is a set of these.
_JOINED = " || '/' || ".join(_FACETS)

_HISTORY = (
    """
ALTER TABLE operation
    ADD COLUMN channel_id  text NOT NULL DEFAULT '',
    ADD COLUMN point_id    text NOT NULL DEFAULT '',
    ADD COLUMN tender_kind text NOT NULL DEFAULT ''
""",
    """
UPDATE operation AS o SET channel_id = t.channel_id, tender_kind = t.means_kind
FROM tender AS t WHERE t.tender_id = o.tender_id
""",
    f"""
ALTER TABLE operation
    ADD COLUMN facet bigint NOT NULL GENERATED ALWAYS AS (hashtextextended({_JOINED}, 0)) STORED
""",
    "CREATE INDEX operation_facet_newest ON operation (facet, intended_at DESC, operation_id DESC)",
    # Rows lie nearly in the order in which they are settled: bounds of ranges find a day, and cost writes nothing.
    """
CREATE INDEX operation_settled ON operation USING brin (settled_at)
    WITH (pages_per_range = 16, autosummarize = on)
""",
    f"""
CREATE TABLE operation_facet (
    facet bigint PRIMARY KEY,
    {", ".join(f"{name} text NOT NULL" for name in _FACETS)}
)
""",
    f"INSERT INTO operation_facet SELECT DISTINCT facet, {', '.join(_FACETS)} FROM operation",
    f"""
CREATE FUNCTION operation_keep_facet() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO operation_facet VALUES (NEW.facet, {", ".join(f"NEW.{name}" for name in _FACETS)})
    ON CONFLICT DO NOTHING;
    RETURN NULL;
END $$
""",
    """
CREATE TRIGGER operation_facet_is_kept AFTER INSERT OR UPDATE ON operation
    FOR EACH ROW EXECUTE FUNCTION operation_keep_facet()
""",
    # The sums of days that have ended. A day that has a row in summed_day is not summed again.
    """
CREATE TABLE operation_day (
    day          date NOT NULL,
    channel_id   text NOT NULL,
    provider     text NOT NULL,
    tender_kind  text NOT NULL,
    kind         text NOT NULL,
    currency     text NOT NULL,
    operations   bigint NOT NULL CHECK (operations > 0),
    amount_minor bigint NOT NULL CHECK (amount_minor > 0),
    PRIMARY KEY (day, channel_id, provider, tender_kind, kind, currency)
)
""",
    "CREATE TABLE summed_day (day date PRIMARY KEY, summed_at timestamptz NOT NULL)",
)

_SETTLEMENTS = (
    """
CREATE TABLE settlement (
    number        bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
    settlement_id text PRIMARY KEY,
    upload_id     text NOT NULL,
    provider      text NOT NULL,
    day           date NOT NULL,
    file_name     text NOT NULL,
    digest        bytea NOT NULL,
    bytes         bigint NOT NULL,
    actor         text NOT NULL,
    state         text NOT NULL DEFAULT 'received' CHECK (state IN ('received', 'running', 'done', 'failed')),
    reason        text NOT NULL DEFAULT '',
    detail        text NOT NULL DEFAULT '',
    received_at   timestamptz NOT NULL,
    started_at    timestamptz,
    ended_at      timestamptz,
    CHECK ((state IN ('done', 'failed')) = (ended_at IS NOT NULL))
)
""",
    # The same file is one settlement; one that was refused may be sent again.
    "CREATE UNIQUE INDEX settlement_file ON settlement (provider, digest) WHERE state <> 'failed'",
    "CREATE INDEX settlement_unfinished ON settlement (number) WHERE state IN ('received', 'running')",
    "CREATE INDEX settlement_day ON settlement (provider, day) WHERE state = 'done'",
    """
CREATE TABLE settlement_content (
    upload_id   text NOT NULL,
    nth         integer NOT NULL,
    content     bytea STORAGE EXTERNAL NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (upload_id, nth)
)
""",
    # An empty verdict: not judged yet. `together`: lines with the same one are judged together.
    """
CREATE TABLE settlement_line (
    provider          text NOT NULL,
    transaction_id    text NOT NULL,
    settlement_id     text NOT NULL REFERENCES settlement,
    number            integer NOT NULL,
    kind              text NOT NULL CHECK (kind IN
                        ('capture', 'refund', 'refund_reversal', 'chargeback', 'chargeback_reversal',
                         'adjustment', 'fee')),
    payment_reference text NOT NULL,
    reference         text NOT NULL,
    operation_id      text NOT NULL,
    amount_minor      bigint NOT NULL,
    fee_minor         bigint NOT NULL,
    currency          text NOT NULL,
    occurred_at       timestamptz NOT NULL,
    verdict           text NOT NULL DEFAULT '' CHECK (verdict IN
                        ('', 'matched', 'different_amount', 'different_currency', 'extra', 'fee')),
    matched_id        text REFERENCES operation,
    together          text NOT NULL GENERATED ALWAYS AS
                        (CASE payment_reference WHEN '' THEN transaction_id ELSE payment_reference END) STORED,
    PRIMARY KEY (provider, transaction_id),
    CHECK ((verdict IN ('matched', 'different_amount', 'different_currency')) = (matched_id IS NOT NULL))
)
""",
    # One line has one operation.
    "CREATE UNIQUE INDEX settlement_line_matched ON settlement_line (matched_id) WHERE matched_id IS NOT NULL",
    "CREATE INDEX settlement_line_unjudged ON settlement_line (settlement_id, together) WHERE verdict = ''",
    "CREATE INDEX settlement_line_of ON settlement_line (settlement_id)",
    """
CREATE TABLE settlement_difference (
    number            bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
    difference_id     text PRIMARY KEY,
    provider          text NOT NULL,
    day               date NOT NULL,
    kind              text NOT NULL CHECK (kind IN
                        ('missing', 'extra', 'different_amount', 'different_currency')),
    state             text NOT NULL CHECK (state IN ('waiting', 'open', 'closed')),
    settlement_id     text NOT NULL REFERENCES settlement,
    transaction_id    text NOT NULL DEFAULT '',
    operation_id      text REFERENCES operation,
    order_id          text NOT NULL DEFAULT '',
    expected_minor    bigint,
    expected_currency text NOT NULL DEFAULT '',
    found_minor       bigint,
    found_currency    text NOT NULL DEFAULT '',
    found_at          timestamptz NOT NULL,
    closed_at         timestamptz,
    closed_by         text NOT NULL DEFAULT '',
    reason            text NOT NULL DEFAULT '',
    CHECK ((state = 'closed') = (closed_at IS NOT NULL)),
    CHECK ((state = 'closed') = (reason <> ''))
)
""",
    """
CREATE UNIQUE INDEX settlement_difference_missing ON settlement_difference (operation_id) WHERE kind = 'missing'
""",
    """
CREATE UNIQUE INDEX settlement_difference_line ON settlement_difference (provider, transaction_id, kind)
    WHERE transaction_id <> ''
""",
    "CREATE INDEX settlement_difference_state ON settlement_difference (state, number DESC)",
)


def upgrade() -> None:
    """Makes everything."""
    for statement in (*_HISTORY, *_SETTLEMENTS):
        op.execute(statement)
