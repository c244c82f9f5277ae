"""Formats, bundles and their parts, personalisation fields; the parts of what is held."""

from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

STATEMENTS = (
    """
    ALTER TABLE item
        ADD COLUMN reference        text COLLATE "C" NOT NULL DEFAULT '',
        ADD COLUMN format           text COLLATE "C" NOT NULL DEFAULT '',
        ADD COLUMN parts            jsonb NOT NULL DEFAULT '[]',
        ADD COLUMN personalisations jsonb NOT NULL DEFAULT '[]'
    """,
    "CREATE UNIQUE INDEX item_format_key ON item (reference, format) WHERE reference <> ''",
    "CREATE INDEX item_bundle_idx ON item (sku) WHERE parts <> '[]'",
    """
    CREATE INDEX item_part_idx ON item USING gin (jsonb_path_query_array(parts, '$[*].sku')) WHERE parts <> '[]'
    """,
    "ALTER TABLE reservation_line ADD COLUMN parts jsonb",
)


def upgrade() -> None:
    """Adds them."""
    for statement in STATEMENTS:
        op.execute(statement)
