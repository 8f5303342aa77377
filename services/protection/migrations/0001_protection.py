"""Protection's event store and its read tables: cases, clocks, measures, and which referral asks for which measure.

The application's role may rewrite the read tables, which are derived, and none of the store's.
"""

from alembic import op

from eventlog import schema
from runtime.database import role

revision = "0001"
down_revision = None

TABLES = """
CREATE TABLE cases (
    case_id text PRIMARY KEY,
    owner text NOT NULL,
    received_at timestamptz NOT NULL,
    version integer NOT NULL,
    stage text NOT NULL,
    track text NOT NULL,
    region text NOT NULL,
    pack text NOT NULL,
    pack_version text NOT NULL,
    reported boolean NOT NULL,
    level text NOT NULL,
    evaluations integer NOT NULL,
    granted boolean,
    ground text NOT NULL,
    next_due timestamptz
);
CREATE INDEX cases_by_time ON cases (received_at DESC, case_id DESC);
CREATE INDEX cases_by_owner ON cases (owner, received_at DESC, case_id DESC);
CREATE INDEX cases_by_due ON cases (next_due) WHERE next_due IS NOT NULL;
COMMENT ON TABLE cases IS 'The list of cases. owner: the unit that filed, or the person where there is no unit.';

CREATE TABLE clocks (
    case_id text NOT NULL,
    started_version integer NOT NULL,
    clock text NOT NULL,
    duty text NOT NULL,
    kind text NOT NULL,
    started_at timestamptz NOT NULL,
    due timestamptz NOT NULL,
    stopped_at timestamptz,
    late boolean,
    met boolean,
    noted integer[] NOT NULL,
    PRIMARY KEY (case_id, started_version)
);
CREATE INDEX clocks_running ON clocks (due) WHERE stopped_at IS NULL;
COMMENT ON TABLE clocks IS 'Each run of a clock of a case. noted: the rungs of silence recorded, in per cent.';

CREATE TABLE measures (
    measure_id text PRIMARY KEY,
    case_id text NOT NULL,
    proposed_at timestamptz NOT NULL,
    version integer NOT NULL,
    measure text NOT NULL,
    family text NOT NULL,
    implementer text NOT NULL,
    state text NOT NULL,
    urgent boolean NOT NULL,
    referral_id text NOT NULL
);
CREATE INDEX measures_by_case ON measures (case_id, proposed_at, measure_id);
COMMENT ON TABLE measures IS 'Each measure with its state. referral_id: the last one that asks the implementer.';

CREATE TABLE measure_referrals (
    referral_id text PRIMARY KEY,
    measure_id text NOT NULL
);
COMMENT ON TABLE measure_referrals IS 'From the referrals'' own events: later ones name the referral only.';
"""


def upgrade() -> None:
    """Makes the tables and grants their use."""
    connection = op.get_bind()
    schema.upgrade(op, database=connection.engine.url.database or "")
    op.execute(TABLES)
    app = role(connection, "app")
    op.execute(f'GRANT SELECT, INSERT, UPDATE, DELETE ON cases, clocks, measures, measure_referrals TO "{app}"')
