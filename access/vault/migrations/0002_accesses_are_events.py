"""The vault becomes a source: accesses are events, written by the database itself, and no key comes before its record
is committed.

A caller could roll its transaction back once it has read a function's answer. So a release is a procedure of two
transactions in one call: it records and commits, then reads the keys; inside a caller's own transaction it fails. The
second step believes only a record of another transaction, by the same database role, of the last minute.
"""

from alembic import op
from sqlalchemy import text

from eventlog import schema

revision = "0002"
down_revision = "0001"

# What PostgreSQL needs to know of protobuf's wire format. Fields above 15 and signed numbers do not occur.
WIRE = r"""
CREATE FUNCTION pb_varint(n bigint) RETURNS bytea LANGUAGE plpgsql IMMUTABLE STRICT AS $body$
DECLARE
    written bytea := '';
    rest bigint := n;
BEGIN
    WHILE rest > 127 LOOP
        written := written || set_byte('\x00'::bytea, 0, ((rest & 127) | 128)::integer);
        rest := rest >> 7;
    END LOOP;
    RETURN written || set_byte('\x00'::bytea, 0, rest::integer);
END $body$;

CREATE FUNCTION pb_number(field integer, n bigint) RETURNS bytea LANGUAGE sql IMMUTABLE
RETURN CASE WHEN n = 0 THEN ''::bytea ELSE public.pb_varint(field << 3) || public.pb_varint(n) END;

CREATE FUNCTION pb_bytes(field integer, given bytea) RETURNS bytea LANGUAGE sql IMMUTABLE
RETURN CASE WHEN length(given) = 0 THEN ''::bytea
    ELSE public.pb_varint((field << 3) | 2) || public.pb_varint(length(given)) || given END;

CREATE FUNCTION pb_text(field integer, given text) RETURNS bytea LANGUAGE sql STABLE
RETURN public.pb_bytes(field, convert_to(given, 'UTF8'));

CREATE FUNCTION pb_texts(field integer, given text[]) RETURNS bytea LANGUAGE sql STABLE
RETURN coalesce(
    (SELECT string_agg(public.pb_text(field, one), ''::bytea ORDER BY n)
     FROM unnest(given) WITH ORDINALITY AS each (one, n)),
    ''::bytea
);

CREATE FUNCTION pb_instant(field integer, at timestamptz) RETURNS bytea LANGUAGE sql STABLE
RETURN public.pb_bytes(field,
    public.pb_number(1, floor(extract(epoch FROM at))::bigint)
    || public.pb_number(2, extract(microseconds FROM at)::bigint % 1000000 * 1000));
"""

TABLES = """
CREATE UNLOGGED TABLE releases (
    release_id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    key_ids uuid[] NOT NULL,
    caller name NOT NULL DEFAULT session_user,
    written_by xid8 NOT NULL DEFAULT pg_current_xact_id(),
    at timestamptz NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON TABLE releases IS 'What was recorded and may be handed out now. Of no use after a minute.';

CREATE TABLE refusals (
    actor text NOT NULL,
    minute timestamptz NOT NULL,
    role text NOT NULL,
    unit text NOT NULL,
    purpose text NOT NULL,
    rule text NOT NULL,
    service text NOT NULL,
    about text[] NOT NULL,
    cases text[] NOT NULL,
    untold integer NOT NULL,
    PRIMARY KEY (actor, minute)
);
COMMENT ON TABLE refusals IS 'Refusals that follow the first of an actor and minute, until an event tells of them.';
"""

# `append_access` gives what it appends the next version of its stream; who comes second waits for who was first. The
# sequencer's own lock is of the other kind, with one number.
APPENDING = r"""
CREATE FUNCTION append_access(
    p_type text, p_payload bytea, p_stream text, p_correlation text,
    p_actor text, p_role text, p_unit text, p_headers jsonb, p_at timestamptz
) RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $body$
DECLARE
    next bigint;
    written bigint;
BEGIN
    PERFORM pg_advisory_xact_lock(1635017060, hashtext(p_stream));
    SELECT coalesce(max(version), 0) + 1 INTO next FROM public.events WHERE stream = p_stream;
    INSERT INTO public.events (stream, version, event) VALUES (
        p_stream, next,
        public.pb_bytes(1, uuid_send(uuidv7()))
        || public.pb_text(2, p_stream)
        || public.pb_number(3, next)
        || public.pb_text(4, 'amparo.vault.v1.' || p_type)
        || public.pb_instant(5, p_at)
        || public.pb_instant(6, p_at)
        || public.pb_bytes(7, public.pb_text(1, p_actor) || public.pb_text(2, p_role) || public.pb_text(3, p_unit))
        || public.pb_text(8, p_correlation)
        || public.pb_bytes(10, p_payload)
    ) RETURNING pos INTO written;
    INSERT INTO public.pending (pos, headers) VALUES (written, p_headers);
END $body$;

CREATE FUNCTION check_asking(p_actor text, p_role text, p_unit text, p_purpose text, p_about text, p_case text,
    p_classes text[], p_rule text) RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $body$
BEGIN
    IF NOT coalesce(
        length(p_actor) BETWEEN 1 AND 200 AND length(p_role) BETWEEN 1 AND 64 AND length(p_unit) <= 200
        AND p_purpose ~ '^[a-z][a-z_]*([.][a-z_]+)*$' AND length(p_purpose) <= 64
        AND p_about ~ '^[A-Za-z0-9/._:-]{0,160}$' AND p_case ~ '^[A-Za-z0-9-]{0,64}$'
        AND p_rule ~ '^[A-Za-z0-9/._:@,-]{1,200}$'
        AND array_position(p_classes, NULL) IS NULL
        AND array_to_string(p_classes, ',') ~ '^([a-z_]{1,32}(,[a-z_]{1,32}){0,31})?$', false)
    THEN
        RAISE check_violation USING MESSAGE = 'who asks, what for, by what rule and for which classes must be said';
    END IF;
END $body$;

CREATE FUNCTION record_access(
    p_wanted uuid[], p_actor text, p_role text, p_unit text, p_purpose text, p_about text, p_case text,
    p_classes text[], p_rule text, p_headers jsonb, p_at timestamptz DEFAULT clock_timestamp(),
    p_caller text DEFAULT session_user
) RETURNS uuid LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $body$
DECLARE
    known text[];
    there bigint;
    service text := replace(p_caller, current_database() || '_', '');
    written uuid;
BEGIN
    PERFORM public.check_asking(p_actor, p_role, p_unit, p_purpose, p_about, p_case, p_classes, p_rule);
    IF NOT coalesce(cardinality(p_wanted) BETWEEN 1 AND 1000, false) THEN
        RAISE check_violation USING MESSAGE = 'between 1 and 1000 keys at once';
    END IF;
    SELECT coalesce(array_agg(k.key_id::text ORDER BY w.n), '{}'), count(k.wrapped) INTO known, there
    FROM unnest(p_wanted) WITH ORDINALITY AS w (key_id, n) JOIN public.subject_keys k USING (key_id);
    IF p_purpose = 'seal' THEN
        PERFORM public.append_access('PersonalDataSealed',
            public.pb_texts(1, known) || public.pb_text(2, p_about) || public.pb_number(3, cardinality(p_wanted))
            || public.pb_number(4, there) || public.pb_text(5, service),
            'access/' || coalesce(nullif(p_case, ''), p_wanted[1]::text), p_case,
            p_actor, p_role, p_unit, p_headers, p_at);
    ELSE
        PERFORM public.append_access('PersonalDataRead',
            public.pb_texts(1, known) || public.pb_texts(2, p_classes) || public.pb_text(3, p_purpose)
            || public.pb_text(4, p_about) || public.pb_text(5, p_rule)
            || public.pb_number(6, cardinality(p_wanted)) || public.pb_number(7, there) || public.pb_text(8, service),
            'access/' || coalesce(nullif(p_case, ''), p_wanted[1]::text), p_case,
            p_actor, p_role, p_unit, p_headers, p_at);
    END IF;
    PERFORM set_config('synchronous_commit', 'on', true);
    INSERT INTO public.releases (key_ids) VALUES (p_wanted) RETURNING release_id INTO written;
    RETURN written;
END $body$;
"""

RELEASING = """
CREATE FUNCTION open_release(p_wanted uuid[], p_actor text, p_role text, p_unit text, p_purpose text, p_about text,
    p_case text, p_classes text[], p_rule text, p_headers jsonb) RETURNS uuid
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $body$
    SELECT public.record_access(p_wanted, p_actor, p_role, p_unit, p_purpose, p_about, p_case, p_classes, p_rule,
        p_headers);
$body$;

CREATE FUNCTION released_keys(p_release uuid, OUT key_id uuid, OUT master text, OUT wrapped bytea) RETURNS SETOF record
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $body$
DECLARE
    found public.releases;
BEGIN
    SELECT * INTO found FROM public.releases r WHERE r.release_id = p_release;
    -- A row that is seen and is not of this transaction is committed.
    IF found.release_id IS NULL OR found.caller <> session_user OR found.at < clock_timestamp() - interval '1 minute'
        OR found.written_by IS NOT DISTINCT FROM pg_current_xact_id_if_assigned()
    THEN
        RAISE insufficient_privilege USING MESSAGE = 'nothing committed records this release';
    END IF;
    RETURN QUERY SELECT k.key_id, k.master, k.wrapped FROM public.subject_keys k WHERE k.key_id = ANY (found.key_ids);
END $body$;

CREATE PROCEDURE release_keys(
    p_wanted uuid[], p_actor text, p_role text, p_unit text, p_purpose text, p_about text, p_case text,
    p_classes text[], p_rule text, p_headers jsonb, OUT key_ids uuid[], OUT masters text[], OUT wrapped bytea[]
) LANGUAGE plpgsql AS $body$
DECLARE
    written uuid;
BEGIN
    written := public.open_release(p_wanted, p_actor, p_role, p_unit, p_purpose, p_about, p_case, p_classes, p_rule,
        p_headers);
    COMMIT;
    SELECT array_agg(k.key_id), array_agg(k.master), array_agg(k.wrapped) INTO key_ids, masters, wrapped
    FROM public.released_keys(written) k;
END $body$;

CREATE FUNCTION forget_releases() RETURNS void LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $body$ DELETE FROM public.releases WHERE at < clock_timestamp() - interval '5 minutes'; $body$;
"""

REFUSING = """
CREATE FUNCTION record_refusal(p_actor text, p_role text, p_unit text, p_purpose text, p_about text, p_case text,
    p_rule text, p_headers jsonb) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $body$
DECLARE
    now_at timestamptz := clock_timestamp();
    service text := replace(session_user, current_database() || '_', '');
    objects text[] := CASE WHEN p_about = '' THEN '{}' ELSE ARRAY[p_about] END;
    of_cases text[] := CASE WHEN p_case = '' THEN '{}' ELSE ARRAY[p_case] END;
    is_first boolean;
BEGIN
    PERFORM public.check_asking(p_actor, p_role, p_unit, p_purpose, p_about, p_case, '{}', p_rule);
    INSERT INTO public.refusals AS r
    VALUES (p_actor, date_trunc('minute', now_at), p_role, p_unit, p_purpose, p_rule, service, '{}', '{}', 0)
    ON CONFLICT (actor, minute) DO UPDATE SET
        untold = r.untold + 1,
        about = r.about || CASE WHEN cardinality(r.about) < 64 AND NOT objects <@ r.about THEN objects ELSE '{}' END,
        cases = r.cases || CASE WHEN cardinality(r.cases) < 64 AND NOT of_cases <@ r.cases THEN of_cases ELSE '{}' END
    RETURNING r.untold = 0 INTO is_first;
    IF is_first THEN
        PERFORM public.append_access('PersonalDataRefused',
            public.pb_text(1, p_purpose) || public.pb_text(2, p_rule) || public.pb_texts(3, objects)
            || public.pb_texts(4, of_cases) || public.pb_number(5, 1) || public.pb_text(6, service),
            'refusal/' || p_actor, p_case, p_actor, p_role, p_unit, p_headers, now_at);
    END IF;
END $body$;

CREATE FUNCTION tell_refusals() RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $body$
DECLARE
    each public.refusals;
    told integer := 0;
BEGIN
    FOR each IN SELECT * FROM public.refusals WHERE minute < date_trunc('minute', clock_timestamp())
        ORDER BY minute, actor LIMIT 500 FOR UPDATE SKIP LOCKED
    LOOP
        DELETE FROM public.refusals WHERE actor = each.actor AND minute = each.minute;
        IF each.untold > 0 THEN
            PERFORM public.append_access('PersonalDataRefused',
                public.pb_text(1, each.purpose) || public.pb_text(2, each.rule) || public.pb_texts(3, each.about)
                || public.pb_texts(4, each.cases) || public.pb_number(5, each.untold)
                || public.pb_text(6, each.service),
                'refusal/' || each.actor, '', each.actor, each.role, each.unit, '{}', clock_timestamp());
            told := told + 1;
        END IF;
    END LOOP;
    RETURN told;
END $body$;
"""

# What was recorded before is told as events, at the instant at which it happened, and its table goes.
TAKING_OVER = """
SELECT count(record_access(key_ids, actor, role, unit,
    regexp_replace(split_part(purpose, ' ', 1), '[^a-z_.]', '', 'g'),
    regexp_replace(split_part(purpose, ' ', 2), '[^A-Za-z0-9/._:-]', '', 'g'),
    '', '{}', 'not-recorded', '{}', at, caller))
FROM (SELECT * FROM accesses WHERE cardinality(key_ids) > 0 ORDER BY access_id) AS earlier;
DELETE FROM releases;
DROP TABLE accesses;
DROP FUNCTION release_keys (uuid[], text, text, text, text);
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA public FROM PUBLIC;
REVOKE ALL ON ALL PROCEDURES IN SCHEMA public FROM PUBLIC;
"""

GRANTS = """
DO $body$
DECLARE service text;
BEGIN
    FOREACH service IN ARRAY ARRAY['intake', 'protection', 'referral'] LOOP
        IF EXISTS (SELECT FROM pg_roles WHERE rolname = current_database() || '_' || service) THEN
            EXECUTE format(
                'GRANT EXECUTE ON PROCEDURE release_keys TO %1$I;'
                'GRANT EXECUTE ON FUNCTION open_release, released_keys, record_refusal TO %1$I',
                current_database() || '_' || service
            );
        END IF;
    END LOOP;
    EXECUTE format('GRANT EXECUTE ON FUNCTION tell_refusals, forget_releases TO %I', current_database() || '_app');
END $body$;
"""


def upgrade() -> None:
    """Apply."""
    schema.upgrade(op, database=str(op.get_bind().engine.url.database))
    for statement in (WIRE, TABLES, APPENDING, RELEASING, REFUSING, TAKING_OVER):
        op.execute(text(statement.replace(":", r"\:")))
    op.execute(text(GRANTS.replace(":", r"\:")))
