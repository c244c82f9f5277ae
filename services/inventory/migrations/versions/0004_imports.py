"""Files of stock that are worked as jobs, and how far each source and point has been heard (SPEC STK-8)."""

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

JOBS = (
    # `number` is the order in which jobs are worked. `fingerprint` is the file and what it is meant as.
    # `worked` is the last change that was worked, of `planned`: it moves in the transaction of the changes.
    """
    CREATE TABLE import_job (
        job_id       text COLLATE "C" PRIMARY KEY,
        number       bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
        upload_id    text COLLATE "C" NOT NULL,
        fingerprint  bytea NOT NULL,
        file_name    text NOT NULL,
        file_digest  bytea NOT NULL,
        kind         text NOT NULL CHECK (kind IN ('snapshot', 'delta')),
        format       text NOT NULL CHECK (format IN ('csv', 'ndjson')),
        compression  text NOT NULL CHECK (compression IN ('none', 'gzip')),
        point_ids    text[] NOT NULL,
        brands       text[] NOT NULL,
        categories   text[] NOT NULL,
        absent       text NOT NULL CHECK (absent IN ('', 'keep', 'zero')),
        source       text NOT NULL,
        cause        text NOT NULL,
        actor        text NOT NULL,
        effective_at timestamptz NOT NULL,
        state        text NOT NULL DEFAULT 'received'
                     CHECK (state IN ('received', 'running', 'done', 'failed', 'cancelled')),
        prepared     boolean NOT NULL DEFAULT false,
        planned      bigint NOT NULL DEFAULT 0,
        worked       bigint NOT NULL DEFAULT 0,
        emptied      boolean NOT NULL DEFAULT false,
        bytes        bigint NOT NULL,
        bytes_read   bigint NOT NULL DEFAULT 0,
        read         bigint NOT NULL DEFAULT 0,
        changed      bigint NOT NULL DEFAULT 0,
        unchanged    bigint NOT NULL DEFAULT 0,
        late         bigint NOT NULL DEFAULT 0,
        rejected     bigint NOT NULL DEFAULT 0,
        zeroed       bigint NOT NULL DEFAULT 0,
        below_zero   bigint NOT NULL DEFAULT 0,
        reason       text NOT NULL DEFAULT '',
        detail       text NOT NULL DEFAULT '',
        received_at  timestamptz NOT NULL,
        started_at   timestamptz,
        ended_at     timestamptz,
        CHECK (state <> 'done' OR read = changed + unchanged + late + rejected)
    )
    """,
    # The same file, meant as the same, is one job; one that failed or was cancelled may be sent again.
    """
    CREATE UNIQUE INDEX import_job_file ON import_job (fingerprint)
    WHERE state IN ('received', 'running', 'done')
    """,
    "CREATE INDEX import_job_unfinished ON import_job (number) WHERE state IN ('received', 'running')",
    """
    CREATE INDEX import_job_full ON import_job (number)
    WHERE state IN ('done', 'failed', 'cancelled') AND NOT emptied
    """,
    # The file as it came. Stored as it is: it may be compressed already.
    """
    CREATE TABLE import_content (
        upload_id   text COLLATE "C" NOT NULL,
        nth         integer NOT NULL,
        content     bytea STORAGE EXTERNAL NOT NULL,
        recorded_at timestamptz NOT NULL DEFAULT now(),
        PRIMARY KEY (upload_id, nth)
    )
    """,
    # What is left to be worked of a prepared job. `line` 0: a position that the file leaves out, to be zeroed.
    # `moved`: what moved since the snapshot, noted under the locks of the chunk.
    """
    CREATE TABLE import_change (
        job_id       text COLLATE "C" NOT NULL,
        nth          bigint NOT NULL,
        line         bigint NOT NULL,
        sku          text COLLATE "C" NOT NULL,
        point_id     text COLLATE "C" NOT NULL,
        quantity     bigint NOT NULL,
        moved        bigint NOT NULL DEFAULT 0,
        sequence     bigint,
        effective_at timestamptz,
        cause        text NOT NULL DEFAULT '',
        PRIMARY KEY (job_id, nth)
    )
    """,
    """
    CREATE TABLE import_rejection (
        job_id text COLLATE "C" NOT NULL REFERENCES import_job,
        line   bigint NOT NULL,
        reason text NOT NULL,
        detail text NOT NULL,
        record text NOT NULL,
        PRIMARY KEY (job_id, line)
    )
    """,
)

HEARD = (
    # The newest snapshot that spoke of all that a point has of some items (empty lists: of every item).
    """
    CREATE TABLE snapshot_scope (
        point_id     text COLLATE "C" NOT NULL,
        item_scope   text COLLATE "C" NOT NULL,
        brands       text[] NOT NULL,
        categories   text[] NOT NULL,
        effective_at timestamptz NOT NULL,
        job_id       text COLLATE "C" NOT NULL,
        PRIMARY KEY (point_id, item_scope)
    )
    """,
    # The newest snapshot that spoke of a position alone: those that keep what they leave out.
    """
    CREATE TABLE snapshot_position (
        sku          text COLLATE "C" NOT NULL,
        point_id     text COLLATE "C" NOT NULL,
        effective_at timestamptz NOT NULL,
        PRIMARY KEY (sku, point_id)
    )
    """,
    """
    CREATE TABLE delta_order (
        source       text COLLATE "C" NOT NULL,
        sku          text COLLATE "C" NOT NULL,
        point_id     text COLLATE "C" NOT NULL,
        sequence     bigint,
        effective_at timestamptz,
        PRIMARY KEY (source, sku, point_id)
    )
    """,
    # What moved after an instant. Reserving and releasing move no unit, and snapshots only correct what is known:
    # neither is in it, so that it costs a reserve nothing.
    """
    CREATE INDEX movement_moved ON movement (recorded_at) INCLUDE (sku, point_id, on_hand_delta)
    WHERE on_hand_delta <> 0 AND cause <> 'snapshot'
    """,
)


def upgrade() -> None:
    for statement in (*JOBS, *HEARD):
        op.execute(statement)


def downgrade() -> None:
    raise NotImplementedError("stock is never forgotten by a migration")
