"""Which units have a conflict of interest in a case, and so no part in it (DNH-9)."""

from alembic import op

from runtime.database import role

revision = "0004"
down_revision = "0003"

TABLES = """
CREATE TABLE conflicts (
    case_id text NOT NULL,
    unit text NOT NULL,
    PRIMARY KEY (unit, case_id)
);
CREATE INDEX conflicts_by_case ON conflicts (case_id);
COMMENT ON TABLE conflicts IS 'From the registry''s events: no reader of this unit sees the case.';
"""


def upgrade() -> None:
    """Makes the table and grants its use."""
    op.execute(TABLES)
    op.execute(f'GRANT SELECT, INSERT, DELETE ON conflicts TO "{role(op.get_bind(), "app")}"')
