"""Owns the change from one version of the key-encryption key to the next: every subject's key is wrapped anew, and
nothing that is sealed is touched.

Services seal and read meanwhile, since earlier versions open until they are retired. Where a change stands is in the
vault's database, so one that was interrupted is gone on with. Only the database's owner, with a keyring's keeper, can
do it; each step is an event of the vault's source.
"""

import uuid
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from access.keyring import KeyringKeeper, Wrapped
from eventlog.store import Actor

BATCH = 500  # keys of one call to the keyring and one transaction
NOT_YET = "KV002"  # what the database answers where a version cannot be retired now
_LOCK = 0x6B657973  # held while keys are changed; any constant serves
_FIRST = uuid.UUID(int=0)

_ALONE = text("SELECT pg_try_advisory_lock(:lock)")
_END = text("SELECT pg_advisory_unlock(:lock)")
_UNFINISHED = text("SELECT master FROM key_versions WHERE closed_at IS NULL AND finished_at IS NULL")
_IN_USE = text(
    "SELECT EXISTS (SELECT FROM key_versions WHERE master = :master)"
    " OR EXISTS (SELECT FROM subject_keys WHERE master = :master)"
)
_BEGIN = text("SELECT begin_rotation(:master, :actor, :role, :unit)")
_NEXT = text(
    "SELECT key_id, master, wrapped FROM subject_keys"
    " WHERE key_id > :after AND master <> :master AND wrapped IS NOT NULL ORDER BY key_id LIMIT :limit"
)
_REWRAP = "SELECT rewrap_keys(%s, %s::uuid[], %s::bytea[], %s::bytea[])"
_LEFT = text("SELECT EXISTS (SELECT FROM subject_keys WHERE master <> :master AND wrapped IS NOT NULL)")
_FINISH = text("SELECT finish_rotation(:master, :actor, :role, :unit)")
_RETIRE = text("SELECT retire_versions(:actor, :role, :unit)")
_STANDING = text(
    "SELECT coalesce(v.master, k.master) AS name, coalesce(k.keys, 0) AS keys, v.closed_at IS NOT NULL AS closed,"
    " v.retired_at IS NOT NULL AS retired, v.master IS NOT NULL AND v.closed_at IS NULL AND v.finished_at IS NULL"
    " AS unfinished FROM key_versions v FULL JOIN"
    " (SELECT master, count(wrapped) AS keys FROM subject_keys GROUP BY master) k ON k.master = v.master"
    " ORDER BY v.begun_at NULLS FIRST, 1"
)


class AnotherRuns(Exception):
    """Somebody is changing the keys already."""


class NotYet(Exception):
    """A version cannot be retired now; the text says why."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Version:
    """A version of the key-encryption key as the vault knows it. ``keys``: of subjects, not destroyed, under it."""

    name: str
    keys: int
    closed: bool
    retired: bool
    unfinished: bool


class Rotation:
    """The keeper's door to the vault. ``engine``: the vault's database as its owner."""

    def __init__(self, engine: AsyncEngine, keeper: KeyringKeeper, *, batch: int = BATCH) -> None:
        self._engine = engine
        self._keeper = keeper
        self._batch = batch

    async def rotate(self, actor: Actor) -> tuple[str, int]:
        """Wraps every key under a new version, or ends the change that was interrupted; its name, and how many keys
        were wrapped anew over all its runs.

        Raises `AnotherRuns`, `access.keyring.CannotUnwrap`, `access.keyring.KeyringUnavailable`, the database's error.
        """
        async with self._alone() as connection:
            version = await self._version(connection)
            who = {"master": version, "actor": actor.id, "role": actor.role, "unit": actor.unit}
            async with connection.begin():
                await connection.execute(_BEGIN, who)
            left = True
            while left:
                await self._rewrap_all(connection, version)
                async with connection.begin():
                    left = (await connection.execute(_LEFT, {"master": version})).scalar_one()
            async with connection.begin():
                return version, int((await connection.execute(_FINISH, who)).scalar_one())

    async def retire(self, actor: Actor) -> Sequence[str]:
        """Destroys the versions before the current one, in the keyring; their names, also of those that were destroyed
        before.

        It is recorded first. Copies of the vault that are older than the change open nothing from then on. Raises
        `NotYet`, `AnotherRuns`, `access.keyring.KeyringUnavailable`.
        """
        async with self._alone() as connection:
            try:
                async with connection.begin():
                    who = {"actor": actor.id, "role": actor.role, "unit": actor.unit}
                    gone: Sequence[str] = (await connection.execute(_RETIRE, who)).scalar_one()
            except DBAPIError as error:
                if getattr(error.orig, "sqlstate", None) == NOT_YET:
                    raise NotYet(str(error.orig).splitlines()[0]) from None
                raise
            await self._keeper.retire(gone)
            return gone

    async def versions(self) -> Sequence[Version]:
        """Every version that a key is under or was under, the newest last."""
        async with self._engine.connect() as connection:
            rows = (await connection.execute(_STANDING)).mappings().all()
        return [Version(**row) for row in rows]

    async def _version(self, connection: AsyncConnection) -> str:
        """The version to change to: a new one, unless one was begun, or made and not used yet."""
        current = await self._keeper.current()
        async with connection.begin():
            begun = (await connection.execute(_UNFINISHED)).scalar_one_or_none()
            in_use = (await connection.execute(_IN_USE, {"master": current})).scalar_one()
        return current if begun == current or not in_use else await self._keeper.rotate()

    async def _rewrap_all(self, connection: AsyncConnection, version: str) -> None:
        after = _FIRST
        while True:
            async with connection.begin():
                found = await connection.execute(_NEXT, {"after": after, "master": version, "limit": self._batch})
                rows = found.all()
            if not rows:
                return
            after = rows[-1].key_id
            # Outside any transaction: a key service may take its time, and filings must not wait for it.
            fresh = await self._keeper.rewrap([Wrapped(row.master, bytes(row.wrapped)) for row in rows])
            if any(one.master != version for one in fresh):
                raise AnotherRuns("the keyring has a newer version: run it again")
            given = (version, [row.key_id for row in rows], [bytes(row.wrapped) for row in rows])
            async with connection.begin():
                await connection.exec_driver_sql(_REWRAP, (*given, [one.ciphertext for one in fresh]))

    @asynccontextmanager
    async def _alone(self) -> AsyncIterator[AsyncConnection]:
        async with self._engine.connect() as connection:
            async with connection.begin():
                if not (await connection.execute(_ALONE, {"lock": _LOCK})).scalar_one():
                    raise AnotherRuns("keys are being changed already")
            try:
                yield connection
            finally:
                await connection.rollback()
                async with connection.begin():
                    await connection.execute(_END, {"lock": _LOCK})
