"""Units in a parcel that does not leave are declared unavailable until they are unpacked."""

from alembic import op

revision = "0018"
down_revision = "0016"
branch_labels = None
depends_on = None

STATEMENTS = (
    "ALTER TABLE declaration DROP CONSTRAINT declaration_reason_check",
    """
    ALTER TABLE declaration ADD CONSTRAINT declaration_reason_check
        CHECK (reason IN ('being_sold', 'not_found', 'damaged', 'packed', 'other')) NOT VALID
    """,
)


def upgrade() -> None:
    """Adds the reason."""
    for statement in STATEMENTS:
        op.execute(statement)


def downgrade() -> None:
    raise NotImplementedError("what was declared is never forgotten by a migration")
