"""What a store does with several works at once: pick lists, and manifests of what its carriers took."""

from alembic import op

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None

_STATEMENTS = (
    # Who picks a work now is decided with the work itself, under the lock of its order.
    "ALTER TABLE fulfilment ADD COLUMN picking jsonb",
    """
    CREATE TABLE pick_list (
        pick_list_id text PRIMARY KEY,
        point_id     text NOT NULL,
        actor        text NOT NULL,
        opened_at    timestamptz NOT NULL,
        closed_at    timestamptz,
        -- In the order of their containers: the first is A.
        works        text[] NOT NULL CHECK (cardinality(works) BETWEEN 1 AND 26)
    )
    """,
    "CREATE INDEX pick_list_point ON pick_list (point_id, opened_at, pick_list_id)",
    """
    CREATE TABLE manifest (
        manifest_id text PRIMARY KEY,
        number      bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
        point_id    text NOT NULL,
        carrier_id  text NOT NULL,
        actor       text NOT NULL,
        closed_at   timestamptz NOT NULL,
        parcels     jsonb NOT NULL
    )
    """,
    "CREATE INDEX manifest_point ON manifest (point_id, number)",
)


def upgrade() -> None:
    for statement in _STATEMENTS:
        op.execute(statement)


def downgrade() -> None:
    raise NotImplementedError("what carriers signed for is never forgotten by a migration")
