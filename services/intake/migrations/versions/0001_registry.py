"""The registry's event store and its two read tables.

The application's role may rewrite the read tables, which are derived, and none of the store's.
"""

from alembic import op

from eventlog import schema
from runtime.database import role

revision = "0001"
down_revision = None

TABLES = """
CREATE TABLE requests (
    case_id text PRIMARY KEY,
    owner text NOT NULL,
    recorded_at timestamptz NOT NULL,
    version integer NOT NULL,
    stage text NOT NULL,
    filed_by text NOT NULL,
    subjects jsonb NOT NULL,
    incident text NOT NULL,
    perpetrator text NOT NULL,
    repeated_perpetrator boolean NOT NULL,
    imminent boolean NOT NULL,
    region text NOT NULL,
    causes text[] NOT NULL,
    project text NOT NULL,
    territory text NOT NULL,
    no_accompaniment boolean NOT NULL,
    language text NOT NULL,
    pack text NOT NULL,
    pack_version text NOT NULL,
    excluded text[] NOT NULL,
    consents jsonb NOT NULL,
    evidence integer NOT NULL
);
CREATE INDEX requests_by_owner ON requests (owner, recorded_at DESC, case_id DESC);
CREATE INDEX requests_by_time ON requests (recorded_at DESC, case_id DESC);
COMMENT ON TABLE requests IS 'The list of requests. owner: the unit that filed, or the person.';

CREATE TABLE incidents (
    incident_id text PRIMARY KEY,
    owner text NOT NULL,
    recorded_at timestamptz NOT NULL,
    version integer NOT NULL,
    case_id text NOT NULL,
    kind text NOT NULL,
    perpetrator text NOT NULL,
    repeated_perpetrator boolean NOT NULL,
    happened_at timestamptz,
    region text NOT NULL,
    charges text[] NOT NULL,
    violence text[] NOT NULL,
    causes text[] NOT NULL,
    project text NOT NULL,
    territory text NOT NULL,
    office text NOT NULL,
    verification text NOT NULL,
    duplicate_of text NOT NULL
);
CREATE INDEX incidents_by_owner ON incidents (owner, recorded_at DESC, incident_id DESC);
CREATE INDEX incidents_by_time ON incidents (recorded_at DESC, incident_id DESC);
CREATE INDEX incidents_by_case ON incidents (case_id);
COMMENT ON TABLE incidents IS 'The list of incidents. owner: the unit that reported, or the person.';
"""


def upgrade() -> None:
    """Makes the tables and grants their use."""
    connection = op.get_bind()
    schema.upgrade(op, database=connection.engine.url.database or "")
    op.execute(TABLES)
    op.execute(f'GRANT SELECT, INSERT, UPDATE, DELETE ON requests, incidents TO "{role(connection, "app")}"')
