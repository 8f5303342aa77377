"""The list of openings: which sealed field was opened in danger, by which office, and whether another person reviewed
it.
"""

from alembic import op

from runtime.database import role

revision = "0003"
down_revision = "0002"

TABLE = """
CREATE TABLE openings (
    opening_id text PRIMARY KEY,
    case_id text NOT NULL,
    subject_id text NOT NULL,
    field text NOT NULL,
    ground text NOT NULL,
    role text NOT NULL,
    unit text NOT NULL,
    opened_at timestamptz NOT NULL,
    until timestamptz NOT NULL,
    review_due timestamptz NOT NULL,
    stage text NOT NULL,
    justified boolean,
    version integer NOT NULL
);
CREATE INDEX openings_by_time ON openings (opened_at DESC, opening_id DESC);
CREATE INDEX openings_to_review ON openings (review_due) WHERE stage = 'pending';
COMMENT ON TABLE openings IS 'The list of openings, and the reviews that are due.';
"""


def upgrade() -> None:
    """Makes the table and grants its use."""
    op.execute(TABLE)
    op.execute(f'GRANT SELECT, INSERT, UPDATE, DELETE ON openings TO "{role(op.get_bind(), "app")}"')
