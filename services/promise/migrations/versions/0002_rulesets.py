"""Rulesets become effective at an instant, have a draft, and keep who changed what and why."""

from alembic import op

from kit import requests

revision = "0002"
down_revision = "0001"

STATEMENTS = (
    requests.DDL,
    "ALTER TABLE ruleset DISABLE TRIGGER ruleset_is_kept",
    "ALTER TABLE ruleset ADD effective_at timestamptz",
    "UPDATE ruleset SET effective_at = published_at",
    "ALTER TABLE ruleset ALTER effective_at SET NOT NULL, ADD CHECK (effective_at >= published_at)",
    "ALTER TABLE ruleset ENABLE TRIGGER ruleset_is_kept",
    # One open draft a ruleset.
    """
CREATE TABLE ruleset_draft (
    ruleset_id text PRIMARY KEY,
    document   jsonb NOT NULL,
    saved_at   timestamptz NOT NULL,
    saved_by   text NOT NULL,
    reason     text NOT NULL
)
""",
    # The revision of a ruleset is the number of its last change.
    """
CREATE TABLE ruleset_change (
    ruleset_id   text NOT NULL,
    revision     int NOT NULL CHECK (revision >= 1),
    act          text NOT NULL CHECK (act IN ('saved', 'discarded', 'published', 'withdrawn', 'rolled_back')),
    changed_at   timestamptz NOT NULL,
    actor        text NOT NULL,
    reason       text NOT NULL,
    version      int,
    effective_at timestamptz,
    restored     int,
    before       jsonb,
    after        jsonb,
    PRIMARY KEY (ruleset_id, revision),
    FOREIGN KEY (ruleset_id, version) REFERENCES ruleset,
    FOREIGN KEY (ruleset_id, restored) REFERENCES ruleset,
    CHECK ((version IS NULL) = (act IN ('saved', 'discarded'))),
    CHECK ((effective_at IS NULL) = (version IS NULL)),
    CHECK ((restored IS NULL) = (act <> 'rolled_back'))
)
""",
    """
CREATE UNIQUE INDEX ruleset_change_publication ON ruleset_change (ruleset_id, version)
    WHERE act IN ('published', 'rolled_back')
""",
    """
CREATE UNIQUE INDEX ruleset_change_withdrawal ON ruleset_change (ruleset_id, version)
    WHERE act = 'withdrawn'
""",
    """
CREATE TRIGGER ruleset_change_is_kept BEFORE UPDATE OR DELETE ON ruleset_change
    FOR EACH ROW EXECUTE FUNCTION refuse_change()
""",
    # Versions of before: nobody kept who published them.
    """
INSERT INTO ruleset_change
    (ruleset_id, revision, act, changed_at, actor, reason, version, effective_at, before, after)
SELECT ruleset_id, row_number() OVER versions, 'published', published_at, 'unknown', 'before changes were kept',
       version, effective_at, lag(document) OVER versions, document
FROM ruleset WINDOW versions AS (PARTITION BY ruleset_id ORDER BY version)
""",
)


def upgrade() -> None:
    """Adds to the tables."""
    for statement in STATEMENTS:
        op.execute(statement)
