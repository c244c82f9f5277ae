"""Rules about brands, tags, point types and dates; buffers of several kinds; who changed which setting when."""

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

STATEMENTS = (
    "ALTER TABLE channel ADD brands text[] NOT NULL DEFAULT '{}'",
    """
    ALTER TABLE channel_point ADD purposes text[] NOT NULL DEFAULT '{ship,collect,show}'
        CHECK (cardinality(purposes) > 0 AND purposes <@ '{ship,collect,show}')
    """,
    "ALTER TABLE channel_point ALTER purposes DROP DEFAULT",
    """
    ALTER TABLE channel_exclusion
        ADD tag        text NOT NULL DEFAULT '',
        ADD brand      text NOT NULL DEFAULT '',
        ADD point_id   text COLLATE "C" NOT NULL DEFAULT '',
        ADD point_type text NOT NULL DEFAULT '',
        ADD from_at    timestamptz,
        ADD until_at   timestamptz,
        DROP CONSTRAINT channel_exclusion_check,
        ADD CONSTRAINT channel_exclusion_names_something
            CHECK ((sku, category, tag, brand, point_id, point_type) <> ('', '', '', '', '', '')),
        ADD CHECK (from_at < until_at)
    """,
    "CREATE INDEX channel_exclusion_from ON channel_exclusion (from_at) WHERE from_at IS NOT NULL",
    "CREATE INDEX channel_exclusion_until ON channel_exclusion (until_at) WHERE until_at IS NOT NULL",
    "ALTER TABLE safety_stock RENAME TO buffer_rule",
    """
    ALTER TABLE buffer_rule
        ADD kind    text NOT NULL DEFAULT 'safety_stock' CHECK (kind IN ('safety_stock', 'routing')),
        ADD percent integer NOT NULL DEFAULT 0 CHECK (percent BETWEEN 0 AND 100),
        ADD CHECK (quantity = 0 OR percent = 0),
        DROP CONSTRAINT safety_stock_pkey,
        ADD PRIMARY KEY (channel_id, kind, nth)
    """,
    "ALTER INDEX safety_stock_sku RENAME TO buffer_rule_sku",
    # Up to when rules that begin and end by the clock have been told to the replicas: one row, or none yet.
    """
    CREATE TABLE terms_clock (
        is_only    boolean PRIMARY KEY DEFAULT true CHECK (is_only),
        told_until timestamptz NOT NULL
    )
    """,
    """
    CREATE TABLE setting_version (
        kind        text NOT NULL CHECK (kind IN ('item', 'point', 'channel')),
        key         text COLLATE "C" NOT NULL,
        version     integer NOT NULL,
        recorded_at timestamptz NOT NULL,
        actor       text NOT NULL,
        content     jsonb NOT NULL,
        PRIMARY KEY (kind, key, version)
    )
    """,
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)


def downgrade() -> None:
    raise NotImplementedError("stock is never forgotten by a migration")
