"""The compartment of a locker in which a customer finds what he ordered."""

from alembic import op

revision = "0035"
down_revision = "0034"
branch_labels = None
depends_on = None

_STATEMENTS = (
    "ALTER TABLE fulfilment ADD COLUMN locker jsonb",
    # As many as there are compartments: those for which a bank may keep one.
    """
    CREATE INDEX fulfilment_locker ON fulfilment (fulfilment_id)
    WHERE locker ->> 'asked_at' IS NOT NULL AND locker ->> 'released_at' IS NULL
    """,
)


def upgrade() -> None:
    for statement in _STATEMENTS:
        op.execute(statement)


def downgrade() -> None:
    raise NotImplementedError("orders are never forgotten by a migration")
