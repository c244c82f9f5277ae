"""In which box a parcel was packed, and what is to be put back of one that does not leave."""

from alembic import op

revision = "0032"
down_revision = "0029"
branch_labels = None
depends_on = None

_STATEMENTS = (
    "ALTER TABLE parcel ADD COLUMN box_id text NOT NULL DEFAULT ''",
    "ALTER TABLE fulfilment ADD COLUMN put_back jsonb",
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
