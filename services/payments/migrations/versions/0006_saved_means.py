"""Means are kept without authorising: another kind of operation, another status, and what is to be forgotten."""

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_STATEMENTS = (
    "ALTER TABLE operation DROP CONSTRAINT operation_kind_check",
    """
ALTER TABLE operation ADD CONSTRAINT operation_kind_check CHECK (kind IN
    ('save_means', 'authorize', 'capture', 'void', 'refund', 'refund_reversal', 'chargeback',
     'chargeback_reversal'))
""",
    "ALTER TABLE payment DROP CONSTRAINT payment_status_check",
    """
ALTER TABLE payment ADD CONSTRAINT payment_status_check CHECK (status IN
    ('pending', 'action_required', 'saved', 'authorized', 'declined', 'paid_by_channel', 'expired', 'closed'))
""",
    "CREATE INDEX tender_kept ON tender (order_id) WHERE saved_means <> ''",
)


def upgrade() -> None:
    """Of operations, payments and tenders."""
    for statement in _STATEMENTS:
        op.execute(statement)
