"""Owns the tables and the one SQL function of an event store, and who may do what to them.

Every service's database has them; ``upgrade`` is called by its first migration, as the owner. The run-time roles are
named after the database: ``<database>_app`` appends and reads, ``<database>_sequencer`` orders. Neither owns
anything, and neither can change or remove an event.
"""

from typing import Protocol

STORE = """
CREATE TABLE events (
    pos bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    stream text NOT NULL,
    version bigint NOT NULL CHECK (version > 0),
    event bytea NOT NULL CHECK (length(event) <= 60000),
    CONSTRAINT events_stream_version UNIQUE (stream, version)
);
COMMENT ON TABLE events IS 'The truth: events as appended. pos orders what one transaction saw of another, with holes.';

CREATE TABLE pending (
    pos bigint PRIMARY KEY,
    headers jsonb NOT NULL
);
COMMENT ON TABLE pending IS 'Events that the sequencer has not numbered yet, written in the append''s transaction.';

CREATE TABLE records (
    index bigint PRIMARY KEY,
    pos bigint NOT NULL,
    record bytea NOT NULL,
    headers jsonb NOT NULL
);
COMMENT ON TABLE records IS 'The source''s order: gapless from 0. record is what is published and hashed.';

CREATE TABLE acts (
    client text NOT NULL,
    key text NOT NULL,
    fingerprint bytea NOT NULL,
    receipt text NOT NULL,
    recorded_at timestamptz NOT NULL,
    PRIMARY KEY (client, key)
);
COMMENT ON TABLE acts IS 'What was done under which idempotency or business key, and the receipt it was given.';

CREATE FUNCTION append_events(
    p_stream text, p_expected bigint, p_events bytea[], p_headers jsonb,
    p_client text, p_key text, p_fingerprint bytea, p_receipt text, p_recorded_at timestamptz,
    OUT stored boolean, OUT earlier_fingerprint bytea, OUT earlier_receipt text
) LANGUAGE plpgsql AS $$
BEGIN
    -- First of all, so that nobody overtakes a handler that holds its stream before it loads (`retry_when_moved`).
    PERFORM pg_advisory_xact_lock(hashtextextended(p_stream, 0));
    INSERT INTO acts VALUES (p_client, p_key, p_fingerprint, p_receipt, p_recorded_at) ON CONFLICT DO NOTHING;
    IF NOT FOUND THEN
        stored := false;
        SELECT fingerprint, receipt INTO earlier_fingerprint, earlier_receipt FROM acts WHERE client = p_client AND
        key = p_key; RETURN;
    END IF;
    IF p_expected > 0 AND NOT EXISTS (SELECT FROM events WHERE stream = p_stream AND version = p_expected) THEN
        RAISE unique_violation USING CONSTRAINT = 'events_stream_version', MESSAGE = 'the stream has not reached the
        expected version';
    END IF;
    WITH appended AS (
        INSERT INTO events (stream, version, event)
        SELECT p_stream, p_expected + n, event
        FROM unnest(p_events) WITH ORDINALITY AS given (event, n) ORDER BY n
        RETURNING pos
    )
    INSERT INTO pending (pos, headers) SELECT pos, p_headers FROM appended;
    stored := true;
END
$$;
"""

CONSUMING = """
CREATE TABLE positions (
    consumer text NOT NULL,
    source text NOT NULL,
    index bigint NOT NULL,
    hash bytea NOT NULL,
    PRIMARY KEY (consumer, source)
);
COMMENT ON TABLE positions IS 'The last record a consumer took of a source, moved in the transaction of its effect.';

CREATE TABLE dead_letters (
    consumer text NOT NULL,
    source text NOT NULL,
    index bigint NOT NULL,
    stream text NOT NULL,
    record bytea NOT NULL,
    headers jsonb NOT NULL,
    reason text NOT NULL,
    parked_at timestamptz NOT NULL,
    PRIMARY KEY (consumer, source, index)
);
COMMENT ON TABLE dead_letters IS 'Records a consumer could not take, and those of their streams behind them.';
"""

STORE_GRANTS = """
GRANT SELECT, INSERT ON events TO {app};
GRANT INSERT ON pending TO {app};
GRANT SELECT, INSERT ON acts TO {app};
GRANT SELECT ON records TO {app};
GRANT EXECUTE ON FUNCTION append_events TO {app};
GRANT SELECT ON events TO {sequencer};
GRANT SELECT, DELETE ON pending TO {sequencer};
GRANT SELECT, INSERT ON records TO {sequencer};
"""

CONSUMING_GRANTS = """
GRANT SELECT, INSERT, UPDATE ON positions TO {app};
GRANT SELECT, INSERT, DELETE ON dead_letters TO {app};
"""


class Operations(Protocol):
    """What is used of ``alembic.op``."""

    def execute(self, sqltext: str) -> None: ...


def upgrade(op: Operations, *, database: str, store: bool = True, consuming: bool = True) -> None:
    """Creates the tables of a store, of consumers, or of both, and grants their use to the database's run-time
    roles."""
    roles = {"app": f'"{database}_app"', "sequencer": f'"{database}_sequencer"'}
    if store:
        op.execute(STORE)
        op.execute("REVOKE ALL ON FUNCTION append_events FROM PUBLIC")
        op.execute(STORE_GRANTS.format(**roles))
    if consuming:
        op.execute(CONSUMING)
        op.execute(CONSUMING_GRANTS.format(**roles))
