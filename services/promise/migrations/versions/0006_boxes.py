"""The catalogue of boxes."""

from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Creates its table."""
    op.execute('CREATE TABLE box (box_id text COLLATE "C" PRIMARY KEY, document jsonb NOT NULL)')
