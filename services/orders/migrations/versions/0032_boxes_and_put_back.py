"""In which box a parcel was packed, what is put back of one that does not leave, and what is written into it."""

from alembic import op

revision = "0032"
down_revision = "0029"
branch_labels = None
depends_on = None

_STATEMENTS = (
    "ALTER TABLE parcel ADD COLUMN box_id text NOT NULL DEFAULT ''",
    "ALTER TABLE fulfilment ADD COLUMN put_back jsonb",
    "ALTER TABLE order_customer ADD COLUMN gift_message text NOT NULL DEFAULT ''",
    """
    CREATE INDEX fulfilment_unpack ON fulfilment (point_id)
    WHERE put_back ->> 'since' IS NOT NULL AND put_back ->> 'done_at' IS NULL
    """,
)


def upgrade() -> None:
    for statement in _STATEMENTS:
        op.execute(statement)


def downgrade() -> None:
    raise NotImplementedError("orders are never forgotten by a migration")
