"""Orders planned again in bulk: asked of their stories, and decided on by these."""

from alembic import op

revision = "0037"
down_revision = "0036"
branch_labels = None
depends_on = None

_STATEMENTS = (
    "ALTER TABLE bulk_action ADD COLUMN point_id text NOT NULL DEFAULT ''",
    "ALTER TABLE bulk_action DROP CONSTRAINT bulk_action_act_check",
    """
    ALTER TABLE bulk_action ADD CONSTRAINT bulk_action_act_check
    CHECK (act IN ('cancel', 'release_hold', 'plan_again'))
    """,
    "ALTER TABLE bulk_item DROP CONSTRAINT bulk_item_state_check, DROP CONSTRAINT bulk_item_check",
    """
    ALTER TABLE bulk_item
        ADD CONSTRAINT bulk_item_state_check CHECK (state IN ('pending', 'asked', 'done', 'refused', 'stopped')),
        ADD CONSTRAINT bulk_item_check CHECK ((decided_at IS NULL) = (state IN ('pending', 'asked', 'stopped')))
    """,
    "DROP INDEX bulk_item_pending",
    "CREATE INDEX bulk_item_open ON bulk_item (bulk_id, number) WHERE state IN ('pending', 'asked')",
)


def upgrade() -> None:
    for statement in _STATEMENTS:
        op.execute(statement)


def downgrade() -> None:
    raise NotImplementedError("orders are never forgotten by a migration")
