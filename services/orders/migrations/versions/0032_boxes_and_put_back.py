"""In which box a parcel was packed."""

from alembic import op

revision = "0032"
down_revision = "0029"
branch_labels = None
depends_on = None

_STATEMENTS = ("ALTER TABLE parcel ADD COLUMN box_id text NOT NULL DEFAULT ''",)


def upgrade() -> None:
    for statement in _STATEMENTS:
        op.execute(statement)


def downgrade() -> None:
    raise NotImplementedError("orders are never forgotten by a migration")
