"""Channel images as they are kept, and how far their projector and their events have come."""

from alembic import op

revision = "0012"
down_revision = "0008"
branch_labels = None
depends_on = None

STATEMENTS = (
    """
    CREATE TABLE channel_image (
        channel_id  text COLLATE "C" NOT NULL,
        sku         text COLLATE "C" NOT NULL,
        available   bigint NOT NULL CHECK (available >= 0),
        ship        bigint NOT NULL CHECK (ship >= 0),
        collect     bigint NOT NULL CHECK (collect >= 0),
        show        bigint NOT NULL CHECK (show >= 0),
        zero_reason text NOT NULL,
        sequence    bigint NOT NULL,
        changed_at  timestamptz NOT NULL,
        PRIMARY KEY (channel_id, sku)
    )
    """,
    "CREATE UNIQUE INDEX channel_image_sequence_key ON channel_image (channel_id, sequence)",
    "CREATE SEQUENCE channel_image_sequence",
    """
    CREATE TABLE image_projector (
        is_only        boolean PRIMARY KEY DEFAULT true CHECK (is_only),
        sequence       bigint NOT NULL DEFAULT 0,
        terms_sequence bigint NOT NULL DEFAULT 0,
        round_at       text COLLATE "C" NOT NULL DEFAULT '',
        round_until    text COLLATE "C",
        is_past_end    boolean NOT NULL DEFAULT false
    )
    """,
    # The first thing to do is a whole round: what stands already has no image.
    "INSERT INTO image_projector (round_until) VALUES ('')",
    """
    CREATE TABLE image_told (
        channel_id text COLLATE "C" PRIMARY KEY,
        sequence   bigint NOT NULL DEFAULT 0
    )
    """,
)


def upgrade() -> None:
    """Adds them."""
    for statement in STATEMENTS:
        op.execute(statement)
