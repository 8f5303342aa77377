"""Owns appending to and reading from a service's own streams, in the caller's transaction.

An append is one call of one SQL function (`eventlog.schema`): it checks the idempotency key and the expected version
and writes act, events and pending rows, so a repeated act writes nothing and is answered with its first receipt.
"""

import asyncio
import functools
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any, ParamSpec, TypeVar

import uuid_utils
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, AsyncSession

from amparo.record.v1 import record_pb2
from eventlog.codec import Codec, instant, timestamp
from eventlog.decider import Refused
from eventlog.receipts import Receipt, sign_receipt
from eventlog.sealing import TooLong, seal
from eventlog.tracing import NoTracing, Tracing
from eventlog.transparency.note import NoteSigner

MAX_EVENT_BYTES = 60_000
WAKE_EVERY_S = 0.02
CHANNEL = "amparo_pending"

Session = AsyncSession | AsyncConnection
P = ParamSpec("P")
R = TypeVar("R")


class StreamMoved(Exception):
    """Somebody else appended to the stream first; nothing was written. Load and decide again."""


class KeyReused(Refused):
    """The idempotency key was used before for something else; nothing was written."""

    def __init__(self) -> None:
        super().__init__("idempotency-key-reused", "the key belongs to an earlier act; choose a new one")


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """Who acts: an opaque id, the role, and the agency, organisation or unit it acts for."""

    id: str
    role: str
    unit: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ActKey:
    """Names a deed, not a call: the same client and key give the first receipt. ``fingerprint`` tells a repetition
    from a reuse."""

    client: str
    key: str
    fingerprint: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """A stored event in its typed form, and what surrounds it. ``hash`` is the SHA-256 of its bytes."""

    event: Any
    id: bytes
    stream: str
    version: int
    type: str
    occurred_at: datetime
    recorded_at: datetime
    actor: Actor
    correlation: str
    hash: bytes

    @property
    def citation(self) -> record_pb2.Citation:
        """What a later event cites this one by."""
        return record_pb2.Citation(event_id=self.id, event_hash=self.hash)


@dataclass(frozen=True, slots=True)
class History:
    """A stream as far as it was read: its events in order and the version of the last, 0 for none."""

    events: tuple[Recorded, ...]
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Appended:
    """What an append did. ``recorded`` is empty where the act was a repetition. ``openers`` prove the sealed fields,
    by (version, path)."""

    receipt: Receipt
    recorded: tuple[Recorded, ...]
    openers: Mapping[tuple[int, str], bytes]
    repeated: bool


# In the driver's own form: bytes travel as they are, and nothing of the statement is worked out anew each time.
_APPEND = (
    "SELECT stored, earlier_fingerprint, earlier_receipt"
    " FROM append_events(%s, %s, %b::bytea[], %s::jsonb, %s, %s, %b, %s, %s)"
)
_WAKE = text(f"NOTIFY {CHANNEL}")
_LOAD = text("SELECT event FROM events WHERE stream = :stream ORDER BY version")
_HOLD = text("SELECT pg_advisory_xact_lock(hashtextextended(:stream, 0))")  # the lock that each append takes
_REMEMBER = text(
    "INSERT INTO acts (client, key, fingerprint, receipt, recorded_at)"
    " VALUES (:client, :key, :fingerprint, :receipt, :recorded_at) ON CONFLICT DO NOTHING"
)
_ACT = text("SELECT fingerprint, receipt FROM acts WHERE client = :client AND key = :key")


class Beside:
    """A statement that goes to the database together with an append, in one round trip: a projection's row of a filing.

    ``sql`` (in the driver's form) writes only where ``act.stored``, so that a repeated act writes nothing; ``given``
    makes its parameters of the events as they are stored. An append with one is whole by itself, so its connection may
    be in autocommit mode: beginning and end cost no round trips then.
    """

    def __init__(self, sql: str, *, given: Callable[[tuple[Recorded, ...]], tuple[object, ...]]) -> None:
        self.statement = f"WITH act AS MATERIALIZED ({_APPEND}), beside AS ({sql}) SELECT * FROM act"  # noqa: S608
        self.given = given


class EventStore:
    """One service's streams. Holds no connection: every call runs in the session it is given."""

    def __init__(
        self,
        *,
        source: str,
        codec: Codec,
        signer: NoteSigner,
        clock: Callable[[], datetime],
        tracing: Tracing | None = None,
    ) -> None:
        self.source = source
        self._codec = codec
        self._signer = signer
        self._clock = clock
        self._tracing = tracing or NoTracing()

    async def load(self, session: Session, stream: str) -> History:
        """The stream from its first event. A stream that does not exist has none.

        In a handler that is run again (`retry_when_moved`), the first stream that it loads is held until its
        transaction ends: nobody else appends to it.
        """
        again = _AGAIN.get()
        if again is not None and not again.holds:
            again.holds = True
            await session.execute(_HOLD, {"stream": stream})
        found = (await session.execute(_LOAD, {"stream": stream})).scalars().all()
        return History(tuple(self.read(event) for event in found), len(found))

    def read(self, event: bytes) -> Recorded:
        """A stored event's bytes in typed form. Raises ``KeyError`` for a type that this service does not own."""
        return recorded(self._codec, record_pb2.Event.FromString(event), event)

    async def receipt_for(self, session: Session, act: ActKey) -> Receipt | None:
        """The first receipt of an act, if it was done. Raises `KeyReused`."""
        found = (await session.execute(_ACT, {"client": act.client, "key": act.key})).one_or_none()
        return None if found is None else _earlier(act, found.fingerprint, found.receipt)

    async def remember(self, session: Session, act: ActKey, receipt: Receipt) -> Receipt:
        """Keeps the receipt of an act that recorded nothing, since another act had done it: the key is this act's from
        now on. Answers with the act's first receipt. Raises `KeyReused`.
        """
        kept = replace(receipt, repeats=True)
        row = {"fingerprint": act.fingerprint, "receipt": kept.to_json(), "recorded_at": self._clock()}
        await session.execute(_REMEMBER, {"client": act.client, "key": act.key, **row})
        return await self.receipt_for(session, act) or kept

    async def append(
        self,
        session: Session,
        *,
        stream: str,
        expected: int,
        events: Sequence[object],
        actor: Actor,
        act: ActKey,
        correlation: str = "",
        causation: record_pb2.Citation | None = None,
        occurred_at: datetime | None = None,
        keys: Mapping[str, bytes] | None = None,
        beside: Beside | None = None,
    ) -> Appended:
        """Appends ``events`` after version ``expected``, sealing their personal data under ``keys`` (key id → 32
        bytes).

        Raises `StreamMoved` (the transaction is lost then), `KeyReused`, `Refused` for a text or event that is too
        long, and ``KeyError`` for a key that is missing. ``recorded_at`` is the clock's; ``occurred_at`` is what the
        actor claims, by default the same.
        """
        now = self._clock()
        around = record_pb2.Event(
            stream=stream,
            occurred_at=timestamp(occurred_at or now),
            recorded_at=timestamp(now),
            actor=record_pb2.Actor(id=actor.id, role=actor.role, unit=actor.unit),
            correlation=correlation,
            causation=causation,
        )
        at = int(now.timestamp()) * 1_000_000_000 + now.microsecond * 1000
        built = [self._build(event, around, expected + n, at, keys or {}) for n, event in enumerate(events, start=1)]
        bytes_of = [message.SerializeToString(deterministic=True) for message, _ in built]
        if any(len(event) > MAX_EVENT_BYTES for event in bytes_of):
            raise Refused("event-too-long", f"an event holds at most {MAX_EVENT_BYTES} bytes")
        receipt = sign_receipt(
            signer=self._signer,
            source=self.source,
            stream=stream,
            version=expected + len(events),
            recorded_at=now,
            event_ids=[message.id for message, _ in built],
            hashes=[sha256(event).digest() for event in bytes_of],
        )
        occurred_utc, now_utc = (occurred_at or now).astimezone(UTC), now.astimezone(UTC)
        stored = tuple(
            Recorded(
                event=self._as_stored(event, message),
                id=message.id,
                stream=stream,
                version=message.version,
                type=message.type,
                occurred_at=occurred_utc,
                recorded_at=now_utc,
                actor=actor,
                correlation=correlation,
                hash=digest,
            )
            for event, (message, _), digest in zip(events, built, receipt.hashes, strict=True)
        )
        headers = self._tracing.inject()
        given = (
            *(stream, expected, bytes_of, json.dumps(dict(headers)) if headers else "{}"),
            *(act.client, act.key, act.fingerprint, receipt.to_json(), now),
            *(beside.given(stored) if beside else ()),
        )
        connection = session if isinstance(session, AsyncConnection) else await session.connection()
        try:
            answer = (await connection.exec_driver_sql(beside.statement if beside else _APPEND, given)).one()
        except IntegrityError as error:
            if getattr(getattr(error.orig, "diag", None), "constraint_name", None) == "events_stream_version":
                raise StreamMoved(stream) from None
            raise
        if not answer.stored:
            earlier = _earlier(act, answer.earlier_fingerprint, answer.earlier_receipt)
            return Appended(receipt=earlier, recorded=(), openers={}, repeated=True)
        openers = {(message.version, path): opener for message, found in built for path, opener in found.items()}
        return Appended(receipt=receipt, recorded=stored, openers=openers, repeated=False)

    def _build(
        self,
        event: object,
        around: record_pb2.Event,
        version: int,
        at: int,
        keys: Mapping[str, bytes],
    ) -> tuple[record_pb2.Event, dict[str, bytes]]:
        """The event's message, in what ``around`` says of all events of the act, and the openers by path."""
        payload, personal = self._codec.encode(event)
        message = record_pb2.Event()
        message.CopyFrom(around)
        message.id = uuid_utils.uuid7(nanoseconds=at).bytes
        message.version = version
        message.type = self._codec.name_of(event)
        message.payload = payload
        openers: dict[str, bytes] = {}
        for path, plain in personal:
            try:
                field, openers[path] = seal(
                    plain.text, secret=keys[plain.key_id], key_id=plain.key_id, event_id=message.id, path=path
                )
            except TooLong as error:
                raise Refused("text-too-long", f"{path}: {error}; file longer text as a document") from None
            message.sealed.append(field)
        return message, openers

    def _as_stored(self, event: object, message: record_pb2.Event) -> object:
        """The event as it will be read: with what was sealed in place of what was given."""
        if not message.sealed:
            return event
        return self._codec.decode(message.type, message.payload, event_id=message.id, sealed=message.sealed)


def recorded(codec: Codec, message: record_pb2.Event, event: bytes) -> Recorded:
    """The typed form of a parsed event. Raises ``KeyError`` for a type that the codec does not know."""
    return Recorded(
        event=codec.decode(message.type, message.payload, event_id=message.id, sealed=message.sealed),
        id=message.id,
        stream=message.stream,
        version=message.version,
        type=message.type,
        occurred_at=instant(message.occurred_at),
        recorded_at=instant(message.recorded_at),
        actor=Actor(id=message.actor.id, role=message.actor.role, unit=message.actor.unit),
        correlation=message.correlation,
        hash=sha256(event).digest(),
    )


def _earlier(act: ActKey, fingerprint: bytes, receipt: str) -> Receipt:
    if bytes(fingerprint) != act.fingerprint:
        raise KeyReused
    return Receipt.from_json(receipt)


class _Again:
    """One further run of a handler. ``holds``: whether it has taken its stream's lock."""

    def __init__(self) -> None:
        self.holds = False


_AGAIN: ContextVar[_Again | None] = ContextVar("again", default=None)


def retry_when_moved(*, times: int = 3) -> Callable[[Callable[P, Awaitable[R]]], Callable[P, Awaitable[R]]]:
    """Runs a handler again when its stream moved under it: it loads and decides anew. The last `StreamMoved` is
    raised.

    A further run holds the first stream that it loads, so it does not lose the race for it again, however many act at
    once. Only one is held: two handlers that held several, each in its order, would wait for each other. The first run
    costs no round trip for it.
    """

    def decorate(handler: Callable[P, Awaitable[R]]) -> Callable[P, Awaitable[R]]:
        @functools.wraps(handler)
        async def retried(*args: P.args, **kwargs: P.kwargs) -> R:
            try:
                return await handler(*args, **kwargs)
            except StreamMoved:
                if times < 2:
                    raise
            for left in reversed(range(times - 1)):
                before = _AGAIN.set(_Again())
                try:
                    return await handler(*args, **kwargs)
                except StreamMoved:
                    if not left:
                        raise
                finally:
                    _AGAIN.reset(before)
            raise AssertionError("the last run returned or raised")

        return retried

    return decorate


class Ring:
    """Wakes the source's sequencer after a commit: at once where the last time is 20 ms ago, else once for all acts of
    20 ms, which is what one of the sequencer's rounds takes. Always outside their transactions.

    A NOTIFY inside each append halves concurrent throughput. A lost one costs the sequencer's poll interval, nothing
    else.
    """

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._pending: asyncio.Task[None] | None = None
        self._leaving: set[asyncio.Task[None]] = set()
        self._rang = -WAKE_EVERY_S

    def ring(self) -> None:
        """Returns at once; call it after the commit."""
        if self._pending is None or self._pending.done():
            self._pending = asyncio.create_task(self._notify())
            self._leaving.add(self._pending)
            self._pending.add_done_callback(self._leaving.discard)

    async def close(self) -> None:
        """Waits for what is on its way; a connection that is out while its engine is disposed of is never closed."""
        await asyncio.gather(*self._leaving, return_exceptions=True)

    async def _notify(self) -> None:
        now = asyncio.get_running_loop().time
        await asyncio.sleep(self._rang + WAKE_EVERY_S - now())
        self._pending, self._rang = None, now()
        async with self._engine.connect() as connection:
            await connection.execution_options(isolation_level="AUTOCOMMIT")
            await connection.execute(_WAKE)
