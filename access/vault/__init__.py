"""Owns the keys that personal data is sealed under: one random key per subject, in a database of its own, wrapped by
the keyring.

The database hands a wrapped key out through one procedure only, which records who asked, what for and by what rule, as
an event of the vault's own source: where the record fails, no key comes. Deleting the wrapped key destroys what was
sealed under it, wherever copies of the ciphertext are.
"""

import asyncio
import json
import secrets
import uuid
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import structlog
from sqlalchemy import bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY, BYTEA, UUID
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from access.keyring import KEY_BYTES, Keyring, Wrapped
from eventlog.decider import Refused
from eventlog.store import Actor
from eventlog.tracing import NoTracing, Tracing

__all__ = ["SEAL", "SubjectKey", "UnknownKey", "Vault"]

BATCH = 64  # keys of one INSERT; those left unused when a process ends stay in the database and harm nobody
REFILL_BELOW = 16
MAX_KEYS_RELEASED = 1000  # of one call
SEALING_REMEMBERED = timedelta(minutes=5)
MAX_SEALING_REMEMBERED = 4096
CLOSED_VERSION = "KV001"  # what the database answers to a key under a version that was closed since it was wrapped
SEAL = "seal"
"""The purpose under which a key is released to seal with."""

_INSERT = text(
    "INSERT INTO subject_keys (key_id, master, wrapped)"
    " SELECT * FROM unnest(:key_ids, CAST(:masters AS text[]), :wrapped)"
).bindparams(bindparam("key_ids", type_=ARRAY(UUID(as_uuid=True))), bindparam("wrapped", type_=ARRAY(BYTEA)))
# In the driver's own form, as the store's append. The call is two transactions: a record, and what it allows.
_RELEASE = "CALL release_keys(%s::uuid[], %s, %s, %s, %s, %s, %s, %s::text[], %s, %s::jsonb, NULL, NULL, NULL)"
_REFUSE = "SELECT record_refusal(%s, %s, %s, %s, %s, %s, %s, %s::jsonb)"

_log = structlog.get_logger("access.vault")


class UnknownKey(KeyError):
    """The vault never had a key of that id, or lost it: never the same as destroyed."""


@dataclass(frozen=True, slots=True)
class SubjectKey:
    """A subject's key: ``id`` is the subject's id (random UUID text), ``secret`` 32 bytes that ``repr`` does not
    show.
    """

    id: str
    secret: bytes = field(repr=False)


class Vault:
    """One process's door to the vault, as its service's vault role.

    Keys for new subjects are made ahead, 64 in one INSERT, so that a filing waits for no second database. Every key
    that is released is recorded with actor and purpose.
    """

    def __init__(
        self,
        engine: AsyncEngine,
        keyring: Keyring,
        *,
        clock: Callable[[], datetime],
        tracing: Tracing | None = None,
    ) -> None:
        """``engine`` reaches the vault's database (AMPARO_VAULT_DATABASE)."""
        self._engine = engine.execution_options(isolation_level="AUTOCOMMIT")
        self._tracing = tracing or NoTracing()
        self._keyring = keyring
        self._clock = clock
        self._ready: deque[SubjectKey] = deque()
        self._filling = asyncio.Lock()
        self._refill: asyncio.Task[None] | None = None
        self._sealing: OrderedDict[str, tuple[bytes, datetime]] = OrderedDict()

    async def fill(self) -> None:
        """Make keys ahead unless enough are ready; called at start so that the first filing does not wait either.

        Raises the database's error when the vault cannot be reached.
        """
        async with self._filling:
            if len(self._ready) >= REFILL_BELOW:
                return
            fresh = [SubjectKey(str(uuid.uuid4()), secrets.token_bytes(KEY_BYTES)) for _ in range(BATCH)]
            try:
                await self._insert(fresh)
            except DBAPIError as error:
                if getattr(error.orig, "sqlstate", None) != CLOSED_VERSION:
                    raise
                await self._insert(fresh)  # the keyring's version changed in between: now under the new one
            self._ready.extend(fresh)  # only now: a key that the vault does not have must seal nothing

    async def take(self) -> SubjectKey:
        """A key for a new subject, already in the vault, given to nobody else. From memory; it waits only when none is
        left.
        """
        while not self._ready:
            await self.fill()
        key = self._ready.popleft()
        if len(self._ready) < REFILL_BELOW and (self._refill is None or self._refill.done()):
            self._refill = asyncio.create_task(self._fill_quietly())
        self._remember(key.id, key.secret)
        return key

    async def release(
        self,
        key_ids: Iterable[str],
        *,
        actor: Actor,
        purpose: str,
        rule: str,
        classes: Iterable[str],
        about: str = "",
        case_id: str = "",
        without_destroyed: bool = False,
    ) -> Mapping[str, bytes]:
        """The subjects' keys, to read what is sealed under them: one call, and so one event, per request.

        ``purpose`` is a closed word such as ``referral.disclosure``, ``about`` the opaque id of what is read, ``rule``
        by what it is allowed, ``classes`` the data classes that are read; none of them is personal. Raises `Refused`
        ``key-destroyed``, unless ``without_destroyed`` leaves those keys out; `UnknownKey`; ``ValueError`` for more
        than 1000 ids; the database's error when the access cannot be recorded. The access is recorded also where a key
        is then missing.
        """
        wanted = list(dict.fromkeys(key_ids))
        if not wanted:
            return {}
        if len(wanted) > MAX_KEYS_RELEASED:
            raise ValueError(f"at most {MAX_KEYS_RELEASED} keys at once")
        asked = [_as_uuid(key_id) for key_id in wanted]
        who = (actor.id, actor.role, actor.unit)
        given = (asked, *who, purpose, about, case_id, sorted(set(classes)), rule, self._headers())
        async with self._engine.connect() as connection:
            row = (await connection.exec_driver_sql(_RELEASE, given)).one()
        found = {
            str(key): (master, wrapped)
            for key, master, wrapped in zip(row.key_ids or (), row.masters or (), row.wrapped or (), strict=True)
        }
        if any(key_id not in found for key_id in wanted):
            raise UnknownKey("a subject's key is not in the vault")
        kept = [key_id for key_id in wanted if found[key_id][1] is not None]
        if len(kept) < len(wanted) and not without_destroyed:
            raise Refused("key-destroyed")
        opened = await self._keyring.unwrap([Wrapped(found[key][0], bytes(found[key][1])) for key in kept])
        return dict(zip(kept, opened, strict=True))

    async def refused(self, *, actor: Actor, purpose: str, rule: str, about: str = "", case_id: str = "") -> None:
        """Records that the actor was refused personal data: an event at once, those that follow in the same minute
        together. Raises the database's error where that cannot be recorded.
        """
        given = (actor.id, actor.role, actor.unit, purpose, about, case_id, rule, self._headers())
        async with self._engine.connect() as connection:
            await connection.exec_driver_sql(_REFUSE, given)

    async def for_sealing(
        self, key_ids: Iterable[str], *, actor: Actor, about: str = "", case_id: str = ""
    ) -> Mapping[str, bytes]:
        """The subjects' keys, to seal more under them; raises as `release`, whose purpose is ``seal``.

        Keys are remembered for 5 minutes for this, and never for reading: who seals holds the text anyway, so no access
        goes unrecorded by it, while every read has to be. What is sealed in those minutes under a key destroyed
        elsewhere is lost, as it should be.
        """
        wanted = list(dict.fromkeys(key_ids))
        now = self._clock()
        known = {key_id: held[0] for key_id in wanted if (held := self._sealing.get(key_id)) and now < held[1]}
        missing = [key_id for key_id in wanted if key_id not in known]
        released = await self.release(
            missing, actor=actor, purpose=SEAL, rule=SEAL, classes=(), about=about, case_id=case_id
        )
        for key_id, secret in released.items():
            self._remember(key_id, secret)
        return {**known, **released}

    async def keep(self) -> None:
        """What the keyring has to have done all the while, for ever. Raises `access.keyring.KeyringUnavailable`."""
        await self._keyring.keep()

    async def close(self) -> None:
        """Wait for a refill under way, and end the keyring's connections. Keys made ahead are forgotten."""
        if self._refill is not None:
            await self._refill
        self._ready.clear()
        self._sealing.clear()
        await self._keyring.close()

    async def _insert(self, fresh: Sequence[SubjectKey]) -> None:
        wrapped = await self._keyring.wrap([key.secret for key in fresh])
        rows = {
            "key_ids": [uuid.UUID(key.id) for key in fresh],
            "masters": [one.master for one in wrapped],
            "wrapped": [one.ciphertext for one in wrapped],
        }
        async with self._engine.connect() as connection:
            await connection.execute(_INSERT, rows)

    def _headers(self) -> str:
        headers = self._tracing.inject()
        return json.dumps(dict(headers)) if headers else "{}"

    def _remember(self, key_id: str, secret: bytes) -> None:
        self._sealing[key_id] = (secret, self._clock() + SEALING_REMEMBERED)
        self._sealing.move_to_end(key_id)
        if len(self._sealing) > MAX_SEALING_REMEMBERED:
            self._sealing.popitem(last=False)

    async def _fill_quietly(self) -> None:
        try:
            await self.fill()
        except Exception as error:  # the filing that finds no key left tries again and says so
            _log.warning("no keys made ahead", error=type(error).__name__)


def _as_uuid(key_id: str) -> uuid.UUID:
    try:
        found = uuid.UUID(key_id)
    except ValueError:
        raise UnknownKey("a subject's key id is a UUID") from None
    if str(found) != key_id:
        raise UnknownKey("a subject's key id is a UUID in its usual form")
    return found
