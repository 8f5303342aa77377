"""The log, the projections, and who may do what to them."""

from alembic import op

from eventlog import schema
from runtime.database import role

revision = "0001"
down_revision = None

LOG = """
CREATE TABLE log (
    position bigint PRIMARY KEY,
    source text COLLATE "C" NOT NULL,
    index bigint NOT NULL,
    leaf bytea NOT NULL CHECK (length(leaf) = 32),
    UNIQUE (source, index)
);
COMMENT ON TABLE log IS 'The order in which records were taken in: the truth, never changed, never rebuilt.';

CREATE TABLE log_size (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    size bigint NOT NULL CHECK (size >= 0)
);
COMMENT ON TABLE log_size IS 'How many places the log has. Its one row is locked by whoever adds a place.';
INSERT INTO log_size (size) VALUES (0);
"""

PROJECTIONS = """
CREATE TABLE entries (
    source text COLLATE "C" NOT NULL,
    index bigint NOT NULL,
    event_hash bytea NOT NULL,
    stream text COLLATE "C" NOT NULL,
    version bigint NOT NULL,
    type text COLLATE "C" NOT NULL,
    kind text COLLATE "C" NOT NULL,
    case_id text COLLATE "C" NOT NULL,
    occurred_at timestamptz NOT NULL,
    recorded_at timestamptz NOT NULL,
    actor_role text COLLATE "C" NOT NULL,
    actor_unit text COLLATE "C" NOT NULL,
    agency text COLLATE "C" NOT NULL,
    referral_id text COLLATE "C" NOT NULL,
    since text COLLATE "C" NOT NULL,
    clock text COLLATE "C" NOT NULL,
    due timestamptz,
    late boolean,
    details jsonb NOT NULL,
    PRIMARY KEY (source, index)
);
COMMENT ON TABLE entries IS 'Every record once. Pages: a case''s timeline, the live stream.';
CREATE INDEX entries_of_a_case ON entries (case_id, recorded_at, source, index);
CREATE INDEX entries_of_a_stream ON entries (stream, version);

CREATE TABLE cases (
    case_id text COLLATE "C" PRIMARY KEY,
    filed_at timestamptz,
    imminent boolean,
    readers text[] COLLATE "C" NOT NULL,
    excluded text[] COLLATE "C" NOT NULL,
    withdrawn_at timestamptz,
    closed_at timestamptz,
    entries bigint NOT NULL,
    last_at timestamptz NOT NULL,
    last_source text COLLATE "C" NOT NULL,
    last_index bigint NOT NULL,
    last_kind text COLLATE "C" NOT NULL
);
COMMENT ON TABLE cases IS 'Page: the list of cases.';
CREATE INDEX cases_by_activity ON cases (last_at DESC, case_id DESC);
CREATE INDEX cases_by_reader ON cases USING gin (readers);

CREATE TABLE clocks (
    source text COLLATE "C" NOT NULL,
    started_index bigint NOT NULL,
    stream text COLLATE "C" NOT NULL,
    clock text COLLATE "C" NOT NULL,
    kind text COLLATE "C" NOT NULL,
    started_at timestamptz,
    due timestamptz,
    stopped_index bigint,
    stopped_recorded_at timestamptz,
    met boolean,
    late boolean,
    PRIMARY KEY (source, started_index)
);
COMMENT ON TABLE clocks IS 'Each run of a case''s clock. Page: a case''s timeline.';
CREATE INDEX clocks_of_a_stream ON clocks (stream, clock);

CREATE TABLE measures (
    measure_id text COLLATE "C" PRIMARY KEY,
    case_id text COLLATE "C" NOT NULL,
    agency text COLLATE "C" NOT NULL,
    referral_id text COLLATE "C" NOT NULL
);
COMMENT ON TABLE measures IS 'Who carries a measure out. Page: a case''s timeline, by agency.';

CREATE TABLE agencies (
    agency text COLLATE "C" PRIMARY KEY,
    kind text COLLATE "C" NOT NULL,
    name text NOT NULL,
    region text COLLATE "C" NOT NULL
);
COMMENT ON TABLE agencies IS 'Institutions, whose names are public. Page: response times.';

CREATE TABLE referrals (
    referral_id text COLLATE "C" PRIMARY KEY,
    source text COLLATE "C" NOT NULL,
    case_id text COLLATE "C" NOT NULL,
    agency text COLLATE "C" NOT NULL,
    purpose text COLLATE "C" NOT NULL,
    round integer NOT NULL,
    imminent boolean NOT NULL,
    pack text COLLATE "C" NOT NULL,
    pack_version text COLLATE "C" NOT NULL,
    acknowledge_due timestamptz,
    answer_due timestamptz,
    sent_at timestamptz NOT NULL,
    sent_claimed timestamptz NOT NULL,
    sent_index bigint NOT NULL,
    {acts},
    ground text COLLATE "C" NOT NULL
);
COMMENT ON TABLE referrals IS 'A referral''s instants, each with the record it comes from. Page: response times.';
CREATE INDEX referrals_by_agency ON referrals (agency, sent_at DESC, referral_id DESC);
CREATE INDEX referrals_of_a_case ON referrals (case_id);
"""
ACT = "{0}_at timestamptz,\n    {0}_claimed timestamptz,\n    {0}_index bigint,\n    {0}_late boolean"
ACTS = ("acknowledged", "accepted", "rejected", "answered", "recalled")

GRANTS = """
GRANT SELECT, INSERT ON log TO {app};
GRANT SELECT, UPDATE ON log_size TO {app};
GRANT SELECT, INSERT, UPDATE, DELETE ON entries, cases, clocks, measures, agencies, referrals TO {app};
"""


def upgrade() -> None:
    """Creates everything, as the owner."""
    connection = op.get_bind()
    database = connection.engine.url.database
    schema.upgrade(op, database=str(database), store=False)
    op.execute(LOG)
    op.execute(PROJECTIONS.format(acts=",\n    ".join(ACT.format(act) for act in ACTS)))
    op.execute(GRANTS.format(app=f'"{role(connection, "app")}"'))
