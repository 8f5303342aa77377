"""Whom the filers exclude: units that must never learn of a case, and so are kept from it here too (DNH-5)."""

from alembic import op

from runtime.database import role

revision = "0003"
down_revision = "0002"

TABLES = """
CREATE TABLE exclusions (
    case_id text NOT NULL,
    unit text NOT NULL,
    PRIMARY KEY (unit, case_id)
);
CREATE INDEX exclusions_by_case ON exclusions (case_id);
COMMENT ON TABLE exclusions IS 'From the registry''s events: no reader of this unit sees the case.';
"""


def upgrade() -> None:
    """Makes the table and grants its use."""
    op.execute(TABLES)
    op.execute(f'GRANT SELECT, INSERT, DELETE ON exclusions TO "{role(op.get_bind(), "app")}"')
