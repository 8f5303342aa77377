"""Changing the key over all keys, on a real PostgreSQL, while services seal and read."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool

from access import keys
from access.keyring import CannotUnwrap, FileKeyring, Wrapped
from access.vault import BATCH, SubjectKey, Vault
from access.vault.rotation import AnotherRuns, NotYet, Rotation
from eventlog.decider import Refused
from eventlog.store import Actor
from runtime.clock import system_clock
from tests.accesses import accesses
from tests.eventually import eventually
from tests.stack import Databases

KEEPER = Actor(id="keeper-one", role="administrator")
READER = Actor(id="coordinator-one", role="coordinator", unit="dgdh")


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
    engine = create_async_engine(vault_databases.url("vault", "owner"), poolclass=NullPool)
    async with engine.begin() as connection:
        await connection.execute(
            text("TRUNCATE subject_keys, key_versions, events, pending, records, releases, refusals")
        )
    yield engine
    await engine.dispose()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A keyring's folder."""
    keys.init(tmp_path / "keys", mechanism="pe")
    return tmp_path / "keys" / "keyring"


def opened(folder: Path) -> FileKeyring:
    """The keyring, as a process opens it."""
    return FileKeyring.open(folder, environment="embedded")


@pytest.fixture
async def vault(vault_databases: Databases, owner: AsyncEngine, folder: Path) -> AsyncIterator[Vault]:
    """The door of a service that runs all the while."""
    engine = create_async_engine(vault_databases.url("vault", "intake"))
    door = Vault(engine, opened(folder), clock=system_clock)
    yield door
    await door.close()
    await engine.dispose()


async def read(vault: Vault, *subjects: SubjectKey) -> None:
    """Reads each, and finds what it was sealed under."""
    found = await vault.release(
        [key.id for key in subjects], actor=READER, purpose="intake.read", rule="r", classes=("place",)
    )
    assert found == {key.id: key.secret for key in subjects}


async def under(owner: AsyncEngine) -> dict[str, int]:
    """How many keys each version has."""
    async with owner.connect() as connection:
        found = await connection.execute(
            text("SELECT master, count(*) FROM subject_keys WHERE wrapped IS NOT NULL GROUP BY 1")
        )
        return dict(found.tuples().all())


async def a_minute_later(owner: AsyncEngine) -> None:
    """The change has ended long enough ago."""
    async with owner.begin() as connection:
        await connection.execute(text("UPDATE key_versions SET finished_at = finished_at - interval '61 seconds'"))


class Stumbling(FileKeyring):
    """A keeper to whom something happens before a batch."""

    def __init__(self, file: Path, *, at: int, happens: Callable[[], object]) -> None:
        super().__init__(file)
        self._at, self._happens, self._batches = at, happens, 0

    async def rewrap(self, wrapped: Sequence[Wrapped]) -> Sequence[Wrapped]:
        """As any, but for what happens."""
        self._batches += 1
        if self._batches == self._at:
            done = self._happens()
            if asyncio.iscoroutine(done):
                await done
        return await super().rewrap(wrapped)


async def test_every_key_is_put_under_the_new_version_and_everything_is_read(
    vault: Vault, owner: AsyncEngine, folder: Path
) -> None:
    """A key that has served for a year is changed; nothing that is sealed is touched."""
    subjects = [await vault.take() for _ in range(5)]
    keyring = opened(folder)
    before = await keyring.current()
    version, done = await Rotation(owner, keyring, batch=7).rotate(KEEPER)
    assert version != before
    assert await under(owner) == {version: BATCH}
    assert done == BATCH
    await read(vault, *subjects)
    assert before in (folder / "keyring.json").read_text()


async def test_services_read_and_take_keys_at_every_moment_of_it(
    vault: Vault, owner: AsyncEngine, folder: Path
) -> None:
    """Nobody waits for the change, and no reading fails: both versions open meanwhile."""
    subjects = [await vault.take() for _ in range(3)]
    changed = asyncio.Event()
    seen = 0

    async def use() -> None:
        nonlocal seen
        while not changed.is_set():
            subjects.append(await vault.take())
            await read(vault, subjects[0], subjects[-1])
            seen += 1

    using = asyncio.create_task(use())
    await eventually(lambda: seen > 2)
    version, _ = await Rotation(owner, opened(folder), batch=2).rotate(KEEPER)
    at_end = seen
    await eventually(lambda: seen > at_end + 70)  # those made ahead are used up, and more are made
    changed.set()
    await using
    assert set(await under(owner)) == {version}
    await read(vault, *subjects)


async def test_a_key_wrapped_just_before_the_change_is_wrapped_again(
    vault: Vault, vault_databases: Databases, owner: AsyncEngine, folder: Path
) -> None:
    """No key slips in under a version that will be destroyed."""
    await vault.take()
    late = opened(folder)
    stale = await late.wrap([b"s" * 32])
    await Rotation(owner, opened(folder)).rotate(KEEPER)

    class Late(FileKeyring):
        """Answers once with what it knew before."""

        once: Sequence[Wrapped] | None = stale

        async def wrap(self, secrets: Sequence[bytes]) -> Sequence[Wrapped]:
            """The version of before, the first time."""
            fresh = await super().wrap(secrets)
            if self.once is not None:
                version, self.once = self.once[0].master, None
                return [Wrapped(version, one.ciphertext) for one in fresh]
            return fresh

    engine = create_async_engine(vault_databases.url("vault", "intake"), poolclass=NullPool)
    door = Vault(engine, Late(folder / "keyring.json"), clock=system_clock)
    await read(door, await door.take())
    assert set(await under(owner)) == {await late.current()}
    await door.close()
    await engine.dispose()


DYING = """
import asyncio, os, signal, sys
from pathlib import Path
from sqlalchemy.ext.asyncio import create_async_engine
from access.vault.rotation import Rotation
from tests.access.test_rotation import KEEPER, Stumbling
url, file = sys.argv[1:]
die = Stumbling(Path(file), at=4, happens=lambda: os.kill(os.getpid(), signal.SIGKILL))
asyncio.run(Rotation(create_async_engine(url), die, batch=10).rotate(KEEPER))
"""


async def test_a_change_whose_process_was_killed_is_ended_by_the_next(
    vault: Vault, vault_databases: Databases, owner: AsyncEngine, folder: Path
) -> None:
    """The machine may go down in the middle of it: keys are readable before, between and after."""
    subjects = [await vault.take() for _ in range(40)]
    command = [sys.executable, "-c", DYING, vault_databases.url("vault", "owner"), str(folder / "keyring.json")]
    died = await asyncio.to_thread(
        subprocess.run, command, env={**os.environ, "PYTHONPATH": ".:proto"}, capture_output=True, check=False
    )
    assert died.returncode == -signal.SIGKILL, died.stderr.decode()
    halfway = await under(owner)
    assert sorted(halfway.values()) == [30, BATCH - 30]
    await read(vault, *subjects)
    assert [each.unfinished for each in await Rotation(owner, opened(folder)).versions()] == [False, True]
    version, done = await Rotation(owner, opened(folder), batch=10).rotate(KEEPER)
    assert version in halfway
    assert done == BATCH
    assert set(await under(owner)) == {version}
    await read(vault, *subjects)
    begun = [access for access in await accesses(owner) if access.kind == "KeyRotationBegun"]
    assert len(begun) == 1


async def test_a_key_destroyed_in_the_middle_stays_destroyed(vault: Vault, owner: AsyncEngine, folder: Path) -> None:
    """Who asked to be forgotten must not come back by a batch that was read before."""
    gone = await vault.take()

    async def destroy() -> None:
        async with owner.begin() as connection:
            await connection.execute(
                text("UPDATE subject_keys SET wrapped = NULL, destroyed_at = now() WHERE key_id = CAST(:id AS uuid)"),
                {"id": gone.id},
            )

    stumbling = Stumbling(folder / "keyring.json", at=1, happens=destroy)
    _, done = await Rotation(owner, stumbling).rotate(KEEPER)
    assert done == BATCH - 1
    with pytest.raises(Refused, match="key-destroyed"):
        await read(vault, gone)
    (_, ended) = [access for access in await accesses(owner) if access.kind.startswith("Key")]
    assert (ended.payload.keys, ended.payload.destroyed) == (BATCH - 1, 1)


async def test_the_earlier_version_is_destroyed_and_everything_is_still_read(
    vault: Vault, owner: AsyncEngine, folder: Path
) -> None:
    """What was copied with the old key opens nothing any more; what stands here opens as before."""
    subjects = [await vault.take() for _ in range(3)]
    copied = Rotation(owner, opened(folder))
    async with owner.connect() as connection:
        old = (await connection.execute(text("SELECT master, wrapped FROM subject_keys LIMIT 1"))).one()
    before = old.master
    await copied.rotate(KEEPER)
    with pytest.raises(NotYet, match="less than a minute"):
        await copied.retire(KEEPER)
    assert before in (folder / "keyring.json").read_text()
    await a_minute_later(owner)
    assert await copied.retire(KEEPER) == [before]
    assert before not in (folder / "keyring.json").read_text()
    with pytest.raises(CannotUnwrap):
        await opened(folder).unwrap([Wrapped(old.master, bytes(old.wrapped))])
    await read(vault, *subjects)
    assert await copied.retire(KEEPER) == [before]
    assert [each.retired for each in await copied.versions()] == [True, False]


async def test_a_retirement_that_was_interrupted_is_ended(vault: Vault, owner: AsyncEngine, folder: Path) -> None:
    """Recorded, and the process died before the key was destroyed: the next command destroys it."""
    await vault.take()
    keyring = opened(folder)
    before = await keyring.current()
    await Rotation(owner, keyring).rotate(KEEPER)
    await a_minute_later(owner)

    class Dying(FileKeyring):
        """Ends before it destroys anything."""

        async def retire(self, versions: object) -> None:
            """Never comes to it."""
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        await Rotation(owner, Dying(folder / "keyring.json")).retire(KEEPER)
    assert before in (folder / "keyring.json").read_text()
    assert await Rotation(owner, keyring).retire(KEEPER) == [before]
    assert before not in (folder / "keyring.json").read_text()
    assert sum(access.kind == "KeyVersionsRetired" for access in await accesses(owner)) == 1


async def test_nothing_is_retired_while_a_key_is_left_or_no_change_has_ended(
    vault: Vault, owner: AsyncEngine, folder: Path
) -> None:
    """The only mistake that cannot be mended is refused by the database."""
    keyring = opened(folder)
    before = await keyring.current()
    await vault.take()
    with pytest.raises(NotYet, match="no change"):
        await Rotation(owner, keyring).retire(KEEPER)
    await Rotation(owner, keyring).rotate(KEEPER)
    await a_minute_later(owner)
    async with owner.begin() as connection:  # as a restored copy of the vault would have it
        await connection.execute(
            text("UPDATE subject_keys SET master = :before WHERE key_id = (SELECT key_id FROM subject_keys LIMIT 1)"),
            {"before": before},
        )
    with pytest.raises(NotYet, match="keys are left"):
        await Rotation(owner, keyring).retire(KEEPER)
    with pytest.raises(ValueError, match="current"):
        await keyring.retire([await keyring.current()])
    assert before in (folder / "keyring.json").read_text()


async def test_each_step_is_recorded_with_who_when_how_many_and_no_key(
    vault: Vault, owner: AsyncEngine, folder: Path
) -> None:
    """An auditor can tell when the key was last changed, and by whom; the record opens nothing."""
    await vault.take()
    keyring = opened(folder)
    before = await keyring.current()
    version, _ = await Rotation(owner, keyring).rotate(KEEPER)
    await a_minute_later(owner)
    await Rotation(owner, keyring).retire(KEEPER)
    begun, ended, retired = await accesses(owner)
    assert [each.kind for each in (begun, ended, retired)] == [
        "KeyRotationBegun",
        "KeysRewrapped",
        "KeyVersionsRetired",
    ]
    assert (begun.payload.version, list(begun.payload.before), begun.payload.keys) == (version, [before], BATCH)
    assert (ended.payload.version, list(ended.payload.before), ended.payload.keys) == (version, [before], BATCH)
    assert list(retired.payload.versions) == [before]
    for n, each in enumerate((begun, ended, retired), start=1):
        assert (each.event.actor.id, each.event.actor.role) == (KEEPER.id, KEEPER.role)
        assert (each.event.stream, each.event.version, each.event.correlation) == (f"keys/{version}", n, "")
        assert each.event.SerializeToString(deterministic=True) == each.stored
        assert each.payload.SerializeToString(deterministic=True) == each.event.payload


async def test_two_keepers_do_not_change_keys_at_once(vault: Vault, owner: AsyncEngine, folder: Path) -> None:
    """The second is told, and nothing is half done."""
    await vault.take()
    here, go = asyncio.Event(), asyncio.Event()

    async def wait() -> None:
        here.set()
        await go.wait()

    first = asyncio.create_task(Rotation(owner, Stumbling(folder / "keyring.json", at=1, happens=wait)).rotate(KEEPER))
    await here.wait()
    with pytest.raises(AnotherRuns):
        await Rotation(owner, opened(folder)).rotate(KEEPER)
    go.set()
    version, _ = await first
    assert set(await under(owner)) == {version}


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT begin_rotation('k-other', 'a', 'administrator', '')",
        "SELECT rewrap_keys('k-other', '{}', '{}', '{}')",
        "SELECT finish_rotation('k-other', 'a', 'administrator', '')",
        "SELECT retire_versions('a', 'administrator', '')",
        "SELECT * FROM key_versions",
        "UPDATE key_versions SET closed_at = NULL",
    ],
)
@pytest.mark.parametrize("role", ["intake", "referral", "app", "sequencer"])
async def test_no_process_that_runs_can_change_the_versions(
    vault_databases: Databases, owner: AsyncEngine, role: str, statement: str
) -> None:
    """It is the keeper's act, by hand."""
    engine = create_async_engine(vault_databases.url("vault", role), poolclass=NullPool)
    with pytest.raises(DBAPIError, match="permission denied"):
        async with engine.begin() as connection:
            await connection.execute(text(statement))
    await engine.dispose()


def test_the_command_changes_tells_and_retires(vault_databases: Databases, folder: Path) -> None:
    """What an operator types, and reads."""
    environment = {
        **os.environ,
        "PYTHONPATH": ".:proto",
        "AMPARO_ENVIRONMENT": "embedded",
        "AMPARO_KEYRING": str(folder),
        "AMPARO_OWNER_DATABASE": vault_databases.url("vault", "owner"),
    }

    def command(*words: str) -> subprocess.CompletedProcess[str]:
        whole = [sys.executable, "-m", "services.vault.keys", *words]
        return subprocess.run(whole, env=environment, capture_output=True, text=True, check=False)

    assert command("rotate").returncode == 2
    rotated = command("rotate", "--by", "keeper-one")
    assert rotated.returncode == 0, rotated.stderr
    assert "keys were put under k-" in rotated.stdout
    refused = command("retire", "--by", "keeper-one")
    assert (refused.returncode, "less than a minute" in refused.stderr) == (1, True)
    assert "current, " in command("versions").stdout
