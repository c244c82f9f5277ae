"""Tax documents and the counters that number them without a hole."""

from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

_STATEMENTS = (
    "ALTER TABLE sales_channel ADD COLUMN documents jsonb NOT NULL DEFAULT '{}'",
    # One row for each series, locked until the document is committed: what rolls back gives its number back.
    """
    CREATE TABLE document_series (
        series         text NOT NULL,
        kind           text NOT NULL CHECK (kind IN ('invoice', 'credit_note', 'sales_receipt')),
        year           integer NOT NULL,
        last           bigint NOT NULL CHECK (last >= 1),
        last_issued_at timestamptz NOT NULL,
        PRIMARY KEY (series, kind, year)
    )
    """,
    """
    CREATE TABLE document (
        number       text PRIMARY KEY,
        series       text NOT NULL,
        kind         text NOT NULL,
        year         integer NOT NULL,
        sequence     bigint NOT NULL,
        order_id     text NOT NULL REFERENCES orders,
        channel_id   text NOT NULL,
        cause        text NOT NULL,
        currency     text NOT NULL,
        amount_minor bigint NOT NULL CHECK (amount_minor > 0),
        issued_at    timestamptz NOT NULL,
        issued_on    date NOT NULL,
        seller       jsonb NOT NULL,
        content      jsonb NOT NULL,
        UNIQUE (series, kind, year, sequence),
        UNIQUE (order_id, cause),
        FOREIGN KEY (series, kind, year) REFERENCES document_series
    )
    """,
    "CREATE INDEX document_newest ON document (issued_at DESC, number DESC)",
    """
    CREATE TRIGGER document_never_changes BEFORE UPDATE OR DELETE ON document
    FOR EACH ROW EXECUTE FUNCTION forbid_change()
    """,
)


def upgrade() -> None:
    for statement in _STATEMENTS:
        op.execute(statement)


def downgrade() -> None:
    raise NotImplementedError("what was issued is never forgotten by a migration")
