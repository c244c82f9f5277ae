"""Units declared unavailable have a life of their own: who said so, why, and what is left of it (SPEC STK-6).

A balance's `unavailable` is what is left of its open declarations. What had been declared before becomes one
declaration for each position.
"""

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

STATEMENTS = (
    """
    CREATE TABLE declaration (
        declaration_id text COLLATE "C" PRIMARY KEY,
        sku            text COLLATE "C" NOT NULL,
        point_id       text COLLATE "C" NOT NULL,
        quantity       bigint NOT NULL CHECK (quantity > 0),
        remaining      bigint NOT NULL CHECK (remaining BETWEEN 0 AND quantity),
        reason         text NOT NULL CHECK (reason IN ('being_sold', 'not_found', 'damaged', 'other')),
        actor          text NOT NULL,
        source         text NOT NULL,
        declared_at    timestamptz NOT NULL,
        ended_at       timestamptz,
        ended_by       text NOT NULL DEFAULT ''
                       CHECK (ended_by IN ('', 'snapshot', 'released', 'till_sale', 'end_of_day', 'count')),
        CHECK ((remaining = 0) = (ended_at IS NOT NULL)),
        CHECK ((remaining = 0) = (ended_by <> ''))
    )
    """,
    # A position's open declarations, oldest first: what a sale, a snapshot or the end of the day uses up.
    """
    CREATE INDEX declaration_open ON declaration (sku, point_id, declared_at, declaration_id)
    WHERE remaining > 0
    """,
    "CREATE INDEX declaration_point ON declaration (point_id, declared_at, declaration_id)",
    """
    INSERT INTO declaration
        (declaration_id, sku, point_id, quantity, remaining, reason, actor, source, declared_at)
    SELECT 'dec_' || md5(sku || '@' || point_id), sku, point_id, unavailable, unavailable, 'other', 'inventory',
           'declared before declarations were kept', now()
    FROM balance WHERE unavailable > 0
    """,
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)


def downgrade() -> None:
    raise NotImplementedError("stock is never forgotten by a migration")
