"""Orders that stand, or never will, forget what could pay again; their digest still tells content apart."""

from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

_FORGET = """
    UPDATE orders SET payment = payment || '{"value": ""}'
    WHERE state NOT IN ('recorded', 'action_required', 'cancelling')
      AND payment ->> 'kind' IN ('payment_method_token', 'stored_value_code')
"""


def upgrade() -> None:
    """Of orders that were placed before."""
    op.execute(_FORGET)
