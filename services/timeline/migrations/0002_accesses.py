"""Who looked: the vault's accesses, and whose key belongs to which case. A rebuild fills both from what was recorded
before.
"""

from alembic import op

from runtime.database import role

revision = "0002_accesses"
down_revision = "0001"

TABLES = """
CREATE TABLE subjects (
    subject_id text COLLATE "C" PRIMARY KEY,
    case_id text COLLATE "C" NOT NULL
);
COMMENT ON TABLE subjects IS 'Whose key belongs to which case.';
CREATE INDEX subjects_of_a_case ON subjects (case_id);

CREATE TABLE accesses (
    source text COLLATE "C" NOT NULL,
    index bigint NOT NULL,
    kind text COLLATE "C" NOT NULL,
    recorded_at timestamptz NOT NULL,
    role text COLLATE "C" NOT NULL,
    unit text COLLATE "C" NOT NULL,
    officer text COLLATE "C" NOT NULL,
    service text COLLATE "C" NOT NULL,
    purpose text COLLATE "C" NOT NULL,
    rule text COLLATE "C" NOT NULL,
    classes text[] COLLATE "C" NOT NULL,
    about text[] COLLATE "C" NOT NULL,
    times integer NOT NULL,
    subjects text[] COLLATE "C" NOT NULL,
    cases text[] COLLATE "C" NOT NULL,
    PRIMARY KEY (source, index)
);
COMMENT ON TABLE accesses IS 'Every record of the vault once. Page: who looked at a case.';
CREATE INDEX accesses_by_subject ON accesses USING gin (subjects);
CREATE INDEX accesses_by_case ON accesses USING gin (cases);
"""
GRANTS = "GRANT SELECT, INSERT, UPDATE, DELETE ON subjects, accesses TO {app}"


def upgrade() -> None:
    """Creates both, as the owner."""
    op.execute(TABLES)
    op.execute(GRANTS.format(app=f'"{role(op.get_bind(), "app")}"'))
