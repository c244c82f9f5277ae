"""Lanes between points, transfers with their lines and acts, pauses (SPEC STK-16, STK-17).

A requested transfer holds its units by the reservation of the same id. What left the origin and is neither
received nor settled is in transit: on hand nowhere.
"""

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

LANES = (
    """
    CREATE TABLE lane (
        lane_id            text COLLATE "C" PRIMARY KEY,
        origin_id          text COLLATE "C" NOT NULL REFERENCES stock_point,
        destination_id     text COLLATE "C" NOT NULL REFERENCES stock_point,
        departures         jsonb NOT NULL,
        transit_days       integer NOT NULL CHECK (transit_days >= 0),
        currency           text NOT NULL,
        per_parcel_minor   bigint NOT NULL CHECK (per_parcel_minor >= 0),
        per_unit_minor     bigint NOT NULL CHECK (per_unit_minor >= 0),
        per_kilogram_minor bigint NOT NULL CHECK (per_kilogram_minor >= 0),
        CHECK (origin_id <> destination_id)
    )
    """,
    "CREATE INDEX lane_between ON lane (origin_id, destination_id)",
)

TRANSFERS = (
    """
    CREATE TABLE transfer (
        transfer_id    text COLLATE "C" PRIMARY KEY,
        origin_id      text COLLATE "C" NOT NULL REFERENCES stock_point,
        destination_id text COLLATE "C" NOT NULL REFERENCES stock_point,
        state          text NOT NULL
                       CHECK (state IN ('requested', 'dispatched', 'received', 'closed', 'cancelled')),
        lane_id        text COLLATE "C" NOT NULL,
        expected_from  timestamptz,
        expected_until timestamptz,
        requested_at   timestamptz NOT NULL,
        dispatched_at  timestamptz,
        closed_at      timestamptz,
        CHECK (origin_id <> destination_id),
        CHECK ((expected_from IS NULL) = (expected_until IS NULL)),
        CHECK (expected_from < expected_until),
        CHECK ((state IN ('requested', 'cancelled')) = (dispatched_at IS NULL)),
        CHECK ((state IN ('closed', 'cancelled')) = (closed_at IS NOT NULL))
    )
    """,
    "CREATE INDEX transfer_origin ON transfer (origin_id, transfer_id)",
    "CREATE INDEX transfer_destination ON transfer (destination_id, transfer_id)",
    # In transit: dispatched - received - settled. `over` and `damaged` are beside it.
    """
    CREATE TABLE transfer_line (
        transfer_id text COLLATE "C" NOT NULL REFERENCES transfer,
        sku         text COLLATE "C" NOT NULL REFERENCES item,
        quantity    bigint NOT NULL CHECK (quantity >= 0),
        dispatched  bigint NOT NULL DEFAULT 0 CHECK (dispatched BETWEEN 0 AND quantity),
        received    bigint NOT NULL DEFAULT 0 CHECK (received >= 0),
        settled     bigint NOT NULL DEFAULT 0 CHECK (settled >= 0),
        lost        bigint NOT NULL DEFAULT 0 CHECK (lost BETWEEN 0 AND settled),
        over        bigint NOT NULL DEFAULT 0 CHECK (over >= 0),
        damaged     bigint NOT NULL DEFAULT 0 CHECK (damaged BETWEEN 0 AND received + over),
        PRIMARY KEY (transfer_id, sku),
        CHECK (received + settled <= dispatched)
    )
    """,
    """
    CREATE INDEX transfer_line_in_transit ON transfer_line (sku, transfer_id)
    WHERE dispatched > received + settled
    """,
    """
    CREATE TABLE transfer_act (
        transfer_id text COLLATE "C" NOT NULL REFERENCES transfer,
        nth         integer NOT NULL,
        act         text NOT NULL CHECK (act IN ('request', 'dispatch', 'receive', 'settle', 'cancel')),
        actor       text NOT NULL,
        reason      text NOT NULL,
        lines       jsonb NOT NULL,
        acted_at    timestamptz NOT NULL,
        PRIMARY KEY (transfer_id, nth)
    )
    """,
    "CREATE INDEX movement_holder ON movement (reservation_id) WHERE reservation_id LIKE 'trf\\_%'",
)

# `begun` and `ended`: the replicas were told. Empty keys mean any.
PAUSES = (
    """
    CREATE TABLE pause (
        pause_id   text COLLATE "C" PRIMARY KEY,
        point_id   text COLLATE "C" NOT NULL,
        sku        text COLLATE "C" NOT NULL,
        channel_id text COLLATE "C" NOT NULL,
        reason     text NOT NULL,
        from_at    timestamptz NOT NULL,
        until_at   timestamptz,
        paused_by  text NOT NULL,
        lifted_by  text NOT NULL DEFAULT '',
        lifted_at  timestamptz,
        begun      boolean NOT NULL DEFAULT false,
        ended      boolean NOT NULL DEFAULT false,
        CHECK (point_id <> '' OR sku <> '' OR channel_id <> ''),
        CHECK (from_at < until_at),
        CHECK ((lifted_at IS NULL) = (lifted_by = ''))
    )
    """,
    "CREATE INDEX pause_not_ended ON pause (pause_id) WHERE NOT ended",
)


def upgrade() -> None:
    for statement in (*LANES, *TRANSFERS, *PAUSES):
        op.execute(statement)


def downgrade() -> None:
    raise NotImplementedError("stock is never forgotten by a migration")
