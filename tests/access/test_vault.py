"""The vault on a real PostgreSQL, as its services' roles."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, ProgrammingError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from access import keys, vault
from access.keyring import FileKeyring
from access.vault import BATCH, REFILL_BELOW, UnknownKey, Vault
from eventlog.decider import Refused
from eventlog.store import Actor
from tests.access.clocks import SetClock
from tests.eventually import eventually
from tests.stack import Databases

OFFICER = Actor(id="police-one", role="police_unit", unit="pnp-one")
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
        await connection.execute(text("TRUNCATE subject_keys, accesses"))
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
    assert await disclosing.release([key.id, key.id], actor=OFFICER, purpose="referral.disclosure r1") == {
        key.id: key.secret
    }


async def test_a_release_is_recorded_with_who_for_what_and_by_which_role(
    filing: Vault, disclosing: Vault, owner: AsyncEngine, referral: AsyncEngine
) -> None:
    """The defender can be told who looked; the caller's database role is the vault's own knowledge."""
    first, second = await filing.take(), await filing.take()
    await disclosing.release([first.id, second.id], actor=OFFICER, purpose="referral.disclosure r1")
    async with owner.connect() as connection:
        row = (await connection.execute(text("SELECT * FROM accesses"))).one()
    assert (row.actor, row.role, row.unit) == ("police-one", "police_unit", "pnp-one")
    assert (row.purpose, row.released) == ("referral.disclosure r1", 2)
    assert [str(key_id) for key_id in row.key_ids] == [first.id, second.id]
    assert row.caller == referral.url.username


async def test_without_a_record_no_key_comes(filing: Vault, disclosing: Vault, owner: AsyncEngine) -> None:
    """Recording fails closed: a vault whose record is broken gives nothing."""
    key = await filing.take()
    async with owner.begin() as connection:
        await connection.execute(text("ALTER TABLE accesses ADD CONSTRAINT full_disk CHECK (false) NOT VALID"))
    try:
        with pytest.raises(DBAPIError):
            await disclosing.release([key.id], actor=OFFICER, purpose="read")
    finally:
        async with owner.begin() as connection:
            await connection.execute(text("ALTER TABLE accesses DROP CONSTRAINT full_disk"))
    assert await count(owner, "accesses") == 0


@pytest.mark.parametrize("purpose", ["", "x" * 201])
async def test_a_release_needs_a_purpose(filing: Vault, disclosing: Vault, purpose: str) -> None:
    """Nobody looks without saying what for."""
    key = await filing.take()
    with pytest.raises(DBAPIError):
        await disclosing.release([key.id], actor=OFFICER, purpose=purpose)


async def test_a_destroyed_key_is_refused_and_the_attempt_is_recorded(
    filing: Vault, disclosing: Vault, owner: AsyncEngine
) -> None:
    """After a shredding nobody reads, and who still tried is known."""
    gone, there = await filing.take(), await filing.take()
    await destroy(owner, gone.id)
    with pytest.raises(Refused) as refused:
        await disclosing.release([gone.id, there.id], actor=OFFICER, purpose="read")
    assert refused.value.code == "key-destroyed"
    assert await count(owner, "accesses") == 1


async def test_a_list_shows_the_others_where_one_key_was_destroyed(
    filing: Vault, disclosing: Vault, owner: AsyncEngine
) -> None:
    """One shredded subject does not hide the rest of a page."""
    gone, there = await filing.take(), await filing.take()
    await destroy(owner, gone.id)
    found = await disclosing.release([gone.id, there.id], actor=OFFICER, purpose="list", without_destroyed=True)
    assert found == {there.id: there.secret}


@pytest.mark.parametrize("key_id", [UNKNOWN, "", "not-a-uuid", UNKNOWN.upper(), UNKNOWN.replace("-", "")])
async def test_a_key_that_never_was_is_not_called_destroyed(disclosing: Vault, key_id: str) -> None:
    """A lost key is a fault to repair; it must not pass for a lawful destruction."""
    with pytest.raises(UnknownKey):
        await disclosing.release([key_id], actor=OFFICER, purpose="read", without_destroyed=True)


async def test_nothing_asked_nothing_recorded(disclosing: Vault, owner: AsyncEngine) -> None:
    """A page without personal data is no access."""
    assert await disclosing.release([], actor=OFFICER, purpose="read") == {}
    assert await count(owner, "accesses") == 0


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
    found = await disclosing.release([key.id for key in taken], actor=OFFICER, purpose="read")
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
    assert await count(owner, "accesses") == 1
    clock.advance(minutes=5)
    await disclosing.for_sealing([key.id], actor=OFFICER)
    assert await count(owner, "accesses") == 2


async def test_reading_is_recorded_even_where_the_key_is_remembered_for_sealing(
    filing: Vault, owner: AsyncEngine
) -> None:
    """Every read is an act: the memory serves sealing only."""
    key = await filing.take()
    await filing.for_sealing([key.id], actor=OFFICER)
    assert await count(owner, "accesses") == 0
    await filing.release([key.id], actor=OFFICER, purpose="read")
    assert await count(owner, "accesses") == 1


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
        "SELECT * FROM accesses",
        "INSERT INTO accesses (actor, role, unit, purpose, key_ids, released) VALUES ('a', 'b', '', 'd', '{}', 0)",
        "DELETE FROM accesses",
        "TRUNCATE accesses",
        "CREATE TABLE mine (a int)",
        "CREATE OR REPLACE FUNCTION release_keys(a int) RETURNS int LANGUAGE sql AS 'SELECT 1'",
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
                await connection.execute(text("SELECT * FROM release_keys('{}', 'a', 'b', '', 'd')"))
    finally:
        await engine.dispose()


def test_a_second_migration_does_nothing(vault_databases: Databases) -> None:
    """`make up` runs it each time."""
    vault_databases.migrate("vault")


def test_a_subjects_key_does_not_show_itself() -> None:
    """A key in a log line is a key lost."""
    assert "7777" not in repr(vault.SubjectKey(UNKNOWN, b"7777"))
