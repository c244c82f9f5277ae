"""Stock to come in the feed of the stock replicas."""

from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

STATEMENTS = (
    # Another kind of mark: what comes to a position.
    "ALTER TABLE stock_change DROP CONSTRAINT stock_change_kind_check",
    """
    ALTER TABLE stock_change ADD CONSTRAINT stock_change_kind_check
        CHECK (kind IN ('position', 'item', 'point', 'channel', 'terms', 'coming')) NOT VALID
    """,
    # Up to when it has been told what days that begin make of stock to come: one row, or none yet.
    """
    CREATE TABLE coming_clock (
        is_only    boolean PRIMARY KEY DEFAULT true CHECK (is_only),
        told_until timestamptz NOT NULL
    )
    """,
    # What is expected of before: told to the replicas that were there already.
    """
    INSERT INTO stock_change (kind, sku, point_id)
    SELECT DISTINCT 'coming', sku, point_id FROM expected_delivery WHERE state = 'expected'
    """,
    # Release dates and those of bundles are told with the items.
    """
    INSERT INTO stock_change (kind, sku)
    SELECT 'item', sku FROM item WHERE release_date <> '' OR parts <> '[]'
    """,
)


def upgrade() -> None:
    """Adds it."""
    for statement in STATEMENTS:
        op.execute(statement)
