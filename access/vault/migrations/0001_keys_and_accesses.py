"""Subjects' wrapped keys, the record of who asked for them, and the one function that gives them out.

A service may add keys and call the function. It can neither read the keys nor the record, nor change either.
"""

from alembic import op
from sqlalchemy import text

revision = "0001"
down_revision = None

TABLES = """
CREATE TABLE subject_keys (
    key_id uuid PRIMARY KEY,
    master text NOT NULL,
    wrapped bytea,
    made_by name NOT NULL DEFAULT session_user,
    made_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    destroyed_at timestamptz,
    CONSTRAINT destroyed_or_there CHECK ((wrapped IS NULL) = (destroyed_at IS NOT NULL))
);
CREATE TABLE accesses (
    access_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    -- The vault believes no caller: time and database role are its own, the rest is what the caller says.
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    caller name NOT NULL DEFAULT session_user,
    actor text NOT NULL CHECK (actor <> ''),
    role text NOT NULL,
    unit text NOT NULL,
    purpose text NOT NULL CHECK (length(purpose) BETWEEN 1 AND 200),
    key_ids uuid[] NOT NULL,
    released integer NOT NULL
);
"""

# The insert comes first and in the same statement as the answer: no record, no key.
RELEASE = """
CREATE FUNCTION release_keys(wanted uuid[], actor text, role text, unit text, purpose text)
RETURNS TABLE (key_id uuid, master text, wrapped bytea)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $body$
BEGIN
    INSERT INTO public.accesses (actor, role, unit, purpose, key_ids, released)
    SELECT release_keys.actor, release_keys.role, release_keys.unit, release_keys.purpose, wanted, count(k.wrapped)
    FROM public.subject_keys k WHERE k.key_id = ANY (wanted);
    RETURN QUERY SELECT k.key_id, k.master, k.wrapped FROM public.subject_keys k WHERE k.key_id = ANY (wanted);
END $body$;
REVOKE ALL ON FUNCTION release_keys FROM PUBLIC;
"""

# Roles are named after the database, such as pe_vault_intake; a deployment makes those of the services it runs.
GRANTS = """
DO $body$
DECLARE service text;
BEGIN
    FOREACH service IN ARRAY ARRAY['intake', 'protection', 'referral'] LOOP
        IF EXISTS (SELECT FROM pg_roles WHERE rolname = current_database() || '_' || service) THEN
            EXECUTE format(
                'GRANT INSERT (key_id, master, wrapped) ON subject_keys TO %1$I;'
                'GRANT EXECUTE ON FUNCTION release_keys TO %1$I',
                current_database() || '_' || service
            );
        END IF;
    END LOOP;
END $body$;
"""


def upgrade() -> None:
    """Apply."""
    for statement in (TABLES, RELEASE, GRANTS):
        op.execute(text(statement.replace(":", r"\:")))
