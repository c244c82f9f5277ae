"""What holds orders and their work, the rules of holds and changes, labels, and trades of channels.

Cooling-off is a hold like any other: that of orders which stand is written as one.
"""

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_STATEMENTS = (
    """
    ALTER TABLE life_cycle
        ADD COLUMN hold_rules jsonb NOT NULL DEFAULT '[]',
        ADD COLUMN change_rules jsonb NOT NULL DEFAULT '[]',
        ADD COLUMN labels jsonb NOT NULL DEFAULT '[]',
        ADD COLUMN prepare_ahead_seconds integer NOT NULL DEFAULT 0 CHECK (prepare_ahead_seconds >= 0)
    """,
    "ALTER TABLE sales_channel ADD COLUMN trades jsonb NOT NULL DEFAULT '[]'",
    """
    ALTER TABLE orders
        ADD COLUMN trade text NOT NULL DEFAULT '',
        ADD COLUMN holds jsonb NOT NULL DEFAULT '[]',
        ADD COLUMN held_for text[] NOT NULL DEFAULT '{}',
        ADD COLUMN hold_until timestamptz
    """,
    """
    UPDATE orders SET
        holds = jsonb_build_array(jsonb_build_object(
            'hold_id', 'hld_' || order_id, 'kind', 'cooling_off', 'fulfilment_id', '',
            'reason', 'the customer may still change it', 'since', placed_at, 'until', cooling_off_until,
            'default', 'release', 'roles', jsonb_build_array('channel', 'customer_service'),
            'ended_at', CASE WHEN state <> 'validated' THEN cooling_off_until END,
            'outcome', CASE WHEN state <> 'validated' THEN 'lapsed' ELSE '' END, 'actor', '')),
        held_for = CASE WHEN state = 'validated' THEN ARRAY['cooling_off'] ELSE '{}' END,
        hold_until = CASE WHEN state = 'validated' THEN cooling_off_until END
    WHERE cooling_off_until IS NOT NULL
    """,
    "ALTER TABLE orders DROP COLUMN cooling_off_until",
    "CREATE INDEX orders_held_until ON orders (hold_until, order_id) WHERE hold_until IS NOT NULL",
    "CREATE INDEX orders_held_for ON orders USING gin (held_for) WHERE held_for <> '{}'",
    """
    ALTER TABLE fulfilment
        ADD COLUMN hand_over_from timestamptz,
        ADD COLUMN let_go_at timestamptz
    """,
    """CREATE INDEX fulfilment_let_go ON fulfilment (let_go_at)
       WHERE let_go_at IS NOT NULL AND state = 'planned'""",
)


def upgrade() -> None:
    for statement in _STATEMENTS:
        op.execute(statement)


def downgrade() -> None:
    raise NotImplementedError("orders are never forgotten by a migration")
