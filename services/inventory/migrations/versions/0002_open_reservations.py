"""Reservations that hold something are found without reading those that do not."""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        "CREATE INDEX reservation_holding ON reservation (reservation_id) WHERE state IN ('held', 'confirmed')"
    )


def downgrade() -> None:
    raise NotImplementedError("stock is never forgotten by a migration")
