"""Which offices have a conflict of interest in a case, by the person's word or by an agreement with the project that
the case names: nothing of it is told to them (DNH-9).
"""

from alembic import op

from runtime.database import role

revision = "0003"
down_revision = "0002"

AGREEMENTS = """
CREATE TABLE agreements (
    agency text COLLATE "C" NOT NULL,
    project text COLLATE "C" NOT NULL,
    PRIMARY KEY (project, agency)
);
COMMENT ON TABLE agreements IS 'Which offices are tied to which projects.';
"""


def upgrade() -> None:
    """Adds columns and table; nobody has claimed a conflict yet."""
    op.execute("ALTER TABLE cases ADD COLUMN conflicted text[] NOT NULL DEFAULT '{}'")
    op.execute("ALTER TABLE cases ADD COLUMN project text COLLATE \"C\" NOT NULL DEFAULT ''")
    op.execute("CREATE INDEX cases_by_project ON cases (project) WHERE project <> ''")
    op.execute(AGREEMENTS)
    op.execute(f'GRANT SELECT, INSERT, DELETE ON agreements TO "{role(op.get_bind(), "app")}"')
