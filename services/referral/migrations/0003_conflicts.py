"""Which offices have a conflict of interest in a case: nothing of it is told to them (DNH-9)."""

from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Adds the column; nobody has claimed a conflict yet."""
    op.execute("ALTER TABLE cases ADD COLUMN conflicted text[] NOT NULL DEFAULT '{}'")
