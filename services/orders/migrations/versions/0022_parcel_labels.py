"""The serial numbers of parcels, from which their labels' codes are made."""

from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE parcel_label (
            parcel_id text PRIMARY KEY REFERENCES parcel,
            serial    bigint GENERATED ALWAYS AS IDENTITY UNIQUE
        )
        """
    )


def downgrade() -> None:
    raise NotImplementedError("codes on labels out in the world are never forgotten by a migration")
