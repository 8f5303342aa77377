"""Versions of the key-encryption key: which ones subjects' keys may be wrapped under, and the change to the next.

A version is closed before the keys under it are wrapped anew, and what is closed takes no key any more: so none can
come in behind the change. Only the database's owner may do any of it, and each step is an event.
"""

from alembic import op
from sqlalchemy import text

revision = "0003"
down_revision = "0002"

TABLES = """
CREATE TABLE key_versions (
    master text PRIMARY KEY CHECK (master ~ '^[A-Za-z0-9._:-]{1,64}$'),
    begun_at timestamptz,
    rewrapped bigint NOT NULL DEFAULT 0,
    finished_at timestamptz,
    closed_at timestamptz,
    retired_at timestamptz
);
COMMENT ON TABLE key_versions IS
    'Versions of the key-encryption key since the first change. begun, rewrapped, finished: of the change to it.';

CREATE FUNCTION refuse_closed_versions() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $body$
BEGIN
    IF EXISTS (SELECT FROM fresh f JOIN public.key_versions v USING (master) WHERE v.closed_at IS NOT NULL) THEN
        RAISE EXCEPTION USING ERRCODE = 'KV001', MESSAGE = 'this version takes no key any more';
    END IF;
    RETURN NULL;
END $body$;

CREATE TRIGGER no_key_under_a_closed_version AFTER INSERT ON subject_keys
    REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION refuse_closed_versions();
"""

# Whoever is inserting keys ends before a version is closed: otherwise they would be missed, and lost with it.
CHANGING = """
CREATE FUNCTION begin_rotation(p_master text, p_actor text, p_role text, p_unit text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $body$
DECLARE
    earlier text[];
    keys bigint;
BEGIN
    PERFORM public.check_asking(p_actor, p_role, p_unit, 'keys.rotate', '', '', '{}', 'keeper');
    PERFORM set_config('lock_timeout', '10s', true);
    LOCK TABLE public.subject_keys IN SHARE MODE;
    IF EXISTS (SELECT FROM public.key_versions WHERE master = p_master AND closed_at IS NOT NULL) THEN
        RAISE check_violation USING MESSAGE = 'a closed version becomes current never again';
    END IF;
    IF EXISTS (SELECT FROM public.key_versions WHERE master = p_master) THEN
        RETURN;
    END IF;
    INSERT INTO public.key_versions (master, begun_at) VALUES (p_master, clock_timestamp());
    INSERT INTO public.key_versions AS v (master, closed_at)
    SELECT DISTINCT master, clock_timestamp() FROM public.subject_keys WHERE master <> p_master
    ON CONFLICT (master) DO NOTHING;
    UPDATE public.key_versions SET closed_at = clock_timestamp() WHERE master <> p_master AND closed_at IS NULL;
    SELECT coalesce(array_agg(v.master ORDER BY v.master), '{}') INTO earlier
    FROM public.key_versions v WHERE v.master <> p_master AND v.retired_at IS NULL;
    SELECT count(*) INTO keys FROM public.subject_keys k WHERE k.master <> p_master AND k.wrapped IS NOT NULL;
    PERFORM public.append_access('KeyRotationBegun',
        public.pb_text(1, p_master) || public.pb_texts(2, earlier) || public.pb_number(3, keys),
        'keys/' || p_master, '', p_actor, p_role, p_unit, '{}', clock_timestamp());
END $body$;

-- A key that was destroyed, or wrapped anew, since it was read is left as it is.
CREATE FUNCTION rewrap_keys(p_master text, p_keys uuid[], p_before bytea[], p_after bytea[]) RETURNS bigint
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $body$
DECLARE
    done bigint;
BEGIN
    UPDATE public.subject_keys k SET master = p_master, wrapped = w.after
    FROM unnest(p_keys, p_before, p_after) AS w (key_id, before, after)
    WHERE k.key_id = w.key_id AND k.wrapped = w.before;
    GET DIAGNOSTICS done = ROW_COUNT;
    UPDATE public.key_versions SET rewrapped = rewrapped + done
    WHERE master = p_master AND closed_at IS NULL AND finished_at IS NULL;
    IF NOT FOUND THEN
        RAISE check_violation USING MESSAGE = 'no change to this version is under way';
    END IF;
    RETURN done;
END $body$;

CREATE FUNCTION finish_rotation(p_master text, p_actor text, p_role text, p_unit text) RETURNS bigint
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $body$
DECLARE
    found public.key_versions;
    earlier text[];
    destroyed bigint;
BEGIN
    PERFORM public.check_asking(p_actor, p_role, p_unit, 'keys.rotate', '', '', '{}', 'keeper');
    IF EXISTS (SELECT FROM public.subject_keys WHERE master <> p_master AND wrapped IS NOT NULL) THEN
        RAISE check_violation USING MESSAGE = 'keys are left under earlier versions';
    END IF;
    UPDATE public.key_versions SET finished_at = clock_timestamp()
    WHERE master = p_master AND closed_at IS NULL AND finished_at IS NULL RETURNING * INTO found;
    IF found.master IS NULL THEN
        RAISE check_violation USING MESSAGE = 'no change to this version is under way';
    END IF;
    SELECT coalesce(array_agg(master ORDER BY master), '{}') INTO earlier
    FROM public.key_versions WHERE master <> p_master AND retired_at IS NULL;
    SELECT count(*) INTO destroyed FROM public.subject_keys WHERE wrapped IS NULL;
    PERFORM public.append_access('KeysRewrapped',
        public.pb_text(1, p_master) || public.pb_texts(2, earlier) || public.pb_number(3, found.rewrapped)
        || public.pb_number(4, destroyed),
        'keys/' || p_master, '', p_actor, p_role, p_unit, '{}', clock_timestamp());
    RETURN found.rewrapped;
END $body$;

-- Answers with every version that is not to open anything any more, so that a keeper who was interrupted can end it.
CREATE FUNCTION retire_versions(p_actor text, p_role text, p_unit text) RETURNS text[]
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $body$
DECLARE
    newest public.key_versions;
    gone text[];
    every text[];
BEGIN
    PERFORM public.check_asking(p_actor, p_role, p_unit, 'keys.retire', '', '', '{}', 'keeper');
    SELECT * INTO newest FROM public.key_versions WHERE closed_at IS NULL FOR UPDATE;
    IF newest.finished_at IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'KV002', MESSAGE = 'no change of the key-encryption key has ended';
    END IF;
    -- A key that was released under the earlier version is opened within a minute, or not at all.
    IF newest.finished_at > clock_timestamp() - interval '1 minute' THEN
        RAISE EXCEPTION USING ERRCODE = 'KV002', MESSAGE = 'the change has ended less than a minute ago';
    END IF;
    IF EXISTS (SELECT FROM public.subject_keys WHERE master <> newest.master AND wrapped IS NOT NULL) THEN
        RAISE EXCEPTION USING ERRCODE = 'KV002', MESSAGE = 'keys are left under earlier versions';
    END IF;
    WITH now_retired AS (
        UPDATE public.key_versions SET retired_at = clock_timestamp()
        WHERE closed_at IS NOT NULL AND retired_at IS NULL RETURNING master
    ) SELECT coalesce(array_agg(master ORDER BY master), '{}') INTO gone FROM now_retired;
    IF cardinality(gone) > 0 THEN
        PERFORM public.append_access('KeyVersionsRetired', public.pb_texts(1, gone),
            'keys/' || newest.master, '', p_actor, p_role, p_unit, '{}', clock_timestamp());
    END IF;
    SELECT coalesce(array_agg(master ORDER BY master), '{}') INTO every
    FROM public.key_versions WHERE retired_at IS NOT NULL;
    RETURN every;
END $body$;

REVOKE ALL ON FUNCTION refuse_closed_versions, begin_rotation, rewrap_keys, finish_rotation, retire_versions
    FROM PUBLIC;
"""


def upgrade() -> None:
    """Apply."""
    for statement in (TABLES, CHANGING):
        op.execute(text(statement.replace(":", r"\:")))
