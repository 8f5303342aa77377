"""What the run-time roles may do to an event store: whoever breaks into a service cannot rewrite what happened."""

import psycopg
import pytest

from local import postgres
from tests.eventlog.conftest import Log

TABLES = ("events", "pending", "records", "acts", "positions", "dead_letters")
APP = {
    "events": {"SELECT", "INSERT"},
    "pending": {"INSERT"},
    "records": {"SELECT"},
    "acts": {"SELECT", "INSERT"},
    "positions": {"SELECT", "INSERT", "UPDATE"},
    "dead_letters": {"SELECT", "INSERT", "DELETE"},
}
SEQUENCER = {"events": {"SELECT"}, "pending": {"SELECT", "DELETE"}, "records": {"SELECT", "INSERT"}}
CHANGES = {
    "events": "UPDATE events SET event = ''",
    "records": "UPDATE records SET record = ''",
    "acts": "UPDATE acts SET receipt = ''",
}


@pytest.mark.parametrize("role", ["app", "sequencer"])
async def test_nobody_who_runs_can_change_or_remove_what_happened(store: Log, role: str) -> None:
    """The statements are really tried, on a store that holds something."""
    await store.append()
    with postgres.connect(store.databases.url("intake", role)) as connection:
        for table, change in CHANGES.items():
            for statement in (change, f"DELETE FROM {table}", f"TRUNCATE {table} CASCADE", f"DROP TABLE {table}"):
                with pytest.raises(psycopg.errors.InsufficientPrivilege):
                    connection.execute(statement.encode())
    assert len(await store.rows("SELECT event FROM events")) == 1


@pytest.mark.parametrize(("role", "granted"), [("app", APP), ("sequencer", SEQUENCER)])
async def test_a_role_has_what_its_work_needs_and_nothing_else(
    store: Log, role: str, granted: dict[str, set[str]]
) -> None:
    """A grant that was added is a decision, and shows here."""
    found: dict[str, set[str]] = {}
    with postgres.connect(store.databases.url("intake", role)) as connection:
        for table in TABLES:
            for verb in ("SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE", "REFERENCES", "TRIGGER"):
                asked = connection.execute("SELECT has_table_privilege(%s, %s)", [table, verb]).fetchone()
                if asked == (True,):
                    found.setdefault(table, set()).add(verb)
    assert found == granted


async def test_the_application_cannot_number(store: Log) -> None:
    """The order is given by the sequencer's role alone."""
    with (
        postgres.connect(store.databases.url("intake")) as connection,
        pytest.raises(psycopg.errors.InsufficientPrivilege),
    ):
        connection.execute("INSERT INTO records VALUES (0, 1, '', '{}')")


async def test_the_sequencer_cannot_append(store: Log) -> None:
    """Neither by hand nor by the function."""
    with postgres.connect(store.databases.url("intake", "sequencer")) as connection:
        for statement in (
            "INSERT INTO events (stream, version, event) VALUES ('request/1', 1, 'x')",
            "SELECT * FROM append_events('request/1', 0, '{}', '{}', 'c', 'k', '', '', now())",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(statement.encode())


async def test_no_role_can_disable_a_rule_of_the_tables(store: Log) -> None:
    """They own nothing, so they can alter nothing."""
    for role in ("app", "sequencer"):
        with postgres.connect(store.databases.url("intake", role)) as connection:
            for statement in (
                "ALTER TABLE events DROP CONSTRAINT events_stream_version",
                "CREATE OR REPLACE FUNCTION append_events() RETURNS void LANGUAGE sql AS ''",
                "SET session_replication_role = replica",
            ):
                with pytest.raises(psycopg.errors.InsufficientPrivilege):
                    connection.execute(statement.encode())
