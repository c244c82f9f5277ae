"""Simulations of rulesets as jobs, and the files that they read (SPEC RTE-4)."""

from alembic import op

revision = "0003"
down_revision = "0002"

TABLES = (
    # `number` is the order in which jobs are worked. `setup` and `live` are whole: a result can be made again.
    """
CREATE TABLE simulation (
    simulation_id text COLLATE "C" PRIMARY KEY,
    number        bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
    request_id    text NOT NULL UNIQUE,
    digest        bytea NOT NULL,
    setup         jsonb NOT NULL,
    live          jsonb NOT NULL,
    actor         text NOT NULL,
    state         text NOT NULL DEFAULT 'received'
                  CHECK (state IN ('received', 'running', 'done', 'failed', 'cancelled', 'interrupted')),
    reason        text NOT NULL DEFAULT '',
    detail        text NOT NULL DEFAULT '',
    planned       bigint NOT NULL DEFAULT 0,
    total         bigint NOT NULL DEFAULT 0,
    received_at   timestamptz NOT NULL,
    started_at    timestamptz,
    ended_at      timestamptz,
    result        jsonb,
    CHECK ((state = 'done') = (result IS NOT NULL))
)
""",
    "CREATE INDEX simulation_unfinished ON simulation (number) WHERE state IN ('received', 'running')",
    """
CREATE TABLE simulation_file (
    file_id   text COLLATE "C" PRIMARY KEY,
    file_name text NOT NULL,
    upload_id text COLLATE "C" NOT NULL UNIQUE,
    gzip      boolean NOT NULL,
    bytes     bigint NOT NULL,
    used_at   timestamptz NOT NULL
)
""",
    # The file as it came. Stored as it is: it may be compressed already.
    """
CREATE TABLE simulation_content (
    upload_id   text COLLATE "C" NOT NULL,
    nth         integer NOT NULL,
    content     bytea STORAGE EXTERNAL NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (upload_id, nth)
)
""",
    # An order's first decision that kept its quote is found without reading documents.
    "CREATE INDEX decision_kept ON decision (order_id, id) WHERE document->>'quote_broken' = 'false'",
    "CREATE INDEX decision_recorded_at ON decision (recorded_at)",
)


def upgrade() -> None:
    """Creates the tables."""
    for statement in TABLES:
        op.execute(statement)
