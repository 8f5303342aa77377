"""Which offices have a conflict of interest in a case, so that its row is not theirs to see."""

from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Adds the column; nobody has claimed a conflict yet."""
    op.execute("ALTER TABLE requests ADD COLUMN conflicted text[] NOT NULL DEFAULT '{}'")
