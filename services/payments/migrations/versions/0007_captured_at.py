"""When money of a tender was captured last: a provider refunds it only for some time."""

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_STATEMENTS = (
    "ALTER TABLE tender ADD COLUMN captured_at timestamptz",
    """
UPDATE tender AS t SET captured_at = o.captured_at
FROM (SELECT tender_id, max(settled_at) AS captured_at FROM operation
      WHERE kind = 'capture' AND state = 'succeeded' GROUP BY 1) AS o
WHERE o.tender_id = t.tender_id
""",
)


def upgrade() -> None:
    """Of tenders."""
    for statement in _STATEMENTS:
        op.execute(statement)
