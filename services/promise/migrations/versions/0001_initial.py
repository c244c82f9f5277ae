"""Carriers, geography and rulesets as data; quotes and decisions as they were given."""

from alembic import op

revision = "0001"
down_revision = None

TABLES = (
    # One row; its version rises with each change of carriers, geography or rulesets, so that replicas re-read.
    """
CREATE TABLE terms_version (
    only_row bool PRIMARY KEY DEFAULT true CHECK (only_row),
    version  bigint NOT NULL
)
""",
    "INSERT INTO terms_version (version) VALUES (1)",
    """
CREATE TABLE carrier (
    carrier_id text PRIMARY KEY,
    document   jsonb NOT NULL
)
""",
    """
CREATE TABLE zone (
    zone_id  text PRIMARY KEY,
    document jsonb NOT NULL
)
""",
    """
CREATE TABLE postcode_area (
    country     text NOT NULL,
    prefix      text NOT NULL,
    latitude    float8 NOT NULL CHECK (latitude BETWEEN -90 AND 90),
    longitude   float8 NOT NULL CHECK (longitude BETWEEN -180 AND 180),
    subdivision text NOT NULL,
    PRIMARY KEY (country, prefix)
)
""",
    """
CREATE TABLE ruleset (
    ruleset_id   text NOT NULL,
    version      int NOT NULL CHECK (version >= 1),
    document     jsonb NOT NULL,
    published_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (ruleset_id, version)
)
""",
    """
CREATE TABLE quote (
    quote_id   text PRIMARY KEY,
    expires_at timestamptz NOT NULL,
    document   jsonb NOT NULL
)
""",
    "CREATE INDEX quote_expires_at ON quote (expires_at)",
    """
CREATE TABLE decision (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    decision_id text NOT NULL UNIQUE,
    request_id  text NOT NULL UNIQUE,
    digest      bytea NOT NULL,
    order_id    text NOT NULL,
    document    jsonb NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT now()
)
""",
    "CREATE INDEX decision_order_id ON decision (order_id, id)",
    # A published version and a decision are records: they never change.
    """
CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only', TG_TABLE_NAME;
END
$$
""",
    """
CREATE TRIGGER ruleset_is_kept BEFORE UPDATE OR DELETE ON ruleset
    FOR EACH ROW EXECUTE FUNCTION refuse_change()
""",
    """
CREATE TRIGGER decision_is_kept BEFORE UPDATE ON decision
    FOR EACH ROW EXECUTE FUNCTION refuse_change()
""",
)


def upgrade() -> None:
    """Creates the tables."""
    for statement in TABLES:
        op.execute(statement)
