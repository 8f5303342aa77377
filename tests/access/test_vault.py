"""The vault on a real PostgreSQL, as its services' roles."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, ProgrammingError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from access import keys, vault
from access.keyring import CannotUnwrap, FileKeyring
from access.vault import BATCH, REFILL_BELOW, UnknownKey, Vault
from amparo.record.v1 import record_pb2
from amparo.vault.v1 import events_pb2
from eventlog.decider import Refused
from eventlog.store import Actor
from tests.access.clocks import SetClock
from tests.accesses import accesses
from tests.eventually import eventually
from tests.stack import Databases

OFFICER = Actor(id="police-one", role="police_unit", unit="pnp-one")
READING: dict[str, Any] = {
    "purpose": "referral.disclosure",
    "rule": "consent:1",
    "classes": ("place", "identity"),
    "about": "referral/r1",
    "case_id": "c-1",
}
UNKNOWN = "5c1d1f8e-6a35-4bd7-9c0b-51f1c5a1a001"


@pytest.fixture(scope="module")
def vault_databases(postgres: str) -> Iterator[Databases]:
    """A migrated vault for the tests of this module."""
    fresh = Databases(postgres)
    fresh.url("vault", "intake")
    fresh.migrate("vault")
    yield fresh
    fresh.drop()


@pytest.fixture
async def owner(vault_databases: Databases) -> AsyncIterator[AsyncEngine]:
    """The vault's owner, on empty tables."""
    engine = create_async_engine(vault_databases.url("vault", "owner"))
    async with engine.begin() as connection:
        await connection.execute(text("TRUNCATE subject_keys, events, pending, records, releases, refusals"))
    yield engine
    await engine.dispose()


@pytest.fixture
async def intake(vault_databases: Databases) -> AsyncIterator[AsyncEngine]:
    """The vault as intake reaches it."""
    engine = create_async_engine(vault_databases.url("vault", "intake"))
    yield engine
    await engine.dispose()


@pytest.fixture
async def referral(vault_databases: Databases) -> AsyncIterator[AsyncEngine]:
    """The vault as referral reaches it."""
    engine = create_async_engine(vault_databases.url("vault", "referral"))
    yield engine
    await engine.dispose()


@pytest.fixture(scope="module")
def keyring(tmp_path_factory: pytest.TempPathFactory) -> FileKeyring:
    """One keyring for all doors."""
    folder: Path = tmp_path_factory.mktemp("keys")
    keys.init(folder, mechanism="pe")
    return FileKeyring.open(folder / "keyring", environment="embedded")


@pytest.fixture
def clock() -> SetClock:
    """Set by the test."""
    return SetClock()


@pytest.fixture
async def filing(
    owner: AsyncEngine, intake: AsyncEngine, keyring: FileKeyring, clock: SetClock
) -> AsyncIterator[Vault]:
    """Intake's door."""
    door = Vault(intake, keyring, clock=clock)
    yield door
    await door.close()


@pytest.fixture
async def disclosing(
    owner: AsyncEngine, referral: AsyncEngine, keyring: FileKeyring, clock: SetClock
) -> AsyncIterator[Vault]:
    """Referral's door."""
    door = Vault(referral, keyring, clock=clock)
    yield door
    await door.close()


async def count(owner: AsyncEngine, table: str) -> int:
    """Rows of a table."""
    async with owner.connect() as connection:
        return int((await connection.execute(text(f"SELECT count(*) FROM {table}"))).scalar_one())


async def destroy(owner: AsyncEngine, key_id: str) -> None:
    """What a shredding leaves behind."""
    async with owner.begin() as connection:
        await connection.execute(
            text("UPDATE subject_keys SET wrapped = NULL, destroyed_at = now() WHERE key_id = CAST(:id AS uuid)"),
            {"id": key_id},
        )


async def test_a_key_that_was_taken_can_be_released_to_read(filing: Vault, disclosing: Vault) -> None:
    """What intake seals, referral can disclose."""
    key = await filing.take()
    assert await disclosing.release([key.id, key.id], actor=OFFICER, **READING) == {key.id: key.secret}


async def test_a_release_is_recorded_with_who_what_class_for_what_and_by_which_rule(
    filing: Vault, disclosing: Vault, owner: AsyncEngine
) -> None:
    """The defender can be told who looked. Time, keys, their number and the calling service are the vault's own
    knowledge."""
    first, second = await filing.take(), await filing.take()
    before = datetime.now(UTC)
    await disclosing.release([first.id, second.id], actor=OFFICER, **READING)
    (access,) = await accesses(owner)
    assert access.kind == "PersonalDataRead"
    assert access.event.actor == record_pb2.Actor(id="police-one", role="police_unit", unit="pnp-one")
    assert access.payload == events_pb2.PersonalDataRead(
        subjects=[first.id, second.id],
        classes=["identity", "place"],
        purpose="referral.disclosure",
        about="referral/r1",
        rule="consent:1",
        asked=2,
        released=2,
        service="referral",
    )
    assert (access.event.stream, access.event.version, access.event.correlation) == ("access/c-1", 1, "c-1")
    assert access.event.occurred_at == access.event.recorded_at
    assert before <= access.event.recorded_at.ToDatetime(tzinfo=UTC) <= datetime.now(UTC)


@pytest.mark.parametrize("keys_read", [1, 127, 128, 1000])
async def test_what_the_database_writes_is_what_protobuf_would_write(
    disclosing: Vault, owner: AsyncEngine, keys_read: int
) -> None:
    """Canonical bytes: other readers parse, hash and prove them as those of any other source."""
    made = [str(uuid.UUID(int=n)) for n in range(keys_read)]
    async with owner.begin() as connection:
        await connection.execute(
            text("INSERT INTO subject_keys (key_id, master, wrapped) SELECT unnest(CAST(:ids AS uuid[])), 'm', 'w'"),
            {"ids": made},
        )
    actor = Actor(id="Ñandú-" + "x" * 130, role="coordinator")
    with pytest.raises(CannotUnwrap):
        await disclosing.release(made, actor=actor, **{**READING, "about": "", "case_id": ""})
    (access,) = await accesses(owner)
    assert access.event.SerializeToString(deterministic=True) == access.stored
    assert access.payload.SerializeToString(deterministic=True) == access.event.payload
    assert list(access.payload.subjects) == made
    assert access.event.stream == f"access/{made[0]}"
    assert uuid.UUID(bytes=access.event.id).version == 7
    assert len(access.stored) < 60_000


async def test_accesses_to_one_case_are_one_stream_without_a_hole(
    filing: Vault, disclosing: Vault, owner: AsyncEngine
) -> None:
    """Those who read at the same time wait for each other's version, and nobody fails."""
    key = await filing.take()
    readers = (disclosing.release([key.id], actor=OFFICER, **READING) for _ in range(12))
    assert all(found == {key.id: key.secret} for found in await asyncio.gather(*readers))
    assert [access.event.version for access in await accesses(owner)] == list(range(1, 13))


async def test_without_a_record_no_key_comes(filing: Vault, disclosing: Vault, owner: AsyncEngine) -> None:
    """Recording fails closed: a vault whose record is broken gives nothing."""
    key = await filing.take()
    async with owner.begin() as connection:
        await connection.execute(text("ALTER TABLE pending ADD CONSTRAINT full_disk CHECK (false) NOT VALID"))
    try:
        with pytest.raises(DBAPIError):
            await disclosing.release([key.id], actor=OFFICER, **READING)
    finally:
        async with owner.begin() as connection:
            await connection.execute(text("ALTER TABLE pending DROP CONSTRAINT full_disk"))
    assert await count(owner, "events") == 0


CALL = (
    "CALL release_keys(ARRAY[CAST(:key AS uuid)], 'a', 'coordinator', '', 'read', '', '', '{}', 'r', '{}',"
    " NULL, NULL, NULL)"
)
OPEN = "SELECT open_release(ARRAY[CAST(:key AS uuid)], 'a', 'coordinator', '', 'read', '', '', '{}', 'r', '{}')"


async def test_who_would_roll_the_record_back_gets_no_key(
    filing: Vault, referral: AsyncEngine, owner: AsyncEngine
) -> None:
    """A service that is taken over may hold its transaction open and take its record back: it has read nothing
    then."""
    key = await filing.take()
    with pytest.raises(DBAPIError, match="invalid transaction termination"):
        async with referral.begin() as connection:
            await connection.execute(text(CALL), {"key": key.id})
    async with referral.connect() as connection:
        noted = (await connection.execute(text(OPEN), {"key": key.id})).scalar_one()
        with pytest.raises(DBAPIError, match="nothing committed records"):
            await connection.execute(text("SELECT * FROM released_keys(:noted)"), {"noted": noted})
        await connection.rollback()
        await connection.execute(text(OPEN), {"key": key.id})
        await connection.execute(text("SAVEPOINT one"))
        noted = (await connection.execute(text(OPEN), {"key": key.id})).scalar_one()
        await connection.execute(text("RELEASE SAVEPOINT one"))
        with pytest.raises(DBAPIError, match="nothing committed records"):
            await connection.execute(text("SELECT * FROM released_keys(:noted)"), {"noted": noted})
    assert await count(owner, "events") == 0


async def test_a_record_serves_the_service_that_made_it_for_a_minute(
    filing: Vault, referral: AsyncEngine, intake: AsyncEngine, owner: AsyncEngine
) -> None:
    """An old record opens nothing, and another service's neither."""
    key = await filing.take()
    async with referral.begin() as connection:
        noted = (await connection.execute(text(OPEN), {"key": key.id})).scalar_one()
    with pytest.raises(DBAPIError, match="nothing committed records"):
        async with intake.begin() as connection:
            await connection.execute(text("SELECT * FROM released_keys(:noted)"), {"noted": noted})
    async with owner.begin() as connection:
        await connection.execute(text("UPDATE releases SET at = at - interval '61 seconds'"))
    with pytest.raises(DBAPIError, match="nothing committed records"):
        async with referral.begin() as connection:
            await connection.execute(text("SELECT * FROM released_keys(:noted)"), {"noted": noted})


@pytest.mark.parametrize(
    "said",
    [
        {"purpose": ""},
        {"purpose": "x" * 201},
        {"purpose": "For Illari Invented"},
        {"rule": ""},
        {"rule": "because I say so"},
        {"about": "Illari Invented"},
        {"case_id": "c/1"},
        {"classes": ("place", "Illari Invented")},
    ],
)
async def test_a_release_says_what_for_in_closed_words(
    filing: Vault, disclosing: Vault, owner: AsyncEngine, said: dict[str, Any]
) -> None:
    """Nobody looks without saying what for, and no free text gets into the record."""
    key = await filing.take()
    with pytest.raises(DBAPIError):
        await disclosing.release([key.id], actor=OFFICER, **{**READING, **said})
    assert await count(owner, "events") == 0


async def refuse(door: Vault, times: int = 1, *, about: str = "request/c-1", case_id: str = "c-1") -> None:
    """Somebody asks in vain."""
    for _ in range(times):
        await door.refused(
            actor=OFFICER, purpose="intake.read", rule="absent-or-anothers", about=about, case_id=case_id
        )


async def a_minute_later(owner: AsyncEngine) -> int:
    """Lets the minute of all refusals pass and has them told."""
    async with owner.begin() as connection:
        await connection.execute(text("UPDATE refusals SET minute = minute - interval '1 minute'"))
        return int((await connection.execute(text("SELECT tell_refusals()"))).scalar_one())


async def test_refusals_are_recorded_and_counted_per_actor_and_minute(filing: Vault, owner: AsyncEngine) -> None:
    """The first is an event at once; who goes on trying is one event more for each minute, with how often."""
    await refuse(filing, times=3)
    await refuse(filing, about="request/c-2", case_id="c-2")
    (first,) = await accesses(owner)
    assert first.kind == "PersonalDataRefused"
    assert (first.payload.times, list(first.payload.cases), first.event.correlation) == (1, ["c-1"], "c-1")
    assert await a_minute_later(owner) == 1
    _, rest = await accesses(owner)
    assert (rest.payload.times, list(rest.payload.cases)) == (3, ["c-1", "c-2"])
    assert list(rest.payload.about) == ["request/c-1", "request/c-2"]
    assert (rest.event.stream, rest.event.version) == ("refusal/police-one", 2)
    assert rest.event.actor.unit == "pnp-one"
    assert rest.event.SerializeToString(deterministic=True) == rest.stored
    assert await a_minute_later(owner) == 0


async def test_one_refusal_is_one_event(filing: Vault, owner: AsyncEngine) -> None:
    """Nothing is told twice."""
    await refuse(filing)
    assert await a_minute_later(owner) == 0
    assert await count(owner, "refusals") == 0
    assert await count(owner, "events") == 1


async def test_who_tries_many_ids_fills_no_event(filing: Vault, owner: AsyncEngine) -> None:
    """Sixty-four are named; all are counted."""
    for n in range(70):
        await refuse(filing, about=f"request/{n}", case_id=f"c-{n}")
    await a_minute_later(owner)
    rest = (await accesses(owner))[-1].payload
    assert (rest.times, len(rest.cases), len(rest.about)) == (69, 64, 64)


async def test_a_destroyed_key_is_refused_and_the_attempt_is_recorded(
    filing: Vault, disclosing: Vault, owner: AsyncEngine
) -> None:
    """After a shredding nobody reads, and who still tried is known."""
    gone, there = await filing.take(), await filing.take()
    await destroy(owner, gone.id)
    with pytest.raises(Refused) as refused:
        await disclosing.release([gone.id, there.id], actor=OFFICER, **READING)
    assert refused.value.code == "key-destroyed"
    assert await count(owner, "events") == 1


async def test_a_list_shows_the_others_where_one_key_was_destroyed(
    filing: Vault, disclosing: Vault, owner: AsyncEngine
) -> None:
    """One shredded subject does not hide the rest of a page."""
    gone, there = await filing.take(), await filing.take()
    await destroy(owner, gone.id)
    found = await disclosing.release([gone.id, there.id], actor=OFFICER, without_destroyed=True, **READING)
    assert found == {there.id: there.secret}


@pytest.mark.parametrize("key_id", [UNKNOWN, "", "not-a-uuid", UNKNOWN.upper(), UNKNOWN.replace("-", "")])
async def test_a_key_that_never_was_is_not_called_destroyed(disclosing: Vault, key_id: str) -> None:
    """A lost key is a fault to repair; it must not pass for a lawful destruction."""
    with pytest.raises(UnknownKey):
        await disclosing.release([key_id], actor=OFFICER, without_destroyed=True, **READING)


async def test_nothing_asked_nothing_recorded(disclosing: Vault, owner: AsyncEngine) -> None:
    """A page without personal data is no access."""
    assert await disclosing.release([], actor=OFFICER, **READING) == {}
    assert await count(owner, "events") == 0


async def test_keys_are_made_ahead_and_never_given_twice(filing: Vault, owner: AsyncEngine) -> None:
    """A filing waits for no second database, and two subjects never share a key."""
    await filing.fill()
    assert await count(owner, "subject_keys") == BATCH
    taken = [await filing.take() for _ in range(BATCH - REFILL_BELOW)]
    assert await count(owner, "subject_keys") == BATCH
    taken += [await filing.take() for _ in range(REFILL_BELOW)]
    await eventually(lambda: count(owner, "subject_keys"), accept=lambda rows: rows == 2 * BATCH)
    taken += await asyncio.gather(*(filing.take() for _ in range(3 * BATCH)))
    assert len({key.id for key in taken}) == len({key.secret for key in taken}) == 4 * BATCH


async def test_every_key_that_was_taken_is_in_the_vault(filing: Vault, disclosing: Vault) -> None:
    """What is sealed under a key that only memory has would be lost with the process."""
    taken = [await filing.take() for _ in range(BATCH + 1)]
    found = await disclosing.release([key.id for key in taken], actor=OFFICER, **READING)
    assert found == {key.id: key.secret for key in taken}


async def test_a_lost_database_is_told_to_the_filing_and_later_filings_go_on(
    owner: AsyncEngine, intake: AsyncEngine, keyring: FileKeyring, clock: SetClock
) -> None:
    """No key in the vault, no filing: sealing under a key that is nowhere would be a loss."""
    door = Vault(intake, keyring, clock=clock)
    async with owner.begin() as connection:
        await connection.execute(text("ALTER TABLE subject_keys RENAME TO away"))
    with pytest.raises(ProgrammingError):
        await door.take()
    async with owner.begin() as connection:
        await connection.execute(text("ALTER TABLE away RENAME TO subject_keys"))
    assert (await door.take()).id


async def test_sealing_again_within_minutes_asks_once(
    filing: Vault, disclosing: Vault, owner: AsyncEngine, clock: SetClock
) -> None:
    """An act that adds to a case does not pay for the vault each time, and a forgotten key is asked for again."""
    key = await filing.take()
    for _ in range(3):
        assert await disclosing.for_sealing([key.id], actor=OFFICER) == {key.id: key.secret}
    assert await count(owner, "events") == 1
    clock.advance(minutes=5)
    await disclosing.for_sealing([key.id], actor=OFFICER)
    assert [access.kind for access in await accesses(owner)] == ["PersonalDataSealed"] * 2


async def test_reading_is_recorded_even_where_the_key_is_remembered_for_sealing(
    filing: Vault, owner: AsyncEngine
) -> None:
    """Every read is an act: the memory serves sealing only."""
    key = await filing.take()
    await filing.for_sealing([key.id], actor=OFFICER)
    assert await count(owner, "events") == 0
    await filing.release([key.id], actor=OFFICER, **READING)
    assert await count(owner, "events") == 1


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT wrapped FROM subject_keys",
        "SELECT key_id FROM subject_keys",
        "UPDATE subject_keys SET wrapped = NULL",
        "DELETE FROM subject_keys",
        "TRUNCATE subject_keys",
        "INSERT INTO subject_keys (key_id, master, destroyed_at) VALUES (gen_random_uuid(), 'm', now())",
        "INSERT INTO subject_keys (key_id, master, wrapped, made_by) VALUES (gen_random_uuid(), 'm', 'w', 'other')",
        "SELECT * FROM events",
        "INSERT INTO events (stream, version, event) VALUES ('access/c', 1, '')",
        "UPDATE events SET event = ''",
        "DELETE FROM events",
        "TRUNCATE events",
        "DELETE FROM pending",
        "SELECT * FROM releases",
        "INSERT INTO releases (key_ids) VALUES ('{}')",
        "DELETE FROM refusals",
        "SELECT tell_refusals()",
        "SELECT append_access('PersonalDataRead', '', 'access/c', '', 'a', 'r', '', '{}', now())",
        "SELECT record_access('{}', 'a', 'r', '', 'read', '', '', '{}', 'r', '{}', now(), 'pe_vault_intake')",
        "CREATE TABLE mine (a int)",
        "CREATE OR REPLACE FUNCTION open_release(a int) RETURNS int LANGUAGE sql AS 'SELECT 1'",
    ],
)
@pytest.mark.parametrize("service", ["intake", "referral"])
async def test_a_service_can_neither_read_nor_change_the_vault_past_its_function(
    owner: AsyncEngine, request: pytest.FixtureRequest, vault_databases: Databases, service: str, statement: str
) -> None:
    """A service that is taken over still leaves a record for each key, and can erase none."""
    engine = create_async_engine(vault_databases.url("vault", service))
    try:
        with pytest.raises(ProgrammingError, match="permission denied"):
            async with engine.begin() as connection:
                await connection.execute(text(statement))
    finally:
        await engine.dispose()


async def test_another_services_role_reaches_nothing(owner: AsyncEngine, vault_databases: Databases) -> None:
    """The vault's function is for those who seal and disclose, not for whoever can connect."""
    engine = create_async_engine(vault_databases.url("vault", "app"))
    try:
        with pytest.raises(ProgrammingError, match="permission denied"):
            async with engine.begin() as connection:
                await connection.execute(text(OPEN), {"key": UNKNOWN})
    finally:
        await engine.dispose()


def test_a_second_migration_does_nothing(vault_databases: Databases) -> None:
    """`make up` runs it each time."""
    vault_databases.migrate("vault")


def test_a_subjects_key_does_not_show_itself() -> None:
    """A key in a log line is a key lost."""
    assert "7777" not in repr(vault.SubjectKey(UNKNOWN, b"7777"))
