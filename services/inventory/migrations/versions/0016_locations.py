"""Where an article lies in a point, as a fact of its position; articles by the code that scanners read."""

from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

STATEMENTS = (
    "ALTER TABLE position_fact DROP CONSTRAINT position_fact_kind_check",
    """
    ALTER TABLE position_fact ADD CONSTRAINT position_fact_kind_check
        CHECK (kind IN ('assortment', 'plan', 'markdown', 'sales_rate', 'location')) NOT VALID
    """,
    # A scanner may read a code of 12 digits as one of 13: they are compared as GTIN-14.
    "CREATE INDEX item_gtin ON item (lpad(gtin, 14, '0')) WHERE gtin <> ''",
)


def upgrade() -> None:
    """Adds them."""
    for statement in STATEMENTS:
        op.execute(statement)
