"""Which offices have a conflict of interest in a case, so that its row is not theirs to see; and which are tied to
which projects, from the register's events.
"""

from alembic import op

from runtime.database import role

revision = "0004"
down_revision = "0003"

AGREEMENTS = """
CREATE TABLE agreements (
    agency text NOT NULL,
    project text NOT NULL,
    PRIMARY KEY (project, agency)
);
COMMENT ON TABLE agreements IS 'Which offices are tied to which projects, from the register''s own events.';
CREATE INDEX requests_by_project ON requests (project) WHERE project <> '';
"""


def upgrade() -> None:
    """Adds column and table; nobody has claimed a conflict yet."""
    op.execute("ALTER TABLE requests ADD COLUMN conflicted text[] NOT NULL DEFAULT '{}'")
    op.execute(AGREEMENTS)
    op.execute(f'GRANT SELECT, INSERT, UPDATE, DELETE ON agreements TO "{role(op.get_bind(), "app")}"')
