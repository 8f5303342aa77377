"""Agencies, referrals and what is known of the cases that they are about."""

from alembic import op

from eventlog import schema
from runtime.database import role

revision = "0001"
down_revision = None

TABLES = (
    """
    CREATE TABLE agencies (
        agency text COLLATE "C" PRIMARY KEY,
        kind text NOT NULL,
        name text NOT NULL,
        region text NOT NULL,
        superior text COLLATE "C" REFERENCES agencies (agency),
        registered_at timestamptz NOT NULL,
        changes bigint NOT NULL DEFAULT 0
    )
    """,
    """
    CREATE TABLE referrals (
        referral_id text COLLATE "C" PRIMARY KEY,
        agency text COLLATE "C" NOT NULL REFERENCES agencies (agency),
        case_id text COLLATE "C" NOT NULL,
        purpose text NOT NULL,
        round bigint NOT NULL,
        measure_id text NOT NULL,
        stage text NOT NULL,
        imminent boolean NOT NULL,
        no_accompaniment boolean NOT NULL,
        discloses text[] NOT NULL,
        sent_at timestamptz NOT NULL,
        acknowledge_due timestamptz NOT NULL,
        answer_due timestamptz NOT NULL,
        next_due timestamptz,
        version bigint NOT NULL,
        arrival bigint NOT NULL,
        changed bigint NOT NULL,
        UNIQUE (agency, arrival),
        UNIQUE (agency, changed),
        UNIQUE (case_id, agency, purpose, round, measure_id)
    )
    """,
    "CREATE INDEX referrals_due ON referrals (agency, next_due) WHERE next_due IS NOT NULL",
    "CREATE INDEX referrals_open ON referrals (agency, arrival) WHERE next_due IS NOT NULL",
    """
    CREATE TABLE cases (
        case_id text COLLATE "C" PRIMARY KEY,
        subject_id text NOT NULL,
        subjects text[] NOT NULL,
        region text NOT NULL,
        pack text NOT NULL,
        pack_version text NOT NULL,
        imminent boolean NOT NULL,
        no_accompaniment boolean NOT NULL,
        withdrawn boolean NOT NULL DEFAULT false,
        excluded text[] NOT NULL,
        request_version bigint NOT NULL
    )
    """,
    """
    CREATE TABLE consents (
        case_id text COLLATE "C" NOT NULL REFERENCES cases (case_id),
        version bigint NOT NULL,
        subject_id text NOT NULL,
        agency text NOT NULL,
        discloses text[] NOT NULL,
        two_persons boolean NOT NULL,
        withdrawn boolean NOT NULL DEFAULT false,
        PRIMARY KEY (case_id, version)
    )
    """,
    """
    CREATE TABLE copies (
        case_id text COLLATE "C" NOT NULL REFERENCES cases (case_id),
        event_id bytea NOT NULL,
        path text COLLATE "C" NOT NULL,
        data_class text NOT NULL,
        key_id text NOT NULL,
        ciphertext bytea NOT NULL,
        commitment bytea NOT NULL,
        PRIMARY KEY (case_id, event_id, path)
    )
    """,
)


def upgrade() -> None:
    """Creates the event store and the read tables; only what is rebuilt may be deleted from."""
    connection = op.get_bind()
    schema.upgrade(op, database=str(connection.engine.url.database))
    for table in TABLES:
        op.execute(table)
    tables = "agencies, referrals, cases, consents, copies"
    op.execute(f'GRANT SELECT, INSERT, UPDATE, DELETE ON {tables} TO "{role(connection, "app")}"')
